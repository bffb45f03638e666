"""What is written is what the schema and older readers and writers say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from moonhand.agent import (
    RunConfig,
    ScriptedPolicy,
    Step,
    Trajectory,
    Variable,
    fingerprint,
    read_trajectory,
    run_to_end,
)
from moonhand.agent.trajectory import step_from_json
from moonhand.agent.trajectory.frames import stored_to_json
from moonhand.agent.trajectory.schema import BeliefLine, FrameLine, RunFile, StepLine, schema_text
from moonhand.envs import Click, Drag, Effect, Element, Frame, Point, ReplayEnv, Scroll, Surroundings, TypeText, Zoom

SCHEMA = Path(__file__).parent.parent.parent / "docs" / "trajectory.schema.json"
GRAY = Frame(np.full((200, 400, 3), 90, dtype=np.uint8), scale=2.0)
BELIEF = {
    "box": {"left_px": 1.0, "top_px": 2.0, "width_px": 3.0, "height_px": 4.0},
    "expected": {"x_px": 2.5, "y_px": 4.0},
    "entropy_bits": 3.25,
    "region": {"left_px": 0, "top_px": 0, "width_px": 400, "height_px": 200},
}
ELEMENT = Element(
    tag="button",
    role="button",
    name="Send",
    selectors=("#send", "aria/Send"),
    frame=(0, 2),
    left_px=80,
    top_px=40.5,
    width_px=60,
    height_px=20,
)


def full_step(trajectory: Trajectory) -> Step:
    """One that says everything there is to say."""
    seen = trajectory.store(GRAY)
    return Step(
        index=0,
        turn=0,
        before=seen,
        after=seen,
        action=Click(x_px=100, y_px=50),
        instruction="click Send",
        reply="click(x=0.25, y=0.25)",
        thought="there it is",
        confidence=0.5,
        belief=BELIEF,
        effect=Effect(True, "clicked", True, waited_for=("requests",), change="changed_near"),
        surroundings=Surroundings(url="http://localhost/", title="Shop", element=ELEMENT),
        fingerprint=fingerprint(GRAY, Point(100, 50), ELEMENT),
        risks=frozenset(("submit",)),
        decision="yes",
        asked_s=1.5,
        model_s=0.25,
        started_at_s=1e9,
        started_mono_s=12.5,
    )


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "steps.jsonl").read_text().splitlines()]


def test_the_schema_in_the_docs_is_that_of_the_models() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == schema_text(), (
        "write it anew: python -m moonhand.agent.trajectory.schema > docs/trajectory.schema.json"
    )


def test_everything_that_is_written_is_in_the_schema_and_is_read_back(tmp_path: Path) -> None:
    variables = {"name": Variable(step=0, default="Ada")}
    with Trajectory(tmp_path / "run", goal="send", source="human", seed=3, variables=variables) as trajectory:
        step = trajectory.append(full_step(trajectory))
        trajectory.finish("finished")
    (line,) = lines(tmp_path / "run")
    assert set(line) == set(StepLine.model_fields)
    assert set(line["before"]) == set(FrameLine.model_fields) == set(stored_to_json(step.before))
    assert set(line["belief"]) == set(BeliefLine.model_fields)
    StepLine.model_validate(line)
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert set(run) == set(RunFile.model_fields)
    RunFile.model_validate(run)
    recording = read_trajectory(tmp_path / "run")
    assert recording.steps == (step,)
    assert (recording.source, recording.variables, recording.run["seed"]) == ("human", variables, 3)


def test_a_run_of_the_loop_fills_what_a_replay_needs(tmp_path: Path) -> None:
    actions = [Click(x_px=100, y_px=50), TypeText(text="Ada")]
    with Trajectory(tmp_path / "run", goal="", policy={"prompt": {"sha256": "abc"}}) as trajectory:
        env, policy = ReplayEnv([GRAY] * 3, actions), ScriptedPolicy([*actions, "mumble"])
        run_to_end(env, policy, "", trajectory, RunConfig(max_steps=3))
    for line in lines(tmp_path / "run"):
        StepLine.model_validate(line)
    clicked, typed, unread = read_trajectory(tmp_path / "run").steps
    assert clicked.fingerprint == fingerprint(GRAY, Point(100, 50))
    assert (typed.fingerprint, unread.fingerprint, unread.surroundings) == (None, None, None)
    assert clicked.surroundings == Surroundings()
    assert 0 < clicked.started_mono_s <= typed.started_mono_s
    run = read_trajectory(tmp_path / "run").run
    assert (run["source"], run["prompt_sha256"]) == ("agent", "abc")


def test_places_and_sizes_are_told_in_shares_of_the_frame_too(tmp_path: Path) -> None:
    with Trajectory(tmp_path / "run", goal="") as trajectory:
        seen = trajectory.store(GRAY)  # 400x200

    def shares(action: Click | Drag | Scroll | Zoom | TypeText) -> dict[str, Any]:
        told = Step(index=0, turn=0, before=seen, after=None, action=action).action_01
        assert told is not None
        return told

    assert (shares(Click(x_px=100, y_px=50))["x_norm"], shares(Click(x_px=100, y_px=50))["y_norm"]) == (0.25, 0.25)
    path = shares(Drag(path=(Point(0, 0), Point(200, 100))))["path"]
    assert path == [{"x_norm": 0.0, "y_norm": 0.0}, {"x_norm": 0.5, "y_norm": 0.5}]
    assert shares(Scroll(dy=3)) == {
        "type": "scroll", "dx": 0.0, "dy": 3.0, "unit": "notch", "x_norm": None, "y_norm": None,
    }  # fmt: skip
    zoom = shares(Zoom(left_px=40, top_px=20, width_px=80, height_px=50))
    assert (zoom["left_norm"], zoom["top_norm"], zoom["width_norm"], zoom["height_norm"]) == (0.1, 0.1, 0.2, 0.25)
    assert shares(TypeText(text="x"))["text"] == "x"


@pytest.mark.parametrize("golden", sorted((Path(__file__).parent / "old_lines").glob("*.json")), ids=lambda p: p.stem)
def test_lines_of_older_versions_are_read(golden: Path, tmp_path: Path) -> None:
    line = json.loads(golden.read_text())
    StepLine.model_validate(line)
    step = step_from_json(line, tmp_path)
    assert isinstance(step.action, Click)
    assert (step.surroundings, step.fingerprint, step.belief, step.started_mono_s) == (None, None, None, 0.0)
