"""What executors are given and what they hand back."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ....envs import EnvError
from ..plan import Chunk
from ..prediction import Failure, Prediction

IN_A_ROW = 8  # samples that crash without a reply between: it is not the samples


class SamplesCrash(EnvError):
    """Sample after sample crashes: whoever is asked is sick."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long a sample may take, and how often it is tried again after it took longer or whoever was asked crashed."""

    timeout_s: float | None = None
    retries: int = 1

    def __post_init__(self) -> None:
        if self.timeout_s is not None and not self.timeout_s > 0:
            raise ValueError(f"timeout_s must be > 0, got {self.timeout_s}")
        if self.retries < 0:
            raise ValueError(f"retries must be >= 0, got {self.retries}")


@dataclass(frozen=True, kw_only=True)
class Answered:
    """A finished row, and how it came about."""

    prediction: Prediction
    model_s: float | None  # None where nobody answered
    wait_s: float | None  # reading the picture, and the way to the worker and back
    attempts: int
    worker: str


class Executor(Protocol):
    """Gives each sample of the chunks one row, in any order."""

    def answers(self, chunks: Sequence[Chunk], stop: Callable[[], bool]) -> Generator[Answered]:
        """Ends early once `stop` says so: what is in flight is finished or dropped. Closing it ends all workers."""
        ...


def unless_all_crash(answers: Iterable[Answered], stop: Callable[[], bool]) -> Generator[Answered]:
    """The same rows; one that says `crashed` waits for a reply after it, or the end of the suite.

    SamplesCrash after IN_A_ROW of them, none of which is handed on; nor are they where the run is stopped.
    """
    held: list[Answered] = []
    for answered in answers:
        if answered.prediction.failure is Failure.CRASHED:
            held.append(answered)
            if len(held) == IN_A_ROW:
                raise SamplesCrash(
                    f"{IN_A_ROW} samples in a row failed: {answered.prediction.error}. Nothing was written for them: "
                    "mend it, and the same command goes on"
                )
        elif answered.prediction.failure is Failure.TIMED_OUT:
            yield answered
        else:
            yield from held
            held.clear()
            yield answered
    if not stop():
        yield from held


def timed_out(sample_id: str, error: str) -> Prediction:
    return Prediction(id=sample_id, failure=Failure.TIMED_OUT, error=error)


def too_late(limits: Limits) -> str:
    return f"no answer within {limits.timeout_s:g} s"


def crashed(sample_id: str, error: str) -> Prediction:
    return Prediction(id=sample_id, failure=Failure.CRASHED, error=error)


def words_of(error: Exception) -> str:
    """The same for every executor."""
    return f"{type(error).__name__}: {error}"
