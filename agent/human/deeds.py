"""An action as a person did it, and what counts as one."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...envs import Action
from ...envs.surroundings import Surroundings


@dataclass(frozen=True, kw_only=True)
class Deed:
    """One action, from the event it began with to the one it ended with: times of `time.monotonic()`.

    `surroundings` are those of its beginning, as far as the screen told.
    """

    action: Action
    began_s: float
    ended_s: float
    surroundings: Surroundings | None = None
    view: int = 0


@dataclass(frozen=True, kw_only=True)
class Habits:
    """What of a person's hands belongs together."""

    slop_px: float = 4.0  # a pointer that moved no further while pressed did not drag
    double_s: float = 0.5  # between the presses of a double click
    long_press_s: float = 0.6  # held so long, a press and its release are two actions: some menus open at that
    typing_pause_s: float = 3.0  # text typed after a longer pause is another action
    repeat_gap_s: float = 0.6  # between presses of the same key that count as one action
    scroll_gap_s: float = 0.5  # between turns of the wheel that do
    scroll_slop_px: float = 40.0  # how far the pointer may stray meanwhile
    hover_s: float = 0.3  # a pointer that rested so long, and changed the screen by that, hovered
    caused_s: float = 1.5  # a page that comes so soon after an act comes of it

    def __post_init__(self) -> None:
        if not all(math.isfinite(value) and value >= 0 for value in vars(self).values()):
            raise ValueError(f"habits are finite and >= 0, got {self}")
