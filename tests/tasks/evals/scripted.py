"""A model by table: it answers at once, or slowly, raises, crashes or hangs, as a sample's instruction says.

As a program it runs a suite of such samples, to be killed: scripted.py FOLDER EXECUTOR SAMPLES SLEEP_S [MAX_BYTES]
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moonhand.envs import Point, Size
from moonhand.tasks.evals.asker import Asked
from moonhand.tasks.evals.executors.answered import Executor, Limits
from moonhand.tasks.evals.executors.inline import InlineExecutor
from moonhand.tasks.evals.executors.pool import PoolExecutor
from moonhand.tasks.evals.executors.processes import ProcessForce
from moonhand.tasks.evals.manifest import manifest_of
from moonhand.tasks.evals.prediction import Failure, Prediction
from moonhand.tasks.evals.run_folder import RunFolder
from moonhand.tasks.evals.runner import Ended, checker, run_suite
from moonhand.tasks.evals.sample import BoxAnswer, GroundingSample, Suite

SIZES = (Size(300, 200), Size(800, 600), Size(640, 480))


@dataclass(frozen=True, kw_only=True)
class ScriptedSource:
    """`log` gets a line for every sample that is taken up: its id and the process. Crashes once leave a file there."""

    log: Path | None = None
    sleep_s: float = 0.0
    seed: int = 0
    sick_after: int | None = None  # samples; from then on an asker raises for every other

    @property
    def in_flight(self) -> int | None:
        return None

    @property
    def threads(self) -> int:
        return 1

    def manifest(self) -> Mapping[str, Any]:
        return {"model": {"name": "scripted"}, "decoding": {"seed": self.seed}, "versions": {}}

    def image_tokens(self, size: Size) -> int:
        return size.width_px * size.height_px

    def open(self, slot: int) -> ScriptedAsker:
        return ScriptedAsker(self)


class ScriptedAsker:
    def __init__(self, source: ScriptedSource) -> None:
        self._source = source
        self._num_asked = 0

    @property
    def facts(self) -> Mapping[str, Any]:
        return {"model": {"name": "scripted"}}

    def ask(self, sample: GroundingSample) -> Asked:
        log = self._source.log
        if log is not None:
            with log.open("a") as file:
                file.write(f"{sample.id} {os.getpid()}\n")
        time.sleep(self._source.sleep_s)
        self._num_asked += 1
        if self._source.sick_after is not None and self._num_asked > self._source.sick_after:
            raise RuntimeError("sick")
        match sample.instruction:
            case "raise":
                raise ValueError("it is the second Tuesday")
            case "hang":
                time.sleep(3600)
            case "crash":
                os.kill(os.getpid(), signal.SIGKILL)
            case "crash once" if log is not None:
                marker = log.with_name(f"{sample.id}.crashed")
                if not marker.exists():
                    marker.touch()
                    os.kill(os.getpid(), signal.SIGKILL)
            case _:
                pass
        number = int(sample.id[1:])
        point = Point(number + 1 / 3, 10.0 + (number % 3 == 0) * 100)
        return Asked(Prediction(id=sample.id, raw=f"<{number}>", point=point, confidence=number / 7 % 1), 0.001)

    def close(self) -> None:
        pass


def scripted_suite(num_samples: int, special: Mapping[int, str] | None = None) -> Suite:
    """Samples of three sizes; `special` are the instructions of some of them."""
    samples = tuple(
        GroundingSample(
            id=f"s{number}",
            image=Path(f"{number // 2}.png"),
            size=SIZES[number % 3],
            instruction=(special or {}).get(number, "answer"),
            answer=BoxAnswer(0, 0, 1000, 50),
        )
        for number in range(num_samples)
    )
    return Suite(name="scripted", samples=samples, files={"suite.json": "0" * 64})


class Silent:
    """A `Watch` that shows nothing."""

    def begin(self, done: int, total: int) -> None:
        pass

    def row(self, sample: GroundingSample, prediction: Prediction, *, fresh: bool) -> None:
        pass


def run_scripted(
    folder: Path,
    suite: Suite,
    source: ScriptedSource,
    *,
    executor: str = "inline",
    limits: Limits | None = None,
    stop_after: int | None = None,
    fresh: bool = False,
    again: Collection[Failure] = (),
) -> Ended:
    """A whole run; with `stop_after` it is told to stop once so many samples were taken up."""
    manifest = manifest_of(suite, source)
    check, limits = checker(manifest), limits or Limits()
    chosen: Executor = InlineExecutor(source, limits, check)
    if executor == "processes":
        chosen = PoolExecutor(lambda: ProcessForce(source, 2), limits, check)
    with RunFolder(folder, manifest, fresh=fresh, again=again) as opened:

        def stop() -> bool:
            return stop_after is not None and len(opened.predictions) >= stop_after

        return run_suite(suite, source, chosen, opened, manifest, stop=stop, watch=Silent())


def main() -> None:
    folder, executor, num_samples, sleep_s, *rest = sys.argv[1:]
    if rest:
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(rest[0]), int(rest[0])))
    source = ScriptedSource(log=Path(folder).with_suffix(".log"), sleep_s=float(sleep_s))
    try:
        run_scripted(Path(folder), scripted_suite(int(num_samples)), source, executor=executor)
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
