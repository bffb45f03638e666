"""OSWorld-G: boxes as left, top, width, height in px, polygons, and questions about what is not there.

The refined copy has the same rows with longer instructions. The categories, several a row, are in a file of their own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from ....envs import Point
from .assemble import Material
from .boxes import Convention
from .fields import Draft, RawAnswer, RawBox, RawPolygon, RowReader
from .problems import Problem, ProblemKind
from .rows import RowFile

CELLS: Final = ("category",)
CATEGORIES: Final = "classification_result.json"
BOX_TYPES: Final = ("bbox", "polygon", "refusal")


def read_osworld_g(name: str, files: Sequence[RowFile], folder: Path, categories: Path | None) -> Material:
    """The rows of OSWorld-G.json, of its refined copy, or of a Parquet copy; `categories` is CATEGORIES."""
    drafts: list[Draft] = []
    problems: list[Problem] = []
    tags, sha256, wrong = _tags(categories)
    if wrong:
        problems.append(Problem(file=CATEGORIES, kind=ProblemKind.NO_CATEGORIES, said=wrong))
    for file in files:
        for row in file.rows:
            reader = RowReader(row, f"row/{row.number}")
            box_type = reader.value("box_type")
            if box_type not in BOX_TYPES:
                reader.wrong(
                    ProblemKind.MISSING_FIELD if box_type is None else ProblemKind.BAD_FIELD,
                    f"box_type is {box_type!r}, not one of {', '.join(BOX_TYPES)}",
                )
            # A Parquet copy exists whose polygons were made boxes: of which sort, its numbers tell.
            convention = None if row.picture else Convention.XYWH_PX
            draft = reader.draft(
                answer=_answer(reader, box_type, convention),
                instruction=reader.instruction("instruction"),
                size=reader.size("image_size", "img_size"),
                picture=None if row.picture else reader.text("image_path", "image", "img_filename"),
                beside=(folder / file.name).parent,
                groups={
                    "category": tags.get(reader.id, ()),
                    "box_type": (str(box_type),),
                    "gui_type": reader.label("GUI_types"),
                },
            )
            drafts += [] if draft is None else [draft]
            problems += reader.problems
    extra = {} if categories is None else {categories.name: sha256}
    return Material(name=name, files=files, drafts=drafts, problems=problems, cells=CELLS, extra_files=extra)


def _answer(reader: RowReader, box_type: Any, convention: Convention | None) -> RawAnswer:
    """Four numbers of a polygon are two corners of a rectangle."""
    names = ("box_coordinates", "bbox")
    if box_type == "bbox":
        box = reader.four(*names)
        return None if box is None else RawBox(box, convention)
    if box_type == "polygon":
        numbers = reader.numbers(*names)
        if numbers is None:
            return None
        if len(numbers) == 4:
            left, top, right, bottom = numbers
            return RawBox((left, top, right, bottom), Convention.XYXY_PX)
        if len(numbers) < 6 or len(numbers) % 2:
            said = f"{names[0]} has {len(numbers)} numbers: a polygon has 4, or two for each of at least 3 corners"
            reader.wrong(ProblemKind.BAD_FIELD, said)
            return None
        return RawPolygon(tuple(map(Point, numbers[::2], numbers[1::2])))
    return None


def _tags(path: Path | None) -> tuple[Mapping[str, tuple[str, ...]], str, str]:
    """The categories of each id, the hash of their file, and why there are none."""
    if path is None:
        return {}, "", f"{CATEGORIES} is not there: no score by category"
    try:
        content = path.read_bytes()
        whole: Any = json.loads(content)
        found: dict[str, list[str]] = {}
        for category, rows in cast(dict[str, list[Any]], whole["classified"]).items():
            for each in rows:
                tags = found.setdefault(str(each["id"] if isinstance(each, dict) else each), [])
                if category not in tags:
                    tags.append(category)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return {}, "", f"{path.name} cannot be read, so there is no score by category: {error!r}"
    return {name: tuple(tags) for name, tags in found.items()}, hashlib.sha256(content).hexdigest(), ""
