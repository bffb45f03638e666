"""The GPU benchmark runs end to end on any machine, at toy size."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / "bench" / "gpu.py"
ON_A_CPU = "ceilings,whole_step,decode,prefill,screenshots,tower_attention,quantised"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True)


def test_every_section_reports_its_rows_and_those_that_need_a_gpu_say_so(tmp_path: Path) -> None:
    told = run("--quick", "--device", "cpu", "--skip", "peer", "--out", str(tmp_path))
    assert told.returncode == 0, told.stdout + told.stderr
    found: dict[str, Any] = json.loads(next(tmp_path.glob("*.json")).read_text())
    sections = found["sections"]
    assert [name for name, section in sections.items() if "failed" in section] == []
    assert {name for name, section in sections.items() if section["rows"]} == set(ON_A_CPU.split(","))
    assert sections["parity"]["skipped"] == "needs CUDA and Triton"
    short = json.loads(told.stdout.splitlines()[-1])
    assert short["sections"].keys() == sections.keys()
    assert short["sections"]["whole_step"]["wrong"] == []
    assert list(short["sections"]["decode"]["values"]) == ["decode batch 1, context 32, default tiles"]
    assert "decode batch 1, context 32" in next(tmp_path.glob("*.txt")).read_text()


@pytest.mark.slow
def test_the_peer_runs_at_toy_size(tmp_path: Path) -> None:
    run("--quick", "--device", "cpu", "--only", "peer", "--out", str(tmp_path))
    peer = json.loads(next(tmp_path.glob("*.json")).read_text())["sections"]["peer"]
    assert "failed" not in peer
    assert [row["unit"] for row in peer["rows"]] == ["tok/s"] * 3
