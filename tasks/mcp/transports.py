"""How clients reach the server: stdio, or streamable HTTP. Each runs in a thread of its own, with its event loop."""

from __future__ import annotations

import asyncio
import hmac
import os
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from typing import Any, TypeVar, cast

import uvicorn
from mcp.server import Server
from mcp.server.stdio import stdio_server
from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import ASGIApp, Receive, Scope, Send

from ...envs import EnvError
from ..console import people
from ..errors import BadRequest
from .calls import Desk

LOOPBACK = ("127.0.0.1", "localhost", "::1")
PATH = "/mcp"
LAST_WORDS_S = 0.2  # for the answers to calls that were cut short
READ_S = 0.5  # for a client that has said its last to read ours
END_S = 2.0  # for the client's side to end

T = TypeVar("T")
Serve = Callable[[], Awaitable[None]]


@contextmanager
def serving(serve: Serve, desk: Desk) -> Generator[None]:
    """The client's side, for as long as the block runs; where it ends first, it leaves the desk."""
    started: SimpleQueue[asyncio.AbstractEventLoop] = SimpleQueue()
    tasks: list[asyncio.Task[None]] = []

    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        started.put(asyncio.get_running_loop())
        with suppress(asyncio.CancelledError):
            await serve()

    def work() -> None:
        try:
            asyncio.run(main())
        finally:
            desk.leave()

    thread = threading.Thread(target=work, name="moonhand-mcp", daemon=True)
    thread.start()
    loop = started.get()
    try:
        yield
    finally:
        with suppress(RuntimeError):  # it has ended
            loop.call_soon_threadsafe(loop.call_later, LAST_WORDS_S, tasks[0].cancel)
        thread.join(END_S)


def over_stdio(server: Server[dict[str, Any]]) -> Serve:
    """Until standard input ends. Standard output carries the protocol alone: what else is printed goes to stderr."""

    async def talk(lines: Lines, written: Written) -> None:
        try:
            async with stdio_server(cast(Any, lines), cast(Any, written)) as (incoming, outgoing):
                await server.run(incoming, outgoing, server.create_initialization_options())
        except* OSError:  # nobody reads what we write
            pass

    async def serve() -> None:
        lines, written = _private_stdio()
        talking = asyncio.create_task(talk(lines, written))
        ended = asyncio.create_task(lines.ended.wait())
        try:
            await asyncio.wait({talking, ended}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({talking}, timeout=READ_S)
        finally:
            ended.cancel()
            talking.cancel()
            with suppress(asyncio.CancelledError):
                await talking

    return serve


def over_http(server: Server[dict[str, Any]], listener: socket.socket, key: str | None) -> Serve:
    """Streamable HTTP at PATH until it is cancelled. With a key, every request has to bear it.

    On loopback, requests whose Host or Origin is another machine's are refused: they come from a web page.
    """
    host, port = listener.getsockname()[:2]
    names = [f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")]
    security = TransportSecuritySettings(
        enable_dns_rebinding_protection=host in LOOPBACK,
        allowed_hosts=names,
        allowed_origins=[f"http://{name}" for name in names],
    )
    app: ASGIApp = server.streamable_http_app(streamable_http_path=PATH, transport_security=security, host=host)
    config = uvicorn.Config(
        app if key is None else WithKey(app, key),
        log_level="warning",
        lifespan="on",
        timeout_graceful_shutdown=1,
        ws="none",
    )

    async def serve() -> None:
        running = uvicorn.Server(config)
        task = asyncio.create_task(running.serve(sockets=[listener]))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            running.should_exit = True
            await task
            raise
        finally:
            listener.close()

    return serve


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 is a free one. EnvError where that is taken or not ours to take."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise BadRequest(f"--host {host}: {error.strerror or error}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except OSError as error:
        listener.close()
        why = f"{host}:{port} cannot be listened on ({error.strerror or error})"
        raise EnvError(f"{why}: choose another --http PORT, or 0 for any") from error
    return listener


class WithKey:
    """Answers 401 to what does not bear the key."""

    def __init__(self, app: ASGIApp, key: str) -> None:
        self._app, self._wanted = app, f"Bearer {key}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = cast("list[tuple[bytes, bytes]]", scope["headers"])
            borne = next((value for name, value in headers if name == b"authorization"), b"")
            if not hmac.compare_digest(borne, self._wanted):
                said = b"this server wants its key: Authorization: Bearer KEY\n"
                told = [(b"www-authenticate", b"Bearer"), (b"content-type", b"text/plain")]
                await send({"type": "http.response.start", "status": 401, "headers": told})
                await send({"type": "http.response.body", "body": said})
                return
        await self._app(scope, receive, send)


class Aside:
    """Does blocking work in a daemon thread: whoever waits for it can give up, and so can the interpreter."""

    def __init__(self, name: str) -> None:
        self._work: SimpleQueue[tuple[asyncio.Future[Any], Callable[[], Any]]] = SimpleQueue()
        threading.Thread(target=self._do_all, name=name, daemon=True).start()

    async def do(self, work: Callable[[], T]) -> T:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._work.put((future, work))
        return await future

    def _do_all(self) -> None:
        while True:
            future, work = self._work.get()
            result, error = None, None
            try:
                result = work()
            except OSError as trouble:  # the other end is gone
                error = trouble
            with suppress(RuntimeError):  # the loop is closed
                future.get_loop().call_soon_threadsafe(_settle, future, result, error)


def _settle(future: asyncio.Future[Any], result: object, error: OSError | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


class Lines:
    """What a client writes, line by line; what the SDK uses of an `anyio.AsyncFile`."""

    def __init__(self, descriptor: int) -> None:
        self._file = os.fdopen(descriptor, encoding="utf-8", errors="replace", closefd=False)
        self._aside = Aside("moonhand-mcp-input")
        self.ended = asyncio.Event()

    def __aiter__(self) -> Lines:
        return self

    async def __anext__(self) -> str:
        if not (line := await self._aside.do(self._file.readline)):
            self.ended.set()
            raise StopAsyncIteration
        return line


class Written:
    """What a client reads; likewise."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._aside = Aside("moonhand-mcp-output")

    async def write(self, text: str) -> None:
        await self._aside.do(lambda: self._write(text.encode()))

    async def flush(self) -> None:
        """Nothing is held back."""

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]


def _private_stdio() -> tuple[Lines, Written]:
    """Standard input and output for the protocol alone, until the process ends.

    Whatever else reads finds the end, and whatever else prints, in C or in a program that we start, does so on
    standard error.
    """
    sys.stdout.flush()
    incoming, outgoing = os.dup(0), os.dup(1)  # not handed on to programs
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.dup2(2, 1)
    os.close(empty)
    return Lines(incoming), Written(outgoing)


def tell_address(listener: socket.socket) -> str:
    """The server's address, told to people."""
    host, port = listener.getsockname()[:2]
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}{PATH}"
    people().print(f"moonhand mcp: {address}", highlight=False, markup=False, soft_wrap=True)
    return address


def is_loopback(host: str) -> bool:
    return host in LOOPBACK
