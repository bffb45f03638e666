"""What one decode step is made of, and its plain form in torch: the twin of the kernels, and the step on a CPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from .attention import RMSNorm
from .config import KV_NORM_EPS, TextConfig
from .quantized_weight import QuantizedWeight, dequantize
from .rope import rotate

Weight = Tensor | QuantizedWeight


@dataclass(frozen=True)
class Places:
    """Where the new tokens of a step stand, on the device. A row of -1 is nobody: padding up to a graph's size."""

    rows_B: Tensor  # int32, of the cache
    lengths_B: Tensor  # int32, tokens the row holds before this one
    cos_BK: Tensor  # fp32 [B, rope / 2], of the angles at the tokens' positions
    sin_BK: Tensor
    splits: int  # stretches that a row's latents are cut into


@dataclass(frozen=True)
class Shared:
    """The shared experts' part of a layer: what comes out of their gates, and their last matrix."""

    hidden_BI: Tensor
    down_DI: Weight


class DecodeOps(Protocol):
    """The parts of a decode step, for few rows. Weights are [out, in]; results have the dtype of x; sums are fp32."""

    def norm(self, x_BD: Tensor, norm: RMSNorm) -> Tensor: ...

    def linear(
        self, x_BD: Tensor, weight_ND: Weight, *, norm: RMSNorm | None = None, residual_BN: Tensor | None = None,
        out_BN: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """norm(x) W^T + residual, into `out_BN`, of any float dtype, if given."""
        ...

    def swiglu(self, x_BD: Tensor, gate_up_ID: Weight) -> Tensor:
        """silu(gate) * up [B, I]; the matrix [2I, D] holds the gates' rows, then the ups'."""
        ...

    def route(self, logits_BE: Tensor, bias_E: Tensor, config: TextConfig) -> tuple[Tensor, Tensor]:
        """Weights fp32 and ids int32 [B, A] of each token's experts, from fp32 logits, as `moe.route`."""
        ...

    def attend(
        self, qkv_BN: Tensor, kv_b: Tensor, norm_R: Tensor, values_RSC: Tensor, places: Places, config: TextConfig
    ) -> Tensor:
        """Write the new tokens to the cache's layer, attend to their rows: [B, H * V]. `qkv` is both projections."""
        ...

    def experts(
        self, x_BD: Tensor, weights_BA: Tensor, ids_BA: Tensor, gate_up_EID: Weight, down_EDI: Weight,
        shared: Shared | None, residual_BD: Tensor,
    ) -> Tensor:  # fmt: skip
        """residual + the weighted sum of each token's experts + the shared experts' product."""
        ...


class PlainOps:
    """Torch, in the order that is easiest to read; waits for the device."""

    def norm(self, x_BD: Tensor, norm: RMSNorm) -> Tensor:
        return norm(x_BD)

    def linear(
        self, x_BD: Tensor, weight_ND: Weight, *, norm: RMSNorm | None = None, residual_BN: Tensor | None = None,
        out_BN: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        x_BD = x_BD if norm is None else norm(x_BD)
        weight_ND = _plain(weight_ND, x_BD.dtype)
        if out_BN is not None and out_BN.dtype == torch.float32:
            x_BD, weight_ND = x_BD.float(), weight_ND.float()
        product_BN = F.linear(x_BD, weight_ND)
        if residual_BN is not None:
            product_BN = residual_BN + product_BN
        return product_BN if out_BN is None else out_BN.copy_(product_BN)

    def swiglu(self, x_BD: Tensor, gate_up_ID: Weight) -> Tensor:
        gate_BI, up_BI = F.linear(x_BD, _plain(gate_up_ID, x_BD.dtype)).chunk(2, dim=-1)
        return F.silu(gate_BI) * up_BI

    def route(self, logits_BE: Tensor, bias_E: Tensor, config: TextConfig) -> tuple[Tensor, Tensor]:
        scores_BE = logits_BE.sigmoid()
        ids_BA = (scores_BE + bias_E.float()).topk(config.num_experts_per_tok, dim=-1).indices
        weights_BA = scores_BE.gather(-1, ids_BA)
        if config.norm_topk_prob:
            weights_BA = weights_BA / (weights_BA.sum(-1, keepdim=True) + 1e-20)
        return weights_BA * config.routed_scaling_factor, ids_BA.int()

    def attend(
        self, qkv_BN: Tensor, kv_b: Tensor, norm_R: Tensor, values_RSC: Tensor, places: Places, config: TextConfig
    ) -> Tensor:
        nope, rope, rank = config.qk_nope_head_dim, config.qk_rope_head_dim, config.kv_lora_rank
        q_BN, latent_BC = qkv_BN.split((config.num_attention_heads * config.qk_head_dim, rank + rope), dim=-1)
        q_BHK = q_BN.unflatten(-1, (-1, config.qk_head_dim))
        rotations_BK = torch.complex(places.cos_BK, places.sin_BK)
        q_rope = rotate(q_BHK[..., nope:], rotations_BK)
        norm = RMSNorm(rank, KV_NORM_EPS)
        norm.weight.data = norm_R
        latent_BC = torch.cat((norm(latent_BC[:, :rank]), rotate(latent_BC[:, None, rank:], rotations_BK)[:, 0]), -1)
        up_HUR = kv_b.unflatten(0, (config.num_attention_heads, -1))
        k_up_HKR, v_up_HVR = up_HUR.split((nope, config.v_head_dim), dim=1)
        out_BHV = qkv_BN.new_zeros(len(qkv_BN), config.num_attention_heads, config.v_head_dim)
        for token, (row, length) in enumerate(zip(places.rows_B.tolist(), places.lengths_B.tolist(), strict=True)):
            if row < 0:
                continue
            values_RSC[row, length] = latent_BC[token]
            seen_SC = values_RSC[row, : length + 1]
            q_HC = torch.cat((torch.einsum("hk,hkr->hr", q_BHK[token, :, :nope], k_up_HKR), q_rope[token]), dim=-1)
            scores_HS = (q_HC @ seen_SC.T).float() * config.qk_head_dim**-0.5
            mixed_HR = scores_HS.softmax(-1).to(seen_SC.dtype) @ seen_SC[:, :rank]
            out_BHV[token] = torch.einsum("hvr,hr->hv", v_up_HVR, mixed_HR)
        return out_BHV.flatten(1)

    def experts(
        self, x_BD: Tensor, weights_BA: Tensor, ids_BA: Tensor, gate_up_EID: Weight, down_EDI: Weight,
        shared: Shared | None, residual_BD: Tensor,
    ) -> Tensor:  # fmt: skip
        sums_BD = residual_BD.to(torch.float32, copy=True)
        if shared is not None:
            sums_BD = sums_BD + F.linear(shared.hidden_BI, _plain(shared.down_DI, x_BD.dtype)).float()
        for token, (weights_A, ids_A) in enumerate(zip(weights_BA, ids_BA.tolist(), strict=True)):
            for weight, expert in zip(weights_A, ids_A, strict=True):
                hidden_I = self.swiglu(x_BD[token], gate_up_EID[expert])
                sums_BD[token] += weight * F.linear(hidden_I, _plain(down_EDI[expert], x_BD.dtype)).float()
        return sums_BD.to(x_BD.dtype)


def _plain(weight: Weight, dtype: torch.dtype) -> Tensor:
    return dequantize(weight, dtype) if isinstance(weight, QuantizedWeight) else weight
