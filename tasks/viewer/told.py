"""What the page is told of a run and its steps: plain JSON values, every text as it is, nothing as HTML."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Literal, cast

from ...agent import Recording, Step
from ...agent.trajectory import step_to_json
from ...envs import UNTOUCHING, Finish, Move, Refuse, Wait, action_points, describe

LONGEST_TEXT = 50_000  # characters of one text that go into the page
DEEPEST = 40

Outcome = Literal["good", "idle", "failed", "held"]
"""`idle`: performed, and nothing on the screen changed; `held`: refused, or a person said no, or nobody was there."""


def run_told(recording: Recording, *, is_live: bool = False) -> dict[str, Any]:
    """The run without its steps."""
    run, result = recording.run, recording.result
    return {
        "name": recording.path.resolve().name,
        "goal": recording.goal,
        "source": str(run.get("source", "agent")),
        "status": str(run.get("status", "unknown")),
        "success": None if result is None else result.success,
        "answer": "" if result is None else plain(result.answer),
        "error": None if result is None else plain(result.error),
        "model": model_name(run),
        "started_s": _number(run.get("started_at_s")),
        "ended_s": _number(run.get("ended_at_s")),
        "problems": plain(list(recording.problems)),
        "is_live": is_live,
        "record": plain({name: value for name, value in run.items() if name != "result"}),
    }


def model_name(run: Mapping[str, Any]) -> str:
    """Which model was asked, as far as run.json tells; the policy's kind where there was none."""
    policy = run.get("policy")
    if not isinstance(policy, dict):
        return ""
    said = cast(dict[str, Any], policy)
    model: Any = said.get("model")
    if isinstance(model, dict):
        model = cast(dict[str, Any], model).get("model")
    return str(model or said.get("kind") or "")


def step_told(step: Step) -> dict[str, Any]:
    """A step as its line in steps.jsonl has it, with what the page would have to work out."""
    action = step.action
    points = [] if action is None else [[point.x_px, point.y_px] for point in action_points(action)]
    return plain(
        step_to_json(step)
        | {
            "number": step.index + 1,
            "words": "unreadable reply" if action is None else describe(action),
            "points": points,
            "outcome": outcome(step),
            "capture_s": step.capture_s,
            "act_s": step.act_s,
            "settle_s": step.settle_s,
        }
    )


def outcome(step: Step) -> Outcome:
    """What the step's colour says of it."""
    match step.action:
        case Refuse():
            return "held"
        case _ if step.decision in ("skip", "stop", "nobody"):
            return "held"
        case None:
            return "failed"
        case _ if step.error:
            return "failed"
        case Finish(status="failure"):
            return "failed"
        case Wait() | Move():
            return "good"
        case action if action.type not in UNTOUCHING and step.effect is not None and step.effect.changed is False:
            return "idle"
        case _:
            return "good"


def plain(value: Any, depth: int = 0) -> Any:
    """The value as JSON can say it everywhere: no NaN, no endless text, nothing that is nested without end."""
    match value:
        case None | bool() | int():
            return value
        case str():
            more = len(value) - LONGEST_TEXT
            return value if more <= 0 else f"{value[:LONGEST_TEXT]} ... ({more:,} more characters)"
        case float():
            return value if math.isfinite(value) else None
        case _ if depth >= DEEPEST:
            return "..."
        case dict():
            return {str(name): plain(inner, depth + 1) for name, inner in cast(dict[Any, Any], value).items()}
        case list() | tuple() | set() | frozenset():
            return [plain(inner, depth + 1) for inner in cast(list[Any], value)]
        case _:
            return str(value)


def as_script_text(value: Any) -> str:
    """JSON that may stand in a script element: no `<`, `>` or `&`, and nothing but ASCII."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
