"""How sure the model was of a place: read off the probabilities of the tokens that spell the coordinates."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Protocol

from .dialects import THINK_CLOSE

_COORDINATE = re.compile(r"(?<![\w.])\d*\.?\d+")


class ScoredToken(Protocol):
    """A generated token: its text and the log-probability it was chosen with."""

    @property
    def text(self) -> str: ...
    @property
    def logprob(self) -> float: ...


def coordinate_confidence(tokens: Sequence[ScoredToken]) -> float | None:
    """The geometric mean of the probabilities of the number tokens after the thought, 0..1; None without a number."""
    text = "".join(token.text for token in tokens)
    closed = text.rfind(THINK_CLOSE)
    start = closed + len(THINK_CLOSE) if closed >= 0 else 0
    spans = [match.span() for match in _COORDINATE.finditer(text, start)]
    logprobs: list[float] = []
    at = 0
    for token in tokens:
        end = at + len(token.text)
        if any(low < end and at < high for low, high in spans):
            logprobs.append(token.logprob)
        at = end
    return math.exp(sum(logprobs) / len(logprobs)) if logprobs else None
