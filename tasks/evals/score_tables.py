"""Scores as tables for people."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .score import Result
from .tally import Tally

MANY = 30  # values of an axis: the rest is in the JSON


def show(result: Result, console: Console) -> None:
    low, high = result.ci95
    console.print(
        f"[bold]{escape(result.suite)}[/]  {result.correct} of {result.n} right: "
        f"[bold]{100 * result.accuracy:.2f} %[/] (95 %: {100 * low:.2f} to {100 * high:.2f}), each row counting once",
        highlight=False,
    )
    if result.accuracy_macro is not None:
        mean, over = f"[bold]{100 * result.accuracy_macro:.2f} %[/]", escape(" x ".join(result.macro_over))
        console.print(f"{mean} as the mean of the {len(result.cells)} cells of {over}", highlight=False)
    had = ", ".join(f"{outcome.value} {num}" for outcome, num in result.outcomes.items() if num)
    console.print(f"outcomes: {had}", highlight=False)
    if result.refusal.n:
        refusal = result.refusal
        console.print(
            f"nothing to find in {refusal.n} rows: {refusal.true_refusals} refused, {refusal.missed} given a point; "
            f"of the {refusal.num_targets} others {refusal.false_refusals} refused; "
            f"right of those alone: {100 * result.actionable.accuracy:.2f} %",
            highlight=False,
        )
    for axis, values in (*result.groups.items(), *result.sizes.items()):
        console.print(_table(axis, values))
    for note in result.notes:
        console.print(f"note: {note}", style="dim", highlight=False, markup=False)


def _table(axis: str, values: Mapping[str, Tally]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(escape(axis), min_width=24)
    for heading in ("rows", "right", "%", "95 %"):
        table.add_column(heading, justify="right")
    for name, each in list(values.items())[:MANY]:
        low, high = each.ci95
        cells = (str(each.n), str(each.correct), f"{100 * each.accuracy:.1f}", f"{100 * low:.1f} - {100 * high:.1f}")
        table.add_row(escape(name), *cells)
    if len(values) > MANY:
        table.add_row(f"and {len(values) - MANY} more")
    return table
