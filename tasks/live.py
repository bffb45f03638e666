"""A run as it happens: a table that grows by a row a step, or plain lines where there is no terminal."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ..agent import Step
from ..envs import action_points, describe
from .approving import printable
from .console import typed_line

HEADINGS = ("#", "action", "looked for", "point", "sure", "capture", "model", "act", "settle")
TIMES = ("capture", "model", "act", "settle")  # milliseconds
WARNING = "yellow"
UNSURE = 0.5  # less confidence than that is marked: it is more likely wrong than right


class StepTable:
    """Shows steps on a console for as long as the `with` body lasts."""

    def __init__(self, console: Console, keyboard: TextIO | None = None) -> None:
        """`keyboard` is where answers come from; None: standard input."""
        self._console = console
        self._keyboard = keyboard
        self._rows: list[tuple[str, tuple[str, ...] | str]] = []  # cells, or a line of words; with their styles
        self._live = (
            Live(console=console, auto_refresh=False, vertical_overflow="visible") if console.is_terminal else None
        )

    def __enter__(self) -> Self:
        if self._live is None:
            self._print_line(HEADINGS)
        else:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def add(self, step: Step, how: str | None = None) -> None:
        """Show one more step, and under it what happened on the side: its error, what was blocked or downloaded.

        `how`, where no model was asked for its place, stands in place of the time that one took.
        """
        cells = step_cells(step)
        if how is not None:
            cells = tuple(how if heading == "model" else cell for heading, cell in zip(HEADINGS, cells, strict=True))
        is_unsure = step.confidence is not None and step.confidence < UNSURE
        self._rows.append((WARNING if is_unsure else "", cells))
        notes = step_notes(step)
        for style, words in notes:
            self._rows.append((style, words))
        if self._live is not None:
            self._live.update(self._table(), refresh=True)
            return
        self._print_line((*cells, "unsure") if is_unsure else cells)
        for style, words in notes:
            self._console.print(f"     {words}", style=style, markup=False, highlight=False, soft_wrap=True)

    def tell(self, words: str, style: str) -> None:
        """Show a line of words between the steps."""
        self._rows.append((style, words))
        if self._live is not None:
            self._live.update(self._table(), refresh=True)
        else:
            self._console.print(f"     {words}", style=style, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def paused(self) -> Generator[None]:
        """Leave the terminal to somebody else. The table ends here, and the steps after it begin another one."""
        if self._live is not None:
            self._live.stop()
            self._rows.clear()
            self._live.update(self._table())
        yield
        if self._live is not None:
            self._live.start()

    def ask(self, question: str) -> str:
        """Put a question to the person at the terminal and wait for a line; empty at the end of input."""
        with self.paused():
            self._console.print(f"? {printable(question)}", markup=False, highlight=False, soft_wrap=True)
            self._console.print("> ", end="")
            return (self._keyboard.readline() if self._keyboard else typed_line()).strip()

    def _table(self) -> Group:
        """Rows under one another's columns, and lines of words over the whole width between them."""
        widths = [len(heading) + 3 * (heading in TIMES) for heading in HEADINGS]
        for _, row in self._rows:
            if not isinstance(row, str):
                widths = [max(width, len(cell)) for width, cell in zip(widths, row, strict=True)]
        parts: list[Table | Text] = [_empty_table(widths, is_first=True)]
        for style, row in self._rows:
            if isinstance(row, str):
                parts.append(Text(f"     {row}", style=style))
                continue
            table = parts[-1]
            if not isinstance(table, Table):
                parts.append(table := _empty_table(widths, is_first=False))
            table.add_row(*map(escape, row), style=style)
        return Group(*parts)

    def _print_line(self, cells: tuple[str, ...]) -> None:
        widths = (3, 30, 30, 12, 5, 8, 8, 8, 8, 0)
        is_number = (True, False, False, False, True, True, True, True, True, False)
        line = " ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(cells, widths, is_number, strict=False)
        )
        self._console.print(line.rstrip(), markup=False, highlight=False, soft_wrap=True)


def _empty_table(widths: Sequence[int], *, is_first: bool) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, expand=True, show_header=is_first)
    for heading, width in zip(HEADINGS, widths, strict=True):
        name = f"{heading} ms" if heading in TIMES else heading
        if heading in ("action", "looked for"):
            table.add_column(name, ratio=1)
        else:
            justify = "right" if heading in ("#", "sure", *TIMES) else "left"
            table.add_column(name, justify=justify, width=width)
    return table


def step_cells(step: Step) -> tuple[str, ...]:
    """One step as a row under HEADINGS."""
    action, points = "unreadable reply", ""
    if step.action is not None:
        action = describe(step.action)
        if found := action_points(step.action):
            action = action.partition(" (")[0]  # its place has a column of its own
            points = " ".join(f"{point.x_px:.0f},{point.y_px:.0f}" for point in found)
    return (
        str(step.index + 1),
        action,
        step.instruction or "",
        points,
        "" if step.confidence is None else f"{step.confidence:.0%}",
        *(f"{seconds_s * 1000:.0f}" for seconds_s in (step.capture_s, step.model_s, step.act_s, step.settle_s)),
    )


def step_notes(step: Step) -> tuple[tuple[str, str], ...]:
    """What is to be told of a step beyond its row, each with its style."""
    if step.error:
        return ((WARNING, _in_one_line(step.error)),)
    if step.effect is None or step.action is None:
        return ()
    said, action = step.effect.detail, describe(step.action)
    notes = said.removeprefix(action).removeprefix("; ") if said.startswith(action) else said.partition("; ")[2]
    if not notes:
        return ()
    return ((WARNING if "blocked: " in notes else "dim", _in_one_line(notes)),)


def _in_one_line(words: str) -> str:
    return " ".join(printable(words).split())
