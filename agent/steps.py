"""Plain steps: what to do, with the thing to do it to named in words. A model need only find the thing.

`parse_steps` reads them from a goal such as `type "Ada" into Name; tick I agree; press Enter`, for models that cannot
plan; scripts build the same steps from YAML.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, assert_never

from pydantic import ValidationError

from ..envs import (
    MODIFIERS,
    NAMED_KEYS,
    Action,
    Back,
    Button,
    Click,
    Move,
    Navigate,
    Point,
    PressKeys,
    Scroll,
    TypeText,
    Wait,
    key_name,
)
from .errors import BadGoal


@dataclass(frozen=True, kw_only=True)
class ClickStep:
    """Find the target and click it; `verb` is how the model is asked, a check box is ticked."""

    target: str
    verb: Literal["click", "tick"] = "click"
    button: Button = "left"
    count: int = 1


@dataclass(frozen=True, kw_only=True)
class HoverStep:
    """Find the target and rest the pointer on it."""

    target: str


@dataclass(frozen=True, kw_only=True)
class TypeStep:
    """Find the target, click it, type; without a target, type into what has the focus."""

    text: str
    target: str | None = None
    clear: bool = False
    submit: bool = False


@dataclass(frozen=True, kw_only=True)
class KeyStep:
    """Press one chord."""

    keys: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ScrollStep:
    """Turn the wheel by notches over the target, or over the middle of the screen; dy > 0 is down."""

    dx: float = 0.0
    dy: float = 0.0
    target: str | None = None


@dataclass(frozen=True, kw_only=True)
class WaitStep:
    seconds_s: float


@dataclass(frozen=True, kw_only=True)
class NavigateStep:
    url: str


@dataclass(frozen=True, kw_only=True)
class BackStep:
    """Go back to the earlier page."""


ScriptStep = ClickStep | HoverStep | TypeStep | KeyStep | ScrollStep | WaitStep | NavigateStep | BackStep


def parse_steps(goal: str) -> tuple[ScriptStep, ...]:
    """The steps of a goal, one a line or parted by `;` outside quotes. BadGoal names the step not understood."""
    steps = tuple(_parse_step(part) for part in _split(goal))
    if not steps:
        raise BadGoal(f"the goal names no step; {_USAGE}")
    return steps


def grounding_instruction(step: ScriptStep) -> str | None:
    """What the model is asked to find for this step; None where there is nothing to find."""
    match step:
        case ClickStep():
            return step.target if step.target.lower().startswith("the ") else f"{step.verb} {step.target}"
        case TypeStep(target=str(target)):
            return target if _NAMES_A_FIELD.search(target) else f"the {target} field"
        case HoverStep() | ScrollStep():
            return step.target
        case TypeStep() | KeyStep() | WaitStep() | NavigateStep() | BackStep():
            return None
        case _:
            assert_never(step)


def step_actions(step: ScriptStep, point: Point | None) -> tuple[Action, ...]:
    """What to perform once the target was found at `point`, in screenshot px; ValueError if a needed point is None."""
    if grounding_instruction(step) is not None and point is None:
        raise ValueError(f"{describe_step(step)}: needs the point of its target")
    match step:
        case ClickStep():
            assert point is not None
            return (Click(x_px=point.x_px, y_px=point.y_px, button=step.button, count=step.count),)
        case HoverStep():
            assert point is not None
            return (Move(x_px=point.x_px, y_px=point.y_px),)
        case TypeStep():
            typing = TypeText(text=step.text, clear=step.clear, submit=step.submit)
            return (typing,) if point is None else (Click(x_px=point.x_px, y_px=point.y_px), typing)
        case KeyStep():
            return (PressKeys(keys=step.keys),)
        case ScrollStep():
            x_px, y_px = (None, None) if point is None else (point.x_px, point.y_px)
            return (Scroll(dx=step.dx, dy=step.dy, x_px=x_px, y_px=y_px),)
        case WaitStep():
            return (Wait(seconds_s=step.seconds_s),)
        case NavigateStep():
            return (Navigate(url=step.url),)
        case BackStep():
            return (Back(),)
        case _:
            assert_never(step)


def describe_step(step: ScriptStep) -> str:
    """The step as a line that `parse_steps` reads."""
    match step:
        case ClickStep():
            if step.verb == "tick":
                return f"tick {step.target}"
            side = "" if step.button == "left" else f"{step.button} "
            return f"{('', 'double ', 'triple ')[step.count - 1]}{side}click {step.target}"
        case HoverStep():
            return f"hover {step.target}"
        case TypeStep():
            into = "" if step.target is None else f" into {step.target}"
            return f'type "{step.text}"{into}' + (" and press Enter" if step.submit else "")
        case KeyStep():
            return f"press {'+'.join(step.keys)}"
        case ScrollStep():
            notches, way = (step.dy, "down" if step.dy > 0 else "up") if step.dy else (step.dx, "right")
            way = "left" if way == "right" and notches < 0 else way
            return f"scroll {way} {abs(notches):g}" + ("" if step.target is None else f" over {step.target}")
        case WaitStep():
            return f"wait {step.seconds_s:g} s"
        case NavigateStep():
            return f"go to {step.url}"
        case BackStep():
            return "back"
        case _:
            assert_never(step)


_USAGE = (
    'write one step a line, or part them with ";": click X, double click X, hover X, type "T" into X, '
    'type "T" into X and press Enter, press Enter, scroll down 3, wait 2, go to URL, back'
)
_NAMES_A_FIELD = re.compile(r"\b(field|input|box|area)\b", re.IGNORECASE)
_QUOTES = {'"': '"', "'": "'", "\u201c": "\u201d", "\u2018": "\u2019"}
_QUOTED = r"(?:\"(?P<a>.*?)\"|'(?P<b>.*?)'|\u201c(?P<c>.*?)\u201d|\u2018(?P<d>.*?)\u2019)"
_SUBMIT = r"(?P<submit>(?:,|\s+and|\s+then)\s*(?:press|hit)\s+enter|\s+and\s+submit)?"
_TYPE = re.compile(
    rf"(?:type|write|enter|fill in)\s+{_QUOTED}(?:\s+(?:into|in)\s+(?P<target>.+?))?{_SUBMIT}",
    re.IGNORECASE | re.DOTALL,
)
_TYPE_BARE = re.compile(rf"(?:type|write|enter)\s+(?P<text>.+)\s+into\s+(?P<target>.+?){_SUBMIT}", re.IGNORECASE)
_FILL = re.compile(rf"fill\s+(?:in\s+)?(?P<target>.+?)\s+with\s+{_QUOTED}{_SUBMIT}", re.IGNORECASE | re.DOTALL)
_CLICK = re.compile(
    r"(?:(?P<count>double|triple)[ -]?)?(?:(?P<button>left|right|middle)[ -]?)?click\s+(?:on\s+)?(?P<target>.+)",
    re.IGNORECASE | re.DOTALL,
)
_TICK = re.compile(r"(?:tick|check|uncheck|untick)\s+(?P<target>.+)", re.IGNORECASE)
_CHOOSE = re.compile(r"(?:choose|select|tap|open|push)\s+(?P<target>.+)", re.IGNORECASE)
_HOVER = re.compile(r"(?:hover(?: over)?|move to|point at)\s+(?P<target>.+)", re.IGNORECASE)
_PRESS = re.compile(r"(?:press|hit)\s+(?P<keys>.+)", re.IGNORECASE)
_SCROLL = re.compile(
    r"scroll\s+(?P<way>up|down|left|right)(?:\s+(?P<notches>\d+(?:\.\d+)?))?(?:\s+(?:over|in)\s+(?P<target>.+))?",
    re.IGNORECASE,
)
_WAIT = re.compile(r"wait\s+(?:for\s+)?(?P<seconds>\d+(?:\.\d+)?)\s*(?:s|sec|seconds?)?", re.IGNORECASE)
_NAVIGATE = re.compile(
    r"(?:(?:go to|goto|navigate to|visit)\s+(?P<url>\S+)|open\s+(?P<open>[a-z]+://\S+))", re.IGNORECASE
)
_BUTTONS: dict[str, Button] = {"left": "left", "right": "right", "middle": "middle"}
_BULLET = re.compile(r"(?:[-*\u2022]|\d+[.)])\s+")


def _split(goal: str) -> list[str]:
    """Steps parted by line ends and semicolons; quoted text is never cut. A quote opens only at the start of a word."""
    parts: list[str] = []
    part = ""
    closer = ""
    for index, letter in enumerate(goal):
        if closer:
            after = goal[index + 1 : index + 2]
            if letter == closer and not (after.isalnum() and letter in "'\u2019"):
                closer = ""
        elif letter in _QUOTES and not (index and goal[index - 1].isalnum()) and _QUOTES[letter] in goal[index + 1 :]:
            closer = _QUOTES[letter]
        elif letter in ";\n":
            parts.append(part)
            part = ""
            continue
        part += letter
    parts.append(part)
    bare = (_BULLET.sub("", part.strip(), count=1) if _BULLET.match(part.strip()) else part.strip() for part in parts)
    return [part for part in bare if part]


def _parse_step(part: str) -> ScriptStep:
    line = part.rstrip(" .") if not part.endswith("..") else part
    if found := _TYPE.fullmatch(line) or _FILL.fullmatch(line):
        text = next(found[name] for name in "abcd" if found[name] is not None)
        return TypeStep(text=text, target=_named_if_any(found["target"], part), submit=bool(found["submit"]))
    if found := _TYPE_BARE.fullmatch(line):
        return TypeStep(text=found["text"], target=_named_if_any(found["target"], part), submit=bool(found["submit"]))
    if found := _NAVIGATE.fullmatch(line):
        return NavigateStep(url=found["url"] or found["open"])
    if found := _WAIT.fullmatch(line):
        return WaitStep(seconds_s=float(found["seconds"]))
    if found := _SCROLL.fullmatch(line):
        notches = float(found["notches"] or 3)
        dx, dy = {"up": (0.0, -notches), "down": (0.0, notches), "left": (-notches, 0.0), "right": (notches, 0.0)}[
            found["way"].lower()
        ]
        return ScrollStep(dx=dx, dy=dy, target=_named_if_any(found["target"], part))
    if line.lower() in ("back", "go back"):
        return BackStep()
    if found := _PRESS.fullmatch(line):
        return _press(found["keys"], part)
    if found := _CLICK.fullmatch(line):
        button = (found["button"] or "left").lower()
        count = {"double": 2, "triple": 3}.get((found["count"] or "").lower(), 1)
        return ClickStep(target=_named(found["target"], part), count=count, button=_BUTTONS[button])
    if found := _HOVER.fullmatch(line):
        return HoverStep(target=_named(found["target"], part))
    if found := _TICK.fullmatch(line):
        return ClickStep(target=_named(found["target"], part), verb="tick")
    if found := _CHOOSE.fullmatch(line):
        return ClickStep(target=_named(found["target"], part))
    raise BadGoal(f"not a step: {part!r}; {_USAGE}")


def _press(said: str, part: str) -> ScriptStep:
    """Keys where every part is a key, else the name of a button: `press Enter`, `press ctrl+a`, `press Sign up`."""
    words = re.sub(r"^the\s+|\s+key$", "", said.strip(), flags=re.IGNORECASE)
    chord = (words,) if len(words) == 1 else tuple(key.strip() for key in words.split("+"))
    try:
        keys = PressKeys(keys=chord).keys
    except ValidationError:
        if len(chord) > 1 and _has_modifier(chord):
            raise BadGoal(f"{part!r} holds a key that is none: press ctrl+a, shift+Tab, Enter") from None
        return ClickStep(target=_named(said, part))
    if len(words) > 1 and not (set(keys) & NAMED_KEYS):
        return ClickStep(target=_named(said, part))
    return KeyStep(keys=keys)


def _has_modifier(chord: Sequence[str]) -> bool:
    """Whether one of these is ctrl, shift, alt or meta, by any of its names."""
    for key in chord:
        with suppress(ValueError):
            if key_name(key) in MODIFIERS:
                return True
    return False


def _named_if_any(target: str | None, part: str) -> str | None:
    return None if target is None else _named(target, part)


def _named(target: str, part: str) -> str:
    """The name without quotes around it. BadGoal for a blank one."""
    bare = target.strip()
    if len(bare) >= 2 and _QUOTES.get(bare[0]) == bare[-1]:
        bare = bare[1:-1].strip()
    if not bare:
        raise BadGoal(f"{part!r} names nothing to find; {_USAGE}")
    return bare
