from __future__ import annotations

import asyncio
import dataclasses
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, nullcontext, suppress
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from moonhand.envs import (
    Back,
    BrowserConfig,
    BrowserEnv,
    Click,
    CloseTab,
    Drag,
    EnvError,
    Move,
    Navigate,
    NewTab,
    NoBrowser,
    PageGone,
    Point,
    PressKeys,
    Scroll,
    Size,
    TypeText,
    Unreachable,
    UnsupportedAction,
    VirtualDisplay,
    Wait,
    find_chromium,
)
from moonhand.envs.page_dialogs import DialogPolicy
from PIL import Image
from playwright.sync_api import sync_playwright

pytestmark = pytest.mark.browser

Serve = Callable[[Mapping[str, str]], str]
VIEWPORT = Size(640, 400)

BOARD = """<!doctype html><meta charset=utf-8><title>board</title>
<style>body { margin: 0; height: 3000px; font: 16px sans-serif } body > * { position: absolute; box-sizing: border-box }
</style>
<button id=one style="left: 20px; top: 20px; width: 61px; height: 31px">one</button>
<button id=two style="left: 81px; top: 20px; width: 61px; height: 31px">two</button>
<input id=field style="left: 20px; top: 80px; width: 300px; height: 30px">
<div id=pad style="left: 20px; top: 130px; width: 300px; height: 100px; background: #ddd"></div>
<select id=choice style="left: 400px; top: 20px; width: 100px"><option>Alpha<option>Beta<option>Gamma</select>
<a id=tab href="/tab" target=_blank style="left: 400px; top: 300px">open a tab</a>
<a id=slow href="/slow?delay_s=0.3" style="left: 400px; top: 340px">slow page</a>
<button id=ask style="left: 20px; top: 300px; width: 90px; height: 30px"
  onclick="this.textContent = confirm('Delete it?')">ask</button>
<button id=late style="left: 120px; top: 300px; width: 90px; height: 30px"
  onclick="fetch('/words?delay_s=0.3').then(r => r.text()).then(t => { this.textContent = t })">late</button>
<script>
  window.log = [];
  const kinds = ["click", "dblclick", "contextmenu", "auxclick", "mousedown", "mouseup", "keydown", "keyup"];
  for (const kind of kinds) addEventListener(kind, (event) => log.push(
    {kind, id: event.target.id ?? "", button: event.button, key: event.key, shift: event.shiftKey, x: event.clientX}));
</script>"""
PAGES = {
    "/": BOARD,
    "/tab": "<body style='margin: 0'><button onclick='window.close()' style='width: 200px; height: 200px'>x</button>",
    "/slow": "<title>slow</title>arrived",
    "/words": "came late",
}


SLOW = pytest.mark.slow  # what starts a browser more for a fact of which another case is tried always


@pytest.fixture(scope="module")
def board_config(chromium: str, serve: Serve) -> BrowserConfig:
    return BrowserConfig(url=serve(PAGES), viewport=VIEWPORT, executable=chromium)


@pytest.fixture(scope="module")
def shared(board_config: BrowserConfig) -> Generator[BrowserEnv]:
    with BrowserEnv(board_config) as env:
        yield env


@pytest.fixture(scope="module")
def at_scale(board_config: BrowserConfig) -> Generator[Callable[[float], BrowserEnv]]:
    """The one environment of each device scale."""
    with ExitStack() as stack:

        @cache
        def opened(scale: float) -> BrowserEnv:
            return stack.enter_context(BrowserEnv(dataclasses.replace(board_config, device_scale=scale)))

        yield opened


@pytest.fixture
def board(shared: BrowserEnv) -> BrowserEnv:
    shared.perform(Navigate(url=shared.config.url))
    return shared


def middle_of(env: BrowserEnv, selector: str, scale: float = 1.0) -> Point:
    box = env.evaluate(f"(() => {{ const r = document.querySelector('{selector}').getBoundingClientRect();"
                       "return [r.x + r.width / 2, r.y + r.height / 2] })()")  # fmt: skip
    return Point(box[0] * scale, box[1] * scale)


def click_on(env: BrowserEnv, selector: str, scale: float = 1.0) -> Click:
    point = middle_of(env, selector, scale)
    return Click(x_px=point.x_px, y_px=point.y_px)


def events(env: BrowserEnv, kind: str) -> list[tuple[str, int]]:
    return [(event["id"], event["button"]) for event in env.evaluate("log") if event["kind"] == kind]


