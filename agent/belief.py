"""Where a place may be: a distribution over a screenshot, and what can be said of it; pure.

A model that writes a place as two numbers shows x's distribution and, once x is written, y's. That y belongs to that x:
where x has several modes, each must be asked for its own y, or two places (left, top) and (right, bottom) become four,
two of them ghosts. `Mode` is one such answer, and a `Belief` the mixture of all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..envs import Point, Region

Probabilities = npt.NDArray[np.float32]

MODE_MASS = 0.05  # of x's distribution: what a mode must hold to be asked for its own y
MODE_REACH = 40  # thousandths to either side of a mode that are its own
MASS = 0.9  # what the smallest box holds unless told otherwise
_COARSE = 48  # cells a side on which the smallest box is looked for before its edges are moved cell by cell


@dataclass(frozen=True, eq=False)
class Mode:
    """A place in x with its share of the whole, and the distribution of y if x is there; `at` is a place in x_C."""

    at: int
    mass: float
    x_C: Probabilities  # sums to 1; nothing where another mode is nearer
    y_C: Probabilities


@dataclass(frozen=True, eq=False)
class Belief:
    """Probabilities of the cells of a grid, float32 [rows, columns], of sum 1, that lies over `region` of a screenshot.

    Cell (row, column) stands for the place (column / columns, row / rows) of the region, and half a cell around it.
    """

    cells_YX: Probabilities = field(repr=False)
    region: Region
    num_modes: int = 1

    @cached_property
    def expected(self) -> Point:
        """The mean place, in px of the screenshot. Between two modes it is where neither is."""
        rows, columns = self.cells_YX.shape
        x = float(self.cells_YX.sum(0) @ np.arange(columns)) / columns
        y = float(self.cells_YX.sum(1) @ np.arange(rows)) / rows
        return Point(self.region.left_px + x * self.region.width_px, self.region.top_px + y * self.region.height_px)

    @cached_property
    def entropy_bits(self) -> float:
        """0 where one cell holds everything; log2 of the number of cells where all are alike."""
        held = self.cells_YX[self.cells_YX > 0].astype(np.float64)
        return abs(float(-(held * np.log2(held)).sum()))

    @cached_property
    def box(self) -> Region:
        """The smallest upright box that holds MASS, in px of the screenshot."""
        return self.to_region(smallest_box(self.cells_YX, MASS))

    def to_json(self) -> dict[str, Any]:
        """Plain values: the box that holds MASS, the mean place, the entropy, and the region they are over."""
        sides = ("left_px", "top_px", "width_px", "height_px")
        return {
            "box": {side: round(getattr(self.box, side), 2) for side in sides},
            "expected": {"x_px": round(self.expected.x_px, 2), "y_px": round(self.expected.y_px, 2)},
            "entropy_bits": round(self.entropy_bits, 4),
            "region": {side: getattr(self.region, side) for side in sides},
        }

    def mass_in(self, region: Region) -> float:
        """The probability of a part of the screenshot, by the cells whose places lie in it."""
        rows, columns = self.cells_YX.shape
        x = self.region.left_px + np.arange(columns) / columns * self.region.width_px
        y = self.region.top_px + np.arange(rows) / rows * self.region.height_px
        inside_X = (x >= region.left_px) & (x < region.left_px + region.width_px)
        inside_Y = (y >= region.top_px) & (y < region.top_px + region.height_px)
        return float(self.cells_YX[np.ix_(inside_Y, inside_X)].sum(dtype=np.float64))

    def to_region(self, cells: tuple[int, int, int, int]) -> Region:
        """The part of the screenshot under the cells from (top, left) to (bottom, right), the last ones included."""
        top, left, bottom, right = cells
        rows, columns = self.cells_YX.shape
        x0, x1 = max(0.0, (left - 0.5) / columns), min(1.0, (right + 0.5) / columns)
        y0, y1 = max(0.0, (top - 0.5) / rows), min(1.0, (bottom + 0.5) / rows)
        width_px, height_px = self.region.width_px, self.region.height_px
        return Region(
            self.region.left_px + x0 * width_px,
            self.region.top_px + y0 * height_px,
            (x1 - x0) * width_px,
            (y1 - y0) * height_px,
        )


def split_modes(x_C: Probabilities, *, limit: int = 6) -> list[tuple[int, float, Probabilities]]:
    """The modes of x, the likeliest first: where each is, its share, and its part of the distribution, of sum 1.

    A mode is the largest entry left after those before it took MODE_REACH to either side; those that hold less than
    MODE_MASS there are none. What lies between goes to the nearest mode, so that the shares add up to 1.
    """
    left_C = x_C.astype(np.float64)
    total = float(left_C.sum())
    places = [int(left_C.argmax())]
    while True:
        left_C[max(0, places[-1] - MODE_REACH) : places[-1] + MODE_REACH + 1] = 0
        at = int(left_C.argmax())
        if len(places) == limit or left_C[max(0, at - MODE_REACH) : at + MODE_REACH + 1].sum() < MODE_MASS * total:
            break
        places.append(at)
    nearest_C = np.abs(np.arange(len(x_C))[:, None] - np.array(places)).argmin(1)
    found: list[tuple[int, float, Probabilities]] = []
    for number, at in enumerate(places):
        part_C = np.where(nearest_C == number, x_C, 0).astype(np.float64)
        share = float(part_C.sum())
        found.append((at, share / total, (part_C / max(share, 1e-30)).astype(np.float32)))
    return found


def mix(modes: Sequence[Mode], region: Region) -> Belief:
    """The belief of which these modes are the parts; ValueError for none."""
    if not modes:
        raise ValueError("a belief needs at least one mode")
    total = sum(mode.mass for mode in modes)
    cells_YX = sum(np.outer(mode.y_C, mode.x_C) * np.float32(mode.mass / total) for mode in modes)
    cells_YX = np.asarray(cells_YX, np.float32)
    return Belief(cells_YX / cells_YX.sum(dtype=np.float64).astype(np.float32), region, len(modes))


def smallest_box(cells_YX: npt.NDArray[np.floating], mass: float = MASS) -> tuple[int, int, int, int]:
    """The box of the fewest cells that holds `mass` of all: its first row and column, its last row and column.

    Exact for grids of up to 48 cells a side around what matters; on finer ones the best box of that coarseness with its
    edges then moved in cell by cell.
    """
    if not 0 < mass <= 1:
        raise ValueError(f"mass must lie in (0, 1], got {mass}")
    cells = cells_YX.astype(np.float64) / float(cells_YX.sum(dtype=np.float64))
    top, left, bottom, right = _without_tails(cells, (1 - mass) / 20)
    inner = cells[top : bottom + 1, left : right + 1]
    steps = tuple(max(1, math.ceil(count / _COARSE)) for count in inner.shape)
    padded = np.pad(inner, [(0, -count % step) for count, step in zip(inner.shape, steps, strict=True)])
    coarse = padded.reshape(padded.shape[0] // steps[0], steps[0], -1, steps[1]).sum((1, 3))
    y0, x0, y1, x1 = _exact_box(coarse, min(mass, float(coarse.sum())) - 1e-9)
    rows = (top + y0 * steps[0], min(bottom, top + (y1 + 1) * steps[0] - 1))
    columns = (left + x0 * steps[1], min(right, left + (x1 + 1) * steps[1] - 1))
    return _trimmed(cells, rows, columns, mass - 1e-9)


def _without_tails(cells: npt.NDArray[np.float64], tail: float) -> tuple[int, int, int, int]:
    """The box that leaves out no more than `tail` at each of its four sides."""
    edges: list[tuple[int, int]] = []
    for axis in (1, 0):
        along = cells.sum(axis)
        first = int(np.searchsorted(along.cumsum(), tail, side="right"))
        last = len(along) - 1 - int(np.searchsorted(along[::-1].cumsum(), tail, side="right"))
        edges.append((min(first, len(along) - 1), max(last, first, 0)))
    (top, bottom), (left, right) = edges
    return top, left, min(bottom, cells.shape[0] - 1), min(right, cells.shape[1] - 1)


def _exact_box(cells: npt.NDArray[np.float64], mass: float) -> tuple[int, int, int, int]:
    """Every pair of rows against every pair of columns."""
    sums = np.pad(cells.cumsum(0), ((1, 0), (0, 0)))
    best, found = math.inf, (0, 0, cells.shape[0] - 1, cells.shape[1] - 1)
    for height in range(1, cells.shape[0] + 1):
        strips = np.pad((sums[height:] - sums[:-height]).cumsum(1), ((0, 0), (1, 0)))
        for width in range(1, cells.shape[1] + 1):
            if height * width >= best:
                break
            held = strips[:, width:] - strips[:, :-width]
            row, column = np.unravel_index(int(held.argmax()), held.shape)
            if held[row, column] >= mass:
                best = height * width
                found = (int(row), int(column), int(row) + height - 1, int(column) + width - 1)
                break
    return found


def _trimmed(
    cells: npt.NDArray[np.float64], rows: tuple[int, int], columns: tuple[int, int], mass: float
) -> tuple[int, int, int, int]:
    """The box with its edges moved in, the emptiest edge for its length first, while it holds `mass`."""
    (top, bottom), (left, right) = rows, columns
    held = float(cells[top : bottom + 1, left : right + 1].sum())
    while True:
        edges = (
            (float(cells[top, left : right + 1].sum()), right - left, (1, 0, 0, 0), bottom > top),
            (float(cells[bottom, left : right + 1].sum()), right - left, (0, 0, -1, 0), bottom > top),
            (float(cells[top : bottom + 1, left].sum()), bottom - top, (0, 1, 0, 0), right > left),
            (float(cells[top : bottom + 1, right].sum()), bottom - top, (0, 0, 0, -1), right > left),
        )
        spare = [edge for edge in edges if edge[3] and held - edge[0] >= mass]
        if not spare:
            return top, left, bottom, right
        lost, _, (down, inward, up, back), _ = min(spare, key=lambda edge: edge[0] / (edge[1] + 1))
        held -= lost
        top, left, bottom, right = top + down, left + inward, bottom + up, right + back
