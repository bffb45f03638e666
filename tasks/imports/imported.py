"""What every import makes: runs as drafts, which become trajectories."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...agent import Step, Trajectory
from ...agent.trajectory import Source
from ...envs import (
    Action,
    Effect,
    Element,
    EnvError,
    Finish,
    Frame,
    Refuse,
    Size,
    Surroundings,
    check_on_screen,
    describe,
)
from ..errors import BadRequest

DEFAULT_SIZE = Size(1280, 720)
BLANK = 224  # the grey of a frame that stands in for a picture that is not there


@dataclass(frozen=True, kw_only=True)
class DraftStep:
    """A step as another program kept it. Points of `action` are px of `before`."""

    action: Action | None  # None where it has no counterpart here; `error` then says which it was
    before: Frame | None  # None where there is no picture
    after: Frame | None = None  # None: the next step's `before`
    turn: int | None = None  # None: a turn of its own
    instruction: str | None = None
    thought: str | None = None
    reply: str | None = None
    error: str | None = None
    answer: str | None = None
    url: str | None = None
    title: str | None = None
    element: Element | None = None
    started_at_s: float = 0.0
    act_s: float = 0.0


@dataclass(kw_only=True)
class Draft:
    """A run of another program. `problems` grows while the steps are read."""

    name: str  # for a folder, where there are several
    goal: str
    source: Source
    steps: Iterable[DraftStep]
    size: Size | None = None  # of the screen, for steps without a picture
    url: str | None = None
    is_desktop: bool = False
    success: bool | None = None
    problems: list[str] = field(default_factory=list[str])

    def problem(self, words: str) -> None:
        if words not in self.problems:
            self.problems.append(words)


@dataclass(frozen=True, kw_only=True)
class Imported:
    """A trajectory that was made."""

    path: Path
    num_steps: int
    problems: tuple[str, ...]


def write_draft(draft: Draft, out: Path, *, imported_from: Mapping[str, Any]) -> Imported:
    """Write the run. BadRequest where it has no step at all: then nothing is left behind."""
    steps = iter(draft.steps)
    first = next(steps, None)
    if first is None:
        told = "; ".join(draft.problems[:3])
        raise BadRequest(f"{imported_from['file']} holds no step" + (f": {told}" if told else ""))
    env = _env(draft, first)
    with Trajectory(out, goal=draft.goal, source=draft.source, env=env, imported_from=imported_from) as trajectory:
        size = draft.size or DEFAULT_SIZE
        turn, index, blanks, answer, status = -1, -1, 0, "", "stopped"
        for index, (one, later) in enumerate(_pairs(first, steps)):
            if one.before is None:
                blanks += 1
            before = one.before or blank(size)
            size = before.size
            after = one.after or (later.before if later is not None else None)
            turn = turn + 1 if one.turn is None else max(one.turn, turn)
            step = _step(one, index, turn, trajectory, before, after, draft)
            trajectory.append(step)
            if step.action is not None and step.action.type == "finish":
                status, answer = ("finished" if step.action.status == "success" else "failed"), step.action.answer
            elif step.action is not None and step.action.type == "refuse":
                status, answer = "refused", step.action.reason
        if blanks:
            draft.problem(f"{blanks} of {index + 1} steps have no picture; a grey one stands in")
        trajectory.finish("finished" if draft.success and status == "stopped" else status, answer=answer)
        if draft.success is not None:
            trajectory.check(draft.success)
    return Imported(path=out, num_steps=index + 1, problems=tuple(draft.problems))


def blank(size: Size) -> Frame:
    """A frame that shows nothing."""
    return Frame(np.full((size.height_px, size.width_px, 3), BLANK, np.uint8), captured_at_s=0.0)


def folder_name(name: str, number: int) -> str:
    """A name for a folder that no file system minds, and that no other run of the file has."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-")[:60]
    return f"{number:04d}_{safe}" if safe else f"{number:04d}"


def _env(draft: Draft, first: DraftStep) -> dict[str, Any]:
    """The screen as far as it is known, in the words of `run.json`: a replay opens a page of the frames' size."""
    env: dict[str, Any] = {"url": draft.url or first.url, "desktop": draft.is_desktop}
    frame = first.before or first.after
    if not draft.is_desktop and (frame is not None or draft.size is not None):
        size, scale = (frame.size, frame.scale) if frame is not None else (draft.size or DEFAULT_SIZE, 1.0)
        viewport = {"width_px": round(size.width_px / scale), "height_px": round(size.height_px / scale)}
        env |= {"viewport": viewport, "scale": max(scale, 1.0)}
    return env


def _step(
    one: DraftStep, index: int, turn: int, trajectory: Trajectory, before: Frame, after: Frame | None, draft: Draft
) -> Step:
    action, error = one.action, one.error
    if action is not None:
        try:
            check_on_screen(action, before.size)
        except EnvError as trouble:
            draft.problem(f"step {index + 1}: {trouble}")
            error = error or str(trouble)
    if action is None:
        draft.problem(f"step {index + 1}: {error or 'it has no action'}")
        error = error or "it has no action"
    effect = Effect(error is None, "" if action is None else describe(action), None, one.act_s, answer=one.answer)
    ends = isinstance(action, Finish | Refuse)  # which looks for nothing
    known = any(value is not None for value in (one.url, one.title, one.element))
    return Step(
        index=index,
        turn=turn,
        before=trajectory.store(before),
        after=None if after is None or action is None else trajectory.store(after),
        action=action,
        instruction=None if ends else one.instruction,
        thought=one.thought or (one.instruction if ends and one.instruction != describe(action) else None),
        reply=one.reply,
        error=error,
        effect=None if action is None else effect,
        surroundings=Surroundings(url=one.url, title=one.title, element=one.element) if known else None,
        started_at_s=one.started_at_s,
    )


def _pairs(first: DraftStep, rest: Iterator[DraftStep]) -> Iterator[tuple[DraftStep, DraftStep | None]]:
    """Each step with the one after it."""
    for later in rest:
        yield first, later
        first = later
    yield first, None
