"""`moonhand traj ls` and `moonhand traj show`: the runs there are, and one of them step by step."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..console import JsonFlag, people, print_json, write_file
from ..errors import BadRequest

if TYPE_CHECKING:
    from ...agent import Recording, Step
    from .listing import Listed

RunArgument = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a recorded run.")]
StepOption = Annotated[
    int | None, typer.Option("--step", min=1, metavar="N", help="One step in full: its number in the table.")
]
PictureOption = Annotated[
    Path | None, typer.Option("--picture", metavar="OUT.png", help="Draw the step, or else the whole run.")
]
WIDTH, NARROW = 160, 110  # characters of a line in a file; below so many a terminal is not shown every column
SUCCESS = {True: "yes", False: "no", None: ""}


def ls(
    root: Annotated[Path, typer.Argument(metavar="[ROOT]", help="The folder that runs are kept in.")] = Path("runs"),
    as_json: JsonFlag = False,
) -> None:
    """List recorded runs, the newest first; those that cannot be opened too."""
    from .listing import as_one_line, list_runs

    runs = list_runs(root)
    if as_json:
        print_json(as_one_line(runs, root))
        return
    if not runs:
        say(f"no runs under {root}")
        return
    _print(_table_of_runs(runs, root))
    for run in runs:
        if run.broken:
            _say(f"{run.path}: {run.broken}")
        elif run.problems:
            _say(f"{run.path}: {run.problems[0]}" + _and_more(len(run.problems) - 1))


def show(
    folder: RunArgument,
    step: StepOption = None,
    picture: PictureOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Show a recorded run as a table of its steps, or one step in full."""
    from ...agent import draw_step, read_trajectory
    from ...agent.overlay import to_png
    from ...agent.trajectory import step_to_json
    from ..pictures import check_writable
    from ..run import picture_of_run

    if picture is not None:
        check_writable(picture)
    recording = read_trajectory(folder)
    chosen = None if step is None else step_of(recording, step)
    if picture is not None:
        write_file(picture, to_png(picture_of_run(folder) if chosen is None else draw_step(chosen)))
    if as_json:
        told: dict[str, Any] = {"path": str(folder), "problems": list(recording.problems)}
        if chosen is None:
            print_json(told | {"run": dict(recording.run), "steps": [step_to_json(each) for each in recording.steps]})
        else:
            print_json(told | {"step": step_to_json(chosen)})
        return
    if chosen is None:
        _print_run(recording)
    else:
        _print(_table_of_step(chosen))
    for problem in recording.problems:
        _say(problem)
    if picture is not None:
        say(f"picture: {picture}")


def step_of(recording: Recording, number: int) -> Step:
    """The step with this number in the table, which counts from 1. BadRequest where there is none."""
    found = next((step for step in recording.steps if step.index + 1 == number), None)
    if found is None:
        numbers = [step.index + 1 for step in recording.steps]
        there = f"it has steps {numbers[0]} to {numbers[-1]}" if numbers else "it has none"
        raise BadRequest(f"{recording.path} has no step {number}: {there}")
    return found


def _table_of_runs(runs: Sequence[Listed], root: Path) -> Table:
    from .run_words import one_line, size_in_words, when

    rows = [
        {
            "folder": str(run.path.relative_to(root)) if run.path != root else str(root),
            "when": when(run.started_at_s),
            "goal": one_line(run.goal),
            "source": run.source,
            "status": run.status + ("*" if run.problems else ""),
            "success": SUCCESS[run.success],
            "steps": "" if run.broken else str(run.num_steps),
            "time": "" if run.time_s is None else f"{run.time_s:.1f} s",
            "size": size_in_words(run.num_bytes),
        }
        for run in runs
    ]
    width = table_console().width
    left_out = {"when", "source"} if width < NARROW else set[str]()
    widths = {name: max(len(name), *(len(row[name]) for row in rows)) for name in rows[0] if name not in left_out}
    widths["goal"] = min(widths["goal"], max(10, width - sum(widths.values()) + widths["goal"] - 2 * len(widths)))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, column_width in widths.items():
        justify = "right" if name in ("steps", "time", "size") else "left"
        table.add_column(name, justify=justify, no_wrap=True, overflow="ellipsis", width=column_width)
    for run, row in zip(runs, rows, strict=True):
        style = "yellow" if run.broken or run.problems else ""
        table.add_row(*(escape(row[name]) for name in widths), style=style)
    return table


def _print_run(recording: Recording) -> None:
    from ..live import HEADINGS, TIMES, step_cells, step_notes
    from .listing import listed
    from .run_words import plain

    _print(_header(recording, listed(recording.path)))
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in HEADINGS:
        is_number = heading in ("#", "sure", *TIMES)
        table.add_column(f"{heading} ms" if heading in TIMES else heading, justify="right" if is_number else "left")
    for step in recording.steps:
        table.add_row(*map(escape, map(plain, step_cells(step))))
        for style, words in step_notes(step):
            table.add_row("", escape(plain(words)), *("" for _ in HEADINGS[2:]), style=style)
    table_console().print()
    _print(table)


