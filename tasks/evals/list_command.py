"""`moonhand eval list`: the suites there are readers for, and where they come from."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..console import JsonFlag, print_json
from .suites.known import SuiteInfo, known_suites

WIDTH = 200  # of a line in a file
COLUMNS = ("suite", "asks for", "samples", "where to get it", "size", "licence", "published average")


def list_suites(as_json: JsonFlag = False) -> None:
    """List the suites that can be evaluated: where each comes from, how large it is, how its average is made."""
    suites = known_suites()
    if as_json:
        print_json({"suites": [info.to_json() for info in suites]})
        return
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in COLUMNS:
        table.add_column(column, justify="right" if column == "samples" else "left", overflow="fold")
    for info in suites:
        table.add_row(*map(escape, _cells(info)))
    console.print(table)
    console.print("\nNothing is downloaded: get the files yourself, then `moonhand eval check SUITE --data DIR`.")


def _cells(info: SuiteInfo) -> tuple[str, ...]:
    samples = "" if info.rows is None else f"{info.rows:,}"
    return info.name, info.asks, samples, info.where, info.size, info.licence, info.metric
