"""What several events make together: clicks, typed text, keys, turns of the wheel. Each is open until it is closed."""

from __future__ import annotations

import math
from typing import Literal, Protocol

from ...envs import Action, Click, KeyDown, KeyUp, Modifier, PressKeys, Scroll, TypeText
from ...envs.raw_events import KeyPressed, PointerDown, RawEvent, WheelTurned
from .deeds import Deed, Habits

MOST_REPEATS = 100  # of one PressKeys


class Run(Protocol):
    """From `began_s` on; it is closed at `due_s` at the latest, or (infinity) when something else comes."""

    began_s: float
    due_s: float

    def close(self) -> list[Deed]: ...


class Clicks:
    """One to three clicks of a button at one place."""

    def __init__(self, down: PointerDown, ended_s: float, habits: Habits) -> None:
        self._down, self._latest, self._habits = down, down, habits
        self._count, self._ended_s = 1, ended_s
        self.began_s = down.at_s
        self.due_s = down.at_s + habits.double_s

    def goes_on(self, down: PointerDown) -> bool:
        """Whether this press belongs to it, which then stays open until its release."""
        away_px = math.hypot(down.x_px - self._down.x_px, down.y_px - self._down.y_px)
        belongs = (
            (down.button, down.modifiers, down.view) == (self._down.button, self._down.modifiers, self._down.view)
            and away_px <= self._habits.slop_px
            and down.at_s - self._latest.at_s <= self._habits.double_s
            and self._count < 3
        )
        if belongs:
            self.due_s = math.inf
        return belongs

    def add(self, down: PointerDown, ended_s: float) -> None:
        self._latest, self._ended_s = down, ended_s
        self._count += 1
        self.due_s = down.at_s + self._habits.double_s

    def close(self) -> list[Deed]:
        first = self._down
        click = Click(
            x_px=first.x_px, y_px=first.y_px, button=first.button, count=self._count, modifiers=first.modifiers
        )
        return [deed(click, first, self._ended_s)]


class Typing:
    """Text that goes into one field; of a secret, only its name."""

    def __init__(
        self, event: RawEvent, habits: Habits, *, via: Literal["auto", "paste"] = "auto", secret: bool = False
    ) -> None:
        self._event, self._habits = event, habits
        self._via: Literal["auto", "paste"] = via
        self._texts: list[str] = []
        self.clear = False
        self.began_s = self._ended_s = event.at_s
        self.is_secret, self.is_pasted = secret, via == "paste"
        self.due_s = math.inf if secret else event.at_s + habits.typing_pause_s

    @property
    def text(self) -> str:
        return "".join(self._texts)

    @property
    def view(self) -> int:
        return self._event.view

    def takes(self, event: RawEvent) -> bool:
        """Whether text of this event goes on with it."""
        return not self.is_secret and not self.is_pasted and event.view == self._event.view

    def add(self, text: str, at_s: float) -> None:
        self._texts.extend(text if self._via == "auto" and not self.is_secret else [text])
        self._touch(at_s)

    def go_on(self, at_s: float) -> None:
        """More of a secret."""
        self._ended_s = at_s

    def erase(self, at_s: float) -> None:
        """Its last character."""
        self._texts.pop()
        self._touch(at_s)

    def submit(self, at_s: float) -> list[Deed]:
        self._touch(at_s)
        return self.close(submit=True)

    def close(self, *, submit: bool = False) -> list[Deed]:
        if not self._texts:
            return []
        action = TypeText(text=self.text, clear=self.clear, submit=submit, via=self._via)
        return [deed(action, self._event, self._ended_s, began_s=self.began_s)]

    def _touch(self, at_s: float) -> None:
        self._ended_s = at_s
        if not self.is_secret:
            self.due_s = at_s + self._habits.typing_pause_s


class Keys:
    """One chord, pressed once or again and again. `waits`: it is kept until it is known what the browser made of it."""

    def __init__(self, event: RawEvent, keys: tuple[str, ...], habits: Habits, *, waits_s: float = 0.0) -> None:
        self._event, self._habits = event, habits
        self.keys = PressKeys(keys=keys).keys
        self._count = 1
        self.began_s = self._ended_s = event.at_s
        self.due_s = event.at_s + max(habits.repeat_gap_s, waits_s)

    def takes(self, event: RawEvent, keys: tuple[str, ...]) -> bool:
        near = event.at_s - self._ended_s <= self._habits.repeat_gap_s
        is_same = PressKeys(keys=keys).keys == self.keys and event.view == self._event.view
        return near and is_same and self._count < MOST_REPEATS

    def add(self, at_s: float) -> None:
        self._count += 1
        self._ended_s, self.due_s = at_s, at_s + self._habits.repeat_gap_s

    def close(self) -> list[Deed]:
        return [deed(PressKeys(keys=self.keys, repeat=self._count), self._event, self._ended_s)]


class Turns:
    """Turns of the wheel in one direction at one place, with the same modifiers held."""

    def __init__(self, event: WheelTurned, habits: Habits) -> None:
        self._event, self._habits = event, habits
        self._dx, self._dy = event.dx, event.dy
        self.began_s = self._ended_s = event.at_s
        self.due_s = event.at_s + habits.scroll_gap_s

    def takes(self, event: WheelTurned) -> bool:
        first = self._event
        return (
            (event.unit, event.modifiers, event.view) == (first.unit, first.modifiers, first.view)
            and event.at_s - self._ended_s <= self._habits.scroll_gap_s
            and math.hypot(event.x_px - first.x_px, event.y_px - first.y_px) <= self._habits.scroll_slop_px
            and event.dx * self._dx >= 0
            and event.dy * self._dy >= 0
            and (bool(event.dx), bool(event.dy)) == (bool(self._dx), bool(self._dy))
        )

    def add(self, event: WheelTurned) -> None:
        self._dx += event.dx
        self._dy += event.dy
        self._ended_s, self.due_s = event.at_s, event.at_s + self._habits.scroll_gap_s

    def close(self) -> list[Deed]:
        first = self._event
        scroll = Scroll(dx=self._dx, dy=self._dy, x_px=first.x_px, y_px=first.y_px, unit=first.unit)
        held = [deed(KeyDown(key=name), first, self.began_s) for name in first.modifiers]
        let_go = [
            deed(KeyUp(key=name), first, self._ended_s, began_s=self._ended_s) for name in reversed(first.modifiers)
        ]
        return [*held, deed(scroll, first, self._ended_s), *let_go]


def chord_of(event: KeyPressed) -> tuple[str, ...]:
    """The keys of a PressKeys; a character that shift alone made stands for itself."""
    modifiers: list[Modifier] = list(event.modifiers)
    if len(event.key) == 1 and event.key != " " and set(modifiers) <= {"shift"}:
        modifiers = []
    return (*(name for name in modifiers if name != event.key), event.key)


def deed(action: Action, event: RawEvent, ended_s: float, *, began_s: float | None = None) -> Deed:
    """What began with an event, or earlier."""
    began_s = event.at_s if began_s is None else began_s
    return Deed(action=action, began_s=began_s, ended_s=ended_s, surroundings=event.surroundings, view=event.view)
