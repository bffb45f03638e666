"""The latent cache: R + rope values a token a layer, whatever the number of heads."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .config import TextConfig


class LatentCache:
    """Preallocated latents of every layer; `length` tokens are filled.

    A forward pass appends to each layer and then calls `advance`; `truncate` forgets everything after a prefix.
    """

    def __init__(
        self, config: TextConfig, batch: int, max_length: int, dtype: torch.dtype, device: torch.device | str = "cpu"
    ) -> None:
        if max_length < 1 or max_length > config.max_position_embeddings:
            raise ValueError(f"max_length must be 1 to {config.max_position_embeddings}, got {max_length}")
        width = config.kv_lora_rank + config.qk_rope_head_dim
        self.max_length = max_length
        self.length = 0
        self._next_positions = [0]  # for each number of tokens kept, the position of the one after them
        self._rank = config.kv_lora_rank
        self._values = torch.zeros(config.num_hidden_layers, batch, max_length, width, dtype=dtype, device=device)

    def layer(self, index: int) -> LayerCache:
        return LayerCache(self._values[index], self.length, self._rank)

    @property
    def next_position(self) -> int:
        """Of the token after those kept: their number, or more where a picture's blank parts were left out."""
        return self._next_positions[self.length]

    def advance(self, positions: Sequence[int]) -> None:
        """Count the tokens that every layer has appended; `positions` are theirs."""
        self.length += len(positions)
        self._next_positions += [position + 1 for position in positions]

    def truncate(self, length: int) -> None:
        """Keep the first `length` tokens."""
        if not 0 <= length <= self.length:
            raise ValueError(f"cannot keep {length} of {self.length} cached tokens")
        self.length = length
        del self._next_positions[length + 1 :]


class LayerCache:
    """One layer's view of the cache during one forward pass."""

    def __init__(self, values_BSR: Tensor, start: int, rank: int) -> None:
        self._values_BSR = values_BSR
        self._start = start
        self._rank = rank

    def append(self, latent_BLR: Tensor, k_rope_BLK: Tensor) -> tuple[Tensor, Tensor]:
        """Store the new tokens; return latents and rotated keys of all tokens so far."""
        end = self._start + latent_BLR.shape[1]
        if end > self._values_BSR.shape[1]:
            raise ValueError(f"the cache holds {self._values_BSR.shape[1]} tokens, {end} are needed")
        self._values_BSR[:, self._start : end, : self._rank] = latent_BLR
        self._values_BSR[:, self._start : end, self._rank :] = k_rope_BLK
        seen_BSR = self._values_BSR[:, :end]
        return seen_BSR[..., : self._rank], seen_BSR[..., self._rank :]
