"""The fields of one row, each checked as it is read; what is wrong is gathered: a row tells all of it at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from ....envs import Point, Size
from .boxes import Convention, Four
from .problems import Problem, ProblemKind
from .rows import Row


@dataclass(frozen=True)
class RawBox:
    """Four numbers as they stand in a file. `convention` is None where it has to be recognised."""

    numbers: Four
    convention: Convention | None = None


@dataclass(frozen=True)
class RawPolygon:
    """Corners in px, or in shares of the picture."""

    corners: tuple[Point, ...]
    is_shares: bool = False


RawAnswer = RawBox | RawPolygon | None  # None: nothing on the screenshot matches


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A row that reads well, before its box is known to be one and its picture to be there."""

    row: Row
    id: str
    instruction: str
    answer: RawAnswer
    size: Size | None  # as the row says
    picture: str | None  # its name
    beside: Path | None = None  # the folder of the annotation file
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    reaches_px: Point | None = None  # a point that was taken for one on the screenshot, where no size is known


class RowReader:
    """Reads the fields of a row. Whatever returns None for what must be there has said so in `problems`."""

    def __init__(self, row: Row, made_id: str) -> None:
        given: Any = row.fields.get("id")
        self.row = row
        self.id = given if isinstance(given, str) and given.strip() else made_id
        self.problems: list[Problem] = []
        if isinstance(given, int) and not isinstance(given, bool):
            self.id = str(given)

    def wrong(self, kind: ProblemKind, said: str) -> None:
        self.problems.append(self.row.problem(kind, said, self.id))

    def value(self, *names: str) -> Any:
        """The first of the fields that is there and not null."""
        return next((self.row.fields[name] for name in names if self.row.fields.get(name) is not None), None)

    def text(self, *names: str) -> str | None:
        """A text that must be there; the names are those it goes by."""
        found = self.value(*names)
        if found is None:
            self.wrong(ProblemKind.MISSING_FIELD, f"has no {' or '.join(names)}")
        elif not isinstance(found, str) or not found:
            self.wrong(ProblemKind.BAD_FIELD, f"{names[0]} is {_shown(found)}, not a text")
        else:
            return found
        return None

    def instruction(self, *names: str) -> str:
        """What is asked; empty where that is missing, which is said."""
        found = self.value(*names)
        if found is None:
            self.wrong(ProblemKind.MISSING_FIELD, f"has no {' or '.join(names)}")
        elif not isinstance(found, str):
            self.wrong(ProblemKind.BAD_FIELD, f"{names[0]} is {_shown(found)}, not a text")
        elif not found.strip():
            self.wrong(ProblemKind.EMPTY_INSTRUCTION, "there is nothing to ask for")
        else:
            return found
        return ""

    def label(self, *names: str) -> tuple[str, ...]:
        """The value of an axis, or values; none where the row has none."""
        found = self.value(*names)
        listed: list[Any] = cast(list[Any], found) if isinstance(found, list) else [found]
        values = [each for each in listed if isinstance(each, (str, int, bool))]
        if found is not None and len(values) < len(listed):
            self.wrong(ProblemKind.BAD_FIELD, f"{names[0]} is {_shown(found)}, not a text or a list of texts")
        return tuple(text for each in values if (text := str(each).strip()))

    def numbers(self, *names: str) -> tuple[float, ...] | None:
        """Finite numbers that must be there; pairs in pairs are taken apart."""
        found = self.value(*names)
        if found is None:
            self.wrong(ProblemKind.MISSING_FIELD, f"has no {' or '.join(names)}")
            return None
        flat = _flat(found)
        if flat is None:
            self.wrong(ProblemKind.BAD_FIELD, f"{names[0]} is {_shown(found)}, not a list of numbers")
            return None
        if not all(map(math.isfinite, flat)):
            self.wrong(ProblemKind.NOT_A_NUMBER, f"{names[0]} is {_shown(found)}")
            return None
        return flat

    def four(self, *names: str) -> Four | None:
        """The four numbers of a box."""
        found = self.numbers(*names)
        if found is None:
            return None
        if len(found) != 4:
            self.wrong(ProblemKind.BAD_FIELD, f"{names[0]} has {len(found)} numbers, a box has 4")
            return None
        a, b, c, d = found
        return a, b, c, d

    def size(self, *names: str) -> Size | None:
        """Width and height, where the row says them."""
        if self.value(*names) is None:
            return None
        found = self.numbers(*names)
        if found is None:
            return None
        if len(found) != 2 or any(number < 1 or number % 1 for number in found):
            self.wrong(ProblemKind.BAD_FIELD, f"{names[0]} is {list(found)}, not a width and a height in px")
            return None
        return Size(int(found[0]), int(found[1]))

    def draft(
        self,
        *,
        instruction: str,
        answer: RawAnswer,
        size: Size | None,
        picture: str | None,
        beside: Path | None = None,
        groups: Mapping[str, Sequence[str]],
        reaches_px: Point | None = None,
    ) -> Draft | None:
        """The row as it reads; None where anything was wrong."""
        if self.problems:
            return None
        kept = {axis: tuple(values) for axis, values in groups.items() if values}
        return Draft(
            row=self.row,
            id=self.id,
            instruction=instruction,
            answer=answer,
            size=size,
            picture=picture,
            beside=beside,
            groups=kept,
            reaches_px=reaches_px,
        )


def _flat(found: Any) -> tuple[float, ...] | None:
    if not isinstance(found, (list, tuple)):
        return None
    flat: list[float] = []
    for each in cast(Sequence[Any], found):
        if isinstance(each, (list, tuple)):
            inner = _flat(each)
            if inner is None:
                return None
            flat.extend(inner)
        elif isinstance(each, (int, float)) and not isinstance(each, bool):
            flat.append(float(each) if abs(each) < 1e300 else math.inf)
        else:
            return None
    return tuple(flat)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
