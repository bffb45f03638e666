"""The ways to know a target again, from the surest down. Each answer is checked against what the page itself tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from ...envs import Element, Env, Frame, Point, Surroundings
from ..target import Target as Located
from .alike import Place, is_alike, without
from .anchor import NEAR, ROW, WIDE
from .divergence import Found, How, Kind
from .kin import Kinship, is_anonymous, is_kin, is_told_apart, kinship
from .target import Target
from .words import Line, Reader, load_reader, only_line

MOST_PROBES = 8  # places that the page is asked about, where pixels do not tell
Locate = Callable[[Frame, str], Located]


class Probe(NamedTuple):
    """What the page tells of a place."""

    place: Place
    live: Surroundings
    kin: Kinship


@dataclass(frozen=True, eq=False)
class Ladder:
    """Looks for targets on one screen. `put` are texts in place of recorded ones."""

    env: Env
    put: Mapping[str, str]
    locate: Locate | None = None
    reads: bool = True
    _words: dict[str, list[Line]] = field(default_factory=dict, repr=False)

    @cached_property
    def reader(self) -> Reader | None:
        return load_reader() if self.reads else None

    def surely(self, target: Target, frame: Frame) -> Found | None:
        """By its pixels, where it was or elsewhere; None where they do not tell."""
        here = self.probe(target, Place(0, 0, 1.0))
        if here.kin != "other" and self._is_same_frame(target, frame):
            return Found(points=target.points, surroundings=here.live)  # all of it
        if frame.size != target.step.before.size and frame.scale != target.step.before.scale:
            return None
        live_HW3, anchor = frame.pixels_HW3, target.anchor
        at_place = anchor.is_at(live_HW3, 0, 0)
        if at_place and here.kin != "other" and anchor.is_around(live_HW3, 0, 0, WIDE):
            return _found_at(target, frame, here)
        places = [place for place in anchor.seen_in(frame) if (place.dx, place.dy) != (0, 0)]
        probes = [here] if at_place else []
        probes += [self.probe(target, place) for place in places if self._is_on(frame, target, place)]
        probes = [probe for probe in probes if probe.kin in ("same", "unknown")]
        sure = [probe for probe in probes if self._is_sure(target, frame, probe, is_alone=len(probes) == 1)]
        if len(sure) != 1:
            return None
        return _found_at(target, frame, sure[0])

    def likely(self, target: Target, frame: Frame) -> Found | None:
        """By the page's own tree, its hash or its words, where its pixels have changed."""
        return self._by_element(target, frame) or self._by_words(target, frame)

    def asked(self, target: Target, frame: Frame) -> Found | str:
        """By the model, or why that does not count."""
        if self.locate is None:
            return "no model was asked"
        instruction = target.step.instruction or grounding_words(target.element)
        if instruction is None:
            return "the recording has no words for it to ask a model with"
        located = self.locate(frame, instruction)
        if located.point is None:
            return f"the model does not see {instruction!r}"
        at = f"({located.point.x_px:.0f}, {located.point.y_px:.0f})"
        if len(target.points) > 1:
            return f"the model points at {at}, and a way has two ends"
        live = self.env.surroundings(target.at((located.point,)))
        if not is_kin(target.element, live.element, self.put):
            return f"the model points at {at}, and nothing says that it is the same"
        said = f"found again at {at} by the model"
        return Found(
            points=(located.point,), how="model", kind=_kind(target, located.point), said=said, surroundings=live
        )

    def focused(self, target: Target, frame: Frame) -> Found | Surroundings:
        """What has the focus, where that is what had it; else what is known of it."""
        live = self.env.surroundings(target.action)
        recorded, now = target.element, live.element
        kin = kinship(recorded, now, self.put)
        if target.step.surroundings is None or target.step.surroundings.url is None:
            is_right = True  # nobody can tell: the actions before it were verified
        elif recorded is None:
            is_right = now is None
        else:
            is_right = kin == "same" or (kin == "doubtful" and self._is_same_frame(target, frame))
        return Found(points=(), surroundings=live) if is_right else live

    def probe(self, target: Target, place: Place) -> Probe:
        live = self.env.surroundings(target.at(target.moved_by(place.dx, place.dy)))
        return Probe(place, live, kinship(target.element, live.element, self.put))

    def _is_same_frame(self, target: Target, frame: Frame) -> bool:
        before = target.step.before
        if frame.sha256 == before.sha256:
            return True
        if frame.size != before.size:
            return False
        live_HW3 = without(frame.pixels_HW3, target.hidden)
        return is_alike(without(target.frame.pixels_HW3, target.hidden), live_HW3)

    def _is_sure(self, target: Target, frame: Frame, probe: Probe, *, is_alone: bool) -> bool:
        """Whether something beside its own pixels says so too."""
        live_HW3, anchor = frame.pixels_HW3, target.anchor
        dx, dy = probe.place.dx, probe.place.dy
        recorded, live = target.element, probe.live.element
        is_told = recorded is not None and live is not None
        if recorded is not None and live is not None and is_alone and len(anchor.repeats) <= 1:
            if is_told_apart(recorded, live, self.put):
                return bool(recorded.near and live.near) or anchor.is_around(live_HW3, dx, dy, ROW)
            if is_anonymous(recorded):
                return anchor.is_around(live_HW3, dx, dy, NEAR)
        telling = anchor.telling if anchor.repeats else WIDE
        if telling is None:
            return False
        around = [telling, ROW if is_told else NEAR]
        return all(anchor.is_around(live_HW3, dx, dy, reach) for reach in around)

    def _by_element(self, target: Target, frame: Frame) -> Found | None:
        recorded = target.element
        if recorded is None or is_anonymous(recorded) or len(target.points) > 1:
            return None
        anchor = target.anchor
        places = [Place(0, 0, 1.0), *anchor.like_in(frame)[:MOST_PROBES]]
        found: dict[tuple[float, float], Probe] = {}
        for place in places:
            if not self._is_on(frame, target, place):
                continue
            probe = self.probe(target, place)
            live = probe.live.element
            if live is not None and probe.kin == "same" and is_told_apart(recorded, live, self.put):
                found.setdefault((live.left_px, live.top_px), probe)
        if len(found) != 1:
            return None
        probe = found.popitem()[1]
        place = probe.place
        how: How = "hash" if anchor.has_hash_at(frame.pixels_HW3, place.dx, place.dy) else "element"
        points = target.moved_by(place.dx, place.dy)
        said = "looks otherwise, and is the same by its name"
        return Found(points=points, how=how, kind=_kind(target, points[0]), said=said, surroundings=probe.live)

    def _by_words(self, target: Target, frame: Frame) -> Found | None:
        """Where one line says what the target says, and did when it was recorded."""
        if self.reader is None or len(target.points) > 1 or frame.scale != target.frame.scale:
            return None
        point = target.point
        then = [line for line in self._lines(target.frame) if _holds(line, point)]
        if len(then) != 1 or only_line(self._lines(target.frame), then[0].text) is None:
            return None
        now = only_line(self._lines(frame), then[0].text)
        if now is None:
            return None
        dx, dy = now.box.left - then[0].box.left, now.box.top - then[0].box.top
        place = Place(dx, dy, 1.0)
        if not self._is_on(frame, target, place):
            return None
        probe, recorded = self.probe(target, place), target.element
        if recorded is not None:
            live = probe.live.element
            if live is None or probe.kin != "same" or not is_told_apart(recorded, live, self.put):
                return None
        elif not target.anchor.has_hash_at(frame.pixels_HW3, dx, dy):
            return None
        points = target.moved_by(dx, dy)
        said = f"looks otherwise, and says {then[0].text!r}"
        return Found(points=points, how="words", kind=_kind(target, points[0]), said=said, surroundings=probe.live)

    def _lines(self, frame: Frame) -> list[Line]:
        if frame.sha256 not in self._words:
            assert self.reader is not None
            if len(self._words) > 4:
                self._words.clear()
            self._words[frame.sha256] = self.reader(frame.pixels_HW3)
        return self._words[frame.sha256]

    @staticmethod
    def _is_on(frame: Frame, target: Target, place: Place) -> bool:
        return all(frame.size.holds(point) for point in target.moved_by(place.dx, place.dy))


