"""Around the loop when a finished checkpoint learns more: does it fit, how is it loaded, how is it written again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import cast

import torch

from .counts import ModelCounts
from .engine import cpu_multiplies_bf16
from .kimi_vl import KimiVL
from .weights import FP32_SUFFIX, INDEX_FILE, load_model, save_checkpoint

FULL_BYTES = 16  # a parameter: fp32 weight, gradient and at most two moments
MARGIN = 1.1  # buffers and some activations; a lower bound, long prompts take more
CARRIED_SUFFIXES = (".json", ".model", ".jinja", ".py", ".txt")  # of a checkpoint's files beside the weights
NOT_CARRIED = ("config.json", "preprocessor_config.json", INDEX_FILE, "calibration.json")  # written anew, or not true


def training_bytes(counts: ModelCounts, *, all_weights: bool) -> int:
    """What training takes at the least: every weight in fp32 with its optimiser's states, or frozen ones as stored."""
    return int(MARGIN * (FULL_BYTES * counts.parameters if all_weights else counts.bytes))


def load_to_train(folder: Path, device: torch.device, *, all_weights: bool) -> KimiVL:
    """The checkpoint's model: in fp32 where all weights learn, as stored where an adapter does."""
    return load_model(folder, device=device, dtype=torch.float32 if all_weights else None)


def product_dtype(device: torch.device) -> torch.dtype | None:
    """bf16 for matrix products where the hardware multiplies it, else None: as the weights are."""
    fast = torch.cuda.is_bf16_supported() if device.type == "cuda" else cpu_multiplies_bf16()
    return torch.bfloat16 if fast else None


def save_tuned(model: KimiVL, base: Path, folder: Path) -> None:
    """Write the model, in the dtype that its config names, beside the base's vocabulary and other small files.

    The model itself is rounded. A calibration of the base is left behind: it says how sure other weights were.
    """
    stored = cast("torch.dtype", getattr(torch, model.config.torch_dtype))
    for name, parameter in model.named_parameters():
        if not name.endswith(FP32_SUFFIX):
            parameter.data = parameter.data.to(stored)
    save_checkpoint(model, folder)
    for path in sorted(base.iterdir()):
        if path.is_file() and path.suffix in CARRIED_SUFFIXES and path.name not in NOT_CARRIED:
            shutil.copyfile(path, folder / path.name)
