"""Where the numbers of a sweep's cells stand beside their points, so that none hides another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

RADIUS: Final = 6.0  # of a point, as all sizes here in the plot's own units
AWAY: Final = 8.0  # from the middle of a point to its label
CHAR, HIGH = 7.5, 11.0  # of a label
Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class Spot:
    """A cell's point in the plot, y counted downwards."""

    number: int
    x: float
    y: float
    on_front: bool


@dataclass(frozen=True)
class Label:
    """`x` is the left end of the words, or the right one where `is_left`; `y` their foot."""

    spot: Spot
    x: float
    y: float
    is_left: bool

    @property
    def box(self) -> Box:
        width = CHAR * len(str(self.spot.number))
        left = self.x - width if self.is_left else self.x
        return left, self.y - HIGH, left + width, self.y


def labels(spots: Sequence[Spot]) -> list[Label]:
    """One at each point that has room at one of its four corners, those of the front first; the others have none.

    Nor has a point that another with a label covers.
    """
    points = [(spot.x - RADIUS, spot.y - RADIUS, spot.x + RADIUS, spot.y + RADIUS) for spot in spots]
    found: list[Label] = []
    for spot in sorted(spots, key=lambda each: not each.on_front):
        if any(math.dist((spot.x, spot.y), (other.spot.x, other.spot.y)) < RADIUS for other in found):
            continue
        for is_left, foot in ((False, -AWAY), (True, -AWAY), (False, AWAY + HIGH), (True, AWAY + HIGH)):
            label = Label(spot, spot.x - AWAY if is_left else spot.x + AWAY, spot.y + foot, is_left)
            taken = (*points, *(other.box for other in found))
            if not any(_overlap(label.box, box) for box in taken):
                found.append(label)
                break
    return found


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
