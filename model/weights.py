"""Checkpoint folders: safetensors in the published layout to and from a model, strictly.

Names are the published ones on both sides, but for the routed experts, which the model holds stacked.
`checkpoint_layout` is the one table between the two; loading, saving and counting all read it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file  # pyright: ignore[reportUnknownVariableType] (PathLike without parameter)
from torch import Tensor
from torch.overrides import TorchFunctionMode

from .config import DTypeName, KimiVLConfig, load_config
from .errors import BadCheckpoint
from .kimi_vl import KimiVL

SINGLE_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
FLOAT_DTYPES = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32}
IGNORED_SUFFIX = "rotary_emb.inv_freq"  # a table some writers save; it is computed here
FP32_SUFFIX = ".e_score_correction_bias"  # rounding it to 16 bits would change which experts are chosen


@dataclass(frozen=True)
class Place:
    """Where a checkpoint tensor lives in the model: a parameter, or some rows of one expert's slice of it."""

    parameter: str
    shape: tuple[int, ...]
    expert: int | None = None
    first_row: int = 0

    def of(self, parameter: Tensor) -> Tensor:
        """The part of the parameter that this tensor is, as a view."""
        if self.expert is None:
            return parameter
        return parameter[self.expert, self.first_row : self.first_row + self.shape[0]]


def checkpoint_layout(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Place]:
    """Every tensor of the checkpoint by its published name, from the shapes of the model's own parameters."""
    layout: dict[str, Place] = {}
    for name, shape in shapes.items():
        stack, _, kind = name.rpartition(".")
        if not stack.endswith(".mlp.experts"):
            layout[name] = Place(name, shape)
            continue
        experts, rows, columns = shape
        parts = ("gate_proj", "up_proj") if kind == "gate_up_proj" else ("down_proj",)
        height = rows // len(parts)
        for expert in range(experts):
            for number, part in enumerate(parts):
                place = Place(name, (height, columns), expert, number * height)
                layout[f"{stack}.{expert}.{part}.weight"] = place
    return layout


def model_layout(model: KimiVL) -> dict[str, Place]:
    return checkpoint_layout({name: tuple(tensor.shape) for name, tensor in model.state_dict().items()})


def empty_model(config: KimiVLConfig) -> KimiVL:
    """The model on the meta device: every name and shape, no values and no memory."""
    with torch.device("meta"), _NoFilling():
        return KimiVL(config)


def load_model(folder: Path, *, device: torch.device | str = "cpu", dtype: torch.dtype | None = None) -> KimiVL:
    """Build the model of a checkpoint folder and fill it; `dtype` None is the one `config.json` names."""
    config = load_config(folder)
    model = empty_model(config)
    load_weights(model, folder, device=device, dtype=dtype or getattr(torch, config.torch_dtype))
    return model


def load_weights(model: KimiVL, folder: Path, *, device: torch.device | str = "cpu", dtype: torch.dtype) -> None:
    """Replace all parameters (those of a model on the meta device too) by the folder's, tensor by tensor.

    Headers are checked before anything is allocated. Raises BadCheckpoint with every unknown, missing, twice-filled
    and mis-shaped tensor, or naming the file that cannot be read.
    """
    layout = model_layout(model)
    files = weight_files(folder)
    _check_headers(layout, files)
    filled: dict[str, Tensor] = {
        name: torch.empty(tensor.shape, dtype=torch.float32 if name.endswith(FP32_SUFFIX) else dtype, device=device)
        for name, tensor in model.state_dict().items()
    }
    for path in files:
        for name, tensor in _tensors(path):
            place = layout[name]
            place.of(filled[place.parameter]).copy_(tensor)
    model.load_state_dict(filled, strict=True, assign=True)


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a checkpoint folder, in order: `model.safetensors`, or what the index lists."""
    single, index = folder / SINGLE_FILE, folder / INDEX_FILE
    if single.exists() and index.exists():
        raise BadCheckpoint(f"{folder} holds both {SINGLE_FILE} and {INDEX_FILE}: remove the one that is stale")
    if single.exists():
        return [single]
    if not index.exists():
        raise BadCheckpoint(f"{folder} holds neither {SINGLE_FILE} nor {INDEX_FILE}: where are the weights?")
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise BadCheckpoint(f"{index} is no index of shards (an object with weight_map): {error!r}") from error
    if not names or not all(isinstance(name, str) and Path(name).name == name for name in names):
        raise BadCheckpoint(f"{index}: weight_map must map tensors to files of its own folder, got {names[:3]}")
    absent = [name for name in names if not (folder / name).is_file()]
    if absent:
        raise BadCheckpoint(f"{folder} lacks {len(absent)} of {len(names)} shards: {', '.join(absent)}")
    return [folder / name for name in names]


def save_checkpoint(model: KimiVL, folder: Path, *, max_shard_bytes: int = 5_000_000_000) -> None:
    """Write weights, index and both configs in the published layout; what `load_model` reads back unchanged.

    Weight files already in the folder are replaced, each at once: nothing is ever half written under its final name.
    """
    if max_shard_bytes < 1:
        raise ValueError(f"max_shard_bytes must be >= 1, got {max_shard_bytes}")
    folder.mkdir(parents=True, exist_ok=True)
    state = cast("dict[str, Tensor]", model.state_dict())
    layout = model_layout(model)
    sizes = {name: place.of(state[place.parameter]).nbytes for name, place in layout.items()}
    shards = _shards(sizes, max_shard_bytes)
    stale = {*folder.glob("model-*-of-*.safetensors"), folder / SINGLE_FILE, folder / INDEX_FILE}
    weight_map: dict[str, str] = {}
    for number, names in enumerate(shards, start=1):
        file = SINGLE_FILE if len(shards) == 1 else f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        tensors = {name: layout[name].of(state[layout[name].parameter]).detach().cpu().clone() for name in names}
        partial = folder / f".{file}.part"
        save_file(tensors, partial, metadata={"format": "pt"})
        partial.replace(folder / file)
        stale.discard(folder / file)
        weight_map |= dict.fromkeys(names, file)
    if len(shards) > 1:
        total = {"total_size": sum(sizes.values())}
        _write_json(folder / INDEX_FILE, {"metadata": total, "weight_map": dict(sorted(weight_map.items()))})
        stale.discard(folder / INDEX_FILE)
    for path in stale:
        path.unlink(missing_ok=True)
    dtype = str(next(model.parameters()).dtype).removeprefix("torch.")
    config: KimiVLConfig = replace(model.config, torch_dtype=cast("DTypeName", dtype))
    _write_json(folder / "config.json", config.to_json())
    _write_json(folder / "preprocessor_config.json", config.preprocessor_json())


class _NoFilling(TorchFunctionMode):
    """Skips the filling of new parameters: on the meta device it does nothing but load torch's compiler (1 s)."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        named = kwargs or {}
        if func in (Tensor.fill_, Tensor.zero_):
            return args[0]
        if getattr(func, "__module__", None) == torch.nn.init.__name__:
            return args[0] if args else named["tensor"]
        return func(*args, **named)


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

    def describe(self) -> str:
        kinds = {
            "unknown": self.unknown,
            "missing": self.missing,
            "filled twice": self.twice,
            "of another shape": self.shape,
            "not bf16, fp16 or fp32": self.dtype,
        }
        return "\n".join(f"  {len(v)} {kind}: {', '.join(sorted(v))}" for kind, v in kinds.items() if v)