@pytest.mark.parametrize("scale", [pytest.param(1.0, marks=SLOW), 1.5, pytest.param(2.0, marks=SLOW)])
def test_a_pixel_of_the_screenshot_is_the_same_element_at_every_scale(
    at_scale: Callable[[float], BrowserEnv], scale: float
) -> None:
    env = at_scale(scale)
    env.perform(Navigate(url=env.config.url))
    assert env.observe().size == Size(round(640 * scale), round(400 * scale))
    last_of_one, first_of_two = 80.5 * scale, 81.5 * scale  # the buttons meet at x = 81 CSS px
    env.perform(Click(x_px=last_of_one, y_px=50 * scale))
    env.perform(Click(x_px=first_of_two, y_px=21 * scale))
    assert events(env, "click") == [("one", 0), ("two", 0)]

    env.perform(Scroll(dy=1, x_px=300 * scale, y_px=300 * scale))
    assert env.evaluate("scrollY") == 100
    env.perform(click_on(env, "#pad", scale))
    assert events(env, "click")[-1] == ("pad", 0)

    env.perform(Scroll(dy=-1))
    frame = env.observe()
    pad_left, pad_top, pad_bottom = (round(css_px * scale) for css_px in (20, 130, 230))
    is_pad_H = (frame.pixels_HW3[:, pad_left + 1] == 0xDD).all(axis=1)
    assert np.flatnonzero(is_pad_H).tolist() == list(range(pad_top, pad_bottom))


def test_the_pixels_are_those_of_the_browsers_own_screenshot(
    at_scale: Callable[[float], BrowserEnv], chromium: str, serve: Serve
) -> None:
    url = serve({"/": "<body style='height: 3000px; background: linear-gradient(red, blue 700px)'>text"})
    env = at_scale(1.5)
    env.perform(Navigate(url=url))
    env.perform(Scroll(dy=3))
    ours_HW3 = env.observe().pixels_HW3
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=chromium) as browser:
        page = browser.new_page(viewport={"width": 640, "height": 400}, device_scale_factor=1.5)
        page.goto(url)
        page.evaluate("scrollTo(0, 300)")
        with Image.open(io.BytesIO(page.screenshot())) as image:
            np.testing.assert_array_equal(ours_HW3, np.asarray(image.convert("RGB")))


def test_every_kind_of_click_and_a_drag_reach_the_page(board: BrowserEnv) -> None:
    pad = middle_of(board, "#pad")
    board.observe()
    board.perform(Move(x_px=pad.x_px, y_px=pad.y_px))
    board.perform(Click(x_px=pad.x_px, y_px=pad.y_px, count=2))
    assert events(board, "dblclick") == [("pad", 0)]
    board.perform(Click(x_px=pad.x_px, y_px=pad.y_px, button="right"))
    assert events(board, "contextmenu") == [("pad", 2)]
    board.perform(Click(x_px=pad.x_px, y_px=pad.y_px, button="middle"))
    assert events(board, "auxclick")[-1] == ("pad", 1)
    board.perform(Click(x_px=pad.x_px, y_px=pad.y_px, modifiers=("shift",)))
    assert board.evaluate("log.findLast((event) => event.kind == 'click').shift") is True
    board.perform(PressKeys(keys=("x",)))
    assert board.evaluate("log.findLast((event) => event.kind == 'keydown').shift") is False

    board.perform(Drag(path=(Point(30, 180), Point(100, 200), Point(310, 180))))
    presses = board.evaluate("log.filter((event) => event.kind.startsWith('mouse')).slice(-2)")
    assert [(event["kind"], event["x"]) for event in presses] == [("mousedown", 30), ("mouseup", 310)]


def test_text_of_any_script_is_typed_replaced_and_submitted(board: BrowserEnv) -> None:
    board.perform(click_on(board, "#field"))
    board.perform(TypeText(text="Été <é漢😀> a+b"))
    assert board.evaluate("field.value") == "Été <é漢😀> a+b"
    board.perform(TypeText(text="new", clear=True, submit=True))
    assert board.evaluate("field.value") == "new"
    assert board.evaluate("log.findLast((event) => event.kind == 'keydown').key") == "Enter"


def test_a_look_right_after_a_script_shows_what_the_script_did(board: BrowserEnv) -> None:
    board.perform(Move(x_px=5, y_px=395))
    board.evaluate("document.body.style.background = 'rgb(1, 2, 3)'")
    assert board.observe().pixels_HW3[395, 5].tolist() == [1, 2, 3]


@pytest.mark.slow  # Chromium leaves one in thirty looks unanswered, and each costs a second
def test_a_page_that_goes_from_address_to_address_can_be_looked_at(board: BrowserEnv, serve: Serve) -> None:
    going = "<title>going</title><script>setTimeout(() => location.search = Math.random(), 150)</script>"
    board.perform(Navigate(url=serve({"/": going})))
    for _ in range(200):
        assert board.observe().size == VIEWPORT


