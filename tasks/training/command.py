"""`moonhand train`: its flags, its progress line, what it prints."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ...model.seeds import LARGEST_SEED
from .finetune import TrainOutcome, TrainPlan, TrainRequest, carry_out, make_plan
from .interrupt import until_interrupted

STOPPED = 130


def train(
    runs: Annotated[list[Path], typer.Argument(metavar="RUNS", help="Recorded runs, or folders that hold some.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for checkpoints, the curve and the finished model.")],
    model: Annotated[
        str, typer.Option("--model", envvar="MOONHAND_MODEL", help="'nano', or the folder of a checkpoint.")
    ] = "nano",
    steps: Annotated[int | None, typer.Option("--steps", help="Optimiser steps. (default: by --epochs)")] = None,
    epochs: Annotated[float, typer.Option("--epochs", help="How often each recorded turn comes.")] = 3.0,
    batch: Annotated[int, typer.Option("--batch", help="Turns a step.")] = 8,
    at_once: Annotated[int, typer.Option("--at-once", help="Of them in one pass; more are faster and larger.")] = 1,
    lora_rank: Annotated[
        int | None,
        typer.Option("--lora-rank", help="Learn an adapter of this rank; 0: all weights. (default: by size)"),
    ] = None,
    lr: Annotated[float | None, typer.Option("--lr", help="Learning rate of AdamW. (default: by method)")] = None,
    held_out: Annotated[float, typer.Option("--held-out", help="Share of the runs that only judge.")] = 0.1,
    judge_every: Annotated[
        int | None, typer.Option("--judge-every", min=1, help="Steps between two looks. (default: a tenth of all)")
    ] = None,
    profile: Annotated[
        str | None, typer.Option("--profile", help="How the model is asked. (default: by checkpoint)")
    ] = None,
    dialect: Annotated[
        str, typer.Option("--dialect", help="kimi: teach the actions done; raw: teach the replies as recorded.")
    ] = "kimi",
    with_failed: Annotated[bool, typer.Option("--with-failed", help="Also learn from runs found wanting.")] = False,
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=LARGEST_SEED, help="Order of the turns, and which runs judge.")
    ] = 0,
    workers: Annotated[int, typer.Option("--workers", min=0, help="Processes that prepare pictures.")] = 1,
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, for programs.")] = False,
) -> None:
    """Teach a checkpoint what recorded runs did. Ctrl-C saves; the same command goes on."""
    request = TrainRequest(
        runs=tuple(runs), out=out, model=model, steps=steps, epochs=epochs, batch=batch, at_once=at_once,
        lora_rank=lora_rank, lr=lr, held_out=held_out, judge_every=judge_every, profile=profile, dialect=dialect,
        with_failed=with_failed, seed=seed, workers=workers, device=device,
    )  # fmt: skip
    people = Console(file=sys.stderr, highlight=False)
    plan = make_plan(request)
    _introduce(plan, people)

    def watch(
        steps: Iterator[tuple[int, dict[str, float]]], start: int, total: int
    ) -> Iterator[tuple[int, dict[str, float]]]:
        return _with_progress(steps, start, total, people)

    with until_interrupted() as stop:
        outcome = carry_out(plan, watch=watch, stop=stop)
    if as_json:
        typer.echo(json.dumps(outcome.to_json()))
    _report(outcome, people)
    if outcome.status == "stopped":
        raise typer.Exit(STOPPED)


def _introduce(plan: TrainPlan, people: Console) -> None:
    held_out = f"{len(plan.held_out)} held out" if plan.held_out else "none held out"
    people.print(
        f"{plan.name}: {plan.method}, {plan.num_steps} steps of {plan.request.batch} turns, "
        f"{len(plan.learned)} turns to learn, {held_out}, at most {plan.longest_tokens:,} tokens each"
    )
    for reason, number in plan.left_out.items():
        people.print(f"left out: {number} {reason}")


def _with_progress(
    steps: Iterator[tuple[int, dict[str, float]]], start: int, total: int, people: Console
) -> Iterator[tuple[int, dict[str, float]]]:
    columns = (TextColumn("step"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
               TextColumn("{task.description}"))  # fmt: skip
    held_out = ""
    with Progress(*columns, console=people) as progress:
        task = progress.add_task("", total=total, completed=start)
        for step, figures in steps:
            if "held_loss" in figures:
                held_out = f"  held out {figures['held_loss']:.3f}"
            shown = f"loss {figures['loss']:.3f}  right {figures['token_acc']:.0%}{held_out}"
            progress.update(task, completed=step, description=shown)
            yield step, figures


def _report(outcome: TrainOutcome, people: Console) -> None:
    people.print(f"{outcome.status} at step {outcome.step} of {outcome.steps}")
    for name, value in {**outcome.figures, **outcome.held_out}.items():
        if name.endswith(("loss", "_acc")):
            people.print(f"  {name.replace('_', ' ')} {value:.3f}")
    if outcome.expert_load:
        busiest = max(max(shares) * len(shares) for shares in outcome.expert_load.values())
        people.print(f"  busiest expert {busiest:.2f} times the mean")
    for what, path in (("model", outcome.model), ("adapter", outcome.adapter), ("curves", outcome.picture)):
        if path is not None:
            people.print(f"{what}: {path}", markup=False, soft_wrap=True)
    if outcome.status == "stopped":
        people.print("the same command goes on from here")
