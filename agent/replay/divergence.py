"""What became of a target since it was recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ...envs import Point, Surroundings

Kind = Literal["moved", "changed", "missing", "covered", "slow", "other page"]
"""moved: elsewhere; changed: looks or is named otherwise; missing; covered: something else lies at its place;
slow: it came later than recorded; other page: the address is another one."""

How = Literal["place", "pixels", "hash", "element", "words", "model", "person"]
"""What told that it is the target: where it was, its pixels elsewhere, its perceptual hash, the page's own tree, the
words read off the screen, the model, the person asked. Hash, words and model count only where the tree agrees or, of
words, where nothing else on the screen says the same."""


@dataclass(frozen=True)
class Divergence:
    """Why a step is not performed. `said` tells what was looked for and what is there."""

    kind: Kind
    said: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.said}"


@dataclass(frozen=True, kw_only=True)
class Found:
    """The target of a step. `kind` is None where it is just as it was recorded."""

    points: tuple[Point, ...]  # of the action, in px of the live frame; empty for what has no place
    how: How = "place"
    kind: Kind | None = None
    said: str = ""  # what is to be told of it
    surroundings: Surroundings | None = None  # as it is now
