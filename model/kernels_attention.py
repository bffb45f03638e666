"""Triton kernels for absorbed latent attention of one new token a row, over a cache whose lengths the device knows.

Three launches: queries go to the latents' space while the new token's latent goes into the cache; each program reads
one stretch of a row's latents once for all heads; the stretches are merged and come back to the values' space.
A row of -1 is nobody: nothing is written or read for it, and its output is zero.
"""

# The bodies are Triton's language, which has no stubs: their parameters are pointers and compile-time numbers.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false, reportUnknownParameterType=false
# pyright: reportMissingParameterType=false, reportArgumentType=false, reportCallIssue=false, reportIndexIssue=false
# pyright: reportAttributeAccessIssue=false, reportOperatorIssue=false, reportGeneralTypeIssues=false

from __future__ import annotations

import triton
import triton.language as tl

from .kernels_linear import begin


@triton.jit
def _rotate(from_ptr, to_ptr, cos_ptr, sin_ptr, write, ROPE: tl.constexpr, BLOCK: tl.constexpr):
    """Turn the adjacent pairs of ROPE values."""
    pair = tl.arange(0, BLOCK)
    ok = pair < ROPE // 2
    even = tl.load(from_ptr + 2 * pair, mask=ok, other=0.0).to(tl.float32)
    odd = tl.load(from_ptr + 2 * pair + 1, mask=ok, other=0.0).to(tl.float32)
    cos = tl.load(cos_ptr + pair, mask=ok, other=0.0)
    sin = tl.load(sin_ptr + pair, mask=ok, other=0.0)
    kind: tl.constexpr = to_ptr.dtype.element_ty
    tl.store(to_ptr + 2 * pair, (even * cos - odd * sin).to(kind), mask=ok & write)
    tl.store(to_ptr + 2 * pair + 1, (even * sin + odd * cos).to(kind), mask=ok & write)


