"""Triton kernels for matrices times few rows: linear layers, SwiGLU's first half, the norm before and the sum after.

A block of weights is read once and multiplied with all rows of a block of M: one row as products summed at the end, up
to 16 or more rows on the tensor cores. Weights are floats, or quantised as in `quantize.py` (BITS 16, 8 or 4: any float
counts as 16) and never dequantised in memory. Sums are fp32.
"""

# The bodies are Triton's language, which has no stubs: their parameters are pointers and compile-time numbers.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false, reportUnknownParameterType=false
# pyright: reportMissingParameterType=false, reportArgumentType=false, reportCallIssue=false, reportIndexIssue=false
# pyright: reportAttributeAccessIssue=false, reportOperatorIssue=false, reportGeneralTypeIssues=false

from __future__ import annotations

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait


@triton.jit
def begin(DEPENDENT: tl.constexpr):
    """Where kernels are launched before the one before has ended, wait for it, and let the next one come."""
    if DEPENDENT:
        gdc_wait()
        gdc_launch_dependents()


@triton.jit
def inverse_rms(x_ptr, row_M, ok_M, eps, K: tl.constexpr, M: tl.constexpr, BLOCK_K: tl.constexpr):
    """1 / rms of M rows [., K], fp32 [M]."""
    squares_MK = tl.zeros((M, BLOCK_K), dtype=tl.float32)
    for start in tl.range(0, K, BLOCK_K):
        k_K = start + tl.arange(0, BLOCK_K)
        x_MK = tl.load(x_ptr + row_M[:, None] * K + k_K[None, :], mask=ok_M[:, None] & (k_K < K)[None, :], other=0.0)
        squares_MK += x_MK.to(tl.float32) * x_MK.to(tl.float32)
    return tl.rsqrt(tl.sum(squares_MK, axis=1) / K + eps)


@triton.jit
def _add_product(acc, x_ptr, row_M, ok_M, k_K, w_NK, norm_ptr, scale_M, K: tl.constexpr, NORM: tl.constexpr, M: tl.constexpr):  # fmt: skip  # noqa: E501
    """`acc` plus x W^T over the columns `k_K`: [M, N], or not yet summed [N, K] where M is 1."""
    in_K = k_K < K
    x_MK = tl.load(x_ptr + row_M[:, None] * K + k_K[None, :], mask=ok_M[:, None] & in_K[None, :], other=0.0)
    if NORM:
        norm_K = tl.load(norm_ptr + k_K, mask=in_K, other=0.0)
        normed_MK = (x_MK.to(tl.float32) * scale_M[:, None]).to(x_MK.dtype)
        x_MK = (normed_MK.to(tl.float32) * norm_K.to(tl.float32)[None, :]).to(x_MK.dtype)
    if M == 1:
        acc += w_NK.to(tl.float32) * x_MK.to(tl.float32)
    else:
        acc = tl.dot(x_MK, tl.trans(w_NK.to(x_MK.dtype)), acc, input_precision="ieee")
    return acc


@triton.jit
def load_codes(w_ptr, scale_ptr, n_N, ok_N, start, K: tl.constexpr, BLOCK_K: tl.constexpr):
    """A block of 4-bit weights: its columns `low_K`, and fp32 weights of these and of those 32 further on."""
    groups: tl.constexpr = (K + 63) // 64
    byte_K = start // 2 + tl.arange(0, BLOCK_K // 2)
    group_K = byte_K // 32
    inside = ok_N[:, None] & (group_K < groups)[None, :]
    codes_NK = tl.load(w_ptr + n_N[:, None] * (groups * 32) + byte_K[None, :], mask=inside, other=0).to(tl.int32)
    scale_NK = tl.load(scale_ptr + n_N[:, None] * groups + group_K[None, :], mask=inside, other=0.0).to(tl.float32)
    low_NK = ((codes_NK & 15) - 8).to(tl.float32) * scale_NK
    high_NK = ((codes_NK >> 4) - 8).to(tl.float32) * scale_NK
    return group_K * 64 + byte_K % 32, low_NK, high_NK


