"""Triton kernels for routed experts in decode: the router, and two families of expert products.

Few routes (a token's choice of an expert): a program a route, no sorting. More: a program an expert, which gathers its
routes from a list and multiplies up to 16 of them with each block of weights it reads. Neither knows counts on the
host, and nothing is summed with atomics.
"""

# The bodies are Triton's language, which has no stubs: their parameters are pointers and compile-time numbers.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false, reportUnknownParameterType=false
# pyright: reportMissingParameterType=false, reportArgumentType=false, reportCallIssue=false, reportIndexIssue=false
# pyright: reportAttributeAccessIssue=false, reportOperatorIssue=false, reportGeneralTypeIssues=false

from __future__ import annotations

import triton
import triton.language as tl

from .kernels_linear import begin, gated_product, load_codes, product


@triton.jit
def route_kernel(
    logits_ptr, bias_ptr, weights_ptr, ids_ptr, scale,
    E: tl.constexpr, A: tl.constexpr, NORMALISE: tl.constexpr, BLOCK_E: tl.constexpr, BLOCK_A: tl.constexpr,
    DEPENDENT: tl.constexpr,
):  # fmt: skip
    """A token a program: sigmoid affinities, the A best by affinity + bias, their affinities as weights."""
    begin(DEPENDENT)
    token = tl.program_id(0)
    e_E = tl.arange(0, BLOCK_E)
    scores_E = tl.sigmoid(tl.load(logits_ptr + token * E + e_E, mask=e_E < E, other=0.0))
    bias_E = tl.load(bias_ptr + e_E, mask=e_E < E, other=0.0).to(tl.float32)
    rank_E = tl.where(e_E < E, scores_E + bias_E, -float("inf"))
    a_A = tl.arange(0, BLOCK_A)
    weights_A = tl.zeros((BLOCK_A,), dtype=tl.float32)
    for a in tl.static_range(A):
        chosen = tl.argmax(rank_E, axis=0)
        weights_A = tl.where(a_A == a, tl.sum(tl.where(e_E == chosen, scores_E, 0.0), axis=0), weights_A)
        rank_E = tl.where(e_E == chosen, -float("inf"), rank_E)
        tl.store(ids_ptr + token * A + a, chosen.to(tl.int32))
    if NORMALISE:
        weights_A = weights_A / (tl.sum(weights_A, axis=0) + 1e-20)
    tl.store(weights_ptr + token * A + a_A, weights_A * scale, mask=a_A < A)


@triton.jit
def route_gate_up_kernel(
    x_ptr, ids_ptr, w_ptr, scale_ptr, out_ptr, w_stride, scale_stride,
    A: tl.constexpr, K: tl.constexpr, INNER: tl.constexpr, BITS: tl.constexpr,
    BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, STAGES: tl.constexpr,
    DEPENDENT: tl.constexpr,
):  # fmt: skip
    """out [B * A, INNER] = silu(gate) * up of each route. Grid: blocks of INNER, routes."""
    begin(DEPENDENT)
    route = tl.program_id(1)
    expert = tl.load(ids_ptr + route).to(tl.int64)
    first = tl.program_id(0) * BLOCK_N
    row_M = route // A + tl.arange(0, 1)
    out_MN = gated_product(
        x_ptr, row_M, row_M >= 0, w_ptr + expert * w_stride, scale_ptr + expert * scale_stride, first,
        K, INNER, BITS, 1, BLOCK_N, BLOCK_K, STAGES,
    )  # fmt: skip
    n_N = first + tl.arange(0, BLOCK_N)
    place_MN = route * INNER + tl.zeros((1,), dtype=tl.int32)[:, None] + n_N[None, :]
    tl.store(out_ptr + place_MN, out_MN.to(out_ptr.dtype.element_ty), mask=(n_N < INNER)[None, :])


