"""Attention over packed images, and multi-head latent attention (MLA): the plain layer and what the runtime calls."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import KV_NORM_EPS, TextConfig
from .rope import rotate

HALF = (torch.bfloat16, torch.float16)
BLOCKED_FROM = 512  # patches of an image


def varlen_attention(q_PHK: Tensor, k_PHK: Tensor, v_PHK: Tensor, cu_seqlens: Sequence[int]) -> Tensor:
    """Bidirectional attention [P, H, K] of images packed in one sequence; no patch sees another image.

    `cu_seqlens` are the images' boundaries, from 0 to P. A dense mask over the whole pack would cost as many times more
    as there are images: on a GPU one kernel takes the boundaries, else each image is a call of its own. Images of equal
    length share one.
    """
    lengths = [end - start for start, end in pairwise(cu_seqlens)]
    if not lengths or cu_seqlens[0] != 0 or cu_seqlens[-1] != q_PHK.shape[0] or min(lengths) < 1:
        raise ValueError(f"cu_seqlens {list(cu_seqlens)} must rise from 0 to {q_PHK.shape[0]}")
    if q_PHK.is_cuda and q_PHK.dtype in HALF and len(lengths) > 1:
        return _attend_on_gpu(q_PHK, k_PHK, v_PHK, cu_seqlens, max(lengths))
    if len(set(lengths)) == 1 and not _is_blocked_faster(q_PHK, lengths[0]):
        q, k, v = (x.unflatten(0, (len(lengths), lengths[0])).transpose(1, 2) for x in (q_PHK, k_PHK, v_PHK))
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(0, 1)
    images = zip(*(x.split(lengths) for x in (q_PHK, k_PHK, v_PHK)), strict=True)
    return torch.cat([_attend_image(*image) for image in images])


def _attend_on_gpu(q_PHK: Tensor, k_PHK: Tensor, v_PHK: Tensor, cu_seqlens: Sequence[int], longest: int) -> Tensor:
    from torch.nn.attention.varlen import varlen_attn  # torch 2.10; nothing else here needs more than 2.8

    ends = torch.tensor(cu_seqlens, dtype=torch.int32, device=q_PHK.device)
    return cast("Tensor", varlen_attn(q_PHK, k_PHK, v_PHK, ends, ends, longest, longest))


def _attend_image(q_LHK: Tensor, k_LHK: Tensor, v_LHK: Tensor) -> Tensor:
    if _is_blocked_faster(q_LHK, len(q_LHK)):
        return blocked_attention(q_LHK, k_LHK, v_LHK)
    q, k, v = (x.transpose(0, 1)[None] for x in (q_LHK, k_LHK, v_LHK))
    return F.scaled_dot_product_attention(q, k, v)[0].transpose(0, 1)


def _is_blocked_faster(q_PHK: Tensor, length: int) -> bool:
    """torch's attention multiplies bfloat16 at full speed only where there are matrix tiles (AMX).

    With AVX512-BF16 alone plain products are 2.4 to 2.7 times as fast (AMD Zen 5, 1024 to 4096 patches).
    """
    return (
        q_PHK.is_cpu
        and q_PHK.dtype == torch.bfloat16
        and length > BLOCKED_FROM
        and not q_PHK.requires_grad
        and torch.cpu._is_avx512_bf16_supported()  # pyright: ignore[reportPrivateUsage] (there is no other way to ask)
        and not torch.cpu._is_amx_tile_supported()  # pyright: ignore[reportPrivateUsage]
    )


def blocked_attention(q_LHK: Tensor, k_LHK: Tensor, v_LHK: Tensor) -> Tensor:
    """Bidirectional attention [L, H, K] by plain products, a block of rows of one head at a time. For inference.

    Scores are of the inputs' dtype, so bfloat16 has 2 to 4 times the error of torch's own attention.
    """
    out_LHK = torch.empty_like(q_LHK, memory_format=torch.contiguous_format)
    scale = q_LHK.shape[-1] ** -0.5
    for head in range(q_LHK.shape[1]):
        q_LK, k_LK, v_LK = (x_LHK[:, head].contiguous() for x_LHK in (q_LHK, k_LHK, v_LHK))
        for q_part_LK, out_LK in zip(q_LK.split(512), out_LHK[:, head].split(512), strict=True):
            scores_LS = torch.addmm(q_LK[0, :1], q_part_LK, k_LK.T, beta=0, alpha=scale)
            out_LK.copy_(torch.mm(scores_LS.softmax(-1), v_LK))
    return out_LHK


class RMSNorm(nn.Module):
    """Root-mean-square norm: in fp32, cast back, then the weight."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x_D: Tensor) -> Tensor:
        return self.weight * F.rms_norm(x_D, x_D.shape[-1:], eps=self.eps).to(x_D.dtype)  # torch's works in fp32


