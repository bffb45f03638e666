"""What a person shows with real input, recorded, and done again by an environment to the same end."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from moonhand.agent import Recording, Trajectory, read_trajectory
from moonhand.agent.human import Demonstration, Recorder
from moonhand.envs import (
    Action,
    Back,
    BrowserConfig,
    BrowserEnv,
    Click,
    DesktopConfig,
    DesktopEnv,
    Drag,
    Env,
    Navigate,
    PressKeys,
    Scroll,
    SelectOption,
    Size,
    SwitchTab,
    TypeText,
    VirtualDisplay,
)
from moonhand.envs.desktop_recorder import DesktopRecorder
from moonhand.envs.page_recorder import PageRecorder
from playwright.sync_api import Page

Serve = Callable[[Mapping[str, str]], str]
Doing = Callable[[], object]

VIEWPORT = Size(480, 320)
STATE_JS = "[field.value, area.value, list.value, pin.value.length, said.textContent, pad.dataset.way ?? '', scrollY]"
PAGE = """<!doctype html><meta charset=utf-8><title>board</title>
<style>
  body { margin: 0; height: 900px; font: 14px sans-serif } body > * { position: absolute; box-sizing: border-box }
  input, textarea, select { left: 10px; width: 160px; height: 24px }
</style>
<label style="left: 180px; top: 10px" for=field>Name</label>
<input id=field style="top: 10px"><textarea id=area style="top: 40px; height: 40px"></textarea>
<select id=list style="top: 86px"><option>Alpha<option>Beta<option>Gamma</select>
<input id=pin name=pin type=password style="top: 116px">
<button id=go style="left: 10px; top: 146px; width: 80px; height: 26px">Go</button>
<div id=said style="left: 100px; top: 150px"></div>
<div id=pad style="left: 240px; top: 40px; width: 200px; height: 120px; background: #36c"></div>
<iframe src="/inner" style="left: 240px; top: 180px; width: 200px; height: 60px; border: 1px solid"></iframe>
<a id=link href="/two" style="left: 10px; top: 200px">two</a>
<a id=blank href="/two" target=_blank style="left: 60px; top: 200px">tab</a>
<script>
  let clicks = [];
  go.onclick = (event) => { clicks.push(event.detail + (event.shiftKey ? "s" : "")); said.textContent = clicks; };
  field.onkeydown = (event) => { if (event.key === "Enter") said.textContent = "sent " + field.value; };
  pad.onpointerdown = (event) => { pad.dataset.way = event.offsetX; pad.setPointerCapture(event.pointerId); };
  pad.onpointerup = (event) => { pad.dataset.way += ">" + event.offsetX; };
  addEventListener("message", ({data}) => { said.textContent = data; });
  // What no page may do: be heard as if it were the person, or hear that anybody listens.
  setInterval(() => go.dispatchEvent(new PointerEvent("pointerdown", {bubbles: true, clientX: 1, clientY: 1})), 40);
  document.title = Object.getOwnPropertyNames(globalThis).some((name) => /moonhand(Tell|Listens|Files)/.test(name))
    ? "overheard" : "board";
</script>"""
INNER = """<!doctype html><body style="margin: 0"><input id=inner oninput="parent.postMessage('inner ' + value, '*')"
  style="position: absolute; left: 10px; top: 10px; width: 100px; height: 24px">"""
SHUT = """<!doctype html><title>shut</title><body style="margin: 0"><my-field></my-field><script>
  const root = document.querySelector("my-field").attachShadow({mode: "closed"});
  root.innerHTML = "<input type=password style='position: absolute; left: 10px; top: 10px'>";
</script>"""
WILD = """<!doctype html><title>wild</title><script>
  for (const name of ["querySelectorAll", "getAttribute", "getBoundingClientRect", "closest", "matches"])
    Element.prototype[name] = () => null;
  EventTarget.prototype.addEventListener = Event.prototype.composedPath = () => [];
  Array.prototype.map = Array.prototype.push = JSON.stringify = String.prototype.slice = () => "";
  Object.defineProperty(Event.prototype, "isTrusted", {get: () => false});
  window.Element = window.MutationObserver = window.WeakMap = 0;
