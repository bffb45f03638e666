"""Predicted steps: files of them, as actions or as replies in any dialect; and their actions by pyautogui's names."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from ...agent import ParseError
from ...agent.dialects import DIALECTS, whole_canvas
from ...envs import (
    Action,
    Click,
    Drag,
    Finish,
    MouseDown,
    MouseUp,
    Move,
    Point,
    PressKeys,
    Refuse,
    Scroll,
    Size,
    TypeText,
    action_from_json,
)
from ..errors import BadRequest
from .step_score import Call, Pair

# Shares are read on a screenshot so large that its last pixel, where 1.0 comes to lie, is as good as its edge.
SHARES: Final = Size(1_000_000, 1_000_000)
SHARE_DIALECTS: Final = frozenset(("kimi", "opencua", "qwen3-vl", "ui-tars", "screenspot-pro"))
CLICKS: Final = {
    ("left", 1): "click",
    ("left", 2): "doubleClick",
    ("left", 3): "tripleClick",
    ("right", 1): "rightClick",
    ("middle", 1): "middleClick",
}


@dataclass(frozen=True, kw_only=True)
class StepPrediction:
    """What was predicted for a step; `error` says why nothing can be read in the reply."""

    id: str
    actions: tuple[Action, ...] = ()
    size: Size = SHARES  # of the screenshot whose px the actions count
    error: str | None = None


def read_step_predictions(
    path: Path, sizes: Mapping[str, Size], *, dialect: str = "opencua"
) -> dict[str, StepPrediction]:
    """By the ids of the steps; `sizes` are those of the screenshots, as far as they are there.

    A line is an object with an `id` (TASK/STEP) and either `actions`, our actions in px of the screenshot, or `raw`, a
    reply in the `dialect` of that line, or else of the file. A line's `size`, [width, height] in px, is the
    screenshot's, where that itself is not there. BadRequest names the line that is none of this, and an id met twice.
    """
    if dialect not in DIALECTS:
        raise BadRequest(f"no dialect is called {dialect!r}: {', '.join(DIALECTS)}")
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"{path} cannot be read: {error}") from error
    found: dict[str, StepPrediction] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            prediction = _prediction(json.loads(line), sizes, dialect)
        except (ValueError, RecursionError) as error:
            raise BadRequest(f"{path}:{number}: {error}") from error
        if prediction.id in found:
            raise BadRequest(f"{path}:{number}: {prediction.id} was predicted before")
        found[prediction.id] = prediction
    return found


def _prediction(line: Any, sizes: Mapping[str, Size], dialect: str) -> StepPrediction:
    if not isinstance(line, dict):
        raise ValueError("not a JSON object")
    fields = cast(dict[str, Any], line)
    name, raw, listed = fields.get("id"), fields.get("raw"), fields.get("actions")
    if not isinstance(name, str):
        raise ValueError("no id: TASK/STEP")
    size = sizes.get(name) or _size(fields.get("size"))
    if isinstance(listed, list):
        actions = tuple(action_from_json(each) for each in cast(list[Any], listed))
        if size is None:
            raise ValueError(f"{name}: its screenshot is not there, so give its `size`: [width, height]")
        return StepPrediction(id=name, actions=actions, size=size)
    if not isinstance(raw, str):
        raise ValueError(f"{name}: neither `actions` nor `raw`, a reply")
    called = fields.get("dialect") or dialect
    if called not in DIALECTS:
        raise ValueError(f"{name}: no dialect is called {called!r}: {', '.join(DIALECTS)}")
    if called in SHARE_DIALECTS:
        size = SHARES
    if size is None:
        raise ValueError(f"{name}: {called} counts px and its screenshot is not there, so give its `size`")
    try:
        parsed = DIALECTS[called].read(raw, whole_canvas(size))
    except ParseError as error:
        return StepPrediction(id=name, error=str(error))
    return StepPrediction(id=name, actions=parsed.actions, size=size)


def _size(found: Any) -> Size | None:
    if found is None:
        return None
    match found:
        case [int(width), int(height)] if width > 0 and height > 0:
            return Size(width, height)
        case _:
            raise ValueError(f"size is {found!r}, not [width, height] in px")


def spellings(actions: Sequence[Action], size: Size) -> tuple[tuple[Call, ...], ...]:
    """Actions by pyautogui's names, points as shares of the screenshot.

    A drag is moveTo and dragTo, as a press and a release elsewhere are; a text with `submit` ends in a line break.
    Scrolling over a point is moveTo and scroll in the first spelling, and scroll alone in a second. What pyautogui has
    no name for keeps our own.
    """
    first = _calls(actions, size, is_moving=True)
    second = _calls(actions, size, is_moving=False)
    return (first,) if first == second else (first, second)


def _calls(actions: Sequence[Action], size: Size, *, is_moving: bool) -> tuple[Call, ...]:
    calls: list[Call] = []
    for action in actions:
        match action:
            case Click():
                name = CLICKS.get((action.button, action.count), "click")
                calls.append(Call(type=name, point=_share(action.point, size)))
            case Move():
                calls.append(Call(type="moveTo", point=_share(action.point, size)))
            case Drag():
                calls.append(Call(type="moveTo", point=_share(action.path[0], size)))
                calls.append(Call(type="dragTo", point=_share(action.path[-1], size)))
            case MouseDown() | MouseUp():
                if action.point is not None:
                    name = "moveTo" if isinstance(action, MouseDown) else "dragTo"
                    calls.append(Call(type=name, point=_share(action.point, size)))
            case Scroll():
                if action.point is not None and is_moving:
                    calls.append(Call(type="moveTo", point=_share(action.point, size)))
                calls.append(Call(type="hscroll" if action.dx and not action.dy else "scroll"))
            case TypeText():
                calls.append(Call(type="write", text=action.text + ("\n" if action.submit else "")))
            case PressKeys():
                calls.append(Call(type="press" if len(action.keys) == 1 else "hotkey", keys=action.keys))
            case Finish():
                calls.append(Call(type="terminate", status=action.status))
            case Refuse():
                calls.append(Call(type="terminate", status="failure"))
            case _:
                calls.append(Call(type=action.type))
    return tuple(calls)


def _share(point: Point, size: Size) -> Pair:
    return point.x_px / size.width_px, point.y_px / size.height_px
