"""Samples on disk come back as they were written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import numpy as np
import pytest
from moonhand.tasks.errors import BadRequest
from moonhand.tasks.screens.samples import SAMPLES, Control, Question, Screen, Word, load_samples, save_samples


def made(seed: int) -> tuple[Screen, list[Question]]:
    rng = Random(seed)
    pixels_HW3 = np.frombuffer(rng.randbytes(20 * 30 * 3), np.uint8).reshape(20, 30, 3)
    button = Control("button", "Go", (1.5, 2.0, 11.25, 9.0), (6.0, 5.5), ((1.5, 2.0, 11.25, 9.0),))
    same = Control("button", "Go", (1.5, 2.0, 11.25, 9.0), (6.0, 5.5), ((1.5, 2.0, 11.25, 9.0),))
    word = Word("Go", (3.0, 3.0, 9.5, 8.0), (3.0, 6.0, 9.5))
    asked = [
        Question("click Go", same),
        Question("the Stop button", None, "nothing"),
        Question("read the text at x=0.200, y=0.275", None, "read", "Go"),
    ]
    return Screen(pixels_HW3, (button, same), (word,)), asked


def test_a_sample_comes_back_as_it_was_written(tmp_path: Path) -> None:
    samples = [made(seed) for seed in range(3)]
    assert save_samples(tmp_path / "set", samples) == 3
    loaded = load_samples(tmp_path / "set")
    assert len(loaded) == 3
    for (screen, asked), (was, wanted) in zip(loaded, samples, strict=True):
        assert np.array_equal(screen.pixels_HW3, was.pixels_HW3)
        assert (screen.controls, screen.words) == (was.controls, was.words)
        assert asked == tuple(wanted)


def test_a_question_names_the_very_control_of_its_screen(tmp_path: Path) -> None:
    save_samples(tmp_path, [made(1)])
    screen, asked = load_samples(tmp_path)[0]
    assert asked[0].control is screen.controls[1]
    assert asked[1].control is None


def test_what_was_written_before_an_interruption_can_be_read(tmp_path: Path) -> None:
    def broken() -> Iterator[tuple[Screen, list[Question]]]:
        yield made(1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save_samples(tmp_path, broken())
    assert len(load_samples(tmp_path)) == 1


def test_a_folder_without_samples_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=SAMPLES):
        load_samples(tmp_path)


def test_a_damaged_line_is_refused_with_its_number(tmp_path: Path) -> None:
    save_samples(tmp_path, [made(1), made(2)])
    lines = (tmp_path / SAMPLES).read_text(encoding="utf-8").splitlines()
    (tmp_path / SAMPLES).write_text(lines[0] + "\n" + lines[1][:40] + "\n", encoding="utf-8")
    loaded = load_samples(tmp_path)
    assert loaded[0][0].controls
    with pytest.raises(BadRequest, match="line 2"):
        loaded[1]
