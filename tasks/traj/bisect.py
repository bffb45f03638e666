"""The first step at which two recorded runs differ.

Steps are compared by their place: the first with the first, the second with the second. What comes after the first
difference is not aligned anew, for from there on the two screens have their own history; where one run goes on after
the other's last step, that is the difference, unless it only says that it is finished. Times, hashes of replies,
confidences and thoughts are not compared.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, cast

import numpy as np
from PIL import Image, ImageDraw

from ...agent import Mark, Recording, Step, StoredFrame, draw, strip
from ...agent.overlay import ACCENT, CHOSEN, FAILED
from ...envs import Finish, Frame, Region, action_points
from ...envs.blur import changed_box
from ...envs.change import where_changed
from ..exports.caption import captioned
from .differences import Difference, differences, in_words, near_px

TOLD_APART = ("goal", "source", "seed", "prompt_sha256", "versions", "policy", "config", "env")
"""Sections of run.json in which runs are compared; the rest is their course."""
PLACES = frozenset(
    ("chromium", "commit", "downloads", "executable", "kinds", "out", "storage_state", "stop_keys", "user_data")
)
"""Settings that say where things lie on a machine, or what there is to choose from: nothing that was done follows."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What the runs themselves differ in, as `run.json` has it."""

    what: str
    one: object
    other: object

    def words(self) -> tuple[str, str, str]:
        """For a table."""
        return self.what, _short(self.one), _short(self.other)

    def to_json(self) -> dict[str, Any]:
        return {"what": self.what, "one": self.one, "other": self.other}


@dataclass(frozen=True, kw_only=True)
class Bisection:
    """`before` is what differs of the runs themselves; `number` counts from 1 and is None for the same steps."""

    before: tuple[Setting, ...]
    number: int | None
    one: Step | None  # the step; None where the run had ended
    other: Step | None
    differences: tuple[Difference, ...]
    action_number: int | None  # the first step with another action, None where all that both have are the same

    def to_json(self) -> dict[str, Any]:
        return {
            "same": self.number is None,
            "runs": [setting.to_json() for setting in self.before],
            "step": self.number,
            "differences": [difference.to_json() for difference in self.differences],
            "first_other_action": self.action_number,
        }


def bisect(one: Recording, other: Recording, tolerance_px: float | None = None) -> Bisection:
    """Compare two runs step by step. TrajectoryError where a picture that is needed is missing.

    Places at most `tolerance_px` apart are the same; None: a hundredth of the frame's longer side.
    """
    first: tuple[int, Step | None, Step | None, tuple[Difference, ...]] | None = None
    other_action: int | None = None
    for number, (left, right) in enumerate(zip_longest(one.steps, other.steps), start=1):
        if left is None or right is None:
            if _only_ends(one.steps[number - 1 :] or other.steps[number - 1 :]):
                break
            ended = (Difference(what="end", one=_last_words(left), other=_last_words(right)),)
            first, other_action = first or (number, left, right, ended), other_action or number
            break
        if first is None and (found := _of_steps(left, right, tolerance_px)):
            first = number, left, right, found
        if other_action is None and _of_actions(left, right, tolerance_px):
            other_action = number
        if first and other_action:
            break
    number, left, right, found = first or (None, None, None, ())
    return Bisection(
        before=_of_runs(one.run, other.run),
        number=number,
        one=left,
        other=right,
        differences=found,
        action_number=other_action,
    )


def draw_side_by_side(one: Recording, other: Recording, found: Bisection) -> Image.Image:
    """The step of each run at which they part: what was seen, where it differs, and what was done.

    BadRequest is the caller's for runs that are the same: `found.number` is then None.
    """
    frames = [_frame_of(recording, step) for recording, step in ((one, found.one), (other, found.other))]
    box = changed_box(frames[0].pixels_HW3, frames[1].pixels_HW3)
    pictures: list[Image.Image] = []
    for name, frame, step, colour in zip("AB", frames, (found.one, found.other), (ACCENT, CHOSEN), strict=True):
        picture = draw(frame, _marks(step, colour))
        if box is not None:
            edges = (box.left_px - 2, box.top_px - 2, box.left_px + box.width_px + 1, box.top_px + box.height_px + 1)
            ImageDraw.Draw(picture).rectangle(edges, outline=FAILED, width=2)
        pictures.append(captioned(picture, _label(name, step), FAILED if step is None else colour))
    return strip(pictures, columns=2, width_px=min(960, max(picture.width for picture in pictures)))


