"""What tests of several packages stand on: a real Chromium, a real X display, a local web server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from moonhand.envs import INSTALL_CHROMIUM, NoDisplay, Size, VirtualDisplay, find_chromium

SCREENS_FIRST = ("envs", "tasks")  # folders under tests/


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Workers begin with what waits for screens: the long files are then not the last ones."""
    if hasattr(config, "workerinput"):
        tests = Path(__file__).parent
        items.sort(key=lambda item: item.path.relative_to(tests).parts[0] not in SCREENS_FIRST)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium; fails, rather than skips, where there is none."""
    found = find_chromium()
    if found is None:
        pytest.fail(f"these tests need a Chromium: {INSTALL_CHROMIUM}")
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