</script><form><input name=id aria-label=Name style="position: absolute; left: 10px; top: 10px; width: 160px">
<button type=button id=go style="position: absolute; left: 10px; top: 60px; width: 80px">Go</button></form>"""
PAGES = {
    "/wild": WILD,
    "/": PAGE,
    "/inner": INNER,
    "/two": "<!doctype html><title>two</title><h1>two</h1>",
    "/shut": SHUT,
}


@pytest.fixture(scope="module")
def home(serve: Serve) -> str:
    return serve(PAGES)


@pytest.fixture(scope="module")
def shared(chromium: str, home: str) -> Generator[PageRecorder]:
    with PageRecorder(BrowserConfig(url=home, viewport=VIEWPORT, executable=chromium)) as recorder:
        yield recorder


@pytest.fixture
def recorder(shared: PageRecorder, home: str) -> PageRecorder:
    """In front of the page as it was at first, and through with all that happened before."""
    shared.touch(lambda page: page.goto(home))
    shared.touch(lambda page: page.wait_for_timeout(300))
    for _ in range(5):
        shared.hear()
    return shared


def demonstrate(recorder: Recorder, folder: Path, doings: Sequence[Doing], *, pause_s: float = 0.15) -> Recording:
    """Do it in a thread, one after the other, while the recorder hears and sees."""
    errors: list[BaseException] = []

    def work() -> None:
        try:
            for doing in doings:
                time.sleep(pause_s)
                doing()
            time.sleep(pause_s)
        except BaseException as error:
            errors.append(error)

    worker = threading.Thread(target=work)
    with Trajectory(folder, goal="shown", source="human") as trajectory:
        demonstration = Demonstration(trajectory, stop_keys=("ctrl", "alt", "escape"))
        for _ in range(3):
            demonstration.take(recorder.hear())
        worker.start()
        while worker.is_alive() and not demonstration.is_over:
            demonstration.take(recorder.hear())
        worker.join()
        demonstration.take(recorder.hear())
        demonstration.stop()
        end_s = time.monotonic() + 5
        while not demonstration.is_complete and time.monotonic() < end_s:
            demonstration.take(recorder.hear())
        demonstration.finish()
        trajectory.finish("finished")
    if errors:
        raise errors[0]
    return read_trajectory(folder)


def actions_of(recording: Recording) -> list[Action]:
    assert recording.problems == ()
    assert recording.run["source"] == "human"
    assert recording.result is not None
    assert recording.result.status == "finished"
    return [step.action for step in recording.steps if step.action is not None]


def replay(env: Env, recording: Recording) -> None:
    for step in recording.steps:
        assert step.action is not None
        env.observe()
        env.perform(step.action)


def looks_as_before(env: Env, recording: Recording) -> bool:
    """Whether the screen looks as it did before the first action."""
    seen, before = env.observe(), recording.steps[0].before.read()
    return bool(np.array_equal(seen.pixels_HW3, before.pixels_HW3))


def touching(recorder: PageRecorder, *works: Callable[[Page], object]) -> list[Doing]:
    return [lambda work=work: recorder.touch(work) for work in works]


@pytest.mark.browser
def test_a_page_that_takes_its_own_functions_away_is_heard_all_the_same(
    recorder: PageRecorder, home: str, tmp_path: Path
) -> None:
    recorder.touch(lambda page: page.goto(f"{home}/wild"))
    recorder.touch(lambda page: page.wait_for_timeout(100))
    recorder.hear()
    doings = touching(
        recorder,
        lambda page: page.mouse.click(50, 20),
        lambda page: page.keyboard.type("Ada"),
        lambda page: page.mouse.click(50, 70),
    )
    recording = demonstrate(recorder, tmp_path / "run", doings)
    steps = [step for step in recording.steps if not isinstance(step.action, Navigate)]
    assert [type(step.action) for step in steps] == [Click, TypeText, Click]
    elements = [step.surroundings.element for step in steps if step.surroundings is not None]
    assert [element and element.name for element in elements] == ["Name", "Name", "Go"]


@pytest.mark.browser
def test_what_is_shown_in_a_page_is_done_again_to_the_same_end(
    recorder: PageRecorder, chromium: str, home: str, tmp_path: Path
) -> None:
    recording = demonstrate(
        recorder,
        tmp_path / "run",
        touching(
            recorder,
            lambda page: page.mouse.click(50, 20),
            lambda page: page.keyboard.type("Adx", delay=20),
            lambda page: page.keyboard.press("Backspace"),
            lambda page: page.keyboard.insert_text("\u00e9\u6f22"),
            lambda page: page.keyboard.press("Control+a"),
            lambda page: page.keyboard.type("Ada"),
            lambda page: page.keyboard.press("Enter"),
            lambda page: page.mouse.click(50, 98),
            lambda page: page.mouse.click(50, 150),  # an option, drawn over what lies below
            lambda page: page.mouse.click(50, 128),
            lambda page: page.keyboard.type("hunter2"),
            lambda page: page.mouse.dblclick(40, 158),
            lambda page: page.mouse.move(250, 60),
            lambda page: page.mouse.down(),
            lambda page: page.mouse.move(400, 60, steps=4),
            lambda page: page.mouse.up(),
            lambda page: page.mouse.click(270, 205),
            lambda page: page.keyboard.type("in"),
            lambda page: page.mouse.wheel(0, 120),
            lambda page: page.mouse.wheel(0, 120),
        ),
    )
    assert recorder.touch(lambda page: page.title()) == "board"  # which heard nothing
    wanted = recorder.touch(lambda page: page.evaluate(STATE_JS))
    actions = actions_of(recording)
    assert [type(action) for action in actions] == [
        *(Click, TypeText, PressKeys, TypeText, SelectOption, Click, TypeText, Click, Drag, Click, TypeText, Scroll)
    ]
    assert [each.text for each in actions if isinstance(each, TypeText)] == [
        *("Ad\u00e9\u6f22", "Ada", "{{secret:pin}}", "in")
    ]
    assert b"hunter2" not in (recording.path / "steps.jsonl").read_bytes()
    first = recording.steps[0]
    assert first.surroundings is not None
    assert first.surroundings.url == f"{home}/"
    assert first.surroundings.element is not None
    assert (first.surroundings.element.name, first.surroundings.element.left_px) == ("Name", 10)
    assert first.fingerprint is not None
    began_s = [step.started_mono_s for step in recording.steps]
    assert began_s == sorted(began_s)
    assert began_s[-1] - began_s[0] > 0.15 * 15  # no pause is lost
    with BrowserEnv(
        BrowserConfig(url=home, viewport=VIEWPORT, executable=chromium, secrets=lambda _: "hunter2")
    ) as env:
        assert looks_as_before(env, recording)
        replay(env, recording)
        assert env.evaluate(STATE_JS) == wanted
    assert wanted[0] == "Ada"
    assert wanted[2] == "Beta"


@pytest.mark.browser
def test_each_action_is_kept_with_the_screen_as_it_was_before_and_after(
    recorder: PageRecorder, home: str, tmp_path: Path
) -> None:
    recording = demonstrate(
        recorder,
        tmp_path / "run",
        touching(
            recorder,
            lambda page: page.mouse.click(40, 158),
            lambda page: page.wait_for_timeout(700),
            lambda page: page.mouse.click(40, 158),
            lambda page: page.mouse.click(20, 207),
            lambda page: page.wait_for_timeout(600),
            lambda page: page.go_back(),
            lambda page: page.wait_for_timeout(300),
            lambda page: page.goto(f"{home}/two?typed"),
            lambda page: page.wait_for_timeout(300),
        ),
    )
    actions = actions_of(recording)
    assert [type(action) for action in actions] == [Click, Click, Click, Back, Navigate]
    one, other, left, back, _ = recording.steps
    assert one.after is not None
    assert one.before.sha256 != one.after.sha256
    assert one.after.sha256 == other.before.sha256
    assert left.after is not None
    assert left.after.sha256 == back.before.sha256
    assert back.before.sha256 not in (one.before.sha256, left.before.sha256)
    assert isinstance(actions[-1], Navigate)
    assert actions[-1].url == f"{home}/two?typed"


@pytest.mark.browser
def test_tabs_are_followed_and_passwords_in_closed_shadows_are_not_told(
    recorder: PageRecorder, home: str, tmp_path: Path
) -> None:
    pages: list[Page] = []
    recording = demonstrate(
        recorder,
        tmp_path / "run",
        [
            *touching(
                recorder,
                lambda page: pages.append(page),
                lambda page: page.mouse.click(70, 207),
                lambda page: page.wait_for_timeout(500),
                lambda page: page.mouse.click(20, 20),
                lambda _: pages[0].mouse.move(40, 150),
                lambda _: pages[0].mouse.click(40, 158),
                lambda page: page.goto(f"{home}/shut"),
                lambda page: page.mouse.click(30, 20),
                lambda page: page.keyboard.type("hunter2"),
                lambda page: page.keyboard.press("Enter"),
            )
        ],
    )
    actions = actions_of(recording)
    assert [type(action) for action in actions] == [Click, Click, SwitchTab, Click, Navigate, Click, TypeText]
    assert actions[2] == SwitchTab(index=0)
    assert actions[-1] == TypeText(text="{{secret:password}}", submit=True)
    before = recording.steps[3].before.read()
    assert before.pixels_HW3[60, 300].tolist() == [0x33, 0x66, 0xCC]  # of its own tab, which came to the front just now
    assert b"hunter2" not in (recording.path / "steps.jsonl").read_bytes()


WINDOW = """
import json, sys, tkinter
root = tkinter.Tk()
root.attributes("-fullscreen", True)
field = tkinter.Entry(root, font=("TkFixedFont", 14), insertontime=0)
field.place(x=20, y=20, width=500, height=40)
pad = tkinter.Canvas(root, background="#3366cc", highlightthickness=0)
pad.place(x=20, y=100, width=500, height=300)
state = {"clicks": [], "turns": 0, "way": None, "sent": None}
tell = lambda: print(json.dumps(state | {"text": field.get()}), flush=True)
def press(event):
    state["start"] = event.x
    state["clicks"].append([event.num, event.x, event.y, bool(event.state & 4)])
