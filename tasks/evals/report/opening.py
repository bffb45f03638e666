"""The suite that a result folder is about."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from ...errors import BadRequest
from ..prediction_rows import read_rows
from ..run_folder import PREDICTIONS, read_manifest
from ..sample import Suite


def suite_of_run(folder: Path, data: Path | None, *, boxes: str | None = None) -> Suite:
    """Read from `data` as the manifest says: the same files, the same rows left out, and cut as the run was.

    `boxes` overrules it.

    BadRequest where the folder is no run, the files, the convention of their boxes or the rows left out are others than
    the run's, or nobody said where they are.
    """
    told = run_suite(read_manifest(folder))
    name = told["name"]
    if data is None:
        raise BadRequest(f"--data DIR: where is the suite {name} that {folder} is about? As for `moonhand eval run`")
    wanted, boxes, skipped = told["files"], boxes or told["boxes"], told["skipped"]
    suite = _read(name, data, boxes, needs_images=False)
    if wanted and (other := sorted(file for file in wanted if suite.files.get(file) != wanted[file])):
        raise BadRequest(f"{data} holds another {name} than the run's: {', '.join(other)} differs or is missing")
    suite = as_asked(suite, told)
    if not _has_answers(suite, folder, told["limit"]):  # rows without their pictures are broken for a run alone
        suite = as_asked(_read(name, data, boxes, needs_images=True), told)
    if boxes and suite.boxes != boxes:
        raise BadRequest(
            f"{folder} was judged with boxes as {boxes}, and in {data} they are {suite.boxes or 'in none'}: are other "
            "pictures beside the annotations?"
        )
    if skipped is not None and suite.skipped != skipped:
        raise BadRequest(
            f"{folder} left {len(skipped)} broken rows out, and {len(suite.skipped)} of {data} are broken, or other "
            f"ones: `moonhand eval check {name} --data {data}` names them"
        )
    return suite


def _read(name: str, data: Path, boxes: str | None, *, needs_images: bool) -> Suite:
    """With this convention of its boxes, said where it would not be recognised."""
    from ..suites.boxes import Convention
    from ..suites.open import examine

    suite = examine(name, data, needs_images=needs_images).suite
    if boxes in list(Convention) and suite.boxes != boxes:
        suite = examine(name, data, needs_images=needs_images, boxes=boxes).suite
    return suite


def as_asked(suite: Suite, told: Mapping[str, Any]) -> Suite:
    """A suite that was read without its pictures, with the rows left out and the limit of `run_suite`."""
    limit, skipped = told["limit"], told["skipped"]
    return suite.first(limit) if limit is not None else suite.without(skipped or ())


def _has_answers(suite: Suite, folder: Path, limit: int | None) -> bool:
    """Whether a run of the first `limit` samples answered none but these. BadRequest for a line that is none."""
    path = folder / PREDICTIONS
    if limit is None or not path.is_file() or not path.stat().st_size:
        return True
    ids = {sample.id for sample in suite.samples}
    return all(row.values.get("id") in ids for row in read_rows(path))


def run_suite(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """name, files (with their SHA-256), boxes, skipped and limit of the suite, of a run or of a file that was scored.

    What is not told is "", and skipped None. BadRequest where there is no name.
    """
    suite: Any = manifest.get("suite")
    told = cast("dict[str, Any]", suite) if isinstance(suite, dict) else {"name": suite, "files": manifest.get("files")}
    name, files, limit = told.get("name"), told.get("files"), told.get("limit")
    if not isinstance(name, str):
        raise BadRequest("the manifest names no suite: it is not one that `moonhand eval run` or `score` wrote")
    known = {str(key): str(value) for key, value in files.items()} if isinstance(files, dict) else {}
    boxes, skipped = told.get("boxes"), told.get("skipped")
    return {
        "name": name,
        "files": known,
        "boxes": boxes if isinstance(boxes, str) else "",
        "skipped": tuple(map(str, cast("list[Any]", skipped))) if isinstance(skipped, list) else None,
        "limit": limit if isinstance(limit, int) else None,
    }
