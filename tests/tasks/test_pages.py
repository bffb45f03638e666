"""The evaluation pages: what they promise about boxes, viewports, labels and typefaces, seen in a real Chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from random import Random

import numpy as np
import pytest
from moonhand.envs import BrowserConfig, BrowserEnv, Click, MissingTool, Region
from moonhand.tasks import vocabulary
from moonhand.tasks.pages.held_out import Sample, build_set, load_set, one_per_page, page, render_pages, show_page
from moonhand.tasks.pages.small import design
from moonhand.tasks.pages.small_look import FONTS, LARGEST_PX, SMALLEST_PX, contrast, draw_look, ink_on
from moonhand.tasks.screens import synthetic

SEEDS = range(7_000_000, 7_000_012)
GROUPS = {
    "button": vocabulary.BUTTONS,
    "link": vocabulary.LINKS,
    "field": vocabulary.FIELDS,
    "checkbox": vocabulary.CHECKBOXES,
}
# What lies on top at a place of the page shown, as the place of that control among the page's controls.
CONTROL_AT_JS = """
((x, y) => {
  const owner = document.querySelector("iframe").contentDocument.elementFromPoint(x, y).closest("[data-control]");
  return owner && Number(owner.dataset.control);
})(%f, %f)
"""


@pytest.fixture(scope="module")
def env(chromium: str) -> Iterator[BrowserEnv]:
    with BrowserEnv(BrowserConfig(url="about:blank", viewport=LARGEST_PX, executable=chromium)) as opened:
        yield opened


def test_every_group_has_labels_of_one_to_five_ascii_words_without_repeats() -> None:
    groups = [*GROUPS.values(), vocabulary.HEADINGS, vocabulary.TABS]
    assert 190 <= len({label for group in groups for label in group}) <= 210
    for group in groups:
        assert len({label.lower() for label in group}) == len(group)
        assert all(label.isascii() and 1 <= len(label.split()) <= 5 for label in group)


def test_the_demo_page_speaks_the_vocabulary() -> None:
    assert {"Create account", "Cancel"} <= set(vocabulary.BUTTONS)
    assert {"Full name", "Email", "Password"} <= set(vocabulary.FIELDS)
    assert "I agree to the terms" in vocabulary.CHECKBOXES
    assert "Sign in" in vocabulary.LINKS
    assert "Create your account" in vocabulary.HEADINGS


def test_a_seed_gives_the_same_page_every_time_and_another_seed_another_page() -> None:
    assert page(3) == page(3)
    assert len({page(seed).html for seed in range(50)}) == 50


@pytest.mark.slow
def test_the_pages_of_the_first_table_are_the_ones_it_was_measured_on() -> None:
    digest = sha256("".join(page(seed).html for seed in range(1_000_000, 1_000_200)).encode())
    assert digest.hexdigest() == "e2ddca592727383e3454228cd7f6dfff09caeb7a48c9db99a04de9ea6ea32ad0"


def test_a_page_holds_the_controls_of_its_family_in_a_viewport_of_its_family() -> None:
    for seed in range(200):
        drawn = design(Random(seed))
        kinds = [control.kind for control in drawn.controls]
        assert 2 <= kinds.count("field") <= 4
        assert 0 <= kinds.count("checkbox") <= 2
        assert 1 <= kinds.count("button") <= 2
        assert 1 <= kinds.count("link") <= 4
        assert SMALLEST_PX.width_px <= drawn.width_px <= LARGEST_PX.width_px
        assert SMALLEST_PX.height_px <= drawn.height_px <= LARGEST_PX.height_px


def test_no_label_stands_twice_on_a_page() -> None:
    for seed in range(200):
        drawn = design(Random(seed))
        labels = [control.label for control in drawn.controls]
        assert all(control.label in GROUPS[control.kind] for control in drawn.controls)
        shown = re.sub(r"<style>.*?</style>", "", drawn.html)
        texts = [text.lower() for pair in re.findall(r">([^<>]+)<|placeholder=\"([^\"]+)\"", shown) for text in pair]
        assert all(texts.count(label.lower()) == 1 for label in labels)


def test_no_page_names_a_typeface_of_the_training_screens() -> None:
    trained = {Path(file).stem.split("-")[0].lower() for family in synthetic.FONT_FAMILIES for file in family}
    held_out = {name.replace(" ", "").lower() for name in FONTS}
    assert not any(seen.startswith(name) or name.startswith(seen) for seen in trained for name in held_out)
    for seed in range(200):
        named = re.findall(r"font(?:-family)?:[^;}]*'([^']*)',sans-serif", page(seed).html)
        assert len(named) == 1
        assert named[0] in FONTS


def test_text_can_be_read_on_its_ground() -> None:
    for seed in range(200):
        look = draw_look(Random(seed))
        assert contrast(ink_on(look.accent), look.accent) >= 3
        for ground in (look.page_color, look.card_color):
            assert contrast(look.ink, ground) >= 7
            assert contrast(look.link, ground) >= 4.5


def box_of(sample: Sample) -> Region:
    assert sample.box is not None
    return sample.box


@pytest.mark.browser
def test_the_middle_of_every_box_belongs_to_its_control_and_the_boxes_do_not_overlap(env: BrowserEnv) -> None:
    for seed in SEEDS:
        samples = show_page(env, seed)
        controls = design(Random(f"page {seed}")).controls
        for sample in samples:
            at: int = env.evaluate(CONTROL_AT_JS % (box_of(sample).center.x_px, box_of(sample).center.y_px))
            assert (controls[at].kind, controls[at].label) == (sample.kind, sample.label)
            assert [other.label for other in samples if box_of(other).contains(box_of(sample).center)] == [sample.label]


@pytest.mark.browser
def test_boxes_lie_on_the_picture_and_the_picture_is_the_viewport(env: BrowserEnv) -> None:
    for seed in SEEDS:
        shown = page(seed)
        for sample in show_page(env, seed):
            assert sample.pixels_HW3.shape == (shown.height_px, shown.width_px, 3)
            box = box_of(sample)
            assert box.left_px >= 0
            assert box.top_px >= 0
            assert box.left_px + box.width_px <= shown.width_px
            assert box.top_px + box.height_px <= shown.height_px
            assert box.width_px >= 12
            assert box.height_px >= 12


@pytest.mark.browser
def test_every_box_has_something_drawn_in_it(env: BrowserEnv) -> None:
    for seed in SEEDS:
        for sample in show_page(env, seed):
            box = box_of(sample)
            rows = slice(int(box.top_px), int(box.top_px + box.height_px) + 1)
            columns = slice(int(box.left_px), int(box.left_px + box.width_px) + 1)
            inside_HW3 = sample.pixels_HW3[rows, columns].astype(int)
            assert np.ptp(inside_HW3, axis=(0, 1)).max() > 10, (seed, sample.label)


@pytest.mark.browser
def test_a_click_into_a_box_reaches_the_control(env: BrowserEnv) -> None:
    samples = show_page(env, SEEDS[0])
    field = next(sample for sample in samples if sample.kind == "field")
    env.perform(Click(x_px=box_of(field).center.x_px, y_px=box_of(field).center.y_px))
    focused = env.evaluate("document.querySelector('iframe').contentDocument.activeElement.dataset.control")
    assert design(Random(f"page {SEEDS[0]}")).controls[int(focused)].label == field.label


@pytest.mark.slow
@pytest.mark.browser
def test_a_set_written_to_disk_reads_back_as_rendered_and_again_the_same(tmp_path: Path) -> None:
    def render_twice() -> list[list[Sample]]:  # in a thread of its own: a thread holds one browser at a time
        build_set(SEEDS[:2], tmp_path)
        return list(render_pages(SEEDS[:2]))

    with ThreadPoolExecutor(1) as thread:
        try:
            pages = thread.submit(render_twice).result()
        except MissingTool as error:
            pytest.skip(str(error))
    rendered = [sample for samples in pages for sample in samples]
    loaded = load_set(tmp_path)
    assert [(s.seed, s.instruction, s.box, s.kind, s.label) for s in loaded] == [
        (s.seed, s.instruction, s.box, s.kind, s.label) for s in rendered
    ]
    assert all(np.array_equal(a.pixels_HW3, b.pixels_HW3) for a, b in zip(loaded, rendered, strict=True))


def test_each_page_has_one_question_that_counts_chosen_by_its_seed() -> None:
    pixels_HW3 = np.zeros((4, 4, 3), np.uint8)
    samples = [Sample(8, pixels_HW3, f"click {n}", Region(0, 0, 1, 1), "link", str(n)) for n in range(9)]
    assert one_per_page(samples) is one_per_page(samples)
    others = [replace(sample, seed=9) for sample in samples]
    assert len({one_per_page([replace(s, seed=seed) for s in others]).label for seed in range(40)}) > 4
