"""Buttons that are down, and places where the pointer rested."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ...envs import Button, Click, Drag, MouseDown, MouseUp, Move, Point
from ...envs.raw_events import PointerDown, PointerMoved, PointerUp
from .deeds import Deed, Habits
from .runs import deed
from .thinning import thinned

LONGEST_DRAG_S = 60.0  # of the action
THINNING_PX = 2.0
MOST_HOVERS = 3  # kept until the next press: a menu, its submenu, and one more


@dataclass
class _Press:
    down: PointerDown
    path: list[Point] = field(default_factory=list[Point])
    is_split: bool = False  # its beginning has become an action of its own

    @property
    def start(self) -> Point:
        return Point(self.down.x_px, self.down.y_px)

    def reach_px(self) -> float:
        """How far from its start it came."""
        return max((math.dist(_xy(self.start), _xy(point)) for point in self.path), default=0.0)


class Presses:
    """Buttons that are down. Drags and long presses become actions here; short presses are for whoever counts clicks.

    Where something else is done meanwhile, press and release are actions of their own.
    """

    def __init__(self, habits: Habits) -> None:
        self._habits = habits
        self._presses: dict[Button, _Press] = {}

    @property
    def since_s(self) -> tuple[float, ...]:
        return tuple(press.down.at_s for press in self._presses.values() if not press.is_split)

    def down(self, event: PointerDown) -> list[Deed]:
        lost = self._presses.pop(event.button, None)  # its release was never told
        deeds = [] if lost is None or lost.is_split else [_click(lost.down)]
        deeds += self.split()
        self._presses[event.button] = _Press(event)
        return deeds

    def move(self, event: PointerMoved) -> None:
        for press in self._presses.values():
            press.path.append(Point(event.x_px, event.y_px))

    def split(self) -> list[Deed]:
        """Something else is done while they are down."""
        deeds: list[Deed] = []
        for press in self._presses.values():
            if not press.is_split:
                press.is_split = True
                down = press.down
                deeds.append(deed(MouseDown(x_px=down.x_px, y_px=down.y_px, button=down.button), down, down.at_s))
        return deeds

    def up(self, event: PointerUp) -> tuple[PointerDown | None, list[Deed]]:
        """The press, where it is a short one, or what it became; nothing for one that was never told."""
        press = self._presses.pop(event.button, None)
        if press is None:
            return None, []
        down, end = press.down, Point(event.x_px, event.y_px)
        press.path.append(end)
        release = MouseUp(x_px=end.x_px, y_px=end.y_px, button=event.button)
        if press.is_split:
            return down, [deed(release, down, event.at_s, began_s=event.at_s)]
        held_s = event.at_s - down.at_s
        if press.reach_px() > self._habits.slop_px:
            path = thinned((press.start, *press.path), THINNING_PX)
            if len(path) == 1:
                path = (press.start, end)
            drag = Drag(
                path=path,
                button=down.button,
                modifiers=down.modifiers,
                duration_s=round(min(held_s, LONGEST_DRAG_S), 3),
            )
            return down, [deed(drag, down, event.at_s)]
        if held_s >= self._habits.long_press_s and not down.modifiers:
            hold = MouseDown(x_px=down.x_px, y_px=down.y_px, button=down.button)
            return down, [deed(hold, down, down.at_s), deed(release, down, event.at_s, began_s=event.at_s)]
        return down, []

    def finish(self) -> list[Deed]:
        """Presses whose release was never told, as when they closed what was recorded: clicks."""
        presses, self._presses = self._presses, {}
        return [_click(press.down) for press in presses.values() if not press.is_split]


@dataclass
class _Rest:
    event: PointerMoved
    has_changed: bool = False  # the screen, meanwhile
    is_spoiled: bool = False  # something else was done there


class Hovers:
    """Places where the pointer rested without a press, and the screen changed: some menus open at that."""

    def __init__(self, habits: Habits) -> None:
        self._habits = habits
        self._rest: _Rest | None = None
        self._found: list[Deed] = []  # since the last press

    @property
    def since_s(self) -> tuple[float, ...]:
        rest = () if self._rest is None else (self._rest.event.at_s,)
        return (*rest, *(found.began_s for found in self._found))

    def move(self, event: PointerMoved, *, is_pressed: bool) -> None:
        rest = self._rest
        if rest is not None and rest.event.view == event.view and _away_px(rest.event, event) <= self._habits.slop_px:
            return
        self._leave(event.at_s)
        self._rest = None if is_pressed else _Rest(event)

    def screen_changed(self, at_s: float) -> None:
        if self._rest is not None and at_s >= self._rest.event.at_s:
            self._rest.has_changed = True

    def spoil(self) -> None:
        """Something else is done than to hover."""
        if self._rest is not None:
            self._rest.is_spoiled = True

    def before(self, event: PointerDown) -> list[Deed]:
        """What was hovered over on the way to a press."""
        if self._rest is not None and _away_px(self._rest.event, event) > self._habits.slop_px:
            self._leave(event.at_s)
        found, self._found = self._found[-MOST_HOVERS:], []
        return [each for each in found if each.view == event.view]

    def _leave(self, at_s: float) -> None:
        rest, self._rest = self._rest, None
        if rest is None or rest.is_spoiled or not rest.has_changed:
            return
        if at_s - rest.event.at_s >= self._habits.hover_s:
            place = rest.event
            self._found.append(deed(Move(x_px=place.x_px, y_px=place.y_px), place, at_s))


def _click(down: PointerDown) -> Deed:
    click = Click(x_px=down.x_px, y_px=down.y_px, button=down.button, modifiers=down.modifiers)
    return deed(click, down, down.at_s)


def _away_px(one: PointerMoved, other: PointerMoved | PointerDown) -> float:
    return math.hypot(one.x_px - other.x_px, one.y_px - other.y_px)


def _xy(point: Point) -> tuple[float, float]:
    return point.x_px, point.y_px
