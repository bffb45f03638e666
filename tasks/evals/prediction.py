"""What a model said to one sample, as it stands in a file of predictions, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ...envs import Point


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """One reply. At most one of `point`, `refused` and `error` says what came of it.

    `error` is set where there is no reply, or none that could be read: see `Failure`.
    """

    id: str  # of the sample
    raw: str = ""  # the reply as it came
    point: Point | None = None  # in px of the screenshot, never rounded
    refused: bool = False
    failure: Failure | None = None
    error: str | None = None  # in words, where there is a failure
    confidence: float | None = None
    prompt_tokens: int | None = None
    generated_tokens: int | None = None


class Failure(StrEnum):
    """Why a sample has neither a point nor a refusal."""

    WRONG_FORMAT = "wrong_format"  # there is a reply, and no place in it
    TIMED_OUT = "timed_out"
    CRASHED = "crashed"  # whoever was asked raised, or died, as often as it was tried again
    MISSING = "missing"  # the file of predictions has no such row
    SKIPPED = "skipped"  # the row of the suite is broken


class Outcome(StrEnum):
    """What became of a sample. `Verdict.correct` says whether that was right: of these HIT and REFUSED can be."""

    HIT = "hit"
    WRONG = "wrong"  # a point on the screenshot, off the answer
    OFF_SCREEN = "off_screen"
    REFUSED = "refused"
    WRONG_FORMAT = "wrong_format"
    TIMED_OUT = "timed_out"
    CRASHED = "crashed"
    MISSING = "missing"
    SKIPPED = "skipped"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of one sample. `distance_px` is from the point to the answer's nearest edge, 0 inside."""

    id: str
    outcome: Outcome
    correct: bool
    distance_px: float | None = None
