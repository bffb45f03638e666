"""The pages over http, from this machine to itself: FlightWoB's do not run from files."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from .episodes import pages_folder


@contextmanager
def served_pages() -> Generator[str]:
    """Serve the folder of the pages on 127.0.0.1, on a free port; gives the address, without a slash at its end.

    BadRequest where the package of the pages is not installed.
    """
    folder = pages_folder().parent
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Some pictures of FlightWoB's pages are missing upstream; nobody wants to read that for each episode."""
