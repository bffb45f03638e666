"""Attention over packed images, and multi-head latent attention (MLA) over a latent cache."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import KV_NORM_EPS, TextConfig
from .kv_cache import LayerCache
from .rope import rotate


def varlen_attention(q_PHK: Tensor, k_PHK: Tensor, v_PHK: Tensor, cu_seqlens: Sequence[int]) -> Tensor:
    """Bidirectional attention [P, H, K] of images packed in one sequence; no patch sees another image.

    `cu_seqlens` are the images' boundaries, from 0 to P. One kernel an image: a dense mask over the whole pack would
    cost as many times more as there are images. Images of equal length share one batched call.
    """
    lengths = [end - start for start, end in pairwise(cu_seqlens)]
    if not lengths or cu_seqlens[0] != 0 or cu_seqlens[-1] != q_PHK.shape[0] or min(lengths) < 1:
        raise ValueError(f"cu_seqlens {list(cu_seqlens)} must rise from 0 to {q_PHK.shape[0]}")
    if len(set(lengths)) == 1:
        q, k, v = (x.unflatten(0, (len(lengths), lengths[0])).transpose(1, 2) for x in (q_PHK, k_PHK, v_PHK))
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(0, 1)
    return torch.cat(
        [
            varlen_attention(q_PHK[start:end], k_PHK[start:end], v_PHK[start:end], (0, end - start))
            for start, end in pairwise(cu_seqlens)
        ]
    )


class RMSNorm(nn.Module):
    """Root-mean-square norm: in fp32, cast back, then the weight."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x_D: Tensor) -> Tensor:
        x_fp32 = x_D.float()
        normed = x_fp32 * torch.rsqrt(x_fp32.square().mean(-1, keepdim=True) + self.eps)
        return self.weight * normed.to(x_D.dtype)


class LatentAttention(nn.Module):
    """MLA (DeepSeek-V2, section 2.1): keys and values are rebuilt from one latent of R values a token.

    The cache holds the normed latent and the rotated key shared by all heads, R + rope values a token. This is the
    plain path: it expands keys and values for the whole context.
    """

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        heads = config.num_attention_heads
        self.config = config
        self.q_proj = nn.Linear(config.hidden_size, heads * config.qk_head_dim, bias=False)
        self.kv_a_proj_with_mqa = nn.Linear(
            config.hidden_size, config.kv_lora_rank + config.qk_rope_head_dim, bias=False
        )
        self.kv_a_layernorm = RMSNorm(config.kv_lora_rank, KV_NORM_EPS)
        self.kv_b_proj = nn.Linear(
            config.kv_lora_rank, heads * (config.qk_nope_head_dim + config.v_head_dim), bias=False
        )
        self.o_proj = nn.Linear(heads * config.v_head_dim, config.hidden_size, bias=False)

    def forward(
        self,
        x_BLD: Tensor,
        rotations_BLK: Tensor,
        cache: LayerCache | None = None,
        mask_LS: Tensor | None = None,
    ) -> Tensor:
        """Causal attention of the new tokens over the cached ones and themselves.

        `mask_LS` (bool, True where a query may look) replaces the causal rule; training uses it to pack questions.
        """
        config = self.config
        q_BLHK = self.q_proj(x_BLD).unflatten(-1, (-1, config.qk_head_dim))
        q_nope, q_rope = q_BLHK.split((config.qk_nope_head_dim, config.qk_rope_head_dim), dim=-1)
        q_BHLK = torch.cat((q_nope, rotate(q_rope, rotations_BLK)), dim=-1).transpose(1, 2)

        latent_BLR, k_rope = self.kv_a_proj_with_mqa(x_BLD).split(
            (config.kv_lora_rank, config.qk_rope_head_dim), dim=-1
        )
        latent_BLR = self.kv_a_layernorm(latent_BLR)
        k_rope = rotate(k_rope.unsqueeze(-2), rotations_BLK).squeeze(-2)
        if cache is not None:
            latent_BLR, k_rope = cache.append(latent_BLR, k_rope)

        k_nope, v_BSHK = (
            self.kv_b_proj(latent_BLR)
            .unflatten(-1, (config.num_attention_heads, -1))
            .split((config.qk_nope_head_dim, config.v_head_dim), dim=-1)
        )
        k_rope_BSHK = k_rope.unsqueeze(-2).expand(*k_nope.shape[:-1], -1)
        k_BHSK = torch.cat((k_nope, k_rope_BSHK), dim=-1).transpose(1, 2)
        out_BHLK = _causal_attention(q_BHLK, k_BHSK, v_BSHK.transpose(1, 2), mask_LS)
        return self.o_proj(out_BHLK.transpose(1, 2).flatten(2))


def _causal_attention(q_BHLK: Tensor, k_BHSK: Tensor, v_BHSK: Tensor, mask_LS: Tensor | None) -> Tensor:
    """The L queries are the last of the S positions. torch scales by 1/sqrt(K) with K the full nope + rope width."""
    new, total = q_BHLK.shape[-2], k_BHSK.shape[-2]
    if mask_LS is None and 1 < new < total:
        mask_LS = torch.ones(new, total, dtype=torch.bool, device=q_BHLK.device).tril(total - new)
    return F.scaled_dot_product_attention(
        q_BHLK, k_BHSK, v_BHSK, attn_mask=mask_LS, is_causal=mask_LS is None and new > 1
    )
