"""The tool `replay`: a recorded run done again on the server's own screen."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from ...agent import Recording, Step, Trajectory, locate, new_run_folder, read_trajectory
from ...agent.replay import ReplayConfig, read_patches, read_report
from ...agent.replay import replay as replayed
from ...agent.trajectory import RUN_FILE
from ...envs import UNTOUCHING, Frame, Navigate
from ..errors import BadRequest
from ..kept_screen import moved_pages, with_a_page
from ..replay_checks import check_secrets, check_values, check_whole
from ..run_command import screen_told
from .act import why_not
from .arguments import ReplayArguments
from .calls import Call
from .results import ReplayResult, Reply, quoted, wrong
from .run import error_of, watched
from .screen import KeptScreen

NEXT = "look with screenshot; mode reground asks the model where a target is not found"
NEWEST = 5  # recordings that a message names


def replay_run(kept: KeptScreen, given: ReplayArguments, call: Call) -> Reply:
    """Open the page that it begins on, where it begins on one, and do its steps; each target is looked for first.

    The screen, its allow-list and the approvals are the server's: nothing but the address is taken from the recording.
    """
    folder = recording_in(kept.runs, given.folder, kept.choice.downloads)
    recorded = read_trajectory(folder)
    check_whole(recorded)
    values = given.values or {}
    check_values(recorded, values)
    check_secrets(recorded, values)
    frame = kept.env.observe()
    pages: dict[str, str] = {}
    if "navigate" in kept.env.kinds:
        frame, pages, refused = _begin(kept, given, recorded, frame, call)
        if refused is not None:
            return refused
    if recorded.steps and (was := recorded.steps[0].before.size) != frame.size:
        raise BadRequest(
            f"{given.folder} was recorded on a screen of {was} px, and this one has {frame.size} px: start moonhand "
            f"mcp with --viewport {was} (or --virtual {was}), or record it again here with run"
        )
    return _replay(kept, given, recorded, ReplayConfig(mode=given.mode, values=values, pages=pages), call)


def recording_in(runs: Path, name: str, downloads: Path | None = None) -> Path:
    """The folder of that name under `runs`. BadRequest for one that lies elsewhere, links included, or holds no run.

    Nor is it `downloads`, where a page may have put files of any name.
    """
    root = runs.resolve()
    try:
        folder = (root / name).resolve()
        is_inside = folder != root and folder.is_relative_to(root)
        if downloads is not None and folder == downloads.resolve():
            raise BadRequest(f"{name!r} is the folder of downloads: name one that run or act has made")
        if is_inside and (folder / RUN_FILE).resolve().is_relative_to(root) and (folder / RUN_FILE).is_file():
            return folder
    except (OSError, ValueError):  # ValueError: a null character
        is_inside = False
    there = sorted((one.parent.name for one in root.glob(f"*/{RUN_FILE}")), reverse=True)[:NEWEST]
    known = f"the newest are {', '.join(there)}" if there else "there is none yet: run makes one"
    where = "holds no run" if is_inside else "lies outside the server's runs"
    raise BadRequest(f"{name!r} {where}: name a folder of its runs; {known}")


def _begin(
    kept: KeptScreen, given: ReplayArguments, recorded: Recording, frame: Frame, call: Call
) -> tuple[Frame, dict[str, str], Reply | None]:
    """The page that it begins on, opened: its picture, what stands for the recorded addresses, or why not."""
    made_on = with_a_page(recorded, {"url": given.url})
    url: Any = given.url or made_on.get("url")
    if not isinstance(url, str) or not url:
        raise BadRequest(f"{given.folder} does not say on which page it begins: give url")
    step = kept.perform(Navigate(url=url), frame, call)
    if step.error is not None:
        return frame, {}, wrong(f"{given.folder} begins on {url}, which was not opened: {why_not(step)}")
    return kept.env.observe(), moved_pages(made_on, url), None


def _replay(kept: KeptScreen, given: ReplayArguments, recorded: Recording, config: ReplayConfig, call: Call) -> Reply:
    finds = partial(locate, kept.engine, profile=kept.profile) if config.mode == "reground" else None
    approval = kept.approval(call)
    with Trajectory(
        new_run_folder(kept.runs),
        goal=recorded.goal,
        source="replay",
        replay_of=str(recorded.path.absolute()),
        config=asdict(config) | {"approve": approval.policy},
        env=screen_told(kept.choice),
        variables=recorded.variables,
    ) as trajectory:
        going = replayed(recorded, kept.env, trajectory, config, locate=finds, approve=approval)
        steps = watched(going, call)
        result = trajectory.result or trajectory.finish("stopped")
    report, patches = read_report(result.path), read_patches(result.path)
    divergence = report["divergence"]
    told = ReplayResult(
        status=result.status,  # pyright: ignore[reportArgumentType] - pydantic checks it
        done=sum(one["verdict"] in ("done", "healed") for one in report["steps"]),
        healed=len(patches),
        recorded=sum(map(_is_done_again, recorded.steps)),
        divergence=None if divergence is None else divergence["kind"],
        differs_after=[one["recorded"] + 1 for one in report["steps"] if one["same_after"] is False],
        error=error_of(result, steps, call) if divergence is None else None,
        trajectory=str(result.path),
        from_screen=kept.from_screen("" if divergence is None else divergence["said"]),
    )
    is_done = told.status == "finished"
    why = f", {told.divergence} at step {told.done + 1}" if told.divergence else f"; {told.error}" if told.error else ""
    said = f"{told.status}: {told.done} of {told.recorded} steps done, {told.healed} healed{why}"
    said += f"; kept in {told.trajectory}"
    return Reply(
        words=said + ("" if is_done else f". Next: {NEXT}") + quoted(told.from_screen), data=told, is_error=not is_done
    )


def _is_done_again(step: Step) -> bool:
    """Whether a replay takes it: errors, looks and questions are left out."""
    return step.error is None and step.action is not None and step.action.type not in UNTOUCHING
