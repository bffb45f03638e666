"""Mixture of experts: the fp32 sigmoid router and the experts, grouped (fast) and one by one (plain)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import TextConfig


class MLP(nn.Module):
    """SwiGLU: down(silu(gate(x)) * up(x)), no biases."""

    def __init__(self, width: int, inner_width: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(width, inner_width, bias=False)
        self.up_proj = nn.Linear(width, inner_width, bias=False)
        self.down_proj = nn.Linear(inner_width, width, bias=False)

    def forward(self, x_LD: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x_LD)) * self.up_proj(x_LD))


class Router(nn.Module):
    """The gate: one weight row an expert, and a bias that takes part in the SELECTION only."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.config = config
        self.weight = nn.Parameter(torch.empty(config.n_routed_experts, config.hidden_size))
        self.e_score_correction_bias = nn.Parameter(
            torch.zeros(config.n_routed_experts, dtype=torch.float32), requires_grad=False
        )
        nn.init.normal_(self.weight, std=config.hidden_size**-0.5)

    def forward(self, x_LD: Tensor) -> tuple[Tensor, Tensor]:
        return route(
            x_LD,
            self.weight,
            self.e_score_correction_bias,
            num_active=self.config.num_experts_per_tok,
            scale=self.config.routed_scaling_factor,
            normalise=self.config.norm_topk_prob,
        )


def route(
    x_LD: Tensor, gate_ED: Tensor, bias_E: Tensor, *, num_active: int, scale: float, normalise: bool = True
) -> tuple[Tensor, Tensor]:
    """Choose experts for each token: `weights_LA` (fp32, rows sum to `scale` if normalised), `ids_LA` (int64).

    DeepSeek-V3 (2412.19437), section 2.1.2, with one group: affinities are sigmoids in fp32 (bf16 ties flip the
    choice), the bias shifts the ranking and not the weights.
    """
    with torch.autocast(x_LD.device.type, enabled=False):
        scores_LE = F.linear(x_LD.float(), gate_ED.float()).sigmoid()
    ids_LA = (scores_LE + bias_E.float()).topk(num_active, dim=-1).indices
    weights_LA = scores_LE.gather(-1, ids_LA)
    if normalise:
        weights_LA = weights_LA / (weights_LA.sum(-1, keepdim=True) + 1e-20)
    return weights_LA * scale, ids_LA


class Experts(nn.Module):
    """The routed experts' weights, stacked: gate and up rows together [E, 2I, D], down [E, D, I]."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        experts, inner, width = config.n_routed_experts, config.moe_intermediate_size, config.hidden_size
        self.gate_up_proj = nn.Parameter(torch.empty(experts, 2 * inner, width))
        self.down_proj = nn.Parameter(torch.empty(experts, width, inner))
        nn.init.normal_(self.gate_up_proj, std=width**-0.5)
        nn.init.normal_(self.down_proj, std=inner**-0.5)

    @property
    def num_experts(self) -> int:
        return self.gate_up_proj.shape[0]

    def weights(self, expert: int) -> tuple[Tensor, Tensor]:
        """Views of one expert's matrices: gate and up [2I, D], down [D, I]."""
        return self.gate_up_proj[expert], self.down_proj[expert]


class ExpertWeights(Protocol):
    """Routed experts as `run_experts` reads them; what `weights` gives holds until its next call."""

    @property
    def num_experts(self) -> int: ...
    def weights(self, expert: int) -> tuple[Tensor, Tensor]: ...


# Half-precision kernels of the CPU are made anew for each number of rows, at 2 to 4 ms: an expert's rows are filled up
# to a multiple of this.
ROWS_TOGETHER = 16


def run_experts(x_LD: Tensor, weights_LA: Tensor, ids_LA: Tensor, experts: ExpertWeights) -> Tensor:
    """Weighted sum of each token's experts [L, D] for inference with many rows: tokens are sorted by expert, and each
    expert multiplies its rows once. Sums are fp32; memory is L * A rows of D in x's dtype.
    """
    order_N = ids_LA.flatten().argsort(stable=True)
    if x_LD.is_cuda and x_LD.dtype == torch.bfloat16 and isinstance(experts, Experts):
        places_N = torch.arange(len(order_N), device=x_LD.device)
        return sum_experts(grouped_mm_rows(x_LD, ids_LA, order_N, experts), weights_LA, order_N, places_N)
    counts_E = torch.bincount(ids_LA.flatten(), minlength=experts.num_experts)
    multiple = 1 if x_LD.dtype == torch.float32 else ROWS_TOGETHER
    filled_E = (counts_E + multiple - 1) // multiple * multiple
    added_E = (filled_E - counts_E).cumsum(0).roll(1)
    added_E[0] = 0
    places_N = torch.arange(len(order_N), device=x_LD.device) + added_E.repeat_interleave(counts_E)
    filled = filled_E.tolist()
    tokens = torch.zeros(sum(filled), dtype=torch.int64, device=x_LD.device)
    tokens[places_N] = order_N // ids_LA.shape[-1]
    rows_ND = x_LD.new_empty(len(tokens), x_LD.shape[-1])
    parts = zip(tokens.split(filled), rows_ND.split(filled), strict=True)
    for expert, (part_N, out_ND) in enumerate(parts):
        if len(part_N):
            gate_up_ID, down_DI = experts.weights(expert)
            gate_NI, up_NI = F.linear(x_LD.index_select(0, part_N), gate_up_ID).chunk(2, dim=-1)
            torch.mm(F.silu(gate_NI).mul_(up_NI), down_DI.T, out=out_ND)
    return sum_experts(rows_ND, weights_LA, order_N, places_N)


