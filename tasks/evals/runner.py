"""A run from beginning to end: what is not answered is asked, each row written at once, the scores at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ..errors import BadRequest
from .asker import AskerSource
from .executors.answered import Answered, Executor, unless_all_crash
from .manifest import contradictions
from .plan import plan_chunks, still_to_do
from .prediction import Prediction
from .run_folder import TIMINGS, RunFolder
from .sample import GroundingSample, Suite
from .score import Result, score
from .timings import read_timings
from .verdict_files import VERDICTS, write_verdicts

Check = Callable[[Mapping[str, Any]], None]  # raises for a worker whose facts contradict the manifest


class Watch(Protocol):
    """Is told how a run goes."""

    def begin(self, done: int, total: int) -> None: ...
    def row(self, sample: GroundingSample, prediction: Prediction, *, fresh: bool) -> None:
        """`fresh`: answered now, not in an earlier run."""
        ...


@dataclass(frozen=True)
class Ended:
    """A run that is over: with a result where every sample has its row."""

    result: Result | None
    num_done: int
    num_total: int
    num_asked: int  # now, not in an earlier run


def checker(manifest: Mapping[str, Any]) -> Check:
    """BadRequest for a worker that computes with something else than the manifest says."""

    def check(facts: Mapping[str, Any]) -> None:
        if wrong := contradictions(manifest, facts):
            raise BadRequest(
                f"a worker would not answer as the manifest says: {'; '.join(wrong)}. Name --device and --dtype as the "
                "workers have them, and have the same versions, checkpoint and servers everywhere"
            )

    return check


def run_suite(
    suite: Suite,
    source: AskerSource,
    executor: Executor,
    folder: RunFolder,
    manifest: Mapping[str, Any],
    *,
    stop: Callable[[], bool],
    watch: Watch,
) -> Ended:
    """Ask what has no row yet. CannotWrite, WorkersDie, SamplesCrash, and whatever opening the model raises."""
    samples = {sample.id: sample for sample in suite.samples}
    if unknown := [one for one in folder.predictions if one not in samples]:
        raise BadRequest(f"{folder.path} has rows that {suite.name} has not, such as {unknown[0]}: give --fresh")
    watch.begin(len(folder.predictions), len(samples))
    for one, prediction in folder.predictions.items():
        watch.row(samples[one], prediction, fresh=False)
    one_by_one = None if source.in_flight is None else 1  # a server keeps nothing for a thread
    chunks = plan_chunks(suite.samples, source.image_tokens, chunk_samples=one_by_one)
    chunks = still_to_do(chunks, folder.predictions)
    num_asked = 0
    with closing(executor.answers(chunks, stop)) as answers:
        for answered in unless_all_crash(answers, stop):
            folder.append(answered.prediction, timing_of(answered))
            num_asked += 1
            watch.row(samples[answered.prediction.id], answered.prediction, fresh=True)
    result = None
    if len(folder.predictions) == len(samples):
        folder.finish(samples)
        result = score(suite, folder.predictions, read_timings(folder.path / TIMINGS))
        write_verdicts(folder.path / VERDICTS, suite, folder.predictions, result)
        folder.write_result({"manifest": dict(manifest), **result.to_json()})
    return Ended(result, len(folder.predictions), len(samples), num_asked)


def timing_of(answered: Answered) -> dict[str, Any]:
    return {
        "model_s": None if answered.model_s is None else round(answered.model_s, 6),
        "wait_s": None if answered.wait_s is None else round(answered.wait_s, 6),
        "attempts": answered.attempts,
        "worker": answered.worker,
    }


def folder_for(name: str, model: str) -> Path:
    """Where a run goes that nobody gave a place: one folder a suite and model."""
    safe = "".join(char if char.isalnum() or char in "-._" else "-" for char in f"{name}-{model}")
    return Path("runs") / "eval" / safe.strip("-.")
