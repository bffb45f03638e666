"""What people are told of scripts: a table while one runs, its end, and a table of all."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ...agent import RunResult
from ..approving import printable
from ..live import UNSURE, StepTable
from .outcome import CheckResult, ScriptOutcome, StepResult
from .tree import Script
from .values import shortened

LONGEST_FOUND = 100  # characters of what was found
MOST_UNSURE = 8  # steps of which it is told in one line
STYLES = {"passed": "green", "failed": "red", "tolerated": "yellow", "not reached": "yellow"}
ACTS = ("click", "double", "triple", "right", "tick", "hover", "type", "press", "scroll", "wait", "go", "back")


class Teller:
    """Writes to one console. `is_alone`: there is but one script, which needs no heading."""

    def __init__(self, console: Console, *, is_alone: bool) -> None:
        self._console, self._is_alone = console, is_alone
        self._table: StepTable | None = None

    @contextmanager
    def table(self, script: Script) -> Generator[StepTable]:
        """For the steps of one script."""
        if not self._is_alone:
            self._console.print(f"\n[bold]{escape(script.name)}[/]  {escape(str(script.path))}", soft_wrap=True)
        with StepTable(self._console) as table:
            self._table = table
            try:
                yield table
            finally:
                self._table = None

    @contextmanager
    def aside(self) -> Generator[None]:
        """Leave the terminal to somebody else for a while."""
        with nullcontext() if self._table is None else self._table.paused():
            yield

    def result(self, result: StepResult) -> None:
        """A step that is over. What was done to the screen has a row of its own already, unless it failed."""
        if result.verb in ACTS and result.status == "passed":
            return
        said = result.error or shortened(result.found, LONGEST_FOUND)
        tries = f" ({result.num_tries} tries)" if result.num_tries > 1 else ""
        words = printable(" ".join(f"{result.number} {result.said}: {said or result.status}{tries}".split()))
        if self._table is not None:
            self._table.tell(f"{result.status:<10}{words}", STYLES[result.status])

    def say(self, words: str) -> None:
        self._console.print(words, style="yellow", markup=False, highlight=False, soft_wrap=True)

    def outcome(self, outcome: ScriptOutcome, drawn: Path | None = None) -> None:
        """How one script ended."""
        console, result = self._console, outcome.result
        if result is None:
            return
        for check in outcome.checks:
            console.print(
                f"[green]ok[/]      {escape(check.js)}" if check.ok else f"[red]wrong[/]   {escape(check.js)}"
            )
            if not check.ok:
                found = check.error or json.dumps(check.found, ensure_ascii=False)
                expected = json.dumps(check.equals, ensure_ascii=False)
                console.print(f"        expected {expected}\n        found    {found}", markup=False, soft_wrap=True)
        console.print(_headline(result, outcome.checks), highlight=False)
        error = None if outcome.trouble is not None else result.error  # that is told as an error
        pictures = [f"failed:     {step.picture}" for step in outcome.steps if step.picture is not None]
        read = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in outcome.variables.items()]
        lines = [error, result.answer, *read, f"trajectory: {result.path}", drawn and f"picture:    {drawn}", *pictures]
        for line in (*lines, _cache_line(outcome), _unsure_line(outcome)):
            if line:
                console.print(str(line), highlight=False, markup=False, soft_wrap=True)

    def summary(self, outcomes: Sequence[ScriptOutcome], not_run: Sequence[Script]) -> None:
        """All scripts in one table."""
        table = Table(box=None, header_style="bold", pad_edge=False)
        for heading in ("", "script", "steps", "seconds", "found again", "by model"):
            table.add_column(heading, justify="right" if heading in ("steps", "seconds", "by model") else "left")
        for outcome in outcomes:
            passed, cache = outcome.is_passed, outcome.cache
            steps = "" if outcome.result is None else str(outcome.result.steps)
            table.add_row(
                "[green]passed[/]" if passed else "[red]failed[/]",
                escape(outcome.script.name),
                steps,
                f"{outcome.took_s:.1f}",
                str(cache.num_found),
                str(cache.num_asked),
            )
        for script in not_run:
            table.add_row("[yellow]not run[/]", escape(script.name), "", "", "", "")
        self._console.print()
        self._console.print(table)
        for outcome in outcomes:
            told = [_unsure_line(outcome)]
            if not outcome.is_passed:
                path = None if outcome.result is None else f"trajectory: {outcome.result.path}"
                told = [printable(" ".join((outcome.error or "").split())), path, *told]
            for line in filter(None, told):
                self._console.print(f"{outcome.script.name}: {line}", markup=False, highlight=False, soft_wrap=True)


def _cache_line(outcome: ScriptOutcome) -> str | None:
    cache = outcome.cache
    if cache.folder is None or not (cache.num_found or cache.num_asked):
        return None
    kept = f"; {cache.num_kept} kept in {cache.folder}" if cache.num_kept else ""
    return f"cache:      {cache.num_found} found again, {cache.num_asked} by the model{kept}"


def _headline(result: RunResult, checks: Sequence[CheckResult]) -> str:
    """How a run ended, with colours."""
    steps = "1 step" if result.steps == 1 else f"{result.steps} steps"
    if result.status != "finished" or result.success is None:
        return f"{result.status}: {steps}"
    if result.success:
        return f"finished: {steps}  [green]done, and checked[/]"
    wrong = sum(not check.ok for check in checks)
    is_wrong = f"{wrong} of {len(checks)} {'is' if wrong == 1 else 'are'} wrong"
    return f"[red]failed[/]: all {steps} were done, but not all checks hold: {is_wrong}"


def _unsure_line(outcome: ScriptOutcome) -> str | None:
    unsure = [step for step in outcome.steps if step.is_unsure and step.status == "passed"]
    if not unsure:
        return None
    told = ", ".join(f"{step.number} ({step.confidence:.0%})" for step in unsure[:MOST_UNSURE])
    more = f" and {len(unsure) - MOST_UNSURE} more" if len(unsure) > MOST_UNSURE else ""
    return f"unsure:     found with less than {UNSURE:.0%}: step {told}{more}; --sure {UNSURE:g} touches no such thing"
