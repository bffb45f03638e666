"""One question of a suite and what answers it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...envs import Point, Size


@dataclass(frozen=True)
class BoxAnswer:
    """A rectangle in px of the screenshot; its four edges belong to it. Corners are in order (ValueError)."""

    left_px: float
    top_px: float
    right_px: float
    bottom_px: float

    def __post_init__(self) -> None:
        if not (self.left_px <= self.right_px and self.top_px <= self.bottom_px):
            got = f"{self.left_px}, {self.top_px}, {self.right_px}, {self.bottom_px}"
            raise ValueError(f"a box needs left <= right and top <= bottom, got {got}")


@dataclass(frozen=True)
class PolygonAnswer:
    """A polygon in px of the screenshot, of at least three corners (ValueError); its edge belongs to it."""

    corners: tuple[Point, ...]

    def __post_init__(self) -> None:
        if len(self.corners) < 3:
            raise ValueError(f"a polygon needs at least 3 corners, got {len(self.corners)}")


@dataclass(frozen=True)
class RefusalAnswer:
    """Nothing on the screenshot matches: right is to say so."""


Answer = BoxAnswer | PolygonAnswer | RefusalAnswer


@dataclass(frozen=True, kw_only=True)
class GroundingSample:
    """One row of a suite.

    `groups` are the suite's own axes and values, such as {"platform": ("web",), "ui_type": ("icon",)}; a sample with
    several values of an axis counts in each of their groups. `image` is None where a suite was read for its annotations
    alone.
    """

    id: str  # the suite's own, or made of file and row; unique within it
    image: Path | None
    size: Size  # of the screenshot
    instruction: str
    answer: Answer
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])


@dataclass(frozen=True, kw_only=True)
class Suite:
    """The samples of a benchmark that can be asked, in the order of its files.

    `files` are the annotation files it was read from, by their names, with the SHA-256 of each; `convention` says in
    words how its boxes were written, and how that was recognised. `skipped` are the ids of broken rows that the user
    wished to leave out: nobody is asked about them, and the denominator still counts them.
    """

    name: str
    samples: tuple[GroundingSample, ...]
    files: Mapping[str, str]
    convention: str = ""
    skipped: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()  # the axes whose combined values a macro average is over

    drawn: bool = False  # by `moonhand eval generate`, in the published layout that the name says

    @property
    def denominator(self) -> int:
        """Of every score."""
        return len(self.samples) + len(self.skipped)
