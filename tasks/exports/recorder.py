"""A run as a recording of Chrome's DevTools Recorder, which @puppeteer/replay and the Recorder panel play.

What it has no step for stands as a `customStep` named "moonhand", which players pass over; the first of them holds the
goal and all actions as they were recorded.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...agent import Recording
from ...envs import (
    UNTOUCHING,
    AnswerDialog,
    Back,
    Click,
    CloseTab,
    Finish,
    Forward,
    KeyDown,
    KeyUp,
    Move,
    Navigate,
    NewTab,
    PressKeys,
    Reload,
    Scroll,
    SelectOption,
    SwitchTab,
    TypeText,
    Wait,
    action_to_json,
)
from ..errors import BadRequest
from .exported import Done, Exported, Told, done_steps, only_one, start_url, was_on_desktop, write_text
from .locators import is_field
from .page_words import NEW_TAB, NOTCH_CSS_PX, key_name

Json = dict[str, Any]
CUSTOM = "moonhand"
LONGEST_MS = 30_000  # that a recording may wait for anything
BUTTONS = {"left": "primary", "middle": "auxiliary", "right": "secondary"}
SCROLL_JS = """\
(() => {
  let found = document.elementFromPoint(%(x)s, %(y)s);
  const scrolls = (one) => /auto|scroll/.test(getComputedStyle(one).overflowY) && one.scrollHeight > one.clientHeight;
  while (found && !scrolls(found)) found = found.parentElement;
  (found ?? window).scrollBy(%(dx)s, %(dy)s);
  return true;
})()"""


def write_recorder(recordings: Sequence[Recording], out: Path) -> Exported:
    """One JSON file."""
    recording = only_one(recordings, "a Recorder file")
    if was_on_desktop(recording):
        raise BadRequest(f"{recording.path} was recorded on a desktop: export it with --to pyautogui")
    told = Told()
    done = done_steps(recording, told)
    writer = _Writer(told, done)
    first = done[0].step.before
    steps: list[Json] = [
        {"type": "customStep", "name": CUSTOM, "parameters": _recorded(recording, done)},
        {
            "type": "setViewport",
            "width": round(first.size.width_px / first.scale),
            "height": round(first.size.height_px / first.scale),
            "deviceScaleFactor": first.scale,
            "isMobile": False,
            "hasTouch": False,
            "isLandscape": first.size.width_px > first.size.height_px,
        },
    ]
    url = start_url(recording, done)
    if url is not None and not isinstance(done[0].action, Navigate):
        steps.append(_navigate(url, done[0].title if url == done[0].url else None))
    num_steps = 0
    for place, one in enumerate(done):
        written = writer.steps_of(place)
        num_steps += bool(written) and written[0]["type"] != "customStep" and one.action.type not in UNTOUCHING
        steps += written
    flow = {"title": recording.goal.strip() or recording.path.resolve().name, "steps": steps}
    file = write_text(out, json.dumps(flow, indent=2) + "\n")
    return Exported(files=(file,), num_steps=num_steps, left_out=tuple(told.left_out), notes=tuple(told.notes))


@dataclass
class _Writer:
    told: Told
    done: Sequence[Done]
    is_other_tab: bool = False
    typed: set[tuple[str, ...]] = field(
        default_factory=set[tuple[str, ...]]
    )  # fields; the caret may be anywhere in them

    def steps_of(self, place: int) -> list[Json]:
        """Empty for what ends a run; a customStep alone where the Recorder has nothing for it."""
        one = self.done[place]
        if isinstance(one.action, Finish):
            return []
        found = self._native(one, place)
        if found is None:
            why = "it touches nothing" if one.action.type in UNTOUCHING else self._why_not(one)
            self.told.leave_out(one.step, why)
            parameters = {"index": one.step.index, "action": action_to_json(one.action), "why": why}
            return [{"type": "customStep", "name": CUSTOM, "parameters": parameters}]
        target = (one.url or "main") if self.is_other_tab else "main"
        effect = one.step.effect
        if isinstance(one.action, SwitchTab | CloseTab | NewTab) or (effect and NEW_TAB in effect.detail):
            self.is_other_tab = True
        return [{**step, "target": target} for step in found]

    def _native(self, one: Done, place: int) -> list[Json] | None:
        action = one.action
        match action:
            case Click(count=1 | 2):
                return self._click(one, action)
            case Move():
                found = _selectors(one)
                return None if found is None else [{"type": "hover", **found}]
            case Scroll():
                return [self._scroll(one, action)]
            case TypeText():
                return self._type(one, action)
            case PressKeys():
                names = [key_name(key, with_shift="shift" in action.keys) for key in action.keys]
                if action.hold_s:
                    self.told.note("the Recorder holds no keys: they are pressed shortly")
                return [step for _ in range(action.repeat) for step in _chord(names)]
            case KeyDown() | KeyUp():
                way = "keyDown" if isinstance(action, KeyDown) else "keyUp"
                return [{"type": way, "key": key_name(action.key)}]
            case Wait():
                if action.seconds_s * 1000 >= LONGEST_MS:
                    return None
                seconds_s = min(action.seconds_s, LONGEST_MS / 1000)
                until = f"performance.now() > (window.__waits ??= performance.now() + {seconds_s * 1000:g})"
                return [{"type": "waitForExpression", "expression": until}]
            case SelectOption():
                found = _selectors(one)
                if found is None or one.element is None or one.element.tag == "select":
                    return None  # it is chosen by its value, which nobody told
                return [{"type": "change", "value": action.option, **found}]
            case Navigate():
                return [_navigate(action.url, None)]
            case Reload():
                return None if one.url is None else [_navigate(one.url, None)]
            case Back() | Forward():
                then = self.done[place + 1].url if place + 1 < len(self.done) else None
                return None if then is None else [_navigate(then, None)]
            case CloseTab(index=None) if self.is_other_tab:
                return [{"type": "close"}]
            case _:
                return None

    def _click(self, one: Done, action: Click) -> list[Json] | None:
        found = _selectors(one)
        element = one.element
        if found is None or element is None:
            return None
        scale = one.step.before.scale
        step: Json = {
            "type": "click" if action.count == 1 else "doubleClick",
            **found,
            "offsetX": math.floor((action.x_px - element.left_px) / scale),
            "offsetY": math.floor((action.y_px - element.top_px) / scale),
        }
        if action.button != "left":
            step["button"] = BUTTONS[action.button]
        return _held([key_name(key) for key in action.modifiers], [step])

    def _scroll(self, one: Done, action: Scroll) -> Json:
        size, scale = one.step.before.size, one.step.before.scale
        width, height = size.width_px / scale, size.height_px / scale
        wide, high = {"notch": (NOTCH_CSS_PX,) * 2, "px": (1 / scale,) * 2, "page": (width, height)}[action.unit]
        x, y = (
            (width / 2, height / 2) if action.point is None else (action.point.x_px / scale, action.point.y_px / scale)
        )
        numbers = {"x": f"{x:.1f}", "y": f"{y:.1f}", "dx": f"{action.dx * wide:g}", "dy": f"{action.dy * high:g}"}
        return {"type": "waitForExpression", "expression": SCROLL_JS % numbers}

    def _type(self, one: Done, action: TypeText) -> list[Json] | None:
        if "{{secret:" in action.text:
            return None
        enter = _chord(["Enter"]) if action.submit else []
        found = _selectors(one)
        if found is not None and is_field(one.element) and not {"\t", "\n"} & set(action.text):
            key = tuple(map(str, found["selectors"]))
            if action.clear or key not in self.typed:
                self.typed.add(key)
                return [{"type": "change", "value": action.text, **found}, *enter]
        if not action.text.isascii() or action.clear:
            return None
        keys = [{"\n": "Enter", "\t": "Tab"}.get(letter, letter) for letter in action.text]
        return [step for key in keys for step in _chord([key])] + enter

    def _why_not(self, one: Done) -> str:
        if isinstance(one.action, TypeText) and "{{secret:" in one.action.text:
            return "the Recorder's file would have to hold the secret"
        if isinstance(one.action, Click | Move | SelectOption | TypeText) and _selectors(one) is None:
            return "no element was known there, and the Recorder knows no places"
        if isinstance(one.action, SelectOption):
            return "the Recorder chooses by an option's value, and its words alone were recorded"
        if isinstance(one.action, AnswerDialog):
            return "the Recorder has no such step: whoever plays it must answer the dialog"
        return "the Recorder has no such step"


def _selectors(one: Done) -> Json | None:
    element = one.element
    if element is None or not element.selectors:
        return None
    frame = {"frame": list(element.frame)} if element.frame else {}
    return {"selectors": [[selector] for selector in element.selectors], **frame}


def _chord(names: Sequence[str]) -> list[Json]:
    down = [{"type": "keyDown", "key": name} for name in names]
    return down + [{"type": "keyUp", "key": name} for name in reversed(names)]


def _held(names: Sequence[str], steps: list[Json]) -> list[Json]:
    chord = _chord(names)
    return chord[: len(names)] + steps + chord[len(names) :]


def _navigate(url: str, title: str | None) -> Json:
    told = {"type": "navigation", "url": url, **({"title": title} if title else {})}
    return {"type": "navigate", "url": url, "assertedEvents": [told]}


def _recorded(recording: Recording, done: Sequence[Done]) -> Json:
    return {
        "format": "moonhand-trajectory",
        "goal": recording.goal,
        "source": str(recording.run.get("source", "agent")),
        "steps": [
            {
                "index": one.step.index,
                "instruction": one.step.instruction,
                "action": action_to_json(one.action),
                "action_01": one.step.action_01,
            }
            for one in done
        ],
    }
