"""ScreenSpot-Pro: a JSON file an application in `annotations/`, boxes left, top, right, bottom in px.

And the logs of its own evaluation program and of those made after it, which carry the annotations beside each reply.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ....envs import Point
from ..sample import Suite
from .assemble import Examined, Material, assemble
from .boxes import Convention
from .fields import Draft, RawAnswer, RawBox, RowReader
from .pictures import PictureFolder
from .problems import BadSuite, Problem
from .rows import Row, RowFile

CELLS: Final = ("group", "ui_type")
NAME: Final = "screenspot-pro"
USUAL: Final = ("en", "instruction", "positive")


def read_annotations(
    name: str, files: Sequence[RowFile], folder: Path, *, chinese: bool = False, negative: bool = False
) -> Material:
    """The rows of the application files, or of a Parquet copy.

    `chinese` asks in Chinese. With `negative` nothing that is asked for is there, whatever the boxes say; without it
    a row whose `gt_type` is "negative" is such a one.
    """
    drafts: list[Draft] = []
    problems: list[Problem] = []
    for file in files:
        for row in file.rows:
            reader = RowReader(row, f"{Path(file.name).stem}/{row.number}")
            refused = negative or row.fields.get("gt_type") == "negative"
            draft = reader.draft(
                instruction=reader.instruction("instruction_cn" if chinese else "instruction"),
                answer=None if refused else _box(reader, None if row.picture else Convention.XYXY_PX),
                size=reader.size("img_size", "image_size"),
                picture=None if row.picture else reader.text("img_filename", "image", "image_path"),
                beside=(folder / file.name).parent,
                groups=_groups(reader),
            )
            drafts += [] if draft is None else [draft]
            problems += reader.problems
    return Material(name=name, files=files, drafts=drafts, problems=problems, cells=CELLS)


def suite_of_log(
    rows: Iterable[Mapping[str, Any]], *, file: str = "log", sha256: str = "", folder: Path | None = None
) -> Suite:
    """The suite that the rows of a log of predictions were asked, in their order. BadSuite names every broken row.

    Ids are `<task_filename>/<idx>`, with the row's number from 0 where it has no `idx`; a row in another language,
    style or of nothing that is there has these behind: `word_macos/3/cn/instruction/positive`. A log says no sizes:
    they are its pictures' where `folder` has them, else the least that have room for the box and the point predicted.
    """
    listed = tuple(Row(file=file, number=number, fields=row) for number, row in enumerate(rows, start=1))
    of_log = RowFile(name=file, sha256=sha256, rows=listed)
    examined = examine_log(NAME, [of_log], folder)
    if examined.broken:
        raise BadSuite(f"{file}", examined.problems, "a row without its box or its question cannot be scored")
    return examined.suite


def examine_log(name: str, files: Sequence[RowFile], folder: Path | None, boxes: Convention | None = None) -> Examined:
    """As `suite_of_log`, with what is wrong as data."""
    drafts: list[Draft] = []
    problems: list[Problem] = []
    for file in files:
        for row in file.rows:
            reader = RowReader(row, log_id(row.fields, row.number - 1))
            refused = row.fields.get("gt_type") == "negative"
            draft = reader.draft(
                instruction=reader.instruction("prompt_to_evaluate", "instruction"),
                answer=None if refused else _box(reader, Convention.XYXY_PX),
                size=reader.size("img_size", "image_size"),
                picture=reader.text("img_path", "img_filename"),
                groups=_groups(reader),
                reaches_px=_predicted(row.fields.get("pred")),
            )
            drafts += [] if draft is None else [draft]
            problems += reader.problems
    material = Material(name=name, files=files, drafts=drafts, problems=problems, cells=CELLS)
    pictures = PictureFolder(folder)
    return assemble(material, pictures, needs_images=False, decode=False, boxes=boxes)


def log_id(row: Mapping[str, Any], index: int) -> str:
    """The id of a log's row: stable, whatever else the log holds. `index` counts from 0."""
    task, given = row.get("task_filename"), row.get("idx")
    name = f"{task if isinstance(task, str) and task else 'row'}/{given if isinstance(given, int) else index}"
    mode = tuple(str(row.get(key, usual)) for key, usual in zip(MODE_KEYS, USUAL, strict=True))
    return name if mode == USUAL else "/".join((name, *mode))


MODE_KEYS: Final = ("lang", "instruction_style", "gt_type")


def is_log_row(row: Mapping[str, Any]) -> bool:
    """Whether a row is of a log of predictions: no annotation has a path and a prompt."""
    return "img_path" in row and "prompt_to_evaluate" in row


def _box(reader: RowReader, convention: Convention | None) -> RawAnswer:
    """Parquet copies have been written in shares as well: there it is recognised."""
    numbers = reader.four("bbox")
    return None if numbers is None else RawBox(numbers, convention)


def _groups(reader: RowReader) -> dict[str, tuple[str, ...]]:
    return {axis: reader.label(axis) for axis in ("group", "ui_type", "application", "platform")}


def _predicted(pred: Any) -> Point | None:
    if not isinstance(pred, (list, tuple)) or len(pred) != 2:
        return None
    try:
        return Point(float(pred[0]), float(pred[1]))
    except (TypeError, ValueError, OverflowError):
        return None
