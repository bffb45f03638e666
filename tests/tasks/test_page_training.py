"""The pages that training sees, drawn by a real Chromium: boxes, letters and questions that mean one thing."""

from __future__ import annotations

import re

import pytest
from moonhand.tasks.pages.icons import HELD_OUT_ICONS, TRAINING_ICONS
from moonhand.tasks.pages.small_look import FONTS
from moonhand.tasks.pages.training import LARGEST_PX, render_training_pages, training_page
from moonhand.tasks.pages.training_look import TRAINING_FONTS
from moonhand.tasks.screens.samples import Question, Screen
from moonhand.tasks.vocabulary import HELD_OUT_WORDS, ICON_WORDS

SEEDS = range(500, 505)


@pytest.fixture(scope="module")
def pages(chromium: str) -> list[tuple[Screen, list[Question]]]:
    return list(render_training_pages(SEEDS, executable=chromium))


def test_a_seed_gives_the_same_page_every_time_and_another_seed_another_page() -> None:
    assert training_page(3) == training_page(3)
    assert len({training_page(seed).html for seed in range(30)}) == 30


def test_no_page_says_a_word_or_names_a_typeface_that_is_held_out() -> None:
    assert set(FONTS).isdisjoint(TRAINING_FONTS)
    for seed in range(100):
        html = training_page(seed).html
        assert not any(f"'{font}'" in html for font in FONTS)
        shown = re.sub(r"<style>.*?</style>|<[^>]*>", " ", html)
        assert HELD_OUT_WORDS.isdisjoint(re.findall(r"[a-z]+", shown.lower()))


def test_icons_of_training_and_evaluation_are_drawn_differently_and_all_have_a_meaning() -> None:
    assert set(TRAINING_ICONS.values()).isdisjoint(HELD_OUT_ICONS.values())
    assert set(TRAINING_ICONS) | set(HELD_OUT_ICONS) <= set(ICON_WORDS)


@pytest.mark.browser
def test_every_box_point_and_letter_lies_on_the_picture(pages: list[tuple[Screen, list[Question]]]) -> None:
    for screen, _ in pages:
        height_px, width_px = screen.pixels_HW3.shape[:2]
        assert width_px <= LARGEST_PX.width_px
        assert height_px <= LARGEST_PX.height_px
        assert screen.controls
        for control in screen.controls:
            left, top, right, bottom = control.box
            assert -1 <= left < control.point[0] < right <= width_px + 1
            assert -1 <= top < control.point[1] < bottom <= height_px + 1
        for word in screen.words:
            assert word.text.isascii()
            assert len(word.edges_px) == len(word.text) + 1
            assert all(one <= other + 0.01 for one, other in zip(word.edges_px, word.edges_px[1:], strict=False))
            assert -1 <= word.box[0] < word.box[2] <= width_px + 1


@pytest.mark.browser
def test_questions_point_at_controls_of_their_screen(pages: list[tuple[Screen, list[Question]]]) -> None:
    asked = [question.asked for _, questions in pages for question in questions]
    assert {"text", "label", "icon", "nothing", "read"} <= set(asked)
    for screen, questions in pages:
        for question in questions:
            if question.control is not None:
                assert any(question.control is control for control in screen.controls)


@pytest.mark.browser
def test_a_text_that_cannot_be_told_apart_is_not_asked_for(pages: list[tuple[Screen, list[Question]]]) -> None:
    for screen, questions in pages:
        labels = [control.label.lower() for control in screen.controls]
        for question in questions:
            if question.asked == "text" and question.control is not None:
                assert labels.count(question.control.label.lower()) == 1, question


@pytest.mark.slow
@pytest.mark.browser
def test_a_page_shown_again_is_the_same_to_the_last_pixel_and_question(
    chromium: str, pages: list[tuple[Screen, list[Question]]]
) -> None:
    ((screen, questions),) = render_training_pages([SEEDS[2]], executable=chromium)
    first, asked = pages[2]
    assert (screen.pixels_HW3 == first.pixels_HW3).all()
    assert [question.instruction for question in questions] == [question.instruction for question in asked]
