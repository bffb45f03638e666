"""Running a sweep, cell after cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .executors.answered import Limits
from .executors.inline import InlineExecutor
from .manifest import manifest_of
from .prediction_files import prediction_of
from .progress import RunProgress
from .run_folder import PREDICTIONS, RunFolder, read_rows
from .runner import checker, run_suite
from .sample import Suite
from .score import Result
from .sweep import Cell, CellResult, against, source_of

if TYPE_CHECKING:
    from rich.console import Console

    from .engine_source import EngineSource


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A cell that is known to be runnable."""

    cell: Cell
    source: EngineSource
    manifest: Mapping[str, Any]


def plan(cells: Sequence[Cell], suite: Suite, base: EngineSource, limit: int | None) -> list[Planned]:
    """Everything that can be refused is refused here, before a weight is loaded: profiles, devices, number formats."""
    found: list[Planned] = []
    for cell in cells:
        source = source_of(cell, base)
        found.append(Planned(cell=cell, source=source, manifest=manifest_of(suite, source, limit=limit)))
    return found


def run_cells(
    planned: Sequence[Planned],
    suite: Suite,
    out: Path,
    *,
    stop: Callable[[], bool],
    console: Console | None,
    fresh: bool = False,
) -> list[CellResult] | None:
    """Ask what has no row yet, each cell in its folder below `out`; None where it was stopped.

    BadRequest where a folder holds a run of other settings.
    """
    results: list[tuple[Cell, Result]] = []
    for number, each in enumerate(planned, start=1):
        if console is not None:
            console.print(f"{number} of {len(planned)}: {each.cell.label}", highlight=False, markup=False)
        worker = InlineExecutor(each.source, Limits(), checker(each.manifest))
        with RunFolder(out / each.cell.name, each.manifest, fresh=fresh) as folder, RunProgress(console) as watch:
            ended = run_suite(suite, each.source, worker, folder, each.manifest, stop=stop, watch=watch)
        if ended.result is None:
            return None
        results.append((each.cell, ended.result))
    first = results[0][1]
    return [CellResult(cell=cell, result=result, against_first=against(first, result)) for cell, result in results]


def num_kept(planned: Sequence[Planned], out: Path) -> int:
    """How many samples have a row, over all cells."""
    files = [out / each.cell.name / PREDICTIONS for each in planned]
    return sum(len({row.id for row in read_rows(file, prediction_of)}) for file in files)
