"""A checkpoint folder in 8 or 4 bits, made from one that is not, without ever holding the model."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from .config import Quantization, load_config
from .errors import BadCheckpoint
from .layout import empty_model, model_layout
from .quantize import BITS, quantized_bits
from .quantized_weight import quantize_weight
from .tensor_files import (
    INDEX_FILE,
    MAX_SHARD_BYTES,
    TensorReader,
    new_checkpoint,
    plan_bytes,
    stored_tensors,
    weight_files,
    write_json,
    write_shards,
)
from .weights import CODES, SCALES, check_headers, quantized_specs

_WRITTEN_HERE = {"config.json", INDEX_FILE}
_SIDECARS = {".json", ".model", ".txt", ".jinja"}  # vocabulary, image processor, calibration, template


def quantize_checkpoint(
    source: Path,
    destination: Path,
    quantization: Quantization,
    *,
    progress: Callable[[int, int], None] | None = None,
    max_shard_bytes: int = MAX_SHARD_BYTES,
    free_bytes: int | None = None,
) -> None:
    """Write the source folder's checkpoint, quantised, into a new folder; its vocabulary and the like come along.

    `progress` hears bytes written and in all; `free_bytes` takes the place of what the disk says. `config.json` is
    written last, and if anything goes wrong before it nothing is left. Raises BadCheckpoint for a source that is
    quantised already or cannot be read and for a destination that holds a checkpoint, NotEnoughDisk.
    """
    if quantization not in BITS:
        raise ValueError(f"quantization must be one of {', '.join(BITS)}, got {quantization!r}")
    config = load_config(source)
    if config.quantization is not None:
        raise BadCheckpoint(f"{source} is quantised to {config.quantization} already: give what it was made from")
    layout = model_layout(empty_model(config))
    tensors = [tensor for path in weight_files(source) for tensor in stored_tensors(path)]
    check_headers(layout, tensors, None, source)
    stored = {tensor.name: tensor for tensor in tensors}
    bits_of = {name: quantized_bits(place.parameter, quantization) for name, place in layout.items()}
    plan = {
        name: {name: stored[name].spec} if (bits := bits_of[name]) is None else quantized_specs(place, name, bits)
        for name, place in layout.items()
    }
    with new_checkpoint(destination, plan_bytes(plan), free_bytes=free_bytes), TensorReader() as reader:

        def make(name: str) -> dict[str, Tensor]:
            tensor, bits = reader.read(stored[name]), bits_of[name]
            if bits is None:
                return {name: tensor}
            try:
                weight = quantize_weight(tensor, bits)
            except ValueError as error:
                raise BadCheckpoint(f"{stored[name].path}: {name} cannot be quantised: {error}") from error
            return {name + CODES: weight.codes, name + SCALES: weight.scales}

        write_shards(destination, plan, make, max_shard_bytes=max_shard_bytes, progress=progress)
        for path in sorted(source.iterdir()):
            if path.is_file() and path.suffix in _SIDECARS and path.name not in _WRITTEN_HERE:
                shutil.copyfile(path, destination / path.name)
        write_json(destination / "config.json", replace(config, quantization=quantization).to_json())
