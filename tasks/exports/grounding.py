"""Rows for scoring grounding, in ScreenSpot-Pro's form: what to find, on which picture, and the box around it.

`bbox` is left, top, right, bottom in px of the picture, `img_size` width and height. Pictures lie in `images/` beside.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...agent import Recording
from ...envs import Click, Element, MouseDown, Move, SelectOption, Size, Upload, action_points
from .exported import Done, Exported, Told, copy_images, done_of_each, nothing_in, was_on_desktop, write_text
from .locators import is_field

FINDS = (Click, Move, MouseDown, SelectOption, Upload)  # one thing at one place
LARGEST_SHARE = 0.5  # of the picture: a box of more says nothing of where


def write_grounding(recordings: Sequence[Recording], out: Path) -> Exported:
    """A JSON list with a row for each step that found an element whose box is known. BadRequest where none did."""
    told = Told()
    rows: list[dict[str, Any]] = []
    for recording, done in done_of_each(recordings, told):
        finding = [one for one in done if isinstance(one.action, FINDS) and action_points(one.action)]
        for one in done:
            if one not in finding:
                told.leave_out(one.step, "it looks for nothing")
        found = [(one, row) for one in finding if (row := _row(one, told)) is not None]
        images = copy_images([one.step.before for one, _ in found], out)
        name = recording.path.resolve().name
        platform = "desktop" if was_on_desktop(recording) else "web"
        for one, row in found:
            image = images.get(one.step.before.sha256)
            if image is None:
                told.leave_out(one.step, "its picture is missing or damaged")
                continue
            named = {"id": f"{name}_{one.step.index + 1}", "img_filename": Path(image).name}
            rows.append(named | row | {"platform": platform, "group": name})
    if not rows:
        raise nothing_in(recordings, "step that found an element with a known box and picture", told.left_out[-1])
    file = write_text(out, json.dumps(rows, indent=1) + "\n")
    return Exported(
        files=(file,),
        num_steps=len(rows),
        left_out=tuple(told.left_out),
        notes=tuple(told.notes),
        problems=tuple(told.problems),
    )


def _row(one: Done, told: Told) -> dict[str, Any] | None:
    """What is known without its picture; None where that is not enough, which `told` then knows."""
    step, element = one.step, one.element
    instruction = step.instruction or (element.name or element.text if element is not None else "")
    box = None if element is None else box_on(element, step.before.size)
    point = action_points(one.action)[0]
    why = (
        "no element was known there" if box is None or element is None
        else "nobody said what was looked for" if not instruction
        else "the element is larger than half of the picture" if _share(box, step.before.size) > LARGEST_SHARE
        else "the place lies outside the element's box" if not _holds(box, point.x_px, point.y_px)
        else None
    )  # fmt: skip
    if why is not None or element is None:
        told.leave_out(step, why or "")
        return None
    return {
        "bbox": box,
        "instruction": instruction,
        "img_size": [step.before.size.width_px, step.before.size.height_px],
        "ui_type": ui_type(element),
        "application": step.surroundings.title if step.surroundings is not None else None,
        "point": [point.x_px, point.y_px],
    }


def ui_type(element: Element) -> str:
    """As ScreenSpot divides them: what is found by its words is text, a field by its label too."""
    return "text" if element.text or (is_field(element) and element.name) else "icon"


def box_on(element: Element, size: Size) -> list[float] | None:
    """The part of its box that lies on the picture; None where none does."""
    left, top = max(0.0, element.left_px), max(0.0, element.top_px)
    right = min(size.width_px, element.left_px + element.width_px)
    bottom = min(size.height_px, element.top_px + element.height_px)
    return [round(side, 2) for side in (left, top, right, bottom)] if left < right and top < bottom else None


def _share(box: list[float], size: Size) -> float:
    return (box[2] - box[0]) * (box[3] - box[1]) / (size.width_px * size.height_px)


def _holds(box: list[float], x_px: float, y_px: float) -> bool:
    return box[0] <= x_px <= box[2] and box[1] <= y_px <= box[3]
