"""Where the pointer is at which moment of a drag."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from .actions import Drag
from .geometry import Point

STEP_S = 0.01  # between two moves: sliders and canvases want to see the way
STEPS = 8  # at least, from one point of the path to the next


def moves(action: Drag) -> Iterator[tuple[float, Point]]:
    """Each move after the button went down: how long after that, and to where."""
    legs = [
        (start, end, math.dist((start.x_px, start.y_px), (end.x_px, end.y_px)))
        for start, end in itertools.pairwise(action.path)
    ]
    whole_px = sum(length_px for _, _, length_px in legs)
    at_s = 0.0
    for start, end, length_px in legs:
        leg_s = STEPS * STEP_S
        if action.duration_s is not None:
            leg_s = action.duration_s * (length_px / whole_px if whole_px else 1 / len(legs))
        steps = max(STEPS, round(leg_s / STEP_S))
        for step in range(1, steps + 1):
            part = step / steps
            x_px = start.x_px + (end.x_px - start.x_px) * part
            yield at_s + leg_s * part, Point(x_px, start.y_px + (end.y_px - start.y_px) * part)
        at_s += leg_s