def grouped_mm_rows(x_LD: Tensor, ids_LA: Tensor, order_N: Tensor, experts: Experts) -> Tensor:
    """Each expert's rows [L * A, D] one after the other, by torch's grouped kernel: no wait for the device."""
    expert_E = torch.arange(experts.num_experts, device=ids_LA.device)
    ends_E = torch.searchsorted(ids_LA.flatten()[order_N], expert_E, right=True).to(torch.int32)
    rows_ND = x_LD[order_N // ids_LA.shape[-1]]
    gate_NI, up_NI = F.grouped_mm(rows_ND, experts.gate_up_proj.mT, offs=ends_E).chunk(2, dim=-1)
    return F.grouped_mm(F.silu(gate_NI).mul_(up_NI), experts.down_proj.mT, offs=ends_E)


def sum_experts(rows_ND: Tensor, weights_LA: Tensor, order_N: Tensor, places_N: Tensor) -> Tensor:
    """Sum in fp32 of each token's A rows by its fp32 weights; `places_N` says where the rows of `order_N` are.

    `embedding_bag` takes weights of the rows' dtype: a half one is given as the sum of two.
    """
    places_LA = torch.empty_like(order_N).scatter_(0, order_N, places_N).view_as(weights_LA)
    if rows_ND.dtype != weights_LA.dtype:
        high_LA = weights_LA.to(rows_ND.dtype)
        weights_LA = torch.cat((high_LA, (weights_LA - high_LA).to(rows_ND.dtype)), dim=-1)
        places_LA = torch.cat((places_LA, places_LA), dim=-1)
    return F.embedding_bag(places_LA, rows_ND, mode="sum", per_sample_weights=weights_LA)


def grouped_experts(x_LD: Tensor, weights_LA: Tensor, ids_LA: Tensor, gate_up_EID: Tensor, down_EDI: Tensor) -> Tensor:
    """Weighted sum of each token's experts: tokens are sorted by expert, each expert multiplies its rows once."""
    num_experts, num_active = gate_up_EID.shape[0], ids_LA.shape[-1]
    order = ids_LA.flatten().argsort(stable=True)
    counts = torch.bincount(ids_LA.flatten(), minlength=num_experts).tolist()
    rows = x_LD[order // num_active]
    outputs = [
        _swiglu(part, gate_up_EID[expert], down_EDI[expert])
        for expert, part in enumerate(rows.split(counts))
        if counts[expert]
    ]
    weighted = torch.cat(outputs).float() * weights_LA.flatten()[order, None]
    sums_LD = torch.zeros(x_LD.shape, dtype=torch.float32, device=x_LD.device)
    return sums_LD.index_add(0, order // num_active, weighted).to(x_LD.dtype)


def plain_experts(x_LD: Tensor, weights_LA: Tensor, ids_LA: Tensor, gate_up_EID: Tensor, down_EDI: Tensor) -> Tensor:
    """The same sum, token by token and expert by expert: the twin that `grouped_experts` is checked against."""
    out_LD = torch.zeros(x_LD.shape, dtype=torch.float32, device=x_LD.device)
    for token, (weights_A, ids_A) in enumerate(zip(weights_LA, ids_LA, strict=True)):
        for weight, expert in zip(weights_A, ids_A.tolist(), strict=True):
            out_LD[token] += weight * _swiglu(x_LD[token], gate_up_EID[expert], down_EDI[expert]).float()
    return out_LD.to(x_LD.dtype)


def _swiglu(x_LD: Tensor, gate_up_ID: Tensor, down_DI: Tensor) -> Tensor:
    gate_LI, up_LI = F.linear(x_LD, gate_up_ID).chunk(2, dim=-1)
    return F.linear(F.silu(gate_LI) * up_LI, down_DI)


ExpertsFunction = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


class MoE(nn.Module):
    """Routed experts plus the shared ones, which see every token, unscaled."""

    def __init__(self, config: TextConfig, run_experts: ExpertsFunction = grouped_experts) -> None:
        super().__init__()
        self.gate = Router(config)
        self.experts = Experts(config)
        self.shared_experts = (
            MLP(config.hidden_size, config.n_shared_experts * config.moe_intermediate_size)
            if config.n_shared_experts
            else None
        )
        self.run_experts = run_experts

    def forward(self, x_BLD: Tensor) -> Tensor:
        x_LD = x_BLD.flatten(0, -2)
        weights_LA, ids_LA = self.gate(x_LD)
        experts = cast("Experts | ExpertWeights", self.experts)  # quantised ones take the place of its own
        if isinstance(experts, Experts):
            routed_LD = self.run_experts(x_LD, weights_LA, ids_LA, experts.gate_up_proj, experts.down_proj)
        else:
            routed_LD = run_experts(x_LD, weights_LA, ids_LA, experts)
        out_BLD = routed_LD.view_as(x_BLD)
        return out_BLD if self.shared_experts is None else out_BLD + self.shared_experts(x_BLD)
