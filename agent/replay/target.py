"""A recorded step as what is looked for, and an action with other places."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from ...envs import (
    Action,
    Click,
    Drag,
    Element,
    Frame,
    MouseDown,
    MouseUp,
    Move,
    Navigate,
    Point,
    Scroll,
    SelectOption,
    Upload,
    action_points,
    describe,
)
from ..fingerprint import fingerprint
from ..trajectory import Step, StoredFrame
from .alike import Box
from .anchor import Anchor, anchor_of
from .kin import describe_element
from .typed import Typed, put_for

FOCUSED = frozenset(("type", "key", "key_down", "key_up"))  # kinds that act on what has the focus


class Clicked(NamedTuple):
    """Where the last click went, which may have set the focus."""

    point: Point  # in the recording
    dx: int  # from there to where it went now
    dy: int


@dataclass(frozen=True, eq=False)
class Target:
    """What an action of a recording acts on. `action` has the texts of this replay, and the recorded places."""

    step: Step
    action: Action
    typed: tuple[Typed, ...]  # before it, in place of what was recorded
    hidden: tuple[Box, ...]  # of the frame before it: where that shows
    read: Callable[[StoredFrame], Frame]
    clicked: Clicked | None = None  # before it

    @property
    def points(self) -> tuple[Point, ...]:
        return action_points(self.action)

    @property
    def point(self) -> Point:
        """The first; only where there is one."""
        return next(iter(self.points))

    @property
    def element(self) -> Element | None:
        """None also for the mere box of an import, which says nothing of what is in it."""
        element = None if self.step.surroundings is None else self.step.surroundings.element
        return element if element is not None and element.tag else None

    @property
    def end_element(self) -> Element | None:
        """At the last point of a way."""
        return None if self.step.surroundings is None else self.step.surroundings.end

    @cached_property
    def frame(self) -> Frame:
        """As it was before the action. TrajectoryError where its picture is missing."""
        return self.read(self.step.before)

    @cached_property
    def anchor(self) -> Anchor:
        """Of the first point; only where there is one."""
        return anchor_of(self.frame, self.points[0], self.step.fingerprint, self.hidden)

    @cached_property
    def end(self) -> Anchor:
        """Of the last point of a way."""
        point = self.points[-1]
        mark = None if self.end_element is None else fingerprint(self.frame, point, self.end_element)
        return anchor_of(self.frame, point, mark, self.hidden)

    @cached_property
    def put(self) -> Mapping[str, str] | None:
        """The texts that its names hold in place of recorded ones; None: nobody can tell which."""
        if not self.typed or self.element is None:
            return {}
        return put_for(self.element, self.typed, self._shown, self.read)

    @cached_property
    def _shown(self) -> Anchor | None:
        """Its element on the recorded screen; None where it lies outside."""
        if self.points:
            return self.anchor
        element = self.element
        if element is None:
            return None
        middle = Point(element.left_px + element.width_px / 2, element.top_px + element.height_px / 2)
        if not self.frame.size.holds(middle):
            return None
        return anchor_of(self.frame, middle, fingerprint(self.frame, middle, element), self.hidden)

    @property
    def words(self) -> str:
        """What it is, in words."""
        if self.step.instruction:
            return repr(self.step.instruction)
        return describe_element(self.element) if self.element is not None else describe(self.action)

    def at(self, points: Sequence[Point]) -> Action:
        return with_points(self.action, points)

    def moved_by(self, dx: float, dy: float) -> tuple[Point, ...]:
        """Its points, all moved alike."""
        return tuple(Point(point.x_px + dx, point.y_px + dy) for point in self.points)


def with_points(action: Action, points: Sequence[Point]) -> Action:
    """The action with other places, of which it has as many as before."""
    if not points:
        return action
    match action:
        case Drag():
            return action.model_copy(update={"path": tuple(points)})
        case Click() | Move() | MouseDown() | MouseUp() | Scroll() | SelectOption() | Upload():
            return action.model_copy(update={"x_px": points[0].x_px, "y_px": points[0].y_px})
        case _:
            return action


def at_origins(action: Action, moved: Mapping[str, str]) -> Action:
    """A navigation to where the replay takes place, where that is another origin than the recording's."""
    if isinstance(action, Navigate):
        for old, new in moved.items():
            if action.url == old or action.url.startswith((f"{old}/", f"{old}?", f"{old}#")):
                return action.model_copy(update={"url": new + action.url.removeprefix(old)})
    return action
