"""The pictures of a batch, as the processor gives them to the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .config import KimiVLConfig
from .kimi_vl import KimiVL
from .prompt import positions_around

PATCHES_PER_PASS = 32_768  # of several pictures in one pass of the tower, as in `EngineConfig`


@dataclass(frozen=True, eq=False)
class Pictures:
    """All pictures of all sequences, in order. Where blank parts are left out, `kept` [T, M] says what is there."""

    KEYS: ClassVar = ("pixel_values", "image_grid_hws", "image_kept", "image_kept_counts")

    pixels_PCHW: Tensor
    grids_hw: list[tuple[int, int]]
    kept: list[Tensor] | None

    @classmethod
    def given(
        cls,
        pixel_values: Tensor | None,
        image_grid_hws: Tensor | None,
        image_kept: Tensor | None = None,
        image_kept_counts: Tensor | None = None,
    ) -> Pictures | None:
        """None where there are none. ValueError for one thing without the other."""
        if pixel_values is None or len(pixel_values) == 0:
            return None
        if image_grid_hws is None:
            raise ValueError("pixel_values needs image_grid_hws: give the model all that the processor makes")
        if (image_kept is None) != (image_kept_counts is None):
            raise ValueError("image_kept needs image_kept_counts: give the model all that the processor makes")
        grids_hw = [(int(h), int(w)) for h, w in image_grid_hws.tolist()]
        kept = None if image_kept is None or image_kept_counts is None else image_kept.split(image_kept_counts.tolist())
        return cls(pixel_values, grids_hw, None if kept is None else list(kept))

    def to_kwargs(self) -> dict[str, Tensor]:
        """The model's arguments again."""
        named = {"pixel_values": self.pixels_PCHW, "image_grid_hws": torch.tensor(self.grids_hw)}
        if self.kept is not None:
            named["image_kept"] = torch.cat(self.kept)
            named["image_kept_counts"] = torch.tensor([len(each) for each in self.kept])
        return named

    @property
    def patch_counts(self) -> list[int]:
        if self.kept is not None:
            return [each.numel() for each in self.kept]
        return [h * w for h, w in self.grids_hw]

    def token_counts(self, config: KimiVLConfig) -> list[int]:
        merge_h, merge_w = config.vision.merge_kernel_size
        return [count // (merge_h * merge_w) for count in self.patch_counts]

    def features(self, core: KimiVL) -> Tensor:
        """[T, D] of all of them, in packs of at most PATCHES_PER_PASS patches (or of one picture)."""
        weight = core.multi_modal_projector.linear_2.weight
        pixels = self.pixels_PCHW.to(weight.device, weight.dtype).split(self.patch_counts)
        packs: list[list[int]] = [[]]
        for index, count in enumerate(self.patch_counts):
            if packs[-1] and sum(self.patch_counts[each] for each in packs[-1]) + count > PATCHES_PER_PASS:
                packs.append([])
            packs[-1].append(index)
        parts: list[Tensor] = []
        for pack in packs:
            grids_hw = [self.grids_hw[index] for index in pack]
            kept = None if self.kept is None else [self.kept[index].to(weight.device) for index in pack]
            parts.append(core.encode_images(torch.cat([pixels[index] for index in pack]), grids_hw, kept))
        return torch.cat(parts)

    def places(self, config: KimiVLConfig) -> Places | None:
        """Where image tokens stand among their picture's; None where all are there."""
        if self.kept is None:
            return None
        merge_h, merge_w = config.vision.merge_kernel_size
        found: list[tuple[npt.NDArray[np.int64], int]] = []
        for (h, w), kept_TM in zip(self.grids_hw, self.kept, strict=True):
            row, column = np.divmod(kept_TM[:, 0].cpu().numpy(), w)
            found.append((row // merge_h * (w // merge_w) + column // merge_w, h // merge_h * (w // merge_w)))
        return Places(tuple(found))

    def repeated(self, input_ids: Tensor, times: int, config: KimiVLConfig) -> Pictures:
        """The pictures of every row of `input_ids` [B, L] so often, row after row. ValueError where they do not fit."""
        counts = self.token_counts(config)
        order: list[int] = []
        at = 0
        for asked in (input_ids == config.media_placeholder_token_id).sum(-1).tolist():
            first, left = at, asked
            while left > 0 and at < len(counts):
                left -= counts[at]
                at += 1
            if left:
                raise ValueError(f"a sequence has {asked} image tokens, which its pictures of {counts} do not make")
            order += [*range(first, at)] * times
        pixels = self.pixels_PCHW.split(self.patch_counts)
        return Pictures(
            torch.cat([pixels[index] for index in order]),
            [self.grids_hw[index] for index in order],
            None if self.kept is None else [self.kept[index] for index in order],
        )


@dataclass(frozen=True)
class Places:
    """Of each picture the places of its image tokens that are there, and how many there would be."""

    kept: tuple[tuple[npt.NDArray[np.int64], int], ...]

    def of_rows(self, rows: Sequence[Sequence[int]], config: KimiVLConfig) -> list[list[int]]:
        """Where each token of each row stands; the pictures belong to the rows in order."""
        positions: list[list[int]] = []
        at = 0
        for ids in rows:
            asked = sum(token == config.media_placeholder_token_id for token in ids)
            first = at
            while asked > 0 and at < len(self.kept):
                asked -= len(self.kept[at][0])
                at += 1
            positions.append(positions_around(ids, self.kept[first:at], config))
        return positions
