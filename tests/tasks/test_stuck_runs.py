"""`moonhand run` on pages that nothing moves: it tells, asks whoever is there, and stops."""

from __future__ import annotations

import json
import os
import pty
from pathlib import Path

import pytest
from moonhand.agent import RunConfig, ScriptedPolicy, Step, Trajectory, read_trajectory, run_to_end
from moonhand.envs import AskUser, BrowserConfig, BrowserEnv, Click, Size, Wait
from moonhand.tasks.cli import app
from typer.testing import CliRunner, Result

DEAF = "<body style='margin:0;background:#ccc'><div style='width:100vw;height:100vh'>Sign up</div>"
COUNTS = "said.textContent = +said.textContent + 1"
FORM = f"""<!doctype html><body style="font:15px sans-serif;margin:90px" onkeydown="{COUNTS}"><h3>Fernway</h3>
<label>Email <input></label><p>Some words here.</p>
<button style="font-size:17px;padding:1px 4px;outline:none" onmousedown="event.preventDefault()" %s>%s</button>
<p id="said">0</p>"""
SIX = "; ".join(["click Go"] * 6)

pytestmark = pytest.mark.browser


@pytest.fixture
def deaf_page(tmp_path: Path) -> str:
    """The URL of a page that ignores every click."""
    (tmp_path / "deaf.html").write_text(DEAF)
    return (tmp_path / "deaf.html").as_uri()


@pytest.mark.slow
def test_a_page_that_ignores_clicks_ends_the_run_as_stuck(deaf_page: str, tmp_path: Path) -> None:
    one, other = Click(x_px=150, y_px=100), Click(x_px=20, y_px=20)
    with BrowserEnv(BrowserConfig(url=deaf_page, viewport=Size(300, 200))) as env:
        for name, actions, count in (("one", [one] * 20, 5), ("two", [one, other] * 10, 8)):
            with Trajectory(tmp_path / name, goal="") as trajectory:
                result = run_to_end(env, ScriptedPolicy(actions), "", trajectory, RunConfig(max_steps=20))
            assert (result.status, result.steps) == ("stuck", count)
            steps = read_trajectory(tmp_path / name).steps
            assert [step.effect and step.effect.change for step in steps] == ["no_change"] * count


def test_the_command_says_it_is_stuck_and_leaves_with_1(
    deaf_page: str, middle_checkpoint: Path, tmp_path: Path
) -> None:
    flags = ["--url", deaf_page, "--viewport", "300x200", "--model", str(middle_checkpoint), "--json"]
    left = CliRunner().invoke(app, ["run", SIX, *flags, "--out", str(tmp_path / "a")], catch_exceptions=False)
    assert left.exit_code == 1
    assert json.loads(left.stdout)["status"] == "stuck"
    assert "stuck: 5 steps" in left.stderr
    assert "nothing on the screen has changed" in left.stderr
    flags += ["--keep-going", "--out", str(tmp_path / "b")]
    left = CliRunner().invoke(app, ["run", SIX, *flags], catch_exceptions=False)
    assert json.loads(left.stdout)["status"] == "finished"


def run_nano(goal: str, form: tuple[str, str], tmp_path: Path, *flags: str) -> tuple[Result, list[Step]]:
    """`moonhand run` with nano as it is shipped, at the size it is shown pages in."""
    (tmp_path / "form.html").write_text(FORM % form)
    command = ["run", goal, "--url", (tmp_path / "form.html").as_uri(), "--out", str(tmp_path / "run"), "--json"]
    left = CliRunner().invoke(app, [*command, *flags], catch_exceptions=False)
    return left, list(read_trajectory(tmp_path / "run").steps)


@pytest.mark.parametrize(
    "name", ["Pay now", pytest.param("Log out", marks=pytest.mark.slow)]
)  # a try that misses takes the shade off the first
def test_nano_at_a_dead_button_is_stuck_wherever_its_other_tries_point(name: str, tmp_path: Path) -> None:
    left, steps = run_nano("; ".join([f"click {name}"] * 10), ("", name), tmp_path)
    places = {step.action.point for step in steps if isinstance(step.action, Click)}
    assert (left.exit_code, json.loads(left.stdout)["status"], len(steps)) == (1, "stuck", 6)
    assert len(places) > 1, "it was looked for again"


@pytest.mark.slow  # always: the same with a model of thousands of parameters
def test_nano_goes_on_at_a_dead_button_where_that_is_wanted(tmp_path: Path) -> None:
    left, steps = run_nano("; ".join(["click Next"] * 10), ("", "Next"), tmp_path, "--keep-going")
    assert (left.exit_code, json.loads(left.stdout)["status"], len(steps)) == (0, "finished", 11)


@pytest.mark.slow
def test_nano_at_what_works_is_never_stuck(tmp_path: Path) -> None:
    """The same click, key and text again and again, each with its effect."""
    again = [*["click Next"] * 6, *["press Down"] * 6, *['type "ab" into Email'] * 6, *["wait 0"] * 6]
    left, steps = run_nano("; ".join(again), (f'onclick="{COUNTS}"', "Next"), tmp_path)
    assert (left.exit_code, json.loads(left.stdout)["status"]) == (0, "finished")
    changes = [step.effect and step.effect.change for step in steps if not isinstance(step.action, Click | Wait)][:-1]
    assert "no_change" not in changes


def test_a_person_at_a_terminal_is_asked(
    deaf_page: str,
    middle_checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "run"
    ours, theirs = pty.openpty()
    command = ["run", SIX, "--url", deaf_page, "--viewport", "300x200"]
    command += ["--model", str(middle_checkpoint), "--out", str(folder)]
    try:
        os.write(ours, b"leave it\n")
        with open(theirs, closefd=False) as terminal:
            monkeypatch.setattr("sys.stdin", terminal)
            with pytest.raises(SystemExit) as left:
                app(command)
    finally:
        os.close(ours)
        os.close(theirs)
    told = capsys.readouterr().err
    assert "What should be done?" in told
    asked = [step for step in read_trajectory(folder).steps if isinstance(step.action, AskUser)]
    assert [step.effect and step.effect.answer for step in asked] == ["leave it"]
    assert left.value.code == 1, told
