"""Safetensors files a tensor at a time: read straight into where a tensor belongs, written without holding them all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from .errors import BadCheckpoint, NotEnoughDisk

SINGLE_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
MAX_SHARD_BYTES = 5_000_000_000
DTYPES = {
    "BF16": torch.bfloat16,
    "F16": torch.float16,
    "F32": torch.float32,
    "I8": torch.int8,
    "U8": torch.uint8,
}
_DTYPE_NAMES = {dtype: name for name, dtype in DTYPES.items()}
_IGNORED_SUFFIX = "rotary_emb.inv_freq"  # a table some writers save; it is computed here


@dataclass(frozen=True)
class TensorSpec:
    """What a header says of a tensor; `dtype` by the format's name, such as BF16."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return prod(self.shape) * DTYPES[self.dtype].itemsize


def spec_of(shape: Sequence[int], dtype: torch.dtype) -> TensorSpec:
    return TensorSpec(_DTYPE_NAMES[dtype], tuple(shape))


@dataclass(frozen=True)
class StoredTensor:
    """A tensor of a file, and where its bytes begin."""

    path: Path
    name: str
    spec: TensorSpec
    offset: int


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


class _Slice(Protocol):
    def get_shape(self) -> list[int]: ...
    def get_dtype(self) -> str: ...


class _SafeFile(Protocol):
    def keys(self) -> list[str]: ...
    def get_slice(self, name: str) -> _Slice: ...


_open = cast("Callable[..., AbstractContextManager[_SafeFile]]", safe_open)  # the library is untyped here


