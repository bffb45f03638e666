"""`moonhand traj rerun`: a stored frame is asked again, and nothing is performed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from moonhand.agent import PROFILES, KimiPolicy, Step, Trajectory, describe_step, parse_steps, read_trajectory
from moonhand.envs import Click, Effect, Element, Finish, Frame, Surroundings, TypeText
from moonhand.model import load
from moonhand.tasks.cli import app
from moonhand.tasks.traj.rerun import plain_steps_of, profile_of_run
from PIL import Image
from typer.testing import CliRunner, Result

GOAL = 'click Send; type "Ada" into Name'


def moonhand(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["traj", "rerun", *map(str, arguments)], catch_exceptions=False)


def line(result: Result) -> dict[str, Any]:
    return json.loads(result.stdout)


def frame(number: int) -> Frame:
    return Frame(np.full((80, 120, 3), 40 * number + 10, np.uint8))


@pytest.fixture
def run(middle_checkpoint: Path, tmp_path: Path) -> Path:
    """A run of the checkpoint that always points at the middle: its first step was recorded 30 px from there."""
    steps = parse_steps(GOAL)
    policy = KimiPolicy(load(str(middle_checkpoint)), steps=steps, kinds=("click", "type"))
    goal = "\n".join(map(describe_step, steps))
    actions = (
        (0, "click Send", Click(x_px=60, y_px=10), "click(x=0.5, y=0.125)"),
        (1, "the Name field", Click(x_px=60, y_px=40), "click(x=0.500, y=0.500)"),
        (1, "the Name field", TypeText(text="Ada", clear=True), None),
        (2, None, Finish(), "finish()"),
    )
    with Trajectory(tmp_path / "run", goal=goal, policy=policy.manifest()) as trajectory:
        for index, (turn, instruction, action, reply) in enumerate(actions):
            before, after = (trajectory.store(frame(index + more)) for more in (0, 1))
            trajectory.append(
                Step(
                    index=index,
                    turn=turn,
                    before=before,
                    after=after,
                    action=action,
                    instruction=instruction,
                    reply=reply,
                    effect=Effect(performed=True, detail="", changed=True),
                )
            )
        trajectory.finish("finished")
    return tmp_path / "run"


def test_an_answer_that_differs_leaves_with_1_and_says_by_how_much(
    run: Path, middle_checkpoint: Path, tmp_path: Path
) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    left = moonhand(run, "--step", "1", "--model", middle_checkpoint, "--picture", tmp_path / "both.png", "--json")
    assert left.exit_code == 1
    told = line(left)
    assert (told["step"], told["same"], told["distance_px"]) == (1, False, 30.0)
    assert [difference["what"] for difference in told["differences"]] == ["place"]
    assert told["recorded"]["action"]["y_px"] == 10
    assert told["now"]["action"]["y_px"] == 40
    assert told["changed"] == []
    with Image.open(tmp_path / "both.png") as picture:
        assert picture.size == (120, 80)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_the_same_answer_leaves_with_0_for_each_action_of_its_turn(run: Path, middle_checkpoint: Path) -> None:
    for number in ("2", "3", "4"):
        left = moonhand(run, "--step", number, "--model", middle_checkpoint)
        assert left.exit_code == 0, left.stdout
        assert "\nthe same" in left.stdout


def test_all_steps_are_asked_and_summed_up(run: Path, middle_checkpoint: Path) -> None:
    left = moonhand(run, "--all", "--model", middle_checkpoint, "--json")
    told = line(left)
    assert left.exit_code == 1
    assert (told["asked"], told["same"], told["same_kind"]) == (4, 3, 4)
    assert (told["mean_distance_px"], told["max_distance_px"]) == (15.0, 30.0)
    assert moonhand(run, "--all", "--model", middle_checkpoint, "--tolerance", "31").exit_code == 0


def test_another_model_is_told_and_asked(run: Path, refusing_checkpoint: Path) -> None:
    left = moonhand(run, "--step", "2", "--model", refusing_checkpoint, "--json")
    told = line(left)
    assert left.exit_code == 1
    assert [difference["what"] for difference in told["changed"]] == ["model"]
    assert told["differences"][0] == {"what": "kind", "one": "click (60, 40)", "other": "refuse"}
    assert "not as recorded: model: middle / refusing" in moonhand(run, "--all", "--model", refusing_checkpoint).stderr


def test_the_policy_is_rebuilt_from_the_record(run: Path) -> None:
    recording = read_trajectory(run)
    assert profile_of_run(recording.run) == PROFILES["nano"]
    steps = plain_steps_of(recording)
    assert steps is not None
    assert getattr(steps[1], "clear", None) is True, "which the words of a step do not say, but its action does"


def test_a_profile_or_a_seed_of_ones_own_is_used(run: Path, middle_checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('base = "nano"\ngrounding_kinds = ["refuse"]\n')
    flags = (run, "--step", "2", "--model", middle_checkpoint, "--json")
    left = moonhand(*flags, "--profile", tmp_path / "mine.toml")
    assert line(left)["now"]["action"]["type"] == "refuse"
    assert line(left)["changed"][-1] == {"what": "profile", "one": "nano", "other": "mine"}
    assert line(moonhand(*flags, "--seed", "7"))["now"]["action"]["type"] == "click"


def test_another_prompt_stands_for_the_target_or_for_the_profiles_text(run: Path, middle_checkpoint: Path) -> None:
    flags = (run, "--model", middle_checkpoint, "--json")
    (run.parent / "prompt.txt").write_text("find this: {instruction}\n")
    assert moonhand(*flags, "--step", "2", "--prompt", "the blue field").exit_code == 0
    assert moonhand(*flags, "--all", "--prompt", f"@{run.parent / 'prompt.txt'}").exit_code == 1
    for arguments, said in (
        (("--all", "--prompt", "the blue field"), "needs {instruction}"),
        (("--step", "4", "--prompt", "the blue field"), "was asked for nothing"),
        (("--step", "2", "--prompt", "@nowhere.txt"), "nowhere.txt cannot be read"),
        (("--step", "2", "--prompt", " "), "the text is empty"),
    ):
        left = moonhand(*flags, *arguments)
        assert left.exit_code == 2
        assert said in left.stderr


def test_a_persons_click_is_asked_for_by_the_name_of_what_was_clicked(middle_checkpoint: Path, tmp_path: Path) -> None:
    element = Element(tag="button", name="Send", left_px=40, top_px=30, width_px=40, height_px=20)
    with Trajectory(tmp_path / "human", goal="send it", source="human") as trajectory:
        before = trajectory.store(frame(1))
        click = Step(index=0, turn=0, before=before, after=before, action=Click(x_px=60, y_px=40))
        trajectory.append(click)
        trajectory.append(
            Step(
                index=1,
                turn=1,
                before=before,
                after=before,
                action=click.action,
                surroundings=Surroundings(element=element),
            )
        )
        trajectory.finish("finished")
    assert moonhand(tmp_path / "human", "--step", "2", "--model", middle_checkpoint).exit_code == 0
    left = moonhand(tmp_path / "human", "--step", "1", "--model", middle_checkpoint)
    assert (left.exit_code, "nothing in the record says" in left.stderr) == (2, True)
    assert "give --model" in moonhand(tmp_path / "human", "--step", "2").stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "give --step N or --all"),
        (("--step", "1", "--all"), 2, "give --step N or --all"),
        (("--step", "8"), 2, "has no step 8"),
        (("--step", "1"), 2, "made with 'middle', and there is no such folder here"),
        (("--step", "1", "--profile", "gpt"), 2, "no such folder"),
    ],
)
def test_what_cannot_be_asked_is_an_error_of_one_line(
    arguments: tuple[str, ...], code: int, said: str, run: Path
) -> None:
    left = moonhand(run, *arguments)
    assert (left.exit_code, left.stderr.count("\n")) == (code, 1)
    assert said in left.stderr


def test_a_missing_picture_is_told(run: Path, middle_checkpoint: Path) -> None:
    read_trajectory(run).steps[0].before.path.unlink()
    left = moonhand(run, "--step", "1", "--model", middle_checkpoint)
    assert left.exit_code == 3
    assert "cannot be read as a picture" in left.stderr
