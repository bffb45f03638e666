from __future__ import annotations

import io

import numpy as np
import pytest
from moonhand.envs import Click, Drag, Frame, Point, PointOffScreen, Size, TypeText, check_on_screen
from PIL import Image


def painted(value: int, width_px: int = 4, height_px: int = 3) -> Frame:
    return Frame(np.full((height_px, width_px, 3), value, np.uint8))


def test_a_frame_knows_its_size_and_is_read_only_while_the_array_given_stays_writable() -> None:
    given_HW3 = np.zeros((3, 4, 3), np.uint8)
    frame = Frame(given_HW3)
    assert frame.size == Size(4, 3)
    assert given_HW3.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        frame.pixels_HW3[0, 0, 0] = 1


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 4), (0, 4, 3)])
def test_a_frame_refuses_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="height, width, 3"):
        Frame(np.zeros(shape, np.uint8))


def test_frames_that_look_the_same_have_one_hash_and_others_another() -> None:
    assert painted(7).sha256 == painted(7).sha256
    assert not painted(7).differs_from(painted(7))
    turned = painted(7, width_px=3, height_px=4)  # the same bytes in another shape
    for other in (painted(8), turned):
        assert other.sha256 != painted(7).sha256
        assert other.differs_from(painted(7))


def test_a_frame_comes_back_from_its_png() -> None:
    pixels_HW3 = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    with Image.open(io.BytesIO(Frame(pixels_HW3).to_png())) as image:
        np.testing.assert_array_equal(np.asarray(image), pixels_HW3)


def test_a_point_off_the_screen_is_named_with_the_size() -> None:
    check_on_screen(Click(x_px=99.5, y_px=0), Size(100, 50))
    check_on_screen(TypeText(text="x"), Size(1, 1))
    with pytest.raises(PointOffScreen, match=r"\(100, 0\) px lies outside the 100x50 px screenshot"):
        check_on_screen(Click(x_px=100, y_px=0), Size(100, 50))
    with pytest.raises(PointOffScreen, match=r"\(5, -1\)"):
        check_on_screen(Drag(path=(Point(5, 5), Point(5, -1))), Size(100, 50))