@triton.jit
def absorb_kernel(
    qkv_ptr, kv_b_ptr, norm_ptr, cos_ptr, sin_ptr, rows_ptr, lengths_ptr, values_ptr, q_ptr, row_stride, eps,
    H: tl.constexpr, NOPE: tl.constexpr, ROPE: tl.constexpr, V: tl.constexpr, R: tl.constexpr,
    BLOCK_NOPE: tl.constexpr, BLOCK_ROPE: tl.constexpr, BLOCK_R: tl.constexpr, ALL_R: tl.constexpr,
    DEPENDENT: tl.constexpr,
):  # fmt: skip
    """Grid: blocks of R, H heads and one more, tokens. `qkv` [B, H (NOPE + ROPE) + R + ROPE] as projected.

    A head writes W_UK^T q and its rotated part to `q` [B, H, R + ROPE]; the one more writes the cache, at the row's
    length.
    """
    begin(DEPENDENT)
    token, head, part = tl.program_id(2), tl.program_id(1), tl.program_id(0)
    width: tl.constexpr = H * (NOPE + ROPE) + R + ROPE
    cos_ptr += token * (ROPE // 2)
    sin_ptr += token * (ROPE // 2)
    if head < H:
        query_ptr = qkv_ptr + token * width + head * (NOPE + ROPE)
        absorbed_ptr = q_ptr + (token * H + head) * (R + ROPE)
        k_K = tl.arange(0, BLOCK_NOPE)
        r_R = part * BLOCK_R + tl.arange(0, BLOCK_R)
        q_K = tl.load(query_ptr + k_K, mask=k_K < NOPE, other=0.0).to(tl.float32)
        up_KR = tl.load(
            kv_b_ptr + (head * (NOPE + V) + k_K[:, None]) * R + r_R[None, :],
            mask=(k_K < NOPE)[:, None] & (r_R < R)[None, :],
            other=0.0,
        )
        q_R = tl.sum(q_K[:, None] * up_KR.to(tl.float32), axis=0)
        tl.store(absorbed_ptr + r_R, q_R.to(q_ptr.dtype.element_ty), mask=r_R < R)
        _rotate(query_ptr + NOPE, absorbed_ptr + R, cos_ptr, sin_ptr, part == 0, ROPE, BLOCK_ROPE)
    else:
        row = tl.load(rows_ptr + token).to(tl.int64)
        write = (row >= 0) & (part == 0)
        new_ptr = qkv_ptr + token * width + H * (NOPE + ROPE)
        cache_ptr = values_ptr + row * row_stride + tl.load(lengths_ptr + token) * (R + ROPE)
        all_R = tl.arange(0, ALL_R)
        latent_R = tl.load(new_ptr + all_R, mask=all_R < R, other=0.0)
        latent32_R = latent_R.to(tl.float32)
        normed_R = (latent32_R * tl.rsqrt(tl.sum(latent32_R * latent32_R, axis=0) / R + eps)).to(latent_R.dtype)
        weight_R = tl.load(norm_ptr + all_R, mask=all_R < R, other=0.0).to(tl.float32)
        tl.store(cache_ptr + all_R, (normed_R.to(tl.float32) * weight_R).to(latent_R.dtype), mask=(all_R < R) & write)
        _rotate(new_ptr + R, cache_ptr + R, cos_ptr, sin_ptr, write, ROPE, BLOCK_ROPE)


@triton.jit
def _stretch(rows_ptr, lengths_ptr, token, SPLITS: tl.constexpr, BLOCK_S: tl.constexpr):
    """A token's row, how many latents it sees, and how many of them a program takes."""
    row = tl.load(rows_ptr + token).to(tl.int64)
    seen = tl.where(row >= 0, tl.load(lengths_ptr + token) + 1, 0)
    return row, seen, tl.cdiv(tl.cdiv(seen, SPLITS), BLOCK_S) * BLOCK_S


@triton.jit
def attend_kernel(
    q_ptr, rows_ptr, lengths_ptr, values_ptr, partial_ptr, lse_ptr, row_stride, scale,
    H: tl.constexpr, R: tl.constexpr, ROPE: tl.constexpr, SPLITS: tl.constexpr,
    BLOCK_H: tl.constexpr, ALL_R: tl.constexpr, BLOCK_ROPE: tl.constexpr, BLOCK_S: tl.constexpr, STAGES: tl.constexpr,
    DEPENDENT: tl.constexpr,
):  # fmt: skip
    """Grid: stretches, blocks of heads, tokens. `partial` [B, H, SPLITS, R] fp32 is softmax-weighted latents of a
    stretch, `lse` [B, H, SPLITS] its log2-sum-exp2, -inf where it is empty. `scale` turns q . k into powers of 2."""
    begin(DEPENDENT)
    token, split = tl.program_id(2), tl.program_id(0)
    h_H = tl.program_id(1) * BLOCK_H + tl.arange(0, BLOCK_H)
    row, seen, size = _stretch(rows_ptr, lengths_ptr, token, SPLITS, BLOCK_S)
    start = split * size
    end = tl.minimum(start + size, seen)
    r_R = tl.arange(0, ALL_R)
    k_K = tl.arange(0, BLOCK_ROPE)
    q_ptr += token * (H * (R + ROPE))
    ok_HR = (h_H < H)[:, None] & (r_R < R)[None, :]
    q_HR = tl.load(q_ptr + h_H[:, None] * (R + ROPE) + r_R[None, :], mask=ok_HR, other=0.0)
    q_HK = tl.load(
        q_ptr + h_H[:, None] * (R + ROPE) + R + k_K[None, :], mask=(h_H < H)[:, None] & (k_K < ROPE)[None, :], other=0.0
    )
    values_ptr += row * row_stride
    most_H = tl.full((BLOCK_H,), -float("inf"), dtype=tl.float32)
    sum_H = tl.zeros((BLOCK_H,), dtype=tl.float32)
    mixed_HR = tl.zeros((BLOCK_H, ALL_R), dtype=tl.float32)
    for at in tl.range(start, end, BLOCK_S, num_stages=STAGES):
        s_S = at + tl.arange(0, BLOCK_S)
        ok_S = s_S < end
        latent_SR = tl.load(
            values_ptr + s_S[:, None] * (R + ROPE) + r_R[None, :], mask=ok_S[:, None] & (r_R < R)[None, :], other=0.0
        )
        key_SK = tl.load(
            values_ptr + s_S[:, None] * (R + ROPE) + R + k_K[None, :],
            mask=ok_S[:, None] & (k_K < ROPE)[None, :],
            other=0.0,
        )
        scores_HS = tl.dot(q_HR, tl.trans(latent_SR), input_precision="ieee")
        scores_HS = tl.dot(q_HK, tl.trans(key_SK), scores_HS, input_precision="ieee")
        scores_HS = tl.where(ok_S[None, :], scores_HS * scale, -float("inf"))
        new_H = tl.maximum(most_H, tl.max(scores_HS, axis=1))
        shares_HS = tl.exp2(scores_HS - new_H[:, None])
        fade_H = tl.exp2(most_H - new_H)
        sum_H = sum_H * fade_H + tl.sum(shares_HS, axis=1)
        mixed_HR = tl.dot(shares_HS.to(latent_SR.dtype), latent_SR, mixed_HR * fade_H[:, None], input_precision="ieee")
        most_H = new_H
    place_H = (token * H + h_H) * SPLITS + split
    is_some = end > start
    divisor_H = tl.where(sum_H > 0, sum_H, 1.0)
    tl.store(lse_ptr + place_H, most_H + tl.log2(divisor_H), mask=h_H < H)
    tl.store(partial_ptr + place_H[:, None] * R + r_R[None, :], mixed_HR / divisor_H[:, None], mask=ok_HR & is_some)


@triton.jit
def merge_kernel(
    partial_ptr, lse_ptr, rows_ptr, lengths_ptr, kv_b_ptr, out_ptr,
    H: tl.constexpr, NOPE: tl.constexpr, V: tl.constexpr, R: tl.constexpr, SPLITS: tl.constexpr,
    BLOCK_S: tl.constexpr, ALL_SPLITS: tl.constexpr, MERGED: tl.constexpr, ALL_R: tl.constexpr, BLOCK_V: tl.constexpr,
    DEPENDENT: tl.constexpr,
):  # fmt: skip
    """out [B, H, V] = W_UV times the merged latents. Grid: blocks of V, heads, tokens. MERGED stretches at a time."""
    begin(DEPENDENT)
    token, head = tl.program_id(2), tl.program_id(1)
    _, seen, size = _stretch(rows_ptr, lengths_ptr, token, SPLITS, BLOCK_S)
    used = tl.where(seen > 0, tl.cdiv(seen, tl.maximum(size, 1)), 0)
    lse_ptr += (token * H + head) * SPLITS
    partial_ptr += (token * H + head) * SPLITS * R
    i_S = tl.arange(0, ALL_SPLITS)
    lse_S = tl.load(lse_ptr + i_S, mask=i_S < used, other=-float("inf"))
    most = tl.max(lse_S, axis=0)
    most = tl.where(most == -float("inf"), 0.0, most)
    total = tl.sum(tl.exp2(lse_S - most), axis=0)
    r_R = tl.arange(0, ALL_R)
    mixed_R = tl.zeros((ALL_R,), dtype=tl.float32)
    for at in tl.range(0, used, MERGED):
        j_S = at + tl.arange(0, MERGED)
        share_S = tl.exp2(tl.load(lse_ptr + j_S, mask=j_S < used, other=-float("inf")) - most)
        part_SR = tl.load(
            partial_ptr + j_S[:, None] * R + r_R[None, :], mask=(j_S < used)[:, None] & (r_R < R)[None, :], other=0.0
        )
        mixed_R += tl.sum(part_SR * share_S[:, None], axis=0)
    mixed_R = mixed_R / tl.where(total > 0, total, 1.0)
    v_V = tl.program_id(0) * BLOCK_V + tl.arange(0, BLOCK_V)
    up_VR = tl.load(
        kv_b_ptr + (head * (NOPE + V) + NOPE + v_V[:, None]) * R + r_R[None, :],
        mask=(v_V < V)[:, None] & (r_R < R)[None, :],
        other=0.0,
    )
    out_V = tl.sum(up_VR.to(tl.float32) * mixed_R[None, :], axis=1)
    tl.store(out_ptr + (token * H + head) * V + v_V, out_V.to(out_ptr.dtype.element_ty), mask=v_V < V)
