"""The latent cache in the place of transformers' own: what `generate` keeps between steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import Cache

from .config import TextConfig
from .errors import ContextTooLong
from .kv_cache import LatentCache
from .runtime import TextRuntime

_GROWTH = 256  # tokens of room that are made at least, where nobody said how many will come


class LatentStates(Cache):
    """Latents of every sequence of a batch, without its padding.

    `generate` counts columns of its padded batch; a row holds only the tokens that the attention mask has there.
    Empty until the first forward pass, which brings a batch and the runtime that reads and writes the latents.
    """

    def __init__(self, config: TextConfig, *, new_tokens: int | None = None) -> None:
        """`new_tokens` is how many are expected behind the prompt: room for them is made at once."""
        super().__init__(layers=[])
        self.latents: LatentCache | None = None
        self.runtime: TextRuntime | None = None
        self._config = config
        self._new_tokens = new_tokens
        self._mask_BS: Tensor | None = None  # bool, on the CPU: which columns a row has tokens of

    def take(self, mask_BL: Tensor, dtype: torch.dtype, device: torch.device) -> LatentCache:
        """The latents, with room for the tokens of further columns; `mask_BL` (bool) says which rows have them.

        The columns count from here on. Raises ContextTooLong.
        """
        mask_BL = mask_BL.cpu()
        longest = int(mask_BL.sum(-1).max())
        if self.latents is None or self._mask_BS is None:
            self._mask_BS = mask_BL
            room = self._room(longest, longest + (_GROWTH if self._new_tokens is None else self._new_tokens))
            self.latents = LatentCache(self._config, len(mask_BL), room, dtype, device)
            return self.latents
        if len(mask_BL) != len(self._mask_BS):
            raise ValueError(f"the cache holds {len(self._mask_BS)} sequences, {len(mask_BL)} are given")
        needed = max(
            length + int(more) for length, more in zip(self.latents.lengths, mask_BL.sum(-1).tolist(), strict=True)
        )
        if needed > self.latents.max_length:
            self.latents = self.latents.grown(self._room(needed, 2 * needed))
        self._mask_BS = torch.cat((self._mask_BS, mask_BL), dim=1)
        return self.latents

    def _room(self, needed: int, wished: int) -> int:
        limit = self._config.max_position_embeddings
        if needed > limit:
            raise ContextTooLong(f"{needed} tokens are over the model's {limit}: send fewer pictures or less text")
        return min(wished, limit)

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Columns seen, padding included."""
        return 0 if self._mask_BS is None else self._mask_BS.shape[1]

    def get_max_length(self, layer_idx: int | None = None) -> int:
        return self._config.max_position_embeddings

    get_max_cache_shape = get_max_length

    @property
    def is_initialized(self) -> bool:
        return self.latents is not None

    @property
    def batch_size(self) -> int:
        return 0 if self._mask_BS is None else len(self._mask_BS)

    @property
    def is_compileable(self) -> bool:
        return False

    @property
    def is_croppable(self) -> bool:
        return True

    @property
    def is_sliding(self) -> list[bool]:
        return [False] * self._config.num_hidden_layers

    def __len__(self) -> int:
        return self._config.num_hidden_layers

    def reset(self) -> None:
        self.latents, self._mask_BS = None, None

    def crop(self, tokens_to_remove: int) -> None:
        """Forget the last columns, in all rows."""
        if self.latents is None or self._mask_BS is None or tokens_to_remove == 0:
            return
        self._mask_BS = self._mask_BS[:, : self._mask_BS.shape[1] - abs(tokens_to_remove)]
        for row, length in enumerate(self._mask_BS.sum(-1).tolist()):
            self.latents.truncate(row, length)

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Let row i go on where row `beam_idx[i]` was."""
        self._select(beam_idx.tolist())

    def batch_select_indices(self, indices: Tensor) -> None:
        self._select(indices.tolist())

    def batch_repeat_interleave(self, repeats: int) -> None:
        self._select([row for row in range(self.batch_size) for _ in range(repeats)])

    @torch.inference_mode()
    def _select(self, rows: Sequence[int]) -> None:
        old = self.latents
        if old is None or self._mask_BS is None or list(rows) == list(range(len(self._mask_BS))):
            return
        new = LatentCache(self._config, len(rows), old.max_length, old.values.dtype, old.values.device)
        for row, source in enumerate(rows):
            new.copy_row(row, old, source, old.lengths[source])
        self.latents, self._mask_BS = new, self._mask_BS[list(rows)]

    def update(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("this cache holds latents, not keys and values: only a Kimi-VL of moonhand.model.hf fills it")
