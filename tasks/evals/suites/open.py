"""Opening a suite by its name from a folder of yours; nothing is downloaded."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...errors import BadRequest
from ..sample import Suite
from . import osworld_g, own, screenspot, screenspot_pro
from .assemble import Examined, Material, assemble
from .boxes import Convention
from .known import SuiteInfo, known_suites
from .parquet_rows import read_parquet_file
from .pictures import PictureFolder
from .problems import BadSuite, Problem, ProblemKind
from .rows import RowFile, json_files, parquet_files, read_json_file

OSWORLD_FILES = {"osworld-g": "OSWorld-G.json", "osworld-g-refined": "OSWorld-G_refined.json"}


def open_suite(
    name: str,
    folder: Path,
    *,
    skip_bad: bool = False,
    needs_images: bool = True,
    boxes: str | None = None,
    cache: Path | None = None,
) -> Suite:
    """The suite of this name from its folder, or from one of its annotation files.

    BadSuite names every row that cannot be asked or judged; with `skip_bad` those rows are left out and stand in
    `Suite.skipped`, unless a whole file cannot be read. `boxes` is a `Convention` that overrules what would be
    recognised. Without `needs_images` missing pictures are no matter: a file of predictions can be scored. Pictures out
    of Parquet files go to `cache`, or to the user's cache folder. BadRequest for a name or folder that there is not.
    """
    examined = examine(name, folder, needs_images=needs_images, boxes=boxes, cache=cache)
    broken = examined.broken
    if broken and (not skip_bad or any(problem.is_of_file for problem in broken)):
        of_file = any(problem.is_of_file for problem in broken)
        leave = "" if of_file else ", --skip-bad leaves these rows out and counts them as wrong"
        raise BadSuite(name, broken, f"`{to_check(name, folder, boxes, needs_images)}` tells all{leave}")
    if not examined.suite.samples:
        check = to_check(name, folder, boxes, needs_images)
        raise BadRequest(f"{folder} has no row of {name} that can be asked: `{check}`")
    return examined.suite


def examine(
    name: str,
    folder: Path,
    *,
    needs_images: bool = True,
    decode: bool = False,
    boxes: str | None = None,
    cache: Path | None = None,
) -> Examined:
    """Read everything and say what is wrong, as data. `decode` reads each picture whole, not its header alone.

    BadRequest for a name that there is not, a folder without its files, or a convention that there is not.
    """
    info = suite_info(name)
    override = _convention(boxes)
    if not folder.exists():
        raise BadRequest(f"{folder} is not there: `moonhand eval list` says where {name} comes from")
    top = folder if folder.is_dir() else folder.parent
    paths = _annotation_files(info, folder)
    files = [_read(path, top, cache, needs_images) for path in paths]
    rows = [row for file in files for row in file.rows]
    if name.startswith(screenspot_pro.NAME) and rows and all(screenspot_pro.is_log_row(row.fields) for row in rows):
        return screenspot_pro.examine_log(name, files, top, override)
    material = _material(info, files, top)
    if info.rows is not None and len(rows) != info.rows and not any(file.problems for file in files):
        said = f"{len(rows)} rows, {info.rows} are published"
        where = files[0].name if len(files) == 1 else str(folder)
        material = _with_problem(material, Problem(file=where, kind=ProblemKind.OTHER_COUNT, said=said))
    examined = assemble(material, PictureFolder(top), needs_images=needs_images, decode=decode, boxes=override)
    return replace(examined, suite=replace(examined.suite, drawn=_is_drawn(folder)))


def to_check(name: str, folder: Path, boxes: str | None, needs_images: bool) -> str:
    """The command that names every problem that was met."""
    words = ["moonhand", "eval", "check", name, "--data", str(folder)]
    words += [] if boxes is None else ["--boxes", boxes]
    return shlex.join(words if needs_images else [*words, "--no-images"])


def suite_info(name: str) -> SuiteInfo:
    """What is known of a suite of clicks. BadRequest for another name."""
    clicks = {info.name: info for info in known_suites() if info.asks == "clicks"}
    if name in clicks:
        return clicks[name]
    other = next((info for info in known_suites() if info.name == name), None)
    if other is not None:
        command = (
            f"moonhand eval episodes {name}"
            if other.asks == "episodes"
            else f"moonhand eval score {name} --annotations DIR --predictions FILE"
        )
        raise BadRequest(f"{name} has no rows of single clicks, it asks for {other.asks}: `{command}`")
    raise BadRequest(f"there is no suite {name!r}: it is one of {', '.join(clicks)}")


def _is_drawn(folder: Path) -> bool:
    """Whether `moonhand eval generate` says so beside what it wrote."""
    path = (folder if folder.is_dir() else folder.parent) / "suite.json"
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(told, dict) and "made_by" in told


def _convention(boxes: str | None) -> Convention | None:
    try:
        return None if boxes is None else Convention(boxes)
    except ValueError:
        raise BadRequest(f"--boxes {boxes!r} is not one of {', '.join(Convention)}") from None


def _annotation_files(info: SuiteInfo, folder: Path) -> Sequence[Path]:
    """The files of the suite, in its order. BadRequest where there are none, or only some."""
    if folder.is_file():
        return [folder]
    if info.name.startswith("screenspot-pro"):
        found = json_files(folder / "annotations") if (folder / "annotations").is_dir() else json_files(folder)
    elif info.name in ("screenspot", "screenspot-v2"):
        found = _three_files(info, folder)
    elif info.name in OSWORLD_FILES:
        places = (folder, folder / "benchmark", folder / "annotations")
        found = [path for place in places if (path := place / OSWORLD_FILES[info.name]).is_file()][:1]
    elif info.name == "generated":
        found = [path] if (path := folder / "suite.json").is_file() else []
    else:
        found = json_files(folder) or (
            json_files(annotations) if (annotations := folder / "annotations").is_dir() else []
        )
    found = found or parquet_files(folder)
    if not found:
        raise BadRequest(f"{folder} has no files of {info.name}: it is read from {info.layout}")
    return found


def _three_files(info: SuiteInfo, folder: Path) -> Sequence[Path]:
    ending = "_v2.json" if info.name == "screenspot-v2" else ".json"
    names = [f"screenspot_{platform}{ending}" for platform in screenspot.PLATFORMS]
    for place in (folder, *sorted(path for path in folder.iterdir() if path.is_dir())):
        found = [place / name for name in names if (place / name).is_file()]
        if 0 < len(found) < len(names):
            missing = ", ".join(name for name in names if not (place / name).is_file())
            raise BadRequest(f"{place} has no {missing}: for a part of {info.name} give the file itself")
        if found:
            return found
    return []


def _read(path: Path, top: Path, cache: Path | None, needs_images: bool) -> RowFile:
    name = path.relative_to(top).as_posix()
    if path.suffix == ".parquet":
        file = read_parquet_file(path, name, cache=cache, needs_images=needs_images)
    else:
        file = read_json_file(path, name)
    if file.rows or file.problems:
        return file
    empty = Problem(file=name, kind=ProblemKind.BAD_FILE, said="has no rows")
    return RowFile(name=name, sha256=file.sha256, problems=(empty,))


def _material(info: SuiteInfo, files: Sequence[RowFile], top: Path) -> Material:
    match info.name:
        case "screenspot" | "screenspot-v2":
            return screenspot.read_screenspot(info.name, files, top)
        case "screenspot-pro" | "screenspot-pro-cn" | "screenspot-pro-negative":
            chinese, negative = info.name.endswith("-cn"), info.name.endswith("-negative")
            return screenspot_pro.read_annotations(info.name, files, top, chinese=chinese, negative=negative)
        case "osworld-g" | "osworld-g-refined":
            places = (top, top / "benchmark", (top / files[0].name).parent)
            categories = (path for place in places if (path := place / osworld_g.CATEGORIES).is_file())
            return osworld_g.read_osworld_g(info.name, files, top, next(categories, None))
        case _:
            return own.read_own(info.name, files, top)


def _with_problem(material: Material, problem: Problem) -> Material:
    return Material(
        name=material.name,
        files=material.files,
        drafts=material.drafts,
        problems=(*material.problems, problem),
        cells=material.cells,
        extra_files=material.extra_files,
    )
