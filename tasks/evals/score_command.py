"""`moonhand eval score`: predictions of any program against a suite, without a model."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..console import JsonFlag, asked_to_see, make_folder, print_json, write_file
from ..errors import BadRequest
from .check_command import BoxesFlag

if TYPE_CHECKING:
    from .foreign_files import Reading
    from .prediction_files import PredictionFile
    from .sample import Suite
    from .score import Result

STEPS = "agentnetbench"  # is scored by the steps of its tasks
SuiteName = Annotated[str, typer.Argument(metavar="SUITE", help="Which one: see `moonhand eval list`.")]
AnnotationsFlag = Annotated[
    Path | None, typer.Option("--annotations", metavar="DIR", help="The suite's annotation files.")
]
DialectFlag = Annotated[
    str | None, typer.Option("--dialect", help="How raw replies are written: see `moonhand parse --list`.")
]
CoordinatesFlag = Annotated[
    str | None,
    typer.Option(
        "--coordinates",
        metavar="px|unit|thousand",
        help="What points count: px, 0..1, or 0..1000. (default: recognised where there is one reading)",
    ),
]
TakeFlag = Annotated[
    str, typer.Option("--take", metavar="first|last", help="Which of several points in one reply counts.")
]
SkipFlag = Annotated[
    bool, typer.Option("--skip-bad", help="Leave broken rows of the suite out; they still count, as not right.")
]


def score_file(
    suite: SuiteName,
    predictions: Annotated[Path, typer.Option("--predictions", metavar="FILE|DIR", help="What was predicted.")],
    annotations: AnnotationsFlag = None,
    images: Annotated[
        Path | None,
        typer.Option("--images", metavar="DIR", help="The screenshots of a log that is scored without annotations."),
    ] = None,
    dialect: DialectFlag = None,
    coordinates: CoordinatesFlag = None,
    take: TakeFlag = "first",
    boxes: BoxesFlag = None,
    skip_bad: SkipFlag = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Write a result folder, for `eval report` and `compare`."),
    ] = None,
    verdicts: Annotated[
        Path | None, typer.Option("--verdicts", metavar="FILE", help="Write what became of each sample, a line each.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Score a file of predictions: ours, a log of ScreenSpot-Pro's or lmms-eval's, or rows with points or replies.

    No model is loaded. The edges of a target belong to it, points are never rounded, and every row of the suite counts.
    """
    from .score_tables import show
    from .verdict_files import check_replaceable, write_verdicts

    reading = reading_of(dialect, coordinates, take)
    if verdicts is not None:
        check_replaceable(verdicts)
    if suite == STEPS:
        if annotations is None or any((images, coordinates, boxes, out, verdicts, skip_bad, take != "first")):
            raise BadRequest(f"{STEPS} is scored by its steps: give --annotations, --predictions, and --dialect or not")
        _score_steps(annotations, predictions, dialect, as_json=as_json)
        return
    scored = score_predictions(
        suite, predictions, annotations=annotations, images=images, reading=reading, skip_bad=skip_bad, boxes=boxes
    )
    if verdicts is not None:
        write_verdicts(verdicts, scored.suite, scored.file.predictions, scored.result)
    if out is not None:
        write_result_folder(out, scored)
    if as_json:
        print_json(scored.to_json())
    else:
        show(scored.result, asked_to_see())


def _score_steps(annotations: Path, predictions: Path, dialect: str | None, *, as_json: bool) -> None:
    from .agentnetbench_score import score_agentnetbench
    from .step_table import show_steps

    told = score_agentnetbench(annotations, predictions, dialect=dialect or "opencua")
    if as_json:
        print_json(told)
    else:
        show_steps(told, asked_to_see())


@dataclass(frozen=True)
class Scored:
    """A file of predictions, the suite it was scored against, and the scores."""

    suite: Suite
    file: PredictionFile
    result: Result
    reading: Reading
    limit: int | None = None  # of the run, of whose samples these are the first

    def to_json(self) -> dict[str, Any]:
        return {**self.result.to_json(), "predictions": self.source()}

    def source(self) -> dict[str, Any]:
        return {"file": self.file.path.name, "sha256": _sha256(self.file.path)}


def reading_of(dialect: str | None, coordinates: str | None, take: str) -> Reading:
    """BadRequest for a flag that says nothing known."""
    from .coordinates import Space
    from .foreign_files import Reading

    if take not in ("first", "last"):
        raise BadRequest(f"--take {take!r} is neither first nor last")
    if coordinates is not None and coordinates not in list(Space):
        raise BadRequest(f"--coordinates {coordinates!r} is none of {', '.join(Space)}")
    if dialect is not None:
        from ...agent.dialects import DIALECTS

        if dialect not in DIALECTS:
            raise BadRequest(f"--dialect {dialect!r} is none of {', '.join(DIALECTS)}")
    space = None if coordinates is None else Space(coordinates)
    return Reading(dialect=dialect, coordinates=space, take=take)


