"""Checkpoint folders: safetensors in the published layout to and from a model, strictly and tensor by tensor.

In a folder of quantised weights, a quantised tensor `x.weight` is stored as `x.weight.codes` and `x.weight.scales` in
the format of `quantized_weight.py`; all else is as published.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from .config import DTypeName, KimiVLConfig, Quantization, load_config
from .errors import BadCheckpoint
from .kimi_vl import KimiVL
from .layout import FP32_SUFFIX, Place, empty_model, model_layout
from .memory import require_memory
from .quantize import BITS, install_quantized, quantized_bits
from .quantized_weight import QuantizedWeight, empty_quantized, quantize_into, quantized_shapes
from .tensor_files import (
    INDEX_FILE,
    MAX_SHARD_BYTES,
    SINGLE_FILE,
    StoredTensor,
    TensorReader,
    TensorSpec,
    spec_of,
    stored_tensors,
    weight_files,
    write_json,
    write_shards,
)

CODES, SCALES = ".codes", ".scales"
_FLOATS = frozenset({"BF16", "F16", "F32"})


def load_model(
    folder: Path,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
    quantize: Quantization | None = None,
    available_bytes: int | None = None,
) -> KimiVL:
    """Build the model of a checkpoint folder and fill it; `dtype` None is the one `config.json` names.

    With `quantize` the weights are quantised on the way; a folder that is quantised already needs no such word.
    """
    config = load_config(folder)
    model = empty_model(config)
    load_weights(
        model,
        folder,
        device=device,
        dtype=dtype or getattr(torch, config.torch_dtype),
        quantize=quantize,
        available_bytes=available_bytes,
    )
    return model


def load_weights(
    model: KimiVL,
    folder: Path,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype,
    quantize: Quantization | None = None,
    available_bytes: int | None = None,
) -> None:
    """Replace all parameters (those of a model on the meta device too) by the folder's, tensor by tensor.

    Memory and headers are checked before anything is allocated; the peak is the model and its largest tensor.
    `available_bytes` takes the place of what the device says. Raises NotEnoughMemory, and BadCheckpoint with every
    unknown, missing, twice-filled and mis-shaped tensor, or naming the file that cannot be read.
    """
    config = load_config(folder)
    quantization = _agreed(config, quantize, folder)
    layout = model_layout(model)
    require_memory(
        layout, config, dtype=dtype, device=torch.device(device), quantization=quantization, available=available_bytes
    )
    stored = [tensor for path in weight_files(folder) for tensor in stored_tensors(path)]
    check_headers(layout, stored, config.quantization, folder)
    filled: dict[str, Tensor | QuantizedWeight] = {}
    for name, parameter in model.state_dict().items():
        shape, bits = tuple(parameter.shape), quantized_bits(name, quantization)
        if bits is not None:
            filled[name] = empty_quantized(shape, bits, device)
        else:
            filled[name] = torch.empty(
                shape, dtype=torch.float32 if name.endswith(FP32_SUFFIX) else dtype, device=device
            )
    with TensorReader() as reader:
        for tensor in stored:
            _fill(filled, layout, tensor, reader)
    quantised = {name: weight for name, weight in filled.items() if isinstance(weight, QuantizedWeight)}
    if quantization is not None:
        install_quantized(model, quantised, quantization, dtype)
    state = cast("dict[str, Tensor]", model.state_dict())
    state |= {name: tensor for name, tensor in filled.items() if isinstance(tensor, Tensor)}
    model.load_state_dict(state, strict=True, assign=True)


def _agreed(config: KimiVLConfig, quantize: Quantization | None, folder: Path) -> Quantization | None:
    """In what form the weights will be held: as stored, or as asked for."""
    if quantize is not None and quantize not in BITS:
        raise ValueError(f"quantize must be one of {', '.join(BITS)} or None, got {quantize!r}")
    if quantize is not None and config.quantization not in (None, quantize):
        raise BadCheckpoint(
            f"{folder} is quantised to {config.quantization} and cannot be loaded as {quantize}: leave quantize out, "
            "or quantise the checkpoint it was made from"
        )
    return config.quantization or quantize


def _fill(
    filled: Mapping[str, Tensor | QuantizedWeight],
    layout: Mapping[str, Place],
    stored: StoredTensor,
    reader: TensorReader,
) -> None:
    """Read one stored tensor into its place, quantising it if it is not yet and shall be."""
    name, suffix = _split(stored.name, layout)
    place = layout[name]
    target = filled[place.parameter]
    if not isinstance(target, QuantizedWeight):
        reader.read_into(stored, place.of(target))
    elif suffix:
        part = place.of(target)
        reader.read_into(stored, part.codes if suffix == CODES else part.scales)
    else:
        part = place.of(target)
        try:
            quantize_into(reader.read(stored).to(part.codes.device), part)
        except ValueError as error:
            raise BadCheckpoint(f"{stored.path}: {name} cannot be quantised: {error}") from error


def _split(name: str, layout: Mapping[str, Place]) -> tuple[str, str]:
    """A stored name as the published one and, of a quantised tensor, its suffix."""
    for suffix in (CODES, SCALES):
        if name.endswith(suffix) and name.removesuffix(suffix) in layout:
            return name.removesuffix(suffix), suffix
    return name, ""


def save_checkpoint(model: KimiVL, folder: Path, *, max_shard_bytes: int = MAX_SHARD_BYTES) -> None:
    """Write weights, index and both configs in the published layout; what `load_model` reads back unchanged.

    Weight files already in the folder are replaced, each at once: nothing is ever half written under its final name.
    ValueError for a quantised model: `quantize_checkpoint` makes a folder of one.
    """
    if max_shard_bytes < 1:
        raise ValueError(f"max_shard_bytes must be >= 1, got {max_shard_bytes}")
    if model.config.quantization is not None:
        raise ValueError("a quantised model is not saved: use quantize_checkpoint on the folder it came from")
    folder.mkdir(parents=True, exist_ok=True)
    state = cast("dict[str, Tensor]", model.state_dict())
    layout = model_layout(model)
    stale = {*folder.glob("model-*-of-*.safetensors"), folder / SINGLE_FILE, folder / INDEX_FILE}
    written = write_shards(
        folder,
        {name: {name: spec_of(place.shape, state[place.parameter].dtype)} for name, place in layout.items()},
        lambda name: {name: layout[name].of(state[layout[name].parameter])},
        max_shard_bytes=max_shard_bytes,
    )
    for path in stale - written:
        path.unlink(missing_ok=True)
    dtype = str(next(model.parameters()).dtype).removeprefix("torch.")
    write_configs(replace(model.config, torch_dtype=cast("DTypeName", dtype)), folder)


def write_configs(config: KimiVLConfig, folder: Path) -> None:
    """`preprocessor_config.json`, then `config.json`, without which no folder is a checkpoint."""
    write_json(folder / "preprocessor_config.json", config.preprocessor_json())
    write_json(folder / "config.json", config.to_json())


def round_to_bf16(model: KimiVL) -> KimiVL:
    """The model itself, its weights now bf16 but for the selection biases."""
    for name, parameter in model.named_parameters():
        if not name.endswith(FP32_SUFFIX):
            parameter.data = parameter.data.bfloat16()
    return model


@dataclass
class _Problems:
    """What is wrong with a checkpoint's tensors, kind by kind."""

    unknown: list[str] = field(default_factory=list[str])
    missing: list[str] = field(default_factory=list[str])
    twice: list[str] = field(default_factory=list[str])
    shape: list[str] = field(default_factory=list[str])
    dtype: list[str] = field(default_factory=list[str])
    format: list[str] = field(default_factory=list[str])

    def describe(self) -> str:
        kinds = {
            "unknown": self.unknown,
            "missing": self.missing,
            "filled twice": self.twice,
            "of another shape": self.shape,
            "not bf16, fp16 or fp32": self.dtype,
            "not of the quantised format": self.format,
        }
        return "\n".join(f"  {len(v)} {kind}: {', '.join(sorted(v))}" for kind, v in kinds.items() if v)