def _header(recording: Recording, run: Listed) -> Table:
    from .run_words import model_of, redactions_of, size_in_words, when

    result = recording.result
    stored = (stored for step in recording.steps for stored in (step.before, step.after) if stored is not None)
    num_pictures = len({each.sha256 for each in stored})
    rows = (
        ("goal", recording.goal),
        ("when", when(run.started_at_s)),
        ("source", run.source),
        ("model", model_of(recording.run)),
        ("status", f"{run.status}{' (killed, or still going)' if result is None else ''}"),
        ("success", SUCCESS[run.success] or "nobody checked"),
        ("answer", "" if result is None else result.answer),
        ("error", "" if result is None else str(result.error or "")),
        ("time", "" if run.time_s is None else f"{run.time_s:.1f} s"),
        ("size", f"{size_in_words(run.num_bytes)}, {num_pictures} pictures"),
        ("replay of", str(recording.run.get("replay_of") or "")),
        ("redacted", redactions_of(recording.run)),
    )
    return _pairs([(name, text) for name, text in rows if text])


def _table_of_step(step: Step) -> Table:
    from ...envs import action_to_json, describe
    from .run_words import when

    before, after, effect = step.before, step.after, step.effect
    said = step.surroundings
    element = None if said is None else said.element
    rows: list[tuple[str, str]] = [
        ("step", f"{step.index + 1}, reply {step.turn + 1}"),
        ("action", "unreadable reply" if step.action is None else describe(step.action)),
        ("as data", "" if step.action is None else json.dumps(action_to_json(step.action), ensure_ascii=False)),
        ("looked for", step.instruction or ""),
        ("sure", "" if step.confidence is None else f"{step.confidence:.1%}"),
        ("belief", "" if step.belief is None else json.dumps(dict(step.belief))),
        ("thought", step.thought or ""),
        ("reply", step.reply or ""),
        ("error", step.error or ""),
        ("healed", "" if step.healed is None else f"{step.healed.get('said', '')} (by {step.healed.get('how', '')})"),
        ("recorded at first", "" if step.healed is None else _at_first(step.healed)),
        ("page", "" if said is None else " ".join(filter(None, (said.title, said.url)))),
    ]
    if element is not None:
        box = f"{element.width_px:.0f}x{element.height_px:.0f} at ({element.left_px:.0f}, {element.top_px:.0f})"
        role = f" role={element.role}" if element.role else ""
        rows += [("element", f"<{element.tag}>{role} {element.name!r}, {box}"), ("near", element.near)]
        rows += [("selectors", "\n".join(element.selectors))]
    if effect is not None:
        changed = "nobody looked" if effect.changed is None else effect.change or ("", "changed")[effect.changed]
        rows += [("effect", f"{effect.detail}: {changed}" if effect.performed else f"nothing done: {effect.detail}")]
        rows += [("answer", effect.answer or ""), ("waited for", ", ".join(effect.waited_for))]
    asked = f", asked {step.asked_s:.1f} s" if step.asked_s else ""
    times = ((step.capture_s, "capture"), (step.model_s, "model"), (step.act_s, "act"), (step.settle_s, "settle"))
    rows += [
        ("risks", ", ".join(sorted(step.risks))),
        ("decision", step.decision or ""),
        ("times", ", ".join(f"{name} {seconds_s * 1000:.0f} ms" for seconds_s, name in times) + asked),
        ("when", when(step.started_at_s)),
        ("before", f"{before.size}, scale {before.scale:g}, {before.sha256[:16]}"),
        ("after", "" if after is None else "the same" if after.sha256 == before.sha256 else after.sha256[:16]),
    ]
    return _pairs([(name, text) for name, text in rows if text])


def _at_first(healed: Mapping[str, Any]) -> str:
    """What was recorded before a replay healed the step."""
    from ...envs import action_from_json, describe

    recorded: Mapping[str, Any] = healed.get("recorded") or {}
    try:
        done = describe(action_from_json(recorded["action"]))
    except (KeyError, TypeError, ValueError):
        return ""
    return "; reply: ".join(filter(None, (done, recorded.get("reply"))))


def _pairs(rows: Sequence[tuple[str, str]]) -> Table:
    from .run_words import plain

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in rows:
        table.add_row(name, escape(plain(text)))
    return table


def _and_more(number: int) -> str:
    return f" (and {number} more: moonhand traj check)" if number else ""


def _print(table: Table) -> None:
    table_console().print(table)


def table_console() -> Console:
    """Standard output; where it goes to a file or a program there is no terminal to fit the lines to."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


def say(words: str, style: str = "") -> None:
    """A line of what was asked for, on standard output, never broken."""
    Console().print(words, style=style, highlight=False, markup=False, soft_wrap=True)


def _say(words: str) -> None:
    from .run_words import plain

    people().print(plain(words), style="yellow", highlight=False, markup=False, soft_wrap=True)
