"""What part of a desktop is seen, and that clicks land there: monitors, regions, windows."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from moonhand.envs import (
    Click,
    DesktopConfig,
    DesktopEnv,
    EnvError,
    NoDisplay,
    PointOffScreen,
    Region,
    Size,
    Surroundings,
    VirtualDisplay,
)
from moonhand.envs.capture import ScreenCapture, check_display
from moonhand.envs.monitors import Monitor, in_order
from moonhand.tasks.cli import app
from PIL import Image
from typer.testing import CliRunner

pytestmark = pytest.mark.display

LEFT, RIGHT = ("LEFT", "800/212x600/159+0+0", "screen"), ("RIGHT", "700/185x400/106+900+150", "none")
WINDOWS = """
import json, sys, tkinter
root = tkinter.Tk()
root.overrideredirect(True)
root.geometry("1600x600+0+0")
ground = tkinter.Canvas(root, width=1600, height=600, background="#204060", highlightthickness=0)
ground.pack()
ground.create_rectangle(900, 150, 910, 160, fill="#ff8000", width=0)
tell = lambda **more: print(json.dumps(more), flush=True)
notes = tkinter.Toplevel(root, background="#80c080")
notes.title("Moon notes")
notes.geometry("300x200+100+100")
board = tkinter.Toplevel(root, background="#c080c0")
board.title("Moon board")
board.geometry("200x100+1200+300")
for window in (notes, board):
    window.bind("<Map>", lambda event, window=window: (root.lower(), tell(shown=window.title())))
root.bind_all("<ButtonPress>", lambda event: tell(x=event.x_root, y=event.y_root, window=event.widget.winfo_toplevel().title()))
def read(file, mask):
    words = file.readline().split()
    if words[0] == "move": notes.geometry("300x200+" + words[1] + "+" + words[2])
    if words[0] == "title": notes.title(" ".join(words[1:]))
    root.after(150, lambda: tell(done=words[0]))
root.tk.createfilehandler(sys.stdin, tkinter.READABLE, read)
root.mainloop()
"""  # noqa: E501


class Windows:
    """Two windows, "Moon notes" (300x200) and "Moon board", before a ground that fills both monitors."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.tell("shown")
        self.tell("shown")

    def tell(self, key: str) -> dict[str, Any]:
        """The next thing it tells that has this key."""
        assert self._process.stdout is not None
        while key not in (told := json.loads(self._process.stdout.readline())):
            pass
        return told

    def do(self, *words: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()
        self.tell("done")


@pytest.fixture(scope="module")
def screen() -> Generator[VirtualDisplay]:
    """LEFT (800x600 at 0,0) and RIGHT (700x400 at 900,150) on one display of 1600x600."""
    with VirtualDisplay(Size(1600, 600), wm=True) as display:
        for monitor in (RIGHT, LEFT):  # the other way round there is one that fills the display
            subprocess.run(["xrandr", "--setmonitor", *monitor], env=display.environ(), check=True)
        yield display


@pytest.fixture(scope="module")
def windows(screen: VirtualDisplay) -> Generator[Windows]:
    command, pipe = [sys.executable, "-c", WINDOWS], subprocess.PIPE
    with subprocess.Popen(command, env=screen.environ(), stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield Windows(process)
        finally:
            process.terminate()


def test_monitors_count_from_left_to_right_and_from_top_to_bottom(screen: VirtualDisplay) -> None:
    assert [each.name for each in in_order(check_display(screen.display))] == ["LEFT", "RIGHT"]
    low, high, left = (Monitor(Region(x, y, 10, 10)) for x, y in ((5, 9), (5, -3), (-8, 40)))
    assert in_order([low, high, left]) == [left, high, low]
    with pytest.raises(
        EnvError, match=r"no monitor 7: choose 0 \(all together\) or one of 1 LEFT \(800x600 at 0,0\), 2"
    ):
        ScreenCapture(display=screen.display, monitor=7)
    with pytest.raises(EnvError, match="no monitor 'MIDDLE'"):
        ScreenCapture(display=screen.display, monitor="MIDDLE")


@pytest.mark.parametrize(
    ("config", "size", "origin_pt"),
    [
        (DesktopConfig(monitor=2), Size(700, 400), (900, 150)),
        (DesktopConfig(monitor="RIGHT"), Size(700, 400), (900, 150)),
        (DesktopConfig(monitor=0), Size(1600, 600), (0, 0)),
        (DesktopConfig(region=Region(850, 130, 333, 77)), Size(333, 77), (850, 130)),
    ],
    ids=["number", "name", "all", "region"],
)
def test_what_is_clicked_on_the_picture_is_clicked_on_the_desktop(
    screen: VirtualDisplay, windows: Windows, config: DesktopConfig, size: Size, origin_pt: tuple[int, int]
) -> None:
    left_pt, top_pt = origin_pt
    with DesktopEnv(replace(config, display=screen.display, settle_s=0)) as env:
        frame = env.observe()
        assert (frame.size, frame.origin_pt, frame.scale) == (size, origin_pt, 1.0)
        assert frame.pixels_HW3[150 - top_pt, 900 - left_pt].tolist() == [0xFF, 0x80, 0x00]
        assert frame.pixels_HW3[150 - top_pt, 899 - left_pt if left_pt < 900 else 11].tolist() == [0x20, 0x40, 0x60]
        last = size.width_px - 1, size.height_px - 1
        for x_px, y_px in ((0, 0), (57, 33), last):
            env.perform(Click(x_px=x_px, y_px=y_px))
            told = windows.tell("x")
            assert (told["x"], told["y"]) == (left_pt + x_px, top_pt + y_px)
        with pytest.raises(PointOffScreen):
            env.perform(Click(x_px=size.width_px, y_px=5))


def test_the_pixels_are_the_same_array_for_as_long_as_nothing_changes(screen: VirtualDisplay, windows: Windows) -> None:
    with ScreenCapture(display=screen.display, region=Region(80, 60, 500, 400)) as capture:
        first = capture.observe()
        assert capture.grab() is capture.grab()
        assert np.shares_memory(capture.observe().pixels_HW3, first.pixels_HW3)
        windows.do("move", 150, 150)
        assert capture.observe().differs_from(first)
        assert not np.shares_memory(capture.observe().pixels_HW3, first.pixels_HW3)
        windows.do("move", 100, 100)
        assert not capture.observe().differs_from(first)


def test_a_window_is_seen_with_its_frame_and_followed(screen: VirtualDisplay, windows: Windows) -> None:
    with DesktopEnv(DesktopConfig(display=screen.display, window="moon NOTES", settle_s=0)) as env:
        frame = env.observe()
        left_pt, top_pt = frame.origin_pt
        top_edge = frame.size.height_px - 200
        assert 300 <= frame.size.width_px < 320
        assert top_edge > 10
        assert frame.pixels_HW3[-20, 20].tolist() == [0x80, 0xC0, 0x80]
        windows.do("move", 900, 200)
        windows.do("title", "of today")
        moved = env.observe()
        assert moved.origin_pt == (left_pt + 800, top_pt + 100)
        env.perform(Click(x_px=50, y_px=150))
        assert windows.tell("x") == {"x": left_pt + 850, "y": top_pt + 250, "window": "of today"}
        assert env.surroundings(Click(x_px=50, y_px=150)) == Surroundings(title="of today")  # it is in front
        windows.do("move", 1400, 500)
        cut = env.observe()
        assert cut.origin_pt == (left_pt + 1300, top_pt + 400)
        assert (cut.size.width_px, cut.size.height_px) == (1600 - cut.origin_pt[0], 600 - cut.origin_pt[1])
        env.perform(Click(x_px=cut.size.width_px - 1, y_px=cut.size.height_px - 1))
        assert windows.tell("x") == {"x": 1599, "y": 599, "window": "of today"}
        windows.do("move", 100, 100)
        windows.do("title", "Moon notes")


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (
            "moon",
            r"2 windows have 'moon' in their title: say more of one of 'Moon (notes', 'Moon board|board', 'Moon no)",
        ),
        ("sun", r"no window has 'sun' in its title: there are 'Moon (notes', 'Moon board|board', 'Moon notes)'"),
    ],
)
def test_a_window_that_is_not_there_or_not_the_only_one_is_told_with_those_that_are(
    screen: VirtualDisplay, windows: Windows, part: str, said: str
) -> None:
    with pytest.raises(EnvError, match=said):
        ScreenCapture(display=screen.display, window=part)


