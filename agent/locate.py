"""Where is it: an instruction and a frame become a point in screenshot px, with how sure the model was."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..envs import Frame, Point, Refuse, Size, action_points
from .confidence import Certainty, Spread
from .dialects import parse_kimi
from .errors import ParseError
from .kimi import ask, profile_of
from .prompts import PromptProfile, grounding_turns

if TYPE_CHECKING:
    from ..model import Engine


@dataclass(frozen=True, kw_only=True)
class Target:
    """The answer to "where is it?". A refusal, or a reply with no point in it, has no coordinates."""

    instruction: str
    x_px: float | None
    y_px: float | None
    size: Size  # of the screenshot
    confidence: float | None  # 0..1: how likely it is that the point, or the refusal, is right
    refused: bool
    raw: str  # the model's reply
    model: str
    error: str | None = None  # why the reply gave no point, where it was not a refusal
    model_s: float = 0.0
    certainty: Certainty | None = field(default=None, repr=False, compare=False)  # what the confidence is read from

    @property
    def spread(self) -> Spread | None:
        """Where else the place may be, in thousandths of the screen; None where the model shows no such thing."""
        return None if self.certainty is None else self.certainty.spread

    @property
    def point(self) -> Point | None:
        return None if self.x_px is None or self.y_px is None else Point(self.x_px, self.y_px)

    def to_json(self) -> dict[str, Any]:
        return {
            "x_px": self.x_px,
            "y_px": self.y_px,
            "width_px": self.size.width_px,
            "height_px": self.size.height_px,
            "confidence": self.confidence,
            "refused": self.refused,
            "raw": self.raw,
            "model": self.model,
        }


def locate(engine: Engine, frame: Frame, instruction: str, profile: PromptProfile | None = None) -> Target:
    """Ask the model for one place. Never raises for a bad reply: the target then has an `error` and no point."""
    profile = profile or profile_of(engine)
    answer = ask(engine, grounding_turns(profile, frame, instruction), profile)
    transform = engine.transform(frame.size.width_px, frame.size.height_px)
    point: Point | None = None
    refused, error = False, None
    try:
        for action in parse_kimi(answer.text, transform.to_px).actions:
            refused = refused or isinstance(action, Refuse)
            point = next(iter(action_points(action)), None)
            if refused or point:
                break
        else:
            error = "the reply names no place"
    except ParseError as trouble:
        error = str(trouble)
    return Target(
        instruction=instruction,
        x_px=point.x_px if point else None,
        y_px=point.y_px if point else None,
        size=frame.size,
        confidence=answer.confidence,
        refused=refused,
        raw=answer.text,
        model=engine.name,
        error=error,
        model_s=answer.model_s,
        certainty=answer.certainty,
    )
