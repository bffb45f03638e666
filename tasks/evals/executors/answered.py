"""What executors are given and what they hand back."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..plan import Chunk
from ..prediction import Failure, Prediction


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


def timed_out(sample_id: str, limits: Limits) -> Prediction:
    error = f"no answer within {limits.timeout_s:g} s"
    return Prediction(id=sample_id, failure=Failure.TIMED_OUT, error=error)


def crashed(sample_id: str, error: str) -> Prediction:
    return Prediction(id=sample_id, failure=Failure.CRASHED, error=error)


def words_of(error: Exception) -> str:
    """The same for every executor."""
    return f"{type(error).__name__}: {error}"
