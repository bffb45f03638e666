"""`moonhand traj check`: is a recorded run whole, and what can be done where it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from ..console import TASK_FAILED, JsonFlag, print_json
from .list_commands import table_console


def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a recorded run.")],
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Drop lines that cannot be read, and nothing else; the old file is kept beside the new one.",
        ),
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Read every line and every picture of a recorded run and say what is wrong. Leaves with 1 where anything is."""
    from ...agent.trajectory.check import check_trajectory, repair_trajectory

    found = repair_trajectory(folder) if repair else check_trajectory(folder)
    if as_json:
        print_json(found.to_json())
    else:
        console = table_console()
        for done in found.repaired:
            console.print(f"[green]repaired[/]  {escape(done)}", highlight=False, soft_wrap=True)
        for problem in found.problems:
            told = f"[red]{problem.kind.replace('_', ' ')}[/]  {escape(problem.where)}: {escape(problem.said)}"
            console.print(told, highlight=False, soft_wrap=True)
        state = "sound" if found.is_sound else "not sound"
        console.print(
            f"{folder} is {state}: {found.num_steps} steps and {found.num_frames} pictures can be read",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
        if not repair and any(problem.is_mended_by_repair for problem in found.problems):
            console.print("moonhand traj check --repair drops what cannot be read", highlight=False, soft_wrap=True)
    if not found.is_sound:
        raise typer.Exit(TASK_FAILED)
