"""Exported scripts, run as they are: in Chromium, on an X display, through the parser of the Recorder's own player."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from bundled_runs import traj
from moonhand.agent import Recording, Step, Trajectory, read_trajectory
from moonhand.envs import KINDS, Navigate, Surroundings, TypeText, VirtualDisplay, action_from_json

RECORD = Path(__file__).parent.parent.parent / "trajectories" / "record.py"
REPLAY = "MOONHAND_PUPPETEER_REPLAY"  # a folder with node_modules/@puppeteer/replay


def run(
    *words: str | Path, cwd: Path | None = None, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, words)),
        env=os.environ | dict(environ or {}),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


@pytest.mark.browser
def test_the_pytest_test_of_every_kind_finds_the_page_as_the_run_left_it(
    served: Callable[[str], Path], tmp_path: Path, chromium: str
) -> None:
    folder, out = served("kinds"), tmp_path / "test_kinds.py"
    (tmp_path / "moonhand-paper.txt").write_text("paper\n", encoding="utf-8")
    result = traj("export", folder, "--to", "pytest", "--out", out, "--json")
    assert result.exit_code == 0, result.stderr
    told, text = json.loads(result.stdout), out.read_text(encoding="utf-8")
    for kind in ("zoom", "start 'xterm'", "ask ", "read off"):
        assert any(kind in line for line in told["left_out"]), kind
        assert kind in text
    last = read_trajectory(folder).steps[-1].surroundings
    assert last is not None
    assert f"expect(page).to_have_title({last.title!a})" in text  # the page tells in it all that was done
    words = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, out)
    passed = run(*words, cwd=tmp_path, environ={"MOONHAND_CHROMIUM": chromium})
    assert "1 passed" in passed.stdout, passed.stdout


@pytest.mark.slow  # its steps are those of the test above
@pytest.mark.browser
@pytest.mark.parametrize("name", ["signup", "kinds"])
def test_the_playwright_script_leaves_the_page_as_the_run_did(
    name: str, served: Callable[[str], Path], tmp_path: Path, chromium: str
) -> None:
    folder, out = served(name), tmp_path / "script.py"
    (tmp_path / "moonhand-paper.txt").write_text("paper\n", encoding="utf-8")
    assert traj("export", folder, "--to", "playwright", "--out", out).exit_code == 0
    done = run(sys.executable, out, "--chromium", chromium, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    last = read_trajectory(folder).steps[-1].surroundings
    assert last is not None
    assert done.stdout.splitlines() == [last.url, last.title]


@pytest.mark.display
def test_the_pyautogui_script_uses_a_window_as_the_run_did(bundled: Callable[[str], Recording], tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("record", RECORD)
    assert spec is not None
    assert spec.loader is not None
    record = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(record)
    out, state = tmp_path / "script.py", tmp_path / "state.json"
    assert traj("export", bundled("window").path, "--to", "pyautogui", "--out", out).exit_code == 0
    with VirtualDisplay(record.SCREEN) as display:
        program = [sys.executable, "-c", record.WINDOW]
        with subprocess.Popen(program, env=display.environ() | {"STATE": str(state)}) as window:
            try:
                deadline_s = time.monotonic() + 20
                while not state.exists() and time.monotonic() < deadline_s:
                    time.sleep(0.05)
                done = run(sys.executable, out, environ=display.environ() | {"XAUTHORITY": os.devnull})
                assert done.returncode == 0, done.stderr
                time.sleep(0.2)
            finally:
                window.terminate()
    assert json.loads(state.read_text(encoding="utf-8")) == record.WINDOW_STATE


@pytest.mark.parametrize("name", ["signup", "kinds"])
def test_the_recorder_file_passes_the_parser_of_its_player(
    name: str, bundled: Callable[[str], Recording], tmp_path: Path
) -> None:
    folder, node = os.environ.get(REPLAY), shutil.which("node")
    if node is None or folder is None or not (Path(folder) / "node_modules" / "@puppeteer" / "replay").is_dir():
        pytest.skip(f"needs node, and {REPLAY}=DIR after: npm install --prefix DIR @puppeteer/replay")
    out, script = tmp_path / "flow.json", Path(folder) / "parse.mjs"
    assert traj("export", bundled(name).path, "--to", "recorder", "--out", out).exit_code == 0
    script.write_text(
        "import { parse } from '@puppeteer/replay'\nimport { readFileSync } from 'node:fs'\n"
        "console.log(JSON.stringify(parse(JSON.parse(readFileSync(process.argv[2], 'utf8')))))\n",
        encoding="utf-8",
    )
    done = run(node, script, out)
    assert done.returncode == 0, done.stderr
    written = json.loads(out.read_text(encoding="utf-8"))
    assert json.loads(done.stdout) == written  # nothing is dropped by the parser either


def test_the_recorder_file_has_every_action_or_says_why_not(
    bundled: Callable[[str], Recording], tmp_path: Path
) -> None:
    out, recording = tmp_path / "flow.json", bundled("kinds")
    told = json.loads(traj("export", recording.path, "--to", "recorder", "--out", out, "--json").stdout)
    steps = json.loads(out.read_text(encoding="utf-8"))["steps"]
    first = steps[0]
    assert (first["type"], first["name"]) == ("customStep", "moonhand")
    performed = [step for step in recording.steps if step.error is None]
    assert [one["index"] for one in first["parameters"]["steps"]] == [step.index for step in performed]
    assert [action_from_json(one["action"]) for one in first["parameters"]["steps"]] == [s.action for s in performed]
    customs = [step["parameters"]["index"] for step in steps[1:] if step["type"] == "customStep"]
    assert len(customs) + sum(step.error is not None for step in recording.steps) == len(told["left_out"])
    clicks = [step for step in steps if step["type"] in ("click", "doubleClick")]
    assert clicks
    assert all(isinstance(step["offsetX"], int) and step["selectors"] for step in clicks)


def test_a_script_without_a_chromium_says_so_in_one_line(bundled: Callable[[str], Recording], tmp_path: Path) -> None:
    out = tmp_path / "script.py"
    assert traj("export", bundled("signup").path, "--to", "playwright", "--out", out).exit_code == 0
    done = run(sys.executable, out, "--chromium", tmp_path / "no-chromium")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "pass --chromium PATH, or run: python -m playwright install chromium" in done.stderr


HOSTILE = 'a"""\n\nimport os; os.system("touch PWNED")\n# {0} \u2028 \x0c \'\'\' \\'


