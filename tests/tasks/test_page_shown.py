"""Measuring a page in a real Chromium: what counts as seen, and where words and their letters lie."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from moonhand.envs import BrowserConfig, BrowserEnv, Size
from moonhand.tasks.pages.shown import Marker, Markup, Shown, show

pytestmark = pytest.mark.browser
STYLE = (
    "<style>*{margin:0;padding:0}body{width:300px;height:200px;overflow:hidden;font:20px/30px 'DejaVu Sans'}</style>"
)


@pytest.fixture(scope="module")
def env(chromium: str) -> Iterator[BrowserEnv]:
    with BrowserEnv(BrowserConfig(url="about:blank", viewport=Size(300, 200), executable=chromium)) as opened:
        yield opened


def shown(env: BrowserEnv, body: str, marker: Marker) -> Shown:
    html = f"<!DOCTYPE html>{STYLE}<body>{body}</body>"
    return show(env, Markup(html=html, width_px=300, height_px=200, marks=tuple(marker.marks)))


def ink_px(page: Shown, left: float, top: float, right: float, bottom: float) -> tuple[int, int]:
    """First and last column with anything dark in a box, px."""
    inside_HW3 = page.pixels_HW3[int(top) : int(bottom), int(left) : int(right)]
    dark_W = np.flatnonzero(inside_HW3.min(axis=(0, 2)) < 128)
    return int(left) + int(dark_W[0]), int(left) + int(dark_W[-1])


def test_words_lie_where_their_ink_is_and_their_edges_between_the_letters(env: BrowserEnv) -> None:
    page = shown(env, "<p style='padding-left:40px'>Hello lllH</p>", Marker())
    assert [word.text for word in page.words] == ["Hello", "lllH"]
    for word in page.words:
        left, top, right, bottom = word.box
        first, last = ink_px(page, left - 4, top, right + 4, bottom)
        assert left <= first <= left + 4
        assert right - 4 <= last <= right
        assert len(word.edges_px) == len(word.text) + 1
        assert list(word.edges_px) == sorted(word.edges_px)
        assert (word.edges_px[0], word.edges_px[-1]) == pytest.approx((left, right), abs=0.1)
    narrow, *_, wide = np.diff(page.words[1].edges_px)
    assert wide > 2 * narrow


def test_words_typed_into_a_field_lie_where_their_ink_is(env: BrowserEnv) -> None:
    field = "<input value='Hello Hill' style='border:1px solid #ccc;padding:4px 12px;font:20px \"DejaVu Sans\"'>"
    page = shown(env, field, Marker())
    assert [word.text for word in page.words] == ["Hello", "Hill"]
    for word in page.words:
        left, top, right, bottom = word.box
        first, last = ink_px(page, left - 3, top + 6, right + 3, bottom - 6)
        assert abs(first - left) <= 4
        assert abs(last - right) <= 4


def test_text_takes_no_more_room_than_it_has(env: BrowserEnv) -> None:
    marker = Marker()
    page = shown(env, marker.text("Hill", tag="h3", style="font-size:20px"), marker)
    ((mark, control),) = page.marked
    assert mark.label == "Hill"
    assert control.box[2] < 80
    assert control.box[0] < control.point[0] < control.box[2]


def test_what_is_covered_cut_off_or_behind_a_dialog_is_no_control(env: BrowserEnv) -> None:
    marker = Marker()
    body = (
        f"<div{marker.mark('button', 'plain')}>plain</div>"
        f"<div{marker.mark('button', 'covered')} style='position:absolute;top:40px'>covered</div>"
        "<div style='position:absolute;top:40px;width:300px;height:30px;background:#eee'></div>"
        f"<div data-behind><div{marker.mark('button', 'behind')} style='position:absolute;top:80px'>behind</div></div>"
        f"<div{marker.mark('button', 'low')} style='position:absolute;top:185px'>low</div>"
        "<div style='position:absolute;top:120px;width:60px;overflow:hidden'>"
        f"<div{marker.mark('button', 'clipped at the side')} style='white-space:nowrap'>clipped at the side</div></div>"
    )
    page = shown(env, body, marker)
    assert [mark.label for mark, _ in page.marked] == ["plain"]
    assert {mark.label for mark in page.partly} == {"plain", "covered", "behind", "low", "clipped at the side"}
    assert "covered" not in [word.text for word in page.words]
    assert "behind" in [word.text for word in page.words]
    assert "covered" in page.texts


def test_a_check_box_is_pressed_at_its_square_and_a_field_has_its_label_as_a_part(env: BrowserEnv) -> None:
    marker = Marker()
    tick = f"<label{marker.mark('checkbox', 'Tea')}><input data-point type=checkbox>Tea</label>"
    mark = marker.mark("field", "Name")
    body = f"<div>{tick}</div><div data-part={marker.last}>Name</div><input{mark}>"
    (_, box), (_, field) = shown(env, body, marker).marked
    assert box.point[0] < (box.box[0] + box.box[2]) / 2 - 5
    assert len(field.parts) == 2
    assert field.parts[1][3] <= field.box[1] + 5
