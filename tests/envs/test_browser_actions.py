"""What a page is asked for beyond clicks and keys; on a page at two device pixels per CSS px that asks back."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Generator, Mapping
from pathlib import Path

import pytest
from moonhand.envs import (
    AnswerDialog,
    Back,
    BrowserConfig,
    BrowserEnv,
    Click,
    CloseTab,
    DialogOpen,
    Drag,
    Forward,
    GetClipboard,
    KeyDown,
    KeyUp,
    MouseDown,
    MouseUp,
    Move,
    Navigate,
    NewTab,
    Point,
    PressKeys,
    Reload,
    Scroll,
    SelectOption,
    SetClipboard,
    Size,
    SwitchTab,
    TypeText,
    UnsupportedAction,
    Upload,
    Wait,
)

pytestmark = pytest.mark.browser

Serve = Callable[[Mapping[str, str]], str]
SCALE = 2.0

BOARD = """<!doctype html><meta charset=utf-8><title>board</title>
<style>
  body { margin: 0; width: 3000px; height: 3000px; font: 16px sans-serif }
  body > * { position: absolute; box-sizing: border-box; margin: 0 }
  button { width: 90px; height: 30px }
</style>
<div id=pad style="left: 20px; top: 20px; width: 200px; height: 60px; background: #ddd"></div>
<textarea id=field style="left: 20px; top: 100px; width: 200px; height: 60px"></textarea>
<label id=named for=choice style="left: 20px; top: 180px">country</label>
<select id=choice style="left: 100px; top: 180px; width: 120px">
  <option>Alpha<option>Beta  two<option disabled>Gamma<optgroup label=more><option label="Delta">d</optgroup></select>
<iframe id=inner style="left: 240px; top: 20px; width: 160px; height: 70px; border: 3px solid; padding: 5px"
  srcdoc="<body style='margin: 0'><select id=within style='margin: 10px 0 0 20px'><option>one<option>two"></iframe>
<div id=shadow style="left: 240px; top: 120px; width: 120px; height: 30px"></div>
<input id=file type=file style="left: 20px; top: 220px; width: 220px; height: 30px">
<input id=many type=file multiple hidden>
<button id=give style="left: 260px; top: 220px" onclick="many.click()">give</button>
<button id=confirm style="left: 20px; top: 270px" onclick="this.textContent = confirm('Delete it?')">ask</button>
<button id=prompt style="left: 120px; top: 270px" onclick="this.textContent = prompt('Name?', 'Ada')">name</button>
<button id=twice style="left: 220px; top: 270px"
  onclick="alert('a'); alert('b'); this.textContent = 'told'">two</button>
<button id=later style="left: 320px; top: 270px"
  onclick="setTimeout(() => { this.textContent = confirm('Still there?') }, 300)">later</button>
<div id=far style="left: 20px; top: 320px" onclick="mark.textContent = 'far away'">far</div>
<div id=mark style="left: 400px; top: 180px">-</div>
<button id=spin style="left: 120px; top: 320px"
  onclick="setInterval(() => { mark.textContent = Math.random() }, 10)">spin</button>
<script>
  shadow.attachShadow({mode: "open"}).innerHTML = "<select style='width: 100%'><option>in<option>out</select>";
  window.log = [];
  const kinds = ["mousedown", "mouseup", "keydown", "keyup", "blur", "focus", "visibilitychange"];
  for (const kind of kinds) addEventListener(kind, (event) => log.push(
    {kind, key: event.key, x: event.clientX, shift: event.shiftKey, ctrl: event.ctrlKey, again: event.repeat}), true);
