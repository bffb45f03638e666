"""Where checkpoints lie on this machine, and what is there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import platformdirs

KEPT_FILE = ".download.json"
Source = Literal["package", "downloaded", "hugging face cache", "given"]


@dataclass(frozen=True)
class Kept:
    """What `moonhand model download` notes in a folder: whence it is, and the hash of every file that was checked."""

    repo: str
    commit: str
    files: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True)
class FoundCheckpoint:
    """A folder that is a checkpoint, or is to become one."""

    name: str
    folder: Path
    source: Source
    size_bytes: int  # of its files
    kind: str | None  # such as bfloat16 or int4; None where something is wrong
    parameters: int | None
    problem: str | None = None  # what, in a sentence

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "folder": str(self.folder),
            "source": self.source,
            "bytes": self.size_bytes,
            "kind": self.kind,
            "parameters": self.parameters,
            "problem": self.problem,
        }


def models_folder() -> Path:
    """Where downloads go unless they are told to go elsewhere."""
    return Path(platformdirs.user_cache_dir("moonhand")) / "models"


def kept_in(folder: Path) -> Kept | None:
    """The note of a folder; None where there is none that can be read."""
    try:
        obj = cast("dict[str, Any]", json.loads((folder / KEPT_FILE).read_text(encoding="utf-8")))
        return Kept(str(obj["repo"]), str(obj["revision"]), cast("dict[str, str]", obj["files"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_kept(folder: Path, kept: Kept) -> None:
    from ..model.tensor_files import write_json

    write_json(folder / KEPT_FILE, {"repo": kept.repo, "revision": kept.commit, "files": dict(kept.files)})


def find_checkpoints(folders: tuple[Path, ...], hub_cache: Path | None) -> list[FoundCheckpoint]:
    """nano, what was downloaded, the Kimi-VLs that other programs left in the Hub's cache, and the folders given."""
    from ..model.engine import checkpoint_folder

    found = [_look_into(checkpoint_folder("nano"), "nano", "package")]
    here = models_folder()
    found += [_look_into(each, _name(each), "downloaded") for each in _subfolders(here)]
    if hub_cache is not None:
        found += [
            _look_into(each, each.parent.parent.name.removeprefix("models--").replace("--", "/"), "hugging face cache")
            for each in sorted(hub_cache.glob("models--*/snapshots/*"))
            if _is_kimi_vl(each)
        ]
    given = [each for folder in folders for each in ([folder] if _is_kimi_vl(folder) else _subfolders(folder))]
    return found + [_look_into(each, _name(each), "given") for each in given if _is_kimi_vl(each)]


def _look_into(folder: Path, name: str, source: Source) -> FoundCheckpoint:
    from ..model import ModelError, inspect_model, load_config
    from ..model.tensor_files import weight_files

    size_bytes = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    kind, parameters, problem = None, None, None
    try:
        config = load_config(folder)
        counts = inspect_model(folder)
        if missing := sorted(path.name for path in weight_files(folder) if not path.exists()):
            raise ModelError(f"{', '.join(missing)} is missing")
        kind, parameters = config.quantization or config.torch_dtype, counts.parameters
    except ModelError as error:
        problem = str(error)
    kept = kept_in(folder)
    if any(folder.glob("*.part")):
        problem = "not all of it came: `moonhand model download " + (kept.repo if kept else "REPO") + "` goes on"
        kind = None
    return FoundCheckpoint(
        name=name,
        folder=folder,
        source=source,
        size_bytes=size_bytes,
        kind=kind,
        parameters=parameters,
        problem=problem,
    )


def _name(folder: Path) -> str:
    kept = kept_in(folder)
    return folder.name if kept is None else kept.repo


def _subfolders(folder: Path) -> Iterator[Path]:
    return iter(sorted(each for each in folder.iterdir() if each.is_dir()) if folder.is_dir() else ())


def _is_kimi_vl(folder: Path) -> bool:
    try:
        obj: object = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(obj, dict) and cast("dict[str, Any]", obj).get("model_type") == "kimi_vl"
