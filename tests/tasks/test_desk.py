"""The 4K desktops of small windows that zoom is measured on."""

from __future__ import annotations

import pytest
from moonhand.tasks.pages.desk import DESK_PX, HEIGHTS_PX, NUM_WINDOWS, TITLE_PX, render_desks, windows_of


@pytest.mark.parametrize("seed", range(5))
def test_windows_lie_on_the_desktop_and_none_over_another(seed: int) -> None:
    windows = windows_of(seed)
    assert NUM_WINDOWS[0] <= len(windows) <= NUM_WINDOWS[1]
    boxes = [
        (each.left_px, each.top_px - TITLE_PX, each.left_px + each.page.width_px, each.top_px + each.page.height_px)
        for each in windows
    ]
    for number, (left, top, right, bottom) in enumerate(boxes):
        assert left >= 0
        assert top >= 0
        assert right <= DESK_PX.width_px
        assert bottom <= DESK_PX.height_px
        for other in boxes[:number]:
            assert left >= other[2] or right <= other[0] or top >= other[3] or bottom <= other[1]
    assert windows_of(seed) == windows


@pytest.mark.slow
@pytest.mark.browser
def test_questions_are_about_small_things_that_stand_once() -> None:
    (samples,) = list(render_desks([7]))
    assert len(samples) > 20
    labels = [sample.label.lower() for sample in samples]
    assert len(set(labels)) == len(labels)
    for sample in samples:
        assert sample.pixels_HW3.shape == (DESK_PX.height_px, DESK_PX.width_px, 3)
        assert sample.box is not None
        assert HEIGHTS_PX[0] <= sample.box.height_px <= HEIGHTS_PX[1]
        top, left = int(sample.box.top_px), int(sample.box.left_px)
        part = sample.pixels_HW3[top : top + int(sample.box.height_px) + 1, left : left + int(sample.box.width_px) + 1]
        assert int(part.max()) - int(part.min()) > 30  # something is drawn there
