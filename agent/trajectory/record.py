"""What is recorded of a step and of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ...envs import Action, Effect, Risk, Size, Surroundings, action_to_json
from ..fingerprint import Fingerprint
from .frames import StoredFrame

Decided = Literal["yes", "skip", "instead", "stop", "nobody"]
"""What came of asking whether an action may be performed; "nobody" was there to ask."""

Source = Literal["agent", "human", "manual", "replay"]
"""Who acted: a policy in the loop, a person who was watched, a program that called a Screen, or a replay."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One action that was performed, or one reply or action that could not be used (`error` says why).

    A reply with several actions makes several steps of one `turn`; the reply stands in the first of them.
    """

    index: int
    turn: int
    before: StoredFrame
    after: StoredFrame | None  # None where nothing was performed
    action: Action | None  # None where the reply could not be read
    instruction: str | None = None  # what the model was asked to find or said it would do
    reply: str | None = None
    thought: str | None = None
    confidence: float | None = None  # 0..1
    belief: Mapping[str, Any] | None = None  # where the model thought it might be: see belief_to_json
    error: str | None = None
    effect: Effect | None = None
    surroundings: Surroundings | None = None  # before it was performed; None where nobody asked
    fingerprint: Fingerprint | None = None  # of the action's first point; None where it has none
    risks: frozenset[Risk] = frozenset()  # of the action as it was proposed; empty where nobody looked
    decision: Decided | None = None  # None where nobody was to be asked
    asked_s: float = 0.0  # how long a person was waited for
    healed: Mapping[str, Any] | None = None  # what a replay put in place of what was recorded: `HealedLine`
    model_s: float = 0.0
    started_at_s: float = 0.0  # seconds since the epoch
    started_mono_s: float = 0.0  # the same moment on a clock that is never set; only differences mean something

    @property
    def capture_s(self) -> float:
        return self.before.capture_s

    @property
    def act_s(self) -> float:
        return self.effect.act_s if self.effect else 0.0

    @property
    def settle_s(self) -> float:
        return self.effect.settle_s if self.effect else 0.0

    @property
    def action_01(self) -> dict[str, Any] | None:
        """The action as JSON with places and sizes as shares, 0..1, of the frame before it; None without an action."""
        return None if self.action is None else shares(action_to_json(self.action), self.before.size)


@dataclass(frozen=True, kw_only=True)
class Variable:
    """A text of a recording that a replay may be given another value for."""

    step: int  # whose TypeText or other text it is
    default: str


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """How a run ended.

    `status`: finished | failed (the model gave up) | refused | needs_user (`answer` is what it asks) | bad_replies |
    stuck (the same actions again and again, without effect) | max_steps | stopped | error | dry_run.
    `success` is None until something checked it: that a model says it is done proves nothing.
    """

    status: str
    success: bool | None
    steps: int
    path: Path
    answer: str = ""
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "status": self.status,
            "success": self.success,
            "steps": self.steps,
            "trajectory": str(self.path),
            "answer": self.answer,
            "error": self.error,
        }


def shares(action: Mapping[str, Any], size: Size) -> dict[str, Any]:
    """An action's JSON with `x_px` as `x_norm` and so on: shares of a frame. What is no place or size stays."""
    of_width, of_height = ("x", "left", "width"), ("y", "top", "height")
    lengths = {f"{name}_px": (f"{name}_norm", size.width_px) for name in of_width}
    lengths |= {f"{name}_px": (f"{name}_norm", size.height_px) for name in of_height}

    def share(name: str, value: Any) -> tuple[str, Any]:
        if name in lengths:
            new_name, whole_px = lengths[name]
            return new_name, None if value is None else round(value / whole_px, 6)
        if name == "path":
            return name, [dict(share(*pair) for pair in point.items()) for point in value]
        return name, value

    return dict(share(name, value) for name, value in action.items())
