"""`moonhand record`, as it is called in a terminal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from moonhand.agent import read_trajectory
from moonhand.envs import Click, VirtualDisplay
from moonhand.tasks.cli import app
from typer.testing import CliRunner

RECORD = (sys.executable, "-m", "moonhand.tasks", "record")


@pytest.mark.parametrize(
    ("flags", "code", "complaint"),
    [
        ((), 2, "choose what is recorded"),
        (("--desktop", "--url", "http://127.0.0.1/"), 2, "not both"),
        (("--desktop",), 3, "no DISPLAY"),
        (("--url", "http://127.0.0.1/"), 3, "give --surface kiosk"),
        (("--desktop", "--region", "nowhere"), 2, "100,50,800x600"),
        (("--url", "http://127.0.0.1/", "--monitor", "2"), 2, "give --desktop"),
    ],
)
def test_what_cannot_be_recorded_is_said_before_anything_is_written(
    flags: tuple[str, ...], code: int, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    left = CliRunner().invoke(app, ["record", *flags, "--out", str(tmp_path / "run"), "--json"])
    assert left.exit_code == code
    assert complaint in json.loads(left.stdout)["error"]
    assert not (tmp_path / "run").exists()


def test_a_folder_that_holds_a_run_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    left = CliRunner().invoke(app, ["record", "--desktop", "--out", str(tmp_path)])
    assert left.exit_code == 2
    assert "already holds a run" in left.stderr


@pytest.mark.display
def test_ctrl_c_ends_a_recording_that_is_whole(virtual_display: VirtualDisplay, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    environ = virtual_display.environ()
    with subprocess.Popen(
        [*RECORD, "--desktop", "--out", str(folder), "--json"],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert str(folder) in process.stderr.readline()
        assert "ctrl+alt+escape" in process.stderr.readline()
        time.sleep(0.3)
        subprocess.run(["xdotool", "mousemove", "150", "80", "click", "1"], env=environ, check=True, timeout=20)
        subprocess.run(["xdotool", "key", "ctrl+c"], env=environ, check=True, timeout=20)
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert (json.loads(told)["status"], json.loads(told)["steps"]) == ("finished", 1)
    recording = read_trajectory(folder)
    assert (recording.problems, recording.run["source"]) == ((), "human")
    assert [step.action for step in recording.steps] == [Click(x_px=150, y_px=80)]


@pytest.mark.display
@pytest.mark.browser
@pytest.mark.parametrize(
    "presses",
    [
        pytest.param((signal.SIGTERM,), id="SIGTERM", marks=pytest.mark.slow),  # as the next
        pytest.param((signal.SIGHUP, signal.SIGHUP), id="closed terminal"),
        pytest.param((signal.SIGINT,) * 3, id="Ctrl-C thrice"),
    ],
)
def test_what_stops_the_browser_too_ends_a_recording_that_is_whole(
    presses: tuple[signal.Signals, ...], whole_chromium: str, tmp_path: Path
) -> None:
    page, folder = tmp_path / "page.html", tmp_path / "run"
    page.write_text("<title>Still</title><body>Nothing moves here")
    flags = ("--url", page.as_uri(), "--surface", "kiosk", "--chromium", whole_chromium, "--out", str(folder), "--json")
    with subprocess.Popen(
        [*RECORD, *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stderr is not None
        greeting = [process.stderr.readline() for _ in range(4)]
        display = greeting[-1].removeprefix("The browser is on the X display ").removesuffix(".\n")
        time.sleep(0.3)
        click = ["xdotool", "mousemove", "150", "80", "click", "1"]
        subprocess.run(click, env=os.environ | {"DISPLAY": display}, check=True, timeout=20)
        time.sleep(0.2)
        for signum in presses:
            os.killpg(process.pid, signum)  # as a terminal does: to Playwright's driver too
            time.sleep(0.05)
        told, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert (json.loads(told)["status"], json.loads(told)["steps"]) == ("finished", 1)
    assert said.splitlines()[-2:] == ["finished: 1 step", f"trajectory: {folder}"]
    assert "Traceback" not in said
    recording = read_trajectory(folder)
    assert recording.problems == ()
    assert [step.action for step in recording.steps] == [Click(x_px=150, y_px=80)]
