"""The page of a run that still goes on: served on this machine alone, under an address that nobody can guess."""

from __future__ import annotations

import base64
import json
import queue
import secrets
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from rich.console import Console

from ...agent import Step, TrajectoryError, read_trajectory
from .opening import open_in_browser
from .pack import QUICK, Packer
from .page import picture_told, render
from .told import run_told, step_told

LAST_WORDS_S = 3.0  # how long the end of a run waits for pages to take the last steps
FIRST_LOOK_S = 8.0  # and for a browser that was opened to show the page at all
BEAT_S = 10.0  # between signs of life, so that a page that is gone is noticed

Watch = Callable[[Step], None]


@contextmanager
def watched(
    folder: Path, watch: Watch, console: Console, *, is_wanted: bool = True, opens: bool = True
) -> Generator[Watch]:
    """`watch`, and where it is wanted the run in a browser too, for as long as the block runs.

    The trajectory in `folder` must have begun. The address is told on the console, and opened unless told otherwise.
    The page works on when the block is over; what was written of the run is read once more for how it ended.
    """
    if not is_wanted:
        yield watch
        return
    with LiveView(folder) as live:
        console.print(f"watch: {live.address}", highlight=False, markup=False, soft_wrap=True)
        is_opened = opens and open_in_browser(live.address)

        def both(step: Step) -> None:
            watch(step)
            live.add(step)

        try:
            yield both
        finally:
            live.finish(FIRST_LOOK_S if is_opened else 0.0)


class LiveView:
    """A server of one page and of what happens in its run. Steps are packed beside the run, which never waits."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._packer = Packer(QUICK)
        self._steps: queue.SimpleQueue[Step | None] = queue.SimpleQueue()
        self._events: list[bytes] = []
        self._news = threading.Condition()
        self._is_over = False
        self._num_seen = 0  # pages that ever listened
        self._num_listening = 0
        self._token = secrets.token_urlsafe(24)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}/{self._token}/"
        self._worker = threading.Thread(target=self._pack, name="live-view", daemon=True)
        self._serving = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True, name="live-view-server"
        )

    def __enter__(self) -> LiveView:
        self._worker.start()
        self._serving.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.finish()
        self._server.shutdown()
        self._serving.join()
        self._server.server_close()

    def add(self, step: Step) -> None:
        """Show one more step as soon as it is packed."""
        self._steps.put(step)

    def finish(self, first_look_s: float = 0.0) -> None:
        """Tell how the run ended, and wait for the pages that listen to take it: LAST_WORDS_S at most.

        With `first_look_s` a page that has not been there yet is waited for that long.
        """
        if self._is_over:
            return
        self._steps.put(None)
        self._worker.join(LAST_WORDS_S)
        told: dict[str, Any] = {"is_over": True}
        with suppress(TrajectoryError):  # the folder is gone, which whoever ends the run is told elsewhere
            told["run"] = run_told(read_trajectory(self._folder), is_live=True)
        with self._news:
            self._is_over = True
            self._events.append(_event(told))
            self._news.notify_all()
            self._news.wait_for(lambda: self._num_seen > 0, first_look_s)
            self._news.wait_for(lambda: self._num_listening == 0, LAST_WORDS_S)

    def page(self) -> bytes:
        """The page without a step; its scripts ask for them."""
        run = run_told(read_trajectory(self._folder), is_live=True)
        data = {"runs": [run | {"steps": []}], "pictures": [], "pairs": None}
        return "".join(render(f"{run['name']} - moonhand", data, is_live=True)).encode()

    def is_mine(self, path: str, host: str, name: str) -> bool:
        """Whether a request asks for this under the secret address, and of this machine."""
        port = self._server.server_address[1]
        at_home = host in (f"127.0.0.1:{port}", f"localhost:{port}")
        return at_home and secrets.compare_digest(path.encode(), f"/{self._token}/{name}".encode())

    def listen(self, first: int, write: Callable[[bytes], Any]) -> None:
        """Write every event from that number on, as they come, until the last. OSError where the page is gone."""
        with self._news:
            self._num_seen += 1
            self._num_listening += 1
            self._news.notify_all()
        try:
            at = first
            while True:
                with self._news:
                    has_news = self._news.wait_for(lambda seen=at: len(self._events) > seen or self._is_over, BEAT_S)
                    events, is_over = self._events[at:], self._is_over
                for number, event in enumerate(events, start=at):
                    write(b"id: %d\n" % number + event)
                at += len(events)
                if is_over:
                    return
                if not has_news:
                    write(b": still here\n\n")
        finally:
            with self._news:
                self._num_listening -= 1
                self._news.notify_all()

    def _pack(self) -> None:
        while (step := self._steps.get()) is not None:
            found = [self._packer.add(frame) for frame in (step.before, step.after) if frame is not None]
            pictures = [
                picture_told(picture) | {"data": base64.b64encode(picture.data).decode()}
                for picture in found
                if picture
            ]
            event = _event({"pictures": pictures, "step": step_told(step)})
            with self._news:
                self._events.append(event)
                self._news.notify_all()


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=True, allow_nan=False).encode() + b"\n\n"


def _handler_of(live: LiveView) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host = self.headers.get("Host", "")
            if live.is_mine(self.path, host, ""):
                self._answer("text/html; charset=utf-8", live.page())
            elif live.is_mine(self.path, host, "events"):
                self._listen()
            else:
                self.send_error(404)

        def _answer(self, kind: str, body: bytes) -> None:
            self._head(kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _listen(self) -> None:
            self._head("text/event-stream")
            self.end_headers()
            last = self.headers.get("Last-Event-ID", "")
            with suppress(OSError):  # the page was closed
                live.listen(int(last) + 1 if last.isdecimal() else 0, self._write)

        def _write(self, content: bytes) -> None:
            self.wfile.write(content)
            self.wfile.flush()

        def _head(self, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("X-Frame-Options", "DENY")
            self.send_header("Referrer-Policy", "no-referrer")

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    return Handler
