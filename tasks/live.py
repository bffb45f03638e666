"""A run as it happens: a table that grows by a row a step, or plain lines where there is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from ..agent import Step
from ..envs import action_points, describe
from .approving import printable

HEADINGS = ("#", "action", "looked for", "point", "sure", "capture", "model", "act", "settle")
TIMES = ("capture", "model", "act", "settle")  # milliseconds
WARNING = "yellow"


class StepTable:
    """Shows steps on a console for as long as the `with` body lasts."""

    def __init__(self, console: Console, keyboard: TextIO | None = None) -> None:
        """`keyboard` is where answers come from; None: standard input."""
        self._console = console
        self._keyboard = keyboard
        self._rows: list[tuple[str, tuple[str, ...]]] = []  # with their styles
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

    def add(self, step: Step) -> None:
        """Show one more step, and under it what happened on the side: its error, what was blocked or downloaded."""
        cells = step_cells(step)
        self._rows.append(("", cells))
        notes = step_notes(step)
        for style, words in notes:
            self._rows.append((style, ("", words, *("" for _ in HEADINGS[2:]))))
        if self._live is not None:
            self._live.update(self._table(), refresh=True)
            return
        self._print_line(cells)
        for style, words in notes:
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
            return (self._keyboard or sys.stdin).readline().strip()

    def _table(self) -> Table:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for heading in HEADINGS:
            is_number = heading in ("#", "sure", *TIMES)
            table.add_column(f"{heading} ms" if heading in TIMES else heading, justify="right" if is_number else "left")
        for style, cells in self._rows:
            table.add_row(*map(escape, cells), style=style)
        return table

    def _print_line(self, cells: tuple[str, ...]) -> None:
        widths = (3, 30, 30, 12, 5, 8, 8, 8, 8)
        is_number = (True, False, False, False, True, True, True, True, True)
        line = " ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(cells, widths, is_number, strict=True)
        )
        self._console.print(line.rstrip(), markup=False, highlight=False, soft_wrap=True)


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
