"""Who is asked: the one interface between an evaluation and a model, wherever it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ...envs import Size
from .prediction import Prediction
from .sample import GroundingSample


@dataclass(frozen=True)
class Asked:
    """A reply, and the seconds that the model took for it: without reading the picture, without waiting for a turn."""

    prediction: Prediction
    model_s: float


class TookTooLong(Exception):
    """No reply came within the time that whoever was asked is given."""


class NobodyAnswers(Exception):
    """No other sample would get a reply either: the run is to end with `error`."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Asker(Protocol):
    """Answers samples, in the process that opened it; from one thread, unless its source says `in_flight` more."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What of the manifest's `model` and `versions` it knows better than who wrote the manifest: a worker that
        differs is refused."""
        ...

    def ask(self, sample: GroundingSample) -> Asked:
        """A reply without a place is a prediction with `failure` WRONG_FORMAT.

        TookTooLong, NobodyAnswers; whatever else is raised is a crash.
        """
        ...

    def close(self) -> None: ...


class AskerSource(Protocol):
    """How to open an asker. It is pickled and sent to every worker, so it holds settings and no model."""

    @property
    def in_flight(self) -> int | None:
        """How many threads may ask one asker at once; None: one, which is a model of this machine."""
        ...

    @property
    def threads(self) -> int:
        """Of the arithmetic of one asker: another number sums in another order, and gives other last digits."""
        ...

    def manifest(self) -> Mapping[str, Any]:
        """What decides the replies, as JSON: `model`, `prompt`, `decoding`, `zoom`, `versions`."""
        ...

    def image_tokens(self, size: Size) -> int:
        """About how much work a picture of this size is; from its size alone, nothing is decoded."""
        ...

    def open(self, slot: int) -> Asker:
        """Load the model. `slot` is the number of the worker, for machines with several devices."""
        ...