def _only_ends(rest: Sequence[Step]) -> bool:
    """Whether nothing is left but to say that the run is over: a replay leaves that out."""
    return len(rest) == 1 and isinstance(rest[0].action, Finish)


def _of_runs(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[Setting, ...]:
    found: list[Setting] = []
    for name in TOLD_APART:
        left, right = one.get(name), other.get(name)
        if name != "prompt_sha256" or (left is not None and right is not None):
            found += _of_values(name, left, right)
    return tuple(found)


def _of_values(name: str, one: object, other: object) -> list[Setting]:
    """Leaf by leaf, each named by its path; what only one of the runs has a word for is no setting of both."""
    if isinstance(one, dict) and isinstance(other, dict):
        left, right = cast(dict[str, object], one), cast(dict[str, object], other)
        keys = [key for key in left if key in right and key not in PLACES]
        return [found for key in keys for found in _of_values(f"{name}.{key}", left[key], right[key])]
    return [] if one == other else [Setting(what=name, one=one, other=other)]


def _of_steps(one: Step, other: Step, tolerance_px: float | None) -> tuple[Difference, ...]:
    found = [
        *_of_frames("frame before", one.before, other.before),
        *_of_actions(one, other, tolerance_px),
        *_of_effects(one, other),
    ]
    if one.after is not None and other.after is not None:
        found += _of_frames("frame after", one.after, other.after)
    return tuple(found)


def _of_actions(one: Step, other: Step, tolerance_px: float | None) -> tuple[Difference, ...]:
    return differences(one.action, other.action, near_px(one.before.size) if tolerance_px is None else tolerance_px)


def _of_effects(one: Step, other: Step) -> list[Difference]:
    """Whether it was done, what it changed and what it brought."""
    left, right = _outcome(one), _outcome(other)
    return [Difference(what=name, one=left[name], other=right[name]) for name in left if left[name] != right[name]]


def _outcome(step: Step) -> dict[str, str]:
    effect = step.effect
    done = "not done" if effect is None or not effect.performed else "done"
    changed = "" if effect is None else "no_change" if effect.changed is False else effect.change or ""
    return {
        "effect": f"{done} {changed}".strip(),
        "answer": "" if effect is None else effect.answer or "",
        "error": step.error or "",
    }


def _of_frames(what: str, one: StoredFrame, other: StoredFrame) -> list[Difference]:
    """A caret that blinks is no difference."""
    if one.sha256 == other.sha256:
        return []
    left_HW3, right_HW3 = one.read().pixels_HW3, other.read().pixels_HW3
    if left_HW3.shape != right_HW3.shape:
        return [Difference(what=what, one=str(one.size), other=str(other.size))]
    if where_changed(left_HW3, right_HW3) == "no_change":
        return []
    box = changed_box(left_HW3, right_HW3)
    assert box is not None  # for something differs
    share = float((left_HW3 != right_HW3).any(axis=2).mean())
    said = f"{share:.2%} of the pixels, within {_box_words(box)}"
    return [Difference(what=what, one=said, other="")]


def _frame_of(recording: Recording, step: Step | None) -> Frame:
    """What was seen before the step, or at the end of a run that had none."""
    if step is not None:
        return step.before.read()
    last = next((stored for step in reversed(recording.steps) for stored in (step.after, step.before) if stored), None)
    return Frame(np.full((64, 64, 3), 112, np.uint8)) if last is None else last.read()


def _marks(step: Step | None, colour: tuple[int, int, int]) -> list[Mark]:
    points = () if step is None or step.action is None else action_points(step.action)
    return [Mark(label="", x_px=point.x_px, y_px=point.y_px, colour=colour) for point in points]


def _label(name: str, step: Step | None) -> str:
    return f"{name}: ended before" if step is None else f"{name}: {step.index + 1}. {in_words(step.action)}"


def _last_words(step: Step | None) -> str:
    return "ended" if step is None else in_words(step.action)


def _box_words(box: Region) -> str:
    return f"{box.width_px:.0f}x{box.height_px:.0f} at ({box.left_px:.0f}, {box.top_px:.0f})"


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
