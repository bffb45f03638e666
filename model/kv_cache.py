"""The latent cache: R + rope values a token a layer, whatever the number of heads."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

from .config import TextConfig

_LAZY_BYTES = 1 << 20  # from so many on, memory on a CPU is taken as it is written to


class LatentCache:
    """Preallocated latents of several sequences, one a row.

    `values` [layers, rows, S, R + rope] holds each token's normed latent and then its rotated key, in the model's
    dtype. Row r has `lengths[r]` tokens; a forward pass writes behind them and calls `advance`. On a CPU room that was
    never written to costs no memory.
    """

    def __init__(
        self, config: TextConfig, rows: int, max_length: int, dtype: torch.dtype, device: torch.device | str = "cpu"
    ) -> None:
        if max_length < 1 or max_length > config.max_position_embeddings:
            raise ValueError(f"max_length must be 1 to {config.max_position_embeddings}, got {max_length}")
        if rows < 1:
            raise ValueError(f"a cache needs at least one row, got {rows}")
        shape = (config.num_hidden_layers, rows, max_length, token_width(config))
        self.values = _zeros(shape, dtype, torch.device(device))
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
        other = self._empty(len(self.lengths), max_length)
        for row, length in enumerate(self.lengths):
            other.copy_row(row, self, row, min(length, length if keep is None else keep))
        return other

    def taken(self, row: int) -> LatentCache:
        """A copy of one row, with no room behind its tokens."""
        other = self._empty(1, max(self.lengths[row], 1))
        other.copy_row(0, self, row, self.lengths[row])
        return other

    def copy_row(self, row: int, other: LatentCache, other_row: int, count: int) -> None:
        """Let a row hold the first `count` tokens of a row of another cache, and nothing else."""
        if count > self.max_length:
            raise ValueError(f"{count} tokens do not fit into {self.max_length}")
        self.values[:, row, :count] = other.values[:, other_row, :count]
        self._next_positions[row] = other._next_positions[other_row][: count + 1]
        self.lengths[row] = count

    def _empty(self, rows: int, max_length: int) -> LatentCache:
        """Another of the same layers, width, dtype and device."""
        layers, _, _, width = self.values.shape
        other = LatentCache.__new__(LatentCache)
        other.values = _zeros((layers, rows, max_length, width), self.values.dtype, self.values.device)
        other.lengths = [0] * rows
        other._next_positions = [[0] for _ in range(rows)]
        return other


def token_width(config: TextConfig) -> int:
    """Values that a layer keeps of a token."""
    return config.kv_lora_rank + config.qk_rope_head_dim


def cache_bytes(config: TextConfig, rows: int, max_length: int, dtype: torch.dtype) -> int:
    """What a full cache takes."""
    return config.num_hidden_layers * rows * max_length * token_width(config) * dtype.itemsize


def _zeros(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Zeros; large ones on a CPU are pages that the system gives when they are first written to."""
    nbytes = prod(shape) * dtype.itemsize
    if device.type != "cpu" or nbytes < _LAZY_BYTES:
        return torch.zeros(shape, dtype=dtype, device=device)
    return torch.frombuffer(mmap.mmap(-1, nbytes), dtype=dtype).view(shape)
