"""`moonhand eval sweep`: a suite asked in every way of a grid, and what each costs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from ...model.seeds import LARGEST_SEED
from ..console import STOPPED, DeviceFlag, DtypeFlag, JsonFlag, ModelFlag, command_again, people, print_json
from ..errors import BadRequest
from .check_command import BoxesFlag


def sweep(
    suite: Annotated[str, typer.Argument(metavar="SUITE", help="A name of `moonhand eval list`.")],
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="The folder with the suite's files.")],
    grid: Annotated[
        list[str],
        typer.Option(
            "--grid",
            metavar="KNOB=A,B",
            help="zoom=off,on votes=1,3 patch-limit=own,1024 profile=a,b grammar=on,off quantize=none,int8 dtype=..",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="A folder for the runs, the plot and the tables.")],
    model: ModelFlag = "nano",
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Ask the first N samples that can be asked.")
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=LARGEST_SEED, help="Of replies that are drawn at random.")
    ] = 0,
    threads: Annotated[int, typer.Option("--threads", min=1, help="CPU threads of the model's arithmetic.")] = 1,
    device: DeviceFlag = "auto",
    dtype: DtypeFlag = "auto",
    boxes: BoxesFlag = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave broken rows out; they count as wrong.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget the runs that are there.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Run a suite once for each combination of the grid, and draw accuracy against model seconds a sample.

    Each combination is a run of its own below --out, which `eval report` and `eval compare` read; the same command goes
    on after any interruption. Beside them: sweep.html, sweep.svg, sweep.png, sweep.md and sweep.json.
    """
    from ...model.remote_address import is_remote
    from ..training.interrupt import until_interrupted
    from .engine_source import EngineSource
    from .report.sweep_page import write_sweep
    from .suites.open import open_suite
    from .sweep import cells_of, parse_grid, sweep_json
    from .sweep_run import num_kept, plan, run_cells

    axes = parse_grid(grid)
    if is_remote(model):
        raise BadRequest(
            f"{model} answers elsewhere, and most knobs are of a model of this machine: sweep one of those"
        )
    if dtype != "auto" and "dtype" in axes:
        raise BadRequest("--dtype and --grid dtype=.. say the same thing twice: leave one out")
    cells = cells_of(axes)
    opened = open_suite(suite, data, skip_bad=skip_bad, boxes=boxes).first(limit)
    base = EngineSource(model=model, device=device, dtype=dtype, seed=seed, threads=threads)
    with people().status(f"{len(cells)} runs of {len(opened.samples)} samples"):
        planned = plan(cells, opened, base, limit)
    results = None
    with suppress(KeyboardInterrupt), until_interrupted() as stop:  # a second Ctrl-C, or another signal
        results = run_cells(planned, opened, out, stop=stop, console=None if as_json else people(), fresh=fresh)
    if results is None:
        done, total = num_kept(planned, out), len(planned) * len(opened.samples)
        line = f"stopped: {done} of {total} rows are in {out}; to go on: {command_again()}"
        people().print(line, highlight=False, markup=False, soft_wrap=True)
        if as_json:
            print_json({"stopped": True, "done": done, "total": total, "out": str(out)})
        raise typer.Exit(STOPPED)
    told = sweep_json(opened.name, results)
    written = write_sweep(told, out)
    if as_json:
        print_json(told | {"page": str(written)})
        return
    for number, cell in enumerate(told["cells"], start=1):
        cost = "-" if cell["cost_s"] is None else f"{cell['cost_s']:.3g} s"
        star = "*" if cell["on_front"] else " "
        people().print(f"{star} {number:2} {cell['accuracy']:6.1%} {cost:>8}  {cell['name']}", highlight=False)
    people().print(f"* none is as cheap and better; {written}", highlight=False, markup=False, soft_wrap=True)
