from __future__ import annotations

import math

import pytest
from moonhand.envs import Point, Region, Size


def test_a_region_contains_its_edges_and_its_center() -> None:
    region = Region(10, 20, 30, 40)
    corners = [Point(x, y) for x in (10, 40) for y in (20, 60)]
    assert all(region.contains(point) for point in (*corners, region.center))
    assert not any(region.contains(point) for point in (Point(9.9, 30), Point(40.1, 30), Point(20, 60.1)))
    assert region.center == Point(25, 40)


def test_a_size_holds_its_pixels_and_not_its_right_and_bottom_edge() -> None:
    size = Size(100, 50)
    assert size.holds(Point(0, 0))
    assert size.holds(Point(99.9, 49.9))
    assert not any(size.holds(point) for point in (Point(100, 10), Point(10, 50), Point(-0.1, 10)))
    assert str(size) == "100x50"


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_point_refuses_values_that_are_not_finite(bad: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        Point(bad, 1)


def test_empty_sizes_and_negative_regions_are_refused() -> None:
    with pytest.raises(ValueError, match="0x5"):
        Size(0, 5)
    with pytest.raises(ValueError, match="-1"):
        Region(0, 0, -1, 5)
