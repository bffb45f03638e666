"""`moonhand eval compare`: two results of one suite, side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

import typer
from rich.markup import escape
from rich.table import Table

from ..console import JsonFlag, people, print_json
from ..errors import BadRequest
from .check_command import BoxesFlag
from .score_command import (
    AnnotationsFlag,
    CoordinatesFlag,
    DialectFlag,
    SkipFlag,
    TakeFlag,
    reading_of,
    score_predictions,
    suite_manifest,
)

if TYPE_CHECKING:
    from .compare import Change, Comparison
    from .foreign_files import Reading
    from .verdict_files import Judged

MANIFEST: Final = "manifest.json"
PAGE_START: Final = 4096  # bytes, in which a page of ours says so
GENERATOR: Final = b'name="generator" content="moonhand"'
SHOWN: Final = 20  # changed rows for people


def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="A result folder, or with --suite a file of predictions.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another.")],
    suite: Annotated[str | None, typer.Option("--suite", metavar="SUITE", help="Of which suite they are.")] = None,
    annotations: AnnotationsFlag = None,
    dialect: DialectFlag = None,
    coordinates: CoordinatesFlag = None,
    take: TakeFlag = "first",
    skip_bad: SkipFlag = False,
    boxes: BoxesFlag = None,
    common: Annotated[
        bool, typer.Option("--common", help="Compare the rows that both were asked alone, as of runs with a --limit.")
    ] = False,
    show_all: Annotated[bool, typer.Option("--all", help="Show every row that changed.")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write the comparison as one page, too.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Compare two results of one suite: the difference, the exact McNemar test, and the rows that changed.

    Refused where the two were scored against other annotation files. Folders without verdicts, and files, need
    --annotations to be judged.
    """
    from .compare import check_same_suite, compare_verdicts, in_common

    if html is not None:
        _check_page(html)
    how = Judging(suite, annotations, reading_of(dialect, coordinates, take), skip_bad, boxes)
    one, other = (_side(path, how) for path in (a, b))
    check_same_suite(one.manifest, other.manifest)
    alone = 0, 0
    if common:
        rows = in_common(one.rows, other.rows)
        alone = len(one.rows) - len(rows[0]), len(other.rows) - len(rows[1])
        one, other = replace(one, rows=rows[0]), replace(other, rows=rows[1])
    comparison = compare_verdicts(one.rows, other.rows, (one.manifest, other.manifest))
    if html is not None:
        from .report.compare_page import write_compare

        write_compare(comparison, html, a=a.name, b=b.name, unanswered=(_unanswered(one), _unanswered(other)))
    if as_json:
        left = {"common": {"n": len(one.rows), "only_a": alone[0], "only_b": alone[1]}} if common else {}
        print_json({"a_path": str(a), "b_path": str(b), **comparison.to_json(), **left})
    else:
        if common:
            people().print(
                f"over the {len(one.rows)} rows that both were asked: {alone[0]} more of A and {alone[1]} more of B "
                "are not looked at",
                highlight=False,
                soft_wrap=True,
            )
        _show(a, b, comparison, None if show_all else SHOWN)


@dataclass(frozen=True)
class Judging:
    """How what has no verdicts yet is judged."""

    suite: str | None
    annotations: Path | None
    reading: Reading
    skip_bad: bool
    boxes: str | None


@dataclass(frozen=True)
class Side:
    manifest: Mapping[str, Any]
    rows: Mapping[str, Judged]


def _unanswered(side: Side) -> int:
    """Rows that have no prediction: it is missing, or they were left out."""
    from .prediction import Outcome

    return sum(row.outcome in (Outcome.MISSING, Outcome.SKIPPED) for row in side.rows.values())


def _side(path: Path, how: Judging) -> Side:
    from .verdict_files import VERDICTS, judged, read_verdicts

    if not path.exists():
        raise BadRequest(f"{path} is not there: name a run's folder, or a file of predictions")
    manifest = _manifest(path / MANIFEST) if path.is_dir() else None
    if manifest is not None and how.annotations is None and (path / VERDICTS).is_file():
        return Side(manifest, read_verdicts(path / VERDICTS))
    suite = how.suite or _suite_name(manifest)
    if suite is None:
        raise BadRequest(f"{path} does not say which suite it is of: name it with --suite and --annotations")
    if how.annotations is None and path.is_dir():
        raise BadRequest(f"{path} has no {VERDICTS}: give --annotations DIR, and its predictions are judged anew")
    scored = score_predictions(
        suite,
        path,
        annotations=how.annotations,
        reading=_for(path, how.reading),
        skip_bad=how.skip_bad,
        boxes=how.boxes or _boxes(manifest),
    )
    told = {"suite": suite_manifest(scored.suite) | ({} if scored.limit is None else {"limit": scored.limit})}
    if manifest is not None:
        from .compare import check_same_suite

        check_same_suite(manifest, told)
    return Side(manifest or told, judged(scored.suite, scored.result))


