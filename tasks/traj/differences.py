"""In what two actions differ; pure."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

from ...agent.stuck import NEAR_SHARE
from ...envs import Action, Size, action_points, action_to_json, describe

PLACE_FIELDS = frozenset({"x_px", "y_px", "path"})
TEXT_FIELDS = frozenset({"text", "option", "url", "question", "answer", "reason", "name", "keys", "key", "paths"})
UNREADABLE = "unreadable reply"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """`what` is kind, place, text, the name of another field of the action, or something of the step around it."""

    what: str
    one: str
    other: str
    distance_px: float | None = None  # of a place

    @property
    def said(self) -> str:
        """In words."""
        apart = "" if self.distance_px is None else f", {self.distance_px:.1f} px apart"
        return f"{self.what}: {self.one} / {self.other}{apart}"

    def to_json(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if value is not None}


def differences(one: Action | None, other: Action | None, tolerance_px: float = 0.0) -> tuple[Difference, ...]:
    """None where they are the same but for places at most `tolerance_px` apart; None stands for an unreadable reply.

    Of two actions of different kinds only that is told.
    """
    if one is None or other is None or one.type != other.type:
        if one is None and other is None:
            return ()
        return (Difference(what="kind", one=in_words(one), other=in_words(other)),)
    found: list[Difference] = []
    apart_px = distance_px(one, other)
    if apart_px is None or apart_px > tolerance_px:
        found.append(Difference(what="place", one=_places(one), other=_places(other), distance_px=_finite(apart_px)))
    left, right = action_to_json(one), action_to_json(other)
    for name, value in left.items():
        if name not in PLACE_FIELDS and value != right[name]:
            what = "text" if name in TEXT_FIELDS else name
            found.append(Difference(what=what, one=_value(value), other=_value(right[name])))
    return tuple(found)


def distance_px(one: Action | None, other: Action | None) -> float | None:
    """How far apart they point, the farthest of several points; 0 where neither does, None where only one does."""
    lefts, rights = (() if action is None else action_points(action) for action in (one, other))
    if len(lefts) != len(rights):
        return None
    pairs = zip(lefts, rights, strict=True)
    return max((math.hypot(a.x_px - b.x_px, a.y_px - b.y_px) for a, b in pairs), default=0.0)


def near_px(size: Size) -> float:
    """Points so near one another are the same place: as when a run is found to go in a circle."""
    return NEAR_SHARE * max(size.width_px, size.height_px)


def in_words(action: Action | None) -> str:
    return UNREADABLE if action is None else describe(action)


def _places(action: Action) -> str:
    return " ".join(f"({point.x_px:.0f}, {point.y_px:.0f})" for point in action_points(action)) or "none"


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _finite(apart_px: float | None) -> float | None:
    return None if apart_px is None else round(apart_px, 2)
