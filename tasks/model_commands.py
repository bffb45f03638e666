"""`moonhand model`: checkpoints from the Hub, what one is made of, how fast it runs here, and other forms of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from .checkpoint_download_command import download
from .checkpoint_list_command import list_models
from .checkpoints import quantize, random
from .console import JsonFlag, asked_to_see, plain_errors, print_json, with_plain_errors
from .model_bench.command import bench

if TYPE_CHECKING:
    from ..model.memory_table import FormatMemory

MIB, GIB = 1 << 20, 1 << 30

model_app = typer.Typer(no_args_is_help=True, help="Get a checkpoint, look into it, measure it, or make one.")


@model_app.command()
def inspect(
    folder: Annotated[
        str, typer.Argument(metavar="DIR|NAME", help="A folder (config.json is enough), 'nano', or sizes: instruct.")
    ],
    as_json: JsonFlag = False,
) -> None:
    """Count what a checkpoint is made of and the memory it takes, from its config.json alone."""
    from ..model import load_config
    from ..model.counts import count_model
    from ..model.engine import checkpoint_folder
    from ..model.memory_table import memory_table
    from ..model.presets import PRESETS

    with plain_errors(as_json):
        is_preset = folder in PRESETS and not Path(folder).is_dir()
        config = PRESETS[folder] if is_preset else load_config(checkpoint_folder(folder))
        counts, memory = count_model(config).to_json(), memory_table(config)
        if as_json:
            print_json(counts | {"memory": [each.to_json() for each in memory]})
            return
        table = Table(box=None, pad_edge=False, show_header=False)
        for name, count in counts.items():
            table.add_row(name.replace("_", " "), f"{count:,}")
        console = asked_to_see()
        console.print(table)
        console.print()
        console.print(_memory(memory))
        console.print(f"{_unit(memory)} {_LEGEND}", highlight=False, soft_wrap=True)


_LEGEND = (
    "in all: weights, latents, activations and the program, for one request that fills the context. Screens are "
    "the most screenshots of 1920x1080 px in it."
)


def _unit(formats: Sequence[FormatMemory]) -> str:
    """MiB for small models."""
    return "GiB" if max(each.weights_bytes for each in formats) >= GIB else "MiB"


def _memory(formats: Sequence[FormatMemory]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("context")
    headings = ("screens", "latents", "activations", *(each.weights for each in formats))
    for heading in headings:
        table.add_column(heading, justify="right")
    is_large = _unit(formats) == "GiB"

    def size(count: float, digits: int) -> str:
        return f"{count / GIB:.{digits}f}" if is_large else f"{count / MIB:,.0f}"

    weights = [size(each.weights_bytes, 1) for each in formats]
    table.add_row("weights alone", "", "", "", *weights)
    for rows in zip(*(each.contexts for each in formats), strict=True):
        first = rows[0]
        added = (size(each, 2) for each in (first.latents_bytes, max(row.activations_bytes for row in rows)))
        totals = (size(row.total_bytes, 1) for row in rows)
        table.add_row(f"{first.context_tokens:,}", str(first.screens), *added, *totals)
    return table


for command in (bench, quantize, random, download):
    model_app.command()(with_plain_errors(command))
model_app.command("list")(with_plain_errors(list_models))