def test_a_region_that_reaches_beyond_the_desktop_is_refused(screen: VirtualDisplay) -> None:
    for region in (Region(1500, 0, 101, 10), Region(-1, 0, 10, 10), Region(4000, 0, 10, 10)):
        with pytest.raises(EnvError, match=r"desktop, which is 1600x600 at 0,0"):
            ScreenCapture(display=screen.display, region=region)
    with pytest.raises(ValueError, match="choose one of monitor, region and window"):
        DesktopConfig(monitor=2, window="notes")
    with pytest.raises(ValueError, match="at least 1x1"):
        DesktopConfig(region=Region(5, 5, 0, 9))


def test_the_command_line_takes_a_monitor_a_region_or_a_window(
    screen: VirtualDisplay, windows: Windows, tmp_path: Path
) -> None:
    def shot(*flags: str) -> tuple[int, str]:
        command = ["shot", str(tmp_path / "shot.png"), "--json", *flags]
        left = CliRunner().invoke(app, command, env={"DISPLAY": screen.display}, catch_exceptions=False)
        return left.exit_code, left.output

    for flags, size in (
        (("--monitor", "RIGHT"), (700, 400)),
        (("--monitor", "0"), (1600, 600)),
        (("--region", "10,20,64x48"), (64, 48)),
    ):
        assert shot(*flags)[0] == 0
        with Image.open(tmp_path / "shot.png") as picture:
            assert picture.size == size
    assert shot("--window", "Moon board")[0] == 0
    for flags, said in (
        (("--monitor", "-1"), "must be >= 0"),
        (("--region", "10,20"), "X,Y,WIDTHxHEIGHT"),
        (("--region", "1,2,0x9"), "at least 1x1"),
        (("--region", "1,2,8x9", "--window", "Moon"), "choose one of"),
        (("--url", "about:blank", "--window", "Moon"), "give --desktop alone"),
    ):
        code, printed = shot(*flags)
        assert (code, said in printed) == (2, True), printed
    code, printed = shot("--monitor", "HDMI-9")
    assert (code, "2 RIGHT" in printed) == (3, True)


def test_what_wayland_shows_to_x_programs_is_refused_with_what_to_do(screen: VirtualDisplay) -> None:
    name = "XWAYLAND0"
    subprocess.run(["xrandr", "--setmonitor", name, "9/9x9/9+0+0", "none"], env=screen.environ(), check=True)
    try:
        with pytest.raises(NoDisplay, match=r"log in to an X session, or work on a virtual display.*--virtual"):
            DesktopEnv(DesktopConfig(display=screen.display)).__enter__()
    finally:
        subprocess.run(["xrandr", "--delmonitor", name], env=screen.environ(), check=True)
