"""`moonhand traj rerun`: a recorded step asked again, with another model or prompt if wanted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ...model.seeds import LARGEST_SEED
from ..console import (
    OK,
    TASK_FAILED,
    DeviceFlag,
    DtypeFlag,
    JsonFlag,
    ModelChoice,
    ProfileFlag,
    QuantizeFlag,
    people,
    print_json,
    write_file,
)
from ..errors import BadRequest
from .list_commands import RunArgument, say, step_of, table_console

if TYPE_CHECKING:
    from ...agent import PromptProfile, Recording, Step
    from .differences import Difference
    from .rerun import Again, Rerun


def rerun(
    folder: RunArgument,
    step: Annotated[int | None, typer.Option("--step", min=1, metavar="N", help="Which, by its number.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every step, and a summary.")] = False,
    model: Annotated[
        str | None, typer.Option("--model", metavar="nano|DIR", help="Another model. (default: the recorded one)")
    ] = None,
    device: DeviceFlag = "auto",
    dtype: DtypeFlag = "auto",
    quantize: QuantizeFlag = None,
    profile: ProfileFlag = None,
    prompt: Annotated[
        str | None,
        typer.Option(
            "--prompt",
            metavar="TEXT|@FILE",
            help="Ask with this: the profile's text if {instruction} stands in it, else in place of goal or target.",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", min=0, max=LARGEST_SEED, help="Sample, with this seed.")
    ] = None,
    tolerance: Annotated[
        float | None, typer.Option("--tolerance", min=0, metavar="PX", help="How far apart is the same place.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", metavar="OUT.png", help="Draw both places on the frame.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Ask the model again what it was asked at a step, on the stored frame, and tell what differs.

    Nothing is performed. Leaves with 0 where the answer is the same, with 1 where it differs.
    """
    from ...agent import read_trajectory, strip
    from ...agent.overlay import to_png
    from ..pictures import check_writable
    from .rerun import Rerun, draw_both, is_asked

    if (step is None) == (not every):
        raise BadRequest("which step? give --step N or --all")
    if picture is not None:
        check_writable(picture)
    asked_for = None if prompt is None else _text_of(prompt)
    if every and asked_for is not None and "{instruction}" not in asked_for:
        raise BadRequest(
            "--prompt: with --all the text needs {instruction} in it, for each step asks for another thing"
        )
    recording = read_trajectory(folder)
    chosen = None if step is None else step_of(recording, step)
    if chosen is not None and not is_asked(chosen):
        raise BadRequest(f"step {step} was not the policy's: a person chose it, or the run itself asked")
    steps = [each for each in recording.steps if is_asked(each)] if chosen is None else [chosen]
    if not steps:
        raise BadRequest(f"{folder} holds no step that could be asked again")
    asking = _asking(recording, ModelChoice(_model_name(recording, model), device, dtype, quantize), profile)
    how = Rerun(
        recording=recording,
        engine=asking.engine,
        profile=asking.profile if seed is None else _sampling(asking.profile),
        prompt=asked_for,
        seed=int(recording.run.get("seed") or 0) if seed is None else seed,
        tolerance_px=tolerance,
    )
    found = list(_with_bar(how, len(steps))) if chosen is None else [how.step(chosen)]
    if picture is not None:
        drawn = [draw_both(again) for again in found]
        write_file(picture, to_png(drawn[0] if len(drawn) == 1 else strip(drawn, width_px=600)))
    if as_json:
        print_json(_told(recording, asking, found, one=chosen is not None))
    else:
        _report(recording, asking, found, one=chosen is not None)
        if picture is not None:
            people().print(f"picture: {picture}", highlight=False, markup=False, soft_wrap=True)
    raise typer.Exit(OK if all(again.same for again in found) else TASK_FAILED)


@dataclass(frozen=True)
class _Asking:
    engine: Any
    profile: PromptProfile
    changed: tuple[Difference, ...]  # the model and profile since the run


def _asking(recording: Recording, choice: ModelChoice, profile: str | None) -> _Asking:
    from ...agent import find_profile
    from ...agent.kimi import profile_of
    from .differences import Difference
    from .rerun import changed_model, profile_of_run
    from .run_words import section

    given = None if profile is None else find_profile(profile)
    recorded_model, prompt = section(recording.run, "policy", "model"), section(recording.run, "policy", "prompt")
    recorded = profile_of_run(recording.run) if given is None and choice.name == recorded_model.get("model") else None
    engine = choice.load()
    chosen = given or recorded or profile_of(engine)
    changed = changed_model(recorded_model, engine.manifest())
    if prompt and prompt.get("sha256") != chosen.sha256:
        same_name = prompt.get("name") == chosen.name
        now = f"{chosen.name}, changed since" if same_name else chosen.name
        changed += (Difference(what="profile", one=str(prompt.get("name")), other=now),)
    return _Asking(engine, chosen, changed)


