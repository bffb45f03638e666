from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest
from moonhand.envs import (
    Back,
    Click,
    DesktopConfig,
    DesktopEnv,
    Drag,
    EnvError,
    GetClipboard,
    KeyDown,
    Move,
    Navigate,
    NoDisplay,
    Point,
    PressKeys,
    Scroll,
    Size,
    TypeText,
    UnsupportedAction,
    VirtualDisplay,
    Wait,
)
from Xlib.display import Display

pytestmark = pytest.mark.display

WINDOW = """
import json, sys, tkinter
root = tkinter.Tk()
root.attributes("-fullscreen", True)
words = tkinter.StringVar(root)
field = tkinter.Entry(root, font=("TkFixedFont", 14), insertontime=0, textvariable=words)
field.place(x=20, y=20, width=700, height=40)
pad = tkinter.Canvas(root, background="#3366cc", highlightthickness=0)
pad.place(x=20, y=100, width=700, height=400)
tell = lambda kind, **more: print(json.dumps({"kind": kind, **more}), flush=True)
for name in ("ButtonPress", "ButtonRelease", "Double-Button-1", "Motion"):
    pad.bind(f"<{name}>", lambda event, name=name: tell(name, x=event.x, y=event.y, button=event.num,
        control=bool(event.state & 4)), add="+")
pad.bind("<ButtonPress>", lambda event: pad.configure(background="#cc3333"), add="+")
words.trace_add("write", lambda *_: tell("text", text=words.get()))  # a paste may end after its keys are up again
field.bind("<KeyRelease>", lambda event: tell("text", text=field.get(), key=event.keysym))
field.bind("<FocusIn>", lambda event: tell("ready"))
root.update()
field.focus_force()
root.mainloop()
"""


