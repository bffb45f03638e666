"""A goal or a script carried out on a screen, kept as a trajectory and checked against the page's own state."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

from PIL import Image

from ..agent import Approval, Mark, Policy, RunConfig, RunResult, Step, Trajectory, draw, draw_step, run, strip
from ..agent.overlay import FAILED
from ..agent.trajectory import read_trajectory
from ..envs import DryRunEnv, Env, EnvError, action_points, describe
from .errors import BadRequest
from .scripts.conditions import Evaluating, page_answer, same_json
from .scripts.outcome import CheckResult
from .scripts.tree import Check

AGAIN_S = 2.0  # after Ctrl-C


@dataclass(frozen=True)
class Outcome:
    """How a run ended and what its checks found."""

    result: RunResult
    checks: tuple[CheckResult, ...]

    def to_json(self) -> dict[str, Any]:
        return self.result.to_json() | {"checks": [check.to_json() for check in self.checks]}


def carry_out(
    env: Env,
    policy: Policy,
    goal: str,
    trajectory: Trajectory,
    config: RunConfig,
    *,
    checks: Sequence[Check] = (),
    watch: Callable[[Step], None],
    approve: Approval | None = None,
    ask: Callable[[str], str] | None = None,
) -> Outcome:
    """Run to the end, then ask the page what the script's checks expect of it.

    `watch` is shown each step; `approve` and `ask` are for the person at hand. Ctrl-C becomes an outcome with status
    `stopped`; what the screen, the model or the disk raise goes on to the caller.
    """
    try:
        with stops_until_heard():
            for step in run(env, policy, goal, trajectory, config, approve=approve, ask=ask):
                watch(step)
    except KeyboardInterrupt:
        result = trajectory.result or trajectory.finish("stopped")
        return Outcome(result, ())
    assert trajectory.result is not None  # the loop leaves with a result or raises
    if isinstance(env, DryRunEnv):
        steps = trajectory.result.status in ("finished", "failed", "max_steps") and trajectory.result.steps
        return Outcome(trajectory.finish("dry_run") if steps else trajectory.result, ())
    if not checks:
        return Outcome(trajectory.result, ())
    results = check_page(env, checks)
    return Outcome(trajectory.check(all(result.ok for result in results)), results)


@contextmanager
def stops_until_heard() -> Generator[None]:
    """Say Ctrl-C, or what else stops this program, again until it has ended the block; only in the main thread.

    The first may be lost: where a destructor or a callback of a library runs, Python drops exceptions.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {signum: signal.getsignal(signum) for signum in map(signal.Signals.__getitem__, names)}
    agains: list[threading.Timer] = []

    def hear(signum: int, frame: FrameType | None) -> None:
        again = threading.Timer(AGAIN_S, os.kill, (os.getpid(), signum))
        again.daemon = True
        agains.append(again)
        again.start()
        stop = before[signal.Signals(signum)]
        if callable(stop):
            stop(signum, frame)

    heard = [signum for signum, stop in before.items() if callable(stop)]
    for signum in heard:
        signal.signal(signum, hear)
    try:
        yield
    finally:
        for again in agains:
            again.cancel()
        for signum in heard:
            signal.signal(signum, before[signum])


def check_page(env: Env, checks: Sequence[Check]) -> tuple[CheckResult, ...]:
    """Ask the page; an expression that fails, or a page that is gone, fails its check. BadRequest without a page."""
    if not isinstance(env, Evaluating):
        raise BadRequest("the script has checks, and only a page can answer them: run it with --url")
    results: list[CheckResult] = []
    for check in checks:
        try:
            found = page_answer(env, check.js)
        except EnvError as error:
            results.append(CheckResult(check.js, check.equals, None, False, str(error)))
        else:
            results.append(CheckResult(check.js, check.equals, found, same_json(found, check.equals)))
    return tuple(results)


def picture_of_run(path: Path) -> Image.Image:
    """A trajectory as one picture: each frame that was pointed at or misread, with what was asked, then the last."""
    steps = read_trajectory(path).steps
    pictures = [_picture_of_step(step) for step in steps if step.error or (step.action and action_points(step.action))]
    last = next((step.after for step in reversed(steps) if step.after is not None), None)
    if last is not None:
        pictures.append(draw(last.read(), []))
    if not pictures:
        raise BadRequest(f"{path} holds no step that could be drawn")
    return strip(pictures, width_px=600)


def picture_of_dry_run(path: Path) -> Image.Image:
    """What a dry run would have touched, all of it on the frames that it was proposed for."""
    frames: dict[str, tuple[Step, list[Mark]]] = {}
    for step in read_trajectory(path).steps:
        _, marks = frames.setdefault(step.before.sha256, (step, []))
        if step.action is None or step.error:
            marks.append(Mark(label=f"{step.index + 1}. {step.error}", colour=FAILED))
            continue
        label = f"{step.index + 1}. {describe(step.action)}"
        points = action_points(step.action)
        if not points and marks:  # it goes where the one before it went
            marks[-1] = replace(marks[-1], label=f"{marks[-1].label}; {label}")
            continue
        marks += [Mark(label="", x_px=point.x_px, y_px=point.y_px) for point in points[:-1]]
        mark = Mark(label=label)
        marks.append(replace(mark, x_px=points[-1].x_px, y_px=points[-1].y_px) if points else mark)
    if not frames:
        raise BadRequest(f"{path} holds no step that could be drawn")
    pictures = [draw(step.before.read(), marks) for step, marks in frames.values()]
    return pictures[0] if len(pictures) == 1 else strip(pictures, width_px=600)


def _picture_of_step(step: Step) -> Image.Image:
    points = () if step.action is None else action_points(step.action)
    if step.error or step.instruction is None or len(points) != 1:
        return draw_step(step)
    sure = "" if step.confidence is None else f" {step.confidence:.0%}"
    label = f"{step.index + 1}. {step.instruction}{sure}"
    return draw(step.before.read(), [Mark(label=label, x_px=points[0].x_px, y_px=points[0].y_px)])
