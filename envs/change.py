"""What an action changed on the screen, seen from the place it acted on."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .env import Change, Pixels
from .geometry import Point, Region

Tiles = NDArray[np.bool_]  # [rows, columns]: one for each TILE_PX x TILE_PX of a screen
TILE_PX = 40

NEAR_SHARE = 0.1  # of the shorter side of the screen: how far from its place a change still is near
CARET_WIDTH_PX, CARET_HEIGHT_PX = 3, 6  # a text caret is at most this wide and at least this high
CARET_TILES = 4  # as many as a caret can touch
WHOLE_SHARE = 0.25  # of a screen: what moves on more than that may hide anything


def where_changed(
    before_HW3: Pixels,
    after_HW3: Pixels,
    places: Sequence[Point] = (),
    *,
    is_still: bool = True,
    moving: Sequence[Region] = (),
) -> Change:
    """What became of the screen from `before` to `after`, around the places acted on in px.

    Nothing, where a text caret that appeared or went is all that differs, or what is `moving` by itself: unless a place
    lies on it, or it covers more than WHOLE_SHARE of the screen. `still_moving` where something differs and the screen
    was left before it came to rest. Else near, if a pixel differs within NEAR_SHARE of a place in both directions, or
    there is no place to measure from; or far.
    """
    if before_HW3.shape != after_HW3.shape:
        return "changed_near" if is_still else "still_moving"
    if (tiles := _differing(before_HW3, after_HW3)) is None:
        return "no_change"
    height_px, width_px, _ = before_HW3.shape
    box = _around(tiles)
    differs_HW3 = np.zeros(before_HW3.shape, np.bool_)
    np.not_equal(before_HW3[box], after_HW3[box], out=differs_HW3[box])
    for region in moving:
        is_whole = region.width_px * region.height_px > WHOLE_SHARE * width_px * height_px
        if not is_whole and not any(region.contains(place) for place in places):
            differs_HW3[_pixels_of(region)] = False
    rows = np.flatnonzero(differs_HW3[box].any(axis=(1, 2))) + box[0].start
    if not rows.size:
        return "no_change"
    columns = np.flatnonzero(differs_HW3[box].any(axis=(0, 2))) + box[1].start
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    if _is_caret(before_HW3[box], after_HW3[box]):
        return "no_change"
    if not is_still:
        return "still_moving"
    reach_px = NEAR_SHARE * min(height_px, width_px)
    for place in places:
        left, right = (max(0, round(place.x_px + step)) for step in (-reach_px, reach_px))
        top, bottom = (max(0, round(place.y_px + step)) for step in (-reach_px, reach_px))
        if differs_HW3[top : bottom + 1, left : right + 1].any():
            return "changed_near"
    return "changed_far" if places else "changed_near"


def changed_tiles(before_HW3: Pixels, after_HW3: Pixels) -> Tiles | None:
    """The tiles in which two looks differ; None where they do not, or by a text caret alone."""
    if before_HW3.shape != after_HW3.shape:
        height_px, width_px, _ = after_HW3.shape
        return np.ones((math.ceil(height_px / TILE_PX), math.ceil(width_px / TILE_PX)), np.bool_)
    tiles = _differing(before_HW3, after_HW3)
    if tiles is not None and tiles.sum() <= CARET_TILES:
        box = _around(tiles)
        return None if where_changed(before_HW3[box], after_HW3[box]) == "no_change" else tiles
    return tiles


def spread(tiles: Tiles) -> Tiles:
    """These tiles and all around them."""
    padded = np.pad(tiles, 1)
    rows = padded[:-2] | padded[1:-1] | padded[2:]
    return rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:]


def regions_of(tiles: Tiles) -> tuple[Region, ...]:
    """Boxes around the tiles that hang together, in px."""
    left = {(int(row), int(column)) for row, column in np.argwhere(tiles)}
    regions: list[Region] = []
    while left:
        group, queue = set[tuple[int, int]](), [left.pop()]
        while queue:
            row, column = queue.pop()
            group.add((row, column))
            near = {(row + down, column + right) for down in (-1, 0, 1) for right in (-1, 0, 1)} & left
            left -= near
            queue.extend(near)
        top, bottom = min(row for row, _ in group), max(row for row, _ in group) + 1
        first, last = min(column for _, column in group), max(column for _, column in group) + 1
        sides = (first, top, last - first, bottom - top)
        regions.append(Region(*(side * TILE_PX for side in sides)))
    return tuple(regions)


def _differing(before_HW3: Pixels, after_HW3: Pixels) -> Tiles | None:
    """The tiles in which two looks of one size differ; None where they do not."""
    if before_HW3 is after_HW3:
        return None
    before, after = _words(before_HW3), _words(after_HW3)
    tops = range(0, len(before), TILE_PX)
    lefts = np.arange(0, before.shape[1], TILE_PX * 3 // before.itemsize)
    tiles = np.zeros((len(tops), len(lefts)), np.bool_)
    for row, top in enumerate(tops):
        band = slice(top, top + TILE_PX)
        if not np.array_equal(before[band], after[band]):
            tiles[row] = np.logical_or.reduceat((before[band] != after[band]).any(axis=0), lefts)
    return tiles if tiles.any() else None


def _around(tiles: Tiles) -> tuple[slice, slice]:
    """The pixels of the box around these tiles."""
    rows, columns = (np.flatnonzero(tiles.any(axis=axis)) for axis in (1, 0))
    first, last = (rows[0], columns[0]), (rows[-1] + 1, columns[-1] + 1)
    top, left, bottom, right = (int(side) * TILE_PX for side in (*first, *last))
    return slice(top, bottom), slice(left, right)


def _words(pixels_HW3: Pixels) -> NDArray[np.unsignedinteger]:
    """The rows as words, which compare faster than bytes, where their width allows."""
    rows = np.ascontiguousarray(pixels_HW3).reshape(pixels_HW3.shape[0], -1)
    return rows.view(np.uint32) if rows.shape[1] % 4 == 0 else rows


def _pixels_of(region: Region) -> tuple[slice, slice]:
    left, top = max(0, math.floor(region.left_px)), max(0, math.floor(region.top_px))
    right, bottom = math.ceil(region.left_px + region.width_px), math.ceil(region.top_px + region.height_px)
    return slice(top, max(top, bottom)), slice(left, max(left, right))


def _is_caret(before_HW3: Pixels, after_HW3: Pixels) -> bool:
    """Whether all that differs is one thin upright bar of one colour, on one ground.

    A letter that is as thin, typed with the caret shown, differs by more: the caret has moved on.
    """
    height_px, width_px, _ = before_HW3.shape
    if width_px > CARET_WIDTH_PX or height_px < max(CARET_HEIGHT_PX, 2 * width_px):
        return False
    is_solid = bool((before_HW3 != after_HW3).any(axis=2).all())
    return is_solid and any((bar_HW3 == bar_HW3[0, 0]).all() for bar_HW3 in (before_HW3, after_HW3))
