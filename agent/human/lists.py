"""A list of options, open or closed, as one thing that is set to one of them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Protocol

from ...envs import SelectOption
from ...envs.keys import MODIFIERS
from ...envs.raw_events import KeyPressed, Navigated, OptionChosen, PointerDown, PointerUp, RawEvent
from .deeds import Deed

CHOSEN_S = 1.0  # after an option was chosen: what else is heard of its list belongs to that


class Plain(Protocol):
    """Makes actions of events."""

    def feed(self, event: RawEvent) -> list[Deed]: ...
    def finish(self) -> list[Deed]: ...


class ListRun:
    """All that is done to one list of options: one SelectOption, or as it was where nothing was chosen."""

    def __init__(self, event: PointerDown | KeyPressed | OptionChosen, plain: Plain) -> None:
        self._first, self._id = event, event.list_id
        self._plain = plain  # for what is done to it, where nothing is chosen
        self._deeds: list[Deed] = []
        self._chosen: OptionChosen | None = None
        self.began_s, self.due_s = event.at_s, math.inf
        if isinstance(event, OptionChosen):
            self.takes(event)
        elif isinstance(event, PointerDown):
            self._feed(replace(event, list_id=None))
        else:
            self._feed(replace(event, list_id=None))

    def takes(self, event: RawEvent) -> bool:
        """Whether the event belongs to it."""
        if isinstance(event, Navigated) and event.how == "link":
            return True
        if not isinstance(event, PointerDown | PointerUp | KeyPressed | OptionChosen):
            return False
        if event.list_id != self._id or event.view != self._first.view:
            return isinstance(event, KeyPressed) and event.key in MODIFIERS
        if isinstance(event, OptionChosen):
            self._chosen = event
            self.due_s = event.at_s + CHOSEN_S
        elif self._chosen is None:
            self._feed(replace(event, list_id=None))
        elif isinstance(event, PointerDown):  # it is opened again
            return False
        return True

    def close(self) -> list[Deed]:
        chosen = self._chosen
        if chosen is None:
            return [*self._deeds, *self._plain.finish()]
        action = SelectOption(x_px=chosen.x_px, y_px=chosen.y_px, option=chosen.option)
        surroundings = self._first.surroundings or chosen.surroundings
        return [Deed(action=action, began_s=self.began_s, ended_s=chosen.at_s, surroundings=surroundings,
                     view=chosen.view)]  # fmt: skip

    def _feed(self, event: RawEvent) -> None:
        self._deeds += self._plain.feed(event)
