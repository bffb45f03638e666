"""Which experts a model uses while it answers."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from .kimi_vl import KimiVL
from .moe import Router


class ExpertLoad:
    """Tokens seen by each routed expert, by router."""

    def __init__(self) -> None:
        self._tokens: dict[str, Tensor] = {}

    def add(self, router: str, ids_LA: Tensor, num_experts: int) -> None:
        """Count the experts chosen for some tokens, int64 [L, A]."""
        counts_E = torch.bincount(ids_LA.flatten().cpu(), minlength=num_experts)
        self._tokens[router] = self._tokens.get(router, 0) + counts_E

    def shares(self) -> dict[str, list[float]]:
        """The share of its router's choices that went to each expert; a row sums to 1."""
        return {name: (counts_E / counts_E.sum()).tolist() for name, counts_E in self._tokens.items()}


@contextmanager
def watch_experts(model: KimiVL) -> Generator[ExpertLoad]:
    """Counts every token that passes a router of the model for as long as the `with` body lasts.

    Of what an engine answers these are the prompts' tokens, in the last layer the prompts' last ones alone; a compiled
    decode step passes no router.
    """
    load = ExpertLoad()
    with ExitStack() as stack:
        for name, module in model.named_modules():
            if isinstance(module, Router):
                handle = module.register_forward_hook(_counting(load, name, module.config.n_routed_experts))
                stack.callback(handle.remove)
        yield load


def _counting(load: ExpertLoad, name: str, num_experts: int) -> Any:
    def count(_module: nn.Module, _inputs: object, output: tuple[Tensor, Tensor]) -> None:
        load.add(name, output[1], num_experts)

    return count
