"""What tests of several packages stand on: a real Chromium, a real X display, a local web server."""

from __future__ import annotations

import functools
import gc
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import typer.main
import typer.testing
from moonhand.envs import INSTALL_CHROMIUM, NoDisplay, Size, VirtualDisplay, find_chromium

LONGEST_FIRST = ("model/test_kernels.py", "test_packaging.py")  # 20 s of one test: under tests/, as the next
SCREENS_FIRST = ("envs", "tasks")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Thousands of tests are made and none thrown away: to look for garbage among them takes each worker a second."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Workers begin with what is long and what waits for screens: one that comes last would run alone."""

    def rank(item: pytest.Item) -> int:
        path = item.path.relative_to(Path(__file__).parent)
        return 0 if path.as_posix() in LONGEST_FIRST else 1 if path.parts[0] in SCREENS_FIRST else 2

    if hasattr(config, "workerinput"):
        items.sort(key=rank)


@pytest.fixture(scope="session", autouse=True)
def commands_built_once() -> Generator[None]:
    """Typer's runner would build the tree of all commands for every call of one, which takes 0.1 s."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.testing, "_get_command", functools.cache(typer.main.get_command))
        yield


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium; fails, rather than skips, where there is none."""
    found = find_chromium()
    if found is None:
        pytest.fail(f"these tests need a Chromium: {INSTALL_CHROMIUM}")
    return found


@pytest.fixture(scope="session")
def whole_chromium() -> str:
    """As `chromium`, but never a headless shell: for what that lacks, such as preferences and chrome:// pages."""
    found = find_chromium(headless=False)
    if found is None:
        pytest.fail(f"these tests need a whole Chromium: {INSTALL_CHROMIUM}")
    return found


@pytest.fixture(scope="session")
def virtual_display() -> Generator[VirtualDisplay]:
    """An empty 800x600 X display with a window manager; fails, rather than skips, where Xvfb is missing."""
    with ExitStack() as stack:
        try:
            screen = stack.enter_context(VirtualDisplay(Size(800, 600), wm=True))
        except NoDisplay as error:
            pytest.fail(f"these tests need a virtual display: {error}")
        yield screen


@pytest.fixture(scope="module")
def serve() -> Generator[Callable[[Mapping[str, str]], str]]:
    """Serves pages from 127.0.0.1: `serve({"/": html, ...})` gives the base URL, without a slash at its end.

    A request with `?delay_s=0.3` is answered that much later; a path that is not there gives 404.
    """
    with ExitStack() as stack:
        yield lambda pages: stack.enter_context(_serving(pages))


@contextmanager
def _serving(pages: Mapping[str, str]) -> Generator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            time.sleep(float(parse_qs(address.query).get("delay_s", ["0"])[0]))
            body = pages.get(address.path, "").encode()
            self.send_response(200 if address.path in pages else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
