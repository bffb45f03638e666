"""How a recording is done again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

Mode = Literal["exact", "anchored", "reground"]


@dataclass(frozen=True, kw_only=True)
class ReplayConfig:
    """How a recording is done again.

    exact: each target must be where it was and look as it did. anchored: it is waited for and followed where it moved.
    reground: where that fails, a model is asked for it.
    """

    mode: Mode = "anchored"
    speed: float | None = None  # of the recorded pace; None: exact keeps the pace, the others do not wait
    wait_s: float = 5.0  # the longest wait for a target that is not there yet; exact never waits
    heal_after_s: float = 1.0  # how long its own pixels are waited for before the page's tree and its words count
    reads: bool = True  # words off the screen, where the package rapidocr is installed
    values: Mapping[str, str] = field(default_factory=dict[str, str])  # of variables, by name
    pages: Mapping[str, str] = field(default_factory=dict[str, str])  # recorded origin or page -> where it is now

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise ValueError(f"mode is one of {', '.join(get_args(Mode))}, got {self.mode!r}")
        if self.wait_s < 0 or self.heal_after_s < 0 or (self.speed is not None and self.speed <= 0):
            raise ValueError(f"need wait_s and heal_after_s >= 0 and speed > 0, got {self}")
