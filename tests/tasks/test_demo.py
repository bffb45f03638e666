"""The bundled page and script: the page keeps what it was sent, and the script says what that must be."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from moonhand.agent import RunConfig, ScriptedPolicy, Trajectory, read_trajectory
from moonhand.agent.steps import ScriptStep, TypeStep, grounding_instruction, step_actions
from moonhand.envs import Action, BrowserConfig, BrowserEnv, Navigate, Point, Size
from moonhand.tasks.cli import app
from moonhand.tasks.demo import DEMO_FOLDER, DEMO_PAGE, DEMO_SCRIPT, serve_folder
from moonhand.tasks.run import Outcome, carry_out, picture_of_run
from moonhand.tasks.scripts import Script, load_script
from typer.testing import CliRunner

NANO = Path(__file__).parent.parent.parent / "model" / "nano" / "model.safetensors"
MIDDLE_OF_LABELLED_JS = """
(() => {
  const said = %s;
  const named = [...document.querySelectorAll("label, button")].find((element) => element.textContent.trim() === said);
  const box = (named.control ?? named).getBoundingClientRect();
  return [box.left + box.width / 2, box.top + box.height / 2];
})()
"""


@pytest.fixture(scope="module")
def shared() -> Generator[tuple[BrowserEnv, Script]]:
    script = load_script(DEMO_SCRIPT)
    with (
        serve_folder(DEMO_FOLDER) as address,
        BrowserEnv(BrowserConfig(url=address + DEMO_PAGE, viewport=script.viewport or Size(460, 420))) as env,
    ):
        yield env, script


@pytest.fixture
def demo(shared: tuple[BrowserEnv, Script]) -> tuple[BrowserEnv, Script]:
    """The page as it was at first, and the script."""
    env, _ = shared
    env.perform(Navigate(url=env.config.url))
    return shared


def played(env: BrowserEnv, steps: tuple[ScriptStep, ...]) -> ScriptedPolicy:
    """A policy that does the steps with the points that the page itself tells."""
    actions: list[Action] = []
    for step in steps:
        target = getattr(step, "target", None)
        point = None
        if grounding_instruction(step) is not None:
            x_px, y_px = env.evaluate(MIDDLE_OF_LABELLED_JS % json.dumps(target))
            point = Point(x_px, y_px)
        actions.extend(step_actions(step, point))
    return ScriptedPolicy(actions)


def play(demo: tuple[BrowserEnv, Script], folder: Path, steps: tuple[ScriptStep, ...] | None = None) -> Outcome:
    env, script = demo
    with Trajectory(folder, goal="demo") as trajectory:
        policy = played(env, script.acts if steps is None else steps)
        seen: list[int] = []
        outcome = carry_out(
            env,
            policy,
            "demo",
            trajectory,
            RunConfig(),
            checks=script.checks,
            watch=lambda step: seen.append(step.index),
        )
        assert seen == list(range(outcome.result.steps))
        return outcome


def test_the_served_folder_answers_on_loopback_and_stops() -> None:
    with serve_folder(DEMO_FOLDER) as address, urlopen(address + DEMO_PAGE, timeout=10) as answer:
        assert address.startswith("http://127.0.0.1:")
        assert b"Create account" in answer.read()
    with pytest.raises(URLError):
        urlopen(address + DEMO_PAGE, timeout=10)


@pytest.mark.browser
def test_the_script_done_right_submits_the_form_and_passes_its_check(
    demo: tuple[BrowserEnv, Script], tmp_path: Path
) -> None:
    outcome = play(demo, tmp_path / "run")
    assert outcome.result.status == "finished"
    assert outcome.result.success is True
    assert [check.ok for check in outcome.checks] == [True]
    recording = read_trajectory(tmp_path / "run")
    assert recording.result is not None
    assert recording.result.success is True
    assert picture_of_run(tmp_path / "run").width > 640


@pytest.mark.browser
def test_a_field_typed_wrong_fails_the_check(demo: tuple[BrowserEnv, Script], tmp_path: Path) -> None:
    steps = load_script(DEMO_SCRIPT).acts
    outcome = play(demo, tmp_path / "run", (TypeStep(text="Grace Hopper", target="Full name"), *steps[1:]))
    assert outcome.result.success is False
    assert outcome.checks[0].found != outcome.checks[0].equals


@pytest.mark.browser
def test_the_form_is_not_sent_before_the_box_is_ticked(demo: tuple[BrowserEnv, Script], tmp_path: Path) -> None:
    steps = load_script(DEMO_SCRIPT).acts
    outcome = play(demo, tmp_path / "run", (*steps[:3], *steps[4:]))
    assert outcome.checks[0].found is None


@pytest.mark.browser
def test_the_demo_with_a_model_that_cannot_see_leaves_with_1(middle_checkpoint: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["demo", "--model", str(middle_checkpoint), "--out", str(tmp_path / "run"), "--json"]
    )
    assert result.exit_code == 1, result.stderr
    assert json.loads(result.stdout)["success"] is False
    assert (tmp_path / "run" / "run.png").exists()
    assert "click Create account" in result.stderr


@pytest.mark.browser
@pytest.mark.skipif(not NANO.exists(), reason="this checkout has no weights of moonhand-nano")
def test_nano_submits_the_form_from_pixels_alone(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "run"), "--json"])
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["success"] is True
