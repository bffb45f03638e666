"""What moonhand-nano sees while it learns: drawn screens, pages from Chromium and MiniWoB episodes, batch by batch."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Literal

from ...model.config import KimiVLConfig
from ...model.packing import Batch, LabelledScreen, Query, Region, bare, pack
from ...model.tokenizer import Tokenizer
from ..screens.forms import draw_form, form_questions
from ..screens.samples import Control, Question, SampleFolder, Screen, Word, load_samples
from ..screens.synthetic import draw_screen, questions
from ..vocabulary import KINDS

CHARACTERS = "".join(chr(code) for code in range(33, 127))


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where some of the screens come from: `draw`n from `min_px` to `max_px` (width, height), or a folder of samples.

    `forms` are plain forms in the closed vocabulary, `screens` everything else.
    """

    share: float
    draw: Literal["forms", "screens"] | Path
    min_px: tuple[int, int] = (340, 320)
    max_px: tuple[int, int] = (500, 460)


@dataclass(frozen=True, kw_only=True)
class Mix:
    """One kind of batch: how many screens, how many image tokens of each are kept, how much is asked."""

    share: float
    screens: int
    image_tokens: int
    questions: int
    sources: tuple[Source, ...]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Part of the curriculum, up to `until_step`."""

    until_step: int
    mixes: tuple[Mix, ...]


def labelled(screen: Screen, asked: Sequence[Question]) -> LabelledScreen:
    """A screen in the form that training packs."""
    index = {id(control): number for number, control in enumerate(screen.controls)}
    known = set(CHARACTERS)
    return LabelledScreen(
        pixels_HW3=screen.pixels_HW3,
        words=tuple((word.text, word.box) for word in screen.words),
        characters=tuple(
            (CHARACTERS.index(character), (left, word.box[1], right, word.box[3]))
            for word in screen.words
            for character, (left, right) in zip(word.text, pairwise(word.edges_px), strict=True)
            if character in known
        ),
        regions=tuple(Region(KINDS.index(c.kind), _point(c, screen.words), c.parts) for c in screen.controls),
        queries=tuple(
            Query(q.instruction, None if q.control is None else index[id(q.control)], q.reply,
                  counts=q.asked in ("kind", "position", "list"))
            for q in asked
        ),
    )  # fmt: skip


def _point(control: Control, words: Sequence[Word]) -> tuple[float, float]:
    """Where to teach to click: the middle of the label where it stands inside the control, else the control's own.

    A list's row can be ten times as wide as its words; what can be seen is easier to learn than what must be measured.
    """
    if control.kind in ("field", "select", "slider", "checkbox", "radio", "switch", "icon"):
        return control.point
    left, top, right, bottom = control.box
    wanted = {bare(word) for word in control.label.split()}
    boxes = [
        word.box
        for word in words
        if bare(word.text) in wanted
        and left <= (word.box[0] + word.box[2]) / 2 <= right
        and top <= (word.box[1] + word.box[3]) / 2 <= bottom
    ]
    if not boxes:
        return control.point
    x_px = (min(box[0] for box in boxes) + max(box[2] for box in boxes)) / 2
    y_px = (min(box[1] for box in boxes) + max(box[3] for box in boxes)) / 2
    return min(max(x_px, left), right), min(max(y_px, top), bottom)


class NanoBatches:
    """Batch number i of the curriculum, the same whenever and wherever it is made."""

    def __init__(self, tokenizer_folder: Path, config: KimiVLConfig, stages: Sequence[Stage], seed: int) -> None:
        self.tokenizer_folder = tokenizer_folder
        self.config = config
        self.stages = tuple(stages)
        self.seed = seed
        self.folders: dict[Path, SampleFolder] = {}

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """Made in the worker: it does not travel between processes."""
        return Tokenizer.load(self.tokenizer_folder)

    def __len__(self) -> int:
        return self.stages[-1].until_step

    def __getitem__(self, index: int) -> Batch:
        stage = next(s for s in self.stages if index < s.until_step)
        rng = random.Random(f"{self.seed}-{index}")
        mix = rng.choices(stage.mixes, [mix.share for mix in stage.mixes])[0]
        screens: list[LabelledScreen] = []
        while len(screens) < mix.screens:
            source = rng.choices(mix.sources, [source.share for source in mix.sources])[0]
            screen, asked = self._sample(source, rng, mix.questions)
            height_px, width_px = screen.pixels_HW3.shape[:2]
            token_px = self.config.vision.patch_size * self.config.vision.merge_kernel_size[0]
            if -(-height_px // token_px) * -(-width_px // token_px) >= mix.image_tokens and asked:
                screens.append(labelled(screen, asked))
        return pack(screens, self.tokenizer, self.config, num_tokens=mix.image_tokens, seed=rng.getrandbits(32))

    def _sample(self, source: Source, rng: random.Random, num_questions: int) -> tuple[Screen, Sequence[Question]]:
        if not isinstance(source.draw, Path):
            share = rng.random()
            width_px, height_px = (
                round(low * (high / low) ** share * rng.uniform(0.85, 1.1))
                for low, high in zip(source.min_px, source.max_px, strict=True)
            )
            width_px, height_px = min(width_px, 1280), min(height_px, 800)
            if source.draw == "forms":
                screen = draw_form(rng, width_px, height_px)
                return screen, form_questions(rng, screen, num_questions)
            screen = draw_screen(rng, width_px, height_px)
            return screen, questions(rng, screen, num_questions)
        if source.draw not in self.folders:
            self.folders[source.draw] = load_samples(source.draw)
        samples = self.folders[source.draw]
        screen, asked = samples[rng.randrange(len(samples))]
        return screen, rng.sample(asked, min(num_questions, len(asked)))
