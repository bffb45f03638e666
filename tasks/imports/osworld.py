"""OSWorld's results: `traj.jsonl` with the actions, and the screenshot that each led to beside it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ...agent import ParseError
from ...agent.dialects import DIALECTS, whole_canvas
from ...envs import (
    Action,
    Click,
    Drag,
    Finish,
    Frame,
    KeyDown,
    KeyUp,
    MouseDown,
    MouseUp,
    Move,
    Point,
    PressKeys,
    Scroll,
    Size,
    TypeText,
    Wait,
)
from .imported import Draft, DraftStep
from .reading import BadPicture, Json, as_object, json_object, picture_beside, read_lines, text_of

SIZE = Size(1920, 1080)  # of OSWorld's machines
FIRST = ("step_0.png", "initial_state.png", "initial.png")  # what some runners keep of the screen at first
WAIT_S = 2.0  # what OSWorld's WAIT stands for, about


def read_osworld(path: Path, images: Path | None, problems: list[str]) -> Iterator[Draft]:
    """One draft. The file does not say what was to be done: see `--goal`."""
    folders = (images,) if images is not None else (path.parent,)
    draft = Draft(
        name=path.parent.resolve().name,
        goal=f"OSWorld task {path.parent.resolve().name}",
        source="agent",
        steps=(),
        size=SIZE,
        is_desktop=True,
        success=_success(path.parent / "result.txt"),
    )
    draft.steps = _steps(path, folders, draft, problems)
    yield draft


def _success(path: Path) -> bool | None:
    try:
        return float(path.read_text(encoding="utf-8")[:40]) >= 1.0
    except (OSError, ValueError):
        return None


def _steps(path: Path, folders: tuple[Path, ...], draft: Draft, problems: list[str]) -> Iterator[DraftStep]:
    before = _first(folders)
    for number, line in read_lines(path):
        try:
            row = json_object(line)
        except ValueError as error:
            problems.append(f"{path.name} line {number} is no step and was left out: {error}")
            continue
        if "action" not in row:
            draft.problem(f"{path.name} line {number} has no action: {str(row.get('Error') or row)[:120]}")
            continue
        after = _picture(row.get("screenshot_file"), folders, number, draft)
        size = (before or after or _blank_of(SIZE)).size
        actions, error = _actions(row["action"], size)
        reply = text_of(row.get("response"))
        step_num = row.get("step_num")
        turn = step_num - 1 if isinstance(step_num, int) and step_num > 0 else None
        common: Json = {"before": before, "turn": turn, "started_at_s": _time_s(row.get("action_timestamp"))}
        for place, action in enumerate(actions):
            is_last = place == len(actions) - 1
            reply_here = reply if place == 0 else None
            yield DraftStep(action=action, after=after if is_last else before, reply=reply_here, **common)
        if error is not None:
            yield DraftStep(action=None, error=error, reply=str(row["action"])[:2000], **common)
        before = after or before


def _blank_of(size: Size) -> Frame:
    from .imported import blank

    return blank(size)


def _first(folders: tuple[Path, ...]) -> Frame | None:
    for name in FIRST:
        try:
            return picture_beside(folders, name)
        except BadPicture:
            continue
    return None


def _picture(name: object, folders: tuple[Path, ...], number: int, draft: Draft) -> Frame | None:
    if not isinstance(name, str):
        return None
    try:
        return picture_beside(folders, name)
    except BadPicture as error:
        draft.problem(f"line {number}: {error}")
        return None


def _time_s(said: object) -> float:
    """As OSWorld names moments, 20251122@101500 with or without microseconds; 0 for anything else."""
    if isinstance(said, int | float):
        return float(said)
    for form in ("%Y%m%d@%H%M%S%f", "%Y%m%d@%H%M%S"):
        try:
            return datetime.strptime(str(said), form).timestamp()
        except ValueError:
            continue
    return 0.0


def _actions(said: object, size: Size) -> tuple[tuple[Action, ...], str | None]:
    """What a line did, and why it could not be read."""
    fields = as_object(said)
    if "action_type" in fields and isinstance(fields.get("parameters", {}), dict) and fields["action_type"] in KNOWN:
        try:
            return _computer_13(str(fields["action_type"]), as_object(fields.get("parameters"))), None
        except (ValidationError, KeyError, TypeError, ValueError) as error:
            return (), f"{fields['action_type']} cannot be read: {str(error).splitlines()[0]}"
    code = text_of(said) or next(
        (text for name in ("command", "action", "code") if (text := text_of(fields.get(name)))), None
    )
    if code is None:
        return (), "its action is neither code nor of the computer_13 set"
    try:
        return DIALECTS["pyautogui"].read(code, whole_canvas(size)).actions, None
    except ParseError as error:
        return (), f"its code cannot be read: {error.message}"


KNOWN = frozenset(
    (
        *("MOVE_TO", "CLICK", "MOUSE_DOWN", "MOUSE_UP", "RIGHT_CLICK", "DOUBLE_CLICK", "DRAG_TO", "SCROLL", "TYPING"),
        *("PRESS", "KEY_DOWN", "KEY_UP", "HOTKEY", "WAIT", "FAIL", "DONE"),
    )
)


def _computer_13(kind: str, given: dict[str, Any]) -> tuple[Action, ...]:
    """KeyError or ValueError where it says too little."""
    at = {"x_px": given["x"], "y_px": given["y"]} if given.get("x") is not None and given.get("y") is not None else {}
    button = given.get("button") or "left"
    match kind:
        case "MOVE_TO":
            return (Move(x_px=given["x"], y_px=given["y"]),)
        case "CLICK" | "RIGHT_CLICK" | "DOUBLE_CLICK" if at:
            count = 2 if kind == "DOUBLE_CLICK" else given.get("num_clicks") or 1
            return (Click(**at, button="right" if kind == "RIGHT_CLICK" else button, count=count),)
        case "CLICK" | "RIGHT_CLICK" | "DOUBLE_CLICK":
            side = "right" if kind == "RIGHT_CLICK" else button
            count = 2 if kind == "DOUBLE_CLICK" else given.get("num_clicks") or 1
            return (MouseDown(button=side), MouseUp(button=side)) * count
        case "MOUSE_DOWN":
            return (MouseDown(button=button),)
        case "MOUSE_UP":
            return (MouseUp(button=button),)
        case "DRAG_TO" if "from_x" in given:
            start = Point(given["from_x"], given["from_y"])
            return (Drag(path=(start, Point(given["x"], given["y"]))),)
        case "DRAG_TO":
            return (MouseDown(), Move(x_px=given["x"], y_px=given["y"]), MouseUp())
        case "SCROLL":
            return (Scroll(dx=given.get("dx") or 0, dy=-(given.get("dy") or 0)),)
        case "TYPING":
            return (TypeText(text=given["text"]),)
        case "PRESS":
            return (PressKeys(keys=(given["key"],)),)
        case "KEY_DOWN":
            return (KeyDown(key=given["key"]),)
        case "KEY_UP":
            return (KeyUp(key=given["key"]),)
        case "HOTKEY":
            return (PressKeys(keys=tuple(given["keys"])),)
        case "WAIT":
            return (Wait(seconds_s=WAIT_S),)
        case "FAIL":
            return (Finish(status="failure"),)
        case _:
            return (Finish(),)
