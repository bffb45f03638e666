"""Files of predictions: ours, a JSON object a line, and those of others by way of `foreign_files`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from ...envs import Point
from ..console import write_file
from ..errors import BadRequest
from .foreign_files import Reading, count_of, read_foreign
from .prediction import Failure, Prediction
from .prediction_rows import Row, read_rows
from .row_matching import match_rows
from .sample import Suite

PREDICTIONS: Final = "predictions.jsonl"  # of a result folder

KEYS: Final = (
    "id",
    "raw",
    "x_px",
    "y_px",
    "refused",
    "failure",
    "error",
    "confidence",
    "prompt_tokens",
    "generated_tokens",
)


@dataclass(frozen=True)
class PredictionFile:
    """What a file of predictions holds, by the ids of the samples, and in words how it was read."""

    path: Path
    predictions: dict[str, Prediction]
    notes: tuple[str, ...] = ()


def read_file(path: Path, suite: Suite, reading: Reading | None = None) -> PredictionFile:
    """Read a file, or the one of a result folder. BadRequest where it cannot be, or its rows are not the suite's.

    A file of ours tells all by itself: `reading` is for the others. Samples without a row are not in it.
    """
    if path.is_dir():
        path = path / PREDICTIONS
    rows, how = read_rows(path), reading or Reading()
    if not is_ours(rows):
        predictions, notes = read_foreign(rows, suite, how, str(path))
        return PredictionFile(path, predictions, tuple(notes))
    if how.dialect is not None or how.coordinates is not None:
        flag = "--dialect" if how.dialect is not None else "--coordinates"
        raise BadRequest(f"{path} is a file of moonhand's, with points in px: leave {flag} out")
    samples, told = match_rows(rows, suite, str(path))
    found: dict[str, Prediction] = {}
    for row, sample in zip(rows, samples, strict=True):
        prediction = _ours(row)
        if sample is not None:
            found[sample.id] = prediction
    return PredictionFile(path, found, (told,))


def read_predictions(path: Path, suite: Suite, reading: Reading | None = None) -> dict[str, Prediction]:
    """The predictions of `read_file`."""
    return read_file(path, suite, reading).predictions


def is_ours(rows: Iterable[Row]) -> bool:
    """Whether all rows have our keys."""
    return all(set(KEYS) <= row.values.keys() for row in rows)


def _ours(row: Row) -> Prediction:
    try:
        return prediction_of_row(row.values)
    except ValueError as error:
        raise BadRequest(f"{row.where}: {error}") from error


def line_of(prediction: Prediction) -> str:
    """One line of a file of predictions, with its line break; every key is always there, null where nothing is known.

    Coordinates are written so that they read back as the same floats. ASCII: a reply may hold half a character.
    """
    point, confidence = prediction.point, prediction.confidence
    values = (
        prediction.id,
        prediction.raw,
        None if point is None else float(point.x_px),
        None if point is None else float(point.y_px),
        prediction.refused,
        None if prediction.failure is None else prediction.failure.value,
        prediction.error,
        confidence if confidence is None or math.isfinite(confidence) else None,
        prediction.prompt_tokens,
        prediction.generated_tokens,
    )
    return json.dumps(dict(zip(KEYS, values, strict=True)), allow_nan=False) + "\n"


def write_predictions(path: Path, predictions: Iterable[Prediction]) -> None:
    """`not_written` where the file cannot be."""
    write_file(path, "".join(map(line_of, predictions)).encode("ascii"))


def prediction_of(line: str) -> Prediction:
    """Read what `line_of` wrote; ValueError in words for anything else.

    A number that is none (NaN, infinite) is a reply of the wrong format, not an error.
    """
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from error
    if not isinstance(row, dict):
        raise ValueError(f"a prediction is a JSON object, not {type(row).__name__}")
    return prediction_of_row(cast(dict[str, Any], row))


def prediction_of_row(row: dict[str, Any]) -> Prediction:
    """What `prediction_of` does with a line that is parsed already."""
    if missing := [key for key in KEYS if key not in row]:
        raise ValueError(f"the keys of a prediction are {', '.join(KEYS)}; not there: {', '.join(missing)}")
    if not isinstance(row["id"], str) or not isinstance(row["raw"], str) or not isinstance(row["refused"], bool):
        raise ValueError("id and raw are strings, refused is true or false")
    if not (row["error"] is None or isinstance(row["error"], str)):
        raise ValueError("error is a string or null")
    if not (row["failure"] is None or row["failure"] in list(Failure)):
        raise ValueError(f"failure {row['failure']!r} is none of {', '.join(Failure)}")
    point, failure, error = None, None if row["failure"] is None else Failure(row["failure"]), row["error"]
    x_px, y_px = _number(row, "x_px"), _number(row, "y_px")
    if (x_px is None) != (y_px is None):
        raise ValueError("x_px and y_px are both numbers, or both null")
    if (x_px is not None) + row["refused"] + (failure is not None) > 1:
        raise ValueError("a prediction has a point, or is refused, or failed: one of them")
    if x_px is not None and y_px is not None:
        if math.isfinite(x_px) and math.isfinite(y_px):
            point = Point(x_px, y_px)
        else:
            failure, error = Failure.WRONG_FORMAT, f"the point ({x_px}, {y_px}) is no place"
    return Prediction(
        id=row["id"],
        raw=row["raw"],
        point=point,
        refused=row["refused"],
        failure=failure,
        error=error,
        confidence=_number(row, "confidence"),
        prompt_tokens=_count(row, "prompt_tokens"),
        generated_tokens=_count(row, "generated_tokens"),
    )


def _number(row: dict[str, Any], key: str) -> float | None:
    value = row[key]
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{key} is a number or null, got {value!r}")
    return as_float(value)


def as_float(value: float) -> float:
    """Of any number of a JSON file; infinite where it has more digits than a float."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _count(row: dict[str, Any], key: str) -> int | None:
    value = row[key]
    if value is None or count_of(value) is not None:
        return value
    raise ValueError(f"{key} is a count or null, got {value!r}")
