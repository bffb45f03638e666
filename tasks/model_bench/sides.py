"""The two sides of every comparison: one interface, with our runtime behind it here and transformers in `peer.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from ...model import KimiVL, LatentCache
from ...model.runtime import Span, TextRuntime

Grids = Sequence[tuple[int, int]]


class TextSide(Protocol):
    """A decoder that reads prompts and takes steps."""

    def read(self, ids_L: Tensor, features_TD: Tensor | None = None) -> Tensor:
        """Logits [V] after a prompt, read from nothing; the media placeholders in it stand for the features."""
        ...

    def fill(self, latents_NBSC: Tensor) -> None:
        """Go on from B sequences of S tokens, given as what a cache holds of them: [layers, B, S, R + rope]."""
        ...

    def rewind(self) -> None:
        """Forget every token after those of `fill`."""
        ...

    def step(self, ids_B: Tensor) -> Tensor:
        """Logits [B, V] after one more token of each sequence."""
        ...


class VisionSide(Protocol):
    """A tower and its projector."""

    def encode(self, pixels_PCHW: Tensor, grids_hw: Grids) -> Tensor:
        """Image features [T, D]."""
        ...


class OurText:
    """Our runtime. `room` is how many steps may follow a `fill`."""

    def __init__(self, model: KimiVL, runtime: TextRuntime, *, room: int = 64) -> None:
        self._model = model
        self._runtime = runtime
        self._room = room
        weight = model.language_model.model.embed_tokens.weight
        self._dtype, self._device = weight.dtype, weight.device
        self._cache: LatentCache | None = None
        self._filled = 0

    @torch.inference_mode()
    def read(self, ids_L: Tensor, features_TD: Tensor | None = None) -> Tensor:
        x_LD = self._model.embed(ids_L[None], features_TD)[0]
        cache = self._new_cache(1, len(ids_L))
        return self._runtime.prefill(x_LD, cache, [Span(0, len(ids_L))], range(len(ids_L)))[0]

    @torch.inference_mode()
    def fill(self, latents_NBSC: Tensor) -> None:
        _, batch, self._filled, _ = latents_NBSC.shape
        self._cache = self._new_cache(batch, self._filled + self._room)
        self._cache.values[:, :, : self._filled] = latents_NBSC
        for row in range(batch):
            self._cache.advance(row, range(self._filled))

    def rewind(self) -> None:
        for row in range(len(self._filled_cache.lengths)):
            self._filled_cache.truncate(row, self._filled)

    @torch.inference_mode()
    def step(self, ids_B: Tensor) -> Tensor:
        x_BD = self._model.embed(ids_B[None])[0]
        return self._runtime.step(x_BD, self._filled_cache, range(len(ids_B)))

    @property
    def _filled_cache(self) -> LatentCache:
        if self._cache is None:
            raise ValueError("fill comes before step")
        return self._cache

    def _new_cache(self, rows: int, length: int) -> LatentCache:
        return LatentCache(self._model.config.text, rows, length, self._dtype, self._device)


class OurVision:
    def __init__(self, model: KimiVL) -> None:
        self._model = model

    @torch.inference_mode()
    def encode(self, pixels_PCHW: Tensor, grids_hw: Grids) -> Tensor:
        return self._model.encode_images(pixels_PCHW, grids_hw)
