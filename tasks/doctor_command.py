"""`moonhand doctor`: its flags, its tables."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .console import ENVIRONMENT, JsonFlag, ModelFlag, people, plain_errors, print_json, write_file
from .errors import BadRequest

if TYPE_CHECKING:
    from .calibrate_surfaces import Outcome
    from .finding import Finding

TITLES = {"machine": "This machine", "page": "Pages", "desktop": "Desktops", "model": "The model"}


def doctor(
    model: ModelFlag = "nano",
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate",
            help="Click 200 targets on every surface that works here, and tell how far off, in px. Covers this "
            "machine's screen with targets for some seconds.",
        ),
    ] = False,
    picture: Annotated[
        Path | None,
        typer.Option("--picture", metavar="OUT.png", help="With --calibrate: draw targets and clicks into a file."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """What works on this machine, what is missing, and the command that mends it."""
    with plain_errors(as_json):
        if picture is not None and not calibrate:
            raise BadRequest("--picture draws what --calibrate clicked: add --calibrate")
        ok = _calibrate(picture, as_json) if calibrate else _examine(model, as_json)
        if not ok:
            raise typer.Exit(ENVIRONMENT)


def _examine(model: str, as_json: bool) -> bool:
    from .doctor import examine, findings_to_json, works

    start_s = time.perf_counter()
    with people().status("looking"):
        findings = examine(os.environ, model=model)
    if as_json:
        print_json(findings_to_json(findings))
    else:
        console = Console()
        for group, title in TITLES.items():
            console.print(f"[bold]{title}")
            console.print(_table([finding for finding in findings if finding.group == group]))
        console.print(f"[dim]looked at in {time.perf_counter() - start_s:.1f} s")
    return works(findings)


def _table(findings: list[Finding]) -> Table:
    table = Table(box=None, pad_edge=True, show_header=False)
    table.add_column(min_width=7)
    table.add_column(min_width=15, no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        state = "[green]ok" if finding.ok else "[red]missing" if finding.needed else "[yellow]without"
        table.add_row(state, finding.name, escape(finding.detail))
        if finding.mend and not finding.ok:
            table.add_row("", "", f"[bold]{escape(finding.mend)}")
    return table


def _calibrate(picture: Path | None, as_json: bool) -> bool:
    from .calibrate_surfaces import calibrate_all, draw_outcomes, outcomes_to_json
    from .pictures import check_writable

    if picture is not None:
        check_writable(picture)
    with people().status("clicking targets"):
        outcomes = calibrate_all(os.environ)
    if picture is not None:
        write_file(picture, draw_outcomes(outcomes))
    if as_json:
        print_json(outcomes_to_json(outcomes))
    else:
        Console().print(_outcome_table(outcomes))
    return all(outcome.ok for outcome in outcomes)


def _outcome_table(outcomes: list[Outcome]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("", "surface", "picture", "scale", "targets", "error", "took"):
        table.add_column(heading, justify="right" if heading in ("scale", "targets", "error", "took") else "left")
    for outcome in outcomes:
        found = outcome.found
        if found is None:
            state = "[yellow]without" if outcome.ok else "[red]failed"
            table.add_row(state, outcome.surface)
            table.add_row("", f"[dim]{escape(outcome.why)}")
            continue
        worst = "none hit" if found.worst_px is None else f"{found.worst_px:g} px"
        lost = "".join(
            f", {count} {word}" for count, word in ((found.num_unseen, "unseen"), (found.num_missed, "missed")) if count
        )
        table.add_row(
            "[green]exact" if found.is_exact else "[red]off",
            found.surface,
            str(found.size),
            f"{found.scale:g}",
            f"{found.num_targets}{lost}",
            worst,
            f"{found.seconds:.1f} s",
        )
    return table
