"""`moonhand traj export`: a recorded run as a script, rows, a film."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..console import JsonFlag, people, print_json
from ..errors import BadRequest

if TYPE_CHECKING:
    from ...agent import Recording
    from ..exports.formats import Format

SHOWN = 12  # lines for people about what was left out


def export(
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="A recorded run, or for rows a folder with several.")
    ] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="FORMAT", help="Which format: see --list.")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="PATH", help="Where it goes.")] = None,
    show_list: Annotated[bool, typer.Option("--list", help="Show the formats and leave.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Write a recorded run in another program's format.

    What the format has no words for is named here and in the file; nothing is dropped silently.
    """
    from ..exports.exported import check_out
    from ..exports.formats import FORMATS

    if show_list:
        _list(FORMATS, as_json)
        return
    if folder is None or to is None or out is None:
        raise BadRequest("give DIR, --to FORMAT and --out PATH (--list shows the formats)")
    chosen = FORMATS.get(to)
    if chosen is None:
        raise BadRequest(f"no format is called {to!r}: {', '.join(FORMATS)}")
    if chosen.suffix is not None and out.suffix.lower() != chosen.suffix:
        raise BadRequest(f"{out}: {to} is written as {chosen.suffix}; name the file {out.stem}{chosen.suffix}")
    check_out(out, folder=chosen.suffix is None)
    recordings, problems = _recordings(folder, chosen)
    problems += [f"{recording.path.name}: {problem}" for recording in recordings for problem in recording.problems]
    exported = chosen.write(recordings, out)
    problems += exported.problems
    if as_json:
        print_json(
            {
                "format": to,
                "files": [str(path) for path in exported.files],
                "runs": len(recordings) - len(exported.problems),
                "steps": exported.num_steps,
                "left_out": list(exported.left_out),
                "notes": list(exported.notes),
                "problems": problems,
            }
        )
        return
    _tell(f"{exported.num_steps} steps written to {exported.files[0]}")
    for head, lines in (("damaged", problems), ("left out", exported.left_out), ("note", exported.notes)):
        for line in lines[:SHOWN]:
            _tell(f"{head}: {line}")
        if len(lines) > SHOWN:
            _tell(f"{head}: and {len(lines) - SHOWN} more, which --json lists")


def _recordings(folder: Path, chosen: Format) -> tuple[list[Recording], list[str]]:
    """The run, or all that lie below; of several those that cannot be opened are told instead."""
    from ...agent import TrajectoryError, read_trajectory
    from ...agent.trajectory import RUN_FILE

    if (folder / RUN_FILE).is_file() or not chosen.takes_many or not folder.is_dir():
        return [read_trajectory(folder)], []
    recordings: list[Recording] = []
    problems: list[str] = []
    for path in sorted(path.parent for path in folder.rglob(RUN_FILE)):
        try:
            recordings.append(read_trajectory(path))
        except TrajectoryError as error:
            problems.append(f"{error}; it was left out")
    return recordings or [read_trajectory(folder)], problems


def _list(formats: dict[str, Format], as_json: bool) -> None:
    if as_json:
        told = {
            name: {"about": each.about, "suffix": each.suffix, "takes_many": each.takes_many}
            for name, each in formats.items()
        }
        print_json({"formats": told})
        return
    table = Table("format", "what", "written as", box=None, pad_edge=False)
    for name, each in formats.items():
        table.add_row(f"[bold]{name}", escape(each.about), each.suffix or "a folder")
    Console().print(table)


def _tell(line: str) -> None:
    people().print(line, highlight=False, markup=False, soft_wrap=True)
