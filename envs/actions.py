"""The one set of actions, as data: what a model asks for, an environment performs and a trajectory keeps.

Points are in px of the screenshot the action answers. Every action is frozen, compares by value and has one JSON form,
told apart by its `type`, which is also called its kind.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator, model_validator

from .geometry import Point, Region
from .keys import Button, Modifier, key_name


class _Action(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _AtPoint(_Action):
    x_px: float
    y_px: float

    @property
    def point(self) -> Point:
        return Point(self.x_px, self.y_px)


class _MaybeAtPoint(_Action):
    x_px: float | None = None
    y_px: float | None = None

    @model_validator(mode="after")
    def _both_or_neither(self) -> _MaybeAtPoint:
        if (self.x_px is None) != (self.y_px is None):
            raise ValueError("x_px and y_px: give both or neither")
        return self

    @property
    def point(self) -> Point | None:
        return None if self.x_px is None or self.y_px is None else Point(self.x_px, self.y_px)


class Click(_AtPoint):
    """Press and release a button `count` times at one point, with modifier keys held."""

    type: Literal["click"] = "click"
    button: Button = "left"
    count: int = Field(default=1, ge=1, le=3)
    modifiers: tuple[Modifier, ...] = ()


class Move(_AtPoint):
    """Rest the pointer on one point."""

    type: Literal["move"] = "move"


class Drag(_Action):
    """Press at the first point, pass through the others, release at the last, with modifier keys held.

    The way takes `duration_s`, at an even pace; None: a tenth of a second from point to point.
    """

    type: Literal["drag"] = "drag"
    path: tuple[Point, ...] = Field(min_length=2)
    button: Button = "left"
    modifiers: tuple[Modifier, ...] = ()
    duration_s: float | None = Field(default=None, ge=0, le=60)


class MouseDown(_MaybeAtPoint):
    """Press a button and keep it down, at one point or where the pointer is."""

    type: Literal["mouse_down"] = "mouse_down"
    button: Button = "left"


class MouseUp(_MaybeAtPoint):
    """Let a button go, at one point or where the pointer is."""

    type: Literal["mouse_up"] = "mouse_up"
    button: Button = "left"


class Scroll(_MaybeAtPoint):
    """Turn the wheel, dy > 0 down and dx > 0 right, over a point or over the middle of the screen.

    `unit` says of what: notches of a wheel, px of the screenshot, or heights and widths of the screen.
    """

    type: Literal["scroll"] = "scroll"
    dx: float = 0.0
    dy: float = 0.0
    unit: Literal["notch", "px", "page"] = "notch"


class TypeText(_Action):
    """Type text into what has the focus; `clear` empties the field first, `submit` presses Enter afterwards.

    `via` is how: key by key, through the clipboard, or keys where every character has one and the clipboard else.
    """

    type: Literal["type"] = "type"
    text: str
    clear: bool = False
    submit: bool = False
    via: Literal["auto", "keys", "paste"] = "auto"


class PressKeys(_Action):
    """Press one chord, such as ("ctrl", "c") or ("enter",), `repeat` times, each held for `hold_s`.

    A key is one character or one of NAMED_KEYS; common other spellings ("Return", "esc", "cmd") are put in that form.
    With ctrl, alt or meta held, letters become small ones: say "shift" to hold it.
    """

    type: Literal["key"] = "key"
    keys: tuple[str, ...] = Field(min_length=1)
    repeat: int = Field(default=1, ge=1, le=100)
    hold_s: float = Field(default=0.0, ge=0, le=60)

    @field_validator("keys")
    @classmethod
    def _known_keys(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        named = tuple(key_name(key) for key in keys)
        if {"ctrl", "alt", "meta"}.isdisjoint(named):
            return named
        return tuple(key.lower() if len(key) == 1 and len(key.lower()) == 1 else key for key in named)


class _OneKey(_Action):
    key: str

    @field_validator("key")
    @classmethod
    def _known_key(cls, key: str) -> str:
        return key_name(key)


class KeyDown(_OneKey):
    """Press a key and keep it down until KeyUp or the end of the run."""

    type: Literal["key_down"] = "key_down"


class KeyUp(_OneKey):
    """Let a key go."""

    type: Literal["key_up"] = "key_up"


class Wait(_Action):
    """Let time pass: `seconds_s`, or at most that long `until` the screen is still or has changed."""

    type: Literal["wait"] = "wait"
    seconds_s: float = Field(default=1.0, ge=0, le=600)
    until: Literal["still", "change"] | None = None


class Zoom(_Action):
    """Look at a part of the screenshot more closely; later points are still of the whole. Touches nothing."""

    type: Literal["zoom"] = "zoom"
    left_px: float = Field(ge=0)
    top_px: float = Field(ge=0)
    width_px: float = Field(gt=0)
    height_px: float = Field(gt=0)

    @property
    def region(self) -> Region:
        return Region(self.left_px, self.top_px, self.width_px, self.height_px)


class GetClipboard(_Action):
    """Read the text on the clipboard into the effect's `answer`."""

    type: Literal["clipboard_get"] = "clipboard_get"


