"""A screen that is looked at and never touched."""

from __future__ import annotations

from .actions import UNTOUCHING, Action
from .env import Effect, Env, Frame, check_on_screen, nothing_to_do, require_kind
from .geometry import Point
from .risk import Risk
from .shown_text import ReadableScreen, ShownText
from .surroundings import Surroundings
from .wording import describe


class DryRunEnv:
    """Shows what another environment shows and performs nothing: the effect of an action is what it would have been.

    It refuses what the other would refuse by kind and place alone. `close` closes the other.
    """

    def __init__(self, env: Env) -> None:
        self._env = env
        self._last: Frame | None = None

    @property
    def kinds(self) -> frozenset[str]:
        return self._env.kinds

    def observe(self) -> Frame:
        self._last = self._env.observe()
        return self._last

    def perform(self, action: Action) -> Effect:
        """Touch nothing. Whether it would have changed anything nobody knows: `changed` is None."""
        require_kind(action, self.kinds)
        if action.type in UNTOUCHING:
            return nothing_to_do(action)
        check_on_screen(action, (self._last or self.observe()).size)
        return Effect(performed=False, detail=f"dry run: {describe(action)}", changed=None)

    def risks(self, action: Action) -> frozenset[Risk]:
        return self._env.risks(action)

    def surroundings(self, action: Action) -> Surroundings:
        return self._env.surroundings(action)

    @property
    def tells_text(self) -> bool:
        return isinstance(self._env, ReadableScreen) and self._env.tells_text

    def shown_text(self) -> ShownText | None:
        return self._env.shown_text() if isinstance(self._env, ReadableScreen) else None

    def value_at(self, point: Point) -> str | None:
        return self._env.value_at(point) if isinstance(self._env, ReadableScreen) else None

    def close(self) -> None:
        self._env.close()
