"""Scripts as YAML: what to do on a screen, step by step, and what must be true of the page afterwards.

url: https://shop.example          # optional: --url says it too
viewport: 640x480                  # optional: --viewport says it too
steps:
  - click: "Sign up"               # each target is found by the model in the pixels
  - type: { into: "Email", text: "ada@example.com" }      # and clear: true, submit: true
  - tick: "I agree to the terms"
  - key: ctrl+a
  - scroll: { dy: 3 }              # notches, over the middle of the screen or `over:` a target
  - wait: 0.5                      # seconds
  - navigate: https://shop.example/cart
check: { js: "window.submitted", equals: { terms: true } }    # one, or a list; asked of the page itself
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, field_validator, model_validator

from ..agent.steps import (
    BackStep,
    ClickStep,
    HoverStep,
    KeyStep,
    NavigateStep,
    ScriptStep,
    ScrollStep,
    TypeStep,
    WaitStep,
)
from ..envs import PressKeys, Size
from .errors import BadScript

Place = tuple[str | int, ...]  # the path to a value in the file: ("steps", 0, "click")
Mark = tuple[int, int]  # line and column, both from 1


@dataclass(frozen=True)
class Check:
    """Something the page itself must say once the steps are done: the value of a JavaScript expression."""

    js: str
    equals: JsonValue


@dataclass(frozen=True)
class Script:
    """What a script file says, checked."""

    name: str
    steps: tuple[ScriptStep, ...]
    url: str | None = None
    viewport: Size | None = None
    checks: tuple[Check, ...] = ()


def load_script(path: Path) -> Script:
    """Read a script file. BadScript names the file, line and column of whatever is wrong, a missing file included."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadScript(str(path), 1, 1, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadScript(str(path), 1, 1, "is not UTF-8 text") from error
    return parse_script(text, source=str(path))


def parse_script(text: str, *, source: str = "script") -> Script:
    """Check a script's text; `source` is what errors call it."""
    try:
        root, data = _read_yaml(text)
        marks = dict(_marks(root, ())) if root is not None else {}
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise BadScript(source, line, column, error.problem or str(error)) from error
    except (yaml.YAMLError, ValueError) as error:  # an unprintable character; a date such as 2020-99-99
        raise BadScript(source, 1, 1, f"not YAML: {error}") from error
    except RecursionError as error:
        raise BadScript(source, 1, 1, "not a script: nested too deeply") from error
    if not isinstance(data, dict):
        raise BadScript(source, 1, 1, "a script is a mapping with `steps:`, such as steps: [{click: Sign up}]")
    try:
        document = _ScriptDocument.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = first["loc"]
        if place[:2] == ("check", 0) and isinstance(cast(dict[str, object], data).get("check"), dict):
            place = ("check", *place[2:])
        where = (*place, _KEY) if first["type"] == "extra_forbidden" else place
        raise BadScript(source, *_nearest(marks, where), _in_words(place, first["type"], first["msg"])) from error
    return Script(
        name=Path(source).stem,
        steps=tuple(step.to_step() for step in document.steps),
        url=document.url,
        viewport=None if document.viewport is None else parse_size(document.viewport),
        checks=tuple(Check(check.js, check.equals) for check in document.check),
    )


def parse_size(text: str) -> Size:
    """'1280x720' as a size; ValueError for anything else."""
    found = re.fullmatch(r"([1-9]\d{0,4})[xX]([1-9]\d{0,4})", text.strip())
    if not found:
        raise ValueError(f"a size is written WIDTHxHEIGHT in px, such as 1280x720; got {text!r}")
    return Size(int(found[1]), int(found[2]))


_KEY = "\0key"  # ends the place of a key itself, whose value may stand on another line


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Typing(_Document):
    text: str
    into: str | None = Field(default=None, min_length=1)  # None: into what has the focus
    clear: bool = False
    submit: bool = False


class _Scrolling(_Document):
    dx: float = 0.0  # notches, to the right
    dy: float = 0.0  # notches, down
    over: str | None = Field(default=None, min_length=1)