def test_chords_are_pressed_and_let_go(board: BrowserEnv) -> None:
    board.perform(click_on(board, "#field"))
    board.perform(TypeText(text="abc"))
    board.perform(PressKeys(keys=("ctrl", "a")))
    board.perform(PressKeys(keys=("ctrl", "c")))
    board.perform(PressKeys(keys=("end",)))
    board.perform(PressKeys(keys=("ctrl", "v"), repeat=2))
    assert board.evaluate("field.value") == "abcabcabc"
    board.perform(PressKeys(keys=("shift", "a")))
    assert board.evaluate("field.value") == "abcabcabcA"
    downs, ups = (board.evaluate(f"log.filter((event) => event.kind == 'key{way}').length") for way in ("down", "up"))
    assert downs == ups
    with pytest.raises(UnsupportedAction, match="type it as text"):
        board.perform(PressKeys(keys=("ctrl", "漢")))


def test_a_native_select_is_chosen_by_clicks(board: BrowserEnv) -> None:
    board.perform(click_on(board, "#choice"))
    board.perform(click_on(board, "#choice option:nth-child(3)"))
    assert board.evaluate("choice.value") == "Gamma"


def test_an_effect_says_whether_the_screen_changed(board: BrowserEnv) -> None:
    board.observe()
    assert board.perform(Wait(seconds_s=0.1)).changed is False
    board.perform(click_on(board, "#field"))
    board.observe()
    assert board.perform(Wait(seconds_s=0.7)).changed is False  # no blinking caret
    assert board.perform(TypeText(text="x")).changed is True


def test_what_arrives_late_is_waited_for(board: BrowserEnv) -> None:
    board.perform(click_on(board, "#late"))
    assert board.evaluate("late.textContent") == "came late"
    board.perform(click_on(board, "#slow"))
    assert board.evaluate("document.title") == "slow"


def test_back_goes_to_the_earlier_page_and_not_before_the_first(board: BrowserEnv) -> None:
    board.perform(NewTab(url=board.config.url))
    board.perform(click_on(board, "#slow"))
    effect = board.perform(Back())
    assert effect.performed
    assert board.evaluate("document.title") == "board"
    effect = board.perform(Back())
    assert not effect.performed
    assert "no earlier page" in effect.detail
    board.perform(CloseTab())


def test_the_newest_tab_is_followed_and_left_when_it_closes(board: BrowserEnv) -> None:
    effect = board.perform(click_on(board, "#tab"))
    assert "a new tab opened" in effect.detail
    assert board.url.endswith("/tab")
    assert board.observe().size == VIEWPORT
    effect = board.perform(Click(x_px=100, y_px=100))
    assert "a tab closed" in effect.detail
    assert board.evaluate("document.title") == "board"
    assert board.observe().size == VIEWPORT


@pytest.mark.parametrize(("policy", "answer"), [("dismiss", "false"), ("accept", "true")])
def test_dialogs_are_answered_and_reported(board: BrowserEnv, policy: DialogPolicy, answer: str) -> None:
    config = dataclasses.replace(board.config, dialogs=policy)
    with nullcontext(board) if config == board.config else BrowserEnv(config) as env:
        effect = env.perform(click_on(env, "#ask"))
        assert f"{policy}ed confirm 'Delete it?'" in effect.detail
        assert env.evaluate("ask.textContent") == answer
        env.evaluate("void setTimeout(() => { alert('late'); document.title = 'after' }, 50)")
        time.sleep(0.2)  # it opens while nobody looks
        assert env.observe().size == VIEWPORT
        assert env.evaluate("document.title") == "after"
        assert "accepted alert 'late'" in env.perform(Wait(seconds_s=0)).detail
        env.evaluate("addEventListener('beforeunload', (event) => event.preventDefault())")
        env.perform(click_on(env, "#one"))
        assert "beforeunload" in env.perform(Navigate(url=f"{config.url}/slow")).detail
        assert env.evaluate("document.title") == "slow"


@pytest.mark.parametrize("url", ["http://127.0.0.1:4/", pytest.param("https://no-such-host.example", marks=SLOW)])
def test_a_url_that_does_not_answer_is_told_before_the_run_starts(chromium: str, url: str) -> None:
    before = children()
    with pytest.raises(Unreachable, match=url), BrowserEnv(BrowserConfig(url=url, executable=chromium)):
        pytest.fail("the body must not start")
    assert children() <= before


def test_a_url_that_does_not_answer_in_mid_run_leaves_the_environment_usable(board: BrowserEnv) -> None:
    with pytest.raises(Unreachable, match="ERR_CONNECTION_REFUSED"):
        board.perform(Navigate(url="http://127.0.0.1:4/"))
    assert board.perform(Navigate(url=board.config.url)).performed
    assert board.evaluate("document.title") == "board"


def test_a_page_that_closes_or_crashes_is_gone(whole_chromium: str, serve: Serve) -> None:
    config = BrowserConfig(url=serve(PAGES) + "/tab", viewport=VIEWPORT, executable=whole_chromium)
    with BrowserEnv(config) as env:
        env.perform(Navigate(url="chrome://version"))
        with pytest.raises(PageGone, match="crashed"):
            env.perform(Navigate(url="chrome://crash"))
        with pytest.raises(PageGone, match="open the environment again"):
            env.observe()


