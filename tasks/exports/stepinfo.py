"""A run as BrowserGym's StepInfo, in JSON rather than pickled: one object a step, pictures beside.

Actions are in the words of BrowserGym's high-level action set ("coord", "nav", "tab", "chat"); points are CSS px.
`step` counts from 0, as theirs does. `agent_info.moonhand` has the action as it was recorded, so that nothing is lost
where those words have none for it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...agent import Recording, Step
from ...envs import (
    UNTOUCHING,
    Action,
    AskUser,
    Back,
    Click,
    CloseTab,
    Drag,
    Finish,
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
    Refuse,
    Scroll,
    SwitchTab,
    TypeText,
    Upload,
    Wait,
    action_to_json,
)
from .exported import Exported, Told, check_steps, copy_images, only_one, python_text, started_at_s, write_text
from .page_words import NOTCH_CSS_PX, key_name

COUNTED = {1: "mouse_click", 2: "mouse_dblclick"}


def write_stepinfo(recordings: Sequence[Recording], out: Path) -> Exported:
    """All steps, also those that failed: their error is the next observation's `last_action_error`."""
    recording = only_one(recordings, "a StepInfo file")
    check_steps(recordings)
    told = Told()
    steps = recording.steps
    images = copy_images([step.before for step in steps], out)
    began_s = started_at_s(steps[0]) if steps else 0.0
    rows: list[dict[str, Any]] = []
    last: tuple[str, str] = ("", "")
    result = recording.result
    for step in steps:
        words = None if step.action is None else "\n".join(_words(step.action, step))
        if not words and step.action is not None and step.action.type not in UNTOUCHING:
            told.note(f"{step.action.type}: BrowserGym has no such action; it stands in agent_info.moonhand alone")
        ends = step is steps[-1] and result is not None
        rows.append(_row(recording, step, words, last, images, started_at_s(step) - began_s, ends))
        last = (words or "", step.error or "")
        if step.before.sha256 not in images:
            told.note(f"step {step.index + 1}: its picture is missing or damaged")
    body = {"format": "browsergym-stepinfo-json", "goal": recording.goal, "steps": rows}
    file = write_text(out, json.dumps(body, indent=1) + "\n")
    return Exported(files=(file,), num_steps=len(rows), left_out=tuple(told.left_out), notes=tuple(told.notes))


def _row(
    recording: Recording,
    step: Step,
    words: str | None,
    last: tuple[str, str],
    images: dict[str, str],
    elapsed_s: float,
    ends: bool,
) -> dict[str, Any]:
    known, result = step.surroundings, recording.result
    reward = float(bool(ends and result is not None and result.success))
    return {
        "step": step.index,
        "obs": {
            "goal": recording.goal,
            "goal_object": [{"type": "text", "text": recording.goal}],
            "screenshot": images.get(step.before.sha256),
            "url": None if known is None else known.url,
            "open_pages_urls": [known.url] if known is not None and known.url else [],
            "open_pages_titles": [known.title] if known is not None and known.title else [],
            "last_action": last[0],
            "last_action_error": last[1],
            "elapsed_time": round(elapsed_s, 6),
            "chat_messages": [],
        },
        "reward": reward,
        "raw_reward": reward,
        "terminated": bool(ends),
        "truncated": bool(ends and result is not None and result.status == "max_steps"),
        "action": words,
        "agent_info": {
            "think": step.thought,
            "chat_messages": [] if step.reply is None else [{"role": "assistant", "content": step.reply}],
            "moonhand": {
                "action": None if step.action is None else action_to_json(step.action),
                "instruction": step.instruction,
                "confidence": step.confidence,
                "error": step.error,
            },
        },
        "stats": {},
        "profiling": {
            "agent_start": started_at_s(step) - step.model_s,
            "agent_stop": started_at_s(step),
            "env_start": started_at_s(step),
            "env_stop": started_at_s(step) + step.act_s + step.settle_s,
        },
        "task_info": {"size_px": [step.before.size.width_px, step.before.size.height_px], "scale": step.before.scale},
    }


def _words(action: Action, step: Step) -> list[str]:
    """Lines of calls; none where BrowserGym has no such action."""
    scale, size = step.before.scale, step.before.size

    def at(point: Point) -> str:
        return f"{point.x_px / scale:g}, {point.y_px / scale:g}"

    match action:
        case Click(modifiers=(), count=1 | 2):
            return [f"{COUNTED[action.count]}({at(action.point)}, button={action.button!r})"]
        case Move():
            return [f"mouse_move({at(action.point)})"]
        case Drag(button="left", modifiers=(), path=(first, last)):
            return [f"mouse_drag_and_drop({at(first)}, {at(last)})"]
        case MouseDown() | MouseUp() if action.point is not None:
            return [f"{action.type}({at(action.point)}, button={action.button!r})"]
        case Scroll():
            wide, high = {
                "notch": (NOTCH_CSS_PX,) * 2,
                "px": (1 / scale,) * 2,
                "page": (size.width_px / scale, size.height_px / scale),
            }[action.unit]
            to = [] if action.point is None else [f"mouse_move({at(action.point)})"]
            return [*to, f"scroll({action.dx * wide:g}, {action.dy * high:g})"]
        case TypeText():
            clear = ["keyboard_press('ControlOrMeta+a')", "keyboard_press('Backspace')"] if action.clear else []
            how = "keyboard_insert_text" if action.via == "paste" else "keyboard_type"
            enter = ["keyboard_press('Enter')"] if action.submit else []
            return [*clear, *([f"{how}({python_text(action.text)})"] if action.text else []), *enter]
        case PressKeys():
            return [f"keyboard_press({python_text('+'.join(map(key_name, action.keys)))})"] * action.repeat
        case KeyDown() | KeyUp():
            return [f"keyboard_{action.type.removeprefix('key_')}({python_text(key_name(action.key))})"]
        case Wait():
            return [f"noop({action.seconds_s * 1000:g})"]
        case Upload() if action.point is not None:
            return [f"mouse_upload_file({at(action.point)}, {list(action.paths)!a})"]
        case Navigate():
            return [f"goto({python_text(action.url)})"]
        case Back() | Forward():
            return [f"go_{action.type}()"]
        case NewTab():
            return ["new_tab()", *([f"goto({python_text(action.url)})"] if action.url else [])]
        case SwitchTab():
            return [f"tab_focus({action.index})"]
        case CloseTab(index=None):
            return ["tab_close()"]
        case AskUser():
            return [f"send_msg_to_user({python_text(action.question)})"]
        case Finish():
            if action.status == "success":
                return [f"send_msg_to_user({python_text(action.answer or 'done')})"]
            return [f"report_infeasible({python_text(action.answer)})"]
        case Refuse():
            return [f"report_infeasible({python_text(action.reason)})"]
        case _:
            return []
