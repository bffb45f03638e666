"""The rounds of a `repeat` that are known before the first one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .failures import StepFailed
from .tree import Repeat
from .values import Value, fill, fill_value


def rows_of(repeat: Repeat, values: Mapping[str, Value]) -> Sequence[Value]:
    """One value a round: a row of `each`, or nothing. StepFailed where that cannot be told, or for too many."""
    rows: Sequence[Value]
    if repeat.each is None:
        rows = [None] * _times(repeat, values)
    elif isinstance(repeat.rows, str):
        value = fill_value(repeat.rows, values)
        if not isinstance(value, list):
            raise StepFailed(f"{repeat.rows} is no list of rows: it is {value!r}", is_final=True)
        rows = value
    else:
        rows = [fill_value(row, values) for row in repeat.rows]
    if len(rows) > repeat.at_most:
        raise StepFailed(f"{len(rows)} rounds, and at_most is {repeat.at_most}", is_final=True)
    return rows


def rounds_told(number: int) -> str:
    return "1 round" if number == 1 else f"{number} rounds"


def _times(repeat: Repeat, values: Mapping[str, Value]) -> int:
    if not isinstance(repeat.times, str):
        return repeat.times or 0
    said = fill(repeat.times, values)
    if not said.strip().isdecimal():
        raise StepFailed(f"repeat.times: {repeat.times} is no number: it is {said!r}", is_final=True)
    return int(said)
