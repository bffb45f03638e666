"""Runs against a server that hangs, goes away, or lets nobody in: real HTTP, canned replies."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from moonhand.envs import Size
from moonhand.model import HttpConfig, NoRemote, RemoteConfig, RemoteEngine, open_remote
from moonhand.tasks.errors import BadRequest
from moonhand.tasks.evals.executors.answered import Limits, SamplesCrash
from moonhand.tasks.evals.executors.pool import PoolExecutor
from moonhand.tasks.evals.executors.threads import ThreadForce
from moonhand.tasks.evals.manifest import manifest_of
from moonhand.tasks.evals.remote_source import RemoteSource
from moonhand.tasks.evals.run_folder import PREDICTIONS, RunFolder
from moonhand.tasks.evals.runner import checker, run_suite
from moonhand.tasks.evals.sample import BoxAnswer, GroundingSample, Suite
from PIL import Image
from scripted import Silent

REPLY = {
    "choices": [{"finish_reason": "stop", "message": {"content": "ok"}}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1},
}


@dataclass(frozen=True, kw_only=True)
class Hurried(RemoteSource):
    """A server is waited for as long as a test may take."""

    def _open(self, say: Callable[[str], None] = lambda _: None) -> RemoteEngine:
        http = HttpConfig(reply_s=0.3, attempts=1)
        return open_remote(self.model, RemoteConfig(http=http), say=lambda _: None)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    status = 200
    slow_s = 0.0
    owner = "somebody"


class Handler(BaseHTTPRequestHandler):
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        known = self.path.endswith("/models")
        models = {"data": [{"id": "kimi-vl-a3b-instruct", "owned_by": self.server.owner}]}
        self._send(200 if known else 404, models if known else {})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(self.server.slow_s)
        self._send(self.server.status, REPLY if self.server.status == 200 else {"error": {"message": "no"}})

    def _send(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving() -> Generator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    Image.new("RGB", (80, 60), "white").save(tmp_path / "a.png")
    sample = GroundingSample(
        id="0", image=tmp_path / "a.png", size=Size(80, 60), instruction="it", answer=BoxAnswer(0, 0, 5, 5)
    )
    return Suite(name="own", samples=tuple(replace(sample, id=str(number)) for number in range(12)), files={})


def source_of(server: Server) -> Hurried:
    return Hurried(model=f"openai:http://127.0.0.1:{server.server_port}/v1", requests=2)


def run(suite: Suite, server: Server, folder: Path, turns: Callable[[], Any]) -> list[dict[str, Any]]:
    """The rows of a run whose server turns once it has been found to be well."""
    source = source_of(server)
    manifest = manifest_of(suite, source)

    def force() -> ThreadForce:
        opened = ThreadForce(source, 2)
        turns()
        return opened

    executor = PoolExecutor(force, Limits(retries=0), checker(manifest))
    with RunFolder(folder, manifest) as opened:
        run_suite(suite, source, executor, opened, manifest, stop=lambda: False, watch=Silent())
    return [json.loads(line) for line in (folder / PREDICTIONS).read_text().splitlines()]


def test_a_servers_time_out_is_a_time_out(suite: Suite, tmp_path: Path) -> None:
    with serving() as server:
        rows = run(
            replace(suite, samples=suite.samples[:2]), server, tmp_path / "run", lambda: setattr(server, "slow_s", 0.5)
        )
    assert [row["failure"] for row in rows] == ["timed_out", "timed_out"]
    assert "sent nothing for 0.3 s" in rows[0]["error"]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_server_that_lets_nobody_in_ends_the_run_at_once(status: int, suite: Suite, tmp_path: Path) -> None:
    with serving() as server, pytest.raises(NoRemote, match=str(status)):
        run(suite, server, tmp_path / "run", lambda: setattr(server, "status", status))
    assert (tmp_path / "run" / PREDICTIONS).read_bytes() == b""


def test_a_server_that_is_gone_ends_the_run_at_once(suite: Suite, tmp_path: Path) -> None:
    with serving() as server, pytest.raises(NoRemote, match=r"no server answers|was lost"):
        run(suite, server, tmp_path / "run", lambda: (server.shutdown(), server.server_close()))
    assert (tmp_path / "run" / PREDICTIONS).read_bytes() == b""


def test_a_server_that_refuses_sample_after_sample_ends_the_run(suite: Suite, tmp_path: Path) -> None:
    with serving() as server, pytest.raises(SamplesCrash, match=r"8 samples in a row failed: RemoteRefused: .*422"):
        run(suite, server, tmp_path / "run", lambda: setattr(server, "status", 422))
    assert (tmp_path / "run" / PREDICTIONS).read_bytes() == b""


def test_a_server_that_has_become_another_is_refused(suite: Suite) -> None:
    with serving() as server:
        source = source_of(server)
        manifest = manifest_of(suite, source)
        server.owner = "vllm"
        asker = source.open(0)
        try:
            with pytest.raises(BadRequest, match=r"model\.remote\.server is .openai. by the manifest and"):
                checker(manifest)(asker.facts)
        finally:
            asker.close()
