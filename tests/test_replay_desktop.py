"""A recorded run done again on a desktop, where pixels alone tell a target: its window moved, or another one there."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from moonhand.agent import RunResult, ScriptedPolicy, Trajectory, read_trajectory, run_to_end
from moonhand.agent.replay import ReplayConfig, read_report, replay_to_end
from moonhand.envs import Click, DesktopConfig, DesktopEnv, Size, TypeText, VirtualDisplay

pytestmark = pytest.mark.display
AT_ONCE = ReplayConfig(wait_s=0.3, heal_after_s=0.1, reads=False)
WINDOW = """
import os, sys, tkinter
place, words, told = sys.argv[1:]
root = tkinter.Tk()
root.overrideredirect(True)
root.geometry("220x110+" + place)
field = tkinter.Entry(root, insertontime=0); field.place(x=10, y=10, width=190, height=30)
def tell(word):
    with open(told, "a") as file: file.write(word + " " + field.get() + "\\n")
for number, word in enumerate(words.split(",")):
    button = tkinter.Button(root, text=word, command=lambda word=word: tell(word))
    button.place(x=10 + 100 * number, y=60, width=90, height=34)
root.after(100, lambda: (field.focus_force(), open(told, "a").close())); root.mainloop()
"""
SAVE = Click(x_px=70, y_px=97)
TOLD = "Save \nSave Ada\n"  # the field has the focus


@contextmanager
def window(display: VirtualDisplay, place: str, words: str, told: Path) -> Generator[DesktopEnv]:
    program = [sys.executable, "-c", WINDOW, place, words, str(told)]
    with subprocess.Popen(program, env=display.environ()) as process:
        try:
            deadline_s = time.monotonic() + 10
            while not told.exists() and time.monotonic() < deadline_s:
                time.sleep(0.02)
            with DesktopEnv(DesktopConfig(display=display.display, settle_s=0.3)) as env:
                yield env
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def display() -> Generator[VirtualDisplay]:
    with VirtualDisplay(Size(480, 320)) as display:
        yield display


@pytest.fixture(scope="module")
def recorded(display: VirtualDisplay, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded")
    with (
        window(display, "20+20", "Save,Drop", folder / "told") as env,
        Trajectory(folder / "run", goal="") as trajectory,
    ):
        run_to_end(env, ScriptedPolicy((SAVE, TypeText(text="Ada"), SAVE)), "", trajectory)
    assert (folder / "told").read_text() == TOLD
    return folder / "run"


def again(display: VirtualDisplay, recorded: Path, folder: Path, place: str, words: str) -> tuple[RunResult, str]:
    """The result, and what the window was told."""
    with (
        window(display, place, words, folder / "told") as env,
        Trajectory(folder / "replay", goal="", source="replay") as trajectory,
    ):
        result = replay_to_end(read_trajectory(recorded), env, trajectory, AT_ONCE)
    return result, (folder / "told").read_text()


def test_a_window_that_was_moved_is_followed(display: VirtualDisplay, recorded: Path, tmp_path: Path) -> None:
    result, told = again(display, recorded, tmp_path, "157+113", "Save,Drop")
    assert (result.status, told) == ("finished", TOLD), result.error
    steps = read_report(result.path)["steps"]
    assert [step["kind"] for step in steps] == ["moved", None, "moved"]


def test_a_button_that_says_something_else_is_not_pressed(
    display: VirtualDisplay, recorded: Path, tmp_path: Path
) -> None:
    result, told = again(display, recorded, tmp_path, "157+113", "Drop,Save")
    assert (result.status, told) == ("diverged", ""), result.error