</script>"""
PAGES = {"/": BOARD, "/other": "<title>other</title><p>other", "/greets": "<script>alert('hello')</script>welcome"}


@pytest.fixture(scope="module")
def shared(chromium: str, serve: Serve) -> Generator[BrowserEnv]:
    config = BrowserConfig(
        url=serve(PAGES),
        viewport=Size(480, 360),
        device_scale=SCALE,
        executable=chromium,
        dialogs="ask",
        settle_s=0.5,
    )
    with BrowserEnv(config) as env:
        yield env


@pytest.fixture
def board(shared: BrowserEnv) -> BrowserEnv:
    shared.perform(Navigate(url=shared.config.url))
    shared.observe()
    return shared


def middle_of(env: BrowserEnv, selector: str) -> Point:
    x, y = env.evaluate(
        f"(() => {{ const box = document.querySelector('{selector}').getBoundingClientRect();"
        "return [box.x + box.width / 2, box.y + box.height / 2] })()"
    )
    return Point(x * SCALE, y * SCALE)


def test_a_tab_that_nobody_has_seen_is_not_touched(board: BrowserEnv) -> None:
    board.evaluate("open('about:blank').document.title = 'pop-up'")
    for action in (Click(x_px=5, y_px=5), PressKeys(keys=("enter",)), Back()):
        with pytest.raises(UnsupportedAction, match=r"another tab has come to the front .*about:blank.*look again"):
            board.perform(action)
    board.observe()
    assert board.perform(Click(x_px=5, y_px=5)).performed
    board.perform(CloseTab())
    assert board.perform(Click(x_px=5, y_px=5)).performed  # the look at the end of the action before has seen it


def click_on(env: BrowserEnv, selector: str) -> Click:
    point = middle_of(env, selector)
    return Click(x_px=point.x_px, y_px=point.y_px)


def select_at(env: BrowserEnv, selector: str, option: str) -> SelectOption:
    point = middle_of(env, selector)
    return SelectOption(x_px=point.x_px, y_px=point.y_px, option=option)


def events(env: BrowserEnv, kind: str, field: str) -> list[object]:
    return env.evaluate(f"log.filter((event) => event.kind == '{kind}').map((event) => event.{field})")


def test_a_button_is_held_over_moves_and_a_drag_holds_keys(board: BrowserEnv) -> None:
    board.perform(MouseDown(x_px=60, y_px=60))
    board.perform(Move(x_px=200, y_px=60))
    assert events(board, "mouseup", "x") == []
    board.perform(MouseUp())
    assert (events(board, "mousedown", "x"), events(board, "mouseup", "x")) == ([30], [100])
    board.perform(Drag(path=(Point(60, 60), Point(300, 60)), modifiers=("ctrl", "shift")))
    assert events(board, "mouseup", "x") == [100, 150]
    assert [events(board, "mouseup", key) for key in ("ctrl", "shift")] == [[False, True]] * 2
    assert len(events(board, "keyup", "key")) == 2


def test_a_drag_takes_its_time_and_passes_through_its_path(board: BrowserEnv) -> None:
    board.evaluate(
        "(() => { window.way = []; for (const kind of ['mousedown', 'mousemove', 'mouseup']) addEventListener(kind,"
        "(event) => way.push([event.clientX, event.clientY, event.buttons, event.timeStamp])) })()"
    )
    path = (Point(60, 60), Point(360, 60), Point(360, 160))
    effect = board.perform(Drag(path=path, duration_s=0.4))
    assert effect.detail.startswith("drag (60, 60) to (360, 160) in 0.4 s")
    _, (*first, _, down_ms), *moves, (*last, is_down, up_ms) = board.evaluate("way")  # the first moves to its start
    assert (first, last, is_down) == ([30, 30], [180, 80], 0)
    assert up_ms - down_ms > 300
    assert len(moves) >= 8
    corner_ms = min(ms for x, _, _, ms in moves if x == 180)
    assert 0.5 < (corner_ms - down_ms) / (up_ms - down_ms) < 0.9  # three quarters of the way
    assert all(buttons == 1 and (y == 30 or x == 180) for x, y, buttons, _ in moves)


@pytest.mark.parametrize(
    ("scroll", "reached"),
    [
        (Scroll(dy=2), [0, 200]),
        (Scroll(dy=300, unit="px"), [0, 150]),
        (Scroll(dx=0.5, dy=1, unit="page"), [240, 360]),
    ],
)
def test_a_scroll_goes_as_far_as_its_unit_says(board: BrowserEnv, scroll: Scroll, reached: list[int]) -> None:
    board.perform(scroll)
    assert board.evaluate("[scrollX, scrollY]") == reached


def test_text_is_pasted_whole_and_typed_key_by_key(board: BrowserEnv) -> None:
    board.perform(click_on(board, "#field"))
    board.perform(TypeText(text="Été\t漢\n😀", via="paste"))
    assert board.evaluate("field.value") == "Été\t漢\n😀"
    assert events(board, "keydown", "key") == []
    board.perform(TypeText(text="ab漢", via="keys", clear=True))
    assert board.evaluate("field.value") == "ab漢"
    assert events(board, "keydown", "key")[-2:] == ["a", "b"]


def test_a_key_is_held_for_a_time_and_types_again_meanwhile(board: BrowserEnv) -> None:
    board.perform(click_on(board, "#field"))
    start_s = time.perf_counter()
    board.perform(PressKeys(keys=("shift", "x"), hold_s=0.6))
    assert time.perf_counter() - start_s >= 0.6
    typed = board.evaluate("field.value")
    assert typed == "X" * len(typed)
    assert 2 <= len(typed) <= 4
    assert events(board, "keyup", "key") == ["X", "Shift"]


def test_a_held_key_stays_down_over_actions_and_tabs_until_it_is_let_go(board: BrowserEnv) -> None:
    board.perform(KeyDown(key="shift"))
    board.perform(click_on(board, "#pad"))
    board.perform(PressKeys(keys=("shift", "a")))
    assert events(board, "mousedown", "shift") == [True]
    assert events(board, "keyup", "key") == ["A"]
    board.perform(NewTab(url=board.config.url))
    board.perform(click_on(board, "#pad"))
    assert events(board, "mousedown", "shift") == [True]
    board.perform(KeyUp(key="shift"))
    board.perform(click_on(board, "#pad"))
    assert events(board, "mousedown", "shift") == [True, False]
    board.perform(CloseTab())
    assert events(board, "keyup", "key") == ["A", "Shift"]


def test_a_wait_ends_once_the_screen_changes_or_is_still(board: BrowserEnv) -> None:
    board.evaluate("void setTimeout(() => { pad.style.background = '#33c' }, 300)")
    effect = board.perform(Wait(seconds_s=20, until="change"))
    assert effect.act_s < 10
    assert effect.change == "changed_near"
    board.observe()
    effect = board.perform(Wait(seconds_s=0.1, until="change"))
    assert effect.detail == "wait 0.1 s at most, until change; it has not changed"
    assert effect.change == "no_change"
    assert 0.5 <= board.perform(Wait(seconds_s=20, until="still")).act_s < 10
    board.perform(click_on(board, "#spin"))
    assert "it has not come to rest" in board.perform(Wait(seconds_s=0.3, until="still")).detail


def test_the_clipboard_is_read_and_written_and_the_page_notices_nothing(board: BrowserEnv) -> None:
    board.perform(click_on(board, "#field"))
    board.perform(TypeText(text="here "))
    board.evaluate("void (log.length = 0)")
    effect = board.perform(SetClipboard(text="né 漢\n😀"))
    assert (effect.performed, effect.answer) == (True, None)
    assert board.perform(GetClipboard()).answer == "né 漢\n😀"
    assert board.evaluate("log.length") == 0
    board.perform(PressKeys(keys=("ctrl", "v")))
    assert board.evaluate("field.value") == "here né 漢\n😀"
    denied = "navigator.clipboard.readText().then(() => 'read', () => 'denied')"
    assert board.evaluate(denied) == "denied"  # the page itself has gained no permission


def test_an_entry_of_a_list_is_chosen_by_its_words(board: BrowserEnv) -> None:
    board.evaluate("void choice.addEventListener('change', () => { mark.textContent = 'heard' })")
    board.perform(select_at(board, "#choice", "beta  TWO"))
    assert board.evaluate("[choice.selectedIndex, mark.textContent]") == [1, "heard"]
    board.perform(select_at(board, "#named", "Delta"))
    assert board.evaluate("choice.value") == "d"
    board.perform(click_on(board, "#choice"))
    board.perform(select_at(board, "#choice option", "Alpha"))  # in the open list
    assert board.evaluate("[choice.value, choice.matches(':open')]") == ["Alpha", False]
    board.perform(select_at(board, "#shadow", "out"))
    assert board.evaluate("shadow.shadowRoot.firstChild.value") == "out"
    board.perform(SelectOption(x_px=2 * 290, y_px=2 * 46, option="two"))
    assert board.evaluate("inner.contentDocument.querySelector('select').value") == "two"


def test_an_entry_that_is_not_there_is_told_with_those_that_are(board: BrowserEnv) -> None:
    with pytest.raises(UnsupportedAction, match="no such entry; it has 'Alpha', 'Beta two', 'Gamma', 'Delta'"):
        board.perform(select_at(board, "#choice", "Bet"))
    with pytest.raises(UnsupportedAction, match="does not let this entry be chosen"):
        board.perform(select_at(board, "#choice", "Gamma"))
    with pytest.raises(UnsupportedAction, match="no native list; click to open it"):
        board.perform(select_at(board, "#pad", "Alpha"))
    assert board.evaluate("[choice.value, log.length]") == ["Alpha", 0]


def test_files_reach_the_control_the_button_and_the_open_dialog(board: BrowserEnv, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.txt", "b.txt")]
    for path in paths:
        path.write_text(path.name)
    one, both = (str(paths[0]),), tuple(map(str, paths))
    names = "(control) => [...control.files].map((file) => file.name)"

    def upload_to(selector: str, given: tuple[str, ...]) -> Upload:
        point = middle_of(board, selector)
        return Upload(paths=given, x_px=point.x_px, y_px=point.y_px)

    board.perform(upload_to("#file", one))
    assert board.evaluate(f"({names})(file)") == ["a.txt"]
    assert board.perform(upload_to("#give", both)).performed
    assert board.evaluate(f"({names})(many)") == ["a.txt", "b.txt"]
    assert "a file dialog opened" in board.perform(click_on(board, "#give")).detail
    board.perform(Upload(paths=one))
    assert board.evaluate(f"({names})(many)") == ["a.txt"]

    with pytest.raises(UnsupportedAction, match="no file dialog is open"):
        board.perform(Upload(paths=one))
    with pytest.raises(UnsupportedAction, match="takes one file, not 2"):
        board.perform(upload_to("#file", both))
    board.evaluate("void (log.length = 0)")
    with pytest.raises(UnsupportedAction, match=r"there is no file .*c\.txt"):
        board.perform(upload_to("#give", (*one, str(tmp_path / "c.txt"))))
    assert board.evaluate("log.length") == 0
    effect = board.perform(upload_to("#pad", one))
    assert not effect.performed
    assert "opened no file dialog" in effect.detail


def test_history_goes_both_ways_and_a_reload_starts_anew(board: BrowserEnv) -> None:
    board.perform(Navigate(url=f"{board.config.url}/other"))
    board.perform(Back())
    assert board.evaluate("document.title") == "board"
    board.perform(Forward())
    assert board.evaluate("document.title") == "other"
    effect = board.perform(Forward())
    assert not effect.performed
    assert "no later page" in effect.detail
    board.evaluate("void (document.title = 'changed')")
    board.perform(Reload())
    assert board.evaluate("document.title") == "other"


def test_tabs_keep_their_order_and_the_one_in_front_may_be_any(board: BrowserEnv) -> None:
    board.perform(NewTab(url=f"{board.config.url}/other"))
    board.perform(NewTab())
    assert board.url == "about:blank"
    effect = board.perform(SwitchTab(index=0))
    assert "tab 0 of 3 is in front" in effect.detail
    assert board.evaluate("document.title") == "board"
    board.perform(SwitchTab(index=-2))
    assert board.evaluate("document.title") == "other"
    board.perform(CloseTab(index=2))  # not the one in front, which stays there
    assert board.evaluate("document.title") == "other"
    with pytest.raises(UnsupportedAction, match=r"no such tab; the tabs are 0 .*, 1 .*other"):
        board.perform(SwitchTab(index=2))
    board.perform(CloseTab())
    assert board.evaluate("document.title") == "board"
    with pytest.raises(UnsupportedAction, match="the only one"):
        board.perform(CloseTab())
    assert board.observe().size == Size(960, 720)


def test_a_dialog_stays_open_and_holds_all_else_until_it_is_answered(board: BrowserEnv) -> None:
    before = board.observe()
    effect = board.perform(click_on(board, "#confirm"))
    assert effect.performed
    assert effect.detail.endswith('; a dialog "Delete it?" (confirm) is open: accept or dismiss it first')
    assert (effect.changed, effect.change) == (None, None)
    assert board.observe().differs_from(before)
    with pytest.raises(DialogOpen, match=r'a dialog "Delete it\?" .* is open'):
        board.perform(Move(x_px=5, y_px=5))
    with pytest.raises(DialogOpen):
        board.evaluate("1")
    effect = board.perform(AnswerDialog())
    assert effect.detail == "accept the dialog; accepted confirm 'Delete it?'"
    assert effect.changed
    assert board.evaluate("document.querySelector('#confirm').textContent") == "true"
    with pytest.raises(UnsupportedAction, match="none is open"):
        board.perform(AnswerDialog())


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (AnswerDialog(text="Zoë"), "Zoë"),
        (AnswerDialog(), "Ada"),
        (AnswerDialog(accept=False), "null"),
    ],
)
def test_a_prompt_gets_a_text_its_suggestion_or_nothing(board: BrowserEnv, answer: AnswerDialog, said: str) -> None:
    assert "(prompt, suggesting 'Ada')" in board.perform(click_on(board, "#prompt")).detail
    board.perform(answer)
    assert board.evaluate("String(document.querySelector('#prompt').textContent || null)") == said


def test_one_dialog_after_the_other_is_answered(board: BrowserEnv) -> None:
    assert 'a dialog "a" (alert)' in board.perform(click_on(board, "#twice")).detail
    assert 'a dialog "b" (alert)' in board.perform(AnswerDialog()).detail
    board.perform(AnswerDialog(accept=False))
    assert board.evaluate("twice.textContent") == "told"


def test_an_action_for_a_page_that_began_to_ask_by_itself_is_not_done_later(board: BrowserEnv) -> None:
    far = click_on(board, "#far")
    board.perform(click_on(board, "#later"))
    time.sleep(0.5)
    with pytest.raises(DialogOpen, match="Still there"):
        board.perform(far)
    board.perform(AnswerDialog(accept=False))
    assert board.evaluate("[later.textContent, mark.textContent]") == ["false", "-"]


def test_a_page_that_begins_with_a_dialog_is_open_and_closes(board: BrowserEnv) -> None:
    config = dataclasses.replace(board.config, url=f"{board.config.url}/greets")
    with BrowserEnv(config) as env:
        assert env.observe().size == Size(960, 720)
        assert env.perform(AnswerDialog()).changed
        assert env.evaluate("document.body.textContent") == "welcome"
        env.perform(Navigate(url=config.url))


def test_an_effect_says_where_the_screen_changed(board: BrowserEnv) -> None:
    assert board.perform(click_on(board, "#pad")).change == "no_change"
    board.observe()
    effect = board.perform(click_on(board, "#far"))
    assert (effect.change, effect.changed) == ("changed_far", True)
    board.perform(click_on(board, "#field"))
    board.observe()
    assert board.perform(TypeText(text="x")).change == "changed_near"
    board.observe()
    effect = board.perform(click_on(board, "#spin"))
    assert effect.changed
    assert effect.change in ("still_moving", "changed_far")  # as long as it is not known to move for ever
