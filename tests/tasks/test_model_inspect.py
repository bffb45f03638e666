"""`moonhand model inspect`: the counts that programs rely on, and the table of memory."""

from __future__ import annotations

import json
from pathlib import Path

from moonhand.tasks.model_commands import model_app
from typer.testing import CliRunner

KEYS = {
    "parameters", "parameters_active", "tensors", "vision_parameters", "projector_parameters", "experts",
    "experts_active", "layers", "bytes", "cache_bytes_per_token",
}  # fmt: skip


def _inspect(*arguments: str) -> str:
    left = CliRunner().invoke(model_app, ["inspect", *arguments], env={"COLUMNS": "160"})
    assert left.exit_code == 0, left.output
    return left.stdout


def test_programs_get_the_counts_and_the_memory() -> None:
    answer = json.loads(_inspect("nano", "--json"))
    assert set(answer) == KEYS | {"memory"}
    assert answer["parameters"] == 23_444_824
    assert [each["weights"] for each in answer["memory"]] == ["bfloat16", "int8", "int4"]
    assert answer["memory"][0]["weights_bytes"] == answer["bytes"]
    assert [row["context_tokens"] for row in answer["memory"][0]["contexts"]] == [4096, 8192]


def test_people_get_a_table_of_the_published_sizes_without_a_folder() -> None:
    shown = _inspect("instruct")
    assert "16,407,656,048" in shown
    row = next(line.split() for line in shown.splitlines() if line.startswith("131,072"))
    assert row == ["131,072", "126", "3.80", "1.50", "36.5", "22.0", "15.3"]


def test_a_small_model_is_told_in_mib() -> None:
    lines = _inspect("nano").splitlines()
    weights = next(line.split()[2:] for line in lines if line.startswith("weights alone"))
    assert weights[0] == "45"  # of 46,889,696 bytes
    assert all(int(each) > 0 for each in weights)
    assert lines[-1].startswith("MiB in all: ")


def test_the_documented_table_is_what_the_command_prints() -> None:
    docs = (Path(__file__).parents[2] / "docs" / "checkpoints.md").read_text(encoding="utf-8")
    shown = docs.split("$ moonhand model inspect instruct\n")[1].split("```")[0]
    assert [line.rstrip() for line in _inspect("instruct").splitlines()] == shown.splitlines()


def test_what_is_no_checkpoint_is_one_line() -> None:
    left = CliRunner().invoke(model_app, ["inspect", "nowhere"])
    assert left.exit_code == 4
    assert left.stderr.startswith("error: nowhere is no folder: give 'nano', the folder of a checkpoint")
