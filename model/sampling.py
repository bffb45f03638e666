"""How the next token is chosen from the logits: greedy, or temperature and top-p with a seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .errors import ModelError


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """How a reply is drawn and when it ends. Temperature 0 is greedy; `stop_ids` None is the family's own stops.

    `watch_ids` are tokens whose probability is wanted at every step, whether they are chosen or not.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    max_new_tokens: int = 256
    seed: int = 0
    stop_ids: frozenset[int] | None = None
    watch_ids: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise ValueError(f"temperature must be a number >= 0, got {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must lie in (0, 1], got {self.top_p}")
        if self.max_new_tokens < 1:
            raise ValueError(f"max_new_tokens must be >= 1, got {self.max_new_tokens}")


def choose(logits_NV: Tensor, config: SamplingConfig, generators: Sequence[torch.Generator]) -> list[tuple[int, float]]:
    """For each row the next id and its log-probability under the model's own distribution (temperature 1, no cut).

    Draws are made on the CPU, each row with its own CPU generator, so a seed means the same on every device and in
    any company.
    """
    logprobs_NV = logits_NV.float().log_softmax(-1)
    if config.temperature == 0:
        ids_N = logprobs_NV.argmax(-1)
    else:
        probabilities_NV = (logprobs_NV.cpu() / config.temperature).softmax(-1)
        if not bool(probabilities_NV.isfinite().all()):
            raise ModelError(_NOT_FINITE)
        drawn = [
            torch.multinomial(_keep_top(probabilities_V, config.top_p), 1, generator=generator)
            for probabilities_V, generator in zip(probabilities_NV, generators, strict=True)
        ]
        ids_N = torch.cat(drawn).to(logits_NV.device)
    logprobs_N = logprobs_NV.gather(-1, ids_N[:, None])[:, 0].tolist()
    if not all(map(math.isfinite, logprobs_N)):
        raise ModelError(_NOT_FINITE)
    return list(zip(ids_N.tolist(), logprobs_N, strict=True))


_NOT_FINITE = "the logits are not finite: the weights are damaged, or fp16 overflows (load with dtype float32)"


def _keep_top(probabilities_V: Tensor, top_p: float) -> Tensor:
    """Zero all but the likeliest tokens that together reach `top_p`; the likeliest always stays."""
    if top_p == 1:
        return probabilities_V
    sorted_V, order_V = probabilities_V.sort(descending=True)
    reached_before_V = sorted_V.cumsum(-1) - sorted_V
    return torch.zeros_like(probabilities_V).scatter(-1, order_V, sorted_V * (reached_before_V < top_p))
