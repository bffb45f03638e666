"""`moonhand model bench`: its flags, the table for people, the JSON line for programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..console import TASK_FAILED, DeviceFlag, DtypeFlag, JsonFlag, QuantizeFlag, people, print_json
from ..errors import BadRequest

if TYPE_CHECKING:
    from .report import Result

FILE_WIDTH = 180  # of the table in characters, where no window limits it


def bench(
    folder: Annotated[Path | None, typer.Argument(metavar="[DIR]", help="A checkpoint's folder.")] = None,
    config: Annotated[
        str | None,
        typer.Option("--config", help="Instead of DIR: small, kimi3 (3 layers at Kimi-VL's sizes), instruct or nano."),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            "--only",
            metavar="A,B",
            help="Of check, decode, formats, batch, prefill, vision, frame, memory, growth. (default: all but growth)",
        ),
    ] = None,
    dtype: DtypeFlag = "auto",
    device: DeviceFlag = "auto",
    quantize: QuantizeFlag = None,
    peer: Annotated[
        bool, typer.Option("--peer/--no-peer", help="Compare with transformers, where it is there.")
    ] = True,
    plots: Annotated[
        Path | None,
        typer.Option("--plots", metavar="FOLDER", help="Measure growth too, and draw it into this folder."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Measure speed and memory of a model, in turns with transformers on the same weights."""
    if folder is not None and config is not None:
        raise BadRequest("give DIR or --config, not both")
    if folder is not None and not folder.is_dir():
        raise BadRequest(f"{folder} is no folder: give a checkpoint's folder, or --config")
    from .bench import Effort
    from .growth import draw_growth
    from .report import DEFAULT_SECTIONS, check_sections, measure
    from .subject import Request

    named = DEFAULT_SECTIONS if only is None else [name.strip() for name in only.split(",") if name.strip()]
    sections = check_sections(named)
    if plots is not None:
        sections = check_sections((*sections, "growth"))
    source = config or "small" if folder is None else str(folder.resolve())  # a folder may bear a config's name
    request = Request(source=source, dtype=dtype, device=device, quantize=quantize)
    console = people()
    with console.status("") as status:
        result = measure(
            request, sections, effort=Effort(with_peer=peer), say=lambda doing: status.update(f"measuring: {doing}")
        )
    show(result, console, asked_for_peer=peer)
    for path in () if plots is None else draw_growth(result.rows, plots):
        console.print(f"drawn: {path}", markup=False, soft_wrap=True)
    if as_json:
        print_json(result.to_json())
    if result.failures:
        raise typer.Exit(TASK_FAILED)


def show(result: Result, console: Console, *, asked_for_peer: bool = True) -> None:
    """The result as a table."""
    from .rows import HEADINGS, table_cells

    machine, ceilings = result.machine, result.ceilings.to_json()
    held = f", {result.quantize}" if result.quantize else ""
    console.print(
        f"{result.request.source}, {result.dtype}{held} on {result.device}: {machine['name']}, "
        f"{machine['threads']} threads, torch {machine['torch']}\n"
        f"limits measured here: reading {ceilings['read_GB_s']} GB/s, computing {ceilings['compute_GFLOP_s']} GFLOP/s",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    missing = "-" if machine["transformers"] is not None or not asked_for_peer else "not installed"
    peer = "peer" if machine["transformers"] is None else f"transformers {machine['transformers']}"
    table = Table(box=None, pad_edge=False)
    for heading in HEADINGS:
        table.add_column(peer if heading == "peer" else heading, overflow="fold")
    for cells in table_cells(result.rows, missing):
        table.add_row(*map(escape, cells))
    if not console.is_terminal:
        console.width = FILE_WIDTH
    console.print(table)
    for section, reason in result.failures.items():
        console.print(f"error: {section} could not be measured: {reason}", style="red", markup=False, soft_wrap=True)
    if result.others_cores is not None and result.others_cores > 0.1:
        console.print(
            f"[yellow]not alone: other processes used up to {result.others_cores:.2f} cores meanwhile", highlight=False
        )
