"""Drawn screens: what is recorded is what is on the picture, a seed says everything, and no question is ambiguous."""

from __future__ import annotations

import re
from collections import Counter
from random import Random

import numpy as np
import pytest
from moonhand.tasks.screens import questions as asking
from moonhand.tasks.screens import texts as texts
from moonhand.tasks.screens.canvas import Canvas
from moonhand.tasks.screens.icons import DRAWINGS, draw_mask
from moonhand.tasks.screens.samples import Control, Question, Screen, Word
from moonhand.tasks.screens.synthetic import (
    FONT_FAMILIES,
    FONT_FOLDER,
    FONT_PACKAGES,
    SIZES,
    draw_screen,
    questions,
    screens,
)
from moonhand.tasks.vocabulary import (
    HELD_OUT_TEXTS,
    HELD_OUT_WORDINGS,
    HELD_OUT_WORDS,
    ICON_WORDS,
    KINDS,
    TRAIN_WORDINGS,
    WORDINGS,
)

pytestmark = pytest.mark.skipif(
    not all((FONT_FOLDER / file).exists() for family in FONT_FAMILIES for file in family),
    reason=f"the training fonts are not installed: apt-get install {' '.join(FONT_PACKAGES)}",
)


@pytest.fixture(scope="module")
def drawn() -> list[Screen]:
    rng = Random(1)
    return [draw_screen(rng, *size) for size in SIZES for _ in range(5)]


def asked_about(drawn: list[Screen], count: int = 30) -> list[tuple[Screen, Question]]:
    rng = Random(2)
    return [(screen, question) for screen in drawn for question in questions(rng, screen, count)]


def test_the_same_seed_draws_the_same_screen_and_asks_the_same() -> None:
    first, second = (next(screens(7, [(420, 320)])) for _ in range(2))
    assert np.array_equal(first.pixels_HW3, second.pixels_HW3)
    assert (first.controls, first.words) == (second.controls, second.words)
    assert questions(Random(3), first, 20) == questions(Random(3), second, 20)


def test_every_control_lies_on_the_screen_with_its_point_inside_its_box(drawn: list[Screen]) -> None:
    for screen in drawn:
        height_px, width_px = screen.pixels_HW3.shape[:2]
        assert len(screen.controls) >= 3
        for control in screen.controls:
            left, top, right, bottom = control.box
            x, y = control.point
            assert -1 <= left <= x <= right <= width_px + 1, control
            assert -2 <= top <= y <= bottom <= height_px + 2, control


def test_words_are_where_the_picture_shows_something(drawn: list[Screen]) -> None:
    for screen in drawn:
        for word in screen.words:
            left, top, right, bottom = (max(0, int(v)) for v in word.box)
            patch = screen.pixels_HW3[top : bottom + 1, left : right + 1].astype(int)
            assert int(np.ptp(patch.reshape(-1, 3), axis=0).max()) > 10, word


def test_ink_of_a_word_begins_and_ends_at_its_edges() -> None:
    for seed in range(30):
        canvas = Canvas(Random(seed), 300, 60)
        canvas.image.paste((255, 255, 255), (0, 0, 300, 60))
        canvas.text(20, 10, "Home Number", (0, 0, 0), size_px=18)
        dark_W = (np.asarray(canvas.image).min(axis=2) < 128).any(axis=0)
        for word in canvas.words:
            inked = np.flatnonzero(dark_W[: round(word.box[2]) + 3])
            first = inked[inked >= word.box[0] - 2][0]
            assert abs(first - word.box[0]) <= 3.5
            assert abs(inked[-1] + 1 - word.box[2]) <= 3.5


def test_a_word_has_an_edge_before_and_after_every_character(drawn: list[Screen]) -> None:
    for screen in drawn:
        for word in screen.words:
            assert len(word.edges_px) == len(word.text) + 1
            assert word.edges_px == tuple(sorted(word.edges_px))
            assert (word.edges_px[0], word.edges_px[-1]) == (word.box[0], word.box[2])


def test_a_large_screen_holds_many_controls_and_a_small_one_few(drawn: list[Screen]) -> None:
    small = [len(screen.controls) for screen in drawn if screen.pixels_HW3.shape[1] < 320]
    large = [len(screen.controls) for screen in drawn if screen.pixels_HW3.shape[1] == 1280]
    assert np.median(small) < 20
    assert np.median(large) > 40


def test_together_the_screens_show_every_kind_of_control() -> None:
    rng = Random(4)
    seen = {control.kind for _ in range(40) for control in draw_screen(rng, 800, 600).controls}
    assert seen == set(KINDS)


def test_every_icon_has_a_name_and_a_drawing_of_its_own() -> None:
    assert set(DRAWINGS) == set(ICON_WORDS)
    masks = {draw_mask(name, drawing, 24, 2.0).tobytes() for name in DRAWINGS for drawing in range(len(DRAWINGS[name]))}
    assert len(masks) == sum(map(len, DRAWINGS.values()))
    meanings = [word for words in ICON_WORDS.values() for word in words]
    assert len(meanings) == len(set(meanings))


def test_what_is_held_out_is_never_drawn_nor_asked(drawn: list[Screen]) -> None:
    for screen in drawn:
        shown = " ".join(word.text.lower() for word in screen.words)
        assert not [text for text in HELD_OUT_TEXTS if f" {text.lower()} " in f" {shown} "]
        assert not HELD_OUT_WORDS & {word for control in screen.controls for word in control.label.lower().split()}
    for _, question in asked_about(drawn):
        assert texts.allowed(question.instruction), question.instruction


