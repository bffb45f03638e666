"""Covers what must not be seen, before a frame leaves its environment."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from .env import Frame, Pixels
from .geometry import Region

COVER = (120, 120, 128)  # of one colour: a blur that keeps anything of the letters can be undone
MARGIN = 4  # px around what is covered, for the edges of letters


def covered(frame: Frame, boxes: Iterable[Region]) -> Frame:
    """The frame with each box, in its px, painted over; the frame itself where there is none."""
    boxes = tuple(boxes)
    if not boxes:
        return frame
    pixels_HW3 = np.array(frame.pixels_HW3)
    cover(pixels_HW3, boxes)
    return Frame(pixels_HW3, frame.scale, frame.captured_at_s, frame.capture_s, frame.origin_pt)


def blank(frame: Frame) -> Frame:
    """The frame with all of it covered."""
    return covered(frame, [Region(0, 0, frame.size.width_px, frame.size.height_px)])


def cover(pixels_HW3: Pixels, boxes: Iterable[Region]) -> None:
    """Paint each box over, in place."""
    for box in boxes:
        left, top = (max(0, math.floor(edge) - MARGIN) for edge in (box.left_px, box.top_px))
        right = max(0, math.ceil(box.left_px + box.width_px) + MARGIN)
        bottom = max(0, math.ceil(box.top_px + box.height_px) + MARGIN)
        pixels_HW3[top:bottom, left:right] = COVER


def changed_box(before_HW3: Pixels, after_HW3: Pixels) -> Region | None:
    """The box around all that differs; all of it where the size does, None where nothing does."""
    height_px, width_px, _ = after_HW3.shape
    if before_HW3.shape != after_HW3.shape:
        return Region(0, 0, width_px, height_px)
    differs_HW = (before_HW3 != after_HW3).any(axis=2)
    rows, columns = np.flatnonzero(differs_HW.any(axis=1)), np.flatnonzero(differs_HW.any(axis=0))
    if not len(rows):
        return None
    left, top = int(columns[0]), int(rows[0])
    return Region(left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top)