class Window:
    """A real window with a field (20, 20, 700x40) and a pad (20, 100, 700x400) that tells what reaches it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._lines: queue.Queue[dict[str, Any]] = queue.Queue()
        self._reader = threading.Thread(target=self._read, args=(process,))
        self._reader.start()
        self.wait_for(lambda event: event["kind"] == "ready")

    def wait_for(self, wanted: Callable[[dict[str, Any]], bool], limit_s: float = 20.0) -> dict[str, Any]:
        seen: list[dict[str, Any]] = []
        deadline_s = time.monotonic() + limit_s
        while True:
            try:
                seen.append(self._lines.get(timeout=max(0.0, deadline_s - time.monotonic())))
            except queue.Empty:
                pytest.fail(f"the window never told what was waited for; it told {seen}")
            if wanted(seen[-1]):
                return seen[-1]

    def kinds(self, limit_s: float = 0.3) -> list[tuple[str, int, int]]:
        told: list[tuple[str, int, int]] = []
        try:
            while True:
                event = self._lines.get(timeout=limit_s)
                if event["kind"].startswith(("Button", "Double")):
                    told.append((event["kind"], event["x"], event["button"]))
        except queue.Empty:
            return told

    def join(self) -> None:
        self._reader.join()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._lines.put(json.loads(line))


@pytest.fixture(scope="module")
def window(virtual_display: VirtualDisplay) -> Generator[Window]:
    with subprocess.Popen(
        [sys.executable, "-c", WINDOW], env=virtual_display.environ(), stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            shown = Window(process)
            yield shown
        finally:
            process.terminate()
        shown.join()


@pytest.fixture
def desktop(virtual_display: VirtualDisplay) -> Generator[DesktopEnv]:
    with DesktopEnv(DesktopConfig(display=virtual_display.display)) as env:
        yield env


@contextmanager
def looking_at(display: str) -> Generator[Display]:
    connection = Display(display)
    try:
        yield connection
    finally:
        connection.close()


def nothing_is_held(display: str) -> bool:
    with looking_at(display) as connection:
        buttons = connection.screen().root.query_pointer().mask & 0x1F00
        return not any(connection.query_keymap()) and not buttons


def test_the_screen_is_seen_in_its_own_pixels_and_colours(desktop: DesktopEnv, window: Window) -> None:
    frame = desktop.observe()
    assert frame.size == Size(800, 600)
    assert frame.scale == 1.0
    desktop.perform(Click(x_px=30, y_px=110))
    window.kinds()
    assert desktop.observe().pixels_HW3[300, 400].tolist() == [0xCC, 0x33, 0x33]


def test_clicks_drags_and_the_wheel_reach_the_window(desktop: DesktopEnv, window: Window) -> None:
    desktop.perform(Move(x_px=50, y_px=150))
    desktop.perform(Click(x_px=120.9, y_px=150, button="right"))
    assert window.kinds() == [("ButtonPress", 100, 3), ("ButtonRelease", 100, 3)]
    desktop.perform(Click(x_px=130, y_px=150, count=2))
    assert ("Double-Button-1", 110, 1) in window.kinds()
    desktop.perform(Drag(path=(Point(40, 200), Point(200, 300), Point(420, 200))))
    assert window.kinds() == [("ButtonPress", 20, 1), ("ButtonRelease", 400, 1)]
    desktop.perform(Scroll(dy=2, x_px=60, y_px=150))
    assert [told for told in window.kinds() if told[0] == "ButtonPress"] == [("ButtonPress", 40, 5)] * 2
    desktop.perform(Scroll(dy=-0.2))
    assert [told for told in window.kinds() if told[0] == "ButtonPress"] == [("ButtonPress", 40, 4)]
    desktop.perform(Click(x_px=60, y_px=150, modifiers=("ctrl",)))
    assert window.wait_for(lambda event: event["kind"] == "ButtonPress")["control"]


def clipboard_text(screen: VirtualDisplay) -> str:
    command = ["xclip", "-selection", "clipboard", "-o"]
    return subprocess.run(command, env=screen.environ(), capture_output=True, text=True, check=False).stdout


def test_text_that_nothing_takes_is_told() -> None:
    with VirtualDisplay(Size(320, 200)) as empty, DesktopEnv(DesktopConfig(display=empty.display)) as env:
        with pytest.raises(UnsupportedAction, match="nothing on the screen fetched"):
            env.perform(TypeText(text="漢", via="paste"))
        assert nothing_is_held(empty.display)


def test_text_of_any_script_is_typed_into_the_window(
    desktop: DesktopEnv, window: Window, virtual_display: VirtualDisplay
) -> None:
    keep = ["xclip", "-selection", "clipboard", "-i"]
    subprocess.run(keep, env=virtual_display.environ(), input=b"kept", stdout=subprocess.DEVNULL, check=True)
    desktop.perform(Click(x_px=300, y_px=40))
    desktop.perform(TypeText(text='aB <x>"é漢" ~|z'))
    window.wait_for(lambda event: event.get("text") == 'aB <x>"é漢" ~|z')
    desktop.perform(GetClipboard())
    assert clipboard_text(virtual_display) == "kept"
    desktop.perform(PressKeys(keys=("ctrl", "/")))  # Tk's "select all"
    desktop.perform(PressKeys(keys=("backspace",)))
    desktop.perform(TypeText(text="new", submit=True))
    assert window.wait_for(lambda event: event.get("key") == "Return")["text"] == "new"
    desktop.perform(PressKeys(keys=("backspace",), repeat=3))
    window.wait_for(lambda event: event.get("text") == "")


def test_an_effect_says_whether_the_screen_changed(desktop: DesktopEnv, window: Window) -> None:
    assert desktop.perform(Wait(seconds_s=0)).changed is None
    desktop.perform(Click(x_px=300, y_px=40))
    desktop.observe()
    assert desktop.perform(Wait(seconds_s=0)).changed is False
    assert desktop.perform(TypeText(text="x")).changed is True
    desktop.perform(PressKeys(keys=("backspace",)))


def test_a_desktop_has_no_pages(desktop: DesktopEnv) -> None:
    for action in (Navigate(url="http://127.0.0.1/"), Back()):
        with pytest.raises(UnsupportedAction, match="this screen cannot do that"):
            desktop.perform(action)
    with pytest.raises(UnsupportedAction, match="no key '漢'"):
        desktop.perform(PressKeys(keys=("漢",)))


def test_nothing_stays_down_after_an_exception(desktop: DesktopEnv, virtual_display: VirtualDisplay) -> None:
    def interrupt(signum: int, frame: FrameType | None) -> None:
        held.append(not nothing_is_held(virtual_display.display))
        raise KeyError

    held: list[bool] = []
    path = tuple(Point(30 + step, 550) for step in range(100))
    former = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(KeyError):
            desktop.perform(Drag(path=path))
    finally:
        signal.signal(signal.SIGALRM, former)
    assert held == [True]
    assert nothing_is_held(virtual_display.display)


PROGRAM = """
import sys
from moonhand.envs import *
with DesktopEnv(DesktopConfig(display=sys.argv[1], key_gap_s=0.2)) as env:
    print("ready", flush=True)
    env.perform({action})
