"""`moonhand traj view`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..console import JsonFlag, people, plain_errors, print_json

NoOpenFlag = Annotated[bool, typer.Option("--no-open", help="Write the page, and open no browser.")]


def view(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A run's folder.")],
    other: Annotated[
        Path | None, typer.Argument(metavar="[OTHER]", help="Another run, such as a replay, shown beside it.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.html", help="Where the page goes. (default: DIR/view.html)")
    ] = None,
    no_open: NoOpenFlag = False,
    max_mb: Annotated[
        float, typer.Option("--max-mb", min=0.1, help="Pictures are made lossy, the largest first, to stay below.")
    ] = 28.0,
    as_json: JsonFlag = False,
) -> None:
    """Show a run, or two side by side, as one HTML page that needs no network and no other file."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from ...agent import read_trajectory
    from ..viewer import check_place, write_page
    from ..viewer.opening import open_in_browser

    with plain_errors(as_json):
        page = out or folder / "view.html"
        recording = read_trajectory(folder)
        second = None if other is None else read_trajectory(other)
        check_place(page)
        console = people()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task("pictures", total=None)
            written = write_page(
                recording,
                page,
                other=second,
                budget_mb=max_mb,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
        for problem in written.problems:
            console.print(f"problem: {problem}", style="yellow", highlight=False, markup=False, soft_wrap=True)
        lossy = f", {written.num_lossy} of them lossy (see --max-mb)" if written.num_lossy else ""
        said = f"{written.num_steps} steps, {written.num_pictures} pictures{lossy}, {written.num_bytes / 1e6:.1f} MB"
        if as_json:
            print_json(
                {
                    "page": str(page),
                    "bytes": written.num_bytes,
                    "steps": written.num_steps,
                    "pictures": written.num_pictures,
                    "lossy": written.num_lossy,
                    "differing": written.num_differing,
                    "problems": list(written.problems),
                }
            )
            return
        console.print(f"{page}: {said}", highlight=False, markup=False, soft_wrap=True)
        if not no_open and not open_in_browser(page.resolve().as_uri()):
            console.print("no browser here: open the file in one", highlight=False)
