"""Rotary position embeddings: 1-D for the decoder, 2-D for the tower.

Both rotate ADJACENT pairs (2j, 2j+1), the layout of the published weights; a pair is one complex number, rotated in
fp32 and cast back. Su et al., "RoFormer" (2021); the 2-D form is MoonViT's.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def text_rotations(positions_BL: Tensor, rope_dim: int, theta: float) -> Tensor:
    """Unit complex numbers [B, L, rope_dim/2]: pair j at position n turns by n * theta^(-2j/rope_dim)."""
    exponent_K = torch.arange(0, rope_dim, 2, dtype=torch.float32, device=positions_BL.device) / rope_dim
    angles_BLK = positions_BL.float()[..., None] * theta**-exponent_K
    return torch.polar(torch.ones_like(angles_BLK), angles_BLK)


def vision_rotations(grids_hw: Sequence[tuple[int, int]], head_dim: int, device: torch.device) -> Tensor:
    """Unit complex numbers [P, head_dim/2] for packed images: pair 2i turns by x * f_i, pair 2i+1 by y * f_i.

    x is the column and y the row of a patch, both from 0 in each image; f_i = 10000^(-4i/head_dim).
    """
    exponent = torch.arange(0, head_dim, 4, dtype=torch.float32, device=device) / head_dim
    frequencies = 10000.0**-exponent  # [head_dim/4]
    tables: list[Tensor] = []
    for height, width in grids_hw:
        x = torch.arange(width, dtype=torch.float32, device=device).repeat(height)
        y = torch.arange(height, dtype=torch.float32, device=device).repeat_interleave(width)
        angles = torch.stack((x[:, None] * frequencies, y[:, None] * frequencies), dim=-1).flatten(1)
        tables.append(torch.polar(torch.ones_like(angles), angles))
    return torch.cat(tables)


def rotate(x_HK: Tensor, rotations_K: Tensor) -> Tensor:
    """Turn the adjacent pairs of the last dimension [..., heads, K] by [..., K/2], the same for every head."""
    pairs = torch.view_as_complex(x_HK.float().unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * rotations_K.unsqueeze(-2)).flatten(-2).to(x_HK.dtype)


def rotate_in_place(x_PHK: Tensor, rotations_PK: Tensor) -> None:
    """`rotate`, written over its argument, to the same numbers: fp32 copies stay small enough for a processor's cache.

    Not for training: autograd needs what is written over.
    """
    rows = 128 if x_PHK.is_cpu else max(1, len(x_PHK))
    for part_PHK, part_PK in zip(x_PHK.split(rows), rotations_PK.split(rows), strict=True):
        pairs = torch.view_as_complex(part_PHK.float().unflatten(-1, (-1, 2)))
        pairs *= part_PK.unsqueeze(-2)
        part_PHK.copy_(torch.view_as_real(pairs).flatten(-2))
