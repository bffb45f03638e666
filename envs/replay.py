"""A recorded run as an environment: for tests and for looking at a run again without a screen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from .actions import UNTOUCHING, Action, Finish, Refuse
from .change import where_changed
from .env import Effect, Frame, check_on_screen, nothing_to_do, require_kind
from .errors import EnvError, UnsupportedAction
from .risk import Risk, risks_of
from .surroundings import NOTHING_KNOWN, Surroundings
from .wording import action_points, describe


class ReplayEnv:
    """Shows recorded frames and takes no other actions than the recorded ones, in their order.

    Frame `i` is what was seen before action `i`; one more frame may show the end. Finish and Refuse may only come last
    in `actions` (ValueError). They and whatever else touches nothing are not among the actions to be taken.
    """

    def __init__(self, frames: Iterable[Frame], actions: Iterable[Action]) -> None:
        shown, recorded = list(frames), list(actions)
        while recorded and isinstance(recorded[-1], Finish | Refuse):
            recorded.pop()
        if any(isinstance(action, Finish | Refuse) for action in recorded):
            raise ValueError("finish and refuse end a recording; found one before the last action")
        if len(shown) not in (len(recorded), len(recorded) + 1) or not shown:
            raise ValueError(
                f"{len(recorded)} actions need {len(recorded) + 1} frames (the last may be missing), got {len(shown)}"
            )
        for number in reversed(range(len(recorded))):
            if recorded[number].type in UNTOUCHING:
                del recorded[number]
                if number + 1 < len(shown):
                    del shown[number]
        self._frames, self._actions = tuple(shown), tuple(recorded)
        self._done = 0
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of the recorded actions."""
        return frozenset(action.type for action in self._actions)

    def observe(self) -> Frame:
        """The frame recorded before the next action."""
        self._check_open()
        return self._frames[min(self._done, len(self._frames) - 1)]

    def perform(self, action: Action) -> Effect:
        """Go on to the next frame; UnsupportedAction for another action than the recorded one."""
        self._check_open()
        require_kind(action, self.kinds)
        if action.type in UNTOUCHING:
            return nothing_to_do(action)
        before = self.observe()
        check_on_screen(action, before.size)
        if self._done == len(self._actions):
            raise UnsupportedAction(f"{describe(action)}: the recording ends here, after {self._done} actions; finish")
        expected = self._actions[self._done]
        if action != expected:
            raise UnsupportedAction(
                f"{describe(action)}: step {self._done + 1} of the recording is {describe(expected)}; perform that"
            )
        self._done += 1
        change = where_changed(before.pixels_HW3, self.observe().pixels_HW3, action_points(action))
        return Effect(performed=True, detail=describe(action), changed=change != "no_change", change=change)

    def risks(self, action: Action) -> frozenset[Risk]:
        """What a person would want to be asked about before it is performed."""
        return risks_of(action)

    def surroundings(self, action: Action) -> Surroundings:
        """Pictures tell nothing more."""
        return NOTHING_KNOWN

    def close(self) -> None:
        self._is_closed = True

    def _check_open(self) -> None:
        if self._is_closed:
            raise EnvError("this ReplayEnv is closed; make a new one")
