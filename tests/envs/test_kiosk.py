"""A browser that fills a display of its own: pixels of the display, real events, native pop-ups."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping

import numpy as np
import pytest
from moonhand.envs import (
    AnswerDialog,
    BrowserConfig,
    BrowserEnv,
    Click,
    CloseTab,
    DialogOpen,
    Effect,
    Frame,
    GetClipboard,
    KeyDown,
    Navigate,
    PressKeys,
    Region,
    Scroll,
    SetClipboard,
    Size,
    TypeText,
    Wait,
    find_chromium,
)

pytestmark = [pytest.mark.browser, pytest.mark.display]

Serve = Callable[[Mapping[str, str]], str]

CONTROLS = """<!doctype html><meta charset=utf-8><title>controls</title>
<style>
  html { scrollbar-width: none } body { margin: 0; height: 3000px; font: 16px sans-serif }
  body > * { position: absolute; box-sizing: border-box }
</style>
<select id=list style="left: 20px; top: 20px; width: 120px"><option>Alpha<option>Beta<option>Gamma</select>
<input id=day type=date style="left: 200px; top: 20px; width: 150px">
<input id=colour type=color style="left: 400px; top: 20px">
<button id=ask style="left: 20px; top: 140px; width: 90px; height: 30px"
  onclick="this.textContent = confirm('Delete it?')">ask</button>
<button id=new style="left: 120px; top: 140px; width: 90px; height: 30px"
  onclick="window.open('/popup', 'x', 'width=200,height=150')">open</button>
<textarea id=text style="left: 20px; top: 200px; width: 200px; height: 60px"></textarea>
<div id=pad style="left: 300px; top: 200px; width: 100px; height: 60px; background: #dcb"></div>
<script>
  window.places = [];
  window.keys = [];
  addEventListener("mousedown", (event) => places.push([event.clientX, event.clientY, event.isTrusted]));
  addEventListener("keydown", (event) => keys.push(event.key));
</script>"""
PAGES = {"/": CONTROLS, "/popup": "<title>popup</title><body style='background: #abc'><input id=field autofocus>"}


def kiosk_config(url: str, scale: float = 1.0) -> BrowserConfig:
    return BrowserConfig(
        url=url,
        viewport=Size(500, 400),
        device_scale=scale,
        surface="kiosk",
        executable=find_chromium(headless=False),
        dialogs="ask",
    )


@pytest.fixture(scope="module")
def shared(serve: Serve) -> Generator[BrowserEnv]:
    with BrowserEnv(kiosk_config(serve(PAGES))) as env:
        yield env


@pytest.fixture
def kiosk(shared: BrowserEnv) -> BrowserEnv:
    """The page as it was at first, seen."""
    shared.perform(Navigate(url=shared.config.url))
    shared.observe()
    return shared


def click(env: BrowserEnv, selector: str, share: float = 0.5) -> Effect:
    """On the middle line of it, at a share of its width."""
    x, y, width, height = env.evaluate(
        f"(() => {{ const r = {selector}.getBoundingClientRect(); return [r.x, r.y, r.width, r.height] }})()"
    )
    return env.perform(Click(x_px=x + share * width, y_px=y + height / 2))


def becomes(env: BrowserEnv, condition: str) -> bool:
    """What is chosen in a window of the browser's own reaches the page a moment after that has closed."""
    for _ in range(100):
        if env.evaluate(condition):
            return True
        env.perform(Wait(seconds_s=0.02))
    return False


def opened(env: BrowserEnv, before: Frame, height_px: int) -> Region:
    """The box around all that differs from before, once it is at least so high: some pop-ups take their time."""
    for _ in range(100):
        differs_HW = (before.pixels_HW3 != env.observe().pixels_HW3).any(axis=2)
        rows, columns = np.flatnonzero(differs_HW.any(axis=1)), np.flatnonzero(differs_HW.any(axis=0))
        if rows.size and rows[-1] - rows[0] >= height_px:
            return Region(columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1)
        time.sleep(0.05)
    pytest.fail(f"nothing {height_px} px high came up")


def test_a_native_list_is_seen_and_chosen_from(kiosk: BrowserEnv) -> None:
    before = kiosk.observe()
    effect = click(kiosk, "list")
    assert effect.change == "changed_near"
    box = opened(kiosk, before, 50)
    bottom_px = box.top_px + box.height_px
    kiosk.perform(Click(x_px=box.center.x_px, y_px=bottom_px - 8))
    assert becomes(kiosk, "list.value === 'Gamma'")


def test_calendars_and_colours_are_seen_and_touched(kiosk: BrowserEnv) -> None:
    before = kiosk.observe()
    click(kiosk, "day", 0.92)
    opened(kiosk, before, 150)
    kiosk.perform(Click(x_px=310, y_px=158))  # in the second of its weeks
    assert becomes(kiosk, "day.value !== ''")
    kiosk.perform(PressKeys(keys=("escape",)))

    before = kiosk.observe()
    click(kiosk, "colour")
    opened(kiosk, before, 100)
    kiosk.perform(PressKeys(keys=("escape",)))


