"""The programs of examples/ do what they say, offline."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"

pytestmark = pytest.mark.browser


def run(*arguments: str, cwd: Path) -> str:
    environ = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_form_is_filled_in_and_checked(tmp_path: Path) -> None:
    told = run(str(EXAMPLES / "fill_form.py"), cwd=tmp_path)
    assert "the page took: ada@example.com" in told
    assert "seen by page words - the page shows 'Your account is ready'" in told


def test_a_table_is_read_over_all_its_pages(tmp_path: Path) -> None:
    rows = run(str(EXAMPLES / "read_table.py"), cwd=tmp_path).split()
    assert (len(rows), rows[0], rows[-1]) == (7, "1001,Ada,$12.50", "1007,Donald,$87.50")


def test_what_was_recorded_is_replayed(tmp_path: Path) -> None:
    told = run(str(EXAMPLES / "record_and_replay.py"), "kept", cwd=tmp_path)
    assert "replayed: finished" in told
    assert {path.name for path in (tmp_path / "kept").iterdir()} == {"recorded", "replayed"}


def test_nano_is_measured_on_a_suite_that_is_drawn(tmp_path: Path) -> None:
    told = run(str(EXAMPLES / "evaluate_nano.py"), "kept", "8", cwd=tmp_path)
    assert " of 8 right" in told


def test_the_test_among_them_passes(tmp_path: Path) -> None:
    pytest_flags = ("-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(tmp_path))
    assert "2 passed" in run("-m", "pytest", *pytest_flags, str(EXAMPLES / "test_signup.py"), cwd=tmp_path)
