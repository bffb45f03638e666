from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
from moonhand.envs import Region
from moonhand.tasks.errors import BadRequest
from moonhand.tasks.nano_eval.ocr import Line, TextReader, find_text, require_packages
from PIL import Image, ImageDraw, ImageFont

LINES = [
    Line("Sign in", Region(10, 10, 70, 20)),
    Line("Home  Products  About us", Region(100, 10, 240, 20)),
    Line("Create acc0unt", Region(10, 100, 140, 20)),
]
has_reader = pytest.mark.skipif(find_spec("rapidocr") is None, reason="rapidocr is not installed")


@pytest.mark.parametrize(
    ("wanted", "x_px", "y_px"),
    [
        ("Sign in", 45, 20),
        ("sign IN", 45, 20),
        ("Products", 100 + 10 * 10, 20),  # characters 6 to 14 of 24
        ("About us", 100 + 20 * 10, 20),
        ("Create account", 80, 110),  # misread, and still the likest
    ],
)
def test_the_likest_line_or_run_of_words_is_found(wanted: str, x_px: float, y_px: float) -> None:
    found = find_text(LINES, wanted)
    assert found.point is not None
    assert (found.point.x_px, found.point.y_px) == (pytest.approx(x_px), pytest.approx(y_px))


def test_a_text_that_is_nowhere_has_no_point() -> None:
    assert find_text(LINES, "zzz").point is None
    assert find_text([], "Sign in").point is None


def test_a_missing_package_is_told_with_what_mends_it() -> None:
    require_packages("numpy")
    with pytest.raises(BadRequest, match="no_such_reader not installed: run `pip install numpy no_such_reader`"):
        require_packages("numpy", "no_such_reader")


@has_reader
@pytest.mark.slow
def test_the_reader_reads_a_drawn_word_where_it_stands() -> None:
    picture = Image.new("RGB", (400, 200), "white")
    ImageDraw.Draw(picture).text((200, 120), "Checkout", "black", ImageFont.load_default(28))
    found = find_text(TextReader().read(np.asarray(picture)), "Checkout")
    assert found.point is not None
    assert found.alike > 0.9
    assert 200 < found.point.x_px < 340
    assert 120 < found.point.y_px < 155
