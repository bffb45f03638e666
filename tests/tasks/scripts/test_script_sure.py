"""A floor of certainty: what the model is not sure enough of is left alone; what it only guesses is marked."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
from moonhand.agent import draw, read_trajectory
from moonhand.envs import BrowserEnv, Click
from moonhand.model import Answering, load
from moonhand.tasks.cli import app
from moonhand.tasks.scripts.junit import junit_xml
from moonhand.tasks.scripts.outcome import StepResult
from moonhand.tasks.scripts.tree import Spot
from PIL import Image, ImageChops
from typer.testing import CliRunner

NANO = Path(__file__).parents[3] / "model" / "nano" / "model.safetensors"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not NANO.exists(), reason="this checkout has no weights of moonhand-nano"),
]

PAGE = """<!doctype html><title>People</title><body style="font: 16px sans-serif; margin: 20px"><h1>People</h1>
<button onclick="window.n = (window.n || 0) + 1">Delete all</button> <button>Export</button><p>Ada Lovelace</p>"""


@pytest.fixture(scope="module")
def nano() -> Answering:
    return load("nano")


@pytest.fixture(scope="module")
def url(serve: Callable[[dict[str, str]], str]) -> str:
    return serve({"/": PAGE})


@pytest.fixture
def run(play: Any, nano: Answering, url: str) -> Callable[..., Any]:
    """Plays steps on the page, with more at the head of the script."""

    def run(steps: str, head: str = "", **more: Any) -> Any:
        return play(f"url: {url}\n{head}\nsteps:\n{steps}", load=lambda: nano, **more)

    return run


def test_what_is_found_with_less_is_not_touched_and_told_with_its_place(run: Any, env: BrowserEnv) -> None:
    outcome = run("  - click: Add person\n    sure: 0.99\n    retries: 1", "sure: 0")
    step = outcome.steps[0]
    assert env.evaluate("window.n") is None
    assert (step.status, step.num_tries, outcome.result.status) == ("failed", 2, "failed")
    assert f"'Add person' was found with {step.confidence:.0%} only, and sure: 0.99 asks for more" in step.error
    tries = read_trajectory(outcome.result.path).steps
    pointed = tries[0].action
    assert isinstance(pointed, Click)
    assert [one.effect for one in tries] == [None, None], "nothing was done"
    with Image.open(step.picture) as picture:
        changed = ImageChops.difference(picture.convert("RGB"), draw(tries[0].before.read(), []).convert("RGB"))
    left, top, right, bottom = changed.getbbox() or (0, 0, 0, 0)
    assert left <= pointed.x_px <= right
    assert top <= pointed.y_px <= bottom


def test_the_nearest_floor_holds_and_the_command_line_wins_over_the_script(run: Any, env: BrowserEnv) -> None:
    click = "  - click: Add person\n"
    assert not run(click, "sure: 0.99").is_passed
    assert run(click + "    sure: 0", "sure: 0.99", cache=False).is_passed
    assert run(click, "sure: 0.99", sure=0.0, cache=False).is_passed
    assert not run(click, sure=0.99, cache=False).is_passed
    around = "  - repeat: {times: 1}\n    sure: 0.99\n    steps:\n      - click: Add person\n"
    assert not run(around, cache=False).is_passed
    assert run(around + "        sure: 0\n", sure=0.99).is_passed


def test_what_an_earlier_run_found_needs_no_floor(run: Any, no_model: Any) -> None:
    assert run("  - click: Add person").is_passed
    assert [step.how for step in run("  - click: Add person\n    sure: 1").steps] == ["cache"]


def test_what_a_model_is_to_see_has_the_floor_too(run: Any) -> None:
    seen = "  - expect: {see: Delete all, by: model, timeout_s: 0}\n"
    found = run(seen)
    assert found.is_passed, found.error
    assert 0 < found.steps[0].confidence < 1
    assert "not sure enough" in run(seen + "    sure: 1").error
    assert run("  - expect: {see: Delete all, timeout_s: 0}\n    sure: 1").is_passed, "words of the page are no guess"


@pytest.mark.slow
def test_a_guess_is_marked_wherever_it_is_told(run: Any, url: str, tmp_path: Path) -> None:
    script, report, xml = tmp_path / "a.yaml", tmp_path / "a.html", tmp_path / "a.xml"
    script.write_text(f"url: {url}\nviewport: 460x420\nsteps:\n  - click: Add person\n")
    arguments = ["run", str(script), "--no-cache", "--out", str(tmp_path / "run"), "--json"]
    left = CliRunner().invoke(app, [*arguments, "--report", str(report), "--junit", str(xml)])
    assert left.exit_code == 0, left.stderr
    (step,) = json.loads(left.stdout)["script_steps"]
    assert step["unsure"] is (step["confidence"] < 0.5) is True
    sure = f"{step['confidence']:.0%}"
    assert f"found with less than 50%: step 1 ({sure})" in left.stderr
    assert f"unsure, {sure} sure" in report.read_text(encoding="utf-8")
    assert f"confidence: {sure}, unsure" in (Xml.parse(xml).findtext(".//system-out") or "")
    held = CliRunner().invoke(app, [*arguments[:4], str(tmp_path / "held"), "--no-cache", "--sure", "0.5"])
    assert (held.exit_code, "asks for more" in held.stderr) == (1, True), held.stderr


@pytest.mark.slow
def test_the_confidence_of_a_step_is_told_though_it_is_sure(run: Any) -> None:
    step = StepResult(number="1", depth=0, verb="click", said="click a", spot=Spot("a.yaml", 1, 1), confidence=0.93)
    assert (step.is_unsure, replace(step, confidence=None).is_unsure) == (False, False)
    outcome = replace(run("  - wait: 0"), steps=(step,))
    assert b"confidence: 93%" in junit_xml([outcome])
