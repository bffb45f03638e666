"""When has a screen stopped changing?"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .change import Tiles, changed_tiles, regions_of, spread
from .env import Pixels
from .geometry import Region

STILL_S = 0.5  # a screen that somebody waits for is still once nothing has changed for so long
EVERY_S = 0.016  # between two looks
GAP_S = 0.2  # a place that moves changes at least so often
ENDLESS_S = 1.0  # a place that has moved for so long never stops; animations that end are shorter
PATIENT_S = 3.0  # the same where somebody asked to wait: what spins may well tell that the work goes on


class Settled(NamedTuple):
    """Whether a screen had come to rest when it was left, and what kept it from that."""

    is_still: bool
    waited_for: tuple[str, ...] = ()  # "navigation", "loading", "requests", "timers", "animations", "changes"
    num_moving: int = 0  # places that never stop (a caret, a spinner, a video), which were not waited for
    moving: tuple[Region, ...] = ()  # those of them that moved before the action, in px


def find_moving(
    grab: Callable[[], Pixels], seen_HW3: Pixels | None, *, pause: Callable[[float], object] = time.sleep
) -> Tiles | None:
    """What moves by itself, to be asked before an action; None where nothing does.

    One look is enough where the screen still is as it was `seen`; else there is another one EVERY_S later.
    """
    first_HW3 = grab()
    since_seen = None if seen_HW3 is None else changed_tiles(seen_HW3, first_HW3)
    if seen_HW3 is not None and since_seen is None:
        return None
    pause(EVERY_S)
    moving = changed_tiles(first_HW3, grab())
    if moving is None:
        return None
    if since_seen is not None and since_seen.shape == moving.shape:
        moving |= since_seen & spread(moving)  # a wheel may have left a place alone just now
    return spread(moving)


def settle_pixels(
    grab: Callable[[], Pixels],
    moving: Tiles | None = None,
    *,
    quiet_s: float,
    limit_s: float,
    endless_s: float = ENDLESS_S,
    pause: Callable[[float], object] = time.sleep,
) -> tuple[Settled, Pixels]:
    """Grab until nothing has changed for `quiet_s`, or for `limit_s` in all; and the last look.

    What was `moving` before the action, what has moved for `endless_s` and a text caret are not waited for. A screen
    that was never seen to move is still, even where the limit comes before the quiet time. Pixels cannot tell a screen
    at rest from one that will change after a pause (a timer, an answer from the network) longer than `quiet_s`.
    """
    watch = PixelWatch(grab, moving, endless_s=endless_s)
    while watch.quiet_s < quiet_s and watch.age_s < limit_s:
        pause(min(EVERY_S, watch.left_s(quiet_s)))
        watch.look()
    return watch.settled(watch.quiet_s >= quiet_s or not watch.has_moved), watch.pixels_HW3


def wait_until_changed(
    grab: Callable[[], Pixels],
    before_HW3: Pixels,
    *,
    limit_s: float,
    pause: Callable[[float], object] = time.sleep,
) -> bool:
    """Grab until the screen differs from `before` by more than a caret, or for `limit_s`; whether it came to differ."""
    deadline_s = time.perf_counter() + limit_s
    while changed_tiles(before_HW3, grab()) is None:
        if time.perf_counter() >= deadline_s:
            return False
        pause(EVERY_S)
    return True


class PixelWatch:
    """A screen that is looked at again and again: what it shows, and for how long it has been still.

    What was `moving` before, what has moved for `endless_s` and a text caret do not count as a change.
    """

    def __init__(
        self, grab: Callable[[], Pixels], moving: Tiles | None = None, *, endless_s: float = ENDLESS_S
    ) -> None:
        self._grab, self._moving, self._motion = grab, moving, _Motion(moving, endless_s)
        self._start_s = self._still_since_s = self._looked_s = time.perf_counter()
        self.pixels_HW3 = grab()
        self.look_s = time.perf_counter() - self._start_s  # what the last look took

    def look(self) -> None:
        """Look once more."""
        start_s = self._looked_s = time.perf_counter()
        before_HW3, self.pixels_HW3 = self.pixels_HW3, self._grab()
        tiles = changed_tiles(before_HW3, self.pixels_HW3)
        if tiles is not None and self._motion.is_news(tiles, start_s):
            self._still_since_s = start_s
        self.look_s = time.perf_counter() - start_s

    @property
    def age_s(self) -> float:
        """Since the first look."""
        return time.perf_counter() - self._start_s

    @property
    def quiet_s(self) -> float:
        """From the look that saw the last change, at first from the first one, to the last look. The time that a look
        takes does not count: nobody has seen that nothing changed in it.
        """
        return self._looked_s - self._still_since_s

    def left_s(self, quiet_s: float) -> float:
        """Until a look can show that nothing has changed for `quiet_s`; at least 1 ms."""
        return max(0.001, self._still_since_s + quiet_s - time.perf_counter())

    @property
    def has_moved(self) -> bool:
        return self._still_since_s > self._start_s

    def settled(self, is_still: bool) -> Settled:
        """What has been seen so far, in short."""
        before = () if self._moving is None else regions_of(self._moving)
        return Settled(is_still, ("changes",) if self.has_moved else (), self._motion.num_places, before)


class _Motion:
    """Which tiles never stop: those that were `moving` before, and those that have changed for `endless_s`."""

    def __init__(self, moving: Tiles | None, endless_s: float) -> None:
        self._endless = np.zeros((0, 0), np.bool_) if moving is None else moving.copy()
        self._since_s = self._last_s = np.zeros((0, 0))  # of each tile: when it began to move, when it last did
        self._endless_s = endless_s

    @property
    def num_places(self) -> int:
        return len(regions_of(self._endless))

    def is_news(self, tiles: Tiles, now_s: float) -> bool:
        """Whether one of these tiles, which have just changed, is another one."""
        if self._endless.shape != tiles.shape:
            self._endless = np.zeros_like(tiles)
        if self._since_s.shape != tiles.shape:
            self._since_s, self._last_s = np.zeros(tiles.shape), np.zeros(tiles.shape)
        self._since_s[tiles & (now_s - self._last_s > GAP_S)] = now_s
        self._last_s[tiles] = now_s
        if (endless := tiles & (now_s - self._since_s >= self._endless_s)).any():
            self._endless |= spread(endless)
        return bool((tiles & ~self._endless).any())
