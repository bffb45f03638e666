"""Drawn screens: what is recorded is what is on the picture, and a seed says everything."""

from __future__ import annotations

import random

import numpy as np
import pytest
from moonhand.tasks.synthetic import FONT_FAMILIES, FONT_FOLDER, FONT_PACKAGES, draw_screen, questions, screens

pytestmark = pytest.mark.skipif(
    not all((FONT_FOLDER / file).exists() for family in FONT_FAMILIES for file in family),
    reason=f"the training fonts are not installed: apt-get install {' '.join(FONT_PACKAGES)}",
)


def test_the_same_seed_draws_the_same_screen() -> None:
    first, second = (next(screens(7, [(420, 320)])) for _ in range(2))
    assert np.array_equal(first.pixels_HW3, second.pixels_HW3)
    assert first.controls == second.controls


def test_every_control_lies_on_the_screen_with_its_point_inside_its_box() -> None:
    rng = random.Random(1)
    for _ in range(40):
        screen = draw_screen(rng, 480, 360)
        assert screen.pixels_HW3.shape == (360, 480, 3)
        for control in screen.controls:
            left, top, right, bottom = control.box
            x, y = control.point
            assert left <= x <= right
            assert top <= y <= bottom
            assert 0 <= x < 480
            assert 0 <= y < 360


def test_no_two_controls_share_a_label() -> None:
    rng = random.Random(2)
    for _ in range(40):
        labels = [control.label for control in draw_screen(rng, 640, 480).controls]
        assert len(labels) == len(set(labels))


def test_words_are_where_the_picture_shows_something() -> None:
    screen = draw_screen(random.Random(3), 640, 480)
    assert screen.words
    for word in screen.words:
        left, top, right, bottom = (int(v) for v in word.box)
        patch = screen.pixels_HW3[top : bottom + 1, left : right + 1].astype(int)
        assert int(np.ptp(patch.reshape(-1, 3), axis=0).max()) > 10, word


def test_a_question_names_a_control_of_the_screen_or_nothing_on_it() -> None:
    rng = random.Random(4)
    screen = draw_screen(rng, 640, 480)
    labels = {control.label for control in screen.controls}
    asked = questions(rng, screen, 300, refuse_share=0.5)
    assert any(question.control is None for question in asked)
    for question in asked:
        if question.control is None:
            assert question.instruction not in labels
        else:
            assert question.control.label in question.instruction
            assert question.control in screen.controls
