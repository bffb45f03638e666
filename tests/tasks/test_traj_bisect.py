"""`moonhand traj bisect`: the first step at which two runs part, and how."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from moonhand.agent import Step, Trajectory
from moonhand.envs import Action, Click, Effect, Finish, Frame, TypeText
from moonhand.tasks.cli import app
from PIL import Image
from typer.testing import CliRunner, Result

ACTIONS: tuple[Action, ...] = (Click(x_px=20, y_px=20), TypeText(text="Ada"), Click(x_px=60, y_px=40))
Change = Callable[[Step], Step]


def moonhand(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["traj", "bisect", *map(str, arguments)], catch_exceptions=False)


def line(result: Result) -> dict[str, Any]:
    return json.loads(result.stdout)


def screen(number: int, *, dot: tuple[int, int, int, int] | None = None) -> Frame:
    """Another one for each number; `dot` is left, top, width and height of something dark on it."""
    pixels_HW3 = np.full((90, 130, 3), 250 - 20 * number, np.uint8)
    if dot is not None:
        left, top, width, height = dot
        pixels_HW3[top : top + height, left : left + width] = 0
    return Frame(pixels_HW3)


def without_effect(step: Step) -> Step:
    return replace(step, effect=Effect(performed=True, detail="", changed=False))


def refused(step: Step) -> Step:
    return replace(step, error="no such place", effect=None)


@pytest.fixture
def record(tmp_path: Path) -> Callable[..., Path]:
    """Writes a run of ACTIONS; `frames` stand in for the usual screens and `changes` for what a step did, by index."""

    def record(
        name: str,
        *,
        actions: tuple[Action, ...] = ACTIONS,
        frames: dict[int, Frame] | None = None,
        changes: dict[int, Change] | None = None,
        **about: Any,
    ) -> Path:
        with Trajectory(tmp_path / name, goal=about.pop("goal", "write"), **about) as trajectory:
            for index, action in enumerate(actions):
                before, after = ((frames or {}).get(at, screen(at)) for at in (index, index + 1))
                step = Step(
                    index=index,
                    turn=index,
                    before=trajectory.store(before),
                    after=trajectory.store(after),
                    action=action,
                    reply=f"said by {name}",
                    effect=Effect(performed=True, detail=name, changed=True, change="changed_near"),
                    model_s=len(name),
                )
                trajectory.append((changes or {}).get(index, lambda step: step)(step))
            trajectory.finish("finished")
        return tmp_path / name

    return record


def test_runs_that_did_the_same_are_the_same_whatever_was_said_and_however_long_it_took(
    record: Callable[..., Path], tmp_path: Path
) -> None:
    caret = {1: screen(1, dot=(50, 30, 1, 12))}
    near = (Click(x_px=20.9, y_px=20), *ACTIONS[1:])
    left = moonhand(record("a"), record("bb", frames=caret, actions=near), "--picture", tmp_path / "no.png")
    assert left.exit_code == 0
    assert "the same: 3 steps" in left.stdout
    assert not (tmp_path / "no.png").exists()


@pytest.mark.parametrize(
    ("number", "changed", "what"),
    [
        (1, {"actions": (Click(x_px=50, y_px=60), *ACTIONS[1:])}, ["place"]),
        (1, {"actions": (Click(x_px=20, y_px=20, button="right"), *ACTIONS[1:])}, ["button"]),
        (2, {"actions": (ACTIONS[0], TypeText(text="Bob"), ACTIONS[2])}, ["text"]),
        (2, {"actions": (ACTIONS[0], Click(x_px=1, y_px=1), ACTIONS[2])}, ["kind"]),
        (3, {"actions": ACTIONS[:2]}, ["end"]),
        (2, {"frames": {2: screen(2, dot=(40, 30, 20, 12))}}, ["frame after"]),
        (1, {"frames": {0: screen(0, dot=(40, 30, 20, 12))}}, ["frame before"]),
        (
            2,
            {"changes": {1: without_effect}},
            ["effect"],
        ),
        (3, {"changes": {2: refused}}, ["effect", "error"]),
    ],
)
def test_the_first_step_that_differs_is_named_with_what_differs(
    number: int, changed: dict[str, Any], what: list[str], record: Callable[..., Path]
) -> None:
    left = moonhand(record("a"), record("b", **changed), "--json")
    told = line(left)
    assert left.exit_code == 1
    assert (told["step"], [difference["what"] for difference in told["differences"]]) == (number, what)
    assert told["same"] is False


def test_an_effect_on_the_screen_comes_before_the_action_that_follows_from_it(record: Callable[..., Path]) -> None:
    other = record("b", frames={1: screen(1, dot=(40, 30, 20, 12))}, actions=(*ACTIONS[:2], Click(x_px=5, y_px=5)))
    told = line(moonhand(record("a"), other, "--json"))
    assert (told["step"], told["first_other_action"]) == (1, 3)
    assert told["differences"][0]["one"] == "2.05% of the pixels, within 20x12 at (40, 30)"


def test_what_the_runs_were_is_told_too(record: Callable[..., Path]) -> None:
    model = {"kind": "kimi", "model": {"model": "nano", "dtype": "float32"}}
    other = model | {"model": {"model": "nano", "dtype": "bfloat16"}}
    left = moonhand(record("a", policy=model), record("b", policy=other, goal="read", seed=3), "--json")
    assert left.exit_code == 0
    told = line(left)["runs"]
    assert [difference["what"] for difference in told] == ["goal", "seed", "policy.model.dtype"]
    assert told[1] == {"what": "seed", "one": None, "other": 3}


def test_folders_and_what_one_run_alone_knows_are_no_settings(record: Callable[..., Path]) -> None:
    one = record("a", env={"url": "http://a/", "downloads": "/a", "scale": 1}, policy={"kinds": ["click"]}, config={})
    about = {"env": {"url": "http://a/", "downloads": "/b", "scale": 2}, "config": {"reads": True}}
    told = line(moonhand(one, record("b", **about), "--json"))["runs"]
    assert told == [{"what": "env.scale", "one": 1, "other": 2}]


def test_a_finish_of_one_side_alone_is_no_difference(record: Callable[..., Path]) -> None:
    left = moonhand(record("a", actions=(*ACTIONS, Finish())), record("b"))
    assert (left.exit_code, "the same: 3 steps" in left.stdout) == (0, True)
    assert moonhand(record("c", actions=(*ACTIONS[:2], Finish())), record("d"), "--json").exit_code == 1


def test_the_picture_has_both_steps_side_by_side(record: Callable[..., Path], tmp_path: Path) -> None:
    shorter = record("b", actions=ACTIONS[:2], frames={2: screen(2, dot=(9, 9, 9, 9))})
    for picture, other in ((tmp_path / "end.png", shorter), (tmp_path / "text.png", record("c", actions=ACTIONS[:1]))):
        assert moonhand(record(picture.stem), other, "--picture", picture).exit_code == 1
        with Image.open(picture) as drawn:
            assert drawn.width > 2 * 130
            assert drawn.height > 90 + 2 * 8  # the labels have a strip of their own


def test_what_cannot_be_compared_is_an_error_of_one_line(record: Callable[..., Path], tmp_path: Path) -> None:
    empty = record("empty", actions=())
    for arguments, code, said in (
        ((record("a"), tmp_path / "nowhere"), 3, "holds no trajectory"),
        ((tmp_path / "a", empty), 2, "holds no step"),
        ((tmp_path / "a", empty, "--picture", "a.jpg"), 2, "written as .png"),
    ):
        left = moonhand(*arguments)
        assert (left.exit_code, left.stderr.count("\n")) == (code, 1)
        assert said in left.stderr
