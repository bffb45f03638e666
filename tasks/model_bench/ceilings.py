"""What the machine can do at most, measured on the spot, and how much of it a piece of work needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor

from ...model import KimiVL, KimiVLConfig
from ...model.counts import count_model
from ...model.native import read_bandwidth
from ...model.native_library import Library, load_library
from .measure import interleave

READ_BYTES = 1 << 30  # far more than any cache keeps
MATMUL_ROWS = 2048


@dataclass(frozen=True)
class Ceilings:
    """Bytes read and floating-point operations in a second: the medians of large plain ones."""

    read_bytes_s: float
    flops_s: float

    def to_json(self) -> dict[str, Any]:
        return {
            "read_GB_s": round(self.read_bytes_s / 1e9, 2),
            "compute_GFLOP_s": round(self.flops_s / 1e9, 1),
        }


def measure_ceilings(dtype: torch.dtype, device: torch.device, *, read_bytes: int = READ_BYTES) -> Ceilings:
    """By summing a large tensor (by our own streaming read where it is compiled), and by a large square product."""
    rows = MATMUL_ROWS if read_bytes >= READ_BYTES else 256
    square = torch.randn(rows, 2 * rows, device=device).to(dtype)

    def multiply() -> None:
        torch.mm(square, square.T)
        wait(device)

    compute_s = interleave({"product": multiply}, rounds=5, warmup=1).samples["product"].median_s
    return Ceilings(_read_rate(read_bytes, device), 2 * rows * rows * 2 * rows / compute_s)


def wait(device: torch.device) -> None:
    """Until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def bytes_per_step(model: KimiVL, context: int, rows: int = 1) -> int:
    """What one decode step must read: the weights that `rows` tokens need between them, and their latents.

    Of the routed experts those that are chosen by any of the rows, were the router to choose evenly.
    """
    text = model.config.text
    share = 1 - (1 - text.num_experts_per_tok / text.n_routed_experts) ** rows
    weights = 0.0
    for name, tensor in _tensors(model):
        if not name.startswith("model.embed_tokens."):
            weights += tensor.nbytes * (share if ".mlp.experts." in name else 1)
    return int(weights) + rows * context * cache_bytes_per_token(model)


def cache_bytes_per_token(model: KimiVL) -> int:
    text = model.config.text
    itemsize = model.language_model.model.embed_tokens.weight.dtype.itemsize
    return text.num_hidden_layers * (text.kv_lora_rank + text.qk_rope_head_dim) * itemsize


def prefill_flops(config: KimiVLConfig, tokens: int) -> float:
    """Of a prompt read from nothing: every matrix a token passes, causal attention, the head for the last token."""
    text = config.text
    head = text.vocab_size * text.hidden_size
    matrices = count_model(config).parameters_active - head
    pairs = tokens * (tokens + 1) / 2
    attention = 2 * pairs * text.num_attention_heads * (text.qk_head_dim + text.v_head_dim) * text.num_hidden_layers
    return 2.0 * tokens * matrices + attention + 2.0 * head


def vision_flops(config: KimiVLConfig, grids_hw: Sequence[tuple[int, int]]) -> float:
    """Of the tower and the projector; each image attends to itself alone."""
    vision = config.vision
    patches = [height * width for height, width in grids_hw]
    block = 4 * vision.hidden_size**2 + 2 * vision.hidden_size * vision.intermediate_size
    linear = 2.0 * sum(patches) * (block * vision.num_hidden_layers + 3 * vision.patch_size**2 * vision.hidden_size)
    attention = sum(4.0 * count**2 for count in patches) * vision.hidden_size * vision.num_hidden_layers
    tokens = sum(patches) / prod(vision.merge_kernel_size)
    return linear + attention + 2.0 * tokens * vision.merged_size * (vision.merged_size + config.text.hidden_size)


def _read_rate(read_bytes: int, device: torch.device) -> float:
    library = load_library() if device.type == "cpu" else None
    if isinstance(library, Library):
        return read_bandwidth(library, read_bytes)
    numbers = torch.ones(read_bytes // 4, device=device)

    def read() -> None:
        numbers.sum()
        wait(device)

    seconds = interleave({"read": read}, rounds=5, warmup=1).samples["read"].median_s
    return numbers.nbytes / seconds


def _tensors(model: KimiVL) -> list[tuple[str, Tensor]]:
    return list(model.language_model.state_dict().items())
