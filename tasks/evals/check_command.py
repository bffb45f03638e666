"""`moonhand eval check`: can every row of a suite be asked and judged, and which cannot."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..console import TASK_FAILED, JsonFlag, people, print_json

if TYPE_CHECKING:
    from .suites.assemble import Examined

MISSING = "missing picture"
WIDTH = 200  # of a line in a file
MOST_SHOWN = 200  # problems in the table; `--json` has them all
BoxesFlag = Annotated[
    str | None,
    typer.Option(
        "--boxes",
        metavar="CONVENTION",
        help="How boxes are written: xywh_px, xyxy_px, xyxy_01 or xywh_01. (default: as the file says, or recognised)",
    ),
]


def check(
    suite: Annotated[str, typer.Argument(metavar="SUITE", help="A name of `moonhand eval list`.")],
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="The suite's folder, or one annotation file.")],
    boxes: BoxesFlag = None,
    no_images: Annotated[bool, typer.Option("--no-images", help="Annotations alone: pictures may be missing.")] = False,
    decode: Annotated[bool, typer.Option("--decode", help="Read every picture whole, not its header alone.")] = False,
    cache: Annotated[
        Path | None, typer.Option("--cache", metavar="DIR", help="Where pictures out of Parquet files are kept.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Read a suite and name every row that cannot be asked or judged. Leaves with 1 where there is any."""
    from .suites.open import examine

    with people().status(f"reading {data}"):
        examined = examine(suite, data, needs_images=not no_images, decode=decode, boxes=boxes, cache=cache)
    if as_json:
        print_json(report_of(examined))
    else:
        _print(examined, data)
    if examined.broken:
        raise typer.Exit(TASK_FAILED)


def report_of(examined: Examined) -> dict[str, Any]:
    """What `--json` prints."""
    suite = examined.suite
    axes: dict[str, Counter[str]] = {}
    for sample in suite.samples:
        for axis, values in sample.groups.items():
            axes.setdefault(axis, Counter()).update(values)
    sizes = Counter(str(sample.size) for sample in suite.samples)
    answers = Counter(type(sample.answer).__name__.removesuffix("Answer").lower() for sample in suite.samples)
    return {
        "suite": suite.name,
        "sound": not examined.broken,
        "rows": suite.denominator,
        "good": len(suite.samples),
        "broken": len(suite.skipped),
        "notes": sum(problem.is_note for problem in examined.problems),
        "pictures": len({sample.image for sample in suite.samples} - {None}),
        "convention": suite.convention,
        "files": dict(suite.files),
        "answers": dict(answers.most_common()),
        "sizes": dict(sizes.most_common()),
        "groups": {axis: dict(values.most_common()) for axis, values in axes.items()},
        "skipped": list(suite.skipped),
        "kinds": dict(Counter(problem.kind.value for problem in examined.problems).most_common()),
        "problems": [problem.to_json() for problem in examined.problems],
    }


def _print(examined: Examined, data: Path) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    from .suites.problems import by_kind

    told = report_of(examined)
    if examined.problems:
        if len(examined.problems) > 1:
            console.print(f"{len(examined.problems)} remarks: {by_kind(examined.problems)}\n", highlight=False)
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in ("file", "row", "id", "what", "said"):
            table.add_column(column, justify="right" if column == "row" else "left", overflow="fold")
        for problem in examined.problems[:MOST_SHOWN]:
            row = "" if problem.row is None else str(problem.row)
            cells = (problem.file, row, problem.id or "", problem.kind.value, problem.said)
            table.add_row(*map(escape, cells), style="" if problem.is_note else "red")
        console.print(table)
        if (more := len(examined.problems) - MOST_SHOWN) > 0:
            console.print(f"... and {more} more: --json tells them all")
        console.print()
    facts = Table(box=None, pad_edge=False, show_header=False)
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    facts.add_row("boxes", escape(told["convention"]))
    facts.add_row("answers", _counts(told["answers"]))
    facts.add_row("pictures", f"{told['pictures']} found; screenshots {_counts(told['sizes'])}")
    for axis, values in told["groups"].items():
        facts.add_row(escape(axis), _counts(values))
    console.print(facts)
    state = "[red]not sound[/]" if examined.broken else "[green]sound[/]"
    notes = f", {told['notes']} notes" if told["notes"] else ""
    line = f"{told['rows']} rows, {told['good']} can be asked, {told['broken']} cannot{notes}"
    console.print(f"\n{escape(str(data))} is {state}: {line}", highlight=False, soft_wrap=True)
    if told["rows"] and told["kinds"].get(MISSING) == told["rows"]:
        console.print("every picture is missing: --no-images checks the annotations alone, as scoring needs them")


def _counts(counts: dict[str, int], most: int = 12) -> str:
    shown = ", ".join(f"{escape(value)} {count}" for value, count in list(counts.items())[:most])
    return f"{shown}, and {len(counts) - most} more" if len(counts) > most else shown
