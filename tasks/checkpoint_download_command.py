"""`moonhand model download`: a checkpoint from the Hugging Face Hub into a folder, checked."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .checkpoint_folders import Kept, kept_in, models_folder, write_kept
from .checkpoints import bytes_bar
from .console import JsonFlag, make_folder, people, print_json
from .errors import BadRequest

if TYPE_CHECKING:
    from .checkpoint_hub import Hub, HubCheckpoint, HubFile


def download(
    name: Annotated[
        str, typer.Argument(metavar="NAME|REPO", help="instruct, thinking, thinking-2506, or a repository of the Hub.")
    ],
    to: Annotated[Path | None, typer.Option("--to", metavar="DIR", help="Where. (default: the user's cache)")] = None,
    revision: Annotated[
        str | None, typer.Option("--revision", help="A branch, tag or commit. (default: the newest)")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Bring a checkpoint from the Hugging Face Hub: only what is needed, every byte checked, on after interruptions."""
    from .checkpoint_hub import Hub, missing_bytes, repo_of, require_room

    started_s = time.perf_counter()
    repo = repo_of(name)
    folder = models_folder() / repo.replace("/", "--") if to is None else to
    hub = Hub(os.environ.get("HF_ENDPOINT"))
    with people().status(f"asking for {repo}"):
        found = hub.look_up(repo, revision)
    needed = missing_bytes(found, folder)
    free = require_room(needed, folder)
    _say(
        f"{repo} at {found.commit[:12]}: {len(found.files)} files, {_gb(found.size_bytes)}, {_gb(needed)} of them to "
        f"come; {_gb(free)} free for {folder}"
    )
    make_folder(folder)
    with _alone(folder), bytes_bar("downloading") as told:
        brought = _bring(hub, found, folder, told)
    counts = _inspected(folder)
    seconds = time.perf_counter() - started_s
    if as_json:
        files = [{"name": each.name, "bytes": each.size_bytes, "sha256": each.sha256} for each in found.files]
        report: dict[str, Any] = {"repo": repo, "revision": found.commit, "folder": str(folder), "files": files}
        report |= {"bytes": found.size_bytes, "bytes_downloaded": brought, "seconds": seconds}
        print_json(report | {"inspected": counts})
        return
    _say(f"{counts['parameters']:,} parameters in {counts['tensors']:,} tensors, all as config.json describes them")
    _say(f"in {folder}, {_gb(brought)} downloaded in {seconds:.0f} s. Use it: --model {folder}")


def _bring(hub: Hub, found: HubCheckpoint, folder: Path, told: Callable[[int, int], None]) -> int:
    """All files that are not there yet, the weights once config.json is one that can be read; bytes that came.

    BadRequest where the folder holds something else, which stays as it is.
    """
    from ..model import load_config
    from .checkpoint_hub import part_of

    kept = kept_in(folder)
    if kept is not None and kept.repo != found.repo:
        raise BadRequest(f"{folder} holds {kept.repo}: name another folder with --to")
    checked = dict(kept.files) if kept is not None else {}
    done = brought = 0

    def add(count: int) -> None:
        nonlocal done, brought
        done, brought = done + count, brought + max(count, 0)
        told(done, found.size_bytes)

    for number, file in enumerate(found.files):
        if file.is_weights and not found.files[number - 1].is_weights:
            load_config(folder)
        if _is_there(folder, file, checked, may_replace=kept is not None):
            done += file.size_bytes
        else:
            part = part_of(folder, file)
            done += part.stat().st_size if part.exists() else 0
            hub.fetch(found, file, folder, add)
        checked[file.name] = file.digest
        write_kept(folder, Kept(found.repo, found.commit, checked))
    return brought


def _is_there(folder: Path, file: HubFile, checked: Mapping[str, str], *, may_replace: bool) -> bool:
    """Whether a file is there and was checked, if only now. BadRequest for another that no download put there."""
    from .checkpoint_hub import why_damaged

    path = folder / file.name
    if not path.exists():
        return False
    if checked.get(file.name) == file.digest and path.stat().st_size == file.size_bytes:
        return True
    why = why_damaged(path, file)
    if why and not may_replace:
        raise BadRequest(f"{path} {why}: it is not what the Hub has; name another folder with --to")
    return why is None


def _inspected(folder: Path) -> Mapping[str, int]:
    """Counts, after the headers of all weight files were held against config.json. BadConfig, BadCheckpoint."""
    from ..model import Tokenizer, inspect_model, load_config
    from ..model.layout import empty_model, model_layout
    from ..model.tensor_files import stored_tensors
    from ..model.weights import check_headers, weight_files

    config = load_config(folder)
    Tokenizer.load(folder)
    stored = [tensor for path in weight_files(folder) for tensor in stored_tensors(path)]
    check_headers(model_layout(empty_model(config)), stored, config.quantization, folder)
    return inspect_model(folder).to_json()


def _alone(folder: Path) -> AbstractContextManager[object]:
    """Nobody else downloads into the folder meanwhile."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / ".download.lock")
    try:
        return lock.acquire(timeout=0)
    except Timeout as error:
        raise BadRequest(
            f"another download writes into {folder}: wait for it, or name another folder with --to"
        ) from error


def _gb(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"


def _say(sentence: str) -> None:
    people().print(sentence, highlight=False, markup=False, soft_wrap=True)
