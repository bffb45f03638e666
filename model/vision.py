"""MoonViT, the native-resolution vision tower, and the projector into the decoder's width.

Images of any sizes travel packed in one sequence of P patches; `grids_hw` says where each begins and ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import varlen_attention
from .config import ImageConfig, KimiVLConfig, VisionConfig
from .rope import rotate, rotate_in_place, vision_rotations

NORM_EPS = 1e-5

Grids = Sequence[tuple[int, int]]


KEPT_GRIDS = 4  # of the last sizes of images, what follows from the size alone
ROWS_TOGETHER = 512  # patches whose inner activations are made at a time: they stay in a processor's cache


def normalise(pixels_PCHW: Tensor, config: ImageConfig, dtype: torch.dtype) -> Tensor:
    """What the tower reads of uint8 patches: (x / 255 - mean) / std in fp32, then cast. On the patches' device."""
    device = pixels_PCHW.device
    whole = torch.tensor(255.0, device=device)  # a Python number would become a product with 1/255 on a GPU
    mean_C11, std_C11 = (torch.tensor(x, device=device)[:, None, None] for x in (config.image_mean, config.image_std))
    out_PCHW = torch.empty(pixels_PCHW.shape, dtype=dtype, device=device)
    rows = ROWS_TOGETHER if pixels_PCHW.is_cpu else max(1, len(pixels_PCHW))
    for part_PCHW, out_part_PCHW in zip(pixels_PCHW.split(rows), out_PCHW.split(rows), strict=True):
        out_part_PCHW.copy_(part_PCHW.float().div_(whole).sub_(mean_C11).div_(std_C11))
    return out_PCHW


class PositionTable(nn.Module):
    """A learned table [h, w, D], resampled to each image's grid and added to its patches.

    In inference mode what was made of the table for the last grids is kept, for as long as the table stays what it was.
    """

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.weight = nn.Parameter(
            torch.empty(config.init_pos_emb_height, config.init_pos_emb_width, config.hidden_size)
        )
        nn.init.normal_(self.weight, std=0.02)
        self._kept: dict[tuple[int, int], Tensor] = {}
        self._kept_of: tuple[Tensor, int] | None = None  # the weight's storage, held so that no other takes its place

    def forward(self, grids_hw: Grids) -> Tensor:
        """[P, D]. Half-pixel centres, no antialiasing, in the table's dtype, as published; never clipped."""
        if not torch.is_inference_mode_enabled() or self.weight.is_inference():
            made = {grid: self._resample(grid) for grid in set(grids_hw)}
            return torch.cat([made[grid] for grid in grids_hw])
        if not self._is_kept_current():
            self._kept.clear()
            self._kept_of = (self.weight.detach(), self.weight._version)
        return torch.cat([recall(self._kept, grid, self._resample) for grid in grids_hw])

    def _resample(self, grid_hw: tuple[int, int]) -> Tensor:
        table_1DHW = self.weight.permute(2, 0, 1).unsqueeze(0)
        return F.interpolate(table_1DHW, size=grid_hw, mode="bicubic").squeeze(0).flatten(1).T.contiguous()

    def _is_kept_current(self) -> bool:
        if self._kept_of is None:
            return False
        seen, version = self._kept_of
        return seen.data_ptr() == self.weight.data_ptr() and version == self.weight._version


def recall(kept: dict[tuple[int, int], Tensor], grid_hw: tuple[int, int], make: Callable[..., Tensor]) -> Tensor:
    """What is kept of a grid, or made of it; the grids asked for last are kept."""
    found = kept.pop(grid_hw, None)
    kept[grid_hw] = make(grid_hw) if found is None else found
    if len(kept) > KEPT_GRIDS:
        del kept[next(iter(kept))]
    return kept[grid_hw]


