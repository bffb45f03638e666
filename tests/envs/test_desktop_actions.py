"""What a desktop is asked for beyond clicks and chords; in a window that tells what reaches it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from types import FrameType
from typing import Any

import pytest
from moonhand.envs import (
    Click,
    DesktopConfig,
    DesktopEnv,
    Drag,
    GetClipboard,
    KeyDown,
    KeyUp,
    MouseDown,
    MouseUp,
    Move,
    OpenApp,
    Point,
    PressKeys,
    Scroll,
    SetClipboard,
    TypeText,
    UnsupportedAction,
    VirtualDisplay,
    Wait,
)
from Xlib.display import Display

pytestmark = pytest.mark.display

WINDOW = """
import json, tkinter
root = tkinter.Tk(className="Moonboard")
root.attributes("-fullscreen", True)
field = tkinter.Entry(root, font=("TkFixedFont", 14), insertontime=0)
field.place(x=20, y=20, width=700, height=40)
pad = tkinter.Canvas(root, background="#3366cc", highlightthickness=0)
pad.place(x=20, y=100, width=300, height=300)
mark = tkinter.Canvas(root, background="#eeeeee", highlightthickness=0)
mark.place(x=600, y=450, width=100, height=100)
tell = lambda kind, **more: print(json.dumps({"kind": kind, **more}), flush=True)
for name in ("ButtonPress", "ButtonRelease"):
    pad.bind(f"<{name}>", lambda event, name=name: tell(name, x=event.x, button=event.num, state=event.state & 5))
for name in ("KeyPress", "KeyRelease"):
    root.bind_all(f"<{name}>", lambda event, name=name: tell(name, key=event.keysym, text=field.get(), at=event.time))
pad.bind("<B1-Motion>", lambda event: tell("Motion", x=event.x, y=event.y, at=event.time))
pad.bind("<Button-2>", lambda event: pad.configure(background="#cc3333"), add="+")
pad.bind("<Button-3>", lambda event: mark.configure(background="#cc3333"), add="+")
root.bind_all("<F5>", lambda event: root.after(400, lambda: mark.configure(background="#33cc33")))
spin = lambda: (mark.configure(background="#%06x" % (hash(root.tk.call("clock", "microseconds")) % 0xffffff)),
    root.after(15, spin))
