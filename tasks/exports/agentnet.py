"""Runs as rows of AgentNet, which OpenCUA is trained on: a task a line, pyautogui code with shares of the screenshot.

    {"task_id", "instruction", "task_completed", "traj": [{"index", "image", "value": {"code", "action", ...}}]}

Pictures lie in `images/` beside the file. `source` is ours: who acted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...agent import Recording
from ...agent.dialects import CannotWrite, Canvas, Dialect, Parsed, whole_canvas
from ...agent.dialects.pyautogui import PYAUTOGUI, write_script
from ...envs import UNTOUCHING, describe
from ..expansion import write_as
from .exported import Done, Exported, Told, copy_images, done_of_each, nothing_in, write_text

TRIPLE = "computer.triple_click"
LAST = 0.9999  # the largest share that is written
WANTED = "step with a picture that pyautogui has words for"


def write_agentnet(recordings: Sequence[Recording], out: Path) -> Exported:
    """A line for each run that has a step left. BadRequest, and no file, where none has."""
    told = Told()
    rows: list[dict[str, Any]] = []
    empty: list[Recording] = []
    num_steps = 0
    for recording, done in done_of_each(recordings, told):
        coded = [(one, code) for one in done if (code := _code(one, told)) is not None]
        images = copy_images([one.step.before for one, _ in coded], out)
        turns = (_turn(one, code, images, told) for one, code in coded)
        traj = [turn for turn in turns if turn is not None]
        if not traj:
            empty.append(recording)
            continue
        for index, turn in enumerate(traj):
            turn["index"] = index
        num_steps += len(traj)
        result = recording.result
        rows.append(
            {
                "task_id": recording.path.resolve().name,
                "instruction": recording.goal,
                "task_completed": None if result is None else result.success,
                "source": str(recording.run.get("source", "agent")),
                "traj": traj,
            }
        )
    if not rows:
        raise nothing_in(recordings, WANTED, told.left_out[-1])
    told.problems += [f"{recording.path} holds no {WANTED}; it was left out" for recording in empty]
    file = write_text(out, "".join(f"{json.dumps(row)}\n" for row in rows))
    return Exported(
        files=(file,),
        num_steps=num_steps,
        left_out=tuple(told.left_out),
        notes=tuple(told.notes),
        problems=tuple(told.problems),
    )


def _code(one: Done, told: Told) -> str | None:
    """None where there are no words for it, which `told` then knows."""
    try:
        written = write_as(_RELATIVE, Parsed((one.action,)), whole_canvas(one.step.before.size))
    except CannotWrite:
        touches = one.action.type not in UNTOUCHING
        told.leave_out(one.step, "pyautogui has no words for it" if touches else "it touches nothing")
        return None
    for line in written.expanded:
        told.note(line)
    return written.text


def _turn(one: Done, code: str, images: dict[str, str], told: Told) -> dict[str, Any] | None:
    """None without its picture, which `told` then knows."""
    step = one.step
    image = images.get(step.before.sha256)
    if image is None:
        told.leave_out(step, "its picture is missing or damaged")
        return None
    return {
        "index": step.index,
        "image": Path(image).name,
        "value": {
            "observation": "",
            "thought": step.thought or "",
            "action": step.instruction or describe(one.action),
            "code": code,
            "last_step_correct": None if step.effect is None else step.effect.performed,
            "last_step_redundant": None if step.effect is None else step.effect.changed is False,
            "reflection": "",
        },
    }


def _write(parsed: Parsed, canvas: Canvas) -> str:
    def spell(x_px: float, y_px: float) -> tuple[str, str]:
        x_share, y_share = canvas.to_share(x_px, y_px)
        return f"{min(max(x_share, 0), LAST):.4f}", f"{min(max(y_share, 0), LAST):.4f}"

    return "\n".join(write_script(Parsed((action,)), spell, triple=TRIPLE) for action in parsed.actions)


_RELATIVE: Dialect = replace(PYAUTOGUI, write=_write)
