"""A prompt: its token ids, where each stands, and what its pictures add to both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .chat import Message, Picture, render
from .config import KimiVLConfig
from .image import ImagePatches, count_tokens, preprocess
from .reuse import Key, picture_digest, prompt_keys
from .tokenizer import Tokenizer
from .vision import normalise


class PromptPicture:
    """One picture of a prompt. Its size alone tells the number of its tokens, unless blank ones are left out."""

    def __init__(self, picture: Picture, config: KimiVLConfig) -> None:
        """Raises BadImage."""
        self._pixels_HW3 = picture.pixels_HW3
        self._config = config.image
        self.total = count_tokens(picture.pixels_HW3, replace(config.image, blank_levels=None))
        self.kept_T = np.arange(self.total) if config.image.blank_levels is None else self._kept()

    @property
    def num_tokens(self) -> int:
        return len(self.kept_T)

    @cached_property
    def patches(self) -> ImagePatches:
        return preprocess(self._pixels_HW3, self._config)

    @cached_property
    def digest(self) -> bytes:
        """Equal for equal pixels."""
        return picture_digest(self._pixels_HW3)

    def _kept(self) -> npt.NDArray[np.int64]:
        return self.patches.positions(self._config)[0]


@dataclass(frozen=True)
class Prompt:
    """Messages as the model reads them: `ids` and `positions` of every token, and the pictures among them in order."""

    ids: list[int]
    positions: list[int]
    pictures: tuple[PromptPicture, ...]
    starts: tuple[int, ...]  # of each picture's tokens among the ids
    media_id: int  # what the ids have in the place of a picture's tokens

    @classmethod
    def read(cls, messages: Sequence[Message], tokenizer: Tokenizer, config: KimiVLConfig) -> Prompt:
        """Raises BadImage for a picture the processor cannot take."""
        pictures = tuple(PromptPicture(each, config) for message in messages for each in message.pictures)
        ids = render(messages, tokenizer, [picture.num_tokens for picture in pictures])
        places = np.flatnonzero(np.asarray(ids) == config.media_placeholder_token_id)
        first = np.cumsum([0, *(picture.num_tokens for picture in pictures)])[:-1]
        kept = [(picture.kept_T, picture.total) for picture in pictures]
        starts = tuple(places[first].tolist()) if pictures else ()
        return cls(ids, positions_around(ids, kept, config), pictures, starts, config.media_placeholder_token_id)

    @property
    def image_tokens(self) -> int:
        return sum(picture.num_tokens for picture in self.pictures)

    @cached_property
    def keys(self) -> list[Key]:
        """What each token is: prompts that begin with equal keys begin alike."""
        pictures = self.pictures
        return prompt_keys(
            self.ids, self.media_id, [each.digest for each in pictures], [each.kept_T for each in pictures]
        )

    def pictures_after(self, num_tokens: int) -> list[PromptPicture]:
        """The pictures that stand behind the first `num_tokens` tokens of the prompt."""
        return [picture for picture, start in zip(self.pictures, self.starts, strict=True) if start >= num_tokens]


def count_image_tokens(pictures: Sequence[Picture], config: KimiVLConfig) -> list[int]:
    """Image tokens of each picture; raises BadImage."""
    return [count_tokens(picture.pixels_HW3, config.image) for picture in pictures]


def stack_patches(
    patches: Sequence[ImagePatches],
    config: KimiVLConfig,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """All pictures' patches in one pack [P, 3, p, p], as the tower reads them; bytes until they are on the device."""
    p = config.vision.patch_size
    pixels_PCHW = np.concatenate([np.zeros((0, 3, p, p), np.uint8), *(each.pixels_PCHW for each in patches)])
    return normalise(torch.from_numpy(pixels_PCHW).to(device), config.image, dtype)


def kept_tokens(patches: Sequence[ImagePatches], device: torch.device) -> list[Tensor] | None:
    """What `KimiVL.encode_images` takes as `kept_TM`: None where nothing was left out."""
    kept = [torch.from_numpy(each.kept_TM).to(device) for each in patches if each.kept_TM is not None]
    return kept or None


def prompt_positions(ids: Sequence[int], patches: Sequence[ImagePatches], config: KimiVLConfig) -> list[int]:
    """Where each token of a prompt with these pictures stands."""
    return positions_around(ids, [each.positions(config.image) for each in patches], config)


def positions_around(
    ids: Sequence[int], kept: Sequence[tuple[npt.NDArray[np.int64], int]], config: KimiVLConfig
) -> list[int]:
    """Where each token stands: one after the other, and around what was left out of a picture as if it were there.

    `kept` holds for each picture which of its image tokens are there, and how many it has in all.
    """
    positions: list[int] = []
    left = iter(kept)
    at = index = 0
    while index < len(ids):
        if ids[index] != config.media_placeholder_token_id:
            positions.append(at)
            at, index = at + 1, index + 1
            continue
        kept_T, total = next(left)
        positions += (at + kept_T).tolist()
        at, index = at + total, index + len(kept_T)
    return positions
