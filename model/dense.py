"""The objective that teaches nano from nothing: the dense losses of `losses.py`, with their heads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from .kimi_vl import KimiVL
from .losses import Losses, LossWeights, TrainingHeads, Vocabulary, compute_losses
from .packing import Batch


class DenseObjective:
    """Language and dense losses on packed screens. The heads begin from `seed`, on the model's device."""

    def __init__(
        self,
        model: KimiVL,
        vocabulary: Vocabulary,
        *,
        num_characters: int,
        num_kinds: int,
        weights: LossWeights | None = None,
        seed: int = 0,
    ) -> None:
        self._model = model
        self._vocabulary = vocabulary
        self._weights = weights or LossWeights()
        self._device = next(model.parameters()).device
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(seed)
            heads = TrainingHeads(model, num_characters=num_characters, num_kinds=num_kinds)
        self.heads = heads.to(self._device)

    def __call__(self, batch: Batch) -> Losses:
        return compute_losses(self._model, self.heads, self._vocabulary, batch, self._weights, self._device)

    def parameters(self) -> Iterable[nn.Parameter]:
        return self.heads.parameters()

    def state_dict(self) -> Mapping[str, Any]:
        return self.heads.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> object:
        return self.heads.load_state_dict(state)
