"""The bundled sign-up page and its script, served to a browser on this machine."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

DEMO_FOLDER = Path(__file__).parent / "demo"
DEMO_SCRIPT = DEMO_FOLDER / "script.yaml"
DEMO_PAGE = "signup.html"


@contextmanager
def serve_folder(folder: Path) -> Generator[str]:
    """Serve a folder's files on a free loopback port for as long as the block runs; yields the URL, ending in '/'."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_QuietHandler, directory=str(folder)))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _QuietHandler(SimpleHTTPRequestHandler):
    """Serves files without a line on stderr for each."""

    def log_message(self, format: str, *args: object) -> None:
        del format, args
