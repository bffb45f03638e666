"""From what hands do to actions: a pure function of the events, which may also be fed one by one as they come."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import assert_never

from ...envs import (
    Action,
    AnswerDialog,
    Back,
    CloseTab,
    Forward,
    Navigate,
    NewTab,
    Reload,
    SwitchTab,
    Upload,
)
from ...envs.keys import MODIFIERS
from ...envs.raw_events import (
    DialogAnswered,
    FilesChosen,
    KeyPressed,
    KeyReleased,
    Navigated,
    OptionChosen,
    PointerDown,
    PointerMoved,
    PointerUp,
    RawEvent,
    ScreenChanged,
    SecretTyped,
    TabClosed,
    TabOpened,
    TabSwitched,
    TextArrived,
    WheelTurned,
)
from ...envs.secrets import placeholder
from .deeds import Deed, Habits
from .lists import ListRun
from .pointer import Hovers, Presses
from .runs import Clicks, Keys, Run, Turns, Typing, chord_of

PASTES = (("ctrl", "v"), ("ctrl", "shift", "v"), ("shift", "insert"), ("meta", "v"))
TO_ADDRESS = (("ctrl", "l"), ("alt", "d"), ("f6",), ("meta", "l"))  # what follows, no page hears
RELOADS = (("f5",), ("ctrl", "r"), ("ctrl", "shift", "r"), ("ctrl", "f5"), ("shift", "f5"), ("meta", "r"))
HISTORY = (("alt", "left"), ("alt", "right"))
RELOAD_S = 2.0  # the longest from the keys to the page that comes of them


def reduced(events: Iterable[RawEvent], habits: Habits | None = None) -> tuple[Deed, ...]:
    """All of the actions, in the order in which they began."""
    reducer = Reducer(habits)
    deeds = [deed for event in events for deed in reducer.feed(event)]
    return (*deeds, *reducer.finish())


class Reducer:
    """Takes events in the order of their times, and gives each action as soon as nothing can change it any more."""

    def __init__(self, habits: Habits | None = None) -> None:
        self._habits = habits or Habits()
        self._run: Run | None = None
        self._presses, self._hovers = Presses(self._habits), Hovers(self._habits)
        self._alone: KeyPressed | None = None  # a modifier that went down, and nothing was done with it yet
        self._acted_s = -math.inf  # when a page was last given a reason to change

    @property
    def open_since_s(self) -> tuple[float, ...]:
        """When each of the actions that are still open began."""
        run = () if self._run is None else (self._run.began_s,)
        alone = () if self._alone is None else (self._alone.at_s,)
        return (*run, *alone, *self._presses.since_s)

    @property
    def may_begin_s(self) -> tuple[float, ...]:
        """When each of those began that may yet turn out to be one."""
        return (*self.open_since_s, *self._hovers.since_s)

    def feed(self, event: RawEvent) -> list[Deed]:
        """The actions that are complete now that this has happened."""
        return [*self.tick(event.at_s), *self._take(event)]

    def tick(self, now_s: float) -> list[Deed]:
        """The actions that are complete now that nothing more has happened until `now_s`."""
        return self._close() if self._run is not None and self._run.due_s < now_s else []

    def finish(self, *, without: tuple[str, ...] = ()) -> list[Deed]:
        """What is left at the end; not the keys `without`, if they were the last, which stopped the recording."""
        if isinstance(self._run, Keys) and self._run.keys == without:
            self._run = None
        return [*self._close(), *self._presses.finish()]

    def _take(self, event: RawEvent) -> list[Deed]:
        if isinstance(event, PointerMoved):
            self._presses.move(event)
            self._hovers.move(event, is_pressed=bool(self._presses.since_s))
            return []
        if isinstance(event, ScreenChanged):
            self._hovers.screen_changed(event.at_s)
            return []
        if isinstance(event, KeyReleased):
            return self._released(event)
        hovered = self._hovers.before(event) if isinstance(event, PointerDown) else []
        if isinstance(event, PointerDown | WheelTurned | KeyPressed | TextArrived | SecretTyped):
            self._hovers.spoil()
        if isinstance(self._run, ListRun) and self._run.takes(event):
            return []
        if hovered or isinstance(self._run, ListRun):
            hovered = [*self._close(), *hovered]
        self._alone = None
        return [*hovered, *self._taken(event)]

    def _taken(self, event: RawEvent) -> list[Deed]:
        match event:
            case PointerDown():
                return self._down(event)
            case PointerUp():
                return self._up(event)
            case WheelTurned():
                if isinstance(self._run, Turns) and self._run.takes(event):
                    self._run.add(event)
                    return []
                return self._begin(Turns(event, self._habits))
            case KeyPressed():
                return self._pressed(event)
            case TextArrived():
                return self._text(event)
            case SecretTyped():
                return self._secret(event)
            case OptionChosen():
                return self._begin(ListRun(event, Reducer(self._habits)))
            case Navigated():
                return self._navigated(event)
            case TabOpened():
                return [] if event.by_page else self._at_once(event, NewTab(url=event.url))
            case TabSwitched():
                return self._at_once(event, SwitchTab(index=event.index))
            case TabClosed():
                is_caused = event.at_s - self._acted_s <= self._habits.caused_s
                return [] if is_caused else self._at_once(event, CloseTab(index=event.index))
            case FilesChosen():
                return self._at_once(event, Upload(paths=event.paths))
            case DialogAnswered():
                return self._at_once(event, AnswerDialog(accept=event.accept, text=event.text))
            case PointerMoved() | KeyReleased() | ScreenChanged():
                return []
            case _:
                assert_never(event)

    def _down(self, event: PointerDown) -> list[Deed]:
        if event.list_id is not None:
            return self._begin(ListRun(event, Reducer(self._habits)))
        goes_on = isinstance(self._run, Clicks) and self._run.goes_on(event)
        closed = [] if goes_on else self._close()
        return [*closed, *self._presses.down(event)]

    def _up(self, event: PointerUp) -> list[Deed]:
        self._acted_s = event.at_s
        down, deeds = self._presses.up(event)
        if deeds or down is None:
            return [*self._close(), *deeds] if deeds else []
        if isinstance(self._run, Clicks) and self._run.due_s == math.inf:
            self._run.add(down, event.at_s)
            return []
        return self._begin(Clicks(down, event.at_s, self._habits))

    def _pressed(self, event: KeyPressed) -> list[Deed]:
        if event.key in MODIFIERS:
            self._alone = event
            return []
        split = self._presses.split()
        run, self._acted_s = self._run, event.at_s
        if event.list_id is not None and event.key != "tab":
            return [*split, *self._begin(ListRun(event, Reducer(self._habits)))]
        if event.text and {"ctrl", "alt", "meta"}.isdisjoint(event.modifiers):
            return [*split, *self._typed(event, event.text)]
        if isinstance(run, Typing) and not event.modifiers and event.view == run.view:
            if event.key == "backspace" and run.text and not run.is_secret and not run.is_pasted:
                run.erase(event.at_s)
                return split
            if event.key == "enter" and run.text:
                self._run = None
                return [*split, *run.submit(event.at_s)]
        keys = chord_of(event)
        if isinstance(run, Keys) and run.takes(event, keys):
            run.add(event.at_s)
            return split
        waits_s = math.inf if keys in TO_ADDRESS else RELOAD_S if keys in (*RELOADS, *HISTORY) else 0.0
        return [*split, *self._begin(Keys(event, keys, self._habits, waits_s=waits_s))]

    def _released(self, event: KeyReleased) -> list[Deed]:
        alone, self._alone = self._alone, None
        if alone is None or alone.key != event.key or (alone.key == "shift" and not alone.modifiers):
            return []
        return self._begin(Keys(alone, chord_of(alone), self._habits))

    def _typed(self, event: KeyPressed | TextArrived, text: str) -> list[Deed]:
        if isinstance(self._run, Typing) and self._run.takes(event):
            self._run.add(text, event.at_s)
            return []
        closed = self._begin(run := Typing(event, self._habits))
        run.add(text, event.at_s)
        return closed

    def _text(self, event: TextArrived) -> list[Deed]:
        self._acted_s = event.at_s
        if event.how == "typed":
            return self._typed(event, event.text)
        run = Typing(event, self._habits, via="paste" if event.how == "pasted" else "auto")
        run.clear = event.how == "replaced"
        if event.how == "pasted":
            self._replace_paste(run)
        closed = self._begin(run)
        run.add(event.text, event.at_s)
        run.is_pasted = True  # nothing is typed on to it
        return closed

    def _secret(self, event: SecretTyped) -> list[Deed]:
        self._acted_s = event.at_s
        text = placeholder(event.name)
        if isinstance(self._run, Typing) and self._run.is_secret and self._run.text == text:
            self._run.go_on(event.at_s)
            return []
        run = Typing(event, self._habits, secret=True)
        run.clear = event.clear
        self._replace_paste(run)
        closed = self._begin(run)
        run.add(text, event.at_s)
        return closed

    def _replace_paste(self, run: Typing) -> None:
        """The keys that pasted are told by what they brought."""
        if isinstance(self._run, Keys) and self._run.keys in PASTES:
            run.began_s = self._run.began_s
            self._run = None

    def _navigated(self, event: Navigated) -> list[Deed]:
        keys = self._run.keys if isinstance(self._run, Keys) else ()
        is_caused = event.at_s - self._acted_s <= self._habits.caused_s
        self._acted_s = -math.inf  # what comes next is not of that act
        match event.how:
            case "link":
                return []
            case "typed":
                if keys in TO_ADDRESS:
                    self._run = None
                return self._at_once(event, Navigate(url=event.url))
            case "reload" | "back" | "forward":
                began_s, is_asked = event.at_s, keys in (RELOADS if event.how == "reload" else HISTORY)
                if is_asked and self._run is not None:
                    began_s, self._run = self._run.began_s, None
                elif is_caused:  # by the page, which was clicked
                    return []
                actions = {"reload": Reload(), "back": Back(), "forward": Forward()}
                deeds = self._at_once(event, actions[event.how], began_s)
                return deeds + deeds[-1:] * (event.steps - 1)
            case _:
                assert_never(event.how)

    def _at_once(self, event: RawEvent, action: Action, began_s: float | None = None) -> list[Deed]:
        began_s = event.at_s if began_s is None else began_s
        this = Deed(action=action, began_s=began_s, ended_s=event.at_s, surroundings=event.surroundings,
                    view=event.view)  # fmt: skip
        return [*self._close(), this]

    def _begin(self, run: Run) -> list[Deed]:
        closed = self._close()
        self._run = run
        return closed

    def _close(self) -> list[Deed]:
        run, self._run = self._run, None
        return [] if run is None else run.close()
