"""One question of a suite and what answers it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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
    alone; `image_name` is what the annotation calls it all the same, "" where it does not.
    """

    id: str  # the suite's own, or made of file and row; unique within it
    image: Path | None
    size: Size  # of the screenshot
    instruction: str
    answer: Answer
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    image_name: str = ""


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A broken row of a suite. `place` counts from 0 over all rows of all files; `instruction` is "" without one."""

    place: int
    instruction: str = ""


@dataclass(frozen=True, kw_only=True)
class Suite:
    """The samples of a benchmark that can be asked, in the order of its files.

    `files` are the annotation files it was read from, by their names, with the SHA-256 of each; `boxes` names the
    conventions that its boxes were read by, joined by "+" where there are several; `convention` says the same in words,
    and how that was recognised. `skipped` are the ids of broken rows that the user wished to leave out: nobody is asked
    about them, and the denominator still counts them. `left_out` are the same rows, where it is known where they stand.
    """

    name: str
    samples: tuple[GroundingSample, ...]
    files: Mapping[str, str]
    convention: str = ""
    skipped: tuple[str, ...] = ()
    boxes: str = ""
    left_out: tuple[LeftOut, ...] = ()
    cells: tuple[str, ...] = ()  # the axes whose combined values a macro average is over
    drawn: bool = False  # by `moonhand eval generate`, in the published layout that the name says

    @property
    def denominator(self) -> int:
        """Of every score."""
        return len(self.samples) + len(self.skipped)

    @property
    def rows(self) -> tuple[GroundingSample | None, ...]:
        """Every row of the files in their order, None for one that was left out; those not where nobody knows where."""
        if not self.skipped:  # cut to its first samples, a suite counts none
            return self.samples
        places = {row.place for row in self.left_out}
        good = iter(self.samples)
        return tuple(None if n in places else next(good) for n in range(len(self.samples) + len(places)))

    def first(self, limit: int | None) -> Suite:
        """Its first `limit` samples alone: no row that was left out counts. None is the whole suite."""
        return self if limit is None else replace(self, samples=self.samples[:limit], skipped=())

    def without(self, skipped: tuple[str, ...]) -> Suite:
        """With these rows left out, where they are those left out already and samples besides; else as it is."""
        more = set(skipped).difference(self.skipped)
        if not more or not {*self.skipped} < {*skipped} or not more <= {sample.id for sample in self.samples}:
            return self
        left_out = [
            LeftOut(place=place, instruction=sample.instruction)
            for place, sample in enumerate(self.rows)
            if sample is not None and sample.id in more
        ]
        return replace(
            self,
            samples=tuple(sample for sample in self.samples if sample.id not in more),
            skipped=skipped,
            left_out=tuple(sorted((*self.left_out, *left_out), key=lambda row: row.place)),
        )
