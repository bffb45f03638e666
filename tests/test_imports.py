"""Importing is cheap and has no effect: every package comes up without a display, a browser or torch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "transformers", "tiktoken", "mss", "pyautogui", "Xlib", "playwright", "fastapi", "mcp")
BUDGET_S = 1.5  # about 0.3 s alone on a desktop core; the rest is for a busy machine

PROBE = """
import json, os, sys, time
before = dict(os.environ)
started_s = time.process_time()
import {package}
took_s = time.process_time() - started_s
heavy = [name for name in {heavy!r} if name in sys.modules]
print(json.dumps(dict(took_s=took_s, heavy=heavy, changed=dict(os.environ) != before)))
"""


@pytest.mark.parametrize("package", ["moonhand.envs", "moonhand.model", "moonhand.agent", "moonhand.tasks.cli"])
def test_a_package_comes_up_fast_and_alone(package: str, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
    command = [sys.executable, "-W", "error", "-c", PROBE.format(package=package, heavy=HEAVY)]
    told = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    found = json.loads(told.stdout)
    assert told.stderr == ""
    assert found["heavy"] == []
    assert not found["changed"]
    assert found["took_s"] < BUDGET_S
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stray", ["agent", "model", "envs", "tasks"])
def test_the_folders_are_no_packages_of_their_own(stray: str, tmp_path: Path) -> None:
    told = subprocess.run([sys.executable, "-c", f"import {stray}"], cwd=tmp_path, capture_output=True, text=True)
    assert "ModuleNotFoundError" in told.stderr


def test_every_public_name_exists() -> None:
    import moonhand.agent
    import moonhand.envs
    import moonhand.model

    for package in (moonhand.agent, moonhand.envs, moonhand.model):
        for name in package.__all__:
            assert getattr(package, name) is not None
