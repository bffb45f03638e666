"""A run as a pyautogui script: real mouse and keyboard, at the pace at which it was recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...agent import Recording
from ...agent.dialects import CannotWrite, Canvas, Dialect, Parsed, whole_canvas
from ...agent.dialects.literals import number
from ...agent.dialects.pyautogui import PYAUTOGUI, Spell, write_script
from ...envs import UNTOUCHING, Action, Drag, Finish, Scroll, TypeText, describe, names_secrets
from ..expansion import write_as
from .exported import (
    Done,
    Exported,
    Told,
    check_script_name,
    done_steps,
    one_line,
    only_one,
    python_text,
    started_at_s,
    was_on_desktop,
    write_text,
)
from .secret_texts import SECRET_HELPER, text_code

LONGEST_S, SHORTEST_S = 3.0, 0.1  # between two actions: what a model thought is not waited for again
DRAG_S = 0.3

_SCRIPT = '''\
"""A recorded run as a pyautogui script: {name}

    python {file} [--speed 2] [--delay 3]

It moves the real mouse: push the pointer into a corner of the screen to stop it. Places are in points of the screen
that was recorded, {width:g}x{height:g} of them.
"""
{told}
from __future__ import annotations

import argparse
import os
import sys
import time

import pyautogui
import pyperclip

GOAL = {goal}
LEFT, TOP = {left:g}, {top:g}  # where the recorded screen begins
{helpers}

NOTCH = 120 if sys.platform == "win32" else 1  # of the wheel


def type_text(text: str) -> None:
    """Key by key what every keyboard has, the rest through the clipboard."""
    if text.isascii():
        pyautogui.write(text, interval=0.01)
    else:
        pyperclip.copy(text)
        pyautogui.hotkey("ctrl", "v")
        time.sleep(0.1)


def perform(speed: float) -> None:
    def pause(seconds: float) -> None:
        time.sleep(seconds / speed)

{body}


def main() -> None:
    flags = argparse.ArgumentParser(description=GOAL)
    flags.add_argument("--speed", type=float, default=1.0, help="how many times faster than recorded")
    flags.add_argument("--delay", type=float, default=0.0, help="seconds to wait before the first action")
    given = flags.parse_args()
    pyautogui.PAUSE = 0.02
    time.sleep(given.delay)
    perform(given.speed)


if __name__ == "__main__":
    main()
'''


def write_pyautogui(recordings: Sequence[Recording], out: Path) -> Exported:
    """A script for the desktop; what only a browser can do is left out by name."""
    recording = only_one(recordings, "a pyautogui script")
    check_script_name(out, prefix="recorded_")
    told = Told()
    done = done_steps(recording, told)
    before = done[0].step.before
    if not was_on_desktop(recording):
        told.note("it was recorded in a page: put the page's left top corner at LEFT, TOP")
    lines: list[str] = []
    num_steps = 0
    for place, one in enumerate(done):
        lines += told.comments_before(one.step.index)
        lines.append(f"# {one.step.index + 1}. {one_line(describe(one.action))}")
        code = _code(one, told)
        if code is None:
            lines.append(f"# left out: {told.left_out[-1]}")
            continue
        num_steps += one.action.type not in UNTOUCHING
        if place and code:
            lines.append(f"pause({_gap_s(done[place - 1], one):.2f})")
        lines += code
    lines += told.comments_before(None)
    comments = [f"# left out: {line}" for line in told.left_out] + [f"# note: {one_line(line)}" for line in told.notes]
    text = _SCRIPT.format(
        name=_in_docstring(recording.path.name),
        file=_in_docstring(out.name),
        told="\n".join(comments) + ("\n" if comments else ""),
        goal=python_text(recording.goal),
        left=before.origin_pt[0],
        top=before.origin_pt[1],
        width=before.size.width_px / before.scale,
        height=before.size.height_px / before.scale,
        helpers=f"{SECRET_HELPER}\n" if any(names_secrets(getattr(one.action, "text", "")) for one in done) else "",
        body="\n".join(f"    {line}" for line in lines),
    )
    return Exported(
        files=(write_text(out, text),), num_steps=num_steps, left_out=tuple(told.left_out), notes=tuple(told.notes)
    )


def _code(one: Done, told: Told) -> list[str] | None:
    """The step's statements; None where there are none, which `told` then knows."""
    if isinstance(one.action, Finish):
        return []
    scale = one.step.before.scale

    def spell(x_px: float, y_px: float) -> tuple[str, str]:
        return f"LEFT + {round(x_px / scale, 1):g}", f"TOP + {round(y_px / scale, 1):g}"

    def write(parsed: Parsed, canvas: Canvas) -> str:
        del canvas
        return "\n".join(_statement(action, spell, told) for action in parsed.actions)

    dialect: Dialect = replace(PYAUTOGUI, write=write)
    try:
        written = write_as(dialect, Parsed((one.action,)), whole_canvas(one.step.before.size))
    except CannotWrite:
        touches = one.action.type not in UNTOUCHING
        told.leave_out(one.step, "pyautogui has nothing for it" if touches else "it touches nothing")
        return None
    for line in written.expanded:
        told.note(line)
    return written.text.splitlines()


def _statement(action: Action, spell: Spell, told: Told) -> str:
    match action:
        case TypeText(clear=False, submit=False, via="auto"):
            return f"type_text({text_code(action.text, told)})"
        case Scroll(unit="notch") if not (action.dx and action.dy):
            at = "" if action.point is None else ", x={}, y={}".format(*spell(action.point.x_px, action.point.y_px))
            turn = f"hscroll({number(action.dx)}" if action.dx else f"scroll({number(-action.dy)}"
            return f"pyautogui.{turn} * NOTCH{at})"
        case Drag(modifiers=()):
            first, *rest = ("x={}, y={}".format(*spell(point.x_px, point.y_px)) for point in action.path)
            each_s = (action.duration_s or DRAG_S) / len(rest)
            button = "" if action.button == "left" else f"button={action.button!r}"
            lines = [f"moveTo({first})", f"mouseDown({button})", *(f"moveTo({at}, duration={each_s:g})" for at in rest)]
            return "\n".join(f"pyautogui.{line}" for line in (*lines, f"mouseUp({button})"))
        case _:
            return write_script(Parsed((action,)), spell)


def _gap_s(before: Done, one: Done) -> float:
    """How long was waited between two actions, without what a model took to think."""
    gap_s = started_at_s(one.step) - started_at_s(before.step) - before.step.act_s - before.step.model_s
    return min(max(gap_s, SHORTEST_S), LONGEST_S)


def _in_docstring(text: str) -> str:
    return one_line(text).replace("\\", "/").replace('"', "'")
