from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from moonhand.agent import bits_apart, fingerprint
from moonhand.agent.fingerprint import fingerprint_from_json
from moonhand.envs import Element, Frame, Point
from PIL import Image, ImageDraw

FONT_SIZE = 16


def screen(words: str, *, left: int = 200, color: str = "#2457d6", scale: float = 1.0) -> Frame:
    """A gray page with one button, 120x32 px, its top at 100."""
    picture = Image.new("RGB", (640, 400), "#eeeeee")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((left, 100, left + 119, 131), fill=color)
    draw.text((left + 20, 108), words, fill="white", font_size=FONT_SIZE)
    return Frame(np.asarray(picture), scale)


def button(left: float = 200, width: float = 120) -> Element:
    return Element(tag="button", left_px=left, top_px=100, width_px=width, height_px=32)


def test_the_crop_is_the_element_where_it_holds_the_point_and_a_patch_around_it_else() -> None:
    frame = screen("Sign up")
    assert fingerprint(frame, Point(260, 116), button()).box == (200, 100, 320, 132)
    assert fingerprint(frame, Point(260, 116)).box == (212, 92, 308, 140)
    assert fingerprint(frame, Point(20, 20), button()).box == (0, 0, 68, 44)  # it lies elsewhere
    assert fingerprint(screen("Sign up", scale=2.0), Point(260, 116)).box == (164, 68, 356, 164)


def test_small_elements_are_grown_and_large_ones_are_cut_around_the_point() -> None:
    box = Element(tag="input", left_px=100, top_px=50, width_px=13, height_px=13)
    assert fingerprint(screen(""), Point(106, 56), box).box == (90, 44, 122, 68)
    page = Element(tag="main", left_px=-50, top_px=-50, width_px=4000, height_px=4000)
    left, top, right, bottom = fingerprint(screen(""), Point(400, 200), page).box
    assert (right - left, bottom - top) == (320, 160)
    assert left < 400 < right
    assert top < 200 < bottom


def test_the_same_control_elsewhere_has_the_same_hashes_and_another_one_does_not() -> None:
    here = fingerprint(screen("Sign up"), Point(260, 116), button())
    there = fingerprint(screen("Sign up", left=300), Point(360, 116), button(300))
    shaded = fingerprint(screen("Sign up", color="#1a44ad"), Point(260, 116), button())
    renamed = fingerprint(screen("Delete all"), Point(260, 116), button())
    assert (here.sha256, here.phash, here.ahash) == (there.sha256, there.phash, there.ahash)
    assert shaded.sha256 != here.sha256
    assert bits_apart(here.phash, shaded.phash) <= 6 < bits_apart(here.phash, renamed.phash)


def test_the_hash_of_a_crop_is_that_of_a_frame_which_shows_just_that() -> None:
    frame = screen("Sign up")
    mark = fingerprint(frame, Point(260, 116), button())
    left, top, right, bottom = mark.box
    assert Frame(frame.pixels_HW3[top:bottom, left:right]).sha256 == mark.sha256


@pytest.mark.parametrize("point", [Point(0, 0), Point(639.9, 399.9), Point(0.4, 399)])
def test_a_crop_at_an_edge_is_never_empty_and_holds_the_point(point: Point) -> None:
    mark = fingerprint(screen(""), point, Element(tag="i", left_px=-9, top_px=-9, width_px=9.2, height_px=9.2))
    assert mark.left_px <= point.x_px < mark.left_px + mark.width_px
    assert mark.top_px <= point.y_px < mark.top_px + mark.height_px
    with pytest.raises(ValueError, match="outside the 640x400 px frame"):
        fingerprint(screen(""), Point(640, 0))


def test_a_fingerprint_is_read_back() -> None:
    mark = fingerprint(screen("Sign up"), Point(260, 116), button())
    assert fingerprint_from_json(json.loads(json.dumps(asdict(mark))) | {"later": 1}) == mark
