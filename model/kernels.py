"""The decode step's parts as Triton kernels (`DecodeOps`): no waiting for the device, ready for a CUDA graph.

Importing this module imports Triton, which comes with torch for CUDA; nothing else of the package does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .attention import RMSNorm
from .config import KV_NORM_EPS, TextConfig
from .decode_ops import Places, Shared, Weight
from .kernels_attention import absorb_kernel, attend_kernel, merge_kernel
from .kernels_linear import linear_kernel, norm_kernel, swiglu_kernel
from .kernels_moe import (
    combine_kernel,
    grouped_down_kernel,
    grouped_gate_up_kernel,
    list_routes_kernel,
    route_down_kernel,
    route_gate_up_kernel,
    route_kernel,
)
from .quantized_weight import QuantizedWeight

FEW_ROWS = 16  # above, cuBLAS multiplies unquantised weights
WIDE = 1024  # outputs for which it is asked even where fp32 is wanted, and rounds them first
ROUTE_ROWS = 4  # up to here a program takes a route, above an expert


@dataclass(frozen=True)
class Tile:
    """How a kernel cuts its work: output places and summed columns a program holds, loads in flight, warps."""

    block_n: int
    block_k: int
    stages: int
    warps: int


@dataclass(frozen=True, kw_only=True)
class Tiles:
    """One tile for each kernel and case; `one` is of one row, `few` of up to 16, `many` of more."""

    linear_one: Tile = Tile(4, 2048, 1, 4)
    linear_few: Tile = Tile(32, 256, 4, 4)
    linear_many: Tile = Tile(64, 128, 3, 4)
    swiglu_one: Tile = Tile(2, 2048, 1, 4)
    swiglu_few: Tile = Tile(16, 256, 4, 4)
    swiglu_many: Tile = Tile(32, 128, 3, 4)
    route_gate_up: Tile = Tile(2, 2048, 1, 4)
    route_down: Tile = Tile(4, 2048, 1, 4)
    grouped_gate_up: Tile = Tile(32, 128, 4, 4)
    grouped_down: Tile = Tile(64, 128, 4, 4)
    attend: Tile = Tile(32, 0, 2, 4)  # block_n: latents a step; block_k is not used


class KernelOps:
    """`DecodeOps` in Triton. Weights and activations contiguous, on one CUDA device (or interpreted, on a CPU)."""

    def __init__(
        self, tiles: Tiles | None = None, launch: Callable[..., None] | None = None, *, is_dependent: bool = False
    ) -> None:
        """`launch` takes what `run_kernel` takes, in its place. `is_dependent` (Hopper and later): a kernel is sent
        off while the one before still runs, and waits for its end on the device."""
        self.tiles = tiles or Tiles()
        self._run = launch or run_kernel
        self._is_dependent = is_dependent

    def _launch(self, kernel: Any, grid: tuple[int, ...], *arguments: object, warps: int = 4) -> None:
        self._run(kernel, grid, *arguments, self._is_dependent, warps=warps)

    def norm(self, x_BD: Tensor, norm: RMSNorm) -> Tensor:
        out_BD = torch.empty_like(x_BD)
        rows, width = x_BD.shape
        self._launch(norm_kernel, (rows,), x_BD, norm.weight, out_BD, norm.eps, width, power_of_2(width))
        return out_BD

    def linear(
        self, x_BD: Tensor, weight_ND: Weight, *, norm: RMSNorm | None = None, residual_BN: Tensor | None = None,
        out_BN: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        rows, width = x_BD.shape
        outputs = weight_ND.shape[0]
        if rows > FEW_ROWS:
            x_BD, norm = x_BD if norm is None else self.norm(x_BD, norm), None
            if isinstance(weight_ND, Tensor) and (out_BN is None or outputs >= WIDE):
                if residual_BN is not None:
                    return torch.addmm(residual_BN, x_BD, weight_ND.T)
                product_BN = F.linear(x_BD, weight_ND)
                return product_BN if out_BN is None else out_BN.copy_(product_BN)
        codes, scales, bits = _parts(weight_ND)
        out = x_BD.new_empty(rows, outputs) if out_BN is None else out_BN
        tiles = self.tiles
        tile = tiles.linear_one if rows == 1 else tiles.linear_few if rows <= FEW_ROWS else tiles.linear_many
        block_m = _row_block(rows)
        self._launch(linear_kernel, (_ceil(outputs, tile.block_n), _ceil(rows, block_m)),
            x_BD, codes, scales, x_BD if norm is None else norm.weight, x_BD if residual_BN is None else residual_BN,
            out, rows, 0.0 if norm is None else norm.eps,
            outputs, width, bits, norm is not None, residual_BN is not None,
            block_m, tile.block_n, _columns(tile.block_k, width), tile.stages, warps=tile.warps,
        )  # fmt: skip
        return out

    def swiglu(self, x_BD: Tensor, gate_up_ID: Weight) -> Tensor:
        rows, width = x_BD.shape
        inner = gate_up_ID.shape[0] // 2
        if rows > FEW_ROWS and isinstance(gate_up_ID, Tensor):
            gate_BI, up_BI = F.linear(x_BD, gate_up_ID).chunk(2, dim=-1)
            return F.silu(gate_BI).mul_(up_BI)
        codes, scales, bits = _parts(gate_up_ID)
        out_BI = x_BD.new_empty(rows, inner)
        tiles = self.tiles
        tile = tiles.swiglu_one if rows == 1 else tiles.swiglu_few if rows <= FEW_ROWS else tiles.swiglu_many
        block_m = _row_block(rows)
        self._launch(swiglu_kernel, (_ceil(inner, tile.block_n), _ceil(rows, block_m)),
            x_BD, codes, scales, out_BI, rows, width, inner, bits,
            block_m, tile.block_n, _columns(tile.block_k, width), tile.stages, warps=tile.warps,
        )  # fmt: skip
        return out_BI

    def route(self, logits_BE: Tensor, bias_E: Tensor, config: TextConfig) -> tuple[Tensor, Tensor]:
        rows, experts = logits_BE.shape
        active = config.num_experts_per_tok
        weights_BA = torch.empty(rows, active, dtype=torch.float32, device=logits_BE.device)
        ids_BA = torch.empty(rows, active, dtype=torch.int32, device=logits_BE.device)
        self._launch(route_kernel, (rows,),
            logits_BE, bias_E, weights_BA, ids_BA, config.routed_scaling_factor, experts, active,
            config.norm_topk_prob, power_of_2(experts), power_of_2(active), warps=1,
        )  # fmt: skip
        return weights_BA, ids_BA

    def attend(
        self, qkv_BN: Tensor, kv_b: Tensor, norm_R: Tensor, values_RSC: Tensor, places: Places, config: TextConfig
    ) -> Tensor:
        rows, heads, rank = len(qkv_BN), config.num_attention_heads, config.kv_lora_rank
        nope, rope, value = config.qk_nope_head_dim, config.qk_rope_head_dim, config.v_head_dim
        all_r, block_r = power_of_2(rank), min(64, power_of_2(rank))
        row_stride = values_RSC.stride(0)
        q_BHC = qkv_BN.new_empty(rows, heads, rank + rope)
        self._launch(absorb_kernel, (_ceil(rank, block_r), heads + 1, rows),
            qkv_BN, kv_b, norm_R, places.cos_BK, places.sin_BK, places.rows_B, places.lengths_B, values_RSC, q_BHC,
            row_stride, KV_NORM_EPS, heads, nope, rope, value, rank, power_of_2(nope),
            power_of_2(rope // 2), block_r, all_r,
        )  # fmt: skip
        splits, tile = places.splits, self.tiles.attend
        block_s = tile.block_n if qkv_BN.dtype.itemsize == 2 else 16  # what a stage of fp32 latents leaves room for
        partial = torch.empty(rows, heads, splits, rank, dtype=torch.float32, device=qkv_BN.device)
        lse = torch.empty(rows, heads, splits, dtype=torch.float32, device=qkv_BN.device)
        self._launch(attend_kernel, (splits, _ceil(heads, 16), rows),
            q_BHC, places.rows_B, places.lengths_B, values_RSC, partial, lse, row_stride,
            config.qk_head_dim**-0.5 * math.log2(math.e), heads, rank, rope, splits,
            16, max(16, all_r), max(16, power_of_2(rope)), block_s, tile.stages,
            warps=tile.warps,
        )  # fmt: skip
        out_BN = qkv_BN.new_empty(rows, heads * value)
        block_v = min(16, power_of_2(value))
        self._launch(merge_kernel, (_ceil(value, block_v), heads, rows),
            partial, lse, places.rows_B, places.lengths_B, kv_b, out_BN, heads, nope, value, rank, splits,
            block_s, power_of_2(splits), min(8, power_of_2(splits)), all_r, block_v,
        )  # fmt: skip
        return out_BN

    def experts(
        self, x_BD: Tensor, weights_BA: Tensor, ids_BA: Tensor, gate_up_EID: Weight, down_EDI: Weight,
        shared: Shared | None, residual_BD: Tensor,
    ) -> Tensor:  # fmt: skip
        if len(x_BD) <= ROUTE_ROWS:
            return self._experts_by_route(x_BD, weights_BA, ids_BA, gate_up_EID, down_EDI, shared, residual_BD)
        if shared is not None:
            residual_BD = self.linear(shared.hidden_BI, shared.down_DI, residual_BN=residual_BD)
        return self._experts_by_expert(x_BD, weights_BA, ids_BA, gate_up_EID, down_EDI, residual_BD)

    def _experts_by_route(
        self, x_BD: Tensor, weights_BA: Tensor, ids_BA: Tensor, gate_up_EID: Weight, down_EDI: Weight,
        shared: Shared | None, residual_BD: Tensor,
    ) -> Tensor:  # fmt: skip
        (rows, width), active, inner = x_BD.shape, ids_BA.shape[1], down_EDI.shape[2]
        hidden_AI = x_BD.new_empty(rows * active, inner)
        codes, scales, bits = _parts(gate_up_EID)
        tile = self.tiles.route_gate_up
        self._launch(route_gate_up_kernel, (_ceil(inner, tile.block_n), rows * active),
            x_BD, ids_BA, codes, scales, hidden_AI, codes.stride(0), scales.stride(0), active, width, inner, bits,
            tile.block_n, _columns(tile.block_k, width), tile.stages, warps=tile.warps,
        )  # fmt: skip
        out_BD = torch.empty_like(x_BD)
        codes, scales, bits = _parts(down_EDI)
        s_hidden, s_inner, (s_codes, s_scales, s_bits) = x_BD, 0, (codes, scales, bits)
        if shared is not None:
            s_hidden, s_inner = shared.hidden_BI, shared.hidden_BI.shape[1]
            s_codes, s_scales, s_bits = _parts(shared.down_DI)
        tile = self.tiles.route_down
        self._launch(route_down_kernel, (_ceil(width, tile.block_n), rows),
            hidden_AI, weights_BA, ids_BA, codes, scales, s_hidden, s_codes, s_scales, residual_BD, out_BD,
            codes.stride(0), scales.stride(0), active, width, inner, bits, s_inner, s_bits,
            tile.block_n, _columns(tile.block_k, inner), tile.stages, warps=tile.warps,
        )  # fmt: skip
        return out_BD

    def _experts_by_expert(
        self, x_BD: Tensor, weights_BA: Tensor, ids_BA: Tensor, gate_up_EID: Weight, down_EDI: Weight,
        residual_BD: Tensor,
    ) -> Tensor:  # fmt: skip
        (rows, width), active = x_BD.shape, ids_BA.shape[1]
        num_experts, inner = down_EDI.shape[0], down_EDI.shape[2]
        counts_E = ids_BA.new_empty(num_experts)
        routes_EB = ids_BA.new_empty(num_experts, rows)
        self._launch(
            list_routes_kernel, (num_experts,), ids_BA, counts_E, routes_EB, rows, active, power_of_2(rows * active)
        )
        block_m = 16 if rows <= 128 else 32
        codes, scales, bits = _parts(gate_up_EID)
        hidden_AI = x_BD.new_empty(rows * active, inner)
        tile = self.tiles.grouped_gate_up
        self._launch(grouped_gate_up_kernel, (_ceil(inner, tile.block_n), num_experts),
            x_BD, counts_E, routes_EB, codes, scales, hidden_AI, rows, codes.stride(0), scales.stride(0),
            active, width, inner, bits, block_m, tile.block_n, _columns(tile.block_k, width), tile.stages,
            warps=tile.warps,
        )  # fmt: skip
        codes, scales, bits = _parts(down_EDI)
        routed_AD = torch.empty(rows * active, width, dtype=torch.float32, device=x_BD.device)
        tile = self.tiles.grouped_down
        self._launch(grouped_down_kernel, (_ceil(width, tile.block_n), num_experts),
            hidden_AI, weights_BA, counts_E, routes_EB, codes, scales, routed_AD, rows, codes.stride(0),
            scales.stride(0), width, inner, bits, block_m, tile.block_n, _columns(tile.block_k, inner), tile.stages,
            warps=tile.warps,
        )  # fmt: skip
        out_BD = torch.empty_like(x_BD)
        self._launch(combine_kernel, (_ceil(width, 1024), rows), routed_AD, residual_BD, out_BD, active, width, 1024)
        return out_BD


def power_of_2(number: int) -> int:
    """The least that is not less."""
    return 1 << (number - 1).bit_length()


def run_kernel(kernel: Any, grid: tuple[int, ...], *arguments: object, warps: int = 4) -> None:
    """The last argument says whether the launch is a dependent one."""
    options = {"launch_pdl": True} if arguments[-1] else {}
    kernel[grid](*arguments, num_warps=warps, **options)


def _ceil(number: int, part: int) -> int:
    return -(-number // part)


def _parts(weight: Weight) -> tuple[Tensor, Tensor, int]:
    """Values, scales (the values again where there are none) and bits."""
    if isinstance(weight, QuantizedWeight):
        return weight.codes, weight.scales, weight.bits
    return weight, weight, 16


def _row_block(rows: int) -> int:
    """Rows a program takes: one, or what the tensor cores want."""
    return 1 if rows == 1 else 16 if rows <= 16 else 32 if rows <= 32 else 64


def _columns(block_k: int, width: int) -> int:
    """Columns a step sums: no more than there are, and never fewer than a 4-bit group."""
    return min(block_k, max(64, power_of_2(width)))
