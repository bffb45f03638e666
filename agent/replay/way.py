"""Where a way ends: what lies there has to be what lay there, as what its start lies on has to be."""

from __future__ import annotations

from ...envs import Element, Frame
from .anchor import ACROSS, DOWN, WIDE
from .kin import Kinship, is_told_apart, kinship, mentions
from .target import Target


def end_kinship(target: Target, live: Element | None) -> Kinship:
    """What the page tells of the last point of a way; "unknown" for all that is none, and for older recordings."""
    recorded = target.end_element
    if recorded is None:
        return "unknown"
    kin = kinship(recorded, live, {})
    told = f"{recorded.name or recorded.text} {recorded.near}"
    return "doubtful" if kin == "same" and any(mentions(told, one.old) for one in target.typed) else kin


def is_end(target: Target, frame: Frame, live: Element | None, dx: int, dy: int) -> bool:
    """Whether a way that is moved so far ends where it did. Where the page does not name what lies there, pixels alone
    tell it from others, and all of its row and column has to be the same.
    """
    end, recorded = target.end, target.end_element
    if end_kinship(target, live) not in ("same", "unknown") or end.is_hidden:
        return False
    is_told = recorded is not None and live is not None and is_told_apart(recorded, live, {})
    if is_told and end.is_at(frame.pixels_HW3, dx, dy) and end.is_around(frame.pixels_HW3, dx, dy, WIDE):
        return True
    if end.telling is None or not end.repeats or not end.is_at(frame.pixels_HW3, dx, dy):
        return False
    return all(end.is_around(frame.pixels_HW3, dx, dy, reach) for reach in (end.telling, WIDE, ACROSS, DOWN))
