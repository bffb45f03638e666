"""A target looked for on a screen that may not show it yet."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from ...envs import NOTHING_KNOWN, Frame, Scroll, Surroundings, action_points
from .divergence import Divergence, Found
from .explain import explain
from .kin import describe_element, kinship, page_of, same_page, same_query
from .ladder import Ladder
from .target import FOCUSED, Target
from .typed import reads_as

EVERY_S = 0.1  # between two looks while something is waited for
MORE_S = 1.0  # beyond the longest wait, for what was found to rest
FREE = frozenset(("wait", "navigate", "tab_new"))  # kinds that are done wherever the screen is
TURNED = frozenset(("input", "select", "canvas", "iframe", "embed", "object", "video", "audio", "textarea"))
"""Tags of what a wheel may do more to than move it."""


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

    def glance(self, target: Target, frame: Frame) -> Found | None:
        """What a single look tells, without waiting."""
        found = self._found(target, frame)
        if found is None and not self.exact and target.points:
            found = self._on_its_page(target, self.ladder.likely(target, frame))
        return found

    def _found(self, target: Target, frame: Frame) -> Found | None:
        """None too on another page."""
        if target.points:
            return self._on_its_page(target, self.ladder.surely(target, frame))
        if target.action.type in FOCUSED:
            found = self.ladder.focused(target, frame)
            return self._on_its_page(target, found if isinstance(found, Found) else None)
        live = self.ladder.env.surroundings(target.action)
        if target.action.type == "dialog" and not self._is_dialog(target, live, frame):
            return None
        return self._on_its_page(target, Found(points=(), surroundings=live))

    def _is_dialog(self, target: Target, live: Surroundings, frame: Frame) -> bool:
        """Whether the dialog that is open asks what it asked; one of an older recording has to look the same."""
        recorded = None if target.step.surroundings is None else target.step.surroundings.dialog
        if recorded is None:
            return self.ladder.is_same_frame(target, frame)
        return live.dialog is not None and reads_as(recorded, live.dialog, target.typed)

    def _on_its_page(self, target: Target, found: Found | None) -> Found | None:
        if found is None or self._elsewhere(target, found.surroundings) is not None:
            return None
        recorded = target.step.surroundings
        if recorded is None or found.surroundings is None or same_query(recorded.url, found.surroundings.url):
            return found
        return replace(found, said=f"{found.said}{'; ' if found.said else ''}what the address asks for differs")

    def _elsewhere(self, target: Target, live: Surroundings | None) -> Divergence | None:
        """What tells that this is not the page, the window or the dialog that the step was done in."""
        recorded = target.step.surroundings
        if recorded is None:
            return None
        live = live or NOTHING_KNOWN
        if recorded.dialog is not None and (
            live.dialog is None or not reads_as(recorded.dialog, live.dialog, target.typed)
        ):
            now = "none is open" if live.dialog is None else f"this is {live.dialog}"
            return Divergence("missing" if live.dialog is None else "changed", f"it was {recorded.dialog}, and {now}")
        if recorded.dialog is None and recorded.url and live.dialog is not None:
            return Divergence("covered", f"{live.dialog} is open")
        if recorded.url and not live.url:
            return Divergence("missing", "the page does not tell what lies there")
        if not same_page(recorded.url, live.url, self.pages):
            was, now = page_of(recorded.url or "", self.pages), page_of(live.url or "", {})
            return Divergence("other page", f"it was done on {was}, and this is {now}")
        if recorded.tab is not None and not same_page(recorded.tab, live.tab, self.pages):
            now = "it is not there" if live.tab is None else f"it shows {page_of(live.tab, {})}"
            return Divergence("other page", f"the tab showed {page_of(recorded.tab, self.pages)}, and {now}")
        is_named = recorded.title is not None and (not recorded.url or target.action.type == "tab_close")
        if is_named and not self._is_title(target, recorded.title or "", live.title or ""):
            return Divergence("other page", f"it was done in {recorded.title!r}, and this is {live.title!r}")
        return None

    @staticmethod
    def _is_title(target: Target, recorded: str, live: str) -> bool:
        """A title that was there before a text was typed is no matter of that."""
        before = [one.step.surroundings.title for one in target.typed if one.step.surroundings is not None]
        typed = () if recorded in before else target.typed
        return reads_as(recorded, live, typed)

    def _scrolled(self, target: Target, frame: Frame, waited_s: float) -> Sought:
        """The wheel does no harm where something else is, but for a few: what comes next is verified."""
        live, recorded = self.ladder.env.surroundings(target.action), target.element
        if self._elsewhere(target, live) is not None or not all(map(frame.size.holds, action_points(target.action))):
            return Sought(self._trouble(target, frame), frame, waited_s)
        is_told = recorded is None or live.element is not None
        is_turned = live.element is not None and (
            live.element.tag in TURNED or live.element.role in ("slider", "spinbutton")
        )
        if not is_told or (is_turned and kinship(recorded, live.element, {}) != "same"):
            return Sought(self._trouble(target, frame), frame, waited_s)
        found = Found(points=target.points, surroundings=live, said="what lies there looks otherwise")
        return Sought(self._on_its_page(target, found) or found, frame, waited_s)

    def _trouble(self, target: Target, frame: Frame) -> Divergence:
        live = self.ladder.env.surroundings(target.action)
        elsewhere = self._elsewhere(target, live)
        if elsewhere is not None:
            return elsewhere
        if target.action.type == "dialog":
            return Divergence(
                "missing" if live.dialog is None else "changed", "nothing tells that it is the same dialog"
            )
        if not target.points and target.element is None and live.element is None:
            return Divergence("changed", "nothing tells what had the focus, and the screen looks otherwise")
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
