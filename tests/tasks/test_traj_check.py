from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from moonhand.agent import RunConfig, ScriptedPolicy, Trajectory, run_to_end
from moonhand.envs import Frame, ReplayEnv, Wait
from moonhand.tasks.cli import app
from typer.testing import CliRunner


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    frames = [Frame(np.full((8, 8, 3), number, dtype=np.uint8)) for number in range(4)]
    actions = [Wait(seconds_s=0)] * 3
    with Trajectory(tmp_path / "run", goal="wait") as trajectory:
        run_to_end(ReplayEnv(frames, actions), ScriptedPolicy(actions), "wait", trajectory, RunConfig())
    return tmp_path / "run"


def checked(*arguments: str | Path) -> tuple[int, str, str]:
    left = CliRunner().invoke(app, ["traj", "check", *map(str, arguments)])
    return left.exit_code, left.stdout, left.stderr


def test_a_sound_run_leaves_with_0_and_a_damaged_one_with_1(folder: Path) -> None:
    code, told, said = checked(folder)
    assert (code, said) == (0, "")
    assert told == f"{folder} is sound: 4 steps and 4 pictures can be read\n"
    with (folder / "steps.jsonl").open("ab") as file:
        file.write(b'{"index": 4, "tu')
    code, told, _ = checked(folder)
    assert code == 1
    assert "torn  steps.jsonl line 5: the last line is torn" in told
    assert "--repair drops what cannot be read" in told


def test_a_repair_is_told_to_people_and_to_programs(folder: Path) -> None:
    with (folder / "steps.jsonl").open("ab") as file:
        file.write(b"[bold]\n")
    code, out, _ = checked(folder, "--repair", "--json")
    assert code == 0
    assert json.loads(out) == {
        "path": str(folder),
        "sound": True,
        "steps": 4,
        "frames": 4,
        "problems": [],
        "repaired": ["1 line of steps.jsonl dropped; the old one is steps.jsonl.damaged"],
    }
    assert checked(folder, "--repair")[0] == 0


def test_what_is_no_run_is_one_error(tmp_path: Path) -> None:
    code, out, told = checked(tmp_path)
    assert (code, out) == (3, "")
    assert told.startswith(f"error: {tmp_path} holds no trajectory")
