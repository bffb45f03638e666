"""What the person at hand says to a divergence."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import NamedTuple

from ...envs import Env, Frame, Point, describe
from ..trajectory import Step
from .divergence import Divergence, Found
from .ladder import Ladder
from .target import Target

Ask = Callable[[str], str]  # puts a question to the person at hand and brings the answer
MOST_ASKED = 3  # times about one step, where the screen changes while they think


class Answer(NamedTuple):
    found: Found | Divergence
    frame: Frame  # as it is now
    asked_s: float
    is_skipped: bool


class Person:
    """Asked about the screen as it is: where that changed before the answer, they are asked again."""

    def __init__(self, ask: Ask, env: Env, ladder: Ladder) -> None:
        self._ask, self._env, self._ladder = ask, env, ladder

    def ask(self, target: Target, trouble: Divergence, frame: Frame) -> Answer:
        start_s, told = time.monotonic(), ""
        for _ in range(MOST_ASKED):
            known = self._env.surroundings(target.action)
            said = self._ask(
                f"{told}{number(target.step)}: {trouble}. Do it here, at X,Y, skip it, or stop? [here/X,Y/skip/stop]"
            )
            now = self._env.observe()
            found, is_skipped = _as_said(said, target, trouble, now)
            asked_s = time.monotonic() - start_s
            if isinstance(found, Divergence):
                return Answer(found, now, asked_s, is_skipped)
            is_here = found.points == target.points
            if self._ladder.is_still(frame, now, known if is_here else None, target.at(found.points)):
                return Answer(found, now, asked_s, False)
            frame, told = now, "the screen has changed meanwhile; "
        changed = Divergence("changed", f"{target.words} changed again and again while somebody was asked about it")
        return Answer(changed, frame, time.monotonic() - start_s, False)


def number(step: Step) -> str:
    assert step.action is not None
    return f"step {step.index + 1}, {describe(step.action)}"


def _as_said(said: str, target: Target, trouble: Divergence, frame: Frame) -> tuple[Found | Divergence, bool]:
    """What a person's answer makes of a divergence, and whether the step is left out. Anything unclear stops."""
    words = said.strip().lower()
    place = re.fullmatch(r"(\d+(?:\.\d+)?)\s*[, ]\s*(\d+(?:\.\d+)?)", words)
    if words in ("here", "h", "do it", "do it here", "y", "yes"):
        return Found(points=target.points, how="person", kind=trouble.kind, said=f"done here as told: {trouble}"), False
    if place is not None and len(target.points) == 1:
        point = Point(float(place[1]), float(place[2]))
        if frame.size.holds(point):
            return Found(points=(point,), how="person", kind=trouble.kind, said=f"done there as told: {trouble}"), False
    return trouble, words in ("skip", "s", "leave it out")
