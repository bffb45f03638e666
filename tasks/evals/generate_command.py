"""`moonhand eval generate`: a suite of our own, drawn by seed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from ...model.seeds import LARGEST_SEED
from ..console import JsonFlag, people, print_json


def generate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder, or an unfinished suite's.")],
    n: Annotated[int, typer.Option("--n", min=1, help="How many questions.")] = 1000,
    seed: Annotated[int, typer.Option("--seed", min=0, max=LARGEST_SEED, help="Another seed, other screens.")] = 0,
    size: Annotated[
        str | None, typer.Option("--size", metavar="WxH", help="Of all screens, in px. (default: a mix of sizes)")
    ] = None,
    layout: Annotated[str, typer.Option("--layout", help="own or screenspot-pro.")] = "own",
    as_json: JsonFlag = False,
) -> None:
    """Draw screens whose every control has a known box, and ask about them: a suite that needs no download.

    The same arguments give the same bytes. An interrupted call goes on where it stopped.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from ..screen_flags import size_of
    from .generate import Layout, generate_suite

    size_px = None if size is None else size_of(size, "--size")
    columns = (TextColumn("drawing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=people(), transient=True) as progress:
        task = progress.add_task("questions", total=n)
        made = generate_suite(
            folder,
            n,
            seed,
            size_px,
            cast(Layout, layout),  # which is checked there
            on_rows=lambda count: progress.update(task, completed=count),
        )
    if as_json:
        print_json(made.to_json())
        return
    drawn = "" if made.num_drawn == made.num_screens else f", {made.num_drawn} of them drawn now"
    said = (
        f"{made.num_rows} questions about {made.num_screens} screens{drawn}; {made.num_refusals} of what is not there"
    )
    suite = made.to_json()["suite"]
    people().print(f"{folder}: {said}", highlight=False, markup=False, soft_wrap=True)
    people().print(f"moonhand eval run {suite} --data {folder}", highlight=False, markup=False, soft_wrap=True)
