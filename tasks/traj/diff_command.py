"""`moonhand traj diff`: what a replay healed, to be accepted into the recording or rejected."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from PIL import Image, ImageDraw
from rich.markup import escape
from rich.table import Table

from ..console import JsonFlag, plain_errors, print_json, write_file
from ..errors import BadRequest
from .list_commands import say, table_console
from .run_words import plain

if TYPE_CHECKING:
    from ...agent import Recording, Step
    from ...agent.replay import Patch
    from ...envs import Action

AROUND_PX = 60  # what a picture shows around a crop
GAP_PX = 12


def diff(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The trajectory of a replay.")],
    accept: Annotated[
        str | None,
        typer.Option("--accept", metavar="N|all", help="Put a healed step, or several as 1,3, into the recording."),
    ] = None,
    reject: Annotated[
        str | None, typer.Option("--reject", metavar="N|all", help="Mark healed steps as wrong; nothing else changes.")
    ] = None,
    copy: Annotated[
        Path | None, typer.Option("--copy", metavar="NEW", help="With --accept: leave the recording, and write a copy.")
    ] = None,
    recording: Annotated[
        Path | None, typer.Option("--recording", metavar="DIR", help="The recording, where it is not where it was.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", help="Each target as it was, beside what was found: a .png file.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show the steps that a replay healed, with old and new place; accept them into the recording, or reject them."""
    from ...agent import read_trajectory
    from ...agent.replay import accept as put_in
    from ...agent.replay import read_patches, read_report
    from ...agent.replay import reject as turn_down
    from ...agent.replay.patch import original_of

    with plain_errors(as_json):
        if accept is not None and reject is not None:
            raise BadRequest("--accept and --reject: one at a time")
        if copy is not None and accept is None:
            raise BadRequest("--copy says where the accepted steps go: give --accept N or --accept all too")
        replayed = read_trajectory(folder)
        stopped = _stop(read_report(folder))
        patches = read_patches(folder)
        for said, flag in ((accept, "--accept"), (reject, "--reject")):
            _check_open(_numbers(said, flag) if said is not None else None, patches, flag, folder)
        if picture is not None and not patches:
            raise BadRequest(f"{folder}: nothing was healed, so there is nothing to draw")
        if picture is not None:
            from ...agent.overlay import to_png
            from ..pictures import check_writable

            check_writable(picture)
            original = read_trajectory(recording) if recording is not None else original_of(replayed)
            write_file(picture, to_png(draw_patches(patches, original, replayed)))
        decided: list[int] = []
        if accept is not None:
            original = read_trajectory(recording) if recording is not None else original_of(replayed)
            decided = put_in(replayed, original, _numbers(accept, "--accept"), copy)
        elif reject is not None:
            decided = turn_down(folder, _numbers(reject, "--reject"))
        patches = read_patches(folder)
        if as_json:
            told = [_patch_to_json(patch) for patch in patches]
            print_json({"patches": told, "decided": decided, "stopped": stopped})
            return
        _show(patches, stopped, replayed)
        if decided or accept is not None or reject is not None:
            verb = "accepted" if accept is not None else "rejected"
            into = f" into {copy}" if copy is not None else ""
            numbers = ", ".join(map(str, decided)) or "none: all are decided already"
            say(f"{verb}{into}: {numbers}")


def draw_patches(patches: list[Patch], original: Recording, replayed: Recording) -> Image.Image:
    """A row each: the place in the recording, and in the replay."""
    old_steps = {step.index: step for step in original.steps}
    new_steps = {step.index: step for step in replayed.steps}
    rows = [
        (patch, _crop(old_steps[patch.recorded], patch.before), _crop(new_steps[patch.step], patch.after))
        for patch in patches
        if patch.recorded in old_steps and patch.step in new_steps
    ]
    if not rows:
        raise BadRequest("the recording no longer has the steps that were healed")
    width = max(max(old.width + new.width + 3 * GAP_PX for _, old, new in rows), 420)
    height = sum(max(old.height, new.height) + 24 + GAP_PX for _, old, new in rows) + GAP_PX
    sheet = Image.new("RGB", (width, height), "white")
    pen, top = ImageDraw.Draw(sheet), GAP_PX
    for patch, old, new in rows:
        pen.text((GAP_PX, top), f"{patch.number}. step {patch.recorded + 1}: {patch.kind}, {patch.said}", "black")
        sheet.paste(old, (GAP_PX, top + 20))
        sheet.paste(new, (old.width + 2 * GAP_PX, top + 20))
        top += max(old.height, new.height) + 24 + GAP_PX
    return sheet


