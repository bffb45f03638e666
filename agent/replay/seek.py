"""A target looked for on a screen that may not show it yet."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from ...envs import Frame, Scroll, Surroundings, action_points
from .divergence import Divergence, Found
from .explain import explain
from .kin import describe_element, page_of, same_page
from .ladder import Ladder
from .target import FOCUSED, Target

EVERY_S = 0.1  # between two looks while something is waited for
MORE_S = 1.0  # beyond the longest wait, for what was found to rest
FREE = frozenset(("wait", "navigate", "back", "forward", "reload", "tab_new", "tab_switch", "tab_close", "dialog"))
"""Kinds that are done wherever the screen is."""


class Sought(NamedTuple):
    found: Found | Divergence
    frame: Frame  # in which it was found, or not
    waited_s: float  # for it to come


@dataclass(frozen=True, eq=False)
class Seeker:
    """`pages` are recorded origins and pages with where they are now."""

    ladder: Ladder
    exact: bool
    wait_s: float
    heal_after_s: float
    pages: Mapping[str, str]

    def seek(self, target: Target, frame: Frame, look: Callable[[], Frame]) -> Sought:
        """The target, or what to call that it is not there. `frame` is how the screen looks now."""
        if target.action.type in FREE:
            return Sought(Found(points=()), frame, 0.0)
        start_s, last, weighed = time.monotonic(), None, ""
        while True:
            waited_s = time.monotonic() - start_s
            found = self._found(target, frame)
            if found is None and not self.exact and waited_s >= self.heal_after_s and weighed != frame.sha256:
                found = self._on_its_page(target, self.ladder.likely(target, frame) if target.points else None)
                weighed = frame.sha256 if found is None else ""
            if found is not None and found.kind is None:
                return Sought(_after(found, waited_s), frame, waited_s)
            if found is not None and last is not None and last.points == found.points:
                return Sought(found, frame, waited_s)  # it rests there
            is_late = self.exact or waited_s >= self.heal_after_s
            if found is None and isinstance(target.action, Scroll) and is_late:
                return self._scrolled(target, frame, waited_s)
            if self.exact or waited_s >= self.wait_s + (0.0 if found is None else MORE_S):
                break
            last = found
            time.sleep(EVERY_S)
            frame = look()
        trouble = self._trouble(target, frame)
        if trouble.kind == "other page" or self.ladder.locate is None or not target.points:
            return Sought(trouble, frame, waited_s)
        told = self.ladder.asked(target, frame)
        if isinstance(told, Found):
            return Sought(told, frame, waited_s)
        return Sought(replace(trouble, said=f"{trouble.said}; {told}"), frame, waited_s)

    def _found(self, target: Target, frame: Frame) -> Found | None:
        """None too on another page."""
        if target.points:
            return self._on_its_page(target, self.ladder.surely(target, frame))
        if target.action.type in FOCUSED:
            found = self.ladder.focused(target, frame)
            return self._on_its_page(target, found if isinstance(found, Found) else None)
        live = self.ladder.env.surroundings(target.action)
        return self._on_its_page(target, Found(points=(), surroundings=live))

    def _on_its_page(self, target: Target, found: Found | None) -> Found | None:
        return found if found is not None and self._is_page(target, found.surroundings) else None

    def _is_page(self, target: Target, live: Surroundings | None) -> bool:
        return same_page(target.step.surroundings, live, self.pages)

    def _scrolled(self, target: Target, frame: Frame, waited_s: float) -> Sought:
        """The wheel does no harm where something else is: what comes next is verified."""
        live = self.ladder.env.surroundings(target.action)
        if not self._is_page(target, live) or not all(map(frame.size.holds, action_points(target.action))):
            return Sought(self._trouble(target, frame), frame, waited_s)
        return Sought(Found(points=target.points, said="what lies there looks otherwise"), frame, waited_s)

    def _trouble(self, target: Target, frame: Frame) -> Divergence:
        live = self.ladder.env.surroundings(target.action)
        if not self._is_page(target, live):
            recorded = target.step.surroundings
            was = page_of((recorded and recorded.url) or "", self.pages)
            return Divergence("other page", f"it was done on {was}, and this is {page_of(live.url or '', {})}")
        if not target.points:
            was, now = describe_element(target.element), describe_element(live.element)
            return Divergence("missing" if live.element is None else "changed", f"{was} had the focus, and now {now}")
        found = self.ladder.surely(target, frame)
        if found is not None and found.kind == "moved":
            return Divergence("moved", f"{target.words} {found.said}")
        return explain(self.ladder, target, frame)


def _after(found: Found, waited_s: float) -> Found:
    """Told as slow where it was waited for."""
    if waited_s < EVERY_S:
        return found
    return replace(found, kind="slow", said=f"came after {waited_s:.1f} s")
