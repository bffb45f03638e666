"""Controls whose native pop-ups would be drawn, but let clicks through: none opens, and all can be set."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from moonhand.envs import (
    Action,
    BrowserConfig,
    BrowserEnv,
    Click,
    Navigate,
    Point,
    PressKeys,
    SelectOption,
    Size,
    TypeText,
    UnsupportedAction,
    Upload,
)

pytestmark = pytest.mark.browser

Serve = Callable[[Mapping[str, str]], str]
PICKERS = ("date", "datetime", "month", "week", "time", "color", "fruit")
LISTS = ("plain", "sized", "bare", "open", "shut", "markup", "lit")

BOARD = """<!doctype html><meta charset=utf-8><title>board</title>
<style>
  body { margin: 0; font: 14px sans-serif }
  #under { position: absolute; inset: 0; width: 100%; height: 100%; border: 0; background: #def }
  .row { position: relative; width: 200px; height: 46px; margin: 0 0 0 10px }
  .row > * { box-sizing: border-box; width: 200px; height: 26px; padding: 0 2px }
  .sheer { appearance: none !important }
  input::-webkit-calendar-picker-indicator { display: block; position: absolute; inset: 0; opacity: 0.1 }
  #pickers { pointer-events: none }
  #pickers input { pointer-events: auto }
  #lists { position: absolute; left: 240px; top: 0 }
  #far { position: absolute; left: 240px; top: 340px }
</style>
<button id=under onclick="log.push('under')"></button>
<div id=pickers>
<div class=row><input id=date type=date min=2020-01-01 max=2029-12-31></div>
<div class=row><input id=datetime type=datetime-local></div>
<div class=row><input id=month type=month></div>
<div class=row><input id=week type=week></div>
<div class=row><input id=time type=time></div>
<div class=row><input id=color type=color></div>
<div class=row><input id=fruit list=fruits></div>
<div class=row><input id=range type=range min=10 max=50 step=5 value=10></div>
</div>
<datalist id=fruits><option value=apple>Red apple</option><option>pear</datalist>
<div id=lists>
  <div class=row><select id=plain><option>Alpha<option>Beta</select></div>
  <div class=row><select id=sized size=1><option>Alpha<option>Beta</select></div>
  <div class=row><select id=bare class=sheer><option>Alpha<option>Beta</select></div>
  <div class=row id=open></div>
  <div class=row id=shut></div>
  <div class=row id=markup><template shadowrootmode=open>
    <select style="width: 200px; height: 26px"><option>Alpha<option>Beta</select></template></div>
  <div class=row id=lit></div>
</div>
<div id=far>
  <select id=many multiple size=3><option>one<option>two<option>three</select>
  <input id=locked type=date disabled><button id=show onclick="color.showPicker()">show</button>
</div>
<script>
  window.log = []; window.inner = {};
  for (const [id, mode] of [["open", "open"], ["shut", "closed"], ["lit", "open"]]) {
    const root = document.getElementById(id).attachShadow({mode});
    root.innerHTML = "<select style='width: 200px; height: 26px'><option>Alpha<option>Beta</select>";
    inner[id] = root.firstChild;
    if (id === "lit") root.adoptedStyleSheets = [new CSSStyleSheet()];
  }
  inner.markup = document.getElementById("markup").shadowRoot.querySelector("select");
  const listOf = (id) => inner[id] ?? document.getElementById(id);
  for (const kind of ["input", "change"]) addEventListener(kind, (event) => log.push(kind));
</script>"""
FILES = """<!doctype html><meta charset=utf-8><title>files</title>
<style>body { margin: 0 } body > * { position: absolute; left: 10px; width: 200px; height: 30px }</style>
<input id=folder type=file webkitdirectory style="top: 10px">
<input id=hidden type=file multiple style="display: none">
<button id=choose style="top: 60px" onclick="document.getElementById('hidden').click()">choose</button>
<div id=zone style="top: 110px; background: #ddd">drop here</div>
<script>
  window.got = [];
  zone.addEventListener("dragover", (event) => { event.preventDefault(); event.stopPropagation(); });
  zone.addEventListener("drop", async (event) => {
    event.preventDefault();
    for (const file of event.dataTransfer.files) got.push(file.name, await file.text());
  });
