"""The picture of a training run: every figure is drawn, a damaged end is not in the way."""

from __future__ import annotations

import filecmp
import json
from pathlib import Path

import numpy as np
import pytest
from moonhand.tasks.errors import BadRequest
from moonhand.tasks.training.curves import COLOURS, PANEL_HEIGHT_PX, WIDTH_PX, draw_curves
from PIL import Image


def curve(path: Path, num_steps: int, **figures: float) -> Path:
    rows = [{"step": step, "step_s": 0.1, **{k: v / step for k, v in figures.items()}} for step in range(1, num_steps)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def drawn(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"), np.int16)


@pytest.mark.parametrize("num_steps", [2, 3, 2000])
def test_losses_and_accuracies_have_a_panel_each(tmp_path: Path, num_steps: int) -> None:
    draw_curves(curve(tmp_path / "curve.jsonl", num_steps, loss=9.0, other=2.0, near_acc=0.9), tmp_path / "out.png")
    pixels = drawn(tmp_path / "out.png")
    assert pixels.shape == (2 * PANEL_HEIGHT_PX, WIDTH_PX, 3)
    for panel, colour in ((0, COLOURS[0]), (0, COLOURS[1]), (1, COLOURS[0])):
        part = pixels[panel * PANEL_HEIGHT_PX : (panel + 1) * PANEL_HEIGHT_PX]
        assert (np.abs(part - np.array(colour)).max(-1) < 40).sum() > 20


def test_a_torn_last_line_is_left_out_and_a_repeated_step_counts_once(tmp_path: Path) -> None:
    path = curve(tmp_path / "curve.jsonl", 10, loss=9.0)
    draw_curves(path, tmp_path / "whole.png")
    with path.open("a") as file:
        file.write(json.dumps({"step": 9, "loss": 1.0}) + "\n" + '{"step": 10, "lo')
    draw_curves(path, tmp_path / "torn.png")
    assert filecmp.cmp(tmp_path / "torn.png", tmp_path / "whole.png", shallow=False)


@pytest.mark.parametrize(
    ("content", "problem"),
    [(None, "cannot be read"), ("", "no steps"), ("hello\n{}\n", "1 is not"), ('{"step": 1}\n', "neither")],
)
def test_nothing_to_draw_is_one_clear_error(tmp_path: Path, content: str | None, problem: str) -> None:
    if content is not None:
        (tmp_path / "curve.jsonl").write_text(content)
    with pytest.raises(BadRequest, match=problem):
        draw_curves(tmp_path / "curve.jsonl", tmp_path / "out.png")
