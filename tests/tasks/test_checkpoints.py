"""`moonhand model quantize` and `moonhand model random`, as commands of their own."""

from __future__ import annotations

import json
from collections.abc import Generator
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from moonhand.agent import locate
from moonhand.envs import Frame
from moonhand.model import BadCheckpoint, load, load_config, load_model
from moonhand.model.quantized_checkpoint import quantize_checkpoint
from moonhand.model.quantized_loss import compare_folders
from moonhand.tasks.checkpoints import quantize, random
from moonhand.tasks.cli import app as cli_app
from moonhand.tasks.errors import BadRequest
from PIL import Image, ImageDraw
from typer.testing import CliRunner, Result

NANO = Path(str(resources.files("moonhand.model") / "nano"))


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Generator[None]:
    """Small tensors gain little from threads, and threads that wait for each other lose much on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _run(*arguments: str | Path) -> Result:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(quantize)
    app.command()(random)
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


def test_quantize_writes_a_smaller_folder_and_says_what_it_cost(middle_checkpoint: Path, tmp_path: Path) -> None:
    left = _run("quantize", middle_checkpoint, tmp_path / "small", "--weights", "int8", "--json")
    assert left.exit_code == 0
    answer = json.loads(left.stdout)
    assert answer["bytes_after"] < answer["bytes_before"]
    assert answer["loss"]["same_first_choice"] == 1.0
    assert answer["loss"]["divergence_nats"] < 0.01
    assert load_model(tmp_path / "small").config.quantization == "int8"


def test_quantize_prints_a_table_for_people(middle_checkpoint: Path, tmp_path: Path) -> None:
    left = _run("quantize", middle_checkpoint, tmp_path / "small")
    assert left.exit_code == 0
    assert "same first choice" in left.stdout
    assert "written to" in left.stderr
    unchecked = _run("quantize", middle_checkpoint, tmp_path / "other", "--no-check")
    assert "not compared" in unchecked.stdout


def test_quantize_refuses_other_widths_and_folders_in_use(middle_checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="'int3' is not one of int8, int4"):
        _run("quantize", middle_checkpoint, tmp_path / "small", "--weights", "int3")
    with pytest.raises(BadCheckpoint, match="already holds files"):
        _run("quantize", middle_checkpoint, middle_checkpoint)


def test_what_is_refused_is_one_line(middle_checkpoint: Path) -> None:
    left = CliRunner().invoke(cli_app, ["model", "quantize", str(middle_checkpoint), str(middle_checkpoint)])
    assert left.exit_code == 4
    assert left.stderr.startswith("error: ")
    assert left.stderr.count("\n") == 1


def test_the_help_says_what_happens_without_a_flag() -> None:
    said = CliRunner().invoke(cli_app, ["model", "quantize", "--help"], env={"COLUMNS": "160"}).stdout
    assert "(default: if the model takes at most 2 GB)" in said


def test_random_takes_its_sizes_from_a_folder(middle_checkpoint: Path, tmp_path: Path) -> None:
    left = _run("random", tmp_path / "made", "--config", middle_checkpoint, "--json")
    assert left.exit_code == 0
    assert json.loads(left.stdout)["parameters"] > 1000
    assert load_config(tmp_path / "made").text == load_config(middle_checkpoint).text
    with pytest.raises(BadRequest, match="neither one of instruct, kimi3, small nor a folder"):
        _run("random", tmp_path / "other", "--config", "huge")


def test_nano_in_eight_bits_points_at_the_same_places() -> None:
    picture = Image.new("RGB", (320, 240), "white")
    draw = ImageDraw.Draw(picture)
    for text, box in {"Save": (40, 40, 130, 74), "Cancel": (190, 40, 280, 74), "Delete": (110, 150, 210, 184)}.items():
        draw.rectangle(box, fill="#dddddd", outline="black")
        draw.text(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), text, fill="black", anchor="mm", font_size=15)
    frame = Frame(np.asarray(picture), captured_at_s=0.0)
    full, quantised = load("nano", device="cpu"), load("nano", device="cpu", quantize="int8")
    for instruction in ("click Save", "click Delete"):
        expected, found = locate(full, frame, instruction), locate(quantised, frame, instruction)
        assert expected.x_px is not None
        assert expected.y_px is not None
        assert found.x_px == pytest.approx(expected.x_px, abs=3)
        assert found.y_px == pytest.approx(expected.y_px, abs=3)


def test_nano_in_eight_bits_loses_little(tmp_path: Path) -> None:
    quantize_checkpoint(NANO, tmp_path / "small", "int8")
    loss = compare_folders(NANO, tmp_path / "small")
    assert loss.same_first_choice > 0.95
    assert loss.divergence_nats < 0.005
    assert loss.mean_difference < 0.02
