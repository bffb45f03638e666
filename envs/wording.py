"""Actions in words, and where they point."""

from __future__ import annotations

from typing import assert_never

from .actions import (
    Action,
    AnswerDialog,
    AskUser,
    Back,
    Click,
    CloseTab,
    Drag,
    Extract,
    Finish,
    Forward,
    GetClipboard,
    KeyDown,
    KeyUp,
    MouseDown,
    MouseUp,
    Move,
    Navigate,
    NewTab,
    OpenApp,
    PressKeys,
    Refuse,
    Reload,
    Scroll,
    SelectOption,
    SetClipboard,
    SwitchTab,
    TypeText,
    Upload,
    Wait,
    Zoom,
)
from .geometry import Point


def action_points(action: Action) -> tuple[Point, ...]:
    """The points an action touches, in order, in screenshot px; none for actions without a place."""
    match action:
        case Click() | Move() | SelectOption():
            return (action.point,)
        case Drag():
            return action.path
        case Scroll() | MouseDown() | MouseUp() | Upload():
            return () if action.point is None else (action.point,)
        case _:
            return ()


def describe(action: Action) -> str:
    """The action in a few words, for a table; long texts are cut."""
    match action:
        case Click():
            times = ("", "double ", "triple ")[action.count - 1]
            return "+".join((*action.modifiers, f"{times}{_side(action.button)}click {_place(action.point)}"))
        case Move():
            return f"move to {_place(action.point)}"
        case Drag():
            moved = f"{_side(action.button)}drag {_place(action.path[0])} to {_place(action.path[-1])}"
            moved += "" if action.duration_s is None else f" in {action.duration_s:g} s"
            return "+".join((*action.modifiers, moved))
        case MouseDown() | MouseUp():
            way = "down" if isinstance(action, MouseDown) else "up"
            return f"{_side(action.button)}mouse {way}{_at(action.point)}"
        case Scroll():
            unit = "" if action.unit == "notch" else f" {action.unit}"
            return f"scroll dx={action.dx:g} dy={action.dy:g}{unit}{_at(action.point)}"
        case TypeText():
            before, after = "clear, " if action.clear else "", ", enter" if action.submit else ""
            return f"{before}{'paste' if action.via == 'paste' else 'type'} {_short(action.text)}{after}"
        case PressKeys():
            times = f" x{action.repeat}" if action.repeat > 1 else ""
            held = f" for {action.hold_s:g} s" if action.hold_s else ""
            return f"press {'+'.join(action.keys)}{times}{held}"
        case KeyDown():
            return f"hold {action.key}"
        case KeyUp():
            return f"let go {action.key}"
        case Wait():
            until = "" if action.until is None else f" at most, until {action.until}"
            return f"wait {action.seconds_s:g} s{until}"
        case Zoom():
            return (
                f"zoom to {action.width_px:.0f}x{action.height_px:.0f} at ({action.left_px:.0f}, {action.top_px:.0f})"
            )
        case GetClipboard():
            return "read the clipboard"
        case SetClipboard():
            return f"put {_short(action.text)} on the clipboard"
        case SelectOption():
            return f"choose {_short(action.option)} at {_place(action.point)}"
        case Upload():
            return f"upload {_short(', '.join(action.paths), 60)}{_at(action.point)}"
        case Navigate():
            return f"open {_short(action.url, 60)}"
        case Back() | Forward() | Reload():
            return action.type
        case NewTab():
            return "new tab" + (f" {_short(action.url, 60)}" if action.url else "")
        case SwitchTab():
            return f"go to tab {action.index}"
        case CloseTab():
            return "close the tab" if action.index is None else f"close tab {action.index}"
        case AnswerDialog():
            return f"{'accept' if action.accept else 'dismiss'} the dialog" + (
                f" with {_short(action.text)}" if action.text else ""
            )
        case OpenApp():
            return f"start {_short(action.name)}"
        case Extract():
            return f"read off {_short(action.question, 60)}"
        case AskUser():
            return f"ask {_short(action.question, 60)}"
        case Finish():
            return f"finish: {action.status}" + (f" {_short(action.answer)}" if action.answer else "")
        case Refuse():
            return "refuse" + (f": {_short(action.reason)}" if action.reason else "")
        case _:
            assert_never(action)


def _side(button: str) -> str:
    return "" if button == "left" else f"{button} "


def _place(point: Point) -> str:
    return f"({point.x_px:.0f}, {point.y_px:.0f})"


def _at(point: Point | None) -> str:
    return "" if point is None else f" at {_place(point)}"


def _short(text: str, limit: int = 40) -> str:
    return repr(text if len(text) <= limit else text[: limit - 3] + "...")
