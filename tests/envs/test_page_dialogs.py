"""Dialogs that a page opens, drawn onto its last frame and answered there by what only sees pixels."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from moonhand.envs import (
    AnswerDialog,
    BrowserConfig,
    BrowserEnv,
    Click,
    DialogOpen,
    Effect,
    Frame,
    Move,
    Navigate,
    Point,
    PressKeys,
    Size,
    TypeText,
    UnsupportedAction,
)

pytestmark = pytest.mark.browser

Serve = Callable[[Mapping[str, str]], str]
VIEWPORT = Size(480, 360)
SCALE = 1.5
BLUE, GREY = (11, 87, 208), (118, 118, 118)  # of the button that accepts, and the border of the other

PAGE = """<!doctype html><meta charset=utf-8><title>asks</title>
<body style="margin: 0; background: linear-gradient(#dfd, #9c9)" onclick="log.push(event.clientX)">
<script>
  window.log = [];
  const ask = (kind, ...words) => setTimeout(() => { document.title = String(window[kind](...words)) }, 0);
</script>"""
PAGES = {"/": PAGE, "/other": "<title>other</title>"}


@pytest.fixture(scope="module")
def shared(chromium: str, serve: Serve) -> Generator[BrowserEnv]:
    config = BrowserConfig(
        url=serve(PAGES),
        viewport=VIEWPORT,
        device_scale=SCALE,
        executable=chromium,
        dialogs="ask",
        settle_s=0.5,
        timeout_s=10,
    )
    with BrowserEnv(config) as env:
        yield env


@pytest.fixture
def page(shared: BrowserEnv) -> BrowserEnv:
    shared.perform(Navigate(url=shared.config.url))
    return shared


def ask(env: BrowserEnv, script: str) -> tuple[Frame, Frame]:
    """The page before and with the dialog."""
    before = env.observe()
    env.evaluate(f"void {script}")
    with suppress(DialogOpen):
        while True:  # until it is open
            env.evaluate("0")
    return before, env.observe()


def middle_of(frame: Frame, colour: tuple[int, int, int]) -> Point:
    """Of the right button in that colour."""
    is_it_HW = (frame.pixels_HW3 == colour).all(axis=2)
    columns = np.flatnonzero(is_it_HW.sum(axis=0) >= 20 * SCALE)
    runs = np.split(columns, np.flatnonzero(np.diff(columns) > 80 * SCALE) + 1)
    column = runs[-1]
    rows = np.flatnonzero(is_it_HW[:, column].any(axis=1))
    return Point(float(column.mean()), float(rows[rows > rows.max() - 40 * SCALE].mean()))


def click(env: BrowserEnv, place: Point) -> Effect:
    return env.perform(Click(x_px=place.x_px, y_px=place.y_px))


def test_a_drawn_dialog_lies_on_the_last_frame_at_its_scale(page: BrowserEnv) -> None:
    before, asked = ask(page, "ask('confirm', 'Delete the file?')")
    assert (asked.size, asked.scale) == (before.size, before.scale)
    differs_HW = (before.pixels_HW3 != asked.pixels_HW3).any(axis=2)
    assert not differs_HW[round(200 * SCALE) :].any()  # below the box it is the page
    assert differs_HW[: round(100 * SCALE)].any()
    assert asked.sha256 == page.observe().sha256  # no caret, nothing that moves
    page.perform(AnswerDialog(accept=False))
    assert page.evaluate("document.title") == "false"
    assert page.observe().sha256 == before.sha256


@pytest.mark.parametrize(("colour", "said"), [(BLUE, "true"), (GREY, "false")])
def test_a_click_on_a_drawn_button_answers(page: BrowserEnv, colour: tuple[int, int, int], said: str) -> None:
    _, asked = ask(page, "ask('confirm', 'Delete the file?')")
    effect = click(page, middle_of(asked, colour))
    assert effect.performed
    assert f"{'accepted' if said == 'true' else 'dismissed'} confirm 'Delete the file?'" in effect.detail
    assert effect.change in ("changed_near", "changed_far")
    assert page.evaluate("[document.title, log]") == [said, []]


def test_a_click_elsewhere_does_nothing_and_says_so(page: BrowserEnv) -> None:
    _, asked = ask(page, "ask('alert', 'told')")
    for place in (Point(5, 500), Point(asked.size.width_px / 2, 30)):  # on the page, and on the box
        effect = click(page, place)
        assert (effect.performed, effect.change) == (False, "no_change")
        assert effect.detail.endswith("a dialog is open and that did nothing to it: click OK")
    effect = page.perform(TypeText(text="a b"))
    assert (effect.performed, effect.change) == (False, "no_change")
    assert "no field for text" in effect.detail
    with pytest.raises(DialogOpen):
        page.perform(Move(x_px=5, y_px=5))
    with pytest.raises(UnsupportedAction, match="no '漢'"):
        page.perform(PressKeys(keys=("ctrl", "漢")))
    click(page, middle_of(asked, BLUE))
    assert page.evaluate("[document.title, log]") == ["undefined", []]


def test_the_text_of_a_prompt_is_typed_seen_and_given(page: BrowserEnv) -> None:
    _, asked = ask(page, "ask('prompt', 'Name?', 'Ada')")
    effect = page.perform(TypeText(text="Zoë 漢"))
    assert (effect.performed, effect.change) == (True, "changed_near")
    page.perform(PressKeys(keys=("backspace",)))
    typed = page.observe()
    assert typed.differs_from(asked)
    page.perform(TypeText(text="!"))
    assert page.observe().differs_from(typed)
    effect = page.perform(PressKeys(keys=("enter",)))
    assert "accepted prompt 'Name?'" in effect.detail
    assert page.evaluate("document.title") == "Zoë !"


@pytest.mark.parametrize(
    ("script", "actions", "said"),
    [
        ("ask('prompt', 'Name?', 'Ada')", [TypeText(text="", clear=True, submit=True)], ""),
        ("ask('prompt', 'Name?', 'Ada')", [TypeText(text="x"), PressKeys(keys=("escape",))], "null"),
        ("ask('confirm', 'Sure?')", [PressKeys(keys=("tab",)), PressKeys(keys=("space",))], "false"),
    ],
)
def test_keys_answer_as_in_a_window(
    page: BrowserEnv, script: str, actions: list[PressKeys | TypeText], said: str
) -> None:
    ask(page, script)
    for action in actions:
        page.observe()
        assert page.perform(action).performed
    assert page.evaluate("document.title") == said


def test_a_dialog_that_nobody_has_looked_at_takes_no_click(page: BrowserEnv) -> None:
    page.observe()
    page.evaluate("void ask('confirm', 'Sure?')")
    for _ in range(2):
        with pytest.raises(DialogOpen, match="Sure"):
            page.perform(Click(x_px=VIEWPORT.width_px * SCALE / 2, y_px=100))
    page.perform(AnswerDialog())
    assert page.evaluate("[document.title, log]") == ["true", []]


@pytest.mark.slow
def test_a_long_message_of_any_script_stays_on_the_screen_and_spaces_are_kept(page: BrowserEnv) -> None:
    before, asked = ask(page, r"ask('confirm', 'é漢😀 <b>\n  ' + 'long '.repeat(5000))")
    differs_HW = (before.pixels_HW3 != asked.pixels_HW3).any(axis=2)
    assert not differs_HW[-round(4 * SCALE) :].any()
    click(page, middle_of(asked, BLUE))
    assert page.evaluate("document.title") == "true"


def test_one_dialog_after_the_other_is_drawn_on_the_page_itself(page: BrowserEnv) -> None:
    before, first = ask(page, "setTimeout(() => { alert('a long word of greeting to you'); alert('b') })")
    assert 'a dialog "b" (alert)' in click(page, middle_of(first, BLUE)).detail
    second = page.observe()
    assert second.differs_from(first)
    assert not (before.pixels_HW3 != second.pixels_HW3).any(axis=2)[round(200 * SCALE) :].any()
    click(page, middle_of(second, BLUE))
    assert page.observe().sha256 == before.sha256


def test_whether_to_leave_a_page_is_asked_and_clicked(page: BrowserEnv) -> None:
    page.evaluate("void addEventListener('beforeunload', (event) => event.preventDefault())")
    page.perform(Click(x_px=50, y_px=500))
    for colour, title in ((GREY, "asks"), (BLUE, "other")):
        page.observe()
        assert "(beforeunload)" in page.perform(Navigate(url=f"{page.config.url}/other")).detail
        click(page, middle_of(page.observe(), colour))
        assert page.evaluate("document.title") == title


@pytest.mark.parametrize("policy", ["dismiss", "ask"])
def test_a_dialog_of_a_page_that_is_just_being_left_holds_nobody_up(
    page: BrowserEnv, policy: Literal["dismiss", "ask"]
) -> None:
    """Chromium takes no answer to one that opens once the next document has come, and keeps that waiting for ever."""
    config = replace(page.config, dialogs=policy)
    with nullcontext(page) if policy == "ask" else BrowserEnv(config) as env:
        js = "for (const end = Date.now() + 300; Date.now() < end;); alert('so late?')"
        env.evaluate(f"void setTimeout(() => {{ location.href = '/other'; {js} }})")
        time.sleep(0.5)  # until it has opened
        effect = env.perform(AnswerDialog() if policy == "ask" else Move(x_px=5, y_px=5))
        assert f"{page.config.url}/other was opened anew" in effect.detail
        env.perform(Move(x_px=5, y_px=5))
        assert env.evaluate("document.title") == "other"


def test_a_page_that_never_stops_asking_is_left(page: BrowserEnv) -> None:
    ask(page, "setInterval(() => { document.title = String(confirm('again?')) }, 50)")
    answered = 0
    while answered < 20:
        effect = page.perform(AnswerDialog())
        answered += 1
        if "without asking" in effect.detail:
            break
        time.sleep(0.06)  # until it asks again
    assert answered == 10
    page.perform(Navigate(url=f"{page.config.url}/other"))
    assert page.evaluate("document.title") == "other"


@pytest.mark.slow  # always: a page that begins with a dialog closes
def test_a_page_that_never_stops_asking_is_closed(page: BrowserEnv) -> None:
    with BrowserEnv(page.config) as env:
        ask(env, "setInterval(() => confirm('again?'), 10)")
        start_s = time.perf_counter()
    assert time.perf_counter() - start_s < 5
