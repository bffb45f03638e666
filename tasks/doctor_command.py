"""`moonhand doctor`: its flags, its tables."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from .console import ENVIRONMENT, JsonFlag, ModelFlag, people, plain_errors, print_json, write_file
from .errors import BadRequest

if TYPE_CHECKING:
    from .calibrate_surfaces import Outcome
    from .finding import Finding

TITLES = {"machine": "This machine", "page": "Pages", "desktop": "Desktops", "model": "The model", "extra": "Extras"}
STATE_WIDTH, NAME_WIDTH = 7, 15
READY = {  # a finding's name -> what a person can do where it is ok
    "chromium": "pages",
    "kiosk": "kiosk pages",
    "capture": "this desktop",
    "virtual display": "virtual desktops",
}


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
            for finding in findings:
                if finding.group == group:
                    _print_finding(console, finding)
        console.print(f"[dim]looked at in {time.perf_counter() - start_s:.1f} s")
        _print_verdict(console, findings)
    return works(findings)


def _print_finding(console: Console, finding: Finding) -> None:
    """One row; the command that mends it stands behind the detail where both fit, else in a line that is not broken."""
    state = "[green]ok" if finding.ok else "[red]missing" if finding.needed else "[yellow]without"
    mend = "" if finding.ok else finding.mend or ""
    table = Table(box=None, pad_edge=True, show_header=False)
    table.add_column(min_width=STATE_WIDTH)
    table.add_column(min_width=NAME_WIDTH, no_wrap=True)
    table.add_column(overflow="fold")
    indent = 1 + STATE_WIDTH + 2 + max(NAME_WIDTH, len(finding.name)) + 2
    fits = indent + len(finding.detail) + 2 + len(mend) < console.width
    table.add_row(state, escape(finding.name), escape(finding.detail) + (f"  [bold]{escape(mend)}" if fits else ""))
    console.print(table)
    if mend and not fits:
        console.print(Text(" " * (3 + STATE_WIDTH) + mend, style="bold"), soft_wrap=True)


def _print_verdict(console: Console, findings: Sequence[Finding]) -> None:
    """The last words: what can be done here, or each command that is to be given before a run can begin."""
    needs = [finding for finding in findings if finding.needed and not finding.ok]
    if not needs:
        can = [words for name, words in READY.items() if any(one.ok and one.name == name for one in findings)]
        model = next(finding.name for finding in findings if finding.name.startswith("model "))
        text = f"ready: {', '.join(can)}, with {model}; try moonhand demo"
        console.print(Text(text, style="bold green"), soft_wrap=True)
        return
    lacking = ", ".join(finding.name for finding in needs)
    console.print(Text(f"not ready: {lacking} missing; to mend that:", style="bold red"), soft_wrap=True)
    for finding in needs:
        console.print(Text(f"  {finding.mend or finding.detail}", style="bold"), soft_wrap=True)


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
