"""`moonhand traj import`: other programs' recordings as trajectories."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import JsonFlag, people, print_json
from ..errors import BadRequest

if TYPE_CHECKING:
    from ..imports.imported import Draft, Imported

SHOWN = 12  # lines for people about what was damaged


def import_run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The recording.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The new trajectory, or a folder for several.")],
    from_format: Annotated[
        str | None,
        typer.Option("--from", metavar="FORMAT", help="agentnet, browser-use, playwright or osworld. (default: found)"),
    ] = None,
    images: Annotated[
        Path | None, typer.Option("--images", metavar="DIR", help="Where its pictures lie. (default: beside it)")
    ] = None,
    goal: Annotated[
        str | None, typer.Option("--goal", help="What was to be done, where the file does not say.")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most so many runs of a file.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Read another program's recording into a trajectory.

    Files are read, never executed. What is damaged, or has no counterpart here, is named, and the rest is read.
    """
    from ..imports.formats import SOURCES, recognised

    if not file.is_file():
        raise BadRequest(f"there is no file {file}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadRequest(f"{out} is there already: name a new or empty folder")
    if not out.absolute().parent.is_dir():
        raise BadRequest(f"{out} cannot be written: create its folder first, with mkdir -p {out.parent}")
    if images is not None and not images.is_dir():
        raise BadRequest(f"--images {images} is no folder")
    name = from_format or recognised(file)
    source = SOURCES.get(name)
    if source is None:
        raise BadRequest(f"no format is called {name!r}: {', '.join(SOURCES)}")
    problems: list[str] = []
    drafts: Iterator[Draft] = islice(source.read(file, images, problems), limit)
    if goal is not None:
        drafts = (replace(draft, goal=goal) for draft in drafts)
    made = _write(drafts, out, name, file, problems)
    if not made:
        raise BadRequest(f"{file} holds no run" + _why_none(file, name, problems))
    told = [f"{each.path.name}: {line}" if len(made) > 1 else line for each in made for line in each.problems]
    _report(name, made, problems + told, as_json)


def _why_none(file: Path, name: str, problems: list[str]) -> str:
    """In words: what is wrong with the file, and which format it looks like."""
    from ..imports.formats import recognised

    try:
        other = recognised(file)
    except BadRequest:
        other = name
    looks = "" if other == name else f"; it looks like --from {other}"
    return f" that --from {name} reads" * bool(looks) + (f": {problems[-1]}" if problems else "") + looks


def _write(drafts: Iterator[Draft], out: Path, name: str, file: Path, problems: list[str]) -> list[Imported]:
    """Into `out` itself where there is one run, else each into a folder within it."""
    from ..imports.imported import folder_name, write_draft

    with file.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    made: list[Imported] = []
    first, second = next(drafts, None), next(drafts, None)
    several = second is not None
    for number, draft in enumerate((one for one in _chained(first, second, drafts)), start=1):
        told = {"format": name, "file": file.name, "file_sha256": sha256, "id": draft.name}
        try:
            path = out / folder_name(draft.name, number) if several else out
            made.append(write_draft(draft, path, imported_from=told))
        except BadRequest as error:
            problems.append(f"{draft.name}: {error}" if several else str(error))
    return made


def _chained(first: Draft | None, second: Draft | None, rest: Iterator[Draft]) -> Iterator[Draft]:
    yield from (one for one in (first, second) if one is not None)
    yield from rest


def _report(name: str, made: list[Imported], problems: list[str], as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "format": name,
                "runs": [{"path": str(each.path), "steps": each.num_steps} for each in made],
                "problems": problems,
            }
        )
        return
    for each in made[:SHOWN]:
        _tell(f"{each.num_steps} steps read into {each.path}")
    if len(made) > SHOWN:
        _tell(f"and {len(made) - SHOWN} more runs")
    for line in problems[:SHOWN]:
        _tell(f"note: {line}")
    if len(problems) > SHOWN:
        _tell(f"note: and {len(problems) - SHOWN} more, which --json lists")


def _tell(line: str) -> None:
    people().print(line, highlight=False, markup=False, soft_wrap=True)