@triton.jit
def product(
    x_ptr, row_M, ok_M, w_ptr, scale_ptr, n_N, ok_N, norm_ptr, scale_M,
    K: tl.constexpr, BITS: tl.constexpr, NORM: tl.constexpr,
    M: tl.constexpr, N: tl.constexpr, BLOCK_K: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """fp32 [M, N]: the rows `row_M` of x [., K], normed by `scale_M` and `norm_ptr` if NORM, times rows `n_N` of W."""
    width: tl.constexpr = BLOCK_K // 2 if BITS == 4 else BLOCK_K
    if M == 1:  # noqa: SIM108 - compiled apart: the two have other shapes
        acc = tl.zeros((N, width), dtype=tl.float32)
    else:
        acc = tl.zeros((M, N), dtype=tl.float32)
    for start in tl.range(0, K, BLOCK_K, num_stages=STAGES):
        if BITS == 4:
            k_K, low_NK, high_NK = load_codes(w_ptr, scale_ptr, n_N, ok_N, start, K, BLOCK_K)
            acc = _add_product(acc, x_ptr, row_M, ok_M, k_K, low_NK, norm_ptr, scale_M, K, NORM, M)
            acc = _add_product(acc, x_ptr, row_M, ok_M, k_K + 32, high_NK, norm_ptr, scale_M, K, NORM, M)
        else:
            k_K = start + tl.arange(0, BLOCK_K)
            w_NK = tl.load(w_ptr + n_N[:, None] * K + k_K[None, :], mask=ok_N[:, None] & (k_K < K)[None, :], other=0)
            acc = _add_product(acc, x_ptr, row_M, ok_M, k_K, w_NK, norm_ptr, scale_M, K, NORM, M)
    if M == 1:
        acc = tl.sum(acc, axis=1)[None, :]
    if BITS == 8:
        acc *= tl.load(scale_ptr + n_N, mask=ok_N, other=0.0)[None, :]
    return acc


@triton.jit
def gated_product(
    x_ptr, row_M, ok_M, w_ptr, scale_ptr, first,
    K: tl.constexpr, INNER: tl.constexpr, BITS: tl.constexpr,
    M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """silu(gate) * up, fp32 [M, BLOCK_N], of inner places from `first` on; W [2 INNER, K] has the gates, then the ups.

    The two are one block of 2 BLOCK_N rows: one load, one product.
    """
    i_N = tl.arange(0, 2 * BLOCK_N)
    place_N = first + i_N % BLOCK_N
    n_N = place_N + (i_N // BLOCK_N) * INNER
    both = product(
        x_ptr, row_M, ok_M, w_ptr, scale_ptr, n_N, place_N < INNER, x_ptr, tl.zeros((M,), dtype=tl.float32),
        K, BITS, False, M, 2 * BLOCK_N, BLOCK_K, STAGES,
    )  # fmt: skip
    gate, up = tl.split(tl.permute(tl.reshape(both, (M, 2, BLOCK_N)), (0, 2, 1)))
    return gate * tl.sigmoid(gate) * up


@triton.jit
def linear_kernel(
    x_ptr, w_ptr, scale_ptr, norm_ptr, residual_ptr, out_ptr, rows, eps,
    N: tl.constexpr, K: tl.constexpr, BITS: tl.constexpr, NORM: tl.constexpr, RESIDUAL: tl.constexpr,
    M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, STAGES: tl.constexpr,
    DEPENDENT: tl.constexpr,
):  # fmt: skip
    """out [rows, N] = norm(x) W^T + residual. Grid: blocks of N, blocks of M rows."""
    begin(DEPENDENT)
    row_M = tl.program_id(1) * M + tl.arange(0, M)
    ok_M = row_M < rows
    n_N = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    ok_N = n_N < N
    scale_M = tl.zeros((M,), dtype=tl.float32)
    if NORM:
        scale_M = inverse_rms(x_ptr, row_M, ok_M, eps, K, M, BLOCK_K)
    sums_MN = product(
        x_ptr, row_M, ok_M, w_ptr, scale_ptr, n_N, ok_N, norm_ptr, scale_M, K, BITS, NORM, M, BLOCK_N, BLOCK_K, STAGES
    )
    place_MN = row_M[:, None] * N + n_N[None, :]
    ok_MN = ok_M[:, None] & ok_N[None, :]
    if RESIDUAL:
        sums_MN += tl.load(residual_ptr + place_MN, mask=ok_MN, other=0.0).to(tl.float32)
    tl.store(out_ptr + place_MN, sums_MN.to(out_ptr.dtype.element_ty), mask=ok_MN)


@triton.jit
def swiglu_kernel(
    x_ptr, w_ptr, scale_ptr, out_ptr, rows,
    K: tl.constexpr, INNER: tl.constexpr, BITS: tl.constexpr,
    M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, STAGES: tl.constexpr,
    DEPENDENT: tl.constexpr,
):  # fmt: skip
    """out [rows, INNER] = silu(x G^T) * (x U^T). Grid: blocks of INNER, blocks of M rows."""
    begin(DEPENDENT)
    row_M = tl.program_id(1) * M + tl.arange(0, M)
    ok_M = row_M < rows
    first = tl.program_id(0) * BLOCK_N
    out_MN = gated_product(x_ptr, row_M, ok_M, w_ptr, scale_ptr, first, K, INNER, BITS, M, BLOCK_N, BLOCK_K, STAGES)
    n_N = first + tl.arange(0, BLOCK_N)
    ok_MN = ok_M[:, None] & (n_N < INNER)[None, :]
    tl.store(out_ptr + row_M[:, None] * INNER + n_N[None, :], out_MN.to(out_ptr.dtype.element_ty), mask=ok_MN)


@triton.jit
def norm_kernel(x_ptr, norm_ptr, out_ptr, eps, K: tl.constexpr, BLOCK_K: tl.constexpr, DEPENDENT: tl.constexpr):
    """RMSNorm of one row a program; BLOCK_K holds the whole row."""
    begin(DEPENDENT)
    k_K = tl.arange(0, BLOCK_K)
    at = tl.program_id(0) * K
    x_K = tl.load(x_ptr + at + k_K, mask=k_K < K, other=0.0)
    x32_K = x_K.to(tl.float32)
    normed_K = (x32_K * tl.rsqrt(tl.sum(x32_K * x32_K, axis=0) / K + eps)).to(x_K.dtype)
    weight_K = tl.load(norm_ptr + k_K, mask=k_K < K, other=0.0).to(tl.float32)
    tl.store(out_ptr + at + k_K, (normed_K.to(tl.float32) * weight_K).to(x_K.dtype), mask=k_K < K)
