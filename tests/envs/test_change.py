from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moonhand.envs import Point, Region
from moonhand.envs.change import changed_tiles, regions_of, spread, where_changed
from moonhand.envs.env import Pixels

PLACE = Point(100, 50)  # of a 300x200 screen, where near is within 20 px


def screen(*boxes: tuple[int, int, int, int], colour: int = 200) -> Pixels:
    """A dark screen with lighter boxes: left, top, width, height."""
    pixels_HW3 = np.full((200, 300, 3), 10, np.uint8)
    for left, top, width, height in boxes:
        pixels_HW3[top : top + height, left : left + width] = colour
    return pixels_HW3


def test_the_same_pixels_are_no_change_even_before_the_screen_has_come_to_rest() -> None:
    assert where_changed(screen(), screen(), [PLACE]) == "no_change"
    assert where_changed(screen(), screen(), [PLACE], is_still=False) == "no_change"


@pytest.mark.parametrize(
    ("box", "change"),
    [
        ((120, 50, 9, 9), "changed_near"),
        ((121, 50, 9, 9), "changed_far"),
        ((100, 70, 9, 9), "changed_near"),
        ((100, 71, 9, 9), "changed_far"),
        ((0, 0, 300, 200), "changed_near"),
        ((299, 199, 1, 1), "changed_far"),
    ],
)
def test_near_is_a_tenth_of_the_shorter_side(box: tuple[int, int, int, int], change: str) -> None:
    assert where_changed(screen(), screen(box), [PLACE]) == change


def test_any_place_of_a_drag_counts_and_without_a_place_every_change_is_near() -> None:
    shown = screen((280, 180, 9, 9))
    assert where_changed(screen(), shown, [PLACE, Point(290, 190)]) == "changed_near"
    assert where_changed(screen(), shown, []) == "changed_near"


def test_a_screen_that_still_moves_or_has_another_size_is_told() -> None:
    assert where_changed(screen(), screen((1, 1, 9, 9)), [PLACE], is_still=False) == "still_moving"
    assert where_changed(screen(), screen()[:100], [PLACE]) == "changed_near"


def test_a_caret_that_blinks_is_no_change_and_what_is_not_as_thin_as_one_is() -> None:
    for width in (1, 2, 3):
        caret = screen((105, 45, width, 17))
        assert where_changed(screen(), caret, [PLACE]) == "no_change"
        assert where_changed(caret, screen(), [PLACE]) == "no_change"
        assert where_changed(screen(), caret, [PLACE], is_still=False) == "no_change"
    for other in ((105, 45, 4, 17), (105, 45, 2, 3), (105, 45, 17, 2)):
        assert where_changed(screen(), screen(other), [PLACE]) == "changed_near"


def test_a_caret_that_moved_on_over_a_thin_letter_is_a_change() -> None:
    before, after = screen((105, 45, 1, 17)), screen((105, 45, 2, 17), (111, 45, 1, 17))
    assert where_changed(before, after, [PLACE]) == "changed_near"
    bent = screen((105, 45, 2, 17))
    bent[50, 105] = 10  # two pixels wide, but with a notch, as a letter has
    assert where_changed(screen(), bent, [PLACE]) == "changed_near"


def test_what_moved_by_itself_is_no_change_unless_it_was_acted_on_or_may_hide_anything() -> None:
    spinner, shown = Region(200, 100, 40, 40), screen((205, 105, 30, 30))
    assert where_changed(screen(), shown, [PLACE], moving=[spinner]) == "no_change"
    assert where_changed(screen(), shown, [PLACE], moving=[spinner], is_still=False) == "no_change"
    assert where_changed(screen(), shown, [Point(210, 110)], moving=[spinner]) == "changed_near"
    assert where_changed(screen(), screen((205, 105, 30, 30), (100, 50, 9, 9)), [PLACE], moving=[spinner]) == (
        "changed_near"
    )
    assert where_changed(screen(), screen((100, 50, 1, 17), (205, 105, 30, 30)), moving=[spinner]) == "no_change"
    assert where_changed(screen(), shown, [PLACE], moving=[Region(0, 0, 300, 200)]) == "changed_far"
    assert where_changed(screen(), shown, [PLACE], moving=[Region(204.6, -5, 90.1, 139.5)]) == "no_change"


def test_tiles_tell_where_two_looks_differ() -> None:
    tiles = changed_tiles(screen(), screen((79, 0, 2, 1), (299, 199, 1, 1)))
    assert tiles is not None
    assert tiles.shape == (5, 8)
    assert np.argwhere(tiles).tolist() == [[0, 1], [0, 2], [4, 7]]
    assert set(regions_of(tiles)) == {Region(40, 0, 80, 40), Region(280, 160, 40, 40)}
    assert spread(tiles).sum() == 8 + 4
    assert changed_tiles(screen(), screen()) is None
    assert changed_tiles(screen(), screen((39, 35, 2, 17))) is None  # a caret over four tiles
    resized = changed_tiles(screen(), screen()[:100])
    assert resized is not None
    assert resized.all()


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.data())
def test_one_pixel_changes_its_own_tile_in_pictures_of_any_size(width: int, height: int, data: st.DataObject) -> None:
    x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    before = np.zeros((height, width, 3), np.uint8)
    after = before.copy()
    after[y, x, data.draw(st.integers(0, 2))] = 1
    tiles = changed_tiles(before, after)
    assert tiles is not None
    assert np.argwhere(tiles).tolist() == [[y // 40, x // 40]]


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 299), st.integers(0, 199), st.integers(0, 299), st.integers(0, 199))
def test_one_pixel_is_near_exactly_within_the_square(x: int, y: int, place_x: int, place_y: int) -> None:
    is_near = abs(x - place_x) <= 20 and abs(y - place_y) <= 20
    change = where_changed(screen(), screen((x, y, 1, 1)), [Point(place_x, place_y)])
    assert change == ("changed_near" if is_near else "changed_far")
