"""A click lands on the pixel that the model named: from the picture through the Kimi dialect to the event, 0 px off."""

from __future__ import annotations

import subprocess
from collections.abc import Generator

import pytest
from moonhand.envs import Region, Size, VirtualDisplay
from moonhand.tasks.calibrate import Calibration, calibrate_desktop, calibrate_page, named_place
from moonhand.tasks.target_sheets import Grid, find_targets, target_boxes

SCALES = (1, 1.25, 1.5, 2, 3)
SLOW = pytest.mark.slow  # what is tried always at another scale
FEW, ALL = Grid(8, 5), Grid(20, 10)


def assert_exact(found: Calibration, grid: Grid) -> None:
    assert found.is_exact, found.to_json()
    assert len(found.hits) == grid.columns * grid.rows
    assert found.worst_px == 0


@pytest.mark.browser
@pytest.mark.parametrize("scale", [scale if scale == 1.5 else pytest.param(scale, marks=SLOW) for scale in SCALES])
def test_every_target_of_a_page_is_hit_on_its_pixel(scale: float) -> None:
    found, frame = calibrate_page("headless", scale=scale, viewport=Size(401, 301), grid=FEW)
    assert frame.size == Size(int(401 * scale), int(301 * scale))
    assert_exact(found, FEW)


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("viewport", [Size(1280, 720), Size(1366, 768)], ids=str)
@pytest.mark.parametrize("scale", SCALES)
def test_two_hundred_targets_of_a_large_page_are_hit_on_their_pixels(scale: float, viewport: Size) -> None:
    assert_exact(calibrate_page("headless", scale=scale, viewport=viewport, grid=ALL)[0], ALL)


@pytest.mark.browser
@pytest.mark.display
def test_every_target_of_a_kiosk_is_hit_on_its_pixel() -> None:
    assert_exact(calibrate_page("kiosk", scale=1.25, viewport=Size(640, 400), grid=FEW)[0], FEW)


@pytest.mark.browser
@pytest.mark.display
@pytest.mark.slow
@pytest.mark.parametrize("scale", SCALES)
def test_two_hundred_targets_of_a_kiosk_are_hit_on_their_pixels(scale: float) -> None:
    assert_exact(calibrate_page("kiosk", scale=scale, viewport=Size(1280, 720), grid=ALL)[0], ALL)


@pytest.fixture(scope="module")
def two_monitors() -> Generator[VirtualDisplay]:
    """LEFT and RIGHT, 1280x720 each."""
    with VirtualDisplay(Size(2560, 720)) as screen:
        for monitor in (("RIGHT", "1280/338x720/190+1280+0", "none"), ("LEFT", "1280/338x720/190+0+0", "screen")):
            # The other order leaves one wide monitor.
            subprocess.run(["xrandr", "--setmonitor", *monitor], env=screen.environ(), check=True)
        yield screen


@pytest.mark.display
@pytest.mark.parametrize(
    ("monitor", "grid", "size", "origin_pt"),
    [
        ("RIGHT", ALL, Size(1280, 720), (1280, 0)),
        ("LEFT", FEW, Size(1280, 720), (0, 0)),
        (0, FEW, Size(2560, 720), (0, 0)),
    ],
    ids=["a second one", "the first", "all together"],
)
def test_every_target_of_a_monitor_is_hit_on_its_pixel(
    two_monitors: VirtualDisplay, monitor: int | str, grid: Grid, size: Size, origin_pt: tuple[float, float]
) -> None:
    found, frame = calibrate_desktop(str(monitor), display=two_monitors.display, monitor=monitor, grid=grid)
    assert (frame.size, frame.origin_pt) == (size, origin_pt)
    assert_exact(found, grid)


def test_targets_reach_the_corners_and_are_found_where_they_were_drawn() -> None:
    import numpy as np

    boxes = target_boxes(Region(0, 0, 640, 360), ALL)
    pixels_HW3 = np.full((360, 640, 3), 0xEE, np.uint8)
    for number, box in enumerate(boxes):
        left, top, side = int(box.left_px), int(box.top_px), int(box.width_px)
        pixels_HW3[top : top + side, left : left + side] = (number, 0x50, 0xA0)
    assert find_targets(pixels_HW3) == dict(enumerate(boxes))
    assert pixels_HW3[0, 0, 1] == pixels_HW3[-1, -1, 1] == 0x50


def test_the_place_a_reply_names_is_computed_without_rounding() -> None:
    x_px, y_px = named_place("click(x=0.333, y=0.005)", Size(1366, 768))
    assert (x_px * 1000, y_px * 1000) == (454878, 3840)
