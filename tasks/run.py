"""A goal or a script carried out on a screen, kept as a trajectory and checked against the page's own state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

from PIL import Image
from pydantic import JsonValue

from ..agent import Mark, Policy, RunConfig, RunResult, Step, Trajectory, draw, draw_step, run, strip
from ..agent.trajectory import read_trajectory
from ..envs import Env, EnvError, Size, action_points
from .errors import BadRequest
from .script import Check

DEFAULT_VIEWPORT = Size(1280, 720)
FIRST_WINDOW_S = 15.0  # the longest wait for a program started on a virtual display to show something


@dataclass(frozen=True)
class CheckResult:
    """What the page said when it was asked, against what the script expects."""

    js: str
    equals: JsonValue
    found: JsonValue
    ok: bool
    error: str | None = None

    def to_json(self) -> dict[str, JsonValue]:
        return {"js": self.js, "equals": self.equals, "found": self.found, "ok": self.ok, "error": self.error}


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
    ask: Callable[[str], str] | None = None,
) -> Outcome:
    """Run to the end, then ask the page what the script's checks expect of it.

    `watch` is shown each step; `ask` puts a question to the person at hand. Ctrl-C becomes an outcome with status
    `stopped`; what the screen, the model or the disk raise goes on to the caller.
    """
    try:
        for step in run(env, policy, goal, trajectory, config, ask=ask):
            watch(step)
    except KeyboardInterrupt:
        result = trajectory.result or trajectory.finish("stopped")
        return Outcome(result, ())
    assert trajectory.result is not None  # the loop leaves with a result or raises
    if not checks:
        return Outcome(trajectory.result, ())
    results = check_page(env, checks)
    return Outcome(trajectory.check(all(result.ok for result in results)), results)


@runtime_checkable
class Answering(Protocol):
    """A screen that can be asked about its own state."""

    def evaluate(self, js: str) -> Any: ...


def check_page(env: Env, checks: Sequence[Check]) -> tuple[CheckResult, ...]:
    """Ask the page; an expression that fails, or a page that is gone, fails its check. BadRequest without a page."""
    if not isinstance(env, Answering):
        raise BadRequest("the script has checks, and only a page can answer them: run it with --url")
    results: list[CheckResult] = []
    for check in checks:
        try:
            found = env.evaluate(check.js)
        except EnvError as error:
            results.append(CheckResult(check.js, check.equals, None, False, str(error)))
        else:
            results.append(CheckResult(check.js, check.equals, found, same_json(found, check.equals)))
    return tuple(results)


def same_json(one: object, other: object) -> bool:
    """Equality as JSON has it: 1 equals 1.0 but not true, and the order of keys does not count."""
    if isinstance(one, dict) and isinstance(other, dict):
        left, right = cast(dict[str, object], one), cast(dict[str, object], other)
        return left.keys() == right.keys() and all(same_json(left[key], right[key]) for key in left)
    if isinstance(one, list) and isinstance(other, list):
        lefts, rights = cast(list[object], one), cast(list[object], other)
        return len(lefts) == len(rights) and all(map(same_json, lefts, rights))
    return isinstance(one, bool) == isinstance(other, bool) and one == other


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


def _picture_of_step(step: Step) -> Image.Image:
    points = () if step.action is None else action_points(step.action)
    if step.error or step.instruction is None or len(points) != 1:
        return draw_step(step)
    sure = "" if step.confidence is None else f" {step.confidence:.0%}"
    label = f"{step.index + 1}. {step.instruction}{sure}"
    return draw(step.before.read(), [Mark(label=label, x_px=points[0].x_px, y_px=points[0].y_px)])
