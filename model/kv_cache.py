"""The latent cache: R + rope values a token a layer, whatever the number of heads."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .config import TextConfig


class LatentCache:
    """Preallocated latents of several sequences, one a row.

    `values` [layers, rows, S, R + rope] holds each token's normed latent and then its rotated key, in the model's
    dtype. Row r has `lengths[r]` tokens; a forward pass writes behind them and calls `advance`.
    """

    def __init__(
        self, config: TextConfig, rows: int, max_length: int, dtype: torch.dtype, device: torch.device | str = "cpu"
    ) -> None:
        if max_length < 1 or max_length > config.max_position_embeddings:
            raise ValueError(f"max_length must be 1 to {config.max_position_embeddings}, got {max_length}")
        if rows < 1:
            raise ValueError(f"a cache needs at least one row, got {rows}")
        width = config.kv_lora_rank + config.qk_rope_head_dim
        self.values = torch.zeros(config.num_hidden_layers, rows, max_length, width, dtype=dtype, device=device)
        self.lengths = [0] * rows
        self._next_positions = [[0] for _ in range(rows)]  # for each number of tokens kept, the next one's position

    @property
    def max_length(self) -> int:
        return self.values.shape[2]

    @property
    def nbytes(self) -> int:
        return self.values.nbytes

    def next_position(self, row: int) -> int:
        """Of the token after those kept: their number, or more where a picture's blank parts were left out."""
        return self._next_positions[row][self.lengths[row]]

    def require_room(self, row: int, count: int) -> None:
        """ValueError where a row cannot take so many more tokens."""
        if self.lengths[row] + count > self.max_length:
            raise ValueError(f"the cache holds {self.max_length} tokens a row, {self.lengths[row] + count} are needed")

    def advance(self, row: int, positions: Sequence[int]) -> None:
        """Count the tokens that every layer has written; `positions` are theirs."""
        self.require_room(row, len(positions))
        length = self.lengths[row]
        # Whoever is stopped between the two lines leaves the row as it was.
        self._next_positions[row][length + 1 :] = [position + 1 for position in positions]
        self.lengths[row] = length + len(positions)

    def truncate(self, row: int, length: int) -> None:
        """Keep the first `length` tokens of a row."""
        if not 0 <= length <= self.lengths[row]:
            raise ValueError(f"cannot keep {length} of {self.lengths[row]} cached tokens")
        self.lengths[row] = length
        del self._next_positions[row][length + 1 :]

    def grown(self, max_length: int, *, keep: int | None = None) -> LatentCache:
        """A copy with room for `max_length` tokens a row, of the first `keep` tokens of each (None: of all)."""
        layers, rows, _, width = self.values.shape
        other = LatentCache.__new__(LatentCache)
        other.values = self.values.new_zeros(layers, rows, max_length, width)
        other.lengths = [min(length, length if keep is None else keep) for length in self.lengths]
        if max(other.lengths) > max_length:
            raise ValueError(f"{max(other.lengths)} tokens do not fit into {max_length}")
        other._next_positions = [
            positions[: length + 1] for positions, length in zip(self._next_positions, other.lengths, strict=True)
        ]
        for row, length in enumerate(other.lengths):
            other.values[:, row, :length] = self.values[:, row, :length]
        return other