def release(event):
    if abs(event.x - state["start"]) > 4: state["way"] = [state["start"], event.x]
    tell()
pad.bind("<ButtonPress>", press)
pad.bind("<ButtonRelease>", release)
for button, turn in ((4, -1), (5, 1)):
    pad.bind(f"<Button-{button}>", lambda event, turn=turn: (state.update(turns=state["turns"] + turn), tell()))
pad.bind("<Double-Button-1>", lambda event: state["clicks"].append("double"))
field.bind("<Return>", lambda event: (state.update(sent=field.get()), tell()))
field.bind("<KeyRelease>", lambda event: tell())
root.bind("<FocusIn>", lambda event: tell())
root.update()
field.focus_force()
root.mainloop()
"""


class Board:
    """A real window that tells its state in a line whenever something happened to it."""

    def __init__(self, display: VirtualDisplay) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", WINDOW], env=display.environ(), stdout=subprocess.PIPE, text=True
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Board:
        end_s = time.monotonic() + 20
        while not self.lines and time.monotonic() < end_s:
            time.sleep(0.02)
        time.sleep(0.3)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._reader.join()
        self._process.wait()

    def state(self) -> str:
        time.sleep(0.3)
        return self.lines[-1]

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as told:
            self.lines.extend(told)


@pytest.fixture
def xdotool(virtual_display: VirtualDisplay) -> Callable[..., Doing]:
    def doing(*words: str) -> Doing:
        return lambda: subprocess.run(["xdotool", *words], env=virtual_display.environ(), check=True, timeout=20)

    return doing


@pytest.mark.display
def test_what_is_shown_on_a_desktop_is_done_again_to_the_same_end(
    virtual_display: VirtualDisplay, xdotool: Callable[..., Doing], tmp_path: Path
) -> None:
    config = DesktopConfig(display=virtual_display.display)
    with Board(virtual_display) as board:
        with DesktopRecorder(config) as recorder:
            recording = demonstrate(
                recorder,
                tmp_path / "run",
                [
                    xdotool("mousemove", "100", "40", "click", "1"),
                    xdotool("type", "--delay", "15", "Hello <b>x"),
                    xdotool("key", "BackSpace"),
                    xdotool("key", "Return"),
                    xdotool("mousemove", "150", "150", "click", "--repeat", "2", "--delay", "60", "1"),
                    xdotool("keydown", "ctrl", "click", "3", "keyup", "ctrl"),
                    xdotool("mousemove", "60", "300", "mousedown", "1"),
                    xdotool("mousemove", "160", "300", "mousemove", "260", "330"),
                    xdotool("mouseup", "1"),
                    xdotool("click", "--repeat", "3", "5"),
                    xdotool("mousemove", "100", "40", "click", "1", "key", "ctrl+slash"),
                    xdotool("type", "--delay", "15", "New"),
                    xdotool("key", "ctrl+alt+Escape"),
                    xdotool("type", "not part of it"),
                ],
            )
        told = board.lines.copy()
    actions = actions_of(recording)
    assert [type(each) for each in actions] == [
        *(Click, TypeText, Click, Click, Drag, Scroll, Click, PressKeys, TypeText)
    ]
    assert actions[1] == TypeText(text="Hello <b>", submit=True)
    assert actions[2] == Click(x_px=150, y_px=150, count=2)
    assert actions[3] == Click(x_px=150, y_px=150, button="right", modifiers=("ctrl",))
    assert actions[5] == Scroll(dy=3, x_px=260, y_px=330)
    wanted = [line for line in told if '"text": "New"' in line][-1]
    with Board(virtual_display) as board, DesktopEnv(config) as env:
        replay(env, recording)
        assert board.state() == wanted


@pytest.mark.browser
@pytest.mark.display
@pytest.mark.slow  # always: the same by the DevTools protocol
def test_what_real_hands_do_in_a_kiosk_is_done_again_to_the_same_end(
    whole_chromium: str, home: str, tmp_path: Path
) -> None:
    config = BrowserConfig(
        url=home,
        viewport=VIEWPORT,
        executable=whole_chromium,
        surface="kiosk",
        dialogs="ask",
        secrets=lambda _: "hunter2",
    )

    def by_xdotool(*words: str) -> Doing:
        environ = {"DISPLAY": recorder.display or "", "PATH": "/usr/bin:/bin"}
        return lambda: subprocess.run(["xdotool", *words], env=environ, check=True, timeout=20)

    with PageRecorder(config) as recorder:
        recording = demonstrate(
            recorder,
            tmp_path / "run",
            [
                by_xdotool("mousemove", "50", "20", "click", "1"),
                by_xdotool("type", "--delay", "15", "Ada L"),
                by_xdotool("key", "BackSpace"),
                by_xdotool("key", "Return"),
                by_xdotool("mousemove", "50", "98", "click", "1"),
                by_xdotool("key", "Down", "Return"),
                by_xdotool("mousemove", "50", "128", "click", "1"),
                by_xdotool("type", "hunter2"),
                by_xdotool("mousemove", "40", "158", "click", "--repeat", "2", "--delay", "60", "1"),
                by_xdotool("mousemove", "250", "60", "mousedown", "1"),
                by_xdotool("mousemove", "320", "60", "mousemove", "400", "60"),
                by_xdotool("mouseup", "1"),
                by_xdotool("mousemove", "270", "205", "click", "1"),
                by_xdotool("type", "--delay", "15", "in"),
                by_xdotool("mousemove", "20", "280", "click", "--repeat", "2", "5"),
            ],
            pause_s=0.3,
        )
        wanted = recorder.touch(lambda page: page.evaluate(STATE_JS))
    assert [type(action) for action in actions_of(recording)] == [
        *(Click, TypeText, SelectOption, Click, TypeText, Click, Drag, Click, TypeText, Scroll)
    ]
    with BrowserEnv(config) as env:
        replay(env, recording)
        assert env.evaluate(STATE_JS) == wanted
