"""What lies behind frames, shadow roots, canvases and the like: the picture shows it and input reaches it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Generator, Mapping
from pathlib import Path

import numpy as np
import pytest
from moonhand.envs import (
    BrowserConfig,
    BrowserEnv,
    Click,
    CloseTab,
    Drag,
    Frame,
    Navigate,
    Point,
    PressKeys,
    Scroll,
    SelectOption,
    Size,
    TypeText,
)

pytestmark = pytest.mark.browser

Serve = Callable[[Mapping[str, str]], str]
SCALE = 1.5

# Every target is a field of a colour of its own: it is found by that colour, as a model would find it.
INNER = """<!doctype html><meta charset=utf-8><body style="margin: 0">
<style>input { position: absolute; left: 8px; top: 6px; width: 60px; height: 20px; border: 0; padding: 0;
  background: COLOUR; color: COLOUR; outline: 0 }</style><input oninput="top.postMessage(['NAME', this.value], '*')">"""
NEST = """<!doctype html><body style="margin: 0"><iframe src="SRC"
  style="position: absolute; left: 10px; top: 4px; width: 90px; height: 34px; border: 2px solid"></iframe>"""
BOARD = """<!doctype html><meta charset=utf-8><title>board</title>
<style>
  body { margin: 0; font: 14px sans-serif } body > * { position: absolute; box-sizing: border-box }
  iframe { width: 110px; height: 44px; border: 3px solid #888; padding: 1px }
  .field { width: 60px; height: 20px; border: 0; padding: 0; outline: 0 }
</style>
<iframe src="ACROSS" style="left: 10px; top: 10px"></iframe>
<iframe src="NESTED" style="left: 140px; top: 10px"></iframe>
<iframe src="ACROSS2" style="left: 300px; top: 20px; transform: rotate(8deg) scale(1.3)"></iframe>
<iframe src="file:///x" style="left: 240px; top: 80px; width: 30px; height: 20px"></iframe>
<canvas id=canvas width=80 height=30 style="left: 140px; top: 80px; width: 80px; height: 30px"></canvas>
<div style="left: 200px; top: 60px; zoom: 1.25"><div style="transform: scale(0.8) skewX(10deg)">
  <input class=field style="background: rgb(0, 90, 0); color: rgb(0, 90, 0)" oninput="got.skew = this.value">
</div></div>
<div id=editable contenteditable class=field style="left: 10px; top: 140px; background: rgb(90, 0, 0);
  color: rgb(90, 0, 0)" oninput="got.editable = this.textContent"></div>
<input class=field style="left: 100px; top: 140px; background: rgb(90, 90, 0); color: rgb(90, 90, 0)"
  onfocus="jump.focus()"><input id=jump class=field style="left: 180px; top: 140px; background: #ddd"
  oninput="got.jump = this.value">
<div id=card draggable=true style="left: 10px; top: 180px; width: 40px; height: 30px; background: rgb(0, 90, 90)"></div>
<div id=slot style="left: 150px; top: 180px; width: 60px; height: 40px; background: rgb(90, 0, 90)"></div>
<div id=scroller style="left: 250px; top: 140px; width: 100px; height: 80px; overflow: auto; background: #eee">
  <div style="height: 600px"></div></div>
<div id=menued style="left: 370px; top: 140px; width: 60px; height: 40px; background: rgb(10, 60, 110)"></div>
<div id=menu hidden style="left: 370px; top: 190px; width: 60px; height: 30px; background: rgb(110, 60, 10)"></div>
<button id=full style="left: 10px; top: 240px; width: 60px; height: 30px; background: rgb(60, 110, 10); border: 0">
</button>
<button id=lock style="left: 90px; top: 240px; width: 60px; height: 30px; background: rgb(60, 10, 110); border: 0">
</button>
<button id=popup style="left: 170px; top: 240px; width: 60px; height: 30px; background: rgb(10, 110, 60); border: 0"
  onclick="const own = open('', '', 'width=300,height=200'); own.document.write(
    '<body style=margin:0><select id=list style=width:90px;height:30px><option>Alpha<option>Beta</select>')"></button>
<a href="/tab" target=_blank
  style="left: 250px; top: 240px; width: 60px; height: 30px; background: rgb(110, 10, 60)"></a>
