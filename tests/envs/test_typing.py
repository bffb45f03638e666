"""Text of any script on any layout, read back from the programs that it was typed into."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from moonhand.envs import Click, DesktopConfig, DesktopEnv, PressKeys, Size, TypeText, VirtualDisplay
from moonhand.envs.clipboard import XClipboard
from moonhand.envs.keymap import borrowed_keys, num_spare_keys
from moonhand.envs.windows import connect, window_list, window_title
from Xlib import X

pytestmark = pytest.mark.display

ASCII = "".join(map(chr, range(33, 127)))
ANY = "né 漢字 Ж ñ €uro 😀 <b>&amp; ß"
PAGE = """<!doctype html><meta charset="utf-8"><body style="margin:0"><input autofocus style="width:95vw;height:90vh">
<script>document.title = "typed:";
const field = document.querySelector("input");
field.oninput = () => { document.title = "typed:" + field.value; };
setInterval(() => field.focus(), 50);</script>"""
LAYOUTS = {"us": (), "de": (), "fr": (), "ru": (), "us,ru": ("-option", "grp:shifts_toggle")}


@pytest.fixture
def desktop(virtual_display: VirtualDisplay) -> Generator[DesktopEnv]:
    with DesktopEnv(DesktopConfig(display=virtual_display.display, settle_s=0.05)) as env:
        yield env


@pytest.fixture(scope="module")
def typed(
    virtual_display: VirtualDisplay, whole_chromium: str, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Typed]:
    folder = tmp_path_factory.mktemp("chromium")
    (folder / "page.html").write_text(PAGE)
    command = [whole_chromium, "--no-sandbox", "--kiosk", "--no-first-run", f"--user-data-dir={folder / 'profile'}"]
    command += ["--window-size=800,600", "--disable-gpu", "--password-store=basic", (folder / "page.html").as_uri()]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, env=virtual_display.environ(), stdout=quiet, stderr=quiet) as process:
        try:
            shown = Typed(virtual_display)
            shown.wait_for(lambda text: text == "")
            yield shown
        finally:
            process.terminate()


class Typed:
    """A field that fills a real Chromium window, and what is in it, by the window's title."""

    def __init__(self, screen: VirtualDisplay) -> None:
        self._screen = screen

    def wait_for(self, is_wanted: Callable[[str], bool]) -> None:
        with closing(connect(self._screen.display)) as connection:
            self._wait_for(is_wanted, connection)

    def _wait_for(self, is_wanted: Callable[[str], bool], connection: Any) -> None:
        titles: list[str] = []
        deadline_s = time.monotonic() + 60
        while not any(is_wanted(title.partition("typed:")[2].removesuffix(" - Chromium")) for title in titles):
            assert time.monotonic() < deadline_s, titles
            time.sleep(0.01)
            titles = [window_title(connection, number) for number in window_list(connection)]
            titles = [title for title in titles if title.startswith("typed:")]


@pytest.fixture
def layout(request: pytest.FixtureRequest, virtual_display: VirtualDisplay) -> Generator[str]:
    def choose(*flags: str) -> None:
        command = ["setxkbmap", "-option", "", *flags]
        subprocess.run(command, env=virtual_display.environ(), check=True)

    choose("-layout", request.param, *LAYOUTS[request.param])
    yield request.param
    choose("-layout", "us")


@pytest.mark.browser
@pytest.mark.parametrize(
    "layout",
    [pytest.param(name, marks=pytest.mark.slow) if name == "fr" else name for name in LAYOUTS],
    indirect=True,
)
def test_every_character_is_typed_on_every_layout(desktop: DesktopEnv, typed: Typed, layout: str) -> None:
    desktop.perform(Click(x_px=300, y_px=300))
    if layout == "us,ru":
        desktop.perform(PressKeys(keys=("shift", "shift")))
    XClipboard(desktop.config.display).write("kept")
    for text in (ASCII, ANY):
        desktop.perform(TypeText(text=text, clear=True))
        typed.wait_for(lambda there, text=text: there == text)
    desktop.close()
    assert XClipboard(desktop.config.display).read() == "kept"


@pytest.mark.browser
def test_a_picture_on_the_clipboard_stays_there_and_caps_lock_changes_no_letter(
    desktop: DesktopEnv, typed: Typed, virtual_display: VirtualDisplay
) -> None:
    xclip = ["xclip", "-selection", "clipboard", "-t", "image/png"]
    quiet, environ = subprocess.DEVNULL, virtual_display.environ()
    subprocess.run([*xclip, "-i"], env=environ, input=b"a picture", stdout=quiet, stderr=quiet, check=True)
    desktop.perform(Click(x_px=300, y_px=300))
    desktop.perform(PressKeys(keys=("capslock",)))
    try:
        for via in ("auto", "keys", "paste"):
            desktop.perform(TypeText(text=f"aBc {ANY}", clear=True, via=via))
            typed.wait_for(lambda there: there == f"aBc {ANY}")
    finally:
        desktop.perform(PressKeys(keys=("capslock",)))
    desktop.close()
    assert subprocess.run([*xclip, "-o"], env=environ, capture_output=True, check=True).stdout == b"a picture"


