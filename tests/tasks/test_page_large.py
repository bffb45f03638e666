"""The large evaluation pages: held out in words, wordings, typefaces and icons, and nothing asked twice over."""

from __future__ import annotations

import re

import pytest
from moonhand.tasks import vocabulary
from moonhand.tasks.pages import texts as page_texts
from moonhand.tasks.pages.held_out import LARGE_PX, Sample, in_set, one_per_page, render_pages
from moonhand.tasks.pages.large import large_page
from moonhand.tasks.pages.small_look import FONTS
from moonhand.tasks.screens import words as interface_words

SEEDS = range(7_100_000, 7_100_007)


@pytest.fixture(scope="module")
def pages(chromium: str) -> list[list[Sample]]:
    return list(render_pages(SEEDS, "large", executable=chromium))


def texts_of(seed: int) -> str:
    """All that a page says, seen or not, in lower case and without its marks."""
    html = re.sub(r"<style>.*?</style>", " ", large_page(seed).html, flags=re.DOTALL)
    said = re.findall(r"(?:value|placeholder)=[\"']([^\"']*)[\"']", html)
    return " ".join([re.sub(r"<[^>]*>", " ", html), *said]).lower().replace("&#x27;", "'").replace("&amp;", "&")


def test_a_seed_gives_the_same_page_every_time_and_another_seed_another_page() -> None:
    assert large_page(3) == large_page(3)
    assert len({large_page(seed).html for seed in range(50)}) == 50


def test_pages_are_of_their_sizes_and_in_held_out_typefaces() -> None:
    for seed in range(100):
        page = large_page(seed)
        assert 640 <= page.width_px <= LARGE_PX.width_px
        assert 480 <= page.height_px <= LARGE_PX.height_px
        named = set(re.findall(r"font(?:-family)?:[^;}']*'([^']*)'", page.html))
        assert named
        assert named <= set(FONTS)


def test_nine_in_ten_of_the_texts_are_in_no_list_that_training_draws_from() -> None:
    trained = {
        text.lower()
        for module in (interface_words, vocabulary)
        for name, texts in vars(module).items()
        if name.isupper() and isinstance(texts, tuple) and name != "HELD_OUT_TEXTS"
        for text in texts
        if isinstance(text, str)
    }
    groups = [texts for name, texts in vars(page_texts).items() if name.isupper() and name != "PROSE"]
    labels = {text.lower() for texts in groups for text in texts}
    assert len(labels) > 500
    assert len(labels - trained) > 0.9 * len(labels)


def test_no_wording_of_the_evaluation_is_used_in_training() -> None:
    for kind, wordings in vocabulary.HELD_OUT_WORDINGS.items():
        trained = {*vocabulary.TRAIN_WORDINGS[kind], *vocabulary.WORDINGS.get(kind, ())}
        assert trained.isdisjoint(wordings)


@pytest.mark.browser
def test_every_page_has_questions_of_all_three_sets(pages: list[list[Sample]]) -> None:
    for samples in pages:
        assert in_set(samples, "text")
        assert in_set(samples, "controls")
        assert len(in_set(samples, "nothing")) == 4
        assert one_per_page(in_set(samples, "text")).asked == "text"
    asked = {sample.asked for samples in pages for sample in samples}
    assert asked == {"text", "label", "kind", "position", "icon", "nothing"}


@pytest.mark.browser
def test_boxes_lie_on_the_picture_and_show_something(pages: list[list[Sample]]) -> None:
    for samples in pages:
        height_px, width_px = samples[0].pixels_HW3.shape[:2]
        for sample in samples:
            if sample.box is None:
                assert sample.asked == "nothing"
                continue
            left, top = int(sample.box.left_px), int(sample.box.top_px)
            right, bottom = int(left + sample.box.width_px), int(top + sample.box.height_px)
            assert 0 <= left < right <= width_px
            assert 0 <= top < bottom <= height_px
            assert min(right - left, bottom - top) >= 7
            inside_HW3 = sample.pixels_HW3[top : bottom + 1, left : right + 1].astype(int)
            assert (inside_HW3.max(axis=(0, 1)) - inside_HW3.min(axis=(0, 1))).max() > 30, sample


@pytest.mark.browser
def test_what_is_asked_for_by_text_or_label_stands_on_the_page_once(pages: list[list[Sample]]) -> None:
    for samples in pages:
        said = texts_of(samples[0].seed)
        for sample in samples:
            if sample.asked in ("text", "label"):
                assert len(re.findall(rf"(?<!\w){re.escape(sample.label.lower())}(?!\w)", said)) == 1, sample
                assert sample.label in sample.instruction


@pytest.mark.browser
def test_what_is_asked_for_in_vain_shares_no_long_word_with_the_page(pages: list[list[Sample]]) -> None:
    for samples in pages:
        said = set(re.findall(r"[a-z]{4,}", texts_of(samples[0].seed)))
        marks = {mark.kind for mark in large_page(samples[0].seed).marks}
        for sample in in_set(samples, "nothing"):
            if sample.label.split()[0] in vocabulary.ORDINALS:
                continue
            if sample.label in {name for names in vocabulary.KIND_NAMES.values() for name in names}:
                assert sample.kind not in marks, sample
            else:
                assert said.isdisjoint(re.findall(r"[a-z]{4,}", sample.label.lower())), sample