def _check_headers(layout: Mapping[str, Place], files: Sequence[Path]) -> None:
    problems = _Problems()
    seen: set[str] = set()
    for path in files:
        for name, shape, dtype in _header(path):
            if name in seen:
                problems.twice.append(name)
            seen.add(name)
            if name not in layout:
                problems.unknown.append(name)
            elif shape != layout[name].shape:
                problems.shape.append(f"{name} {list(shape)} instead of {list(layout[name].shape)}")
            elif dtype not in FLOAT_DTYPES:
                problems.dtype.append(f"{name} ({dtype})")
    problems.missing = [name for name in layout if name not in seen]
    if report := problems.describe():
        raise BadCheckpoint(
            f"the tensors in {files[0].parent} are not those its config.json describes:\n{report}\n"
            "the weights and the config belong to different models, or the download is incomplete"
        )


class _Slice(Protocol):
    def get_shape(self) -> list[int]: ...
    def get_dtype(self) -> str: ...


class _SafeFile(Protocol):
    def keys(self) -> list[str]: ...
    def get_slice(self, name: str) -> _Slice: ...
    def get_tensor(self, name: str) -> Tensor: ...


_open = cast("Callable[..., AbstractContextManager[_SafeFile]]", safe_open)  # the library is untyped here


def _header(path: Path) -> list[tuple[str, tuple[int, ...], str]]:
    """Name, shape and stored dtype of each tensor in a file, from its header alone."""
    try:
        with _open(path, framework="pt") as file:
            parts = [(name, file.get_slice(name)) for name in _names(file)]
            return [(name, tuple(part.get_shape()), part.get_dtype()) for name, part in parts]
    except (SafetensorError, OSError) as error:
        raise _unreadable(path, error) from error


def _tensors(path: Path) -> Iterator[tuple[str, Tensor]]:
    """The tensors of a file one at a time, memory-mapped."""
    try:
        with _open(path, framework="pt") as file:
            for name in _names(file):
                yield name, file.get_tensor(name)
    except (SafetensorError, OSError) as error:
        raise _unreadable(path, error) from error


def _names(file: _SafeFile) -> list[str]:
    return [name for name in file.keys() if not name.endswith(IGNORED_SUFFIX)]  # noqa: SIM118 (no mapping)


def _unreadable(path: Path, error: Exception) -> BadCheckpoint:
    size = path.stat().st_size if path.exists() else 0
    return BadCheckpoint(
        f"{path} ({size:,} bytes) is corrupt or truncated and cannot be read as safetensors: {error}; "
        "fetch this file again"
    )


def _shards(sizes: Mapping[str, int], max_shard_bytes: int) -> list[list[str]]:
    """Tensor names in order, cut into shards of at most so many bytes (one tensor at least)."""
    shards: list[list[str]] = [[]]
    filled = 0
    for name, size in sizes.items():
        if shards[-1] and filled + size > max_shard_bytes:
            shards.append([])
            filled = 0
        shards[-1].append(name)
        filled += size
    return shards


def _write_json(path: Path, obj: Mapping[str, Any]) -> None:
    partial = path.with_name(f".{path.name}.part")
    partial.write_text(json.dumps(obj, indent=2) + "\n", encoding="utf-8")
    partial.replace(path)
