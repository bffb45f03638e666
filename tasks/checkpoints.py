"""`moonhand model quantize` and `moonhand model random`: their flags, their progress, what they print."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from ..model.seeds import LARGEST_SEED
from .console import JsonFlag, people, print_json
from .errors import BadRequest

if TYPE_CHECKING:
    from ..model import KimiVLConfig
    from ..model.config import Quantization
    from ..model.quantized_loss import LogitLoss

CHECKED_BYTES = 2_000_000_000  # up to here both models are loaded and compared without being asked to
WEIGHTS: dict[str, Quantization] = {"int8": "int8", "int4": "int4"}


def quantize(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="A checkpoint's folder.")],
    destination: Annotated[Path, typer.Argument(metavar="DST", help="The folder to write: a new one.")],
    weights: Annotated[
        str, typer.Option("--weights", metavar="int4|int8", help="Bits of the decoder's matrices.")
    ] = "int4",
    check: Annotated[
        bool | None,
        typer.Option(
            "--check/--no-check", help="Compare the two models' logits. (default: if the model takes at most 2 GB)"
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write a copy of a checkpoint with 4- or 8-bit weights: smaller, faster to load and to decode."""
    from ..model import inspect_model
    from ..model.quantized_checkpoint import quantize_checkpoint
    from ..model.quantized_loss import compare_folders, require_comparable

    if weights not in WEIGHTS:
        raise BadRequest(f"--weights {weights!r} is not one of {', '.join(WEIGHTS)}")
    before = inspect_model(source).bytes
    is_checked = before <= CHECKED_BYTES if check is None else check
    if is_checked:
        require_comparable(source)
    started_s = time.perf_counter()
    with bytes_bar(f"quantising to {weights}") as told:
        quantize_checkpoint(source, destination, WEIGHTS[weights], progress=told)
    seconds = time.perf_counter() - started_s
    after = inspect_model(destination).bytes
    loss: LogitLoss | None = None
    if is_checked:
        with people().status("comparing the two models"):
            loss = compare_folders(source, destination)
    if as_json:
        report = {"source": str(source), "destination": str(destination), "weights": weights, "bytes_before": before}
        report |= {"bytes_after": after, "seconds": seconds, "loss": None if loss is None else loss.to_json()}
        print_json(report)
        return
    _report(before, after, loss)
    people().print(f"written to {destination} in {seconds:.0f} s", highlight=False, markup=False, soft_wrap=True)


def random(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to write: a new one.")],
    config: Annotated[
        str, typer.Option("--config", metavar="instruct|small|kimi3|PATH", help="Sizes, or a folder that has them.")
    ] = "small",
    seed: Annotated[int, typer.Option("--seed", min=0, max=LARGEST_SEED, help="Another seed, other weights.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Write a checkpoint with random weights, to measure speed and memory: what it says means nothing."""
    from ..model.counts import count_model
    from ..model.random_checkpoint import write_random_checkpoint

    sizes = _sizes(config)
    with bytes_bar("writing") as told:
        write_random_checkpoint(sizes, folder, seed=seed, progress=told)
    counts = count_model(sizes)
    if as_json:
        report = {"folder": str(folder), "parameters": counts.parameters, "bytes": counts.bytes}
        print_json(report)
    else:
        sentence = f"{counts.parameters:,} random parameters, {counts.bytes / 1e9:.2f} GB, written to {folder}"
        people().print(sentence, highlight=False, markup=False, soft_wrap=True)


def _sizes(config: str) -> KimiVLConfig:
    from ..model import load_config
    from ..model.presets import PRESETS

    if config in PRESETS:
        return PRESETS[config]
    if not Path(config).is_dir():
        raise BadRequest(f"--config {config!r} is neither one of {', '.join(PRESETS)} nor a folder")
    return replace(load_config(Path(config)), quantization=None)


def _report(before: int, after: int, loss: LogitLoss | None) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_row("before", f"{before / 1e9:.3f} GB")
    table.add_row("after", f"{after / 1e9:.3f} GB  ({after / before:.0%})")
    if loss is None:
        table.add_row("logits", "not compared: --check loads both models, one after the other")
    else:
        table.add_row("logits, mean difference", f"{loss.mean_difference:.4f} of their standard deviation")
        table.add_row("logits, largest difference", f"{loss.max_difference:.3f}")
        table.add_row("same first choice", f"{loss.same_first_choice:.0%} of {loss.prompts} prompts")
        table.add_row("divergence", f"{loss.divergence_nats:.5f} nats")
    Console().print(table)


@contextmanager
def bytes_bar(title: str) -> Generator[Callable[[int, int], None]]:
    columns = (TextColumn(title), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    progress = Progress(*columns, console=people())
    task = progress.add_task("", total=None)

    def told(done: int, total: int) -> None:
        progress.start()  # not before there is progress: what is refused is one line
        progress.update(task, completed=done, total=total)

    try:
        yield told
    finally:
        if progress.live.is_started:
            progress.stop()
