"""`moonhand eval run` from the command line to the folder, with a checkpoint of thousands of parameters."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from moonhand.tasks.cli import app
from moonhand.tasks.evals.run_command import to_go_on
from moonhand.tasks.evals.run_folder import MANIFEST, PREDICTIONS, RESULT, TIMINGS
from PIL import Image
from typer.testing import CliRunner


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four questions about two pictures; the middle answers the first and the last."""
    folder = tmp_path_factory.mktemp("suite")
    for name in ("a", "b"):
        Image.new("RGB", (120, 80), "white").save(folder / f"{name}.png")
    rows = [
        {"id": str(number), "img_filename": f"{'ab'[number // 2]}.png", "instruction": f"thing {number}", "bbox": box,
         "img_size": [120, 80]}
        for number, box in enumerate([[50, 30, 70, 50], [0, 0, 10, 10], [100, 60, 119, 79], [10, 10, 110, 70]])
    ]  # fmt: skip
    (folder / "suite.json").write_text(json.dumps({"boxes": "xyxy_px", "samples": rows}))
    return folder


def asked(data: Path, out: Path, model: Path, *more: str) -> tuple[int, str, str]:
    command = ["eval", "run", "own", "--data", str(data), "--out", str(out), "--model", str(model), *more]
    told = CliRunner().invoke(app, command)
    return told.exit_code, told.stdout, told.stderr


def test_a_run_scores_what_the_model_answers_and_a_second_asks_nothing(
    data: Path, tmp_path: Path, middle_checkpoint: Path
) -> None:
    code, told, _ = asked(data, tmp_path, middle_checkpoint, "--json")
    result = json.loads(told)
    assert (code, result["n"], result["correct"], result["asked"]) == (0, 4, 2, 4)
    rows = [json.loads(line) for line in (tmp_path / PREDICTIONS).read_text().splitlines()]
    assert [(row["id"], row["x_px"], row["y_px"]) for row in rows] == [(str(number), 60.0, 40.0) for number in range(4)]
    assert all(row["prompt_tokens"] > row["generated_tokens"] > 0 for row in rows)
    timings = [json.loads(line) for line in (tmp_path / TIMINGS).read_text().splitlines()]
    assert {"id", "model_s", "wait_s", "attempts", "worker"} == timings[0].keys()
    manifest = json.loads((tmp_path / MANIFEST).read_text())
    assert manifest["model"]["weights_sha256"]
    assert manifest["model"]["threads"] == 1
    assert manifest["suite"]["files"].keys() == {"suite.json"}
    before = (tmp_path / RESULT).read_bytes()
    code, told, said = asked(data, tmp_path, middle_checkpoint)
    assert (code, told) == (0, "")
    assert "2 of 4 right, 50.0%" in said
    assert (tmp_path / RESULT).read_bytes() == before


def test_the_command_that_goes_on_forgets_nothing_a_second_time() -> None:
    given = ["eval", "run", "own", "--again", "both", "--fresh", "--limit", "2", "--again=crashed"]
    assert to_go_on(given) == ["eval", "run", "own", "--limit", "2"]


def test_a_file_in_place_of_the_folder_is_usage(data: Path, tmp_path: Path, middle_checkpoint: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    code, told, _ = asked(data, tmp_path / "mine.txt", middle_checkpoint, "--json")
    assert (code, (tmp_path / "mine.txt").read_text()) == (2, "mine")
    assert "name another place" in json.loads(told)["error"]


def test_other_settings_are_refused_by_name(data: Path, tmp_path: Path, middle_checkpoint: Path) -> None:
    assert asked(data, tmp_path, middle_checkpoint, "--limit", "2")[0] == 0
    code, told, _ = asked(data, tmp_path, middle_checkpoint, "--seed", "7", "--limit", "2", "--json")
    assert code == 2
    assert "decoding.seed is 0 there and 7 here" in json.loads(told)["error"]
    assert "decoding.temperature" not in json.loads(told)["error"]


def test_what_changes_replies_is_in_the_manifest(data: Path, tmp_path: Path, middle_checkpoint: Path) -> None:
    model = shutil.copytree(middle_checkpoint, tmp_path / "model")
    assert asked(data, tmp_path / "run", model, "--limit", "1")[0] == 0
    manifest = json.loads((tmp_path / "run" / MANIFEST).read_text())
    assert manifest["suite"]["boxes"] == "xyxy_px"
    assert len(manifest["suite"]["pictures_sha256"]) == 64
    assert "config.json" in manifest["model"]["files_sha256"]
    (model / "README.md").write_text("nothing that changes a reply")
    assert asked(data, tmp_path / "run", model, "--limit", "1")[0] == 0
    (model / "calibration.json").write_text("{}")
    code, told, _ = asked(data, tmp_path / "run", model, "--limit", "1", "--json")
    assert code == 2
    assert "model.files_sha256.calibration.json is not given there" in json.loads(told)["error"]


def test_rows_that_failed_are_asked_again_and_paths_may_be_relative(
    data: Path, tmp_path: Path, middle_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(data)
    model = Path(os.path.relpath(middle_checkpoint, data))
    late = ("--timeout-s", "1e-9", "--retries", "0")
    assert asked(Path(), tmp_path, model, *late)[0] == 0
    assert json.loads((tmp_path / RESULT).read_text())["outcomes"]["timed_out"] == 4
    assert json.loads(asked(Path(), tmp_path, model, "--again", "crashed", "--json")[1])["asked"] == 0
    result = json.loads(asked(Path(), tmp_path, model, "--again", "both", "--json")[1])
    assert (result["asked"], result["correct"]) == (4, 2)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--workers", "2"], "--executor processes"),
        (["--ray", "auto"], "--executor ray"),
        (["--timeout-s", "0"], "above 0"),
        (["--model", "openai:http://127.0.0.1:9#x", "--executor", "processes"], "leave --executor out"),
        (["--model", "openai:http://127.0.0.1:9#x", "--dtype", "float32"], "behind a server"),
    ],
)
def test_flags_that_do_not_go_together_are_refused_before_any_work(
    flags: list[str], said: str, data: Path, tmp_path: Path
) -> None:
    code, told, _ = asked(data, tmp_path / "run", Path("nano"), *flags, "--json")
    assert code == 2
    assert said in json.loads(told)["error"]
    assert not (tmp_path / "run").exists()