@triton.jit
def route_down_kernel(
    hidden_ptr, weights_ptr, ids_ptr, w_ptr, scale_ptr, shared_ptr, shared_w_ptr, shared_scale_ptr,
    residual_ptr, out_ptr, w_stride, scale_stride,
    A: tl.constexpr, D: tl.constexpr, INNER: tl.constexpr, BITS: tl.constexpr,
    SHARED: tl.constexpr, SHARED_BITS: tl.constexpr,
    BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, STAGES: tl.constexpr,
    DEPENDENT: tl.constexpr,
):  # fmt: skip
    """out [B, D] = residual + sum of weight * down(hidden) over a token's routes + the shared experts' down.

    Grid: blocks of D, tokens. The experts and their columns are one loop, so that loads run ahead across experts.
    SHARED is the shared experts' inner width, 0 for none.
    """
    begin(DEPENDENT)
    token = tl.program_id(1)
    n_N = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    ok_N = n_N < D
    width: tl.constexpr = BLOCK_K // 2 if BITS == 4 else BLOCK_K
    steps: tl.constexpr = (INNER + BLOCK_K - 1) // BLOCK_K
    sums_NK = tl.zeros((BLOCK_N, width), dtype=tl.float32)
    for step in tl.range(0, A * steps, num_stages=STAGES):
        route = token * A + step // steps
        start = (step % steps) * BLOCK_K
        expert = tl.load(ids_ptr + route).to(tl.int64)
        weight = tl.load(weights_ptr + route)
        expert_w_ptr = w_ptr + expert * w_stride
        expert_scale_ptr = scale_ptr + expert * scale_stride
        hidden_row_ptr = hidden_ptr + route * INNER
        if BITS == 4:
            k_K, low_NK, high_NK = load_codes(expert_w_ptr, expert_scale_ptr, n_N, ok_N, start, INNER, BLOCK_K)
            low_K = tl.load(hidden_row_ptr + k_K, mask=k_K < INNER, other=0.0).to(tl.float32)
            high_K = tl.load(hidden_row_ptr + k_K + 32, mask=k_K + 32 < INNER, other=0.0).to(tl.float32)
            sums_NK += low_NK * (low_K * weight)[None, :] + high_NK * (high_K * weight)[None, :]
        else:
            k_K = start + tl.arange(0, BLOCK_K)
            in_K = k_K < INNER
            w_NK = tl.load(
                expert_w_ptr + n_N[:, None] * INNER + k_K[None, :], mask=ok_N[:, None] & in_K[None, :], other=0
            ).to(tl.float32)
            hidden_K = tl.load(hidden_row_ptr + k_K, mask=in_K, other=0.0).to(tl.float32) * weight
            if BITS == 8:
                w_NK *= tl.load(expert_scale_ptr + n_N, mask=ok_N, other=0.0)[:, None]
            sums_NK += w_NK * hidden_K[None, :]
    sums_N = tl.sum(sums_NK, axis=1)
    if SHARED > 0:
        row_M = token + tl.arange(0, 1)
        shared_MN = product(
            shared_ptr, row_M, row_M >= 0, shared_w_ptr, shared_scale_ptr, n_N, ok_N, shared_ptr,
            tl.zeros((1,), dtype=tl.float32), SHARED, SHARED_BITS, False, 1, BLOCK_N, BLOCK_K, STAGES,
        )  # fmt: skip
        sums_N += tl.sum(shared_MN, axis=0)
    sums_N += tl.load(residual_ptr + token * D + n_N, mask=ok_N, other=0.0).to(tl.float32)
    tl.store(out_ptr + token * D + n_N, sums_N.to(out_ptr.dtype.element_ty), mask=ok_N)


@triton.jit
def list_routes_kernel(
    ids_ptr, counts_ptr, routes_ptr, rows, A: tl.constexpr, BLOCK: tl.constexpr, DEPENDENT: tl.constexpr
):
    """An expert a program: how many routes chose it, and which: `routes` [E, rows], as a token chooses it once."""
    begin(DEPENDENT)
    expert = tl.program_id(0)
    place = tl.arange(0, BLOCK)
    mine = (tl.load(ids_ptr + place, mask=place < rows * A, other=-1) == expert).to(tl.int32)
    rank = tl.cumsum(mine, axis=0) - 1
    tl.store(routes_ptr + expert * rows + rank, place, mask=mine > 0)
    tl.store(counts_ptr + expert, tl.sum(mine, axis=0))


