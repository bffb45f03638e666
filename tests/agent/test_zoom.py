"""Looking closer: which parts are looked at, how answers come back to the screenshot, and how they vote."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moonhand.agent import Target, ZoomConfig, draw_grounding, locate
from moonhand.agent.belief import Mode
from moonhand.agent.confidence import Certainty, Spread
from moonhand.agent.look import crop
from moonhand.agent.target import Look, to_part, to_screen
from moonhand.agent.zoom import CELL_PX, clusters, ink, mass_map, pick_windows, refuse, settle, zoom_in
from moonhand.envs import Frame, Point, Region, Size
from PIL import Image

WINDOW = Size(280, 224)
CONFIG = ZoomConfig(refuse_below=0.0)


def spike(at: int) -> np.ndarray:
    probabilities_C = np.zeros(1000, np.float32)
    probabilities_C[at] = 1
    return probabilities_C


def target(x_px: float | None, y_px: float | None, size: Size, confidence: float, *modes: Mode) -> Target:
    spread = Spread(modes[0].x_C, modes[0].y_C) if modes else None
    return Target(
        instruction="click Go",
        x_px=x_px,
        y_px=y_px,
        size=size,
        confidence=confidence,
        refused=x_px is None,
        raw="",
        model="test",
        model_s=1.0,
        certainty=Certainty(confidence=confidence, spread=spread, numbers={}),
        modes=modes,
    )


SCREEN = Size(1400, 840)


def drawn(*places: tuple[int, int], size: Size = SCREEN) -> Frame:
    """A grey screen with black squares of 20 px."""
    pixels_HW3 = np.full((size.height_px, size.width_px, 3), 200, np.uint8)
    for x, y in places:
        pixels_HW3[y : y + 20, x : x + 20] = 0
    return Frame(pixels_HW3)


def finder(frame: Frame, wanted: tuple[int, int, int], asked: list[Region]) -> Callable[[Region], Target]:
    """Answers with the middle of the only square of this colour, or refuses."""

    def look(region: Region) -> Target:
        asked.append(region)
        part = crop(frame, region)
        ys, xs = np.nonzero((part.pixels_HW3 == np.array(wanted, np.uint8)).all(-1))
        if not len(xs):
            return target(None, None, part.size, 0.1)
        return target(float(xs.mean()), float(ys.mean()), part.size, 0.9)

    return look


def test_what_is_drawn_is_surveyed_where_the_first_answer_says_nothing() -> None:
    frame = drawn((100, 100), (1200, 700))
    frame.pixels_HW3.setflags(write=True)
    frame.pixels_HW3[700:720, 1200:1220] = (250, 0, 0)
    asked: list[Region] = []
    first = target(None, None, frame.size, 0.0)
    found = zoom_in(finder(frame, (250, 0, 0), asked), frame, first, CONFIG, WINDOW)
    assert found.point == Point(1209.5, 709.5)
    assert [look.why for look in found.looks] == ["survey", "survey", *["again"] * (len(found.looks) - 2)]
    assert len(asked) <= 3
    assert found.confidence == 0.9
    assert found.model_s == 1 + len(asked)


def test_where_the_probability_lies_is_looked_at_and_nothing_else() -> None:
    frame = drawn((100, 100), (700, 300), (1200, 700))
    modes = Mode(70, 0.7, spike(70), spike(130)), Mode(864, 0.3, spike(864), spike(845))
    asked: list[Region] = []
    first = target(98, 109, frame.size, 0.4, *modes)
    zoom_in(finder(frame, (0, 0, 0), asked), frame, first, CONFIG, WINDOW)
    assert len(asked) >= 2
    assert {(region.width_px, region.height_px) for region in asked} == {(280, 224)}
    assert any(Region(0, 0, 280, 300).contains(region.center) for region in asked)
    assert any(region.contains(Point(1210, 710)) for region in asked)
    assert not any(region.contains(Point(710, 310)) for region in asked)


def test_a_screen_no_larger_than_the_window_is_not_looked_into() -> None:
    frame = drawn((100, 100), size=Size(280, 224))
    first = target(1, 1, frame.size, 0.1)
    assert zoom_in(finder(frame, (0, 0, 0), []), frame, first, CONFIG, WINDOW) == first


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 5000), st.integers(1, 5000), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_place_in_a_part_comes_back_to_its_place_on_the_screenshot(
    width: int, height: int, left: float, top: float, x: float, y: float
) -> None:
    region = Region(round(left * 8000), round(top * 8000), width, height)
    point = Point(x * width, y * height)
    on_screen = to_screen(point, region)
    assert region.contains(on_screen) or x in (0, 1) or y in (0, 1)
    back = to_part(on_screen, region)
    assert (back.x_px, back.y_px) == (pytest.approx(point.x_px, abs=1e-6), pytest.approx(point.y_px, abs=1e-6))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 40), st.integers(1, 12), st.integers(1, 12))
def test_windows_lie_on_the_map_and_together_hold_everything(
    seed: int, rows: int, columns: int, high: int, wide: int
) -> None:
    rng = np.random.default_rng(seed)
    weights_YX = rng.random((rows, columns)) * (rng.random((rows, columns)) < 0.2)
    found = pick_windows(weights_YX, (high, wide), limit=10_000, enough=1.0)
    left_YX = weights_YX.copy()
    for top, left, height, width in found:
        assert 0 <= top <= rows - height
        assert 0 <= left <= columns - width
        left_YX[top : top + height, left : left + width] = 0
    assert left_YX.sum() == pytest.approx(0, abs=1e-9)
    assert len(pick_windows(weights_YX, (high, wide), limit=1, enough=1.0)) == bool(weights_YX.any())


def test_the_maps_count_cells_of_the_whole_screenshot() -> None:
    frame = drawn((30, 30), (1390, 830))
    assert np.argwhere(ink(frame)).tolist() == [[1, 1], [29, 49]]
    first = target(98, 109, frame.size, 0.4, Mode(0, 1.0, spike(0), spike(999)))
    belief = first.belief
    assert belief is not None
    mass_YX = mass_map(belief, frame.size)
    assert mass_YX.shape == (840 // CELL_PX, 1400 // CELL_PX)
    assert mass_YX[-1, 0] == pytest.approx(1)


def look(x_px: float, y_px: float, confidence: float) -> Look:
    return Look(Region(1000, 500, 280, 224), target(x_px, y_px, WINDOW, confidence), "mode")


def test_answers_that_agree_outvote_one_that_is_surer() -> None:
    looks = [look(200, 200, 0.7), look(20, 30, 0.5), look(25, 28, 0.6)]
    first = target(0, 0, Size(3840, 2160), 0.1)
    assert settle(first, looks, CONFIG).point == Point(1025, 528)
    assert settle(first, looks, ZoomConfig(vote=False)).point == Point(1200, 700)
    best, other = clusters(looks, CONFIG)
    assert best.score == pytest.approx(1 - 0.5 * 0.4)
    assert other.score == pytest.approx(0.7)


def test_an_answer_that_is_not_sure_enough_becomes_a_refusal_that_keeps_what_was_seen() -> None:
    first = target(0, 0, Size(3840, 2160), 0.1)
    settled = settle(first, [look(20, 30, 0.2)], CONFIG)
    refused = refuse(settled, 0.3)
    assert (refused.refused, refused.point) == (True, None)
    assert refused.error == "not sure enough: 0.20 is less than 0.30"
    assert len(refused.to_json()["zoom"]) == 1
    assert refuse(settled, 0.2) == settled


@pytest.mark.parametrize(
    "wrong", [{"below": 1.5}, {"refuse_below": -0.1}, {"crops": 0}, {"max_rounds": 0}, {"agree_px": float("nan")}]
)
def test_a_zoom_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ZoomConfig(**wrong)  # type: ignore[arg-type]


def test_a_picture_of_the_zoom_path_shows_its_frames_and_keeps_the_frame_as_it_was() -> None:
    frame = drawn((100, 100))
    before = frame.pixels_HW3.copy()
    settled = settle(target(0, 0, frame.size, 0.1), [look(20, 30, 0.5), look(200, 200, 0.4)], CONFIG)
    picture = np.asarray(draw_grounding(frame, settled)).astype(int)
    assert picture.shape == frame.pixels_HW3.shape
    assert np.abs(picture[505:720, 996:1000] - 200).max() > 90
    assert (frame.pixels_HW3 == before).all()


@pytest.mark.slow
@pytest.mark.browser
def test_nano_finds_a_small_button_of_a_large_screen_by_zooming(tmp_path: Path) -> None:
    from moonhand.model import load
    from moonhand.tasks.pages.held_out import render_pages

    samples = next(iter(render_pages([500_002])))[:2]
    page_HW3 = samples[0].pixels_HW3
    pixels_HW3 = np.full((1600, 2560, 3), (40, 70, 90), np.uint8)
    pixels_HW3[900 : 900 + page_HW3.shape[0], 1700 : 1700 + page_HW3.shape[1]] = page_HW3
    engine, frame = load("nano", device="cpu"), Frame(pixels_HW3)
    right, found = 0, None
    for sample in samples:
        assert sample.box is not None
        found = locate(engine, frame, sample.instruction, zoom=ZoomConfig(below=1.0, refuse_below=0.0))
        assert found.looks
        assert found.chosen is not None
        point = found.point
        right += point is not None and sample.box.contains(Point(point.x_px - 1700, point.y_px - 900))
    assert right >= 1
    assert found is not None
    draw_grounding(frame, found).save(tmp_path / "zoom.png")
    with Image.open(tmp_path / "zoom.png") as drawn_again:
        assert drawn_again.size == (2560, 1600)
