"""The shipped model over drawn screens: killed, stopped by Ctrl-C, and asked by three executors."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from moonhand.envs import Size
from moonhand.tasks.evals.engine_source import EngineSource
from moonhand.tasks.evals.executors.answered import Limits
from moonhand.tasks.evals.executors.inline import InlineExecutor
from moonhand.tasks.evals.executors.pool import Force, PoolExecutor
from moonhand.tasks.evals.executors.processes import ProcessForce
from moonhand.tasks.evals.executors.ray import RayForce
from moonhand.tasks.evals.generate import generate_suite
from moonhand.tasks.evals.manifest import manifest_of
from moonhand.tasks.evals.prediction import Prediction
from moonhand.tasks.evals.run_folder import PREDICTIONS, TIMINGS, RunFolder
from moonhand.tasks.evals.runner import checker, run_suite
from moonhand.tasks.evals.sample import GroundingSample, Suite
from moonhand.tasks.evals.suites.open import open_suite

pytestmark = pytest.mark.slow

PROGRAM = """
import sys, typer
from moonhand.tasks.console import stopping_on_signals
from moonhand.tasks.evals.run_command import run_eval
if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(run_eval)
    with stopping_on_signals():
        app()
"""

CLUSTER = """
import ray, sys
ray.init(address="local", num_cpus=1, object_store_memory=80 << 20, include_dashboard=False, log_to_driver=False)
print(ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
ray.shutdown()
"""


class Silent:
    """A `Watch` that shows nothing."""

    def begin(self, done: int, total: int) -> None:
        pass

    def row(self, sample: GroundingSample, prediction: Prediction, *, fresh: bool) -> None:
        pass


@dataclass(frozen=True, kw_only=True)
class DyingOnce:
    """The shipped model in a worker that is killed at one sample, once: it leaves a file there."""

    engine: EngineSource
    at: str
    marker: Path

    @property
    def in_flight(self) -> int | None:
        return None

    @property
    def threads(self) -> int:
        return self.engine.threads

    def manifest(self) -> Mapping[str, Any]:
        return self.engine.manifest()

    def image_tokens(self, size: Size) -> int:
        return self.engine.image_tokens(size)

    def open(self, slot: int) -> Any:
        asker = self.engine.open(slot)
        ask = asker.ask

        def dying(sample: GroundingSample) -> Any:
            if sample.id == self.at and not self.marker.exists():
                self.marker.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return ask(sample)

        asker.ask = dying
        return asker


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("generated")
    generate_suite(folder, 40, 0)
    return folder


@pytest.fixture(scope="module")
def undisturbed(data: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return asked(open_suite("generated", data), tmp_path_factory.mktemp("inline"), "inline")


def asked(suite: Suite, out: Path, executor: str, source: EngineSource | DyingOnce | None = None) -> bytes:
    source = source or EngineSource()
    manifest = manifest_of(suite, source)

    def force() -> Force:
        if executor == "ray":
            return RayForce(source, 2, address=None, on_gpu=False)
        return ProcessForce(source, 2)

    check, limits = checker(manifest), Limits(timeout_s=200)
    chosen = InlineExecutor(source, limits, check) if executor == "inline" else PoolExecutor(force, limits, check)
    with RunFolder(out, manifest) as folder:
        run_suite(suite, source, chosen, folder, manifest, stop=lambda: False, watch=Silent())
    return (out / PREDICTIONS).read_bytes()


@pytest.mark.parametrize("executor", ["processes", "ray"])
def test_workers_that_are_killed_write_the_bytes_of_one_undisturbed_process(
    executor: str, data: Path, undisturbed: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))  # where Ray's workers find the class of the source
    if executor == "ray" and find_spec("ray") is None:
        pytest.skip("Ray is not installed: pip install moonhand[ray]")
    suite = open_suite("generated", data)
    source = DyingOnce(engine=EngineSource(), at=suite.samples[13].id, marker=tmp_path / "killed")
    assert asked(suite, tmp_path / "run", executor, source) == undisturbed
    assert source.marker.exists()
    timings = [json.loads(line) for line in (tmp_path / "run" / TIMINGS).read_text().splitlines()]
    assert [one["id"] for one in timings if one["attempts"] > 1] == [source.at]
    assert len({one["worker"] for one in timings}) == 2


def test_the_workers_of_a_cluster_in_another_folder_find_relative_paths(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if find_spec("ray") is None:
        pytest.skip("Ray is not installed: pip install moonhand[ray]")
    for name, value in {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64, "RAY_USAGE_STATS_ENABLED": "0"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(data.parent)
    cluster = subprocess.Popen(
        [sys.executable, "-c", CLUSTER], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert cluster.stdout is not None
        address = cluster.stdout.readline().strip()
        more = ("--executor", "ray", "--ray", address, "--workers", "1", "--device", "cpu", "--limit", "2", "--json")
        with run_program(Path(data.name), tmp_path / "run", tmp_path, *more) as driver:
            told, _ = driver.communicate()
    finally:
        cluster.communicate()
    outcomes = json.loads(told)["outcomes"]
    assert outcomes["hit"] + outcomes["wrong"] == 2


def test_twenty_kills_change_no_byte(data: Path, undisturbed: bytes, tmp_path: Path) -> None:
    out, moments = tmp_path / "run", random.Random(0)
    for kill in range(20):
        goal = num_rows(out) + moments.randint(0, 3 if kill < 19 else 40)
        with run_program(data, out, tmp_path) as driver:
            while num_rows(out) < goal and driver.poll() is None:
                time.sleep(0.01)
            time.sleep(moments.uniform(0, 0.8))
            driver.kill()
    with run_program(data, out, tmp_path) as driver:
        assert driver.wait() == 0
    assert (out / PREDICTIONS).read_bytes() == undisturbed


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_ctrl_c_says_how_to_go_on(executor: str, data: Path, undisturbed: bytes, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with run_program(data, out, tmp_path, "--executor", executor) as driver:
        while num_rows(out) < 4:
            assert driver.poll() is None
            time.sleep(0.01)
        driver.send_signal(signal.SIGINT)
        _, said = driver.communicate()
    assert driver.returncode == 130
    last = said.splitlines()[-1]
    assert re.fullmatch(
        rf"stopped: \d+ of 40 rows are in \S+; to go on: moonhand generated .*--executor {executor}", last
    )
    with run_program(data, out, tmp_path, "--executor", executor) as driver:
        assert driver.wait() == 0
    assert (out / PREDICTIONS).read_bytes() == undisturbed


@pytest.mark.parametrize("presses", [2, 3])
def test_ctrl_c_again_and_again_ends_a_run_and_its_workers_in_one_line(
    presses: int, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-m", "moonhand.tasks", "eval", "run", "generated", "--data", str(data), "--json"]
    command += ["--out", str(out), "--executor", "processes", "--workers", "2"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as driver:
        while num_rows(out) < 2:
            assert driver.poll() is None
            time.sleep(0.01)
        for _ in range(presses):
            os.killpg(driver.pid, signal.SIGINT)  # as a terminal does: to all that have no session of their own
            time.sleep(0.1)
        told, said = driver.communicate(timeout=60)
    assert driver.returncode == 130
    assert json.loads(told)["stopped"]
    assert re.fullmatch(r"stopped: \d+ of 40 rows are in .*\n", said)


def run_program(data: Path, out: Path, place: Path, *more: str) -> subprocess.Popen[str]:
    program = place / "run.py"
    program.write_text(PROGRAM)
    command = [sys.executable, str(program), "generated", "--data", str(data), "--out", str(out), *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def num_rows(out: Path) -> int:
    file = out / PREDICTIONS
    return file.read_bytes().count(b"\n") if file.exists() else 0
