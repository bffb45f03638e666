"""How sure a model must be of a place before anything is done there."""

from __future__ import annotations

from ..envs import Point
from .errors import TargetRefused
from .target import Target


def sure_point(target: Target, sure: float, *, or_look: str = "") -> Point:
    """Where it is. TargetRefused where the model does not see it, or with less confidence than `sure`, 0..1."""
    if target.point is None:
        why = target.error or "the model does not see it"
    elif target.confidence is not None and target.confidence < sure:
        why = f"found with a confidence of {target.confidence:.2f} only, and sure={sure:g} asks for more"
    else:
        return target.point
    raise TargetRefused(
        f"{target.instruction!r}: {why}; name it as the screen writes it{or_look} (reply: {target.raw!r})"
    )


def checked_sure(sure: float) -> float:
    """ValueError for what is no share of one."""
    if not 0 <= sure <= 1:
        raise ValueError(f"sure must be from 0 to 1, got {sure}: it is the least confidence to act on")
    return sure
