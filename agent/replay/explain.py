"""What to call it when a target is not found."""

from __future__ import annotations

import numpy as np

from ...envs import Element, Frame, Region
from ...envs.change import changed_tiles, regions_of
from .alike import FLAT, Box, Place, gray
from .divergence import Divergence
from .evidence import Probe
from .kin import describe_element, is_within, with_put
from .ladder import Ladder
from .target import Target
from .way import end_kinship

LARGER = 2.0  # what covers a target is so much larger


def explain(ladder: Ladder, target: Target, frame: Frame) -> Divergence:
    """From what is at the recorded place of a target that was not found."""
    if frame.size != target.step.before.size:
        said = f"the screen is {frame.size} px, and was {target.step.before.size} px"
        return Divergence("changed", said)
    here, anchor = ladder.probe(target, Place(0, 0, 1.0)), target.anchor
    looks_same = anchor.is_at(frame.pixels_HW3, 0, 0)
    recorded, live = target.element, here.live.element
    if here.kin == "silent":
        return Divergence("missing", f"the page does not tell what lies where {target.words} was")
    if anchor.is_hidden and here.kin != "other":
        return Divergence("changed", f"{target.words} lies where another text is typed, and nothing else tells it")
    if target.end_element is not None and end_kinship(target, here.live.end) not in ("same", "unknown"):
        was, now = describe_element(target.end_element), describe_element(here.live.end)
        return Divergence("changed", f"it ended on {was}, and there is {now if now != was else 'another one'} now")
    if recorded is not None and live is not None:
        return _told(ladder, target, frame, here, recorded, live, looks_same=looks_same)
    num_alike = len(anchor.seen_in(frame))
    if looks_same or num_alike:
        alike = "what is there" if looks_same else f"each of {num_alike} places"
        return Divergence("changed", f"{alike} looks like {target.words}, but what is around it differs")
    crop_HW = gray(anchor.box.of(frame.pixels_HW3))
    if crop_HW.std() < FLAT and gray(anchor.box.of(target.frame.pixels_HW3)).std() >= FLAT:
        return Divergence("missing", f"nothing is where {target.words} was")
    if _is_covered(target, frame):
        return Divergence("covered", f"something larger lies where {target.words} was")
    return Divergence("changed", f"something else is where {target.words} was")


def _told(
    ladder: Ladder, target: Target, frame: Frame, here: Probe, recorded: Element, live: Element, *, looks_same: bool
) -> Divergence:
    was, now = describe_element(recorded), describe_element(live)
    if here.kin == "same":
        if looks_same or target.anchor.seen_in(frame):
            return Divergence("changed", f"{was} looks like others, and what is around it differs")
        return Divergence("changed", f"{was} looks otherwise")
    if here.kin == "doubtful":
        if target.put is None:
            return Divergence("changed", f"{was} may go by a text that is typed otherwise now")
        beside = f"beside it stood {with_put(recorded.near, target.put)[:60]!r}, and now {live.near[:60]!r}"
        return Divergence("changed", f"{was}: {beside}")
    if target.put:
        expected = with_put(recorded.name or recorded.text, target.put)[:60]
        return Divergence("changed", f"{was} should be {expected!r} now, and what is there is {now}")
    if looks_same:
        return Divergence("covered", f"{now} lies over {was}")
    is_same_kind = (recorded.tag, recorded.role) == (live.tag, live.role)
    if is_same_kind and _share(_box(recorded), _box(live)) > 0.5:
        return Divergence("changed", f"it was {was} and is {now}")
    if not is_within(recorded, live) and _is_covered(target, frame):
        return Divergence("covered", f"{now} lies where {was} was")
    return Divergence("missing", f"{was} is not there; at its place is {now}")


def _is_covered(target: Target, frame: Frame) -> bool:
    """Whether what is new at its place is much larger than it was."""
    tiles = changed_tiles(target.anchor.recorded, target.anchor.in_view(frame.pixels_HW3))
    if tiles is None:
        return False
    around = [region for region in regions_of(tiles) if region.contains(target.points[0])]
    box = target.anchor.box
    return any(region.width_px * region.height_px > LARGER * _area(box) + 80 * 80 for region in around)


def _area(box: Box) -> float:
    return float(np.prod([box.right - box.left, box.bottom - box.top]))


def _box(element: Element) -> Region:
    return Region(element.left_px, element.top_px, max(element.width_px, 0), max(element.height_px, 0))


def _share(one: Region, other: Region) -> float:
    """Of the larger, what both have in common."""
    width = min(one.left_px + one.width_px, other.left_px + other.width_px) - max(one.left_px, other.left_px)
    height = min(one.top_px + one.height_px, other.top_px + other.height_px) - max(one.top_px, other.top_px)
    larger = max(one.width_px * one.height_px, other.width_px * other.height_px)
    return 0.0 if width <= 0 or height <= 0 or not larger else width * height / larger
