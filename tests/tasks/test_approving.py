"""The person at the terminal, and runs that perform nothing."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from moonhand.agent import Decision, Instead, Request, Skip, Stop, Yes, read_trajectory
from moonhand.envs import Action, Click, Frame, PressKeys, TypeText, Wait
from moonhand.tasks.approving import Asker, half_blocks
from moonhand.tasks.cli import app
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

FRAME = Frame(np.full((200, 300, 3), (30, 60, 90), dtype=np.uint8))
CLICK = Click(x_px=150, y_px=100)
SECRET = "hunter2 & co/\u00e4"


def asked(action: Action, typed: str, picture: Path, *, colours: Any = None) -> tuple[Decision, str]:
    """What becomes of an action when somebody types this, and what they were shown."""
    screen = io.StringIO()
    console = Console(file=screen, width=100, height=40, force_terminal=colours is not None, color_system=colours)
    request = Request(
        action=action,
        risks=frozenset(("submit", "leave")),
        frame=FRAME,
        instruction="click Sign up",
        thought="go \x1b[2Jon",
        confidence=0.934,
        index=4,
    )
    decision = Asker(console, picture, nullcontext, io.StringIO(typed))(request)
    return decision, screen.getvalue()


@pytest.mark.parametrize(
    ("action", "typed", "decision"),
    [
        (CLICK, "y\n", Yes()),
        (CLICK, "what?\nyes\n", Yes()),
        (CLICK, "s\n", Skip()),
        (CLICK, "skip it costs too much\n", Skip("it costs too much")),
        (CLICK, "q\n", Stop()),
        (CLICK, "", Stop()),
        (CLICK, "edit\n", Stop()),
        (CLICK, "e 10, 20.5\n", Instead(Click(x_px=10, y_px=20.5))),
        (CLICK, "edit\n999 1\nedit\n(7,8)\n", Instead(Click(x_px=7, y_px=8))),
        (CLICK, "edit press(keys=['escape'])\n", Instead(PressKeys(keys=("escape",)))),
        (CLICK, "edit click(x=0.5, y=0.25)\n", Instead(Click(x_px=150, y_px=50))),
        (CLICK, "edit nonsense\ny\n", Yes()),
        (TypeText(text="Ada", submit=True), "edit Grace H.\n", Instead(TypeText(text="Grace H.", submit=True))),
        (TypeText(text="Ada"), "edit wait(seconds=2)\n", Instead(Wait(seconds_s=2))),
    ],
)  # fmt: skip
def test_what_is_typed_decides(action: Action, typed: str, decision: Decision, tmp_path: Path) -> None:
    assert asked(action, typed, tmp_path / "place.png")[0] == decision


def test_the_action_is_told_in_words_with_its_risks_and_a_picture_of_its_place(tmp_path: Path) -> None:
    place = tmp_path / "place.png"
    _, told = asked(CLICK, "y\n", place)
    assert "5. click (150, 100), 93% sure" in told
    assert "looked for: click Sign up" in told
    assert "thought: go  [2Jon" in told, "nothing a model wrote steers the terminal"
    assert "may submit a form, leaves the site" in told
    assert str(place) in told
    with Image.open(place) as picture:
        small = picture.size
    asked(CLICK, "zoom\ny\n", place)
    with Image.open(place) as picture:
        assert picture.width == 4 * small[0]


def test_a_terminal_of_many_colours_shows_the_place_itself(tmp_path: Path) -> None:
    place = tmp_path / "place.png"
    _, told = asked(CLICK, "z\ny\n", place, colours="truecolor")
    small, large = (part.count("\u2580") for part in told.split("quit > ")[:2])
    assert 300 < small <= 60 * 20 < large
    assert "38;2;30;60;90" in told
    assert not place.exists()
    assert asked(TypeText(text="x" * 60), "y\n", place, colours="truecolor")[1].count("x" * 60) == 1


def test_a_picture_of_half_blocks_keeps_its_sides() -> None:
    lines = half_blocks(FRAME, 60, 20).plain.splitlines()
    assert (len(lines), {len(line) for line in lines}) == (20, {60})
    assert [len(line) for line in half_blocks(Frame(np.zeros((1, 9, 3), np.uint8)), 60, 20).plain.splitlines()]


def run(*arguments: str | Path, typed: str = "") -> tuple[int, str, str]:
    command = ["run", *map(str, arguments)]
    left = CliRunner().invoke(app, command, input=typed, env={"MOONHAND_SECRET_SHOP": SECRET}, catch_exceptions=False)
    return left.exit_code, left.stdout, left.stderr


FORM = """<title>form</title><style>* {{ margin: 0 }}</style><form action="PATH">
<input id=field name=q style="width:300px;height:100px;margin-top:50px"></form>
<p id=echo></p><script>
  const given = new URLSearchParams(location.search).get("q");
  if (given) {{ echo.textContent = document.title = given; field.value = given; alert("it is " + given); }}
  field.oninput = () => {{ echo.textContent = field.value; }};
