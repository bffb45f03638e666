"""What a frame and a page's own tree say for a place: whether what is there surely is the target. Nothing is asked."""

from __future__ import annotations

from typing import NamedTuple

from ...envs import Element, Frame, Surroundings
from ...envs.change import where_changed
from .alike import Place, is_alike, without
from .anchor import ACROSS, NEAR, ROW, WIDE, anchor_of
from .kin import Kinship, has_own_selector, is_anonymous, is_told_apart, shares_selector
from .target import Target


class Probe(NamedTuple):
    """What the page tells of a place."""

    place: Place
    live: Surroundings
    kin: Kinship


def is_same_frame(target: Target, frame: Frame, *, exactly: bool = False) -> bool:
    before = target.step.before
    if frame.sha256 == before.sha256:
        return True
    if frame.size != before.size:
        return False
    if exactly:
        return where_changed(target.frame.pixels_HW3, frame.pixels_HW3) == "no_change"
    live_HW3 = without(frame.pixels_HW3, target.hidden)
    return is_alike(without(target.frame.pixels_HW3, target.hidden), live_HW3)


def is_same_around(target: Target, frame: Frame) -> bool:
    """Whether all is as it was around the last click, where that is all that tells what has the focus."""
    if target.clicked is None:
        return is_same_frame(target, frame)
    point, dx, dy = target.clicked
    if not target.frame.size.holds(point) or frame.size != target.frame.size:
        return False
    anchor = anchor_of(target.frame, point, hidden=target.hidden)
    return anchor.is_around(frame.pixels_HW3, dx, dy, NEAR)


def is_here(target: Target, frame: Frame, here: Probe) -> bool:
    """Whether what looks the same at its place is surely it, and not another of its looks."""
    live_HW3, anchor = frame.pixels_HW3, target.anchor
    if not anchor.is_around(live_HW3, 0, 0, WIDE):
        return False
    recorded, live = target.element, here.live.element
    is_told = recorded is not None and live is not None and is_told_apart(recorded, live, target.put or {})
    if is_told and recorded is not None and recorded.near:
        return True
    if len(anchor.repeats) == 1:
        return True
    if not anchor.repeats and not anchor.has_form(WIDE):
        return False
    telling = anchor.telling
    return (
        telling is not None and anchor.is_around(live_HW3, 0, 0, telling) and anchor.is_around(live_HW3, 0, 0, ACROSS)
    )


def is_sure(target: Target, frame: Frame, probe: Probe, *, is_alone: bool) -> bool:
    """Whether something beside its own pixels says so too."""
    live_HW3, anchor = frame.pixels_HW3, target.anchor
    dx, dy = probe.place.dx, probe.place.dy
    recorded, live = target.element, probe.live.element
    is_told = recorded is not None and live is not None
    if recorded is not None and live is not None and is_alone and len(anchor.repeats) <= 1:
        if is_told_apart(recorded, live, target.put or {}):
            return bool(recorded.near and live.near) or anchor.is_around(live_HW3, dx, dy, ROW)
        if is_anonymous(recorded):
            return anchor.is_around(live_HW3, dx, dy, NEAR)
    telling = anchor.telling
    if telling is None or not anchor.repeats:
        return False
    around = [telling, ROW if is_told else NEAR]
    if len(anchor.repeats) > 1:
        around.append(ACROSS)
    return all(anchor.is_around(live_HW3, dx, dy, reach) for reach in around)


def is_by_element(target: Target, frame: Frame, here: Probe) -> bool:
    """Whether the tree tells what lies under a text that was typed: a field, or what stands on it."""
    recorded, live = target.element, here.live.element
    if recorded is None or live is None or here.kin != "same":
        return False
    if is_told_apart(recorded, live, target.put or {}):
        return True
    is_field = any(
        one.step.surroundings is not None and one.step.surroundings.element == recorded for one in target.typed
    )
    around = target.anchor.is_around(frame.pixels_HW3, 0, 0, WIDE)
    return is_field and is_same_box(recorded, live) and around


def is_one(target: Target, frame: Frame, recorded: Element, live: Element) -> bool:
    """Whether two that have the focus and the same name are one: by a name or id of its own, or by its place."""
    if shares_selector(recorded, live, target.put or {}):
        return not is_anonymous(recorded) or recorded.frame == live.frame
    if has_own_selector(recorded) or recorded.frame != live.frame or not is_same_box(recorded, live):
        return False
    return bool(recorded.near) or is_same_frame(target, frame)


def is_same_box(one: Element, other: Element) -> bool:
    apart = (
        one.left_px - other.left_px,
        one.top_px - other.top_px,
        one.width_px - other.width_px,
        one.height_px - other.height_px,
    )
    return max(map(abs, apart)) < 2
