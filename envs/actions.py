"""The one set of actions, as data: what a model asks for, an environment performs and a trajectory keeps.

Points are in px of the screenshot the action answers. Every action is frozen, compares by value and has one JSON form,
told apart by its `type`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, assert_never

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator, model_validator

from .geometry import Point

Button = Literal["left", "right", "middle"]
Modifier = Literal["ctrl", "shift", "alt", "meta"]
MODIFIERS: tuple[Modifier, ...] = ("ctrl", "shift", "alt", "meta")

NAMED_KEYS = frozenset(
    (
        *(
            *MODIFIERS,
            "enter",
            "tab",
            "escape",
            "backspace",
            "delete",
            "insert",
            "space",
            "up",
            "down",
            "left",
            "right",
        ),
        *("home", "end", "pageup", "pagedown", "capslock", "menu", "printscreen"),
        *(f"f{number}" for number in range(1, 13)),
    )
)
KEY_ALIASES = {
    "control": "ctrl", "ctl": "ctrl", "option": "alt", "cmd": "meta", "command": "meta", "win": "meta",
    "super": "meta", "return": "enter", "esc": "escape", "del": "delete", "ins": "insert", "arrowup": "up",
    "arrowdown": "down", "arrowleft": "left", "arrowright": "right", "page_up": "pageup", "page_down": "pagedown",
    "pgup": "pageup", "pgdn": "pagedown", "caps_lock": "capslock", "print_screen": "printscreen",
    "contextmenu": "menu", " ": "space", "\n": "enter", "\t": "tab",
}  # fmt: skip


class _Action(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Click(_Action):
    """Press and release a button `count` times at one point, with modifier keys held."""

    type: Literal["click"] = "click"
    x_px: float
    y_px: float
    button: Button = "left"
    count: int = Field(default=1, ge=1, le=3)
    modifiers: tuple[Modifier, ...] = ()

    @property
    def point(self) -> Point:
        return Point(self.x_px, self.y_px)


class Move(_Action):
    """Rest the pointer on one point."""

    type: Literal["move"] = "move"
    x_px: float
    y_px: float

    @property
    def point(self) -> Point:
        return Point(self.x_px, self.y_px)


class Drag(_Action):
    """Press at the first point, pass through the others, release at the last."""

    type: Literal["drag"] = "drag"
    path: tuple[Point, ...] = Field(min_length=2)
    button: Button = "left"


class Scroll(_Action):
    """Turn the wheel by notches, dy > 0 down and dx > 0 right, over a point or over the middle of the screen."""

    type: Literal["scroll"] = "scroll"
    dx: float = 0.0
    dy: float = 0.0
    x_px: float | None = None
    y_px: float | None = None

    @model_validator(mode="after")
    def _both_or_neither(self) -> Scroll:
        if (self.x_px is None) != (self.y_px is None):
            raise ValueError("x_px and y_px: give both or neither")
        return self

    @property
    def point(self) -> Point | None:
        return None if self.x_px is None or self.y_px is None else Point(self.x_px, self.y_px)


class TypeText(_Action):
    """Type text into what has the focus; `clear` empties the field first, `submit` presses Enter afterwards."""

    type: Literal["type"] = "type"
    text: str
    clear: bool = False
    submit: bool = False


class PressKeys(_Action):
    """Press one chord, such as ("ctrl", "c") or ("enter",), `repeat` times.

    A key is one character or one of NAMED_KEYS; common other spellings ("Return", "esc", "cmd") are put in that form.
    With ctrl, alt or meta held, letters become small ones: say "shift" to hold it.
    """

    type: Literal["key"] = "key"
    keys: tuple[str, ...] = Field(min_length=1)
    repeat: int = Field(default=1, ge=1, le=100)

    @field_validator("keys")
    @classmethod
    def _known_keys(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        named = tuple(_key_name(key) for key in keys)
        if {"ctrl", "alt", "meta"}.isdisjoint(named):
            return named
        return tuple(key.lower() if len(key) == 1 and len(key.lower()) == 1 else key for key in named)


class Wait(_Action):
    """Let time pass."""

    type: Literal["wait"] = "wait"
    seconds_s: float = Field(default=1.0, ge=0, le=600)


class Navigate(_Action):
    """Open a full URL in the page."""

    type: Literal["navigate"] = "navigate"
    url: str


class Back(_Action):
    """Go back to the earlier page."""

    type: Literal["back"] = "back"


class Finish(_Action):
    """The goal is reached, or cannot be; touches nothing."""

    type: Literal["finish"] = "finish"
    status: Literal["success", "failure"] = "success"
    answer: str = ""


class Refuse(_Action):
    """The instruction cannot or must not be followed on this screen; touches nothing."""

    type: Literal["refuse"] = "refuse"
    reason: str = ""


AnyAction = Click | Move | Drag | Scroll | TypeText | PressKeys | Wait | Navigate | Back | Finish | Refuse
Action = Annotated[AnyAction, Field(discriminator="type")]

_ADAPTER: TypeAdapter[AnyAction] = TypeAdapter(Action)


def action_to_json(action: Action) -> dict[str, Any]:
    """The action as plain JSON values, defaults included."""
    return action.model_dump(mode="json")


def action_from_json(obj: object) -> Action:
    """The action that `action_to_json` wrote. ValueError names each field that is missing, unknown or wrong."""
    try:
        return _ADAPTER.validate_python(obj)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, item['loc'])) or 'action'}: {item['msg']}" for item in error.errors())
        raise ValueError(f"not an action: {'; '.join(problems)}") from error


def action_points(action: Action) -> tuple[Point, ...]:
    """The points an action touches, in order, in screenshot px; none for actions without a place."""
    match action:
        case Click() | Move():
            return (action.point,)
        case Drag():
            return action.path
        case Scroll():
            return () if action.point is None else (action.point,)
        case TypeText() | PressKeys() | Wait() | Navigate() | Back() | Finish() | Refuse():
            return ()
        case _:
            assert_never(action)


def describe(action: Action) -> str:
    """The action in a few words, for a table; long texts are cut."""
    match action:
        case Click():
            times = ("", "double ", "triple ")[action.count - 1]
            side = "" if action.button == "left" else f"{action.button} "
            return "+".join((*action.modifiers, f"{times}{side}click {_place(action.point)}"))
        case Move():
            return f"move to {_place(action.point)}"
        case Drag():
            return f"drag {_place(action.path[0])} to {_place(action.path[-1])}"
        case Scroll():
            at = "" if action.point is None else f" at {_place(action.point)}"
            return f"scroll dx={action.dx:g} dy={action.dy:g}{at}"
        case TypeText():
            before, after = "clear, " if action.clear else "", ", enter" if action.submit else ""
            return f"{before}type {_short(action.text)}{after}"
        case PressKeys():
            return f"press {'+'.join(action.keys)}" + (f" x{action.repeat}" if action.repeat > 1 else "")
        case Wait():
            return f"wait {action.seconds_s:g} s"
        case Navigate():
            return f"open {_short(action.url, 60)}"
        case Back():
            return "back"
        case Finish():
            return f"finish: {action.status}" + (f" {_short(action.answer)}" if action.answer else "")
        case Refuse():
            return "refuse" + (f": {_short(action.reason)}" if action.reason else "")
        case _:
            assert_never(action)


def _key_name(key: str) -> str:
    small = key.lower()
    name = KEY_ALIASES.get(small, small)
    if name in NAMED_KEYS:
        return name
    if len(key) == 1 and key.isprintable():
        return key
    raise ValueError(f"unknown key {key!r}: use one character or one of {', '.join(sorted(NAMED_KEYS))}")


def _place(point: Point) -> str:
    return f"({point.x_px:.0f}, {point.y_px:.0f})"


def _short(text: str, limit: int = 40) -> str:
    return repr(text if len(text) <= limit else text[: limit - 3] + "...")
