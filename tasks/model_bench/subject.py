"""What is measured: a model with its weights and runtime, from a checkpoint or random at published sizes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from ...model import KimiVL, KimiVLConfig, load, load_config
from ...model.config import Quantization
from ...model.engine import DTYPES, cpu_multiplies_bf16, device_for
from ...model.errors import NotEnoughMemory
from ...model.layout import FP32_SUFFIX
from ...model.memory import require_memory
from ...model.presets import PRESETS, preset
from ...model.quantize import BITS, install_quantized, quantize_model, quantized_bits
from ...model.quantized_weight import QuantizedWeight, empty_quantized
from ...model.weights import empty_model, model_layout
from ..errors import BadRequest

NAMES = (*PRESETS, "nano")
PATTERN = 4_194_301  # a prime: random values repeat after so many, and no two experts come out alike


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to build. `source` is one of NAMES, whatever folders there are, or a checkpoint's folder."""

    source: str = "small"
    dtype: str = "auto"
    device: str = "auto"
    quantize: str | None = None
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A model ready to be measured; `plain` are its weights before they were quantised, which its peer gets too."""

    name: str
    model: KimiVL
    dtype: torch.dtype
    device: torch.device
    quantize: str | None
    plain: dict[str, Tensor]
    is_trained: bool = False

    @property
    def config(self) -> KimiVLConfig:
        return self.model.config


def build(request: Request, *, with_plain: bool = True) -> Subject:
    """Load or make the model. BadRequest for what cannot be, before anything is allocated; ModelError of a folder.

    Without `with_plain` a quantised model's plain weights are never there, and its memory is its own.
    """
    device = device_for(request.device)
    dtype = _dtype(request.dtype, device)
    if request.quantize is not None and request.quantize not in BITS:
        raise BadRequest(f"--quantize {request.quantize!r} is not one of {', '.join(BITS)}")
    quantize = request.quantize
    is_folder = request.source not in NAMES and Path(request.source).is_dir()
    is_trained = request.source == "nano" or is_folder
    if not is_trained and request.source not in PRESETS:
        raise BadRequest(f"there is no config {request.source!r}: give {', '.join(NAMES)}, or a checkpoint's folder")
    make = _load if is_trained else _invent
    is_stored = is_folder and load_config(Path(request.source)).quantization is not None
    try:
        model = make(request, dtype, device, None if with_plain and not is_stored else quantize)
    except NotEnoughMemory:
        if quantize is None:
            raise
        model, plain = make(request, dtype, device, quantize), dict[str, Tensor]()
    else:
        plain = dict(model.state_dict()) if model.config.quantization is None else {}
        if quantize is not None and plain:
            quantize_model(model, BITS[quantize])
    return Subject(
        name=request.source,
        model=model,
        dtype=dtype,
        device=device,
        quantize=model.config.quantization,
        plain=plain,
        is_trained=is_trained,
    )


def in_format(subject: Subject, quantize: Quantization) -> Subject:
    """The same sizes with weights in 8 or 4 bits: other random ones, or the checkpoint's; the peer's stay."""
    if subject.is_trained:
        model = load(subject.name, device=subject.device, dtype=subject.dtype, quantize=quantize).model
    else:
        model = random_model(subject.config, dtype=subject.dtype, device=subject.device, quantize=quantize)
    return replace(subject, model=model, quantize=quantize)


def _load(request: Request, dtype: torch.dtype, device: torch.device, quantize: Quantization | None) -> KimiVL:
    return load(request.source, device=device, dtype=dtype, quantize=quantize).model


def _invent(request: Request, dtype: torch.dtype, device: torch.device, quantize: Quantization | None) -> KimiVL:
    config = preset(request.source)
    layout = model_layout(empty_model(config))
    require_memory(layout, config, dtype=dtype, device=device, quantization=quantize)
    return random_model(config, dtype=dtype, device=device, seed=request.seed, quantize=quantize)


def random_model(
    config: KimiVLConfig,
    *,
    dtype: torch.dtype,
    device: torch.device | str = "cpu",
    seed: int = 0,
    quantize: Quantization | None = None,
) -> KimiVL:
    """A model of these sizes with random weights, scaled so that activations stay near 1: seconds, not minutes.

    With `quantize` the codes themselves are random, and the plain weights never there.
    """
    model = empty_model(config)
    pattern = torch.randn(PATTERN, generator=torch.Generator().manual_seed(seed)).to(device)
    state: dict[str, Tensor] = {}
    quantised: dict[str, QuantizedWeight] = {}
    for number, (name, meta) in enumerate(model.state_dict().items()):
        start = number * 104_729 % PATTERN
        fan_in = meta.shape[-1] if "experts." in name else prod(meta.shape[1:]) if meta.dim() > 1 else 100
        bits = quantized_bits(name, quantize)
        if bits is not None:
            weight = quantised[name] = empty_quantized(tuple(meta.shape), bits, device)
            codes = pattern * 40 if bits == 8 else pattern * 40 + 128
            _tile(weight.codes.view(-1), codes.clamp(-127 if bits == 8 else 0, 127 if bits == 8 else 255), start)
            weight.scales.fill_(fan_in**-0.5 / (40 if bits == 8 else 4))
            continue
        values = torch.empty(meta.shape, dtype=torch.float32 if name.endswith(FP32_SUFFIX) else dtype, device=device)
        _tile(values.view(-1), pattern, start)
        is_norm = "norm" in name and name.endswith("weight")
        state[name] = values.mul_(fan_in**-0.5).add_(1.0 if is_norm else 0.0)
    if quantize is not None:
        install_quantized(model, quantised, quantize, dtype)
    model.load_state_dict(cast("dict[str, Tensor]", model.state_dict()) | state, strict=True, assign=True)
    return model.eval().requires_grad_(False)


def _tile(flat: Tensor, pattern: Tensor, start: int) -> None:
    """Repeat the pattern over a tensor, beginning at `start` of it."""
    pattern = pattern.to(flat.dtype)
    at = 0
    while at < flat.numel():
        count = min(flat.numel() - at, pattern.numel() - start)
        flat[at : at + count] = pattern[start : start + count]
        at, start = at + count, 0


def _dtype(name: str, device: torch.device) -> torch.dtype:
    if name == "auto":
        return torch.bfloat16 if device.type == "cuda" or cpu_multiplies_bf16() else torch.float32
    if name not in DTYPES:
        raise BadRequest(f"--dtype {name!r} is not one of auto, {', '.join(DTYPES)}")
    return DTYPES[name]