def _check_page(path: Path) -> None:
    """BadRequest where a file is there that is no page of ours: it would be lost."""
    try:
        if not path.is_file() or path.stat().st_size == 0:
            return
        with path.open("rb") as file:
            start = file.read(PAGE_START)
    except OSError:
        start = b""
    if not (start.lstrip().lower().startswith(b"<!doctype html") and GENERATOR in start):
        raise BadRequest(f"--html {path} is there and is no page of moonhand's: it is kept. Name another file")


def _for(path: Path, reading: Reading) -> Reading:
    """A file of ours tells by itself what it holds: the flags are for the other of the two."""
    from .foreign_files import Reading
    from .prediction_files import is_ours
    from .prediction_rows import read_rows

    return Reading() if path.is_dir() or is_ours(read_rows(path)) else reading


def _manifest(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise BadRequest(f"{path.parent} is no result folder: {path.name} cannot be read ({error})") from error
    if not isinstance(told, dict):
        raise BadRequest(f"{path} is no manifest: it holds no JSON object")
    return cast(dict[str, Any], told)


def _of_suite(manifest: Mapping[str, Any] | None, key: str) -> Any:
    suite = None if manifest is None else manifest.get("suite")
    return cast(dict[str, Any], suite).get(key) if isinstance(suite, dict) else None


def _suite_name(manifest: Mapping[str, Any] | None) -> str | None:
    name = _of_suite(manifest, "name")
    return name if isinstance(name, str) else None


def _boxes(manifest: Mapping[str, Any] | None) -> str | None:
    """The convention that a result was judged with; None where it is not told, or they are several."""
    from .suites.boxes import Convention

    boxes = _of_suite(manifest, "boxes")
    return boxes if boxes in list(Convention) else None


def _show(a: Path, b: Path, comparison: Comparison, limit: int | None) -> None:
    console, paired = people(), comparison.paired
    for name, path, each in (("A", a, paired.a), ("B", b, paired.b)):
        low, high = each.ci95
        console.print(
            f"{name}  {each.correct} of {each.n}: [bold]{100 * each.accuracy:.2f} %[/] "
            f"(95 %: {100 * low:.2f} to {100 * high:.2f})  {escape(str(path))}",
            highlight=False,
        )
    console.print(
        f"B - A: [bold]{100 * paired.difference:+.2f} points[/]; {paired.only_b} wrong to right, {paired.only_a} right "
        f"to wrong, McNemar p = {paired.p:.3g} (exact)",
        highlight=False,
    )
    for axis, values in comparison.groups.items():
        table = Table(escape(axis), box=None, pad_edge=False, header_style="bold")
        for heading in ("rows", "A %", "B %", "points", "to right", "to wrong", "p"):
            table.add_column(heading, justify="right")
        for name, each in values.items():
            shares = f"{100 * each.a.accuracy:.1f}", f"{100 * each.b.accuracy:.1f}", f"{100 * each.difference:+.1f}"
            table.add_row(escape(name), str(each.n), *shares, str(each.only_b), str(each.only_a), f"{each.p:.3g}")
        console.print(table)
    for heading, changes in (
        ("right to wrong", comparison.right_to_wrong),
        ("wrong to right", comparison.wrong_to_right),
    ):
        if changes:
            console.print(_changes(heading, changes, limit))
    for key, (ours, theirs) in comparison.differing.items():
        line = f"{key}: {json.dumps(ours)} in A, {json.dumps(theirs)} in B"
        console.print(line, highlight=False, markup=False, style="dim")


def _changes(heading: str, changes: tuple[Change, ...], limit: int | None) -> Table:
    table = Table(heading, "A", "B", "instruction", box=None, pad_edge=False, header_style="bold")
    for change in changes[:limit]:
        words = (change.a.id, change.a.outcome.value, change.b.outcome.value, change.a.instruction)
        table.add_row(*(escape(word) for word in words))
    if limit is not None and len(changes) > limit:
        table.add_row(f"and {len(changes) - limit} more: --all")
    return table