class LatentAttention(nn.Module):
    """MLA (DeepSeek-V2, section 2.1): keys and values are rebuilt from one latent of R values a token.

    This is the plain path, for training and parity: keys and values of the whole sequence. What a cache holds of a
    token is its normed latent and the rotated key shared by all heads, R + rope values; `prefill_attention` and
    `absorbed_attention` work from those.
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

    def forward(self, x_BLD: Tensor, rotations_BLK: Tensor, mask_LS: Tensor | None = None) -> Tensor:
        """Each token attends to itself and those before it.

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

        k_nope, v_BSHK = (
            self.kv_b_proj(latent_BLR)
            .unflatten(-1, (config.num_attention_heads, -1))
            .split((config.qk_nope_head_dim, config.v_head_dim), dim=-1)
        )
        k_rope_BSHK = k_rope.unsqueeze(-2).expand(*k_nope.shape[:-1], -1)
        k_BHSK = torch.cat((k_nope, k_rope_BSHK), dim=-1).transpose(1, 2)
        out_BHLK = F.scaled_dot_product_attention(  # scaled by 1/sqrt(K), K the full nope + rope width
            q_BHLK, k_BHSK, v_BSHK.transpose(1, 2), attn_mask=mask_LS, is_causal=mask_LS is None
        )
        return self.o_proj(out_BHLK.transpose(1, 2).flatten(2))


PIECE_TOKENS = 4096  # latents expanded at a time; at Kimi's sizes in bf16 50 MB of keys and padded values


def prefill_attention(
    q_LHK: Tensor, latents_SC: Tensor, kv_b: Tensor, config: TextConfig, *, piece_tokens: int = PIECE_TOKENS
) -> Tensor:
    """Causal attention [L, H, V] of L rotated queries, the last of S tokens, over the S latents of a cache.

    `latents_SC` [S, R + rope] holds normed latents and rotated keys, `kv_b` [H * (nope + V), R] expands them: piece by
    piece, the pieces' results merged by their log-sum-exps, so that memory does not grow with S. For inference.
    """
    new, total = q_LHK.shape[0], latents_SC.shape[0]
    start = total - new
    if new < 1 or start < 0:
        raise ValueError(f"{new} queries cannot be the last of {total} tokens")
    scale = config.qk_head_dim**-0.5
    q_HLK = q_LHK.transpose(0, 1)
    if config.v_head_dim > config.qk_head_dim:
        q_HLK = F.pad(q_HLK, (0, config.v_head_dim - config.qk_head_dim))
    if total <= piece_tokens and start == 0:
        return _attend(q_HLK, *_expand(latents_SC, kv_b, config), scale, is_causal=True)[0][
            ..., : config.v_head_dim
        ].transpose(0, 1)
    out_HLV = q_HLK.new_zeros(q_HLK.shape[0], new, config.v_head_dim, dtype=torch.float32)
    lse_HL = out_HLV.new_full(out_HLV.shape[:2], float("-inf"))
    cuts = [*range(0, start, piece_tokens), *range(start, total, piece_tokens), total]
    for begin, end in pairwise(cuts):
        k_HSK, v_HSK = _expand(latents_SC[begin:end], kv_b, config)
        first = max(end - start, 0)  # of the queries that see the whole piece
        if begin >= start:
            own = slice(begin - start, first)
            _merge(out_HLV[:, own], lse_HL[:, own], *_attend(q_HLK[:, own], k_HSK, v_HSK, scale, is_causal=True))
        if first < new:
            late = slice(first, new)
            _merge(out_HLV[:, late], lse_HL[:, late], *_attend(q_HLK[:, late], k_HSK, v_HSK, scale, is_causal=False))
    return out_HLV.transpose(0, 1).to(q_LHK.dtype)