def test_a_terminal_is_typed_into_with_borrowed_keys(
    desktop: DesktopEnv, virtual_display: VirtualDisplay, tmp_path: Path
) -> None:
    written = tmp_path / "written"
    command = ["xterm", "-u8", "-T", "moon shell", "-geometry", "60x10+50+50", "-e", f"cat > {written}"]
    environ = virtual_display.environ() | {"LC_ALL": "C.UTF-8"}
    XClipboard(desktop.config.display).write("kept")
    text = f"{ANY} {ASCII} " + "".join(map(chr, range(0x4E00, 0x4E00 + 2 * num_spare_keys(desktop.config.display))))
    with subprocess.Popen(command, env=environ) as process:
        connection = connect(virtual_display.display)
        while "moon shell" not in (window_title(connection, each) for each in window_list(connection)):
            assert process.poll() is None
            time.sleep(0.01)
        connection.close()
        desktop.perform(Click(x_px=200, y_px=150))
        desktop.perform(TypeText(text=text, submit=True))
        deadline_s = time.monotonic() + 20
        while not written.exists() or not written.read_text():
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        assert written.read_text() == text + "\n"
        process.terminate()
    desktop.close()
    assert XClipboard(desktop.config.display).read() == "kept"


def test_no_key_overtakes_a_click_that_the_window_manager_passes_on_late() -> None:
    with VirtualDisplay(Size(800, 600), wm=True) as screen, closing(connect(screen.display)) as connection:
        root = connection.screen().root
        events = X.ButtonPressMask | X.KeyPressMask | X.FocusChangeMask
        window = root.create_window(100, 100, 300, 200, 0, X.CopyFromParent, event_mask=events)
        window.map()
        connection.sync()
        told(connection, X.FocusIn)
        place = window.translate_coords(root, -150, -100)
        manager = window_manager(screen)
        with DesktopEnv(DesktopConfig(display=screen.display, settle_s=0.05)) as env:
            os.kill(manager, signal.SIGSTOP)
            waking = threading.Timer(0.4, os.kill, (manager, signal.SIGCONT))
            waking.start()
            env.perform(Click(x_px=-place.x, y_px=-place.y))
            env.perform(PressKeys(keys=("a",)))
            waking.join()
        kinds = told(connection, X.ButtonPress, X.KeyPress)
        assert kinds.index(X.ButtonPress) < kinds.index(X.KeyPress)


def told(connection: Any, *wanted: int) -> list[int]:
    """The kinds of events as they come, until all that are wanted have come."""
    kinds: list[int] = []
    deadline_s = time.monotonic() + 20
    while not set(wanted).issubset(kinds):
        assert time.monotonic() < deadline_s, (kinds, who_has_what(connection))
        kinds += [connection.next_event().type for _ in range(connection.pending_events())]
        time.sleep(0.005)
    return kinds


def who_has_what(connection: Any) -> dict[str, Any]:
    """Where the pointer and the keyboard are, and the windows that people see."""
    pointer = connection.screen().root.query_pointer()
    return {
        "pointer": (pointer.root_x, pointer.root_y),
        "keyboard": connection.get_input_focus().focus,
        "windows": {number: window_title(connection, number) for number in window_list(connection)},
    }


def window_manager(screen: VirtualDisplay) -> int:
    """The process of the one on this display."""
    here = f"DISPLAY={screen.display}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # one that has just ended
            if (folder / "comm").read_text() == "openbox\n" and here in (folder / "environ").read_bytes().split(b"\0"):
                return int(folder.name)
    raise AssertionError(f"no window manager on {screen.display}")


def keyboard_map(display: str) -> object:
    connection = connect(display)
    try:
        first = connection.display.info.min_keycode
        return connection.get_keyboard_mapping(first, connection.display.info.max_keycode - first + 1)
    finally:
        connection.close()


def test_borrowed_keys_are_given_back_whatever_happens(virtual_display: VirtualDisplay) -> None:
    display = virtual_display.display
    before = keyboard_map(display)
    with borrowed_keys(display, "漢字"):
        assert keyboard_map(display) != before
    assert keyboard_map(display) == before
    program = (
        "import os, signal, sys\n"
        "from moonhand.envs import *\n"
        "with DesktopEnv(DesktopConfig(display=sys.argv[1], key_gap_s=0.05)) as env:\n"
        "    signal.setitimer(signal.ITIMER_REAL, 0.5)\n"
        "    signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGHUP))\n"
        "    env.perform(TypeText(text='漢字' * 50, via='keys'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, display], capture_output=True, text=True, env=dict(os.environ), check=False
    )
    assert done.returncode == 129, done.stderr
    assert keyboard_map(display) == before