class PatchEmbed(nn.Module):
    """A linear map of each patch (stored as a convolution) plus its place."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, config.hidden_size, config.patch_size, stride=config.patch_size)
        self.pos_emb = PositionTable(config)

    def forward(self, pixel_values_PCHW: Tensor, grids_hw: Grids, kept_P: Tensor | None = None) -> Tensor:
        x_PD = F.linear(pixel_values_PCHW.flatten(1), self.proj.weight.flatten(1), self.proj.bias)
        places_PD = self.pos_emb(grids_hw)
        return x_PD + (places_PD if kept_P is None else places_PD[kept_P])


class VisionMLP(nn.Module):
    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.fc0 = nn.Linear(config.hidden_size, config.intermediate_size)
        self.fc1 = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x_PD: Tensor) -> Tensor:
        if torch.is_grad_enabled() or not x_PD.is_cpu or len(x_PD) <= ROWS_TOGETHER:
            return self._run(x_PD)
        return torch.cat([self._run(part_PD) for part_PD in x_PD.split(ROWS_TOGETHER)])

    def _run(self, x_PD: Tensor) -> Tensor:
        return self.fc1(F.gelu(self.fc0(x_PD), approximate="tanh"))


class VisionBlock(nn.Module):
    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.num_heads = config.num_attention_heads
        self.norm0 = nn.LayerNorm(config.hidden_size, eps=NORM_EPS)
        self.wqkv = nn.Linear(config.hidden_size, 3 * config.hidden_size)
        self.wo = nn.Linear(config.hidden_size, config.hidden_size)
        self.norm1 = nn.LayerNorm(config.hidden_size, eps=NORM_EPS)
        self.mlp = VisionMLP(config)

    def forward(self, x_PD: Tensor, rotations_PK: Tensor, cu_seqlens: Sequence[int]) -> Tensor:
        qkv_PHK = self.wqkv(self.norm0(x_PD)).view(len(x_PD), 3 * self.num_heads, -1)
        q_PHK, k_PHK, v_PHK = qkv_PHK.chunk(3, dim=1)
        if qkv_PHK.requires_grad:
            q_PHK, k_PHK = rotate(q_PHK, rotations_PK), rotate(k_PHK, rotations_PK)
        else:
            rotate_in_place(qkv_PHK[:, : 2 * self.num_heads], rotations_PK)
        x_PD = x_PD + self.wo(varlen_attention(q_PHK, k_PHK, v_PHK, cu_seqlens).flatten(1))
        return x_PD + self.mlp(self.norm1(x_PD))


class VisionEncoder(nn.Module):
    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(VisionBlock(config) for _ in range(config.num_hidden_layers))
        self.final_layernorm = nn.LayerNorm(config.hidden_size, eps=NORM_EPS)


class MoonViT(nn.Module):
    """`vision_tower` of the checkpoint."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config
        self.patch_embed = PatchEmbed(config)
        self.encoder = VisionEncoder(config)
        self._kept: dict[tuple[int, int], Tensor] = {}  # rotations of the last grids
        self._kept_on = torch.device("cpu")

    def forward(self, pixel_values_PCHW: Tensor, grids_hw: Grids, kept: Sequence[Tensor] | None = None) -> Tensor:
        """Patch features [P, D] of packed images; raises ValueError when patches and grids disagree.

        `kept` leaves parts out (blank ones, and in training others): for each image the places (row by row in its
        grid) of the patches that are given, in their order. A patch stands where it stood; the others are as if never
        there.
        """
        sizes = [h * w for h, w in grids_hw]
        starts = list(accumulate(sizes, initial=0))
        cu_seqlens = starts if kept is None else list(accumulate(map(len, kept), initial=0))
        if cu_seqlens[-1] != pixel_values_PCHW.shape[0]:
            raise ValueError(f"grids {list(grids_hw)} make {cu_seqlens[-1]} patches, got {pixel_values_PCHW.shape[0]}")
        rotations_PK = self._rotations(grids_hw, pixel_values_PCHW.device)
        kept_P = None
        if kept is not None:
            kept_P = torch.cat([places + start for places, start in zip(kept, starts, strict=False)])
            rotations_PK = rotations_PK[kept_P]
        x_PD = self.patch_embed(pixel_values_PCHW.to(self.patch_embed.proj.weight.dtype), grids_hw, kept_P)
        for block in self.encoder.blocks:
            x_PD = cast("Callable[..., Tensor]", block)(x_PD, rotations_PK, cu_seqlens)
        return self.encoder.final_layernorm(x_PD)

    def _rotations(self, grids_hw: Grids, device: torch.device) -> Tensor:
        if not torch.is_inference_mode_enabled():
            return vision_rotations(grids_hw, self.config.head_dim, device)
        if self._kept_on != device:
            self._kept, self._kept_on = {}, device
        return torch.cat([recall(self._kept, grid, self._rotations_of) for grid in grids_hw])

    def _rotations_of(self, grid_hw: tuple[int, int]) -> Tensor:
        return vision_rotations([grid_hw], self.config.head_dim, self._kept_on)


def merge_patches(x_PD: Tensor, grids_hw: Grids, kernel_hw: tuple[int, int]) -> Tensor:
    """Group neighbouring patches: [P, D] -> [T, kh*kw, D]; groups and their members row by row."""
    kernel_h, kernel_w = kernel_hw
    groups: list[Tensor] = []
    for (height, width), image_PD in zip(grids_hw, x_PD.split([h * w for h, w in grids_hw]), strict=True):
        if height % kernel_h or width % kernel_w:
            raise ValueError(f"a grid of {height}x{width} patches does not divide into {kernel_h}x{kernel_w} groups")
        cells = image_PD.view(height // kernel_h, kernel_h, width // kernel_w, kernel_w, -1)
        groups.append(cells.transpose(1, 2).flatten(0, 1).flatten(1, 2))
    return torch.cat(groups)


class Projector(nn.Module):
    """`multi_modal_projector`: norm each patch, then two layers over the group, exact GELU between."""

    def __init__(self, config: KimiVLConfig) -> None:
        super().__init__()
        merged = config.vision.merged_size
        self.pre_norm = nn.LayerNorm(config.vision.hidden_size, eps=NORM_EPS)
        self.linear_1 = nn.Linear(merged, merged)
        self.linear_2 = nn.Linear(merged, config.text.hidden_size)

    def forward(self, groups_TMD: Tensor) -> Tensor:
        return self.linear_2(F.gelu(self.linear_1(self.pre_norm(groups_TMD).flatten(1))))
