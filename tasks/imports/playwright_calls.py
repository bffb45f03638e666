"""Calls of Playwright's API, as a trace keeps them, in our actions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from ...envs import (
    Action,
    Back,
    Click,
    CloseTab,
    Drag,
    Forward,
    KeyDown,
    KeyUp,
    MouseDown,
    MouseUp,
    Move,
    Navigate,
    NewTab,
    Point,
    PressKeys,
    Reload,
    Scroll,
    SelectOption,
    TypeText,
    Upload,
    Wait,
    key_name,
)
from .reading import Json, as_list, as_object, text_of

READING = frozenset(
    (
        *("expect", "evaluateExpression", "evaluateExpressionHandle", "evalOnSelector", "evalOnSelectorAll", "title"),
        *("waitForSelector", "waitForFunction", "waitForLoadState", "waitForEventInfo", "waitForURL", "querySelector"),
        *("querySelectorAll", "queryCount", "textContent", "innerText", "innerHTML", "getAttribute", "inputValue"),
        *(
            "isVisible",
            "isHidden",
            "isEnabled",
            "isDisabled",
            "isChecked",
            "isEditable",
            "content",
            "screenshot",
            "pdf",
        ),
        *("expectScreenshot", "boundingBox", "ariaSnapshot", "snapshotForAI", "addInitScript", "setContent", "route"),
        *("setNetworkInterceptionPatterns", "setDefaultTimeoutNoReply", "setViewportSize", "bringToFront", "cookies"),
        *(
            "addCookies",
            "storageState",
            "grantPermissions",
            "emulateMedia",
            "highlight",
            "dispatchEvent",
            "focus",
            "blur",
        ),
        *(
            "scrollIntoViewIfNeeded",
            "tracingStart",
            "tracingStop",
            "tracingStartChunk",
            "tracingStopChunk",
            "newContext",
        ),
        *("contentFrame", "ownerFrame", "frameElement", "exposeBinding", "setExtraHTTPHeaders", "resolveSelector"),
        *("tracingGroup", "tracingGroupEnd", "setInputMode", "generateLocatorString", "waitForElementState"),
    )
)


class NoCounterpart(ValueError):
    """A call that there is no action for, or that lacks what it needs."""


@dataclass
class Call:
    """One call: `points` and `box` (x, y, width, height) in CSS px, where it touched the page."""

    owner: str
    method: str
    params: Json
    start_ms: float
    end_ms: float = 0.0
    error: str | None = None
    url: str | None = None  # of the page, before
    points: list[Point] = field(default_factory=list[Point])
    box: tuple[float, float, float, float] | None = None


def actions_of(call: Call, scale: float) -> tuple[Action, ...]:
    """`scale` is px of the film per CSS px; () for a call that did nothing. NoCounterpart, KeyError, ValueError."""
    given = call.params
    button = str(given.get("button") or "left")

    def px(point: Point) -> Json:
        return {"x_px": point.x_px * scale, "y_px": point.y_px * scale}

    def place() -> Json:
        """Where it was touched, else the middle of its element."""
        if call.points:
            return px(call.points[-1])
        if call.box is None:
            raise NoCounterpart("the trace does not say where")
        x, y, width, height = call.box
        return px(Point(x + width / 2, y + height / 2))

    def said() -> Json:
        return px(Point(float(given["x"]), float(given["y"])))

    def click(count: int) -> tuple[Action, ...]:
        held = tuple(key_name(str(each).removesuffix("OrMeta")) for each in as_list(given.get("modifiers")))
        return (Click(**place(), button=cast(Any, button), count=min(count, 3), modifiers=cast(Any, held)),)

    make: dict[str, Callable[[], tuple[Action, ...]]] = {
        "goto": lambda: (Navigate(url=str(given["url"])),),
        "reload": lambda: (Reload(),),
        "goBack": lambda: (Back(),),
        "goForward": lambda: (Forward(),),
        "newPage": lambda: (NewTab(),),
        "close": lambda: (CloseTab(),) if call.owner == "Page" else (),
        "click": lambda: click(int(given.get("clickCount") or 1)),
        "dblclick": lambda: click(2),
        "tap": lambda: click(1),
        "check": lambda: click(1) if call.points else (),  # it was as wanted before
        "uncheck": lambda: click(1) if call.points else (),
        "hover": lambda: (Move(**place()),),
        "fill": lambda: (*_focused(call, place), TypeText(text=str(given["value"]), clear=True)),
        "type": lambda: (*_focused(call, place), TypeText(text=str(given["text"]))),
        "press": lambda: (_chord(str(given["key"])),),
        "selectOption": lambda: (SelectOption(**place(), option=_option(given)),),
        "setInputFiles": lambda: (Upload(**place(), paths=_paths(given)),),
        "dragAndDrop": lambda: (_drag(call, scale),),
        "mouseMove": lambda: (Move(**said()),),
        "mouseClick": lambda: (Click(**said(), button=cast(Any, button), count=int(given.get("clickCount") or 1)),),
        "mouseDown": lambda: (MouseDown(button=cast(Any, button)),),
        "mouseUp": lambda: (MouseUp(button=cast(Any, button)),),
        "mouseWheel": lambda: (
            Scroll(dx=float(given["deltaX"]) * scale, dy=float(given["deltaY"]) * scale, unit="px"),
        ),
        "keyboardPress": lambda: (_chord(str(given["key"])),),
        "keyboardType": lambda: (TypeText(text=str(given["text"])),),
        "keyboardInsertText": lambda: (TypeText(text=str(given["text"]), via="paste"),),
        "keyboardDown": lambda: (KeyDown(key=_key(str(given["key"]))),),
        "keyboardUp": lambda: (KeyUp(key=_key(str(given["key"]))),),
        "waitForTimeout": lambda: (Wait(seconds_s=min(float(given["waitTimeout"]) / 1000, 600)),),
    }
    if call.method not in make:
        raise NoCounterpart(f"{call.owner}.{call.method} has no counterpart here")
    return make[call.method]()


def _focused(call: Call, place: Callable[[], Json]) -> tuple[Action, ...]:
    """Playwright puts the focus into the field by itself; a click does it where the field is known."""
    return (Click(**place()),) if call.box is not None or call.points else ()


def _drag(call: Call, scale: float) -> Drag:
    if len(call.points) < 2:
        raise NoCounterpart("the trace does not say from where to where")
    first, last = call.points[0], call.points[-1]
    return Drag(path=(Point(first.x_px * scale, first.y_px * scale), Point(last.x_px * scale, last.y_px * scale)))


def _option(given: Json) -> str:
    """The words that it shows, as far as the call said them."""
    options = [as_object(each) for each in as_list(given.get("options"))]
    for option in options:
        for name in ("label", "valueOrLabel", "value"):
            if (text := text_of(option.get(name))) is not None:
                return text
    raise NoCounterpart("the trace does not say which option by its words")


def _paths(given: Json) -> tuple[str, ...]:
    names = [str(each) for each in as_list(given.get("localPaths"))]
    names = names or [str(as_object(each).get("name")) for each in as_list(given.get("payloads"))]
    return tuple(names)


def _chord(said: str) -> PressKeys:
    """`Control+Shift+KeyA`, or "+" alone or at the end."""
    parts = (
        said[:-1].split("+") if said.endswith("+") and len(said) > 1 else said.split("+") if len(said) > 1 else [said]
    )
    keys = [part for part in parts if part] + (["+"] if said.endswith("+") and len(said) > 1 else [])
    return PressKeys(keys=tuple(_key(key) for key in keys))


def _key(said: str) -> str:
    """One of ours: `ControlOrMeta`, `KeyA` and `Digit1` are Playwright's own."""
    if said.startswith("Key") and len(said) == 4:
        return said[3].lower()
    if said.startswith("Digit") and len(said) == 6:
        return said[5]
    return key_name({"ControlOrMeta": "Control", "ShiftLeft": "Shift", "ControlLeft": "Control"}.get(said, said))
