"""A server on a socket, from its first moment to an end that lets replies finish."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from threading import Thread, current_thread, main_thread

import uvicorn
from fastapi import FastAPI

from .exchange import Desk

_AFTER_GRACE_S = 5.0  # for the last words of replies that were cut


class Server(uvicorn.Server):
    """Stops as uvicorn does, and beyond the grace period tells every client that is left."""

    def __init__(self, app: FastAPI, *, ready: Callable[[], None] = lambda: None) -> None:
        self._desk: Desk = app.state.desk
        self._ready = ready
        super().__init__(
            uvicorn.Config(
                app,
                http="h11",
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=round(self._desk.config.grace_s + _AFTER_GRACE_S),
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """SIGHUP too, which says that the terminal was closed, unless it is ignored (`nohup`)."""
        hangup = getattr(signal, "SIGHUP", None)
        with super().capture_signals():
            if hangup is None or current_thread() is not main_thread() or signal.getsignal(hangup) == signal.SIG_IGN:
                yield
                return
            before = signal.signal(hangup, self.handle_exit)
            try:
                yield
            finally:
                signal.signal(hangup, before)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._desk.is_closing = True
        cutting = asyncio.get_running_loop().call_later(self._desk.config.grace_s, self._desk.cut)
        try:
            await super().shutdown(sockets)
        finally:
            cutting.cancel()


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to an address; 0 is any free port. OSError where it is taken or no address of this machine."""
    ((family, _, _, _, address), *_) = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(256)
    except BaseException:
        found.close()
        raise
    return found


def url_of(bound: socket.socket) -> str:
    """Where the API is."""
    host, port = bound.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}/v1"


@contextmanager
def serving(app: FastAPI, *, host: str = "127.0.0.1", port: int = 0) -> Generator[str]:
    """A server on a thread, for tests and notebooks: the URL of its API, up to and with /v1."""
    bound = listen(host, port)
    url = url_of(bound)
    server = Server(app)
    thread = Thread(target=server.run, args=([bound],), name="moonhand-serve", daemon=True)
    thread.start()
    try:
        yield url  # the socket listens already: who connects before the loop runs waits for it
    finally:
        server.should_exit = True
        thread.join()
        bound.close()
