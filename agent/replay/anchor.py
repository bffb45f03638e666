"""The target of a recorded action as pixels: its crop, what lies around it, and where else the like is seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ...envs import Frame, Point
from ..fingerprint import Fingerprint, bits_apart, fingerprint, perceptual_hash
from .alike import FLAT, Box, Pixels, Place, gray, is_alike, places_of, without

ROW = (320, 0)  # CSS px or OS points beside a target that tell it from others that look alike: the row it is in,
COLUMN = (40, 120)  # what is above and below,
WIDE = (320, 120)  # and both
ACROSS = (100_000, 0)  # from edge to edge of the screen
DOWN = (0, 100_000)
NEAR = (160, 80)  # what has to be the same around a target of which only pixels are known
HASH_BITS = 10  # of 64: perceptual hashes no further apart show the like
MOST_PLACES = 24


@dataclass(frozen=True, eq=False)
class Anchor:
    """A crop of a recorded frame around `point`; all px are of that frame. `hidden` is what may differ."""

    frame: Frame
    point: Point
    box: Box
    hidden: tuple[Box, ...] = ()
    _seen: dict[str, list[Place]] = field(default_factory=dict, repr=False)  # of the last live frame

    @cached_property
    def recorded(self) -> Pixels:
        """The recorded frame [height, width, 3] without what may differ."""
        return without(self.frame.pixels_HW3, self.hidden)

    @cached_property
    def repeats(self) -> tuple[Place, ...]:
        """Where the recorded frame shows the crop, itself included; empty for a crop of one colour."""
        return tuple(self._alike_at(self.recorded, self._places(self.recorded)))

    @cached_property
    def telling(self) -> tuple[int, int] | None:
        """The smallest surroundings that tell the target from all that looked alike; None: nothing does."""
        others = [place for place in self.repeats if (place.dx, place.dy) != (0, 0)]
        for reach in ((0, 0), ROW, ACROSS, COLUMN, WIDE):
            if not any(self.is_around(self.recorded, place.dx, place.dy, reach) for place in others):
                return reach
        return None

    @cached_property
    def is_hidden(self) -> bool:
        """Whether what tells it from others is among what may differ: then its pixels say nothing."""
        if not self.hidden:
            return False
        telling = self.telling or WIDE
        around = self.box.grown(telling[0] * self.frame.scale, telling[1] * self.frame.scale)
        return any(around.meets(hidden) for hidden in self.hidden)

    def has_form(self, reach: tuple[float, float]) -> bool:
        """Whether there is more than one colour in so much around it."""
        around = self.box.grown(reach[0] * self.frame.scale, reach[1] * self.frame.scale).within(self.recorded)
        return bool(gray(around.of(self.recorded)).std() >= FLAT)

    def in_view(self, live_HW3: Pixels) -> Pixels:
        """The live frame without what may differ."""
        return without(live_HW3, self.hidden)

    def is_at(self, live_HW3: Pixels, dx: int, dy: int) -> bool:
        """Whether the live frame shows the crop, so far from where it was."""
        box = self.box.moved(dx, dy)
        if box.within(live_HW3) != box:
            return False
        return is_alike(self.box.of(self.recorded), self._covered(box.of(live_HW3), self.box))

    def is_around(self, live_HW3: Pixels, dx: int, dy: int, reach: tuple[float, float]) -> bool:
        """Whether so much around it, in CSS px or OS points, is the same too, as far as both frames go."""
        scale = self.frame.scale
        around = self.box.grown(reach[0] * scale, reach[1] * scale).within(self.recorded)
        shown = around.moved(dx, dy).within(live_HW3)
        around = shown.moved(-dx, -dy)
        if not around.area_px:
            return False
        return is_alike(around.of(self.recorded), self._covered(shown.of(live_HW3), around))

    def seen_in(self, live: Frame) -> list[Place]:
        """Where a live frame shows the crop, as far as pixels tell."""
        return self._alike_at(live.pixels_HW3, self.like_in(live))[:MOST_PLACES]

    def like_in(self, live: Frame) -> list[Place]:
        """Where a live frame shows something like the crop, best first."""
        if live.sha256 not in self._seen:
            self._seen.clear()
            self._seen[live.sha256] = self._places(live.pixels_HW3)
        return self._seen[live.sha256]

    def has_hash_at(self, live_HW3: Pixels, dx: int, dy: int) -> bool:
        """Whether the perceptual hash there is about that of the crop."""
        box = self.box.moved(dx, dy)
        if box.within(live_HW3) != box:
            return False
        recorded = perceptual_hash(self.box.of(self.frame.pixels_HW3))
        return bits_apart(recorded, perceptual_hash(box.of(live_HW3))) <= HASH_BITS

    def _places(self, live_HW3: Pixels) -> list[Place]:
        return places_of(self.box.of(self.recorded), self.box, live_HW3)

    def _alike_at(self, live_HW3: Pixels, places: Sequence[Place]) -> list[Place]:
        return [place for place in places if self.is_at(live_HW3, place.dx, place.dy)]

    def _covered(self, part_HW3: Pixels, box: Box) -> Pixels:
        """A part of a live frame, which stands for `box`, without what may differ there."""
        inner = [hidden.moved(-box.left, -box.top) for hidden in self.hidden]
        return without(part_HW3, [hidden for hidden in inner if hidden.within(part_HW3).area_px])


def anchor_of(frame: Frame, point: Point, mark: Fingerprint | None = None, hidden: Sequence[Box] = ()) -> Anchor:
    """Of a recorded fingerprint, or of what is around the point. ValueError for a point off the frame."""
    mark = mark or fingerprint(frame, point)
    return Anchor(frame, point, Box(*mark.box), tuple(hidden))