def absorbed_attention(q_HK: Tensor, latents_SC: Tensor, kv_b: Tensor, config: TextConfig) -> Tensor:
    """Attention [H, V] of one rotated query over S latents: the query goes to the latents, nothing is expanded.

    DeepSeek-V2, section 2.1.2: q . (W_UK c) = (W_UK^T q) . c, and sum p (W_UV c) = W_UV sum p c.
    """
    up_HUR = kv_b.unflatten(0, (config.num_attention_heads, -1))
    k_up_HKR, v_up_HVR = up_HUR.split((config.qk_nope_head_dim, config.v_head_dim), dim=1)
    q_nope, q_rope = q_HK.split((config.qk_nope_head_dim, config.qk_rope_head_dim), dim=-1)
    q_HR = torch.bmm(q_nope.unsqueeze(1), k_up_HKR).squeeze(1)
    scores_HS = torch.mm(torch.cat((q_HR, q_rope), dim=-1), latents_SC.T).float() * config.qk_head_dim**-0.5
    mixed_HR = torch.mm(scores_HS.softmax(-1).to(latents_SC.dtype), latents_SC[:, : config.kv_lora_rank])
    return torch.bmm(v_up_HVR, mixed_HR.unsqueeze(-1)).squeeze(-1)


def _expand(latents_SC: Tensor, kv_b: Tensor, config: TextConfig) -> tuple[Tensor, Tensor]:
    """Keys and values [H, S, K] of latents; zeros follow the narrower ones, for kernels that want equal widths."""
    heads, nope, width = config.num_attention_heads, config.qk_nope_head_dim, max(config.qk_head_dim, config.v_head_dim)
    latent_SR, k_rope = latents_SC.split((config.kv_lora_rank, config.qk_rope_head_dim), dim=-1)
    up_SHU = F.linear(latent_SR, kv_b).unflatten(-1, (heads, -1))
    k_SHK, v_SHK = up_SHU.new_empty(2, latents_SC.shape[0], heads, width)
    k_SHK[..., :nope] = up_SHU[..., :nope]
    k_SHK[..., nope : config.qk_head_dim] = k_rope.unsqueeze(1)
    k_SHK[..., config.qk_head_dim :] = 0
    v_SHK[..., : config.v_head_dim] = up_SHU[..., nope:]
    v_SHK[..., config.v_head_dim :] = 0
    return k_SHK.transpose(0, 1), v_SHK.transpose(0, 1)


def _attend(q_HLK: Tensor, k_HSK: Tensor, v_HSK: Tensor, scale: float, *, is_causal: bool) -> tuple[Tensor, Tensor]:
    """Attention [H, L, K] and the log-sum-exp of the scores, fp32 [H, L]."""
    aten = torch.ops.aten
    q, k, v = (x.unsqueeze(0) for x in (q_HLK, k_HSK, v_HSK))
    if q_HLK.is_cpu:
        out, lse = aten._scaled_dot_product_flash_attention_for_cpu(q, k, v, 0.0, is_causal, scale=scale)
    elif q_HLK.dtype in HALF:
        out, lse, *_ = aten._scaled_dot_product_flash_attention(q, k, v, 0.0, is_causal, scale=scale)
    else:
        efficient = aten._scaled_dot_product_efficient_attention
        out, lse, *_ = efficient(q, k, v, None, True, 0.0, is_causal, scale=scale)
    return out[0], lse[0, :, : q_HLK.shape[1]]


def _merge(out_HLV: Tensor, lse_HL: Tensor, part_HLK: Tensor, part_lse_HL: Tensor) -> None:
    """Take in attention over further keys: each side weighs as much as its share of the sum of exponentials."""
    share_HL1 = (part_lse_HL - lse_HL).sigmoid().unsqueeze(-1)
    part_HLV = part_HLK[..., : out_HLV.shape[-1]]
    out_HLV += (part_HLV - out_HLV) * share_HL1
    lse_HL.copy_(torch.logaddexp(lse_HL, part_lse_HL))
