import io
from dataclasses import replace

import numpy as np
import pytest
from moonhand.agent import Mark, Step, Target, Trajectory, draw, draw_step, draw_target, strip
from moonhand.agent.belief import Belief
from moonhand.agent.overlay import ACCENT, draw_heat_map, to_png
from moonhand.envs import Action, Click, Drag, Frame, Point, Region, Size, TypeText
from PIL import Image


def page(shade: int, width_px: int = 320, height_px: int = 200) -> Frame:
    return Frame(np.full((height_px, width_px, 3), shade, dtype=np.uint8))


def luminance(pixels_HW3: np.ndarray) -> np.ndarray:
    return pixels_HW3.astype(float) @ [0.2126, 0.7152, 0.0722]


@pytest.mark.parametrize("shade", [0, 64, 128, 192, 255])
def test_the_ring_stands_out_on_every_shade(shade: int) -> None:
    pixels = np.asarray(draw(page(shade), [Mark(label="", x_px=160, y_px=100)]))
    around = luminance(pixels[80:120, 140:180])
    assert np.abs(around - shade).max() > 90
    assert (pixels == np.array(ACCENT)).all(-1).sum() > 20


def test_the_frame_itself_is_not_drawn_on() -> None:
    frame = page(255)
    draw(frame, [Mark(label="x", x_px=1, y_px=1)])
    assert frame.pixels_HW3.min() == 255


@pytest.mark.parametrize(("x_px", "y_px"), [(0, 0), (319, 199), (319, 0), (160, 100)])
def test_a_label_stays_on_the_picture(x_px: float, y_px: float) -> None:
    bare = np.asarray(draw(page(255), [Mark(label="", x_px=x_px, y_px=y_px)]))
    labelled = np.asarray(draw(page(255), [Mark(label="Sign up 97%", x_px=x_px, y_px=y_px)]))
    rows, columns = np.nonzero((bare != labelled).any(-1))
    height_px, width_px = np.ptp(rows), np.ptp(columns)
    assert width_px > 60
    assert height_px > 12
    assert (labelled[rows.min() : rows.max() + 1, columns.max()] == np.array(ACCENT)).all(
        -1
    ).sum() > 4  # its right edge


@pytest.mark.parametrize(("x_px", "box"), [(160, (60, 80, 200, 40)), (300, (10, 20, 305, 30)), (5, (0, 150, 40, 49))])
def test_a_label_leaves_what_it_is_about_free(x_px: float, box: tuple[int, int, int, int]) -> None:
    left, top, width, height = box
    mark = Mark(label="3. click (160, 100)", x_px=x_px, y_px=top + height / 2, box=Region(*box))
    bare = np.asarray(draw(page(255), [replace(mark, label="")]))
    labelled = np.asarray(draw(page(255), [mark]))
    is_other = (bare != labelled).any(-1)
    assert is_other.any()
    assert not is_other[top : top + height, left : left + width].any()


def test_small_pictures_and_long_labels_are_no_error() -> None:
    for size in ((1, 1), (3, 500), (500, 3)):
        picture = draw(page(9, *size), [Mark(label="long " * 50, x_px=0, y_px=0), Mark(label="a\nb\u6d4b")])
        assert picture.size == size


def target(**changes: object) -> Target:
    fields = {"x_px": 10.0, "y_px": 20.0, "confidence": 0.973, "refused": False} | changes
    return Target(instruction="Sign up", size=Size(320, 200), raw="", model="m", **fields)  # type: ignore[arg-type]


def test_a_target_with_and_without_a_point_can_be_drawn() -> None:
    plain = page(200).pixels_HW3
    for drawn in (target(), target(x_px=None, y_px=None, refused=True), target(confidence=None)):
        assert not np.array_equal(np.asarray(draw_target(page(200), drawn)), plain)


@pytest.mark.parametrize(
    "action",
    [
        Click(x_px=5, y_px=5),
        Drag(path=(Point(1, 1), Point(90, 90))),
        TypeText(text="a"),
        Click(x_px=9999, y_px=1),
        None,
    ],
)
def test_a_step_of_any_kind_can_be_drawn(trajectory: Trajectory, action: Action | None) -> None:
    step = Step(
        index=0,
        turn=0,
        before=trajectory.store(page(30)),
        after=None,
        action=action,
        error=None if action else "no action in the reply",
    )
    assert not np.array_equal(np.asarray(draw_step(step)), page(30).pixels_HW3)


def test_a_strip_holds_every_picture_at_one_width() -> None:
    pictures = [Image.new("RGB", size, "white") for size in ((100, 50), (200, 200), (50, 100))]
    sheet = strip(pictures, columns=2, width_px=60, gap_px=4)
    assert sheet.size == (2 * 64 + 4, 4 + 60 + 4 + 120 + 4)
    with pytest.raises(ValueError, match="needs pictures"):
        strip([])


def test_a_heat_map_is_hottest_where_both_distributions_are_and_shows_a_second_place() -> None:
    numbers = np.arange(1000)
    x_C = np.exp(-0.5 * ((numbers - 250) / 8) ** 2) + 0.1 * np.exp(-0.5 * ((numbers - 800) / 8) ** 2)
    y_C = np.exp(-0.5 * ((numbers - 500) / 8) ** 2)
    cells_YX = np.outer(y_C / y_C.sum(), x_C / x_C.sum()).astype(np.float32)
    beliefs = [(1.0, Belief(cells_YX, Region(0, 0, 320, 200)))]
    red, blue = (np.asarray(draw_heat_map(page(255), beliefs)).astype(int)[..., at] for at in (0, 2))
    hot = red - blue
    assert np.unravel_index(hot.argmax(), hot.shape) == (pytest.approx(100, abs=1), pytest.approx(80, abs=1))
    assert blue[100, 256] - red[100, 256] > 30
    assert (red[20, 80], blue[20, 80]) == (255, 255)


def test_a_drawing_is_saved_as_png() -> None:
    assert Image.open(io.BytesIO(to_png(draw(page(3), [])))).size == (320, 200)
