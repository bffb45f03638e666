"""The way of a pointer with as few points as tell it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from heapq import heappop, heappush

from ...envs import Point

MOST_POINTS = 60


def thinned(path: Sequence[Point], tolerance_px: float) -> tuple[Point, ...]:
    """The path without the points that lie within `tolerance_px` of the line through the others; both ends stay.

    Of a way that needs more than MOST_POINTS those stay that matter most (Ramer, Douglas and Peucker, furthest first).
    """
    points = [point for at, point in enumerate(path) if at in (0, len(path) - 1) or point != path[at - 1]]
    kept = {0, len(points) - 1}
    parts = [_furthest(points, 0, len(points) - 1)]
    while parts and len(kept) < MOST_POINTS:
        minus_px, first, at, last = heappop(parts)
        if -minus_px <= tolerance_px:
            break
        kept.add(at)
        for part in (_furthest(points, first, at), _furthest(points, at, last)):
            heappush(parts, part)
    return tuple(points[at] for at in sorted(kept))


def _furthest(points: Sequence[Point], first: int, last: int) -> tuple[float, int, int, int]:
    """How far the point between the two lies from their line that lies furthest, as a negative number, and which."""
    away_px, at = max(
        ((_away_px(points[at], points[first], points[last]), at) for at in range(first + 1, last)),
        default=(0.0, first),
    )
    return -away_px, first, at, last


def _away_px(point: Point, start: Point, end: Point) -> float:
    """How far it lies from the piece of line between the two."""
    along_x, along_y = end.x_px - start.x_px, end.y_px - start.y_px
    from_x, from_y = point.x_px - start.x_px, point.y_px - start.y_px
    length = along_x**2 + along_y**2
    part = min(1.0, max(0.0, (from_x * along_x + from_y * along_y) / length)) if length else 0.0
    return math.hypot(from_x - part * along_x, from_y - part * along_y)
