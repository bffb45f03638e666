"""The suite that a result folder is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from ...errors import BadRequest
from ..run_folder import read_manifest
from ..sample import Suite


def suite_of_run(folder: Path, data: Path | None) -> Suite:
    """Read from `data` as the manifest says: the same files, the same rows left out.

    BadRequest where the folder is no run, the files are others than the run's, or nobody said where they are.
    """
    from ..suites.open import examine

    told = run_suite(read_manifest(folder))
    name = told["name"]
    if data is None:
        raise BadRequest(f"--data DIR: where is the suite {name} that {folder} is about? As for `moonhand eval run`")
    suite = examine(name, data, needs_images=False).suite
    wanted: Mapping[str, str] = told["files"]
    if wanted and (other := sorted(file for file in wanted if suite.files.get(file) != wanted[file])):
        raise BadRequest(f"{data} holds another {name} than the run's: {', '.join(other)} differs or is missing")
    if (limit := told["limit"]) is not None:
        suite = replace(suite, samples=suite.samples[:limit], skipped=())
    return suite


def run_suite(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """name, files (with their SHA-256) and limit of the suite, of a run or of a file that was scored.

    BadRequest where there are none.
    """
    suite: Any = manifest.get("suite")
    told = cast("dict[str, Any]", suite) if isinstance(suite, dict) else {"name": suite, "files": manifest.get("files")}
    name, files, limit = told.get("name"), told.get("files"), told.get("limit")
    if not isinstance(name, str):
        raise BadRequest("the manifest names no suite: it is not one that `moonhand eval run` or `score` wrote")
    known = {str(key): str(value) for key, value in files.items()} if isinstance(files, dict) else {}
    return {"name": name, "files": known, "limit": limit if isinstance(limit, int) else None}
