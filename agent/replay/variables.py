"""The typed texts of a recording that a replay may be given other values for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ...envs import Action, SelectOption, SetClipboard, TypeText
from ..trajectory import RUN_FILE, Recording, Variable
from ..trajectory.disk import DiskTrouble, write_atomically

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def text_of(action: Action | None) -> str | None:
    """The text that a variable of the step stands for; None where it has none."""
    match action:
        case TypeText(text=text) | SetClipboard(text=text):
            return text
        case SelectOption(option=option):
            return option
        case _:
            return None


def with_text(action: Action, text: str) -> Action:
    return action.model_copy(update={"option" if isinstance(action, SelectOption) else "text": text})


def values_of(recording: Recording, given: Mapping[str, str]) -> dict[int, str]:
    """What the steps type, by their index, where it is not what was recorded. ValueError for an unknown name."""
    variables = recording.variables
    for name in given:
        if name not in variables:
            known = ", ".join(sorted(variables)) or "none yet"
            raise ValueError(
                f"{recording.path} has no variable {name!r} (it has: {known}): "
                f"`moonhand replay {recording.path} --name STEP={name}` makes the text of a step one"
            )
    return {variables[name].step: text for name, text in given.items() if text != variables[name].default}


def name_variable(recording: Recording, name: str, index: int) -> Variable:
    """Make the text that a step types a variable, in `run.json`. ValueError where it types none."""
    if NAME.fullmatch(name) is None:
        raise ValueError(f"{name!r} cannot name a variable: letters, digits, _ and -, not beginning with a digit")
    step = next((step for step in recording.steps if step.index == index), None)
    text = None if step is None else text_of(step.action)
    if step is None or text is None:
        typing = [str(step.index + 1) for step in recording.steps if text_of(step.action) is not None]
        raise ValueError(f"step {index + 1} types no text; those that do: {', '.join(typing) or 'none'}")
    variable = Variable(step=index, default=text)
    run: dict[str, Any] = json.loads((recording.path / RUN_FILE).read_bytes())
    others = {old: one for old, one in (run.get("variables") or {}).items() if one.get("step") != index}
    run["variables"] = others | {name: asdict(variable)}
    with DiskTrouble(recording.path, len(recording.steps)):
        write_atomically(recording.path / RUN_FILE, json.dumps(run, indent=2).encode())
    return variable
