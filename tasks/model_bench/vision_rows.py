"""The tower's rows: images a second, packed images against the two obvious ways to attend, and a full-HD frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate, pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from ...model.attention import varlen_attention
from ...model.rope import rotate, vision_rotations
from ...model.vision import MoonViT, VisionBlock
from .bench import Bench
from .ceilings import vision_flops, wait
from .measure import Call
from .rows import Row, timed_row
from .sides import Grids, VisionSide

Attention = Callable[[Tensor, Tensor, Tensor, Sequence[int]], Tensor]

IMAGES = 8
GRID = (32, 32)  # 1024 patches
FULL_HD = (48, 84)  # 1920x1080 px within 4096 patches


def vision_rows(bench: Bench) -> list[Row]:
    packed = [GRID] * IMAGES
    mixed = [(32, 32), (16, 64), (28, 36), (48, 20)]
    return [
        encode_row(bench, [GRID], "1 image of 1,024 patches"),
        encode_row(bench, packed, f"{IMAGES} images of 1,024 patches"),
        encode_row(bench, mixed, "4 images of four shapes, about 1,000 patches each"),
        encode_row(bench, [FULL_HD], "1 full-HD frame, 4,032 patches"),
        *twin_rows(bench, packed),
    ]


def encode_row(bench: Bench, grids_hw: Grids, work: str) -> Row:
    """Images a second through the tower and the projector."""
    pixels_PCHW = bench.pixels(sum(height * width for height, width in grids_hw))
    others = {} if bench.peer_vision is None else {"sdpa": encodes(pixels_PCHW, grids_hw, bench.peer_vision)}
    paired, best = bench.race(encodes(pixels_PCHW, grids_hw, bench.our_vision), others)
    return timed_row(
        "vision",
        work,
        "images/s",
        paired,
        per_call=len(grids_hw),
        peer_name=best,
        limit=bench.computing(vision_flops(bench.subject.config, grids_hw)),
    )


def twin_rows(bench: Bench, grids_hw: Grids) -> list[Row]:
    """Our attention in one layer, and the tower with it, against a dense block-diagonal mask and one SDPA an image."""
    vision = bench.subject.config.vision
    num_patches = sum(height * width for height, width in grids_hw)
    cu_seqlens = list(accumulate((height * width for height, width in grids_hw), initial=0))
    shape = (3, num_patches, vision.num_attention_heads, vision.head_dim)
    drawn = torch.randn(shape, generator=torch.Generator().manual_seed(7), dtype=torch.float32)
    q_PHK, k_PHK, v_PHK = drawn.to(device=bench.subject.device, dtype=bench.subject.dtype)
    pixels_PCHW = bench.pixels(num_patches)
    rows: list[Row] = []
    for name, twin in (("dense mask", dense_mask_attention), ("one SDPA an image", one_sdpa_an_image)):
        alone = partial(attends, q_PHK, k_PHK, v_PHK, cu_seqlens)
        paired, _ = bench.race(alone(varlen_attention), {name: alone(twin)})
        rows.append(timed_row("vision", f"attention of {len(grids_hw)} images", "ms", paired, peer_name=name))
    for name, twin in (("dense mask", dense_mask_attention), ("one SDPA an image", one_sdpa_an_image)):
        tower = bench.subject.model.vision_tower
        ours = tower_passes(tower, pixels_PCHW, grids_hw, None)
        paired, _ = bench.race(ours, {name: tower_passes(tower, pixels_PCHW, grids_hw, twin)})
        work = f"tower on {len(grids_hw)} images"
        rows.append(timed_row("vision", work, "images/s", paired, per_call=len(grids_hw), peer_name=name))
    return rows


def dense_mask_attention(q_PHK: Tensor, k_PHK: Tensor, v_PHK: Tensor, cu_seqlens: Sequence[int]) -> Tensor:
    """Twin of `varlen_attention`: all patches together, a mask keeps images apart."""
    lengths = torch.tensor([end - start for start, end in pairwise(cu_seqlens)], device=q_PHK.device)
    image_P = torch.arange(len(lengths), device=q_PHK.device).repeat_interleave(lengths)
    mask_PP = image_P[:, None] == image_P
    q, k, v = (x.transpose(0, 1)[None] for x in (q_PHK, k_PHK, v_PHK))
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask_PP)[0].transpose(0, 1)


def one_sdpa_an_image(q_PHK: Tensor, k_PHK: Tensor, v_PHK: Tensor, cu_seqlens: Sequence[int]) -> Tensor:
    """Twin of `varlen_attention`: one call after the other."""
    parts: list[Tensor] = []
    for start, end in pairwise(cu_seqlens):
        q, k, v = (x[start:end].transpose(0, 1)[None] for x in (q_PHK, k_PHK, v_PHK))
        parts.append(F.scaled_dot_product_attention(q, k, v)[0].transpose(0, 1))
    return torch.cat(parts)


@torch.inference_mode()
def tower_features(tower: MoonViT, pixels_PCHW: Tensor, grids_hw: Grids, attention: Attention) -> Tensor:
    """The tower's plain pass [P, D] with another attention in its blocks."""
    cu_seqlens = list(accumulate((height * width for height, width in grids_hw), initial=0))
    rotations_PK = vision_rotations(grids_hw, tower.config.head_dim, pixels_PCHW.device)
    x_PD: Tensor = tower.patch_embed(pixels_PCHW, grids_hw)
    for block in tower.encoder.blocks:
        parts = cast("VisionBlock", block)
        qkv_PD: Tensor = parts.wqkv(parts.norm0(x_PD))
        q_PHK, k_PHK, v_PHK = qkv_PD.unflatten(-1, (3, tower.config.num_attention_heads, -1)).unbind(1)
        q_PHK, k_PHK = rotate(q_PHK, rotations_PK), rotate(k_PHK, rotations_PK)
        x_PD = x_PD + parts.wo(attention(q_PHK, k_PHK, v_PHK, cu_seqlens).flatten(1))
        x_PD = x_PD + parts.mlp(parts.norm1(x_PD))
    return tower.encoder.final_layernorm(x_PD)


def encodes(pixels_PCHW: Tensor, grids_hw: Grids, side: VisionSide) -> Call:
    def call() -> None:
        side.encode(pixels_PCHW, grids_hw)
        wait(pixels_PCHW.device)

    return call


def attends(q_PHK: Tensor, k_PHK: Tensor, v_PHK: Tensor, cu_seqlens: Sequence[int], attention: Attention) -> Call:
    def call() -> None:
        with torch.inference_mode():
            attention(q_PHK, k_PHK, v_PHK, cu_seqlens)
        wait(q_PHK.device)

    return call


def tower_passes(tower: MoonViT, pixels_PCHW: Tensor, grids_hw: Grids, attention: Attention | None) -> Call:
    """The tower as it is, or with another attention."""

    @torch.inference_mode()
    def call() -> None:
        if attention is None:
            tower(pixels_PCHW, grids_hw)
        else:
            tower_features(tower, pixels_PCHW, grids_hw, attention)
        wait(pixels_PCHW.device)

    return call