"""


@pytest.mark.parametrize(
    ("signum", "status", "action"),
    [
        (signal.SIGINT, -signal.SIGINT, "PressKeys(keys=('ctrl', 'shift', 'a'), repeat=50)"),
        (signal.SIGTERM, 128 + signal.SIGTERM, "Drag(path=[Point(5, 560 + i % 2) for i in range(99)])"),
    ],
)
def test_nothing_stays_down_after_a_signal(
    virtual_display: VirtualDisplay, signum: signal.Signals, status: int, action: str
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(action=action), virtual_display.display],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        deadline_s = time.monotonic() + 20
        while nothing_is_held(virtual_display.display) and time.monotonic() < deadline_s:
            time.sleep(0.02)
        assert not nothing_is_held(virtual_display.display)
        process.send_signal(signum)
        process.communicate(timeout=60)
    assert process.returncode == status
    assert nothing_is_held(virtual_display.display)


def test_the_handlers_of_the_program_are_back_after_close(virtual_display: VirtualDisplay) -> None:
    def handlers() -> list[object]:
        return [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]

    def hear(*_: object) -> None:
        heard.append(nothing_is_held(virtual_display.display))

    config = DesktopConfig(display=virtual_display.display)
    former = signal.signal(signal.SIGTERM, hear)
    heard: list[bool] = []
    try:
        before = handlers()
        with DesktopEnv(config) as env:
            other = DesktopEnv(config).__enter__()
            env.close()  # in the order they were opened
            other.perform(KeyDown(key="shift"))
            signal.raise_signal(signal.SIGTERM)
            assert heard == [True]
            assert not set(handlers()) & set(before)
            other.close()
        assert handlers() == before
    finally:
        signal.signal(signal.SIGTERM, former)
    with pytest.raises(EnvError, match="not open"):
        env.observe()


@pytest.mark.parametrize(
    ("environ", "complaint"),
    [({}, "no DISPLAY"), ({"DISPLAY": ":59535"}, "59535"), ({"WAYLAND_DISPLAY": "wayland-0"}, "Wayland")],
)
def test_a_missing_display_is_one_clear_error(environ: dict[str, str], complaint: str) -> None:
    program = "from moonhand.envs import *\nwith DesktopEnv(): pass\n"
    done = subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, timeout=30, check=False
    )
    last = done.stderr.splitlines()[-1]
    assert last.startswith("moonhand.envs.errors.NoDisplay:")
    assert complaint in last


def test_a_display_that_goes_away_is_one_clear_error() -> None:
    with VirtualDisplay(Size(320, 200)) as screen, DesktopEnv(DesktopConfig(display=screen.display)) as env:
        env.observe()
        screen.close()
        with pytest.raises(NoDisplay, match="stopped answering"):
            env.observe()
        with pytest.raises(NoDisplay, match="stopped answering"):
            env.perform(PressKeys(keys=("ctrl", "a")))


def test_pyautogui_moves_and_types_the_same(virtual_display: VirtualDisplay, window: Window) -> None:
    program = (
        "from moonhand.envs import *\n"
        "with DesktopEnv(DesktopConfig(hands='pyautogui')) as env:\n"
        "    env.perform(Click(x_px=60, y_px=150, button='right'))\n"
        "    env.perform(Scroll(dy=1))\n"
        "    env.perform(Click(x_px=300, y_px=40))\n"
        "    env.perform(TypeText(text='aB <x> +'))\n"
        "    env.perform(Click(x_px=0, y_px=0))\n"
        "    env.perform(PressKeys(keys=('backspace',), repeat=8))\n"
        "    env.perform(TypeText(text='né 漢'))\n"
        "    env.perform(PressKeys(keys=('end',)))\n"  # at which the window tells what it fetched after the paste
        "    env.perform(PressKeys(keys=('backspace',), repeat=4))\n"
        "    env.perform(Drag(path=(Point(60, 150), Point(160, 150))))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=virtual_display.environ(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert window.wait_for(lambda event: event["kind"] == "ButtonPress")["button"] == 3
    assert window.wait_for(lambda event: event["kind"] == "ButtonPress")["button"] == 5
    for text in ("aB <x> +", "", "né 漢", ""):
        window.wait_for(lambda event, text=text: event.get("text") == text)
    assert [told[:2] for told in window.kinds()] == [("ButtonPress", 40), ("ButtonRelease", 140)]