def test_a_dialog_is_seen_and_touched_like_all_else_or_answered(kiosk: BrowserEnv) -> None:
    before = kiosk.observe()
    click(kiosk, "ask")
    opened(kiosk, before, 100)
    assert 'a dialog "Delete it?" (confirm) is open' in kiosk.perform(Wait(seconds_s=0)).detail
    with pytest.raises(DialogOpen):
        kiosk.perform(Navigate(url=kiosk.config.url))
    kiosk.perform(PressKeys(keys=("enter",)))
    assert becomes(kiosk, "ask.textContent === 'true'")
    before = kiosk.observe()
    click(kiosk, "ask")
    opened(kiosk, before, 100)
    assert kiosk.perform(AnswerDialog(accept=False)).change == "changed_near"
    assert kiosk.evaluate("ask.textContent") == "false"


def test_a_new_window_fills_the_display_and_is_left_when_it_closes(kiosk: BrowserEnv) -> None:
    before = kiosk.observe()
    effect = click(kiosk, "window.new")
    assert "a new tab opened" in effect.detail
    assert kiosk.url.endswith("/popup")
    assert kiosk.evaluate("[innerWidth, innerHeight]") == [500, 400]
    assert (kiosk.observe().pixels_HW3[-1, -1] == (0xAA, 0xBB, 0xCC)).all()
    kiosk.perform(TypeText(text="seen"))
    assert kiosk.evaluate("field.value") == "seen"
    kiosk.perform(CloseTab())
    click(kiosk, "pad")
    assert not (kiosk.observe().pixels_HW3[220:240, 320:380] != before.pixels_HW3[220:240, 320:380]).any()
    assert kiosk.evaluate("places.at(-1)") == [350, 230, True]


def test_text_of_any_script_is_typed_and_the_clipboard_is_the_displays(kiosk: BrowserEnv) -> None:
    kiosk.perform(SetClipboard(text="kept"))
    click(kiosk, "text")
    kiosk.perform(TypeText(text="Été <é漢😀> a+b"))
    assert kiosk.evaluate("text.value") == "Été <é漢😀> a+b"
    assert kiosk.perform(GetClipboard()).answer == "kept"
    kiosk.perform(TypeText(text="new", clear=True))
    assert kiosk.evaluate("text.value") == "new"


def test_a_page_that_nobody_has_clicked_gets_the_keys(kiosk: BrowserEnv) -> None:
    kiosk.perform(PressKeys(keys=("a",)))
    assert kiosk.evaluate("keys") == ["a"]


def test_the_wheel_turns_by_whole_notches_of_120_px(kiosk: BrowserEnv) -> None:
    for scroll, top in (
        (Scroll(dy=1), 120),
        (Scroll(dy=240, unit="px"), 360),
        (Scroll(dy=1, unit="page"), 720),  # 400 px are three notches
        (Scroll(dy=-1, unit="px"), 600),
    ):
        kiosk.perform(scroll)
        assert kiosk.evaluate("scrollY") == top


SLOW = pytest.mark.slow  # beside one that is tried always


@pytest.mark.parametrize("scale", [1.25, *(pytest.param(scale, marks=SLOW) for scale in (1.5, 2.0, 3.0))])
def test_a_pixel_of_the_frame_is_one_of_the_display_at_every_scale(serve: Serve, scale: float) -> None:
    page = CONTROLS.replace("</style>", "* { user-select: none }</style>")
    with BrowserEnv(kiosk_config(serve({"/": page}), scale)) as env:
        frame = env.observe()
        assert frame.size == Size(round(500 * scale), round(400 * scale))
        assert frame.scale == scale
        assert env.evaluate("[innerWidth, innerHeight, devicePixelRatio]") == [500, 400, scale]
        is_pad_HW = (frame.pixels_HW3 == (0xDD, 0xCC, 0xBB)).all(axis=2)
        rows, columns = np.flatnonzero(is_pad_HW.any(axis=1)), np.flatnonzero(is_pad_HW.any(axis=0))
        assert rows.tolist() == list(range(round(200 * scale), round(260 * scale)))
        assert columns.tolist() == list(range(round(300 * scale), round(400 * scale)))
        for css in (0, 123, 399):  # the first px and the last of a CSS px
            for x_px in (np.ceil(css * scale), np.ceil((css + 1) * scale) - 1):
                env.perform(Click(x_px=x_px, y_px=np.ceil((css + 1) * scale) - 1))
                assert becomes(env, f"'{css},{css},true' === '' + places.at(-1)")
        env.perform(KeyDown(key="shift"))