@triton.jit
def grouped_gate_up_kernel(
    x_ptr, counts_ptr, routes_ptr, w_ptr, scale_ptr, out_ptr, rows, w_stride, scale_stride,
    A: tl.constexpr, K: tl.constexpr, INNER: tl.constexpr, BITS: tl.constexpr,
    M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, STAGES: tl.constexpr,
    DEPENDENT: tl.constexpr,
):  # fmt: skip
    """out [B * A, INNER] = silu(gate) * up of the routes of an expert. Grid: blocks of INNER, experts."""
    begin(DEPENDENT)
    expert = tl.program_id(1).to(tl.int64)
    count = tl.load(counts_ptr + expert)
    first = tl.program_id(0) * BLOCK_N
    n_N = first + tl.arange(0, BLOCK_N)
    for at in tl.range(0, count, M):
        m_M = at + tl.arange(0, M)
        ok_M = m_M < count
        route_M = tl.load(routes_ptr + expert * rows + m_M, mask=ok_M, other=0)
        out_MN = gated_product(
            x_ptr, route_M // A, ok_M, w_ptr + expert * w_stride, scale_ptr + expert * scale_stride, first,
            K, INNER, BITS, M, BLOCK_N, BLOCK_K, STAGES,
        )  # fmt: skip
        ok_MN = ok_M[:, None] & (n_N < INNER)[None, :]
        tl.store(out_ptr + route_M[:, None] * INNER + n_N[None, :], out_MN.to(out_ptr.dtype.element_ty), mask=ok_MN)


@triton.jit
def grouped_down_kernel(
    hidden_ptr, weights_ptr, counts_ptr, routes_ptr, w_ptr, scale_ptr, out_ptr, rows, w_stride, scale_stride,
    D: tl.constexpr, INNER: tl.constexpr, BITS: tl.constexpr,
    M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, STAGES: tl.constexpr,
    DEPENDENT: tl.constexpr,
):  # fmt: skip
    """out [B * A, D] fp32 = weight * down(hidden) of the routes of an expert. Grid: blocks of D, experts."""
    begin(DEPENDENT)
    expert = tl.program_id(1).to(tl.int64)
    count = tl.load(counts_ptr + expert)
    n_N = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    ok_N = n_N < D
    for at in tl.range(0, count, M):
        m_M = at + tl.arange(0, M)
        ok_M = m_M < count
        route_M = tl.load(routes_ptr + expert * rows + m_M, mask=ok_M, other=0)
        out_MN = product(
            hidden_ptr, route_M, ok_M, w_ptr + expert * w_stride, scale_ptr + expert * scale_stride, n_N, ok_N,
            hidden_ptr, tl.zeros((M,), dtype=tl.float32), INNER, BITS, False, M, BLOCK_N, BLOCK_K, STAGES,
        )  # fmt: skip
        out_MN *= tl.load(weights_ptr + route_M, mask=ok_M, other=0.0)[:, None]
        tl.store(out_ptr + route_M[:, None] * D + n_N[None, :], out_MN, mask=ok_M[:, None] & ok_N[None, :])


@triton.jit
def combine_kernel(
    routed_ptr, base_ptr, out_ptr, A: tl.constexpr, D: tl.constexpr, BLOCK: tl.constexpr, DEPENDENT: tl.constexpr
):
    """out [B, D] = base + the sum of a token's A weighted routes. Grid: blocks of D, tokens."""
    begin(DEPENDENT)
    token = tl.program_id(1)
    d_D = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    ok_D = d_D < D
    sums_D = tl.load(base_ptr + token * D + d_D, mask=ok_D, other=0.0).to(tl.float32)
    for a in tl.static_range(A):
        sums_D += tl.load(routed_ptr + (token * A + a) * D + d_D, mask=ok_D, other=0.0)
    tl.store(out_ptr + token * D + d_D, sums_D.to(out_ptr.dtype.element_ty), mask=ok_D)