def stored_tensors(path: Path) -> list[StoredTensor]:
    """The tensors of a file in the order of their bytes, from its header alone, checked by the library."""
    try:
        with _open(path, framework="pt") as file:
            specs = {
                name: TensorSpec((part := file.get_slice(name)).get_dtype(), tuple(part.get_shape()))
                for name in file.keys()  # noqa: SIM118 (no mapping)
                if not name.endswith(_IGNORED_SUFFIX)
            }
        with path.open("rb") as raw:
            length = int.from_bytes(raw.read(8), "little")
            entries: dict[str, Any] = json.loads(raw.read(length))
    except (SafetensorError, OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    stored = [
        StoredTensor(path, name, spec, 8 + length + int(entries[name]["data_offsets"][0]))
        for name, spec in specs.items()
    ]
    return sorted(stored, key=lambda tensor: tensor.offset)


class TensorReader:
    """Reads tensors of one folder's files. One buffer serves every tensor that cannot be read into its place."""

    def __init__(self) -> None:
        self._files: dict[Path, BinaryIO] = {}
        self._buffer = torch.empty(0, dtype=torch.uint8)

    def __enter__(self) -> TensorReader:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()

    def read(self, stored: StoredTensor) -> Tensor:
        """The tensor on the CPU in its stored dtype: valid until the next call."""
        if self._buffer.numel() < stored.spec.nbytes:
            self._buffer = torch.empty(stored.spec.nbytes, dtype=torch.uint8)
        raw = self._buffer[: stored.spec.nbytes]
        self._read_bytes(stored, raw)
        return raw.view(DTYPES[stored.spec.dtype]).view(stored.spec.shape)

    def read_into(self, stored: StoredTensor, out: Tensor) -> None:
        """Fill `out`, of any dtype and device; where both are the file's own, without a copy in between."""
        if out.device.type == "cpu" and out.dtype == DTYPES[stored.spec.dtype] and out.is_contiguous():
            self._read_bytes(stored, out.detach().view(-1).view(torch.uint8))
        else:
            out.copy_(self.read(stored))

    def _read_bytes(self, stored: StoredTensor, out: Tensor) -> None:
        path, view = stored.path, out.numpy().data
        try:
            file = self._files.get(path)
            if file is None:
                file = self._files[path] = path.open("rb", buffering=0)
            file.seek(stored.offset)
            while len(view):
                count = cast("int", file.readinto(view))  # pyright: ignore[reportAttributeAccessIssue] (raw file)
                if not count:
                    raise OSError(f"the file ends within {stored.name}")
                view = view[count:]
        except OSError as error:
            raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> BadCheckpoint:
    size = path.stat().st_size if path.exists() else 0
    return BadCheckpoint(
        f"{path} ({size:,} bytes) is corrupt or truncated and cannot be read as safetensors: {error}; "
        "fetch this file again"
    )


Plan = Mapping[str, Mapping[str, TensorSpec]]  # unit of work: the tensors it makes, which stay in one file


def plan_bytes(plan: Plan) -> int:
    return sum(spec.nbytes for tensors in plan.values() for spec in tensors.values())


def write_shards(
    folder: Path,
    plan: Plan,
    make: Callable[[str], Mapping[str, Tensor]],
    *,
    max_shard_bytes: int = MAX_SHARD_BYTES,
    progress: Callable[[int, int], None] | None = None,
) -> set[Path]:
    """Write the plan's tensors in shards, with the index if there are several; the files' paths.

    `make` gives a unit's tensors, one unit at a time; `progress` hears bytes written and in all. Each file gets its
    name when it is whole, the index last.
    """
    sizes = {unit: sum(spec.nbytes for spec in tensors.values()) for unit, tensors in plan.items()}
    total, done = sum(sizes.values()), 0
    shards = _shards(sizes, max_shard_bytes)
    weight_map: dict[str, str] = {}
    for number, units in enumerate(shards, start=1):
        file = SINGLE_FILE if len(shards) == 1 else f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        specs = {name: spec for unit in units for name, spec in plan[unit].items()}
        with _file_of(folder / file, specs) as write:
            for unit in units:
                for name, tensor in make(unit).items():
                    write(name, tensor)
                done += sizes[unit]
                if progress is not None:
                    progress(done, total)
        weight_map |= dict.fromkeys(specs, file)
    paths = {folder / file for file in weight_map.values()}
    if len(shards) > 1:
        index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
        write_json(folder / INDEX_FILE, index)
        paths.add(folder / INDEX_FILE)
    return paths


@contextmanager
def _file_of(path: Path, specs: Mapping[str, TensorSpec]) -> Generator[Callable[[str, Tensor], None]]:
    """A file whose tensors may be written in any order; it takes its name at the end, or is removed."""
    partial = path.with_name(f".{path.name}.part")
    offsets: dict[str, int] = {}
    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    position = 0
    for name, spec in sorted(specs.items(), key=lambda item: -DTYPES[item[1].dtype].itemsize):  # keeps all aligned
        entries[name] = {
            "dtype": spec.dtype,
            "shape": list(spec.shape),
            "data_offsets": [position, position + spec.nbytes],
        }
        offsets[name] = position
        position += spec.nbytes
    header = json.dumps(entries, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    missing = set(specs)
    try:
        with partial.open("wb", buffering=0) as file:

            def write(name: str, tensor: Tensor) -> None:
                if spec_of(tensor.shape, tensor.dtype) != specs[name]:
                    raise ValueError(f"{name} was planned as {specs[name]}, got {tensor.dtype} {tuple(tensor.shape)}")
                missing.remove(name)
                file.seek(8 + len(header) + offsets[name])
                _write_all(file, tensor.detach().cpu().contiguous().view(-1).view(torch.uint8))

            file.write(len(header).to_bytes(8, "little") + header)
            yield write
        if missing:
            raise ValueError(f"{path.name} was not given {', '.join(sorted(missing))}")
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _write_all(file: Any, raw: Tensor) -> None:
    view = raw.numpy().data
    while len(view):
        view = view[file.write(view) :]


def _shards(sizes: Mapping[str, int], max_shard_bytes: int) -> list[list[str]]:
    """Units in order, cut into shards of at most so many bytes (one unit at least)."""
    shards: list[list[str]] = [[]]
    filled = 0
    for name, size in sizes.items():
        if shards[-1] and filled + size > max_shard_bytes:
            shards.append([])
            filled = 0
        shards[-1].append(name)
        filled += size
    return shards


@contextmanager
def new_checkpoint(folder: Path, needed_bytes: int, *, free_bytes: int | None = None) -> Generator[None]:
    """A folder for a new checkpoint; if writing it fails or is stopped, nothing that was written stays.

    BadCheckpoint if it holds any file, NotEnoughDisk if the disk cannot take it.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise BadCheckpoint(f"{folder} already holds files: choose a new folder")
    is_new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        before = set(folder.iterdir())
    except OSError as error:
        raise NotEnoughDisk(f"{folder} cannot be made: {error.strerror}; choose another folder") from error
    try:
        free = shutil.disk_usage(folder).free if free_bytes is None else free_bytes
        if needed_bytes > free:
            raise NotEnoughDisk(
                f"the checkpoint takes {needed_bytes / 1e9:.1f} GB and the disk of {folder} has {free / 1e9:.1f} GB "
                "free: make room, or choose a folder on another disk"
            )
        yield
    except BaseException as error:
        for path in set(folder.iterdir()) - before:
            path.unlink()
        if is_new:
            folder.rmdir()
        if isinstance(error, OSError):
            raise NotEnoughDisk(f"{folder} could not be written, and nothing of it was kept: {error}") from error
        raise


def write_json(path: Path, obj: Mapping[str, Any]) -> None:
    partial = path.with_name(f".{path.name}.part")
    partial.write_text(json.dumps(obj, indent=2) + "\n", encoding="utf-8")
    partial.replace(path)