def quantized_specs(place: Place, name: str, bits: int) -> dict[str, TensorSpec]:
    """The two tensors that stand for a quantised one in a file."""
    codes, scales = quantized_shapes(place.shape, bits)
    return {
        name + CODES: TensorSpec("I8" if bits == 8 else "U8", codes),
        name + SCALES: TensorSpec("F32" if bits == 8 else "F16", scales),
    }


def check_headers(
    layout: Mapping[str, Place], stored: Sequence[StoredTensor], quantization: Quantization | None, folder: Path
) -> None:
    """BadCheckpoint with everything that is wrong, if these are not the tensors of the layout."""
    problems = _Problems()
    shapes: dict[str, tuple[int, ...]] = {}
    formats: dict[str, str] = {}  # of codes and scales
    for name, place in layout.items():
        bits = quantized_bits(place.parameter, quantization)
        specs = {name: TensorSpec("BF16", place.shape)} if bits is None else quantized_specs(place, name, bits)
        shapes |= {each: spec.shape for each, spec in specs.items()}
        formats |= {each: spec.dtype for each, spec in specs.items() if bits is not None}
    seen: set[str] = set()
    for tensor in stored:
        name, spec = tensor.name, tensor.spec
        if name in seen:
            problems.twice.append(name)
        seen.add(name)
        if name not in shapes:
            problems.unknown.append(name)
        elif spec.shape != shapes[name]:
            problems.shape.append(f"{name} {list(spec.shape)} instead of {list(shapes[name])}")
        elif name in formats and spec.dtype != formats[name]:
            problems.format.append(f"{name} ({spec.dtype} instead of {formats[name]})")
        elif name not in formats and spec.dtype not in _FLOATS:
            problems.dtype.append(f"{name} ({spec.dtype})")
    problems.missing = [name for name in shapes if name not in seen]
    if report := problems.describe():
        raise BadCheckpoint(
            f"the tensors in {folder} are not those its config.json describes:\n{report}\n"
            "the weights and the config belong to different models, or the download is incomplete"
        )