def score_predictions(
    name: str,
    path: Path,
    *,
    annotations: Path | None,
    reading: Reading,
    images: Path | None = None,
    skip_bad: bool = False,
    boxes: str | None = None,
) -> Scored:
    """Against the whole suite; predictions of a run against what it was asked: its limit, and the rows it left out.

    BadRequest where suite or predictions cannot be read, or do not go together.
    """
    from .prediction_files import read_file
    from .score import score
    from .timings import TIMINGS, read_timings

    suite, limit, remarks = suite_asked(name, path, annotations, images, skip_bad=skip_bad, boxes=boxes)
    file = read_file(path, suite, reading)
    beside = file.path.parent / TIMINGS
    timings = read_timings(beside) if beside.is_file() else None
    notes = [*file.notes, *remarks]
    if annotations is None:
        notes.append("the targets are those of the log itself")
    return Scored(suite, file, score(suite, file.predictions, timings, notes), reading, limit)


def suite_asked(
    name: str, path: Path, annotations: Path | None, images: Path | None, *, skip_bad: bool, boxes: str | None
) -> tuple[Suite, int | None, list[str]]:
    """`suite_for`, cut to what the run of the predictions was asked; the limit of that; and a word about it."""
    from .prediction_files import PREDICTIONS
    from .report.opening import run_suite, suite_of_run
    from .run_folder import MANIFEST, read_manifest

    folder = path if path.is_dir() else path.parent
    if annotations is None or images is not None or not (path.is_dir() or path.name == PREDICTIONS):
        return suite_for(name, path, annotations, images, skip_bad=skip_bad, boxes=boxes), None, []
    manifest = read_manifest(folder) if (folder / MANIFEST).is_file() else {}
    told = run_suite(manifest) if manifest.get("suite") else {}
    limit, skipped = told.get("limit"), told.get("skipped")
    if told.get("name") != name or (limit is None and not skipped):
        suite = suite_for(name, path, annotations, skip_bad=skip_bad, boxes=boxes)
        if boxes is None and told.get("files") == suite.files and told["boxes"] not in ("", suite.boxes):
            suite = suite_of_run(folder, annotations)  # whose boxes somebody said how to read
        return suite, None, []
    suite = suite_of_run(folder, annotations, boxes=boxes)
    if limit is None:
        return suite, None, [f"{len(suite.skipped)} broken rows are left out, as the run did, and count as not right"]
    first = f"the first {len(suite.samples)} samples that can be asked"
    return suite, limit, [f"the run was of {first} (--limit {limit}): those alone are scored"]


def suite_for(
    name: str,
    path: Path,
    annotations: Path | None,
    images: Path | None = None,
    *,
    skip_bad: bool = False,
    boxes: str | None = None,
) -> Suite:
    """From its annotations, or from the log that carries them. BadRequest where it is neither."""
    from .suites.open import open_suite

    if annotations is not None:
        if images is not None:
            raise BadRequest(
                "--images is for a log without --annotations: the pictures of annotations are looked for in their own "
                f"folder and below, as in {annotations}/images"
            )
        return open_suite(name, annotations, skip_bad=skip_bad, needs_images=False, boxes=boxes)
    from .prediction_rows import read_rows
    from .suites.screenspot_pro import is_log_row, suite_of_log

    rows = read_rows(path) if path.is_file() else []
    if name != "screenspot-pro" or not rows or not all(is_log_row(row.values) for row in rows):
        raise BadRequest(
            f"--annotations DIR: where are the targets of {name}? Only logs of ScreenSpot-Pro's own scorer carry them"
        )
    return suite_of_log([row.values for row in rows], file=path.name, sha256=_sha256(path), folder=images)


def write_result_folder(folder: Path, scored: Scored) -> None:
    """manifest.json, predictions.jsonl in the order of the suite, verdicts.jsonl and result.json.

    BadRequest where the folder has one of them already, `not_written` where it cannot be.
    """
    from .prediction_files import PREDICTIONS, write_predictions
    from .score import missing
    from .verdict_files import VERDICTS, write_verdicts

    make_folder(folder)
    names = ("manifest.json", PREDICTIONS, VERDICTS, "result.json")
    if taken := [name for name in names if (folder / name).exists()]:
        raise BadRequest(f"--out {folder} has a {taken[0]} already: name a new folder")
    suite, given = scored.suite, scored.file.predictions
    manifest: dict[str, Any] = {
        "suite": {**suite_manifest(suite), "limit": scored.limit},
        "scored": scored.source(),
        "dialect": scored.reading.dialect,
        "coordinates": scored.reading.coordinates,
        "take": scored.reading.take,
        "notes": list(scored.result.notes),
    }
    write_predictions(folder / PREDICTIONS, (given.get(each.id) or missing(each) for each in suite.samples))
    write_verdicts(folder / VERDICTS, suite, given, scored.result)
    write_file(folder / "manifest.json", _pretty(manifest))
    write_file(folder / "result.json", _pretty({**scored.to_json(), "manifest": manifest}))


def suite_manifest(suite: Suite) -> dict[str, Any]:
    """What a manifest says of its suite."""
    return {
        "name": suite.name,
        "files": dict(suite.files),
        "boxes": suite.boxes,
        "convention": suite.convention,
        "samples": len(suite.samples),
        "skipped": list(suite.skipped),
    }


def _pretty(values: dict[str, Any]) -> bytes:
    return (json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8", "replace")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
