"""Places on a screenshot, in its own pixels: x to the right, y down, (0, 0) at the top left corner."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """A place on a screenshot, in px; fractions are allowed, infinities are not (ValueError)."""

    x_px: float
    y_px: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.x_px) and math.isfinite(self.y_px)):
            raise ValueError(f"a point needs finite coordinates, got ({self.x_px}, {self.y_px})")


@dataclass(frozen=True)
class Size:
    """Width and height of a screenshot, in px; both at least 1 (ValueError)."""

    width_px: int
    height_px: int

    def __post_init__(self) -> None:
        if self.width_px < 1 or self.height_px < 1:
            raise ValueError(f"a size needs at least 1x1 px, got {self.width_px}x{self.height_px}")

    def holds(self, point: Point) -> bool:
        """Whether the point lies on a pixel: the right and bottom edges belong to the next pixel and do not."""
        return 0 <= point.x_px < self.width_px and 0 <= point.y_px < self.height_px

    def __str__(self) -> str:
        return f"{self.width_px}x{self.height_px}"


def parse_size(text: str) -> Size:
    """'1280x720' as a size; ValueError for anything else."""
    found = re.fullmatch(r"([1-9]\d{0,4})[xX]([1-9]\d{0,4})", text.strip())
    if not found:
        raise ValueError(f"a size is written WIDTHxHEIGHT in px, such as 1280x720; got {text!r}")
    return Size(int(found[1]), int(found[2]))


@dataclass(frozen=True)
class Region:
    """An upright rectangle on a screenshot, in px, such as the box of a control."""

    left_px: float
    top_px: float
    width_px: float
    height_px: float

    def __post_init__(self) -> None:
        if self.width_px < 0 or self.height_px < 0:
            raise ValueError(f"a region needs a width and height >= 0, got {self.width_px}x{self.height_px}")

    @property
    def center(self) -> Point:
        return Point(self.left_px + self.width_px / 2, self.top_px + self.height_px / 2)

    def contains(self, point: Point) -> bool:
        """Whether the point lies inside or on any of the four edges."""
        return (
            self.left_px <= point.x_px <= self.left_px + self.width_px
            and self.top_px <= point.y_px <= self.top_px + self.height_px
        )
