"""Suites of your own: JSON or JSON lines in the manner of ScreenSpot. docs/evaluation_data.md has the fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from ....envs import Point
from .assemble import Material
from .boxes import Convention
from .fields import Draft, RawAnswer, RawBox, RawPolygon, RowReader
from .problems import Problem, ProblemKind
from .rows import RowFile

CELLS: Final = ("platform", "ui_type")
AXES: Final[Mapping[str, tuple[str, ...]]] = {  # axis -> the fields it is read from
    "platform": ("platform",),
    "ui_type": ("ui_type", "data_type"),
    "application": ("application",),
    "group": ("group",),
    "source": ("data_source",),
}


def read_own(name: str, files: Sequence[RowFile], folder: Path) -> Material:
    """The rows of all files. What a file says of its boxes counts for its rows; else it is recognised."""
    drafts: list[Draft] = []
    problems: list[Problem] = []
    for file in files:
        convention, wrong = said_convention(file)
        problems += wrong
        for row in file.rows:
            reader = RowReader(row, f"{Path(file.name).stem}/{row.number}")
            draft = reader.draft(
                instruction=reader.instruction("instruction"),
                answer=_answer(reader, convention),
                size=reader.size("img_size", "image_size"),
                picture=None if row.picture else reader.text("img_filename", "image", "image_path", "file_name"),
                beside=(folder / file.name).parent,
                groups=_groups(reader),
            )
            drafts += [] if draft is None else [draft]
            problems += reader.problems
    cells = tuple(axis for axis in CELLS if drafts and all(axis in draft.groups for draft in drafts))
    return Material(name=name, files=files, drafts=drafts, problems=problems, cells=cells)


def said_convention(file: RowFile) -> tuple[Convention | None, list[Problem]]:
    """What the header of a file says of its boxes."""
    said = file.header.get("boxes")
    if said is None:
        return None, []
    try:
        return Convention(said), []
    except ValueError:
        text = f"boxes is {said!r}, not one of {', '.join(Convention)}"
        return None, [Problem(file=file.name, kind=ProblemKind.BAD_FILE, said=text)]


def _answer(reader: RowReader, convention: Convention | None) -> RawAnswer:
    """`refusal` before `polygon` before `bbox`."""
    refusal = reader.value("refusal")
    if refusal is not None and not isinstance(refusal, bool):
        reader.wrong(ProblemKind.BAD_FIELD, f"refusal is {refusal!r}, not true or false")
    if refusal is True or reader.value("gt_type") == "negative":
        return None
    if reader.value("polygon") is not None:
        numbers = reader.numbers("polygon")
        if numbers is not None and (len(numbers) < 6 or len(numbers) % 2):
            said = f"polygon has {len(numbers)} numbers, not two for each of at least 3 corners"
            reader.wrong(ProblemKind.BAD_FIELD, said)
        elif numbers is not None:
            is_shares = convention is not None and convention.is_shares
            return RawPolygon(tuple(map(Point, numbers[::2], numbers[1::2])), is_shares)
        return None
    box = reader.four("bbox", "box")
    return None if box is None else RawBox(box, convention)


def _groups(reader: RowReader) -> dict[str, tuple[str, ...]]:
    groups = {axis: reader.label(*names) for axis, names in AXES.items()}
    more = reader.value("groups")
    if more is None:
        return groups
    if not isinstance(more, dict):
        reader.wrong(ProblemKind.BAD_FIELD, f"groups is {more!r}, not an object of axes and their values")
        return groups
    for axis, values in cast(dict[str, Any], more).items():
        listed: list[Any] = cast(list[Any], values) if isinstance(values, list) else [values]
        groups[axis] = tuple(str(value) for value in listed if value is not None)
    return groups
