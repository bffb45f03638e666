"""What `load` would make, told without loading it: for those who plan work that other processes do."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from .config import load_config
from .engine import (
    _dtype,  # pyright: ignore[reportPrivateUsage] (the rule for "auto" shall be one)
    _quantization,  # pyright: ignore[reportPrivateUsage]
    _sha256,  # pyright: ignore[reportPrivateUsage]
    checkpoint_folder,
    device_for,
)
from .weights import weight_files

SMALL_BYTES = 16 << 20  # read at once


def planned_manifest(
    path: str | Path,
    *,
    device: str = "auto",
    dtype: str = "auto",
    quantize: str | None = None,
    elsewhere: bool = False,
) -> dict[str, Any]:
    """As `Engine.manifest()` says it, but for the settings, and `files_sha256`; reads every file once, for its hash.

    `elsewhere`: a CUDA device that is named is one of other machines, with bf16. BadConfig, NoDevice, and BadCheckpoint
    where there are no weights.
    """
    folder = checkpoint_folder(path)
    config = load_config(folder)
    if elsewhere and device.startswith("cuda"):
        place, dtype = torch.device("cuda"), "bfloat16" if dtype == "auto" else dtype
    else:
        place = device_for(device)
    return {
        "model": "nano" if path == "nano" else folder.resolve().name,
        "device": place.type,
        "dtype": str(_dtype(dtype, place)).removeprefix("torch."),
        "quantization": _quantization(quantize) or config.quantization,
        "image_processor": config.preprocessor_json(),
        "weights_sha256": {file.name: _sha256(file) for file in weight_files(folder)},
        "files_sha256": file_hashes(folder),
        "versions": {"moonhand": metadata.version("moonhand"), "torch": torch_version()},
    }


def file_hashes(path: str | Path, *, most_bytes: int | None = None) -> dict[str, str]:
    """SHA-256 of the checkpoint's files beside its weights, by name: configuration, tokenizer, calibration.

    No README and no hidden file; none of more than `most_bytes`.
    """
    folder = checkpoint_folder(path)
    weights = {file.name for file in weight_files(folder)}
    return {
        file.name: _sha256(file)
        for file in sorted(folder.iterdir())
        if file.is_file()
        and file.name not in weights
        and not file.name.startswith((".", "README"))
        and (most_bytes is None or file.stat().st_size <= most_bytes)
    }


def num_devices() -> int:
    """CUDA devices that torch sees here."""
    return torch.cuda.device_count()


def use_threads(count: int) -> int:
    """Of torch's arithmetic on the CPU, from now on; how many it were."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    return before


def torch_version() -> str:
    return torch.__version__
