"""When the next step of a replay begins."""

from __future__ import annotations

import time

from ..trajectory import Step
from .config import ReplayConfig


class Pace:
    """That of the recording, at the wanted speed; none where no speed is wanted, but in exact."""

    def __init__(self, config: ReplayConfig) -> None:
        self._speed = config.speed or (1.0 if config.mode == "exact" else None)
        self._last: tuple[float, float] | None = None  # when the last step began: then, and now

    def keep(self, step: Step) -> None:
        """Wait until as much time has passed since the last step as in the recording."""
        if self._speed is None:
            return
        then_s = step.started_mono_s or step.started_at_s
        if self._last is not None:
            wait_s = (then_s - self._last[0]) / self._speed - (time.monotonic() - self._last[1])
            time.sleep(max(wait_s, 0.0))
        self._last = (then_s, time.monotonic())