<script>
  window.got = {};
  addEventListener("message", ({data: [name, value]}) => { got[name] = value });
  window.told = async (name, value) => {
    for (let tries = 0; got[name] !== value; tries += 1) {
      if (tries > 1000) throw Error(`${name} got ${got[name]}, focus is on ${document.activeElement.outerHTML}`);
      await new Promise((later) => { setTimeout(later, 10) });
    }
  };
  const deep = document.createElement("div"), root = deep.attachShadow({mode: "closed"});
  root.innerHTML = "<input class=x style='width: 60px; height: 20px; border: 0; outline: 0;"
    + "background: rgb(0, 0, 90); color: rgb(0, 0, 90)'>";
  root.firstChild.addEventListener("input", (event) => { got.shut = event.target.value });
  document.body.append(deep); deep.style.cssText = "left: 10px; top: 80px";
  const pen = canvas.getContext("2d");
  pen.fillStyle = "rgb(90, 40, 0)"; pen.fillRect(20, 5, 50, 20);
  canvas.onclick = (event) => { got.canvas = event.offsetX >= 20 && event.offsetX < 70 };
  card.ondragstart = (event) => event.dataTransfer.setData("text/plain", "card");
  slot.ondragover = (event) => event.preventDefault();
  slot.ondrop = (event) => { event.preventDefault(); got.dropped = event.dataTransfer.getData("text/plain") };
  menued.oncontextmenu = (event) => { event.preventDefault(); menu.hidden = false };
  menu.onclick = () => { menu.hidden = true; got.menu = true };
  full.onclick = () => full.requestFullscreen();
  lock.onclick = () => lock.requestPointerLock();
