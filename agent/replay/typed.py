"""Texts that a replay types in place of recorded ones: where they show, and which names hold them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ...envs import Element, Frame, Point, Region
from ...envs.change import changed_tiles, regions_of
from ..trajectory import Step, StoredFrame
from .alike import Box, box_of
from .anchor import ACROSS, WIDE, Anchor
from .kin import folded, mentions, with_put

MARGIN_PX = 3  # around a field, for the edges of what is typed
LARGEST_SHARE = 0.1  # of a screen that may be left out of comparisons for a text
SHORTEST = 3  # letters; a shorter text, or a number, stands in names by chance


@dataclass(frozen=True)
class Typed:
    """`old` was typed by a step of the recording, and `new` in the replay."""

    step: Step
    old: str
    new: str
    box: Box | None  # where it shows, in px of the recording; None: nobody can tell


def field_box(step: Step, clicked: Point | None) -> Box | None:
    """Where another text shows: the field it goes to, or what changed around the last click when the recorded one was
    typed. None where that is not known, or too much of the screen.
    """
    size, element = step.before.size, None if step.surroundings is None else step.surroundings.element
    box = None
    if element is not None and element.width_px > 0 and element.height_px > 0:
        box = box_of(Region(element.left_px, element.top_px, element.width_px, element.height_px))
    elif clicked is not None and step.after is not None:
        tiles = changed_tiles(step.before.read().pixels_HW3, step.after.read().pixels_HW3)
        regions = () if tiles is None else regions_of(tiles)
        box = next((box_of(region) for region in regions if region.contains(clicked)), None)
    if box is None:
        return None
    box = box.grown(MARGIN_PX, MARGIN_PX)
    return box if box.area_px <= LARGEST_SHARE * size.width_px * size.height_px or element is not None else None


def put_for(
    element: Element | None, typed: Sequence[Typed], anchor: Anchor | None, read: Callable[[StoredFrame], Frame]
) -> Mapping[str, str] | None:
    """The texts that are expected in the names of an element in place of recorded ones; None: nobody can tell.

    A name that was on the screen before the text was typed has nothing to do with it, if all around it stayed as it
    was. One that was not there has it from what was typed.
    """
    put: dict[str, str] = {}
    for one in typed:
        in_name = element is not None and mentions(element.name or element.text, one.old)
        if element is None or not (in_name or mentions(element.near, one.old)):
            continue
        since = "doubtful" if anchor is None else _since(anchor, one, read(one.step.before), in_name=in_name)
        if since == "before":
            continue
        if since == "doubtful" or not is_telling(one.old) or put.get(one.old, one.new) != one.new:
            return None
        put[one.old] = one.new
    return put


def reads_as(recorded: str, live: str, typed: Sequence[Typed]) -> bool:
    """Whether a text says what it said, with other texts typed."""
    held = {one.old: one.new for one in typed if mentions(recorded, one.old)}
    return all(map(is_telling, held)) and with_put(recorded, held) == folded(live)


def is_telling(text: str) -> bool:
    return sum(character.isalpha() for character in text) >= SHORTEST


def _since(anchor: Anchor, one: Typed, before: Frame, *, in_name: bool) -> Literal["before", "typing", "doubtful"]:
    """When the target came to be on the screen."""
    if before.size != anchor.frame.size:
        return "doubtful"
    live_HW3 = before.pixels_HW3
    hidden = tuple(anchor.hidden) + (() if one.box is None else (one.box,))
    anchor = Anchor(anchor.frame, anchor.point, anchor.box, hidden)
    if any(anchor.box.meets(box) for box in hidden):
        return "doubtful"
    reaches = (WIDE,) if in_name else (WIDE, ACROSS)  # what is beside it may stand far off
    if anchor.is_at(live_HW3, 0, 0) and all(anchor.is_around(live_HW3, 0, 0, reach) for reach in reaches):
        return "before"
    if not anchor.repeats:
        return "doubtful"
    places = anchor.seen_in(before)
    seen = [place for place in places if in_name or anchor.is_around(live_HW3, place.dx, place.dy, ACROSS)]
    return "doubtful" if seen else "typing"
