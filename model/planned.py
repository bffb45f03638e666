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


def planned_manifest(
    path: str | Path,
    *,
    device: str = "auto",
    dtype: str = "auto",
    quantize: str | None = None,
    elsewhere: bool = False,
) -> dict[str, Any]:
    """As `Engine.manifest()` says it, but for the settings; reads every weight once, for its hash.

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
        "versions": {"moonhand": metadata.version("moonhand"), "torch": torch_version()},
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