def test_a_page_that_hangs_is_ended_after_the_time_limit(chromium: str, serve: Serve) -> None:
    url = serve({"/": "<button onclick='for (;;) {}' style='width: 100px; height: 100px'>hang</button>"})
    config = BrowserConfig(url=url, viewport=VIEWPORT, executable=chromium, timeout_s=2, settle_s=0.5)
    with BrowserEnv(config) as env:
        with pytest.raises(PageGone, match=r"did not answer for 2 s at: click \(50, 50\)"):
            env.perform(Click(x_px=50, y_px=50))
        with pytest.raises(PageGone):
            env.observe()


@pytest.mark.parametrize("surface", ["window", "kiosk"])
def test_a_headless_shell_is_not_waited_for_where_a_window_is_asked_for(
    surface: Literal["window", "kiosk"], tmp_path: Path
) -> None:
    shell = tmp_path / "chrome-headless-shell"
    shell.touch(mode=0o755)
    config = BrowserConfig(url="about:blank", surface=surface, executable=str(shell))
    with pytest.raises(NoBrowser, match="opens no window"), BrowserEnv(config):
        pass


def test_a_page_too_large_to_be_drawn_is_refused_at_once() -> None:
    for viewport, scale in ((Size(16_385, 100), 1.0), (Size(100, 9_000), 2.0)):
        with pytest.raises(ValueError, match="too large: 16384 px a side"):
            BrowserConfig(viewport=viewport, device_scale=scale)


def test_a_missing_browser_is_named_with_the_command_that_mends_it() -> None:
    config = BrowserConfig(url="about:blank", executable="/nowhere/chromium")
    with pytest.raises(NoBrowser, match="playwright install chromium"), BrowserEnv(config):
        pytest.fail("the body must not start")
    assert find_chromium("/nowhere/chromium") is None


def test_an_environment_that_is_not_open_says_so(chromium: str) -> None:
    env = BrowserEnv(BrowserConfig(url="about:blank", executable=chromium))
    with pytest.raises(EnvError, match="with BrowserEnv"):
        env.observe()
    with env:
        pass
    env.close()
    with pytest.raises(EnvError, match="not open"):
        env.perform(Wait(seconds_s=0))
    with env:
        assert env.url == "about:blank"
        assert env.perform(Wait(seconds_s=0)).changed is None  # there was no look to compare with


def test_ctrl_c_ends_the_browser_and_the_program(chromium: str) -> None:
    program = (
        "from moonhand.envs import *\n"
        f"with BrowserEnv(BrowserConfig(url='about:blank', executable={chromium!r})) as env:\n"
        "    print(env._parts[0].thread.process_id, flush=True)\n"
        "    env.perform(Wait(seconds_s=60))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        browser_pid = int(process.stdout.readline())
        time.sleep(0.3)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the program and Playwright's driver
        _, complaint = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in complaint
    assert process.returncode == -signal.SIGINT
    assert has_ended(browser_pid)


def test_two_browsers_live_side_by_side_under_a_running_event_loop(board: BrowserEnv) -> None:
    async def use_two() -> list[str]:
        with BrowserEnv(board.config) as one:
            one.perform(click_on(one, "#field"))
            one.perform(TypeText(text="mine"))
            return [env.evaluate("field.value") for env in (one, board)]

    assert asyncio.run(use_two()) == ["mine", ""]


@pytest.mark.display
def test_a_browser_with_a_window_behaves_the_same(chromium: str, serve: Serve, virtual_display: VirtualDisplay) -> None:
    executable = find_chromium(headless=False) or chromium
    config = BrowserConfig(
        url=serve(PAGES), viewport=VIEWPORT, executable=executable, surface="window", display=virtual_display.display
    )
    with BrowserEnv(config) as env:
        assert env.observe().size == VIEWPORT
        env.perform(click_on(env, "#two"))
        assert events(env, "click") == [("two", 0)]
        env.perform(click_on(env, "#tab"))
        deadline_s = time.monotonic() + 20
        while env.evaluate("location.pathname") != "/tab" and time.monotonic() < deadline_s:
            env.observe()  # a browser that is busy shows its new tab late
        env.observe()
        env.perform(Click(x_px=100, y_px=100))
        assert env.evaluate("document.title") == "board"


def children() -> set[str]:
    """The processes that this one has started and that still run."""
    found: set[str] = set()
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError):  # a thread that has just ended
            found.update((task / "children").read_text().split())
    return found


def has_ended(pid: int, limit_s: float = 20.0) -> bool:
    deadline_s = time.monotonic() + limit_s
    while time.monotonic() < deadline_s:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False
