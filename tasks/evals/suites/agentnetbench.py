"""AgentNetBench: steps of recorded tasks, each with its screenshot and every action that people took or might have.

Format: xlang-ai/OpenCUA, evaluation/agentnetbench (MIT licence). A file a task, `TASK.json`, screenshots in `images/`
beside it. Points and boxes are shares of the screenshot, boxes left, top, width, height.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from ..step_score import Box, Call, Pair
from .pictures import is_below, is_file
from .problems import BadSuite, Problem, ProblemKind

NAME: Final = "agentnetbench"
LARGEST: Final = 1e300  # integers beyond it may be too long for a float
ADVICE: Final = "Mend the files, or take them out of the folder."


@dataclass(frozen=True, kw_only=True)
class AgentStep:
    """One step. `options` are the lists of true actions: what was done, then the alternatives."""

    id: str  # TASK/STEP
    task: str
    image: Path | None  # None where the file is not there
    goal: str
    instruction: str | None  # what is to be done in this step, in words
    options: tuple[tuple[Call, ...], ...]
    is_milestone: bool = False


@dataclass(frozen=True, kw_only=True)
class StepSuite:
    """Every step, task by task in the order of their files; `files` are those, with the SHA-256 of each."""

    name: str
    steps: tuple[AgentStep, ...]
    files: Mapping[str, str]


def open_agentnetbench(folder: Path) -> StepSuite:
    """Read every `*.json` of a folder. BadSuite names the rows that cannot be judged, and a folder without any."""
    steps: list[AgentStep] = []
    problems: list[Problem] = []
    files: dict[str, str] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            content = path.read_bytes()
            files[path.name] = hashlib.sha256(content).hexdigest()
            whole: Any = json.loads(content)
        except (OSError, ValueError, RecursionError) as error:
            problems.append(Problem(file=path.name, kind=ProblemKind.BAD_FILE, said=f"cannot be read: {error}"))
            continue
        if isinstance(whole, dict) and isinstance(cast(dict[str, Any], whole).get("steps"), list):
            _read_task(cast(dict[str, Any], whole), path, steps, problems)
        else:
            problems.append(Problem(file=path.name, kind=ProblemKind.BAD_FILE, said="is no task: it has no `steps`"))
    seen: set[str] = set()
    for step in steps:
        if step.id in seen:
            said = "another step has this id"
            problems.append(Problem(file=str(folder), id=step.id, kind=ProblemKind.DUPLICATE_ID, said=said))
        seen.add(step.id)
    if not files:
        said = "has no *.json of AgentNetBench: a file a task, with its `steps`"
        problems.append(Problem(file=str(folder), kind=ProblemKind.BAD_FILE, said=said))
    if problems:
        raise BadSuite(NAME, problems, ADVICE)
    return StepSuite(name=NAME, steps=tuple(steps), files=files)


def _read_task(whole: Mapping[str, Any], path: Path, steps: list[AgentStep], problems: list[Problem]) -> None:
    task = str(whole.get("task_id") or path.stem)
    goal = str(whole.get("high_level_task_description") or whole.get("user_task_description") or "")
    for row, fields in enumerate(cast(list[Any], whole["steps"]), start=1):
        try:
            steps.append(_step(fields, row, task, goal, path.parent))
        except ValueError as error:
            problems.append(
                Problem(file=path.name, row=row, id=f"{task}/{row}", kind=ProblemKind.BAD_FIELD, said=str(error))
            )


def _step(found: Any, row: int, task: str, goal: str, folder: Path) -> AgentStep:
    fields = _object(found, "a step")
    number = fields.get("step_num")
    image = fields.get("image")
    monologue: Any = fields.get("inner_monologue")
    instruction: Any = (
        cast(dict[str, Any], monologue).get("low_level_instruction") if isinstance(monologue, dict) else None
    )
    picture = folder / "images" / image if isinstance(image, str) else None
    if picture is not None and not is_below(picture, folder):
        raise ValueError(f"its image {image!r} leads out of the suite's folder: put the picture into it")
    others = fields.get("alternative_options") or []
    options = [_calls(fields.get("ground_truth_actions"), "ground_truth_actions")]
    options += [_calls(option, "alternative_options") for option in _list(others, "alternative_options")]
    if not options[0]:
        raise ValueError("ground_truth_actions is empty: nothing can be right")
    return AgentStep(
        id=f"{task}/{number if isinstance(number, int) else row}",
        task=task,
        image=picture if picture is not None and is_file(picture) else None,
        goal=goal,
        instruction=instruction if isinstance(instruction, str) else None,
        options=tuple(options),
        is_milestone=fields.get("milestone") is True,
    )


def _calls(found: Any, name: str) -> tuple[Call, ...]:
    return tuple(_call(_object(each, f"an action of {name}")) for each in _list(found, name))


def _call(action: Mapping[str, Any]) -> Call:
    type_ = action.get("type")
    if not isinstance(type_, str) or not type_:
        raise ValueError(f"an action has no type: {action}")
    params = _object(action.get("params") or {}, f"params of {type_}")
    metadata = _object(action.get("metadata") or {}, f"metadata of {type_}")
    position = params.get("position")
    point = None
    if position is not None:
        place = _object(position, f"position of {type_}")
        point = _pair((place.get("x"), place.get("y")), f"position of {type_}")
    call = Call(
        type=type_,
        point=point,
        text=str(params.get("content") or params.get("text") or ""),
        keys=tuple(str(key) for key in _list(params.get("keys") or [], f"keys of {type_}")),
        status=str(params.get("status") or ""),
        boxes=tuple(_box(each, type_) for each in _list(metadata.get("bboxes") or [], f"bboxes of {type_}")),
    )
    if call.needs_point and point is None:
        raise ValueError(f"{type_} has no position")
    return call


def _box(found: Any, type_: str) -> Box:
    numbers = _numbers(_object(found, f"a box of {type_}").get("rel_bbox"), 4, f"rel_bbox of {type_}")
    return numbers[0], numbers[1], numbers[2], numbers[3]


def _pair(found: Sequence[Any], name: str) -> Pair:
    x, y = _numbers(list(found), 2, name)
    return x, y


def _numbers(found: Any, count: int, name: str) -> tuple[float, ...]:
    listed = _list(found, name)
    numbers = [each for each in listed if isinstance(each, int | float) and not isinstance(each, bool)]
    if len(listed) != count or len(numbers) != count or not all(abs(each) <= LARGEST for each in numbers):
        shown = repr(found)
        raise ValueError(f"{name} is {shown if len(shown) <= 80 else f'{shown[:77]}...'}, not {count} numbers")
    return tuple(map(float, numbers))


def _object(found: Any, name: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise ValueError(f"{name} is no object: {found!r}")
    return cast(dict[str, Any], found)


def _list(found: Any, name: str) -> list[Any]:
    if not isinstance(found, list):
        raise ValueError(f"{name} is no list: {found!r}")
    return cast(list[Any], found)
