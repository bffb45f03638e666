"""Where the pictures of a recording show what is to go, and pictures without it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import numpy as np
from PIL import Image

from ...agent import Recording, Step, StoredFrame, TrajectoryError
from ...agent.fingerprint import fingerprint
from ...envs import Element, Frame, Point, Region, Size, TypeText, action_to_json
from ...envs.blur import MARGIN, cover
from .hiding import Hiding

Style = Literal["box", "blur"]


class Line(Protocol):
    """A line of text that was read off a picture, and its box in px."""

    @property
    def text(self) -> str: ...
    @property
    def box(self) -> Region: ...


@dataclass
class Places:
    """Boxes in px by the hash of the frame that they lie on, and what has to be told of the search."""

    boxes: dict[str, list[Region]] = field(default_factory=dict[str, list[Region]])
    notes: list[str] = field(default_factory=list[str])
    num_elements: int = 0
    num_lines: int = 0

    def add(self, frames: Iterable[StoredFrame], box: Region) -> int:
        """On how many of the frames the box lies, wholly or in part."""
        number = 0
        for stored in frames:
            if _meets(box, stored.size):
                self.boxes.setdefault(stored.sha256, [])
                if box not in self.boxes[stored.sha256]:
                    self.boxes[stored.sha256].append(box)
                number += 1
        return number


def frames_of(steps: Iterable[Step]) -> dict[str, StoredFrame]:
    """Each frame once, by its hash, in the order of the steps."""
    return {stored.sha256: stored for step in steps for stored in (step.before, step.after) if stored is not None}


def add_elements(places: Places, recording: Recording, hiding: Hiding) -> None:
    """Cover the element of every step whose words show what is to go, or that it was typed into.

    An element is covered in all frames of its page, as long as the address stays the same: nothing tells when the text
    was there and when not.
    """
    unknown: list[int] = []
    for step in recording.steps:
        element = None if step.surroundings is None else step.surroundings.element
        told = None if step.action is None else action_to_json(step.action)
        typed = told is not None and hiding.of_json(told) != told
        if element is None:
            if typed and isinstance(step.action, TypeText):
                unknown.append(step.index + 1)
            continue
        for one in filter(None, (element, step.surroundings and step.surroundings.end)):
            words = (one.name, one.text, one.near, *one.selectors)
            if typed or any(map(hiding.shows_in, words)):
                box = Region(one.left_px, one.top_px, one.width_px, one.height_px)
                page = frames_of(_same_page(recording.steps, step)).values()
                size = step.before.size
                places.num_elements += places.add([stored for stored in page if stored.size == size], box) > 0
    if unknown:
        steps = ", ".join(map(str, unknown))
        places.notes.append(f"the record does not say where the text of step {steps} was typed to")


def add_read(
    places: Places,
    frames: Mapping[str, StoredFrame],
    hiding: Hiding,
    read: Callable[[Frame], Sequence[Line]],
) -> Iterator[None]:
    """Cover the lines that show it, as far as they can be read off; yields after each picture."""
    for stored in frames.values():
        try:
            lines = read(stored.read())
        except TrajectoryError:
            lines = ()
        for line in lines_that_show(lines, hiding):
            places.num_lines += places.add([stored], line.box)
        yield


def lines_that_show(lines: Sequence[Line], hiding: Hiding) -> list[Line]:
    """Lines in which it stands, also without their spaces, and neighbours in which it stands together."""
    found = [line for line in lines if hiding.looks_in(line.text)]
    rest = sorted((line for line in lines if line not in found), key=lambda line: line.box.left_px)
    for place, line in enumerate(rest):
        beside = next((other for other in rest[place + 1 :] if _in_one_row(line.box, other.box)), None)
        if beside is not None and hiding.looks_in(f"{line.text} {beside.text}"):
            found += [line, beside]
    return found


def without(frame: Frame, boxes: Sequence[Region], style: Style) -> Frame:
    """The frame with each box, and a few px around it, of one colour, or of the colours around it: nothing stays."""
    pixels_HW3 = np.array(frame.pixels_HW3)
    cover(pixels_HW3, boxes)
    if style == "blur":
        for box in boxes:
            _fill_from_around(pixels_HW3, box)
    return Frame(pixels_HW3, frame.scale, frame.captured_at_s, frame.capture_s, frame.origin_pt)


def with_new_fingerprint(step: Step, frame: Frame, boxes: Sequence[Region]) -> Step:
    """The step with its fingerprint of the new frame: the old one would tell what was covered to who guesses it."""
    mark = step.fingerprint
    if mark is None:
        return step
    crop = Region(mark.left_px, mark.top_px, mark.width_px, mark.height_px)
    if not any(_overlap(_grown(box), crop) for box in boxes):
        return step
    point = Point(min(mark.x_px, frame.size.width_px - 1), min(mark.y_px, frame.size.height_px - 1))
    around = Element(tag="", left_px=mark.left_px, top_px=mark.top_px, width_px=mark.width_px, height_px=mark.height_px)
    return replace(step, fingerprint=fingerprint(frame, point, around))


def _same_page(steps: Sequence[Step], step: Step) -> list[Step]:
    """The steps around this one up to those of which another address is known."""
    place = steps.index(step)
    address = _address(step)

    def is_elsewhere(other: Step) -> bool:
        there = _address(other)
        return address is not None and there is not None and there != address

    first = next((at + 1 for at in reversed(range(place)) if is_elsewhere(steps[at])), 0)
    last = next((at for at in range(place + 1, len(steps)) if is_elsewhere(steps[at])), len(steps))
    return list(steps[first:last])


def _address(step: Step) -> str | None:
    url = None if step.surroundings is None else step.surroundings.url
    return None if url is None else url.partition("#")[0].partition("?")[0]


def _fill_from_around(pixels_HW3: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], box: Region) -> None:
    """A smooth picture of what lies just outside of the box, which itself is not looked at."""
    height_px, width_px, _ = pixels_HW3.shape
    left, top = max(0, int(box.left_px) - MARGIN), max(0, int(box.top_px) - MARGIN)
    right = min(width_px, int(np.ceil(box.left_px + box.width_px)) + MARGIN)
    bottom = min(height_px, int(np.ceil(box.top_px + box.height_px)) + MARGIN)
    if right <= left or bottom <= top:
        return
    above, below = max(0, top - 1), min(height_px - 1, bottom)
    corners = [pixels_HW3[y, x] for y in (above, below) for x in (max(0, left - 1), min(width_px - 1, right))]
    small = Image.fromarray(np.array(corners, np.uint8).reshape(2, 2, 3))
    filled = small.resize((right - left, bottom - top), Image.Resampling.BILINEAR)
    pixels_HW3[top:bottom, left:right] = np.asarray(filled)


def _in_one_row(left: Region, right: Region) -> bool:
    overlap_px = min(left.top_px + left.height_px, right.top_px + right.height_px) - max(left.top_px, right.top_px)
    return overlap_px > 0.5 * min(left.height_px, right.height_px) and right.left_px >= left.left_px


def _grown(box: Region) -> Region:
    return Region(
        box.left_px - MARGIN - 1, box.top_px - MARGIN - 1, box.width_px + 2 * MARGIN + 2, box.height_px + 2 * MARGIN + 2
    )


def _overlap(one: Region, other: Region) -> bool:
    return (
        one.left_px < other.left_px + other.width_px
        and other.left_px < one.left_px + one.width_px
        and one.top_px < other.top_px + other.height_px
        and other.top_px < one.top_px + one.height_px
    )


def _meets(box: Region, size: Size) -> bool:
    return _overlap(box, Region(0, 0, size.width_px, size.height_px))
