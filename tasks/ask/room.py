"""How many tokens a question takes, by the engine's own counting, before any weight is read; and what would fit.

Sizes alone decide: an image token that is blank to the model takes no work, but it takes its position.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..errors import BadRequest
from .inputs import Input, View, parts_of

if TYPE_CHECKING:
    from ...model import ImageTransform, KimiVLConfig, Message, Tokenizer

BYTES_PER_TOKEN = 3  # of a text whose vocabulary is not here: more tokens than most texts have


@dataclass(frozen=True, kw_only=True)
class Room:
    """A model's context, and what of it the answer is to have. Without a `tokenizer` words are estimated."""

    model: str
    config: KimiVLConfig
    tokenizer: Tokenizer | None
    system: str | None
    max_new_tokens: int

    @property
    def limit(self) -> int:
        return self.config.text.max_position_embeddings

    def tokens(self, view: View) -> int:
        """Image tokens of a view, blank ones too."""
        seen, image = self.transform(view.width_px, view.height_px), self.config.image
        rows, columns = image.merge_kernel_size
        return (seen.padded_height_px // (image.patch_size * rows)) * (
            seen.padded_width_px // (image.patch_size * columns)
        )

    def seen_px(self, view: View) -> tuple[int, int]:
        """As large as the model sees it."""
        seen = self.transform(view.width_px, view.height_px)
        return seen.resized_width_px, seen.resized_height_px

    def text_tokens(self, text: str) -> int:
        if self.tokenizer is None:
            return -(-len(text.encode()) // BYTES_PER_TOKEN)
        return len(self.tokenizer.encode(text))

    def as_seen(self, given: Input) -> Input:
        """Pages and frames read as large as the model sees them, where its processor would leave them so.

        A film at full size would fill the memory. A server gets them as they are: what it sees is not certain.
        """
        if self.tokenizer is None or given.kind not in ("pdf", "video", "animation"):
            return given
        views = tuple(self._seen(view) for view in given.views)
        return replace(given, views=views)

    def _seen(self, view: View) -> View:
        width_px, height_px = self.seen_px(view)
        smaller = replace(view, width_px=width_px, height_px=height_px)
        is_same = self.seen_px(smaller) == (width_px, height_px) and self.tokens(smaller) == self.tokens(view)
        return smaller if is_same else view

    def check_sizes(self, inputs: Sequence[Input]) -> None:
        """BadRequest for what the image processor cannot take, such as a strip a thousand times as high as wide."""
        from ...model import BadImage

        for each in inputs:
            for view in each.views:
                try:
                    self.tokens(view)
                except BadImage as error:
                    raise BadRequest(f"{each.path}: {error}") from error

    def positions(self, inputs: Sequence[Input], question: str) -> int:
        """Of the whole prompt."""
        return self.words(inputs, question) + sum(self.tokens(view) for each in inputs for view in each.views)

    def words(self, inputs: Sequence[Input], question: str) -> int:
        """Tokens of the prompt but for the pictures' own; those that frame the pictures are among them."""
        from ...model import Picture, render

        nothing = Picture(np.zeros((0, 0, 3), np.uint8))
        parts = [*parts_of(inputs), question]
        if self.tokenizer is None:
            texts = [part for part in parts if isinstance(part, str)]
            return 16 + self.text_tokens("".join([self.system or "", *texts])) + 4 * (len(parts) - len(texts))
        shown = tuple(part if isinstance(part, str) else nothing for part in parts)
        count = sum(part is nothing for part in shown)
        return len(render(self.messages(shown), self.tokenizer, [0] * count))

    def messages(self, content: tuple[object, ...]) -> list[Message]:
        """The turns of a question with these parts."""
        from ...model import Message

        system = [] if self.system is None else [Message("system", (self.system,))]
        return [*system, Message("user", cast("Any", content))]

    def over(self, inputs: Sequence[Input], question: str) -> int:
        """By how many tokens prompt and answer pass the context; 0 or less where they fit."""
        return self.positions(inputs, question) + self.max_new_tokens - self.limit

    def explain(self, inputs: Sequence[Input], question: str) -> str:
        """How much too long it is."""
        words = self.words(inputs, question)
        count = sum(len(each.views) for each in inputs)
        pictures = self.positions(inputs, question) - words
        about = "" if self.tokenizer is not None else "about "
        shown = f"{about}{words:,} of words, {pictures:,} of {count} picture{'' if count == 1 else 's'}"
        return (
            f"the prompt takes {about}{words + pictures:,} tokens ({shown}) and the answer may take "
            f"{self.max_new_tokens:,}: {self.over(inputs, question):,} more than the {self.limit:,} of {self.model}"
        )

    def transform(self, width_px: int, height_px: int) -> ImageTransform:
        from ...model import image_transform

        return image_transform(width_px, height_px, self.config.image)
