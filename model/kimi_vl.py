"""Kimi-VL: pixels and tokens in, logits out. Parameters carry the published checkpoint's names."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .config import KimiVLConfig
from .decoder import LanguageModel
from .vision import Grids, MoonViT, Projector, merge_patches


class KimiVL(nn.Module):
    """The whole model. `forward` is the plain path; `encode_images`, `embed` and `decode` are its parts.

    `runtime.py` runs the same modules with a cache.
    """

    def __init__(self, config: KimiVLConfig) -> None:
        super().__init__()
        self.config = config
        self.vision_tower = MoonViT(config.vision)
        self.multi_modal_projector = Projector(config)
        self.language_model = LanguageModel(config.text)

    def forward(
        self, input_ids_BL: Tensor, pixel_values_PCHW: Tensor | None = None, grid_hw: Tensor | Grids | None = None
    ) -> Tensor:
        """Logits [B, L, V] fp32 of whole sequences, without a cache.

        `pixel_values_PCHW` [P, 3, p, p] and `grid_hw` [n, 2] are all images of all sequences, in order.
        """
        features_TD = None
        if pixel_values_PCHW is not None:
            if grid_hw is None:
                raise ValueError("pixel_values_PCHW needs grid_hw")
            features_TD = self.encode_images(pixel_values_PCHW, grid_hw)
        return self.decode(self.embed(input_ids_BL, features_TD))

    def encode_images(
        self, pixel_values_PCHW: Tensor, grid_hw: Tensor | Grids, kept_TM: Sequence[Tensor] | None = None
    ) -> Tensor:
        """Image features [T, D] in the decoder's width, T = sum of h*w / merge, images in order.

        `kept_TM` holds for each image the image tokens that are given, as the places of their patches.
        """
        grids_hw = _as_grids(grid_hw)
        if kept_TM is not None:
            x_PD = self.vision_tower(pixel_values_PCHW, grids_hw, [places.flatten() for places in kept_TM])
            return self.multi_modal_projector(x_PD.unflatten(0, (-1, kept_TM[0].shape[1])))
        x_PD = self.vision_tower(pixel_values_PCHW, grids_hw)
        return self.multi_modal_projector(merge_patches(x_PD, grids_hw, self.config.vision.merge_kernel_size))

    def embed(self, input_ids_BL: Tensor, features_TD: Tensor | None = None) -> Tensor:
        """Token embeddings [B, L, D]; the media placeholders are replaced, in order, by image features."""
        is_media_BL = input_ids_BL == self.config.media_placeholder_token_id
        num_media = int(is_media_BL.sum())
        num_features = 0 if features_TD is None else features_TD.shape[0]
        if num_media != num_features:
            raise ValueError(f"the prompt has {num_media} media placeholders, the images make {num_features} features")
        x_BLD: Tensor = self.language_model.model.embed_tokens(input_ids_BL)
        if features_TD is None:
            return x_BLD
        x_BLD = x_BLD.to(features_TD.dtype)
        return x_BLD.masked_scatter(is_media_BL[..., None], features_TD)

    def decode(self, x_BLD: Tensor, positions_BL: Tensor | None = None) -> Tensor:
        """Logits [B, L, V] fp32 of whole sequences. Tokens stand one after the other unless
        `positions_BL` says where."""
        return self.language_model.lm_head(self.language_model.model(x_BLD, positions_BL)).float()


def _as_grids(grid_hw: Tensor | Grids) -> Sequence[tuple[int, int]]:
    if isinstance(grid_hw, torch.Tensor):
        return [(int(h), int(w)) for h, w in grid_hw.tolist()]
    return grid_hw
