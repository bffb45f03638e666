"""A checkpoint of any size with random weights, for measuring what needs no trained ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice, product
from math import prod
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from .config import DTypeName, KimiVLConfig
from .layout import FP32_SUFFIX, empty_model, model_layout
from .tensor_files import MAX_SHARD_BYTES, new_checkpoint, plan_bytes, spec_of, write_shards
from .tokenizer import NUM_SPECIAL, SPECIAL_OFFSETS, write_tiktoken_model
from .weights import write_configs

_PATTERN = 16_777_213  # a prime: random values come again after so many, so no two rows of a matrix are alike
_LETTERS = [bytes([letter]) for letter in b"etaoinshrdlucmfwypvbgkjqxz"]


def write_random_checkpoint(
    config: KimiVLConfig,
    folder: Path,
    *,
    seed: int = 0,
    dtype: torch.dtype = torch.bfloat16,
    progress: Callable[[int, int], None] | None = None,
    max_shard_bytes: int = MAX_SHARD_BYTES,
    free_bytes: int | None = None,
) -> None:
    """Write a new folder with weights scaled so that activations stay near 1, both configs and a made-up vocabulary.

    Written shard by shard: memory does not grow with the model. `progress` and `free_bytes` as for
    `quantize_checkpoint`. Raises BadCheckpoint for a folder that holds a checkpoint, NotEnoughDisk.
    """
    num_tokens = config.media_placeholder_token_id - SPECIAL_OFFSETS["<|media_pad|>"]
    if not 256 <= num_tokens <= config.text.vocab_size - NUM_SPECIAL:
        raise ValueError(
            f"a vocabulary of {config.text.vocab_size} with media_placeholder_token_id "
            f"{config.media_placeholder_token_id} has no room for 256 bytes before and {NUM_SPECIAL} control tokens "
            "around it"
        )
    if config.quantization is not None:
        raise ValueError("random weights are written in full: quantise the folder afterwards")
    layout = model_layout(empty_model(config))
    plan = {
        name: {name: spec_of(place.shape, torch.float32 if name.endswith(FP32_SUFFIX) else dtype)}
        for name, place in layout.items()
    }
    pattern = torch.randn(_PATTERN, generator=torch.Generator().manual_seed(seed))
    patterns = {torch.float32: pattern, dtype: pattern.to(dtype)}
    starts = torch.randint(_PATTERN, (len(layout),), generator=torch.Generator().manual_seed(seed + 1)).tolist()
    start_of = dict(zip(layout, cast("list[int]", starts), strict=True))

    def make(name: str) -> dict[str, Tensor]:
        shape = layout[name].shape
        values = patterns[torch.float32 if name.endswith(FP32_SUFFIX) else dtype]
        tensor = torch.empty(shape, dtype=values.dtype)
        _tile(tensor.view(-1), values, start_of[name])
        fan_in = prod(shape[1:]) if len(shape) > 1 else 100  # biases are small
        is_norm = "norm" in name and name.endswith("weight")
        return {name: tensor.mul_(fan_in**-0.5).add_(1.0 if is_norm else 0.0)}

    with new_checkpoint(folder, plan_bytes(plan), free_bytes=free_bytes):
        write_shards(folder, plan, make, max_shard_bytes=max_shard_bytes, progress=progress)
        write_tiktoken_model(list(islice(_tokens(), num_tokens)), folder / "tiktoken.model")
        name = cast("DTypeName", str(dtype).removeprefix("torch."))
        write_configs(replace(config, torch_dtype=name), folder)


def _tile(flat: Tensor, pattern: Tensor, start: int) -> None:
    """Repeat the pattern over a tensor, beginning at `start` of it."""
    at = 0
    while at < flat.numel():
        count = min(flat.numel() - at, pattern.numel() - start)
        flat[at : at + count] = pattern[start : start + count]
        at, start = at + count, 0


def _tokens() -> Iterator[bytes]:
    """Distinct tokens without end: bytes, 000 to 999, and strings of letters, the commonest first."""
    yield from (bytes([byte]) for byte in range(256))
    yield from (b"%02d" % number for number in range(100))
    yield from (b"%03d" % number for number in range(1000))
    length = 2
    while True:
        yield from map(b"".join, product(_LETTERS, repeat=length))
        length += 1
