"""A small server that speaks the Hub's few endpoints, for one repository, with faults that can be set."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

REPO, COMMIT = "some/tiny-vl", "0123456789abcdef0123456789abcdef01234567"
LARGE = (".safetensors", ".model")  # what the Hub keeps by its sha256


@dataclass
class Hub:
    """The server's state. `asked` holds (file, first byte) of every download."""

    folder: Path
    endpoint: str = ""
    cut_after: dict[str, int] = field(default_factory=dict[str, int])  # bytes of a file, then the line drops, once
    damaged: set[str] = field(default_factory=set[str])  # files that arrive with another byte
    takes_ranges: bool = True
    refuses: tuple[int, str] | None = None  # status and the Hub's error code
    asked: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])

    def info(self) -> dict[str, Any]:
        siblings: list[dict[str, Any]] = []
        for path in sorted(self.folder.iterdir()):
            content = path.read_bytes()
            blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            entry: dict[str, Any] = {"rfilename": path.name, "size": len(content), "blobId": blob}
            if path.name.endswith(LARGE):
                sha256 = hashlib.sha256(content).hexdigest()
                entry["lfs"] = {"sha256": sha256, "size": len(content), "pointerSize": 130}
            siblings.append(entry)
        siblings.append({"rfilename": "modeling_kimi_vl.py", "size": 9, "blobId": "0" * 40})
        return {"id": REPO, "sha": COMMIT, "siblings": siblings, "tags": [], "downloads": 0, "private": False}


@contextmanager
def serving(folder: Path) -> Generator[Hub]:
    hub = Hub(folder)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if hub.refuses is not None:
                self._answer(hub.refuses[0], b"{}", {"X-Error-Code": hub.refuses[1]})
            elif path in (f"/api/models/{REPO}", f"/api/models/{REPO}/revision/main"):
                self._answer(200, json.dumps(hub.info()).encode(), {"Content-Type": "application/json"})
            elif path.startswith(f"/api/models/{REPO}/revision/"):
                self._answer(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
            elif path.startswith(f"/{REPO}/resolve/{COMMIT}/"):
                self._file(path.rpartition("/")[2])
            else:
                self._answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})

        def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(content))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def _file(self, name: str) -> None:
            content = (hub.folder / name).read_bytes()
            if name in hub.damaged:
                content = content[:-1] + bytes([content[-1] ^ 1])
            start = 0
            if hub.takes_ranges and (asked := self.headers.get("Range")):
                start = int(asked.removeprefix("bytes=").partition("-")[0])
            hub.asked.append((name, start))
            headers = {"Content-Length": str(len(content) - start), "ETag": '"x"'}
            if start:
                headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.send_response(206 if start else 200)
            for key, value in headers.items():
                self.send_header(key, value)
            self.end_headers()
            if (most := hub.cut_after.pop(name, None)) is not None:
                self.wfile.write(content[start:most])
                self.close_connection = True
                return
            self.wfile.write(content[start:])

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