def _crop(step: Step, action: Action) -> Image.Image:
    """What was around the place of an action, with a box around its target."""
    from ...envs import action_points

    frame, point = step.before.read(), action_points(action)[0]
    picture = Image.fromarray(frame.pixels_HW3)
    mark = step.fingerprint
    box = (point.x_px - 48, point.y_px - 24, point.x_px + 48, point.y_px + 24) if mark is None else mark.box
    ImageDraw.Draw(picture).rectangle(box, outline=(220, 0, 80), width=2)
    left, top, right, bottom = box
    around = (left - AROUND_PX, top - AROUND_PX, right + AROUND_PX, bottom + AROUND_PX)
    size = frame.size
    return picture.crop(
        (max(around[0], 0), max(around[1], 0), min(around[2], size.width_px), min(around[3], size.height_px))
    )


def _numbers(said: str, flag: str) -> list[int] | None:
    """None for all."""
    if said.strip().lower() == "all":
        return None
    parts = [part.strip() for part in said.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise BadRequest(f"{flag} {said!r}: give the numbers of healed steps, as in 1 or 1,3, or all")
    return [int(part) for part in parts]


def _check_open(numbers: list[int] | None, patches: list[Patch], flag: str, folder: Path) -> None:
    """BadRequest for a number there is not, or one that was decided already."""
    states = {patch.number: patch.state for patch in patches}
    for number in numbers or []:
        if number not in states:
            known = ", ".join(map(str, states)) or "none"
            raise BadRequest(f"{flag} {number}: {folder} has no healed step {number}; there are: {known}")
        if states[number] != "open":
            raise BadRequest(f"{flag} {number}: healed step {number} of {folder} is {states[number]} already")


def _stop(report: dict[str, Any]) -> dict[str, Any] | None:
    """Where the replay stopped, as `{"step": from 1, "kind", "said"}`; None where it did not."""
    divergence = report.get("divergence")
    if not isinstance(divergence, dict):
        return None
    last: Any = (report.get("steps") or [{}])[-1]
    number = last["recorded"] + 1 if isinstance(last.get("recorded"), int) else None
    said = cast(dict[str, Any], divergence)
    return {"step": number, "kind": str(said.get("kind", "")), "said": str(said.get("said", ""))}


def _patch_to_json(patch: Patch) -> dict[str, Any]:
    """Steps by their index in the recording and in the replay, from 0."""
    named = {"recorded": "index", "step": "replay_index"}
    return {named.get(key, key): value for key, value in patch.to_json().items()}


def _show(patches: list[Patch], stopped: dict[str, Any] | None, replayed: Recording) -> None:
    from ...envs import describe

    at = "" if stopped is None or stopped["step"] is None else f" at step {stopped['step']}"
    ended = None if stopped is None else f"it stopped{at}: {stopped['kind']}"
    status = replayed.run.get("status")
    if ended is None and status != "finished":
        ended = f"it did not end: {status}"
    if not patches:
        say("nothing was healed: the recording fits as it is" if ended is None else f"nothing was healed; {ended}")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("#", "step", "was", "is", "kind", "found by", "state"):
        table.add_column(heading)
    for patch in patches:
        cells = (patch.number, patch.recorded + 1, describe(patch.before), describe(patch.after))
        table.add_row(*(escape(plain(str(cell))) for cell in (*cells, patch.kind, patch.how, patch.state)))
    table_console().print(table)
    for patch in patches:
        say(f"{patch.number}: {plain(patch.said)}")
    if ended is not None:
        say(ended)
