"""AgentNet's rows, by people, and what OpenCUA's tools make: a task a line, pyautogui code, pictures beside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from ...agent import ParseError
from ...agent.dialects import DIALECTS, whole_canvas
from ...envs import Frame, Size
from .imported import Draft, DraftStep
from .reading import BadPicture, Json, as_list, as_object, json_object, picture_beside, read_lines, text_of

SIZE = Size(1920, 1080)  # for shares, where a task has no picture at all


def read_agentnet(path: Path, images: Path | None, problems: list[str]) -> Iterator[Draft]:
    """A draft for each line; lines that are no tasks go to `problems`."""
    folders = (images,) if images is not None else (path.parent / "images", path.parent)
    for number, line in read_lines(path):
        try:
            row = json_object(line)
            if not isinstance(row.get("traj"), list):
                raise ValueError("it has no `traj`")
        except ValueError as error:
            problems.append(f"{path.name} line {number} is no task and was left out: {error}")
            continue
        yield _draft(row, folders, number)


def _draft(row: Json, folders: tuple[Path, ...], number: int) -> Draft:
    goal = text_of(row.get("instruction")) or text_of(row.get("natural_language_task")) or ""
    completed = row.get("task_completed")
    draft = Draft(
        name=text_of(row.get("task_id")) or f"line-{number}",
        goal=goal,
        source="agent" if row.get("source") == "agent" else "human",
        steps=(),
        is_desktop=True,
        size=SIZE,
        success=completed if isinstance(completed, bool) else None,
    )
    draft.steps = _steps(as_list(row["traj"]), folders, draft)
    return draft


def _steps(traj: list[Any], folders: tuple[Path, ...], draft: Draft) -> Iterator[DraftStep]:
    for turn, item in enumerate(traj):
        said = as_object(item)
        value = as_object(said.get("value"))
        code = text_of(value.get("code"))
        frame = _picture(said.get("image"), folders, turn, draft)
        if frame is not None:
            draft.size = frame.size
        words: Json = {
            "instruction": text_of(value.get("action")),
            "thought": text_of(value.get("thought")),
        }
        if code is None:
            yield DraftStep(action=None, before=frame, turn=turn, error=f"turn {turn + 1} has no code", **words)
            continue
        size = draft.size or SIZE
        try:
            parsed = DIALECTS["opencua"].read(f"```python\n{code}\n```", whole_canvas(size))
        except ParseError as error:
            why = f"its code cannot be read: {error.message}"
            yield DraftStep(action=None, before=frame, turn=turn, error=why, reply=code, **words)
            continue
        for place, action in enumerate(parsed.actions):
            # One picture for all calls of a turn: what came between was not kept.
            reply = code if place == 0 else None
            yield DraftStep(action=action, before=frame, turn=turn, reply=reply, **(words if place == 0 else {}))


def _picture(name: object, folders: tuple[Path, ...], turn: int, draft: Draft) -> Frame | None:
    if not isinstance(name, str):
        return None
    try:
        try:
            return picture_beside(folders, name)
        except BadPicture:
            if PurePosixPath(name).name == name:
                raise
            return picture_beside(folders, PurePosixPath(name).name)
    except BadPicture as error:
        draft.problem(f"turn {turn + 1}: {error}")
        return None