def _model_name(recording: Recording, given: str | None) -> str:
    """What to load: the recorded model unless another is given. BadRequest where that cannot be found."""
    from .run_words import section

    if given is not None:
        return given
    name = section(recording.run, "policy", "model").get("model")
    if name is None:
        raise BadRequest(f"{recording.path}: no model is recorded, this run was not made by one: give --model")
    if name != "nano" and not Path(str(name)).is_dir():
        raise BadRequest(f"the run was made with {name!r}, and there is no such folder here: give --model DIR")
    return str(name)


def _sampling(profile: PromptProfile) -> PromptProfile:
    """The profile, with a temperature where it has none: a greedy reply is the same with every seed."""
    from ...agent.kimi import RETRY_TEMPERATURE

    return replace(
        profile,
        temperature=profile.temperature or RETRY_TEMPERATURE,
        agent_temperature=profile.agent_temperature or RETRY_TEMPERATURE,
    )


def _text_of(prompt: str) -> str:
    """The text, or that of the file after an `@`. BadRequest for an empty or unreadable one."""
    text = prompt
    if prompt.startswith("@"):
        try:
            text = Path(prompt[1:]).read_text(encoding="utf-8").rstrip("\n")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or error
            raise BadRequest(f"--prompt: {prompt[1:]} cannot be read: {why}") from error
    if not text.strip():
        raise BadRequest("--prompt: the text is empty")
    return text


def _with_bar(how: Rerun, num_steps: int) -> Iterator[Again]:
    columns = (TextColumn("asking again"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = people()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=num_steps)
        for again in how.all_steps():
            progress.advance(task)
            yield again


def _told(recording: Recording, asking: _Asking, found: Sequence[Again], *, one: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"path": str(recording.path), "changed": [each.to_json() for each in asking.changed]}
    if one:
        return told | found[0].to_json()
    return told | summary(recording.steps, found) | {"steps": [again.to_json() for again in found]}


def summary(steps: Sequence[Step], found: Sequence[Again]) -> dict[str, Any]:
    """The whole run in numbers; distances over the steps of the same kind that have a place."""
    apart_px = sorted(again.distance_px for again in found if again.distance_px is not None)
    return {
        "asked": len(found),
        "not_asked": len(steps) - len(found),
        "same": sum(again.same for again in found),
        "same_kind": sum(again.same_kind for again in found),
        "mean_distance_px": round(sum(apart_px) / len(apart_px), 2) if apart_px else None,
        "max_distance_px": round(apart_px[-1], 2) if apart_px else None,
    }


def _report(recording: Recording, asking: _Asking, found: Sequence[Again], *, one: bool) -> None:
    from .run_words import one_line, plain

    for change in asking.changed:
        people().print(f"not as recorded: {plain(change.said)}", style="yellow", highlight=False, markup=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("#", "", "action", "sure", "model ms", "reply"):
        table.add_column(heading, justify="right" if heading in ("#", "sure", "model ms") else "left")
    for again in found:
        step = again.step
        for which, side in (("then", again.to_json()["recorded"]), ("now", again.to_json()["now"])):
            action = step.action if which == "then" else again.action
            table.add_row(
                str(step.index + 1) if which == "then" else "",
                which,
                escape(_words(action)),
                "" if side["confidence"] is None else f"{side['confidence']:.1%}",
                f"{side['model_s'] * 1000:.0f}" if side["model_s"] else "",
                escape(one_line(side["reply"] or "")),
            )
        if not again.same:
            table.add_row("", "[yellow]differs[/]", escape("; ".join(map(_apart, again.differences))))
        if again.error:
            table.add_row("", "", escape(one_line(again.error)))
    table_console().print(table)
    if one:
        said = "the same" if found[0].same else "another answer"
        apart = found[0].distance_px
        say(said + (f", {apart:.1f} px apart" if apart is not None else ""))
        return
    told = summary(recording.steps, found)
    mean = told["mean_distance_px"]
    say(
        f"{told['same']} of {told['asked']} the same, {told['same_kind']} of the same kind"
        + ("" if mean is None else f"; {mean} px apart on average, {told['max_distance_px']} at most")
        + (f"; {told['not_asked']} steps were not the policy's" if told["not_asked"] else "")
    )


def _words(action: Any) -> str:
    from .differences import in_words
    from .run_words import one_line

    return one_line(in_words(action))


def _apart(difference: Difference) -> str:
    return difference.what if difference.distance_px is None else f"{difference.what}: {difference.distance_px:.1f} px"
