"""Two runs side by side: which of their steps belong together, and how they differ."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from ...agent import Step
from ...envs import Size, action_points, action_to_json
from .told import outcome

NEAR = 0.01  # of a screen's diagonal: points closer together are the same place
PLACES = frozenset({"x_px", "y_px", "path"})


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A step of each run, by its place in the run, or of one alone; `differences` in a word each, none if alike.

    "action", "place", "outcome", "only here", "only there" are about what was done; "before" and "after" are about
    single pixels, which also a clock changes.
    """

    one: int | None
    other: int | None
    differences: tuple[str, ...] = ()


def align(one: Sequence[Step], other: Sequence[Step]) -> tuple[Pair, ...]:
    """By number where both have as many steps, else so that as many as can be do the same."""
    if len(one) == len(other):
        return tuple(Pair(one=at, other=at, differences=differences(one[at], other[at])) for at in range(len(one)))
    deeds = [[(_deed(step), step.instruction) for step in steps] for steps in (one, other)]
    matcher = SequenceMatcher(None, *deeds, autojunk=False)
    pairs: list[Pair] = []
    for kind, i0, i1, j0, j1 in matcher.get_opcodes():
        together = min(i1 - i0, j1 - j0) if kind in ("equal", "replace") else 0
        for at in range(together):
            found = differences(one[i0 + at], other[j0 + at])
            pairs.append(Pair(one=i0 + at, other=j0 + at, differences=found))
        pairs += [Pair(one=at, other=None, differences=("only here",)) for at in range(i0 + together, i1)]
        pairs += [Pair(one=None, other=at, differences=("only there",)) for at in range(j0 + together, j1)]
    return tuple(pairs)


def differences(one: Step, other: Step) -> tuple[str, ...]:
    """What a person would want to know that differs, the gravest first."""
    found: list[str] = []
    if _deed(one) != _deed(other):
        found.append("action")
    elif not _are_near(one, other):
        found.append("place")
    if outcome(one) != outcome(other):
        found.append("outcome")
    if one.before.sha256 != other.before.sha256:
        found.append("before")
    after, other_after = one.after and one.after.sha256, other.after and other.after.sha256
    if after and other_after and after != other_after:
        found.append("after")
    return tuple(found)


def _deed(step: Step) -> Hashable:
    """The action without its places."""
    if step.action is None:
        return None
    return tuple(sorted((name, repr(v)) for name, v in action_to_json(step.action).items() if name not in PLACES))


def _are_near(one: Step, other: Step) -> bool:
    places, others = (_shares(step) for step in (one, other))
    return len(places) == len(others) and all(math.dist(a, b) < NEAR for a, b in zip(places, others, strict=True))


def _shares(step: Step) -> list[tuple[float, float]]:
    """The action's points in units of the screen's diagonal."""
    size: Size = step.before.size
    diagonal_px = math.hypot(size.width_px, size.height_px)
    points = () if step.action is None else action_points(step.action)
    return [(point.x_px / diagonal_px, point.y_px / diagonal_px) for point in points]