</script>"""


@pytest.fixture(scope="module")
def shared(chromium: str, serve: Serve) -> Generator[BrowserEnv]:
    def inner(name: str, colour: str) -> str:
        return INNER.replace("NAME", name).replace("COLOUR", colour)

    there = serve({"/a": inner("across", "rgb(200, 0, 0)"), "/b": inner("turned", "rgb(0, 200, 0)")})
    deeper = serve({"/c": inner("nested", "rgb(0, 0, 200)")}).replace("127.0.0.1", "localhost")
    between = serve({"/n": NEST.replace("SRC", f"{deeper}/c")})
    board = BOARD.replace("ACROSS2", f"{there.replace('127.0.0.1', 'localhost')}/b").replace("ACROSS", f"{there}/a")
    url = serve({"/": board.replace("NESTED", f"{between}/n"), "/tab": "<title>tab</title>"})
    config = BrowserConfig(url=url, viewport=Size(480, 300), device_scale=SCALE, executable=chromium, settle_s=0.5)
    with BrowserEnv(config) as env:
        yield env


@pytest.fixture
def board(shared: BrowserEnv) -> BrowserEnv:
    shared.perform(Navigate(url=shared.config.url))
    return shared


def seen(frame: Frame, *colour: int) -> Point:
    """The middle of what has this colour in the picture."""
    rows, columns = np.nonzero((frame.pixels_HW3 == colour).all(axis=2))
    assert len(rows) > 100, f"nothing is {colour}"
    return Point(float(columns.mean()), float(rows.mean()))


def click(env: BrowserEnv, place: Point) -> None:
    env.perform(Click(x_px=place.x_px, y_px=place.y_px))


def process_that_draws(env: BrowserEnv) -> int:
    """The browser's process for graphics, found by its arguments among those that the browser started."""
    assert env._parts is not None  # pyright: ignore[reportPrivateUsage] (nobody else needs it)
    browser = env._parts[0].thread.process_id  # pyright: ignore[reportPrivateUsage]
    waiting = [int(browser or 0)]
    while waiting:
        for task in Path(f"/proc/{waiting.pop()}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                if b"--type=gpu-process" in Path(f"/proc/{child}/cmdline").read_bytes():
                    return child
                waiting.append(child)
    pytest.skip("this browser draws in a process that does more")


def test_what_is_seen_in_any_world_takes_clicks_and_keys(board: BrowserEnv) -> None:
    frame = board.observe()
    for name, colour in (
        ("across", (200, 0, 0)),
        ("nested", (0, 0, 200)),
        ("turned", (0, 200, 0)),
        ("shut", (0, 0, 90)),
        ("skew", (0, 90, 0)),
        ("editable", (90, 0, 0)),
        ("jump", (90, 90, 0)),
    ):
        click(board, seen(frame, *colour))
        board.perform(TypeText(text="é2"))
        board.evaluate(f"told({name!r}, 'é2')")  # a frame tells it by a message
    click(board, seen(frame, 90, 40, 0))
    assert board.evaluate("got.canvas") is True


def test_a_frame_in_which_the_browser_opens_no_file_holds_nobody_up(board: BrowserEnv) -> None:
    board.evaluate("document.body.append('so far')")
    shown = board.shown_text()
    assert shown is not None
    assert shown.find("so far")
    assert board.perform(PressKeys(keys=("escape",))).performed


def test_a_click_goes_to_the_frame_under_it_though_what_draws_has_hung(board: BrowserEnv) -> None:
    """Chromium then does not know which process draws a turned frame, and would go on with the one clicked before."""
    frame = board.observe()
    nested, turned = seen(frame, 0, 0, 200), seen(frame, 0, 200, 0)
    click(board, nested)
    drawing = process_that_draws(board)
    os.kill(drawing, signal.SIGSTOP)
    threading.Timer(2, os.kill, (drawing, signal.SIGCONT)).start()
    click(board, turned)
    for text in ("a", "ab"):
        click(board, nested)
        click(board, turned)
        board.perform(TypeText(text=text[-1]))
        board.evaluate(f"told('turned', {text!r})")


def test_a_look_that_is_cut_short_moves_no_click(board: BrowserEnv) -> None:
    """Chromium takes clicks as on a page enlarged for its picture until that is taken."""
    place = seen(board.observe(), 90, 40, 0)
    drawing = process_that_draws(board)
    os.kill(drawing, signal.SIGSTOP)
    threading.Timer(1.5, os.kill, (drawing, signal.SIGCONT)).start()
    assert seen(board.observe(), 90, 40, 0) == place
    click(board, place)
    assert board.evaluate("got.canvas") is True


def test_things_are_dragged_scrolled_and_chosen_from_a_menu_of_the_page(board: BrowserEnv) -> None:
    frame = board.observe()
    board.perform(Drag(path=(seen(frame, 0, 90, 90), seen(frame, 90, 0, 90))))
    assert board.evaluate("got.dropped") == "card"
    board.perform(Scroll(dy=2, x_px=300 * SCALE, y_px=180 * SCALE))
    assert board.evaluate("[scroller.scrollTop, scrollY]") == [200, 0]
    place = seen(frame, 10, 60, 110)
    board.perform(Click(x_px=place.x_px, y_px=place.y_px, button="right"))
    click(board, seen(board.observe(), 110, 60, 10))
    assert board.evaluate("[got.menu, menu.hidden]") == [True, True]


def test_full_screen_and_a_locked_pointer_end_by_escape(board: BrowserEnv) -> None:
    frame = board.observe()
    click(board, seen(frame, 60, 110, 10))
    filled = board.observe()
    assert filled.size == frame.size
    assert (filled.pixels_HW3 == (60, 110, 10)).all(axis=2).mean() > 0.9
    board.perform(PressKeys(keys=("escape",)))
    assert board.evaluate("document.fullscreenElement") is None
    click(board, seen(board.observe(), 60, 10, 110))
    assert board.evaluate("document.pointerLockElement?.id") == "lock"
    board.perform(PressKeys(keys=("escape",)))
    assert board.evaluate("document.pointerLockElement") is None


def test_windows_of_their_own_size_and_new_tabs_look_like_all_else(board: BrowserEnv) -> None:
    frame = board.observe()
    click(board, seen(frame, 10, 110, 60))
    assert board.observe().size == frame.size
    click(board, Point(45 * SCALE, 15 * SCALE))
    x, y = board.evaluate("(() => { const box = list.options[1].getBoundingClientRect(); return [box.x, box.y] })()")
    click(board, Point((x + 5) * SCALE, (y + 5) * SCALE))
    assert board.evaluate("list.value") == "Beta"  # in a document that a script wrote
    board.perform(SelectOption(x_px=45 * SCALE, y_px=15 * SCALE, option="Alpha"))
    assert board.evaluate("list.value") == "Alpha"
    board.perform(CloseTab())
    click(board, seen(board.observe(), 110, 10, 60))
    assert board.evaluate("document.title") == "tab"
    assert board.observe().size == frame.size
    board.perform(CloseTab())
    assert board.evaluate("document.title") == "board"