def test_the_wordings_of_the_evaluation_are_not_those_of_the_training() -> None:
    for kind in KINDS:
        trained = {*TRAIN_WORDINGS[kind], *WORDINGS.get(kind, ())}
        assert HELD_OUT_WORDINGS[kind]
        assert not trained & set(HELD_OUT_WORDINGS[kind])
        assert all("{label}" in wording for wording in (*trained, *HELD_OUT_WORDINGS[kind]))


def test_every_sort_of_question_is_asked_and_an_eighth_names_nothing(drawn: list[Screen]) -> None:
    sorts = Counter(question.asked for _, question in asked_about(drawn))
    assert set(sorts) == {"text", "kind", "label", "position", "icon", "nothing", "read", "list"}
    assert 0.06 < sorts["nothing"] / sorts.total() < 0.2
    assert 0.04 < sorts["read"] / sorts.total() < 0.16


def test_a_question_means_one_control_of_the_screen(drawn: list[Screen]) -> None:
    meant: dict[tuple[int, str], Control | None] = {}
    for screen, question in asked_about(drawn) + asked_about(drawn, 60):
        if question.asked in ("read", "list", "nothing"):
            assert question.control is None
            assert (question.reply is None) == (question.asked == "nothing")
            continue
        assert any(question.control is control for control in screen.controls)
        assert meant.setdefault((id(screen), question.instruction.lower()), question.control) is question.control


def test_a_list_names_every_control_of_its_kind_once(drawn: list[Screen]) -> None:
    lists = [(screen, q) for screen, q in asked_about(drawn) + asked_about(drawn, 60) if q.asked == "list"]
    assert lists
    for screen, question in lists:
        labels = {kind: sorted(c.label for c in screen.controls if c.kind == kind) for kind in KINDS}
        assert sorted((question.reply or "").split(", ")) in labels.values()


def test_a_control_asked_for_by_its_text_shares_it_with_no_other(drawn: list[Screen]) -> None:
    for screen, question in asked_about(drawn):
        if question.asked == "text" and question.control is not None:
            label = question.control.label.lower()
            assert label.rstrip(".:!?") in question.instruction.lower()
            assert sum(c.label.lower() == label for c in screen.controls if c.kind != "icon") == 1


def test_what_is_absent_is_nowhere_on_the_screen(drawn: list[Screen]) -> None:
    for screen, question in asked_about(drawn):
        if question.asked == "nothing":
            labels = {c.label.lower() for c in screen.controls}
            assert question.instruction.lower() not in labels
            for quoted in re.findall(r'"(.+)"', question.instruction):
                assert f" {quoted.lower()} " not in f" {' '.join(w.text.lower() for w in screen.words)} "


def test_a_reading_question_points_into_what_it_reads(drawn: list[Screen]) -> None:
    for screen, question in asked_about(drawn):
        if question.asked == "read":
            height_px, width_px = screen.pixels_HW3.shape[:2]
            x, y = (float(number) for number in re.findall(r"0\.\d{3}", question.instruction))
            under: list[str] = [
                thing.text if isinstance(thing, Word) else thing.label
                for thing in (*screen.words, *screen.controls)
                if thing.box[0] - 1 <= x * width_px <= thing.box[2] + 1
                and thing.box[1] - 1 <= y * height_px <= thing.box[3] + 1
            ]
            assert question.reply in under
            assert len(question.reply or "") <= asking.LONGEST_READ


def test_a_dimmed_page_leaves_only_the_dialog_to_click() -> None:
    canvas = Canvas(Random(1), 300, 200)
    canvas.say(10, 10, "Behind", canvas.theme.text)
    canvas.dim(0.5)
    canvas.say(10, 100, "In front", canvas.theme.text)
    screen = canvas.screen()
    assert [control.label for control in screen.controls] == ["In front"]
    assert [word.text for word in screen.words] == ["Behind", "In", "front"]


def test_what_is_covered_is_forgotten() -> None:
    canvas = Canvas(Random(1), 300, 200)
    canvas.say(10, 10, "Covered", canvas.theme.text)
    canvas.say(10, 120, "Seen", canvas.theme.text)
    canvas.cover((0, 0, 300, 60))
    screen = canvas.screen()
    assert [control.label for control in screen.controls] == ["Seen"]
    assert [word.text for word in screen.words] == ["Seen"]


def test_a_row_whose_text_is_still_seen_shrinks_to_its_text() -> None:
    canvas = Canvas(Random(1), 300, 200)
    text = canvas.text(10, 10, "Inbox", canvas.theme.text)
    canvas.add("option", "Inbox", (0, 5, 290, 40), (30, 20), (text,))
    canvas.cover((200, 0, 300, 200))
    (control,) = canvas.screen().controls
    assert control.box == text


def test_a_panel_of_any_size_and_roundness_can_be_drawn() -> None:
    rng = Random(5)
    canvas = Canvas(rng, 300, 200)
    for _ in range(3000):
        left_px, top_px, tall_px = rng.uniform(0, 200), rng.uniform(0, 100), rng.uniform(0, 40)
        box = (left_px, top_px, left_px + rng.uniform(0, 60), top_px + tall_px)
        canvas.panel(box, (9, 9, 9), (90, 90, 90), radius_px=rng.choice((tall_px / 2, tall_px, 1.0, 0.0)))
