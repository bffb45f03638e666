"""The doctor: what it looks at, and that each trouble comes with the command that mends it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from moonhand.tasks.cli import app
from moonhand.tasks.doctor import check_chromium, check_display, check_model, check_program, examine, works
from typer.testing import CliRunner


def test_a_sound_machine_is_found_sound(middle_checkpoint: Path) -> None:
    findings = examine(os.environ, model=str(middle_checkpoint))
    assert works(findings), [finding for finding in findings if finding.needed and not finding.ok]
    named = {finding.name for finding in findings}
    assert {"python", "torch", "chromium", "fonts", f"model {middle_checkpoint}", "display", "Xvfb", "xclip"} <= named


def test_every_trouble_comes_with_a_command(tmp_path: Path) -> None:
    troubles = (
        check_chromium({"MOONHAND_CHROMIUM": str(tmp_path / "chromium")}),
        check_display({}),
        check_display({"WAYLAND_DISPLAY": "wayland-0"}),
        check_program("no-such-program", needed_for="nothing", package="no-such-package"),
    )
    for trouble in troubles:
        assert not trouble.ok
        assert trouble.mend


def test_a_chromium_that_does_not_start_is_not_ok(tmp_path: Path) -> None:
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    finding = check_chromium({"MOONHAND_CHROMIUM": str(broken)})
    assert not finding.ok
    assert "does not start" in finding.detail


def test_damaged_weights_are_found(middle_checkpoint: Path, tmp_path: Path) -> None:
    for source in middle_checkpoint.iterdir():
        (tmp_path / source.name).write_bytes(source.read_bytes())
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert not check_model(str(tmp_path)).ok


@pytest.mark.parametrize("damaged", [False, True])
def test_doctor_leaves_with_0_or_3_and_prints_json_alone(
    middle_checkpoint: Path, tmp_path: Path, damaged: bool
) -> None:
    model = tmp_path if damaged else middle_checkpoint
    result = CliRunner().invoke(app, ["doctor", "--json", "--model", str(model)])
    assert result.exit_code == (3 if damaged else 0)
    answer = json.loads(result.stdout)
    assert answer["ok"] is not damaged
    assert {"name", "ok", "needed", "detail", "mend"} == answer["findings"][0].keys()
