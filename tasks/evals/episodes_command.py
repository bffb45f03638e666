"""`moonhand eval episodes`."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ...model.seeds import LARGEST_SEED
from ..console import (
    STOPPED,
    DeviceFlag,
    DtypeFlag,
    JsonFlag,
    ModelChoice,
    QuantizeFlag,
    command_again,
    people,
    print_json,
    stopping_on_signals,
)
from ..errors import BadRequest
from .episode_log import RESULT, EpisodeLog
from .episode_score import EpisodesScore, Share, score_episodes

if TYPE_CHECKING:
    from .episodes import EpisodePlan, Player


def episodes(
    suite: Annotated[str, typer.Argument(help="miniwob: the only one so far.")] = "miniwob",
    tasks: Annotated[
        str,
        typer.Option(help="all, upstream (128), browsergym (125), trained (20), unseen (10), or names: click-link,..."),
    ] = "trained",
    count: Annotated[int, typer.Option("--episodes", min=1, help="Episodes of each task.")] = 5,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of each task's first; the others follow it.")
    ] = 1_000_000,
    model: Annotated[
        str,
        typer.Option(envvar="MOONHAND_MODEL", help="nano, the folder of a checkpoint, 'oracle' or 'random'."),
    ] = "nano",
    max_steps: Annotated[int, typer.Option(min=1, help="Actions an episode may take.")] = 10,
    time_limit_s: Annotated[
        float, typer.Option("--time-limit", min=0.1, help="Seconds an episode may take; looked at between two steps.")
    ] = 120.0,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run; one begun there goes on. (default: runs/eval/miniwob-MODEL)")
    ] = None,
    chromium: Annotated[str | None, typer.Option(envvar="MOONHAND_CHROMIUM", help="Path of a Chromium.")] = None,
    device: DeviceFlag = "auto",
    dtype: DtypeFlag = "auto",
    quantize: QuantizeFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Play the tasks of MiniWoB++ and score them by both rules that are in use.

    Each episode is on the disk when it ends; the same command goes on where a run was stopped.
    """
    if suite != "miniwob":
        raise BadRequest(f"there are no episodes of {suite!r}: moonhand eval episodes miniwob")
    from ..miniwob.catalogue import tasks_called
    from .episodes import EpisodePlan, manifest_of

    plan = EpisodePlan(
        tasks=tasks_called(tasks), episodes=count, first_seed=seed, max_steps=max_steps, limit_s=time_limit_s
    )
    player = _player(plan, ModelChoice(model, device, dtype, quantize))
    folder = out or Path("runs") / "eval" / f"miniwob-{Path(model).name}"
    manifest = manifest_of(plan, player, chromium)
    with EpisodeLog(folder, manifest, plan.keys) as log:
        _warn(plan, player, len(log.rows))
        with stopping_on_signals():
            try:
                _play(plan, player, log, chromium)
            except KeyboardInterrupt:
                _say_stopped(log, folder, as_json=as_json)
                raise SystemExit(STOPPED) from None
        score = score_episodes(log.rows)
        result = {"suite": suite, "model": player.name, "seeds_kept_for": plan.seeds_kept_for, **score.to_json()}
        log.finish({**result, "manifest": manifest})
    _show(score, folder)
    if as_json:
        print_json({**result, "out": str(folder)})


def _player(plan: EpisodePlan, choice: ModelChoice) -> Player:
    from .episodes import model_player, oracle_player, random_player

    match choice.name:
        case "oracle":
            return oracle_player(plan.tasks)
        case "random":
            return random_player()
        case _:
            return model_player(choice.load(), choice.name)


def _warn(plan: EpisodePlan, player: Player, num_kept: int) -> None:
    if num_kept:
        people().print(f"{num_kept} of {len(plan.keys)} episodes are there already", highlight=False)
    if player.name == "nano" and "training" in plan.seeds_kept_for:
        people().print("these seeds are kept for training: the figures say nothing of new ones", style="yellow")


def _play(plan: EpisodePlan, player: Player, log: EpisodeLog, chromium: str | None) -> None:
    """Every episode that is not there yet, with the shares so far for people to watch."""
    from .episodes import play_episodes

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        Progress(*columns, console=people(), transient=True) as progress,
        closing(play_episodes(plan, player, done=log, executable=chromium)) as playing,
    ):
        bar = progress.add_task(_so_far(log), total=len(plan.keys), completed=len(log.rows))
        for row, timing in playing:
            log.add(row, timing)
            progress.update(bar, advance=1, description=_so_far(log))


def _say_stopped(log: EpisodeLog, folder: Path, *, as_json: bool) -> None:
    done, total = log.num_kept, len(log.plan)
    line = f"stopped: {done} of {total} episodes are in {folder}; to go on: {command_again()}"
    people().print(line, highlight=False, markup=False, soft_wrap=True)
    if as_json:
        print_json({"stopped": True, "done": done, "total": total, "out": str(folder)})


def _so_far(log: EpisodeLog) -> str:
    rows = log.rows
    if not rows:
        return "episodes"
    solved, rewarded = (sum(getattr(row, rule) for row in rows) / len(rows) for rule in ("solved", "rewarded"))
    return f"solved {solved:.1%}, rewarded {rewarded:.1%}"


def _show(score: EpisodesScore, folder: Path) -> None:
    """The table for people."""
    table = Table(title="MiniWoB++: shares of the episodes, and their 95 % intervals")
    table.add_column("task", no_wrap=True)
    for title in ("episodes", "solved", "rewarded", "steps"):
        table.add_column(title, justify="right", no_wrap=True)
    for name, task in score.tasks.items():
        shares = _cell(task.solved), _cell(task.rewarded)
        table.add_row(name, str(task.solved.n), *shares, f"{task.mean_steps:.1f}")
    solved, rewarded = score.of_all("solved"), score.of_all("rewarded")
    table.add_section()
    table.add_row("all", str(solved.n), _cell(solved), _cell(rewarded), "")
    means = (f"{score.mean_over_tasks(rule):.1%}" for rule in ("solved", "rewarded"))
    table.add_row(f"mean over {len(score.tasks)} tasks", "", *means, "")
    console = people()
    console.print(table)
    console.print("solved: raw reward = 1 (MiniWoB++); rewarded: raw reward > 0 (BrowserGym)", highlight=False)
    for row in score.failed:
        console.print(f"{row.task}, seed {row.seed}: {row.failure}: {escape(str(row.error))}", style="yellow")
    console.print(f"{folder / RESULT}", highlight=False, soft_wrap=True)


def _cell(share: Share) -> str:
    low, high = share.ci95
    return f"{share.share:.0%} ({100 * low:.0f}-{100 * high:.0f})"
