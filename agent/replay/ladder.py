"""The ways to know a target again, from the surest down. Each answer is checked against what the page itself tells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ...envs import Action, Element, Env, Frame, Point, Surroundings, action_points
from ..target import Target as Located
from .alike import Place, is_alike
from .anchor import WIDE, anchor_of
from .divergence import Found, How, Kind
from .evidence import Probe, is_by_element, is_here, is_one, is_same_around, is_same_box, is_same_frame, is_sure
from .kin import Kinship, is_anonymous, is_kin, is_told_apart, kinship
from .target import Target
from .way import end_kinship, is_end
from .words import Line, Reader, load_reader, only_line

MOST_PROBES = 8  # places that the page is asked about, where pixels do not tell
Locate = Callable[[Frame, str], Located]


@dataclass(frozen=True, eq=False)
class Ladder:
    """Looks for targets on one screen."""

    env: Env
    locate: Locate | None = None
    reads: bool = True
    _words: dict[str, list[Line]] = field(default_factory=dict, repr=False)

    @cached_property
    def reader(self) -> Reader | None:
        return load_reader() if self.reads else None

    def surely(self, target: Target, frame: Frame) -> Found | None:
        """By its pixels, where it was or elsewhere; None where they do not tell."""
        here = self.probe(target, Place(0, 0, 1.0))
        if here.kin == "silent" or self._is_named_as_recorded(target, frame):
            return None
        is_hidden = target.anchor.is_hidden
        if not is_hidden and here.kin in ("same", "unknown") and is_same_frame(target, frame):
            return Found(points=target.points, surroundings=here.live)  # all of it
        if here.kin == "doubtful" and not target.typed and is_same_frame(target, frame, exactly=True):
            return Found(points=target.points, surroundings=here.live)
        if frame.size != target.step.before.size and frame.scale != target.step.before.scale:
            return None
        if is_hidden:
            return _found_at(target, frame, here) if is_by_element(target, frame, here) else None
        live_HW3, anchor = frame.pixels_HW3, target.anchor
        at_place = anchor.is_at(live_HW3, 0, 0)
        if at_place and here.kin in ("same", "unknown") and is_here(target, frame, here):
            return _found_at(target, frame, here)
        places = [place for place in anchor.seen_in(frame) if (place.dx, place.dy) != (0, 0)]
        probes = [here] if at_place else []
        probes += [self.probe(target, place) for place in places if self._is_on(frame, target, place)]
        probes = self._in_their_boxes(target, frame, probes)
        if any(probe.kin == "silent" for probe in probes):
            return None
        probes = [probe for probe in probes if probe.kin in ("same", "unknown")]
        sure = [probe for probe in probes if is_sure(target, frame, probe, is_alone=len(probes) == 1)]
        if len(sure) != 1:
            return None
        return _found_at(target, frame, sure[0])

    def likely(self, target: Target, frame: Frame) -> Found | None:
        """By the page's own tree, its hash or its words, where its pixels have changed."""
        if target.put is None or self._is_named_as_recorded(target, frame):
            return None
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
        if target.put is None or self._is_named_as_recorded(target, frame):
            return f"the model points at {at}, and a text that is typed otherwise now may be its name"
        if not is_kin(target.element, live.element, target.put or {}):
            return f"the model points at {at}, and nothing says that it is the same"
        said = f"found again at {at} by the model"
        return Found(
            points=(located.point,), how="model", kind=_kind(target, located.point), said=said, surroundings=live
        )

    def focused(self, target: Target, frame: Frame) -> Found | Surroundings:
        """What has the focus, where that is what had it; else what is known of it."""
        live = self.env.surroundings(target.action)
        recorded, now = target.element, live.element
        kin = self._kin(target, now)
        if target.step.surroundings is None or target.step.surroundings.url is None:
            is_right = is_same_around(target, frame)
        elif recorded is None or now is None:
            is_right = recorded is None and now is None and is_same_frame(target, frame)
        elif kin == "doubtful":
            is_right = not target.typed and is_same_frame(target, frame, exactly=True)
        else:
            is_right = kin == "same" and is_one(target, frame, recorded, now)
        return Found(points=(), surroundings=live) if is_right else live

    def probe(self, target: Target, place: Place) -> Probe:
        live = self.env.surroundings(target.at(target.moved_by(place.dx, place.dy)))
        kin, end = self._kin(target, live.element), end_kinship(target, live.end)
        return Probe(place, live, end if end not in ("same", "unknown") and kin in ("same", "unknown") else kin)

    def is_same_frame(self, target: Target, frame: Frame) -> bool:
        """Whether the whole screen looks as it did, all of it."""
        return not target.hidden and is_same_frame(target, frame, exactly=True)

    def is_still(self, then: Frame, now: Frame, known: Surroundings | None, action: Action) -> bool:
        """Whether what somebody was asked about is there yet: what the page tells of it, and all around it."""
        points = action_points(action)
        if known is not None:
            live = self.env.surroundings(action)
            if (known.url, known.dialog) != (live.url, live.dialog):
                return False
            if kinship(known.element, live.element, {}) not in ("same", "unknown"):
                return False
        if then.sha256 == now.sha256:
            return True
        if then.size != now.size:
            return False
        if not points:
            return is_alike(then.pixels_HW3, now.pixels_HW3)
        anchors = [anchor_of(then, point) for point in points if then.size.holds(point)]
        return all(
            anchor.is_at(now.pixels_HW3, 0, 0) and anchor.is_around(now.pixels_HW3, 0, 0, WIDE) for anchor in anchors
        )

    def _kin(self, target: Target, live: Element | None) -> Kinship:
        kin = kinship(target.element, live, target.put or {})
        return "doubtful" if kin == "same" and target.put is None else kin

    def _is_named_as_recorded(self, target: Target, frame: Frame) -> bool:
        """Whether one by the recorded name is there, though another name is expected: it has nothing to do with it."""
        if not target.put:
            return False
        places = [Place(0, 0, 1.0), *target.anchor.seen_in(frame)]
        for place in places:
            if self._is_on(frame, target, place):
                live = self.env.surroundings(target.at(target.moved_by(place.dx, place.dy))).element
                if kinship(target.element, live, {}) == "same":
                    return True
        return False

    def _in_their_boxes(self, target: Target, frame: Frame, probes: Sequence[Probe]) -> list[Probe]:
        """Where several lie along one element, as on an empty field, that is one place."""
        kept: dict[tuple[int, int], Probe] = {}
        for probe in (self._in_its_box(target, frame, probe) for probe in probes):
            kept.setdefault((probe.place.dx, probe.place.dy), probe)
        return list(kept.values())

    def _in_its_box(self, target: Target, frame: Frame, probe: Probe, *, looks_same: bool = True) -> Probe:
        """At the recorded place of its element's box, where the page names that element and its size is the same."""
        recorded, live = target.element, probe.live.element
        if recorded is None or live is None or probe.kin != "same" or is_anonymous(recorded):
            return probe
        if max(abs(live.width_px - recorded.width_px), abs(live.height_px - recorded.height_px)) >= 2:
            return probe
        dx, dy = round(live.left_px - recorded.left_px), round(live.top_px - recorded.top_px)
        place = Place(dx, dy, probe.place.score)
        if (dx, dy) == (probe.place.dx, probe.place.dy) or not self._is_on(frame, target, place):
            return probe
        if looks_same and not target.anchor.is_at(frame.pixels_HW3, dx, dy):
            return probe
        there = self.probe(target, place)
        is_it = there.kin == "same" and there.live.element is not None and is_same_box(live, there.live.element)
        return there if is_it else probe

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
            if live is not None and probe.kin == "same" and is_told_apart(recorded, live, target.put or {}):
                found.setdefault((live.left_px, live.top_px), probe)
        if len(found) != 1:
            return None
        probe = self._in_its_box(target, frame, found.popitem()[1], looks_same=False)
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
            if live is None or probe.kin != "same" or not is_told_apart(recorded, live, target.put or {}):
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
    if len(target.points) > 1 and not is_end(target, frame, probe.live.end, dx, dy):
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