</script>""".replace("{{", "{").replace("}}", "}")


@pytest.fixture(scope="module")
def page(serve: Callable[[dict[str, str]], str]) -> str:
    return serve({"/": FORM.replace("PATH", "/")})


@pytest.mark.browser
def test_a_dry_run_performs_nothing_and_draws_what_it_would_touch(
    page: str, middle_checkpoint: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    script = tmp_path / "script.yaml"
    script.write_text(
        f"url: {page}\nviewport: 300x200\nsteps:\n  - type: {{text: '{{{{secret:shop}}}}', into: Name, submit: true}}\n"
        "  - click: Go\ncheck: {js: 'false', equals: true}"
    )
    code, out, err = run(script, "--model", middle_checkpoint, "--out", folder, "--dry-run", "--json")
    assert (code, json.loads(out)["status"], json.loads(out)["checks"]) == (0, "dry_run", []), err
    steps = read_trajectory(folder).steps
    assert [step.action and step.action.type for step in steps] == ["click", "type", "click", "finish"]
    assert len({step.before.sha256 for step in steps}) == 1, "nothing was touched"
    assert all(step.effect and not step.effect.performed for step in steps)
    assert steps[0].effect is not None
    assert steps[0].effect.detail == "dry run: click (150, 100)"
    with Image.open(folder / "run.png") as drawn, Image.open(steps[0].before.path) as seen:
        assert drawn.size == seen.size
        assert drawn.tobytes() != seen.tobytes()


@pytest.mark.browser
def test_step_by_step_a_person_edits_leaves_out_and_quits(page: str, middle_checkpoint: Path, tmp_path: Path) -> None:
    goal = "click Name; type 'Ada'; press Escape; press End"
    flags = ("--url", page, "--viewport", "300x200", "--model", middle_checkpoint, "--out", tmp_path / "run")
    code, _, err = run(goal, *flags, "--step", typed="y\nedit Grace\nskip not now\n")
    assert code == 130
    steps = read_trajectory(tmp_path / "run").steps
    assert [step.decision for step in steps] == ["yes", "instead", "skip", "stop"]
    assert steps[1].action == TypeText(text="Grace")
    assert steps[2].error == "not approved by the person: not now"
    assert "4. press end" in err
    assert (tmp_path / "run" / "place.png").exists()


@pytest.mark.browser
def test_with_nobody_at_the_terminal_a_run_ends_with_the_question(
    page: str, middle_checkpoint: Path, tmp_path: Path
) -> None:
    flags = ("--url", page, "--model", middle_checkpoint, "--out", tmp_path / "run", "--json")
    code, out, err = run("press End; press Enter", *flags, "--approve", "sensitive")
    assert (code, json.loads(out)["status"], json.loads(out)["steps"]) == (6, "needs_user", 2)
    assert "May this be done: press enter (may submit a form)?" in err
    assert json.loads(out)["answer"].endswith("May this be done: press enter (may submit a form)?")


def test_step_says_itself_what_it_asks_about() -> None:
    assert run("press End", "--url", "about:blank", "--step", "--dry-run")[0] == 2
    assert run("press End", "--url", "about:blank", "--step", "--approve", "never")[0] == 2


@pytest.mark.browser
def test_no_byte_of_a_run_holds_the_secret(page: str, middle_checkpoint: Path, tmp_path: Path) -> None:
    """The page repeats it in its text, title, address, field and an alert."""
    folder = tmp_path / "run"
    script = tmp_path / "script.yaml"
    script.write_text(
        f"url: {page}\nviewport: 300x200\nsteps:\n  - type: {{text: '{{{{secret:shop}}}}', into: Name, submit: true}}\n"
        "  - key: End\ncheck: {js: '[document.title, field.value]', equals: 1}"
    )
    flags = ("--json", "--http-auth", "ada:pass-word", "--picture", tmp_path / "picture.png")
    code, out, err = run(script, "--model", middle_checkpoint, "--out", folder, *flags)
    assert code == 1, err
    assert "{{secret:shop}}" in out
    said = [out, err]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    said += [path.read_bytes().decode("latin-1") for path in files]
    assert len(files) > 4
    for words in said:
        for form in ("hunter2", "unter2", "pass-word"):
            assert form not in words
    last = read_trajectory(folder).steps[1].after
    assert last is not None
    pixels_HW3 = last.read().pixels_HW3
    for top, bottom in ((92, 108), (154, 164)):  # the field and the text under it
        line_HW3 = pixels_HW3[top:bottom, 6:60]
        assert (line_HW3 == line_HW3[0, 0]).all()


LOSES_CTRL_C = """
import os, signal, sys, time
from moonhand.agent import RunConfig, ScriptedPolicy, Trajectory
from moonhand.envs import NOTHING_KNOWN, Effect, Frame, Wait
from moonhand.tasks.run import carry_out
import moonhand.tasks.run as run, numpy as np

class Loses:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)  # KeyboardInterrupt comes in here, and Python drops it

class Screen:
    kinds = frozenset(("wait",))
    def observe(self): return Frame(np.zeros((8, 8, 3), np.uint8))
    def risks(self, action): return frozenset()
    def surroundings(self, action): return NOTHING_KNOWN
    def close(self): pass
    def perform(self, action):
        Loses()
        time.sleep(60)
        return Effect(True, "", None)

run.AGAIN_S = 0.1
with Trajectory(sys.argv[1], goal="") as trajectory:
    outcome = carry_out(Screen(), ScriptedPolicy([Wait()]), "", trajectory, RunConfig(), watch=print)
print(outcome.result.status)
"""


def test_ctrl_c_that_a_library_drops_is_said_again(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LOSES_CTRL_C, str(tmp_path / "run")]
    left = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)
    assert left.stdout.splitlines()[-1:] == ["stopped"], left.stderr
    assert "Exception ignored" in left.stderr
