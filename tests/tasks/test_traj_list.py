"""`moonhand traj ls` and `show`: every run is listed, whatever state its folder is in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from moonhand.agent import Step, Trajectory
from moonhand.envs import Click, Effect, Element, Frame, Surroundings
from moonhand.tasks.cli import app
from PIL import Image
from typer.testing import CliRunner, Result

BUTTON = Element(tag="button", name="Send", near="Letter to Ada", left_px=40, top_px=30, width_px=80, height_px=20)


def moonhand(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["traj", *map(str, arguments)], catch_exceptions=False)


def line(result: Result) -> dict[str, Any]:
    assert result.stdout.count("\n") == 1
    return json.loads(result.stdout)


@pytest.fixture
def record(tmp_path: Path) -> Callable[..., Path]:
    """Writes a run of some clicks into a folder under `runs`."""

    def record(name: str, *, num_steps: int = 2, started_at_s: float = 1e9, status: str = "finished") -> Path:
        folder = tmp_path / "runs" / name
        with Trajectory(folder, goal="click Send\nclick Close") as trajectory:
            for index in range(num_steps):
                trajectory.append(step_of(trajectory, index, started_at_s + index))
            trajectory.finish(status, success=True)
        run = json.loads((folder / "run.json").read_text())
        run |= {"started_at_s": started_at_s, "ended_at_s": started_at_s + 4}
        (folder / "run.json").write_text(json.dumps(run))
        return folder

    return record


def step_of(trajectory: Trajectory, index: int, started_at_s: float) -> Step:
    before = trajectory.store(Frame(np.full((120, 160, 3), 40 + index, np.uint8)))
    return Step(
        index=index,
        turn=index,
        before=before,
        after=before,
        action=Click(x_px=80, y_px=40),
        instruction="the Send button",
        reply="## Thought:\nSend it.\x1b[31m\n## Code:\nclick(x=0.5, y=0.33)",
        thought="Send it.",
        confidence=0.875,
        effect=Effect(performed=True, detail="click (80, 40); blocked: https://evil.example", changed=False),
        surroundings=Surroundings(url="https://mail.example", title="Mail", element=BUTTON),
        started_at_s=started_at_s,
    )


def test_runs_are_listed_the_newest_first_and_broken_ones_as_such(record: Callable[..., Path], tmp_path: Path) -> None:
    record("old")
    record("deeper/new", started_at_s=2e9, num_steps=3)
    torn = record("torn", started_at_s=1.5e9)
    (torn / "steps.jsonl").write_bytes((torn / "steps.jsonl").read_bytes()[:-9])
    broken = record("broken", started_at_s=1.7e9)
    (broken / "run.json").write_text("{")
    (tmp_path / "runs" / "notes").mkdir()
    told = line(moonhand("ls", tmp_path / "runs", "--json"))["runs"]
    by_name = {Path(run["path"]).name: run for run in told}
    assert [Path(run["path"]).name for run in told if not run["broken"]] == ["new", "torn", "old"]
    assert set(by_name) == {"new", "torn", "old", "broken"}
    assert "is not JSON" in by_name["broken"]["broken"]
    assert "torn" in by_name["torn"]["problems"][0]
    new = by_name["new"]
    assert (new["steps"], new["time_s"], new["status"], new["success"], new["source"]) == (
        3,
        4,
        "finished",
        True,
        "agent",
    )
    assert new["bytes"] == sum(path.stat().st_size for path in Path(new["path"]).rglob("*") if path.is_file())
    shown = moonhand("ls", tmp_path / "runs")
    assert shown.exit_code == 0
    assert "click Send click Close" in shown.stdout
    assert "broken" in shown.stdout
    assert "is not JSON" in shown.stderr


def test_a_folder_without_runs_and_one_that_is_not_there(tmp_path: Path) -> None:
    assert line(moonhand("ls", tmp_path, "--json"))["runs"] == []
    left = moonhand("ls", tmp_path / "nowhere", "--json")
    assert (left.exit_code, left.stderr.count("\n")) == (3, 1)
    assert "nowhere" in json.loads(left.stdout)["error"]


def test_a_run_is_shown_as_the_table_it_was_while_it_went(record: Callable[..., Path]) -> None:
    left = moonhand("show", record("one"))
    assert left.exit_code == 0
    assert [line for line in left.stdout.splitlines() if "the Send button" in line and "80,40" in line]
    assert "blocked: https://evil.example" in left.stdout
    told = line(moonhand("show", record("two"), "--json"))
    assert [step["index"] for step in told["steps"]] == [0, 1]
    assert told["run"]["goal"] == "click Send\nclick Close"


def test_a_step_is_shown_whole_and_steers_no_terminal(record: Callable[..., Path], tmp_path: Path) -> None:
    folder = record("one")
    left = moonhand("show", folder, "--step", "2", "--picture", tmp_path / "step.png")
    assert left.exit_code == 0
    for said in ("<button> 'Send', 80x20 at (40, 30)", "Letter to Ada", "Send it.", "87.5%", "https://mail.example"):
        assert said in left.stdout
    assert "\x1b[31m" not in left.stdout
    with Image.open(tmp_path / "step.png") as picture:
        assert picture.size == (160, 120)
        assert len(np.unique(np.asarray(picture)[20:60, 60:100])) > 3, "a cross"
    assert line(moonhand("show", folder, "--step", "2", "--json"))["step"]["index"] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--step", "9"), "has no step 9: it has steps 1 to 2"),
        (("--picture", "step.jpg"), "pictures are written as .png"),
        (("--step", "0"), ""),
    ],
)
def test_what_cannot_be_shown_is_an_error_of_one_line(
    arguments: tuple[str, ...], said: str, record: Callable[..., Path]
) -> None:
    left = moonhand("show", record("one"), *arguments)
    assert left.exit_code == 2
    assert said in left.stderr


def test_no_run_in_the_folder_leaves_with_3(tmp_path: Path) -> None:
    left = moonhand("show", tmp_path)
    assert left.exit_code == 3
    assert "holds no trajectory" in left.stderr