def grounding_words(element: Element | None) -> str | None:
    """What a model is asked to find, where the recording says no more than the element."""
    if element is None or not element.name.strip():
        return None
    is_field = element.tag in ("input", "textarea") and element.role not in ("button", "checkbox", "radio")
    return f"the {element.name} field" if is_field else f"click {element.name}"


def _found_at(target: Target, frame: Frame, probe: Probe) -> Found | None:
    """Its pixels there; None where the end of its way is not known to have moved as its start has."""
    dx, dy, _ = probe.place
    if len(target.points) > 1 and not target.end.is_at(frame.pixels_HW3, dx, dy):
        return None
    if (dx, dy) == (0, 0):
        return Found(points=target.points, surroundings=probe.live)
    said = f"moved by ({dx:+d}, {dy:+d}) px"
    return Found(points=target.moved_by(dx, dy), how="pixels", kind="moved", said=said, surroundings=probe.live)


def _kind(target: Target, point: Point) -> Kind:
    return "changed" if _is_near(target.points[0], point) else "moved"


def _is_near(one: Point, other: Point) -> bool:
    return abs(one.x_px - other.x_px) < 2 and abs(one.y_px - other.y_px) < 2


def _holds(line: Line, point: Point) -> bool:
    box = line.box
    return box.left <= point.x_px < box.right and box.top <= point.y_px < box.bottom
