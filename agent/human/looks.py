"""What the screen showed when: frames by the times at which they were taken."""

from __future__ import annotations

from collections import deque

from ...envs import Frame
from ...envs.raw_events import Look

KEPT_S = 2.0  # what is told later than that of an event is told too late
FEWEST = 4  # are kept in any case
MOST_BYTES = 256 * 2**20


class Looks:
    """Looks at one screen in the order they were taken; one that shows nothing new takes no room."""

    def __init__(self) -> None:
        self._looks: deque[Look] = deque()
        self.changed_s = 0.0  # when the last look that differed from the one before was taken

    def add(self, look: Look) -> None:
        if self._looks and _is_same(self._looks[-1], look):
            before = self._looks[-1].frame
            look = look._replace(frame=_again(before, look.frame))
        else:
            self.changed_s = look.ended_s
        self._looks.append(look)
        while len(self._looks) > FEWEST and (self._looks[1].ended_s < look.ended_s - KEPT_S or self._is_too_much()):
            self._looks.popleft()

    @property
    def last(self) -> Look | None:
        return self._looks[-1] if self._looks else None

    def before(self, at_s: float, view: int) -> Frame | None:
        """The last frame of this view that was complete then; where there is none, the first one after it."""
        of_view = [look for look in self._looks if look.view == view]
        earlier = [look for look in of_view if look.ended_s <= at_s]
        found = earlier[-1] if earlier else of_view[0] if of_view else None
        return None if found is None else found.frame

    def _is_too_much(self) -> bool:
        pictures = {id(look.frame.pixels_HW3.base): look.frame.pixels_HW3.nbytes for look in self._looks}
        return sum(pictures.values()) > MOST_BYTES


def _is_same(one: Look, other: Look) -> bool:
    if one.view != other.view:
        return False
    return one.frame.pixels_HW3 is other.frame.pixels_HW3 or not one.frame.differs_from(other.frame)


def _again(before: Frame, now: Frame) -> Frame:
    """The picture that is kept already, seen once more."""
    frame = Frame(before.pixels_HW3, now.scale, now.captured_at_s, now.capture_s, now.origin_pt)
    if "sha256" in vars(before):
        vars(frame)["sha256"] = before.sha256
    return frame
