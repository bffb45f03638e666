"""`moonhand traj diff` of replays that need no browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from moonhand.agent import Step, Trajectory
from moonhand.agent.replay import Divergence, Patch, Verdict
from moonhand.agent.replay.patch import write_patches
from moonhand.agent.replay.report import write_report
from moonhand.envs import Click, Frame
from moonhand.tasks.cli import app
from typer.testing import CliRunner, Result

HEALED = Patch(
    number=1,
    recorded=0,
    step=0,
    kind="moved",
    how="pixels",
    said="30 px down",
    before=Click(x_px=9, y_px=9),
    after=Click(x_px=9, y_px=39),
)


def diff(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["traj", "diff", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture
def replayed(tmp_path: Path) -> Path:
    """A replay of one step that has not ended yet, as a folder."""
    with Trajectory(tmp_path / "recorded", goal="click") as trajectory:
        before = trajectory.store(Frame(np.full((60, 80, 3), 90, np.uint8)))
        click = Click(x_px=9, y_px=9)
        trajectory.append(Step(index=0, turn=0, before=before, after=before, action=click))
        trajectory.finish("finished")
    return tmp_path / "recorded"


def test_a_replay_that_stopped_and_healed_nothing_says_where(replayed: Path) -> None:
    verdicts = [Verdict(recorded=at, step=at, verdict="done") for at in range(6)]
    stop = Verdict(recorded=6, step=6, verdict="stopped", kind="changed")
    write_report(replayed, "verify", [*verdicts, stop], Divergence("changed", "it is blue"))
    assert diff(replayed).stdout == "nothing was healed; it stopped at step 7: changed\n"
    told: dict[str, Any] = json.loads(diff(replayed, "--json").stdout)
    assert told["stopped"] == {"step": 7, "kind": "changed", "said": "it is blue"}
    write_report(replayed, "verify", verdicts, None)
    assert diff(replayed).stdout == "nothing was healed: the recording fits as it is\n"


def test_what_was_healed_goes_to_stdout_and_a_number_there_is_not_leaves_with_2(replayed: Path) -> None:
    write_report(replayed, "heal", [Verdict(recorded=0, step=0, verdict="healed")], None)
    write_patches(replayed, [HEALED])
    shown = diff(replayed)
    assert (shown.exit_code, shown.stderr, "1: 30 px down" in shown.stdout) == (0, "", True)
    (patch,) = json.loads(diff(replayed, "--json").stdout)["patches"]
    assert (patch["index"], patch["replay_index"]) == (0, 0)
    for number in ("9", "0"):
        left = diff(replayed, "--accept", number)
        assert (left.exit_code, "there are: 1" in left.stderr) == (2, True)
    assert "rejected: 1" in diff(replayed, "--reject", "1").stdout
    assert diff(replayed, "--reject", "1").exit_code == 2