</script>"""


@pytest.fixture(scope="module")
def opened(chromium: str, serve: Serve) -> Generator[Callable[[float], BrowserEnv]]:
    """The one environment of each device scale."""
    url = serve({"/": BOARD, "/files": FILES})
    with ExitStack() as stack:

        @cache
        def at(scale: float) -> BrowserEnv:
            config = BrowserConfig(
                url=url, viewport=Size(480, 420), device_scale=scale, executable=chromium, settle_s=0.3
            )
            return stack.enter_context(BrowserEnv(config))

        yield at


@pytest.fixture
def board(opened: Callable[[float], BrowserEnv], request: pytest.FixtureRequest) -> BrowserEnv:
    env = opened(getattr(request, "param", 2.0))
    env.perform(Navigate(url=env.config.url))
    return env


SMALL = pytest.param(1.0, marks=pytest.mark.slow, id="scale-1")
at_both_scales = pytest.mark.parametrize("board", [SMALL, pytest.param(2.0, id="scale-2")], indirect=True)


def place_in(env: BrowserEnv, script: str, x_part: float = 0.5, y_part: float = 0.5) -> Point:
    """A place in the box of an element, in parts of its width and height."""
    left, top, width, height = env.evaluate(
        f"(() => {{ const box = {script}.getBoundingClientRect(); return [box.x, box.y, box.width, box.height] }})()"
    )
    scale = env.config.device_scale
    return Point((left + x_part * width) * scale, (top + y_part * height) * scale)


def click_at(place: Point) -> Click:
    return Click(x_px=place.x_px, y_px=place.y_px)


def click(env: BrowserEnv, place: Point) -> None:
    env.perform(click_at(place))


def choose(env: BrowserEnv, control: str, option: str) -> None:
    place = place_in(env, f"document.getElementById('{control}')")
    env.perform(SelectOption(x_px=place.x_px, y_px=place.y_px, option=option))


def upload(env: BrowserEnv, control: str, *paths: Path) -> bool:
    place = place_in(env, f"document.getElementById('{control}')")
    action = Upload(x_px=place.x_px, y_px=place.y_px, paths=tuple(map(str, paths)))
    return env.perform(action).performed


@at_both_scales
def test_no_picker_opens_and_a_click_beneath_a_field_is_what_it_looks_like(board: BrowserEnv) -> None:
    scale = board.config.device_scale
    for name in PICKERS:
        field = f"document.getElementById('{name}')"
        click(board, place_in(board, field, 0.95))
        before = board.observe()
        value = board.evaluate(f"{field}.value")
        top, bottom = (place_in(board, field, 0.5, part).y_px for part in (0, 1))
        ways: list[Action] = [PressKeys(keys=keys) for keys in (("f4",), ("alt", "down"), ("space",))]
        if name == "color":
            ways.append(click_at(place_in(board, "show")))
        for way in ways:
            board.perform(way)
            differs_HW = (before.pixels_HW3 != board.observe().pixels_HW3).any(axis=2)
            rows = np.flatnonzero(differs_HW[: round(330 * scale), : round(230 * scale)].any(axis=1))
            assert ((rows >= top - 4 * scale) & (rows <= bottom + 4 * scale)).all(), name  # its own focus ring at most
        assert board.evaluate(f"[{field}.value.trim(), log.splice(0).includes('under')]") == [value, False], name
        click(board, place_in(board, field, 0.5, 1.5))
        assert board.evaluate("log.splice(0).at(-1)") == "under", name


@at_both_scales
def test_every_list_opens_in_the_page_and_takes_the_click(board: BrowserEnv) -> None:
    for name in LISTS:
        click(board, place_in(board, f"listOf('{name}')"))
        click(board, place_in(board, f"listOf('{name}').options[1]"))
        assert board.evaluate(f"[listOf('{name}').value, log.splice(0)[0]]") == ["Beta", "input"], name


def test_fields_are_set_by_value_with_the_events_of_a_person(board: BrowserEnv) -> None:
    board.evaluate("""void Object.defineProperty(range, 'value', {configurable: true,
        get() { return 10 }, set() { throw new Error('a framework keeps its own') }})""")
    for name, option, value in (
        ("date", "2026-11-22", "2026-11-22"),
        ("datetime", "2026-11-22T14:30", "2026-11-22T14:30"),
        ("month", "2026-11", "2026-11"),
        ("week", "2026-W47", "2026-W47"),
        ("time", "14:30", "14:30"),
        ("color", "#FF0000", "#ff0000"),
        ("fruit", "red  Apple", "apple"),
        ("range", "35", "35"),
    ):
        choose(board, name, option)
        if name == "range":
            board.evaluate("delete range.value")
        state = f"[{name}.value, document.activeElement.id, log.splice(0)]"
        assert board.evaluate(state) == [value, name, ["input", "change"]]
        choose(board, name, option)
        assert board.evaluate("log.splice(0)") == []  # nothing changed


def test_a_value_that_a_field_does_not_take_is_told_with_those_it_takes(board: BrowserEnv) -> None:
    for name, option, told in (
        ("date", "22.11.2026", "a value such as '2026-11-22' from 2020-01-01 to 2029-12-31"),
        ("date", "1999-01-01", "from 2020-01-01"),
        ("time", "half past two", "a value such as '14:30'"),
        ("week", "47", "a value such as '2026-W47'"),
        ("color", "red", "a value such as '#ff0000'"),
        ("range", "37", "a number from 10 to 50 in steps of 5"),
        ("range", "90", "a number from 10 to 50"),
        ("fruit", "plum", "only 'Red apple', 'pear'"),
        ("locked", "2026-11-22", "does not let this field be changed now"),
        ("under", "x", "no native list"),
    ):
        with pytest.raises(UnsupportedAction, match=told):
            choose(board, name, option)
    assert board.evaluate("[log, document.activeElement.tagName]") == [[], "BODY"]


def test_dates_and_times_are_typed_by_keys(board: BrowserEnv) -> None:
    for name, text, value in (("date", "11222026", "2026-11-22"), ("time", "0230PM", "14:30")):
        click(board, place_in(board, name, 0.05))
        board.perform(TypeText(text=text))
        assert board.evaluate(f"{name}.value") == value


def test_entries_of_a_list_of_many_add_up(board: BrowserEnv) -> None:
    choose(board, "many", "three")
    choose(board, "many", "one")
    state = "[[...many.selectedOptions].map((one) => one.value), log.splice(0)]"
    assert board.evaluate(state) == [["one", "three"], ["input", "change"] * 2]
    click(board, place_in(board, "many.options[1]"))
    assert board.evaluate("[...many.selectedOptions].map((one) => one.value)") == ["two"]


def test_files_reach_folders_hidden_inputs_and_drop_zones(board: BrowserEnv, tmp_path: Path) -> None:
    board.perform(Navigate(url=f"{board.config.url}/files"))
    paths = [tmp_path / name for name in ("a.txt", "b.txt")]
    for path in paths:
        path.write_text(f"text of {path.name}")
    names = "(id) => [...document.getElementById(id).files].map((file) => file.name).sort()"
    assert upload(board, "folder", tmp_path)
    assert board.evaluate(f"({names})('folder')") == ["a.txt", "b.txt"]
    assert upload(board, "choose", *paths)
    assert board.evaluate(f"({names})('hidden')") == ["a.txt", "b.txt"]
    with pytest.raises(UnsupportedAction, match="takes one folder"):
        upload(board, "folder", paths[0])
    with pytest.raises(UnsupportedAction, match="takes files, not a folder"):
        upload(board, "choose", tmp_path)
    assert upload(board, "zone", *paths)
    assert board.evaluate("got") == ["a.txt", "text of a.txt", "b.txt", "text of b.txt"]
