"""What each tool takes. Places are in px of the screen at native resolution, from its left top corner."""

from __future__ import annotations

import json
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from ...agent.named import checked_name
from ..errors import BadRequest

LONGEST_WAIT_S = 60.0

Px = Annotated[float, Field(ge=0)]
Words = Annotated[str, Field(min_length=1, max_length=2000)]
Thing = Annotated[Words, AfterValidator(checked_name)]
MaxPx = Annotated[
    int | None,
    Field(
        ge=64,
        le=16384,
        description="Longest side of the picture in px; larger ones are shrunk. Default: native, up to 700 kB.",
    ),
]

ActKind = Literal[
    "click",
    "double_click",
    "triple_click",
    "right_click",
    "middle_click",
    "tick",
    "hover",
    "drag",
    "type",
    "key",
    "scroll",
    "select_option",
    "wait",
    "navigate",
    "back",
    "forward",
    "reload",
    "tab_new",
    "tab_switch",
    "tab_close",
    "dialog",
]


class Arguments(BaseModel):
    """Of a tool: unknown fields and values of another type are errors, null is as good as nothing."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


T = TypeVar("T", bound=Arguments)


class ScreenshotArguments(Arguments):
    max_px: MaxPx = None


class LocateArguments(Arguments):
    what: Thing = Field(description='What to find, in the words that the screen shows: "Sign up", "the Email field".')
    zoom: bool = Field(
        default=False, description="Where the model is not sure, look again at parts in native resolution; slower."
    )


class Takes(NamedTuple):
    """The fields that one kind of action takes."""

    place: Literal["needs", "may", ""] = ""  # target, or x_px and y_px
    needs: tuple[str, ...] = ()
    may: tuple[str, ...] = ()


PLACE = ("target", "x_px", "y_px")
WAY_END = ("to_target", "to_x_px", "to_y_px")


class ActArguments(Arguments):
    """One action. Which fields go with which is in TAKES."""

    TAKES: ClassVar[dict[str, Takes]] = {
        **dict.fromkeys(
            ("click", "double_click", "triple_click", "right_click", "middle_click", "tick", "hover"), Takes("needs")
        ),
        "drag": Takes("needs", may=WAY_END),
        "type": Takes("may", needs=("text",), may=("clear", "submit")),
        "key": Takes(needs=("keys",), may=("repeat",)),
        "scroll": Takes("may", may=("down", "right")),
        "select_option": Takes("needs", needs=("option",)),
        "wait": Takes(may=("seconds_s", "until")),
        "navigate": Takes(needs=("url",)),
        "tab_new": Takes(may=("url",)),
        "tab_switch": Takes(needs=("index",)),
        "tab_close": Takes(may=("index",)),
        "dialog": Takes(needs=("accept",), may=("text",)),
        "back": Takes(),
        "forward": Takes(),
        "reload": Takes(),
    }
    ALWAYS: ClassVar[frozenset[str]] = frozenset(("action", "screenshot", "max_px"))

    action: ActKind = Field(
        description="What to do. click, double_click, triple_click, right_click, middle_click, tick (a check box or "
        "radio button), hover, drag and select_option need a place. type goes into the field at the place, or "
        "without one into what has the focus. dialog answers the JavaScript dialog that is open "
        "(of a server started with --dialogs ask)."
    )
    target: Thing | None = Field(
        default=None,
        description="The place in words, as the screen writes it; the model finds it. Or give x_px and y_px.",
    )
    x_px: Px | None = Field(default=None, description="px of the screen at native resolution, from the left.")
    y_px: Px | None = Field(default=None, description="px of the screen at native resolution, from the top.")
    to_target: Thing | None = Field(default=None, description="drag: where to let go, in words.")
    to_x_px: Px | None = Field(default=None, description="drag: where to let go, px from the left.")
    to_y_px: Px | None = Field(default=None, description="drag: where to let go, px from the top.")
    text: str | None = Field(
        default=None,
        max_length=20000,
        description="type: the text; {{secret:NAME}} stands for a secret that the server knows by that name. "
        "dialog: the answer to a prompt.",
    )
    clear: bool | None = Field(default=None, description="type: empty the field first.")
    submit: bool | None = Field(default=None, description="type: press Enter afterwards.")
    keys: list[str] | None = Field(
        default=None, min_length=1, max_length=8, description='key: one chord, such as ["enter"] or ["ctrl", "a"].'
    )
    repeat: int | None = Field(default=None, ge=1, le=100, description="key: how often; 1 unless given.")
    down: float | None = Field(
        default=None, ge=-100, le=100, description="scroll: notches of the wheel, below 0 for up; about 100 px each."
    )
    right: float | None = Field(default=None, ge=-100, le=100, description="scroll: notches, below 0 for left.")
    option: Words | None = Field(default=None, description="select_option: the entry, by the words it shows.")
    seconds_s: float | None = Field(
        default=None, ge=0, le=LONGEST_WAIT_S, description="wait: seconds, 1 unless given; with until, at most."
    )
    until: Literal["still", "change"] | None = Field(
        default=None, description="wait: until the screen is still, or has changed."
    )
    url: str | None = Field(default=None, max_length=8000, description="navigate, tab_new: a full URL.")
    index: int | None = Field(
        default=None, ge=-100, le=100, description="tab_switch, tab_close: 0 is the oldest tab, -1 the newest."
    )
    accept: bool | None = Field(default=None, description="dialog: true for OK, false for Cancel.")
    screenshot: bool = Field(default=False, description="Also bring a picture of the screen afterwards.")
    max_px: MaxPx = None

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        takes, kind = self.TAKES[self.action], self.action
        given = {name for name in self.model_fields_set if getattr(self, name) is not None} - self.ALWAYS
        taken = {*(PLACE if takes.place else ()), *takes.needs, *takes.may}
        if stray := sorted(given - taken):
            goes = ", ".join(name for name in type(self).model_fields if name in taken) or "nothing else"
            raise ValueError(f"{', '.join(stray)}: does not go with {kind}, which takes {goes}")
        if missing := [name for name in takes.needs if name not in given]:
            raise ValueError(f"{kind} needs {' and '.join(missing)}")
        if takes.place:
            _check_place(f"{kind} needs a place:" if takes.place == "needs" else None, given, PLACE)
        if kind == "drag":
            _check_place("drag needs a place to let go:", given, WAY_END)
        if kind == "scroll" and not given & {"down", "right"}:
            raise ValueError("scroll needs down or right, in notches")
        return self


class RunArguments(Arguments):
    goal: str | None = Field(
        default=None,
        min_length=1,
        max_length=20000,
        description='Plain steps parted by ";", such as: type "Ada" into Name; tick I agree; click Sign up. '
        "A model that plans takes a goal in words. Give goal or steps.",
    )
    steps: list[Words] | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description='Plain steps, one each: click X, double click X, hover X, tick X, type "T" into X, press ctrl+a, '
        "scroll down 3, wait 2, go to URL, back.",
    )
    max_steps: int | None = Field(
        default=None, ge=1, le=1000, description="Actions and unusable replies together, at most."
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.goal is None) == (self.steps is None):
            raise ValueError("give goal or steps, one of them")
        return self


class ReplayArguments(Arguments):
    folder: Words = Field(description="A recorded run: the name of its folder among the server's runs.")
    mode: Literal["exact", "anchored", "reground"] = Field(
        default="anchored",
        description="exact: everything must be where it was, at the recorded pace; anchored: targets are waited for "
        "and followed where they moved; reground: and the model is asked where that fails.",
    )
    values: dict[str, str] | None = Field(default=None, description="Other texts for variables of the recording.")
    url: str | None = Field(
        default=None, max_length=8000, description="Where the page that it begins on is now, if it has moved."
    )


def parse(kind: type[T], given: dict[str, Any]) -> T:
    """The arguments; BadRequest names each field that is missing, unknown or wrong."""
    try:
        return kind.model_validate_json(json.dumps(given))
    except ValidationError as error:
        problems: list[str] = []
        for one in error.errors():
            place = ".".join(map(str, one["loc"]))
            said = one["msg"].removeprefix("Value error, ")
            problems.append(f"{place}: {said}" if place else said)
        raise BadRequest("; ".join(problems)) from error


def schema_of(kind: type[BaseModel], mode: Literal["validation", "serialization"] = "validation") -> dict[str, Any]:
    """The JSON schema, without titles, and with a field that may be left out as its own type rather than "or null"."""
    told = kind.model_json_schema(mode=mode, schema_generator=_Plain if mode == "validation" else _Untitled)
    return _without_titles(told)


class _Untitled(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


class _Plain(_Untitled):
    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        told = super().default_schema(schema)
        if told.get("default") is None:
            told.pop("default", None)
        return told


def _without_titles(told: dict[str, Any]) -> dict[str, Any]:
    told.pop("title", None)
    for one in told.get("$defs", {}).values():
        one.pop("title", None)
    return told


def _check_place(needed: str | None, given: set[str], names: tuple[str, str, str]) -> None:
    """By words or by px, not both; `needed` begins the message where there has to be one."""
    words, x_px, y_px = (name in given for name in names)
    if x_px != y_px:
        raise ValueError(f"{names[1]} and {names[2]}: give both or neither")
    if words and x_px:
        raise ValueError(f"{names[0]}, or {names[1]} and {names[2]}: give one of the two")
    if needed and not (words or x_px):
        raise ValueError(f"{needed} {names[0]}, or {names[1]} and {names[2]}")
