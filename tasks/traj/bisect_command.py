"""`moonhand traj bisect`: where two runs part."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from ..console import OK, TASK_FAILED, JsonFlag, people, print_json, write_file
from ..errors import BadRequest
from .list_commands import say, table_console

if TYPE_CHECKING:
    from .bisect import Bisection


def bisect(
    one: Annotated[Path, typer.Argument(metavar="A", help="The folder of a recorded run.")],
    other: Annotated[Path, typer.Argument(metavar="B", help="The folder of another one.")],
    tolerance: Annotated[
        float | None,
        typer.Option(
            "--tolerance", min=0, metavar="PX", help="How far apart is the same place. (default: 1 % of the frame)"
        ),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", metavar="OUT.png", help="Draw the two steps side by side.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Find the first step at which two runs differ, and how.

    Leaves with 0 where all their steps are the same, with 1 where they are not.
    """
    from ...agent import read_trajectory
    from ...agent.overlay import to_png
    from ..pictures import check_writable
    from .bisect import bisect as compare
    from .bisect import draw_side_by_side

    if picture is not None:
        check_writable(picture)
    left, right = read_trajectory(one), read_trajectory(other)
    for recording in (left, right):
        if not recording.steps:
            raise BadRequest(f"{recording.path} holds no step that could be compared")
    found = compare(left, right, tolerance)
    if picture is not None and found.number is not None:
        write_file(picture, to_png(draw_side_by_side(left, right, found)))
    if as_json:
        print_json({"a": str(one), "b": str(other)} | found.to_json())
    else:
        _report(found, min(len(left.steps), len(right.steps)))
        if picture is not None:
            said = f"picture: {picture}" if found.number is not None else "no picture: there is nothing to show"
            say(said)
    for recording in (left, right):
        for problem in recording.problems:
            people().print(
                f"{recording.path}: {problem}", style="yellow", highlight=False, markup=False, soft_wrap=True
            )
    raise typer.Exit(OK if found.number is None else TASK_FAILED)


def _report(found: Bisection, num_steps: int) -> None:
    from .run_words import one_line

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "A", "B"):
        table.add_column(heading, overflow="fold")
    for setting in found.before:
        table.add_row(*map(escape, map(one_line, setting.words())), style="dim")
    for difference in found.differences:
        apart = "" if difference.distance_px is None else f" ({difference.distance_px:.1f} px)"
        cells = (difference.what + apart, difference.one, difference.other)
        table.add_row(*map(escape, map(one_line, cells)), style="yellow")
    if table.row_count:
        table_console().print(table)
    if found.number is None:
        say(f"the same: {num_steps} steps")
        return
    later = found.action_number
    also = (
        ""
        if later == found.number
        else f"; the first other action is step {later}"
        if later
        else "; the actions are the same"
    )
    say(f"they differ from step {found.number} on{also}")