class _StepDocument(_Document):
    """One item of `steps`: exactly one of the verbs."""

    click: str | None = Field(default=None, min_length=1)
    double_click: str | None = Field(default=None, min_length=1)
    right_click: str | None = Field(default=None, min_length=1)
    tick: str | None = Field(default=None, min_length=1)
    hover: str | None = Field(default=None, min_length=1)
    type: _Typing | None = None
    key: str | None = Field(default=None, min_length=1)
    scroll: _Scrolling | None = None
    wait: float | None = Field(default=None, ge=0, le=600)
    navigate: str | None = Field(default=None, min_length=1)
    back: Literal[True] | None = None

    @model_validator(mode="after")
    def _one_verb(self) -> Self:
        if len(said := self.model_dump(exclude_none=True)) != 1:
            verbs = ", ".join(type(self).model_fields)
            raise ValueError(f"a step has one of: {verbs}; this one has {' and '.join(said) or 'none'}")
        return self

    @field_validator("key")
    @classmethod
    def _known_keys(cls, key: str | None) -> str | None:
        if key is not None:
            _chord(key)
        return key

    def to_step(self) -> ScriptStep:
        match self:
            case _StepDocument(click=str(target)):
                return ClickStep(target=target)
            case _StepDocument(double_click=str(target)):
                return ClickStep(target=target, count=2)
            case _StepDocument(right_click=str(target)):
                return ClickStep(target=target, button="right")
            case _StepDocument(tick=str(target)):
                return ClickStep(target=target, verb="tick")
            case _StepDocument(hover=str(target)):
                return HoverStep(target=target)
            case _StepDocument(type=_Typing() as typing):
                return TypeStep(text=typing.text, target=typing.into, clear=typing.clear, submit=typing.submit)
            case _StepDocument(key=str(key)):
                return KeyStep(keys=_chord(key))
            case _StepDocument(scroll=_Scrolling() as scrolling):
                return ScrollStep(dx=scrolling.dx, dy=scrolling.dy, target=scrolling.over)
            case _StepDocument(wait=float(seconds_s)):
                return WaitStep(seconds_s=seconds_s)
            case _StepDocument(navigate=str(url)):
                return NavigateStep(url=url)
            case _:
                return BackStep()


class _CheckDocument(_Document):
    js: str = Field(min_length=1)
    equals: JsonValue


class _ScriptDocument(_Document):
    url: str | None = None
    viewport: str | None = None
    steps: list[_StepDocument] = Field(min_length=1)
    check: tuple[_CheckDocument, ...] = ()

    @field_validator("check", mode="before")
    @classmethod
    def _one_or_many(cls, check: object) -> object:
        return tuple(cast(list[object], check)) if isinstance(check, list) else (check,)

    @field_validator("viewport")
    @classmethod
    def _is_a_size(cls, viewport: str | None) -> str | None:
        if viewport is not None:
            parse_size(viewport)
        return viewport


def _chord(said: str) -> tuple[str, ...]:
    """'ctrl+a' as the keys of a chord; '+' alone is the plus key. ValueError for a key there is not."""
    keys = (said,) if len(said) == 1 else tuple(key.strip() for key in said.split("+"))
    try:
        return PressKeys(keys=keys).keys
    except ValidationError as error:
        raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from error


def _read_yaml(text: str) -> tuple[yaml.Node | None, object]:
    """The document as nodes, which know their places, and as values."""
    loader: Any = yaml.SafeLoader(text)
    while loader.check_event():
        event = loader.get_event()
        if isinstance(event, yaml.AliasEvent):  # a few lines of aliases can stand for gigabytes, or for themselves
            raise yaml.MarkedYAMLError(
                problem="aliases (*name) are not read: write it out", problem_mark=event.start_mark
            )
    loader = yaml.SafeLoader(text)
    root: yaml.Node | None = loader.get_single_node()
    return root, None if root is None else loader.construct_document(root)


def _marks(node: yaml.Node, place: Place) -> Iterator[tuple[Place, Mark]]:
    """Where each value of the file stands. A key said twice in one mapping, which YAML lets pass, is an error."""
    yield place, (node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key_node, value_node in cast(list[tuple[yaml.Node, yaml.Node]], node.value):
            key = str(cast(object, key_node.value))
            if key in seen:
                raise yaml.MarkedYAMLError(problem=f"{key!r} is said twice", problem_mark=key_node.start_mark)
            seen.add(key)
            yield (*place, key, _KEY), (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            yield from _marks(value_node, (*place, key))
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(cast(list[yaml.Node], node.value)):
            yield from _marks(item, (*place, index))


def _nearest(marks: dict[Place, Mark], place: Place) -> Mark:
    """The mark of the place, or of the nearest thing around it that the file has."""
    for length in range(len(place), -1, -1):
        if place[:length] in marks:
            return marks[place[:length]]
    return (1, 1)


def _in_words(place: Place, kind: str, message: str) -> str:
    where = ".".join(str(part) for part in place)
    match kind:
        case "missing":
            return f"{where} is missing"
        case "extra_forbidden":
            return f"{where}: nothing here is called {str(place[-1])!r}"
        case "model_type":
            return f"{where}: should be a mapping"
        case "string_type":
            return f"{where}: should be text; put it in quotes"
        case _:
            return f"{where}: {message.removeprefix('Value error, ')}" if where else message
