"""Where a row of a file of predictions keeps its answer: numbers, a reply in words, or a refusal."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, cast

POINTS: Final = ("pred", "point", "xy", "click", "click_point", "coordinate", "coordinates", "pred_point")
PX: Final = (("x_px", "y_px"),)  # what these hold is px, whatever the rest of the file is
PAIRS: Final = (("x", "y"), ("pred_x", "pred_y"))
PREDICTED_BOXES: Final = ("pred_bbox", "predicted_bbox", "pred_box")
PLAIN_BOXES: Final = ("bbox", "box")  # which targets are called, too
BOXES: Final = (*PREDICTED_BOXES, *PLAIN_BOXES)
TEXTS: Final = ("raw", "response", "raw_response", "prediction", "output", "reply", "answer", "text")
DEEPEST: Final = 2  # [[[x, y]]]
REFUSING: Final = ("negative", "refused", "refuse", "refusal", "infeasible")
_NUMBERS: Final = re.compile(r"[\s(\[{]*-?[\d.]+(?:e[-+]?\d+)?(?:[\s,;()\[\]]+-?[\d.]+(?:e[-+]?\d+)?)*[\s)\]}]*", re.I)
_NUMBER: Final = re.compile(r"-?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?", re.I)

Numbers = tuple[float, ...]


@dataclass(frozen=True)
class Places:
    """Points in the file's own numbers, in the order of the row; a box stands as its middle.

    `outside` are numbers that are no place: not finite, or of the wrong count.
    """

    points: tuple[tuple[float, float], ...]
    are_px: bool = False
    problem: str | None = None


@dataclass(frozen=True)
class Reply:
    """Text that has to be read in a dialect."""

    text: str


@dataclass(frozen=True)
class Refused:
    """The row says so in a field of its own."""


Said = Places | Reply | Refused


def said_in(row: dict[str, Any], *, text_first: bool) -> Said | None:
    """What the row answers; None where it has none of the known fields.

    A field that is there and empty is an answer of the wrong format. `text_first` prefers a reply to a point: a dialect
    was named. A box counts where the row has nothing else: beside a point it is the target's.
    """
    if row.get("refused") is True or _lower(row.get("result")) in REFUSING:
        return _refused_beside(row)
    text = reply_of(row)
    if text_first and text is not None:
        return Reply(text)
    for x_key, y_key in (*PX, *PAIRS):
        if x_key in row and y_key in row:
            told = _places([row[x_key], row[y_key]])
            return Places(told.points, (x_key, y_key) in PX, told.problem)
    for key in POINTS:
        if key in row:
            value = row[key]
            if _lower(value) in REFUSING:
                return Refused()
            return _places(_numbers_in(value) if isinstance(value, str) and _NUMBERS.fullmatch(value) else value)
    if text is not None:
        if _NUMBERS.fullmatch(text) and "prediction" in row:
            return _places(_numbers_in(text))
        return Reply(text)
    if isinstance(row.get("prediction"), list | dict):
        return _places(row["prediction"])
    for key in BOXES:
        if key in row:
            return _places(row[key])
    if any(key in row for key in TEXTS):  # null
        return Places((), problem="there is no reply")
    return None


def _refused_beside(row: dict[str, Any]) -> Said:
    """A refusal, unless the row also gives a place: both at once are of the wrong format."""
    places = {
        key: row[key] for key in (*chain(*PX, *PAIRS), *POINTS) if row.get(key) not in (None, "", [], [None, None])
    }
    match said_in(places, text_first=False):
        case Places(points) if points != ((-1.0, -1.0),):
            return Places((), problem="it refuses and gives a place")
        case _:
            return Refused()


def answers_beside_box(row: dict[str, Any]) -> bool:
    """Whether the row answers with something else than a box, so that a box in it is the target's."""
    return said_in({key: value for key, value in row.items() if key not in BOXES}, text_first=False) is not None


def reply_of(row: dict[str, Any]) -> str | None:
    """The reply as text, where the row has one. Of lmms-eval's lists it is the first entry."""
    for key in ("filtered_resps", "resps", *TEXTS):
        value = row.get(key)
        while isinstance(value, list) and value:
            value = cast(list[Any], value)[0]
        if isinstance(value, str):
            return value
    return None


def _lower(value: Any) -> str | None:
    return value.strip().lower() if isinstance(value, str) else None


def _numbers_in(text: str) -> list[float]:
    return [float(number) for number in _NUMBER.findall(text)]


def _places(value: Any, depth: int = 0) -> Places:
    """Of [x, y], [x1, y1, x2, y2], a list of such, or an object with x and y."""
    if isinstance(value, dict):
        told = cast(dict[str, Any], value)
        return _places([told["x"], told["y"]] if "x" in told and "y" in told else None)
    if not isinstance(value, list) or not value or depth > DEEPEST:
        return Places((), problem=f"there is no place: {_short(value)}")
    entries = cast(list[Any], value)
    if any(isinstance(entry, list | dict) for entry in entries):
        found = [_places(entry, depth + 1) for entry in entries]
        problem = next((each.problem for each in found if each.problem), None)
        return Places(tuple(point for each in found for point in each.points), problem=problem)
    if len(entries) not in (2, 4):
        return Places((), problem=f"a point has 2 numbers and a box 4, got {_short(value)}")
    numbers: list[float] = []
    for entry in entries:
        number = _number(entry)
        if number is None:
            return Places((), problem=f"no place: {_short(value)}")
        numbers.append(number)
    if len(numbers) == 4:
        return Places((((numbers[0] + numbers[2]) / 2, (numbers[1] + numbers[3]) / 2),))
    return Places(((numbers[0], numbers[1]),))


def _number(value: Any) -> float | None:
    """None for what is no finite number."""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _short(value: Any) -> str:
    try:
        told = repr(value)
    except (RecursionError, ValueError):  # nested too deep, or a number of too many digits to print
        return "too long to show"
    return told if len(told) <= 80 else f"{told[:77]}..."