root.bind_all("<F6>", lambda event: spin())
field.bind("<FocusIn>", lambda event: tell("ready"))
root.update()
field.focus_force()
root.mainloop()
"""


class Window:
    """A real window with a field (20, 20, 700x40), a pad (20, 100, 300x300) and a mark (600, 450, 100x100)."""

    def __init__(self, screen: VirtualDisplay) -> None:
        command = [sys.executable, "-c", WINDOW]
        self._process = subprocess.Popen(command, env=screen.environ(), stdout=subprocess.PIPE, text=True)
        self._told: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._reader = Thread(target=self._read)
        self._reader.start()
        self.wait_for(lambda event: event["kind"] == "ready")

    def wait_for(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        seen: list[dict[str, Any]] = []
        try:
            while not seen or not wanted(seen[-1]):
                seen.append(self._told.get(timeout=20))
        except Empty:
            pytest.fail(f"the window never told what was waited for; it told {seen}")
        return seen[-1]

    def all_of(self, kind: str) -> list[dict[str, Any]]:
        """What it tells until it has told nothing for a while."""
        told: list[dict[str, Any]] = []
        try:
            while True:
                told.append(self._told.get(timeout=0.3))
        except Empty:
            return [event for event in told if event["kind"] == kind]

    def close(self) -> None:
        with self._process as process:
            process.terminate()
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._told.put(json.loads(line))


@pytest.fixture(scope="module")
def window(virtual_display: VirtualDisplay) -> Generator[Window]:
    shown = Window(virtual_display)
    yield shown
    shown.close()


@pytest.fixture
def desktop(virtual_display: VirtualDisplay) -> Generator[DesktopEnv]:
    with DesktopEnv(DesktopConfig(display=virtual_display.display)) as env:
        env.observe()
        yield env


def num_held(screen: VirtualDisplay) -> int:
    connection = Display(screen.display)
    try:
        buttons = connection.screen().root.query_pointer().mask & 0x1F00
        return sum(byte.bit_count() for byte in connection.query_keymap()) + buttons.bit_count()
    finally:
        connection.close()


SHIFT, CTRL = 1, 4


def test_a_button_is_held_over_moves_and_a_drag_holds_keys(desktop: DesktopEnv, window: Window) -> None:
    desktop.perform(MouseDown(x_px=50, y_px=150))
    desktop.perform(Move(x_px=120, y_px=150))
    assert window.wait_for(lambda event: event["kind"] == "ButtonPress")["x"] == 30
    desktop.perform(MouseUp())
    assert [event["x"] for event in window.all_of("ButtonRelease")] == [100]
    desktop.perform(Drag(path=(Point(50, 150), Point(220, 150)), modifiers=("ctrl", "shift")))
    assert [(event["x"], event["state"]) for event in window.all_of("ButtonRelease")] == [(200, SHIFT | CTRL)]


def test_a_drag_takes_its_time_and_passes_through_its_path(desktop: DesktopEnv, window: Window) -> None:
    path = (Point(60, 150), Point(260, 150), Point(260, 250))
    effect = desktop.perform(Drag(path=path, duration_s=0.6))
    assert 0.6 <= effect.act_s < 3
    assert effect.detail == "drag (60, 150) to (260, 250) in 0.6 s"
    moved = window.all_of("Motion")
    assert len(moved) >= 20
    assert len({event["x"] for event in moved}) >= 12
    assert all(event["x"] == 240 or event["y"] == 50 for event in moved), "it cut the corner"
    corner = next(event["at"] for event in moved if event["x"] == 240)
    assert 0.5 < (corner - moved[0]["at"]) / (moved[-1]["at"] - moved[0]["at"]) < 0.8, "two thirds of the way"


@pytest.mark.parametrize(
    ("scroll", "turns"),
    [
        (Scroll(dy=250, unit="px"), [5, 5]),
        (Scroll(dy=-10, unit="px"), [4]),
        (Scroll(dy=0.5, unit="page"), [5, 5, 5]),
        (Scroll(dy=-2), [4, 4]),
        (Scroll(dx=2), [-5, -5]),  # which Tk tells as the wheel with shift
        (Scroll(dx=-1, dy=1), [5, -4]),
    ],
)
def test_a_scroll_is_a_number_of_notches(desktop: DesktopEnv, window: Window, scroll: Scroll, turns: list[int]) -> None:
    desktop.perform(Move(x_px=60, y_px=150))
    desktop.perform(scroll)
    told = [event["button"] * (-1 if event["state"] & SHIFT else 1) for event in window.all_of("ButtonPress")]
    assert told == turns


def test_text_is_pasted_whole_or_typed_key_by_key_or_refused_whole(desktop: DesktopEnv, window: Window) -> None:
    desktop.perform(Click(x_px=300, y_px=40))
    desktop.perform(TypeText(text="a漢", via="paste"))
    desktop.perform(PressKeys(keys=("end",)))
    assert window.wait_for(lambda event: event.get("key") == "End")["text"] == "a漢"
    for broken, said in (("a\x07漢", "no key types '.x07'"), ("漢\ud83d", "half a character")):
        with pytest.raises(UnsupportedAction, match=said):
            desktop.perform(TypeText(text=broken, via="keys", clear=True))
    desktop.perform(TypeText(text="b語", via="keys", submit=True))
    assert window.wait_for(lambda event: event.get("key") == "Return")["text"] == "a漢b語"
    desktop.perform(PressKeys(keys=("backspace",), repeat=4))
    window.wait_for(lambda event: event.get("key") == "BackSpace" and event["text"] == "")


def test_a_key_is_held_for_a_time(desktop: DesktopEnv, window: Window) -> None:
    desktop.perform(Click(x_px=300, y_px=40))
    effect = desktop.perform(PressKeys(keys=("f2",), repeat=2, hold_s=0.2))
    assert effect.act_s >= 0.4
    pressed = window.wait_for(lambda event: event["kind"] == "KeyPress" and event["key"] == "F2")
    released = window.wait_for(lambda event: event["kind"] == "KeyRelease" and event["key"] == "F2")
    assert released["at"] - pressed["at"] >= 190


def test_a_held_key_stays_down_until_it_is_let_go(
    desktop: DesktopEnv, window: Window, virtual_display: VirtualDisplay
) -> None:
    desktop.perform(KeyDown(key="ctrl"))
    desktop.perform(KeyDown(key="ctrl"))
    desktop.perform(Click(x_px=60, y_px=150, modifiers=("ctrl", "shift")))
    assert window.wait_for(lambda event: event["kind"] == "ButtonPress")["state"] == SHIFT | CTRL
    desktop.perform(PressKeys(keys=("ctrl", "shift")))
    assert num_held(virtual_display) == 1
    desktop.perform(KeyUp(key="ctrl"))
    assert num_held(virtual_display) == 0
    with pytest.raises(UnsupportedAction, match="no key '漢'"):
        desktop.perform(KeyDown(key="漢"))


def test_what_is_held_over_actions_is_let_go_after_an_exception_and_on_close(
    desktop: DesktopEnv, virtual_display: VirtualDisplay
) -> None:
    def interrupt(signum: int, frame: FrameType | None) -> None:
        held.append(num_held(virtual_display))
        raise KeyError

    held: list[int] = []
    desktop.perform(KeyDown(key="shift"))
    desktop.perform(MouseDown(x_px=700, y_px=550))
    former = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(KeyError):
            desktop.perform(Wait(seconds_s=20))
    finally:
        signal.signal(signal.SIGALRM, former)
    assert held == [2]
    assert num_held(virtual_display) == 0
    desktop.perform(KeyDown(key="shift"))
    assert num_held(virtual_display) == 1
    desktop.close()
    assert num_held(virtual_display) == 0


def test_what_is_held_over_actions_is_let_go_after_a_signal(virtual_display: VirtualDisplay) -> None:
    program = (
        "import sys\n"
        "from moonhand.envs import *\n"
        "with DesktopEnv(DesktopConfig(display=sys.argv[1])) as env:\n"
        "    env.perform(KeyDown(key='shift'))\n"
        "    env.perform(MouseDown(x_px=700, y_px=550))\n"
        "    print('held', flush=True)\n"
        "    env.perform(Wait(seconds_s=60))\n"
    )
    command = [sys.executable, "-c", program, virtual_display.display]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert num_held(virtual_display) == 2
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGHUP
    assert num_held(virtual_display) == 0


def test_an_effect_says_where_the_screen_changed(desktop: DesktopEnv, window: Window) -> None:
    desktop.perform(Move(x_px=100, y_px=200))
    desktop.observe()
    assert desktop.perform(Click(x_px=100, y_px=200)).change == "no_change"
    effect = desktop.perform(Click(x_px=100, y_px=200, button="middle"))
    assert (effect.change, effect.changed) == ("changed_near", True)
    desktop.observe()
    effect = desktop.perform(Click(x_px=100, y_px=200, button="right"))
    assert (effect.change, effect.changed) == ("changed_far", True)


def test_a_wait_ends_once_the_screen_changes_or_is_still(desktop: DesktopEnv, window: Window) -> None:
    desktop.perform(PressKeys(keys=("f5",)))
    effect = desktop.perform(Wait(seconds_s=20, until="change"))
    assert effect.act_s < 10
    assert effect.change == "changed_near"
    desktop.observe()
    effect = desktop.perform(Wait(seconds_s=0.1, until="change"))
    assert effect.detail == "wait 0.1 s at most, until change; it has not changed"
    assert 0.5 <= desktop.perform(Wait(seconds_s=20, until="still")).act_s < 10


def test_the_clipboard_is_read_and_written_and_outlives_us(virtual_display: VirtualDisplay) -> None:
    with DesktopEnv(DesktopConfig(display=virtual_display.display)) as env:
        effect = env.perform(SetClipboard(text="né 漢\n😀"))
        assert (effect.performed, effect.answer) == (True, None)
    with DesktopEnv(DesktopConfig(display=virtual_display.display)) as env:
        assert env.perform(GetClipboard()).answer == "né 漢\n😀"
        env.perform(SetClipboard(text=""))
        assert env.perform(GetClipboard()).answer == ""


PROGRAM = """#!{python}
import os, pathlib, sys, tkinter
pathlib.Path({notes!r}).open("a").write(f"{{os.getpid()}}\\n")
root = tkinter.Tk(className="Moonprobe")
root.title("notes - Moon Probe")
root.geometry("200x100+100+100")
root.mainloop()
"""
ENTRY = "[Desktop Entry]\nType=Application\nName=Moon Writer\nExec={path} %F\n"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Callable[[], list[int]]]:
    """A program on PATH and a desktop entry for it; tells the process ids of those that were started."""
    notes, path = tmp_path / "notes", tmp_path / "moon-probe"
    path.write_text(PROGRAM.format(python=sys.executable, notes=str(notes)))
    path.chmod(0o755)
    broken = tmp_path / "moon-broken"
    broken.write_text("#!/bin/sh\nexit 7\n")
    broken.chmod(0o755)
    entries = tmp_path / ".local/share/applications"
    entries.mkdir(parents=True)
    (entries / "writer.desktop").write_text(ENTRY.format(path=path))
    (entries / "strange.desktop").write_bytes(b"\xff[[ not an entry")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    def started() -> list[int]:
        return [int(line) for line in notes.read_text().split()] if notes.exists() else []

    yield started
    for pid in started():
        os.kill(pid, signal.SIGTERM)


def active_title(screen: VirtualDisplay) -> str:
    connection: Any = Display(screen.display)
    try:
        root = connection.screen().root
        number = root.get_full_property(connection.intern_atom("_NET_ACTIVE_WINDOW"), 0).value[0]
        name = connection.create_resource_object("window", number).get_wm_name() if number else ""
        return str(name)
    finally:
        connection.close()


def wait_for_title(screen: VirtualDisplay, title: str) -> None:
    deadline_s = time.monotonic() + 10
    while active_title(screen) != title:
        assert time.monotonic() < deadline_s, active_title(screen)
        time.sleep(0.02)


@pytest.mark.parametrize("name", ["moon-probe", "Moon Probe", "moon writer"])
def test_a_program_is_started_once_and_then_brought_to_the_front(
    desktop: DesktopEnv, virtual_display: VirtualDisplay, programs: Callable[[], list[int]], name: str
) -> None:
    effect = desktop.perform(OpenApp(name=name))
    assert effect.detail == f"start '{name}'; it opened a window: 'notes - Moon Probe'"
    wait_for_title(virtual_display, "notes - Moon Probe")
    command = [sys.executable, "-c", "import tkinter; root = tkinter.Tk(); root.title('above'); root.mainloop()"]
    with subprocess.Popen(command, env=virtual_display.environ()) as other:
        wait_for_title(virtual_display, "above")
        effect = desktop.perform(OpenApp(name="Moonprobe"))
        assert effect.detail == "start 'Moonprobe'; brought to the front: 'notes - Moon Probe'"
        wait_for_title(virtual_display, "notes - Moon Probe")
        desktop.perform(OpenApp(name=name))
        other.terminate()
    assert len(programs()) == 1


def test_a_program_that_is_not_there_or_fails_is_told(desktop: DesktopEnv, programs: Callable[[], list[int]]) -> None:
    with pytest.raises(UnsupportedAction, match=r"no program of that name; near: .*'moon-probe'"):
        desktop.perform(OpenApp(name="moon-prob"))
    with pytest.raises(UnsupportedAction, match="no program of that name; near: 'Moon Writer'"):
        desktop.perform(OpenApp(name="moonwriter"))
    with pytest.raises(UnsupportedAction, match="ended at once, with status 7"):
        desktop.perform(OpenApp(name="moon-broken"))
    assert programs() == []


def test_a_screen_that_does_not_come_to_rest_is_told(desktop: DesktopEnv, window: Window) -> None:
    with DesktopEnv(replace(desktop.config, settle_s=0.5)) as hasty:
        hasty.observe()
        effect = hasty.perform(PressKeys(keys=("f6",)))  # from here on it moves
    assert (effect.change, effect.changed) == ("still_moving", True)
    assert "it has not come to rest" in desktop.perform(Wait(seconds_s=0.2, until="still")).detail