@pytest.mark.parametrize("name", ["playwright", "pytest", "pyautogui"])
def test_what_a_page_says_never_becomes_code(name: str, bundled: Callable[[str], Recording], tmp_path: Path) -> None:
    folder, out = tmp_path / 'run"""x', tmp_path / "script.py"
    _hostile_run(bundled("signup"), folder)
    result = traj("export", folder, "--to", name, "--out", out)
    assert result.exit_code == 0, result.stderr
    text = out.read_text(encoding="utf-8")
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    assert not [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "system"]
    assert "MOONHAND_SECRET_KEY_1" in text  # a secret is read when it is needed
    assert text.isascii()


@pytest.mark.parametrize("to", ["playwright", "pytest", "pyautogui"])
def test_a_script_has_no_name_of_a_module_that_scripts_import(
    to: str, bundled: Callable[[str], Recording], tmp_path: Path
) -> None:
    out, prefix = tmp_path / "run.py", "test_" if to == "pytest" else "recorded_"
    assert traj("export", bundled("signup").path, "--to", to, "--out", out).exit_code == 0
    imported = _imported(out)
    assert {to, "os"} <= imported
    for name in imported | {"playwright", "pytest", "pyautogui", "typing", "asyncio"}:
        left = traj("export", bundled("signup").path, "--to", to, "--out", tmp_path / f"{name}.py")
        assert (left.exit_code, f"name the file {prefix}{name}.py" in left.stderr) == (2, True)
        again = traj("export", bundled("signup").path, "--to", to, "--out", tmp_path / f"{prefix}{name}.py")
        assert again.exit_code == 0
        assert not (tmp_path / f"{name}.py").exists()


def _imported(script: Path) -> set[str]:
    """The top-level modules."""
    nodes = list(ast.walk(ast.parse(script.read_text(encoding="utf-8"))))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("to", ["playwright", "pytest", "pyautogui"])
def test_a_script_says_at_its_place_which_step_is_missing_and_which_was_left_out(
    to: str, bundled: Callable[[str], Recording], tmp_path: Path
) -> None:
    folder, out = tmp_path / "run", tmp_path / "run.py"
    shutil.copytree(bundled("signup").path, folder)
    lines = (folder / "steps.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    lines[4] = json.dumps(json.loads(lines[4]) | {"error": "nothing is there"}) + "\n"
    (folder / "steps.jsonl").write_text("".join([lines[0], *lines[3:8]]), encoding="utf-8")
    assert traj("export", folder, "--to", to, "--out", out).exit_code == 0
    comments = [line.strip() for line in out.read_text(encoding="utf-8").splitlines() if line.startswith("    # ")]
    heads = [line[:28] for line in comments if line.startswith(("# damaged", "# left out")) or line[2].isdigit()]
    assert [head.partition(".")[0].partition(" (")[0] for head in heads] == [
        "# 1",
        "# damaged: steps 2 to 3 are ",
        "# 4",
        "# left out: step 5",
        "# 6",
        "# 7",
        "# 8",
        "# damaged: step 9 is missing",
    ]


def _hostile_run(recording: Recording, folder: Path) -> None:
    with Trajectory(folder, goal=HOSTILE, env={"url": "http://x.test/" + HOSTILE}) as trajectory:
        for step in recording.steps[:8]:
            known = step.surroundings
            element = None if known is None else known.element
            if element is not None:
                selectors = (f"aria/{HOSTILE}", f"#{HOSTILE}", f"text/{HOSTILE}")
                element = replace(element, name=HOSTILE, text=HOSTILE, selectors=selectors)
            action = step.action
            if isinstance(action, TypeText):
                action = TypeText(text=HOSTILE + "{{secret:key.1}}" if step.index == 1 else HOSTILE)
            around = Surroundings(url=HOSTILE, title=HOSTILE, element=element)
            changed = replace(step, instruction=HOSTILE, error=HOSTILE if step.index == 3 else None)
            kept = trajectory.store(step.before.read())
            trajectory.append(replace(changed, action=action, surroundings=around, before=kept, after=None))
        last: Step = replace(recording.steps[7], index=8, action=Navigate(url="http://y.test/" + HOSTILE))
        trajectory.append(replace(last, before=trajectory.store(last.before.read()), after=None))


def test_the_bundled_runs_have_nearly_every_kind(bundled: Callable[[str], Recording]) -> None:
    had = {step.action.type for name in ("kinds", "window") for step in bundled(name).steps if step.action is not None}
    assert KINDS - had == {"refuse"}
