"""Whether a model fits the memory that is free, asked before anything is allocated."""

from __future__ import annotations

import os
from collections.abc import Mapping
from math import prod
from pathlib import Path

import torch

from .config import KimiVLConfig, Quantization
from .errors import NotEnoughMemory
from .layout import FP32_SUFFIX, Place
from .quantize import quantized_bits
from .quantized_weight import quantized_shapes

_GIB = 1 << 30
_MEMINFO = Path("/proc/meminfo")
_CONTROL_GROUPS = Path("/sys/fs/cgroup")


def available_bytes(device: torch.device) -> int | None:
    """Memory a new allocation may take on a device; None where the system does not say."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    known = [free for free in (_system_bytes(), group_bytes(_CONTROL_GROUPS)) if free is not None]
    return min(known, default=None)


def group_bytes(folder: Path) -> int | None:
    """What a container's limit leaves, its file cache counted as free; None where there is no limit."""
    try:
        if (folder / "memory.max").exists():
            limit, used, cache = folder / "memory.max", folder / "memory.current", "inactive_file"
        else:  # the first version of control groups
            folder = folder / "memory"
            limit, used, cache = (
                folder / "memory.limit_in_bytes", folder / "memory.usage_in_bytes", "total_inactive_file"
            )  # fmt: skip
        fields = [line.split() for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines()]
        cached = next((int(value) for name, value in fields if name == cache), 0)
        free = int(limit.read_text(encoding="ascii")) - int(used.read_text(encoding="ascii")) + cached
    except (OSError, ValueError):  # also "max": no limit
        return None
    return max(0, free)


def _system_bytes() -> int | None:
    try:
        for line in _MEMINFO.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def needed_bytes(layout: Mapping[str, Place], dtype: torch.dtype, quantization: Quantization | None) -> int:
    """What the model of this layout takes while it is loaded: itself, and its largest tensor as it is read."""
    weights = sum(place_bytes(place, dtype.itemsize, quantization) for place in layout.values())
    return weights + max(prod(place.shape) for place in layout.values()) * dtype.itemsize


def place_bytes(place: Place, itemsize: int, quantization: Quantization | None) -> int:
    """What a tensor takes in the model, where numbers that are not quantised have `itemsize` bytes."""
    bits = quantized_bits(place.parameter, quantization)
    if bits is not None:
        codes, scales = quantized_shapes(place.shape, bits)
        return prod(codes) + prod(scales) * (4 if bits == 8 else 2)
    return prod(place.shape) * (4 if place.parameter.endswith(FP32_SUFFIX) else itemsize)


def require_memory(
    layout: Mapping[str, Place],
    config: KimiVLConfig,
    *,
    dtype: torch.dtype,
    device: torch.device,
    quantization: Quantization | None,
    available: int | None = None,
) -> None:
    """NotEnoughMemory, with the next step, if the weights of this layout do not fit `available` bytes."""
    available = available_bytes(device) if available is None else available
    needed = needed_bytes(layout, dtype, quantization)
    if available is None or needed <= available:
        return
    where = "memory" if device.type == "cpu" else f"the memory of {device}"
    smaller: tuple[Quantization, ...] = () if config.quantization else ("int8", "int4")
    for kind in smaller:
        less = needed_bytes(layout, dtype, kind)
        if less < needed and less <= available:
            step = f"load it with quantize={kind!r} (about {less / _GIB:.1f} GiB)"
            break
    else:
        step = "close other programs, or take a machine with more" if device.type == "cpu" else "load it on the CPU"
    held = quantization or str(dtype).removeprefix("torch.")
    raise NotEnoughMemory(
        f"the model needs {needed / _GIB:.1f} GiB in {held} and {available / _GIB:.1f} GiB of {where} are free: {step}"
    )