class SetClipboard(_Action):
    """Put a text on the clipboard."""

    type: Literal["clipboard_set"] = "clipboard_set"
    text: str


class SelectOption(_AtPoint):
    """Choose an entry, by the words it shows, of the list control at one point."""

    type: Literal["select_option"] = "select_option"
    option: str


class Upload(_MaybeAtPoint):
    """Give files to the upload control at one point, or to the file dialog that is open."""

    type: Literal["upload"] = "upload"
    paths: tuple[str, ...] = Field(min_length=1)


class Navigate(_Action):
    """Open a full URL in the page."""

    type: Literal["navigate"] = "navigate"
    url: str


class Back(_Action):
    """Go back to the earlier page."""

    type: Literal["back"] = "back"


class Forward(_Action):
    """Go forward again after `Back`."""

    type: Literal["forward"] = "forward"


class Reload(_Action):
    """Load the page anew."""

    type: Literal["reload"] = "reload"


class NewTab(_Action):
    """Open a tab and bring it to the front, at a URL or empty."""

    type: Literal["tab_new"] = "tab_new"
    url: str = ""


class SwitchTab(_Action):
    """Bring a tab to the front: 0 is the oldest, -1 the newest."""

    type: Literal["tab_switch"] = "tab_switch"
    index: int


class CloseTab(_Action):
    """Close a tab, or the one in front."""

    type: Literal["tab_close"] = "tab_close"
    index: int | None = None


class AnswerDialog(_Action):
    """Accept or dismiss the JavaScript dialog that is open, with a text for a prompt."""

    type: Literal["dialog"] = "dialog"
    accept: bool = True
    text: str = ""


class OpenApp(_Action):
    """Start a program, or bring it to the front, by the name its users know."""

    type: Literal["open_app"] = "open_app"
    name: str


class Extract(_Action):
    """Answer a question from what the screen shows, into the effect's `answer`; touches nothing."""

    type: Literal["extract"] = "extract"
    question: str


class AskUser(_Action):
    """Ask the person at hand, whose words become the effect's `answer`; touches nothing."""

    type: Literal["ask_user"] = "ask_user"
    question: str


class Finish(_Action):
    """The goal is reached, or cannot be; touches nothing."""

    type: Literal["finish"] = "finish"
    status: Literal["success", "failure"] = "success"
    answer: str = ""


class Refuse(_Action):
    """The instruction cannot or must not be followed on this screen; touches nothing."""

    type: Literal["refuse"] = "refuse"
    reason: str = ""


PointerAction = Click | Move | Drag | MouseDown | MouseUp | Scroll
KeyboardAction = TypeText | PressKeys | KeyDown | KeyUp
ClipboardAction = GetClipboard | SetClipboard
PageAction = (
    SelectOption | Upload | Navigate | Back | Forward | Reload | NewTab | SwitchTab | CloseTab | AnswerDialog | OpenApp
)
Untouching = Zoom | Extract | AskUser | Finish | Refuse  # for the loop: no environment has anything to do
AnyAction = PointerAction | KeyboardAction | Wait | ClipboardAction | PageAction | Untouching
Action = Annotated[AnyAction, Field(discriminator="type")]

KINDS: frozenset[str] = frozenset(each.model_fields["type"].default for each in get_args(AnyAction))
UNTOUCHING: frozenset[str] = frozenset(each.model_fields["type"].default for each in get_args(Untouching))

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
