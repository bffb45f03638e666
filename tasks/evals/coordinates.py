"""What the numbers of a file of predictions count: px of the screenshot, shares of it, or thousandths.

No scorer can do without knowing, and several guess point by point (above 1 is px): the point (1, 1) then changes its
place with the model. Here a whole file counts alike, and where its numbers leave two readings nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from ...envs import Point, Size
from ..errors import BadRequest

UNSEEN = 0.25  # of the points, and at least 3, off their screenshots: these are no px; a poor model misses some


class Space(StrEnum):
    """As in `--coordinates`."""

    PX = "px"
    UNIT = "unit"  # 0..1 of width and height
    THOUSAND = "thousand"  # 0..1000 of width and height

    @property
    def words(self) -> str:
        match self:
            case Space.PX:
                return "px of the screenshot"
            case Space.UNIT:
                return "shares of the screenshot, 0..1"
            case Space.THOUSAND:
                return "thousandths of the screenshot, 0..1000"


Placed = tuple[tuple[float, float], Size]  # a point in the file's numbers, and its screenshot


def to_px(x: float, y: float, space: Space, size: Size) -> Point:
    """Not rounded, and not kept on the screenshot. ValueError where that is no finite number."""
    match space:
        case Space.PX:
            return Point(x, y)
        case Space.UNIT:
            return Point(x * size.width_px, y * size.height_px)
        case Space.THOUSAND:
            return Point(x * size.width_px / 1000, y * size.height_px / 1000)


def space_of(placed: Sequence[Placed], said: Space | None, source: str) -> tuple[Space, str]:
    """What the numbers count, and how that is known. BadRequest where they could be two things, or not what was said.

    * Shares where every number lies in 0..1 and not all are whole: as px all would be on the first pixel.
    * px where one is above 1000 and every point is on its screenshot.
    * Thousandths where none is above 1000, and as px at least one point in 4, and 3, would be off its screenshot.
    """
    if said is not None:
        _check(placed, said, source)
        return said, f"coordinates are {said.words}, as was said"
    if not placed:
        return Space.PX, "no row has a point"
    numbers = [number for point, _ in placed for number in point]
    low, high = min(numbers), max(numbers)
    num_off = sum(not (0 <= x <= size.width_px and 0 <= y <= size.height_px) for (x, y), size in placed)
    if low >= 0 and high <= 1 and any(not number.is_integer() for number in numbers):
        return Space.UNIT, f"coordinates are {Space.UNIT.words}: all lie in 0..1"
    if high > 1000 and num_off == 0:
        return Space.PX, f"coordinates are {Space.PX.words}: some are above 1000, and all on their screenshots"
    if low >= 0 and 1 < high <= 1000 and num_off >= max(3, UNSEEN * len(placed)):
        return Space.THOUSAND, (
            f"coordinates are {Space.THOUSAND.words}: none is above 1000, and as px {num_off} of {len(placed)} points "
            "would be off their screenshots"
        )
    raise BadRequest(
        f"{source}: what do the coordinates count? They run from {low:g} to {high:g} ({num_off} of {len(placed)} "
        "points are off their screenshots as px), which leaves more than one reading. Say it: --coordinates px, unit "
        "(0..1) or thousand (0..1000)"
    )


def _check(placed: Sequence[Placed], said: Space, source: str) -> None:
    limit = {Space.UNIT: 1.0, Space.THOUSAND: 1000.0}.get(said)
    if limit is None or not placed:
        return
    beyond = sum(max(map(abs, point)) > 2 * limit for point, _ in placed)
    if beyond > len(placed) / 2:
        raise BadRequest(
            f"{source}: --coordinates {said} are at most {limit:g}, and {beyond} of {len(placed)} points are more than "
            "twice that: is it another?"
        )
