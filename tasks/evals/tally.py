"""Counts of right answers, over all samples, over the groups of each axis, and over classes of size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any, Final

from .sample import BoxAnswer, GroundingSample, PolygonAnswer
from .statistics import wilson


@dataclass(frozen=True)
class Tally:
    """So many right of so many."""

    n: int
    correct: int

    @property
    def accuracy(self) -> float:
        """0 where nothing was asked."""
        return self.correct / self.n if self.n else 0.0

    @property
    def ci95(self) -> tuple[float, float]:
        return wilson(self.correct, self.n)

    def to_json(self) -> dict[str, Any]:
        return {"n": self.n, "correct": self.correct, "accuracy": self.accuracy, "ci95": list(self.ci95)}


Counted = tuple[GroundingSample, bool]  # and whether it was answered right


def tally(answers: Iterable[bool]) -> Tally:
    right = list(answers)
    return Tally(len(right), sum(right))


def by_group(counted: Iterable[Counted]) -> dict[str, dict[str, Tally]]:
    """For each axis of the suite the tally of each value, in the order of their names.

    A sample with several values of an axis counts in each of their groups: such groups overlap.
    """
    found: dict[str, dict[str, list[bool]]] = {}
    for sample, right in counted:
        for axis, values in sample.groups.items():
            for value in dict.fromkeys(values):
                found.setdefault(axis, {}).setdefault(value, []).append(right)
    return {axis: _sorted(values) for axis, values in found.items()}


def by_cell(counted: Iterable[Counted], axes: tuple[str, ...]) -> dict[str, Tally]:
    """The tally of each combination of values, as "web / icon". A sample that lacks one of the axes is in none."""
    found: dict[str, list[bool]] = {}
    for sample, right in counted:
        if all(axis in sample.groups for axis in axes):
            for cell in product(*(dict.fromkeys(sample.groups[axis]) for axis in axes)):
                found.setdefault(" / ".join(cell), []).append(right)
    return _sorted(found)


def _sorted(found: Mapping[str, list[bool]]) -> dict[str, Tally]:
    return {name: tally(found[name]) for name in sorted(found)}


@dataclass(frozen=True)
class Scale:
    """Classes of a number. A class holds its lower limit and not its upper one; the first and last have one limit."""

    name: str
    limits: tuple[float, ...]  # rising
    labels: tuple[str, ...]  # one more than there are limits

    def label(self, value: float) -> str:
        return self.labels[sum(value >= limit for limit in self.limits)]


def _scale(name: str, *limits: float) -> Scale:
    told = [f"{limit:g}" for limit in limits]
    return Scale(name, limits, (f"< {told[0]}", *(f"{a} - {b}" for a, b in pairwise(told)), f">= {told[-1]}"))


AREA: Final = _scale("target_area_px2", 16**2, 32**2, 64**2, 128**2)
SHARE: Final = _scale("target_share_percent", 0.01, 0.03, 0.1, 0.3, 1, 3)  # of the screenshot's area
ASPECT: Final = _scale("target_aspect", 0.5, 1, 2, 4, 8)  # width by height
PIXELS: Final = _scale("screenshot_megapixels", 1, 2, 4, 8, 16)
SHAPE: Final = _scale("screenshot_aspect", 1, 1.5, 1.7, 2)  # width by height


def by_size(counted: Iterable[Counted], *, screens: bool = True) -> dict[str, dict[str, Tally]]:
    """For the size and shape of target and screenshot the tally of each class, small ones first, empty ones left out.

    A refusal has no target; a polygon has the area of its own and the shape of the box around it. A target without any
    height has the last class of shapes. Without `screens`, whose sizes are then not known, targets alone.
    """
    found: dict[str, dict[str, list[bool]]] = {}
    scales = (AREA, ASPECT, SHARE, PIXELS, SHAPE)
    for sample, right in counted:
        for scale, value in zip(scales, _sizes(sample), strict=True):
            if value is not None and (screens or scale in (AREA, ASPECT)):
                found.setdefault(scale.name, {}).setdefault(scale.label(value), []).append(right)
    return {
        scale.name: {label: tally(found[scale.name][label]) for label in scale.labels if label in found[scale.name]}
        for scale in scales
        if scale.name in found
    }


def _sizes(sample: GroundingSample) -> tuple[float | None, float | None, float | None, float, float]:
    """Of the scales, in their order."""
    width_px, height_px = sample.size.width_px, sample.size.height_px
    pixels, shape = width_px * height_px / 1e6, width_px / height_px
    area_px2 = target_area_px2(sample)
    if area_px2 is None:
        return None, None, None, pixels, shape
    return area_px2, _target_aspect(sample), 100 * area_px2 / (width_px * height_px), pixels, shape


def target_area_px2(sample: GroundingSample) -> float | None:
    """Of the box or polygon; None for a refusal."""
    match sample.answer:
        case BoxAnswer(left, top, right, bottom):
            return (right - left) * (bottom - top)
        case PolygonAnswer(corners):
            sides = pairwise((*corners, corners[0]))
            return abs(sum(a.x_px * b.y_px - b.x_px * a.y_px for a, b in sides)) / 2
        case _:
            return None


def _target_aspect(sample: GroundingSample) -> float | None:
    match sample.answer:
        case BoxAnswer(left, top, right, bottom):
            width_px, height_px = right - left, bottom - top
        case PolygonAnswer(corners):
            xs, ys = [corner.x_px for corner in corners], [corner.y_px for corner in corners]
            width_px, height_px = max(xs) - min(xs), max(ys) - min(ys)
        case _:
            return None
    return width_px / height_px if height_px else float("inf")
