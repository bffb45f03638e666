"""The ways in which published suites write a box, and which of them a file is written in.

Each is four numbers, and nothing in a file says which: taken for another, a file gives no error but a wrong score.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ....envs import Size

Four = tuple[float, float, float, float]

SLACK_PX: Final = 2.0  # how far past the picture's edge a box may reach: one of ScreenSpot-V2 does by 1 px
SLACK_01: Final = 0.01  # and in shares of the picture
SLIPS: Final = 0.02  # the share of rows that may contradict a file's convention: those are reported one by one
MOST_BROKEN: Final = 0.25  # a convention is out where more than this share of the rows contradict it


class Convention(StrEnum):
    """How a box is written. The last is recognised in no file: somebody has to say so."""

    XYWH_PX = "xywh_px"
    XYXY_PX = "xyxy_px"
    XYXY_01 = "xyxy_01"
    XYWH_01 = "xywh_01"

    @property
    def in_words(self) -> str:
        return {
            Convention.XYWH_PX: "left, top, width, height in px",
            Convention.XYXY_PX: "left, top, right, bottom in px",
            Convention.XYXY_01: "left, top, right, bottom in shares of the picture, 0 to 1",
            Convention.XYWH_01: "left, top, width, height in shares of the picture, 0 to 1",
        }[self]

    @property
    def is_shares(self) -> bool:
        return self in (Convention.XYXY_01, Convention.XYWH_01)

    def corners_px(self, numbers: Four, size: Size | None) -> Four:
        """Left, top, right and bottom in px, in whatever order they stand. ValueError for shares of no known size."""
        a, b, c, d = numbers
        if self in (Convention.XYWH_PX, Convention.XYWH_01):
            c, d = a + c, b + d
        if not self.is_shares:
            return a, b, c, d
        if size is None:
            raise ValueError("shares of a picture of unknown size")
        return a * size.width_px, b * size.height_px, c * size.width_px, d * size.height_px


RECOGNISED: Final = (Convention.XYWH_PX, Convention.XYXY_PX, Convention.XYXY_01)


@dataclass(frozen=True)
class Recognised:
    """What the boxes of a file are: `conventions` has one member where that is certain.

    `rows` are how many boxes were looked at, `against` how many of them contradict each convention.
    """

    conventions: tuple[Convention, ...]
    rows: int
    against: dict[Convention, int]

    @property
    def in_words(self) -> str:
        if len(self.conventions) == 1:
            (convention,) = self.conventions
            slips = self.against[convention]
            but = f", which {slips} contradict" if slips else ""
            others = ", ".join(f"{other.value} by {self.against[other]}" for other in RECOGNISED if other != convention)
            return (
                f"{convention.value} ({convention.in_words}), recognised over {self.rows} boxes{but}; "
                f"contradicted are {others}"
            )
        return ", ".join(f"{one.value} is contradicted by {self.against[one]} of {self.rows}" for one in RECOGNISED)


def recognise(boxes: Sequence[tuple[Four, Size | None]]) -> Recognised:
    """Which conventions the boxes of a file, each with its picture's size where that is known, can be written in.

    Those that at most a share of MOST_BROKEN contradict: a few broken rows rule nothing out. One alone is certain where
    at most a share of SLIPS contradict it, and those boxes are broken themselves; else there is none.
    """
    finite = [(box, size) for box, size in boxes if all(map(math.isfinite, box))]
    rows = len(finite)
    against = {one: sum(contradicts(box, size) for box, size in finite) for one, contradicts in CONTRADICTS.items()}
    if not rows:
        return Recognised((), 0, against)
    if not against[Convention.XYXY_01]:  # a whole file of boxes smaller than a pixel has never been seen
        return Recognised((Convention.XYXY_01,), rows, against)
    able = tuple(one for one, count in against.items() if count <= MOST_BROKEN * rows)
    if len(able) == 1 and against[able[0]] > SLIPS * rows:
        able = ()
    return Recognised(able, rows, against)


def _no_xywh_px(box: Four, size: Size | None) -> bool:
    a, b, c, d = box
    return _no_size(c, d) or _beyond(a, b, a + c, b + d, size) or _tiny(box)


def _no_xyxy_px(box: Four, size: Size | None) -> bool:
    a, b, c, d = box
    return _no_size(c - a, d - b) or _beyond(a, b, c, d, size) or _tiny(box)


def _no_xyxy_01(box: Four, size: Size | None) -> bool:
    a, b, c, d = box
    return _no_size(c - a, d - b) or not all(-SLACK_01 <= number <= 1 + SLACK_01 for number in box)


def _no_size(width: float, height: float) -> bool:
    return width < 0 or height < 0


def _tiny(box: Four) -> bool:
    """Whether all the numbers are shares, and some are not whole: no pixels are that small."""
    return all(0 <= number <= 1 for number in box) and any(number % 1 for number in box)


def _beyond(left: float, top: float, right: float, bottom: float, size: Size | None) -> bool:
    if min(left, top) < -SLACK_PX:
        return True
    return size is not None and (right > size.width_px + SLACK_PX or bottom > size.height_px + SLACK_PX)


CONTRADICTS: Final[dict[Convention, Callable[[Four, Size | None], bool]]] = {
    Convention.XYWH_PX: _no_xywh_px,
    Convention.XYXY_PX: _no_xyxy_px,
    Convention.XYXY_01: _no_xyxy_01,
}
