"""What pictures add to a prompt: how many tokens, and where each token of the prompt then stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from .chat import Picture
from .config import KimiVLConfig
from .image import ImagePatches, count_tokens


def count_image_tokens(pictures: Sequence[Picture], config: KimiVLConfig) -> list[int]:
    """Image tokens of each picture; raises BadImage."""
    return [count_tokens(picture.pixels_HW3, config.image) for picture in pictures]


def count_left_out(pictures: Sequence[Picture], counts: Sequence[int], config: KimiVLConfig) -> int:
    """Image tokens that take a position in the prompt but were left out of it."""
    whole = replace(config.image, blank_levels=None)
    return sum(count_tokens(picture.pixels_HW3, whole) for picture in pictures) - sum(counts)


def stack_patches(patches: Sequence[ImagePatches], config: KimiVLConfig) -> Tensor:
    """All pictures' patches in one pack, fp32 [P, 3, p, p]."""
    p = config.vision.patch_size
    return torch.from_numpy(
        np.concatenate([np.zeros((0, 3, p, p), np.float32), *(each.pixel_values_PCHW for each in patches)])
    )


def kept_tokens(patches: Sequence[ImagePatches], device: torch.device) -> list[Tensor] | None:
    """What `KimiVL.encode_images` takes as `kept_TM`: None where nothing was left out."""
    kept = [torch.from_numpy(each.kept_TM).to(device) for each in patches if each.kept_TM is not None]
    return kept or None


def prompt_positions(ids: Sequence[int], patches: Sequence[ImagePatches], config: KimiVLConfig) -> list[int]:
    """Where each token stands: one after the other, and around what was left out of a picture as if it were there."""
    positions: list[int] = []
    left = iter(patches)
    at = index = 0
    while index < len(ids):
        if ids[index] != config.media_placeholder_token_id:
            positions.append(at)
            at, index = at + 1, index + 1
            continue
        kept_T, total = next(left).positions(config.image)
        positions += (at + kept_T).tolist()
        at, index = at + total, index + len(kept_T)
    return positions
