"""`moonhand eval list`: the suites there are readers for, and where they come from."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..console import JsonFlag, print_json
from .suites.known import SuiteInfo, known_suites

WIDTH, NARROW = 200, 160  # of a line in a file; below so many a terminal is shown two tables
NUMBERS = ("samples",)
WHOLE = ("suite", "asks for", "samples", "where to get it")  # never broken: names and addresses


def list_suites(as_json: JsonFlag = False) -> None:
    """List the suites that can be evaluated: where each comes from, how large it is, how its average is made."""
    suites = known_suites()
    if as_json:
        print_json({"suites": [info.to_json() for info in suites]})
        return
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    rows = [_row(info) for info in suites]
    if console.width < NARROW:
        console.print(_table([{name: row[name] for name in row if name != "where to get it"} for row in rows]))
        console.print()
        console.print(_table([{name: row[name] for name in ("suite", "where to get it")} for row in rows]))
    else:
        console.print(_table(rows))
    console.print("\nNothing is downloaded: get the files yourself, then `moonhand eval check SUITE --data DIR`.")


def _row(info: SuiteInfo) -> dict[str, str]:
    return {
        "suite": info.name,
        "asks for": info.asks,
        "samples": "" if info.rows is None else f"{info.rows:,}",
        "where to get it": info.where,
        "size": info.size,
        "licence": info.licence,
        "published average": info.metric,
    }


def _table(rows: Sequence[dict[str, str]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in rows[0]:
        justify = "right" if column in NUMBERS else "left"
        table.add_column(column, justify=justify, no_wrap=column in WHOLE, overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row.values()))
    return table
