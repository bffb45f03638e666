"""The rows of a file of predictions, whoever wrote it: JSON objects a line, or one JSON document."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from ..errors import BadRequest
from .row_places import said_in

LISTS: Final = ("details", "predictions", "results", "samples", "logs", "rows", "data")  # where a document holds them


@dataclass(frozen=True)
class Row:
    """One row, and where it stands: "FILE:12" in a file of lines, else "FILE, row 12" (from 1)."""

    where: str
    values: dict[str, Any]


def read_rows(path: Path) -> list[Row]:
    """All rows in the order of the file. BadRequest, with its line, for what is not JSON, and for a file without rows.

    A document is a list of rows, an object with such a list under one of `LISTS`, or an object that gives a row, a
    point or a reply for each id.
    """
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise BadRequest(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadRequest(f"{path} is not text in UTF-8: {error}") from error
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if not lines:
        raise BadRequest(f"{path} is empty: there are no predictions to score")
    if len(lines) > 1 and _is_object(lines[0][1]):
        return [Row(f"{path}:{number}", _object(path, number, line)) for number, line in lines]
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _not_json(path, error, 1) from error
    rows = [Row(f"{path}, row {number}", row) for number, row in enumerate(_rows_of(path, document), start=1)]
    if not rows:
        raise BadRequest(f"{path} has no rows: there are no predictions to score")
    return rows


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return line.lstrip().startswith("{") and len(line.strip()) > 1


def _object(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _not_json(path, error, number) from error
    if not isinstance(row, dict):
        raise BadRequest(f"{path}:{number}: a row is a JSON object, not {type(row).__name__}")
    return cast(dict[str, Any], row)


def _not_json(path: Path, error: ValueError | RecursionError, first_line: int) -> BadRequest:
    if isinstance(error, RecursionError):
        return BadRequest(f"{path}:{first_line}: nested too deep to be a row of predictions")
    if not isinstance(error, json.JSONDecodeError):  # a number of thousands of digits
        return BadRequest(f"{path}:{first_line}: not a row of predictions: {error}")
    line, column = first_line + error.lineno - 1, error.colno
    return BadRequest(f"{path}:{line}: not JSON at column {column}: {error.msg}; mend or remove the line")


def _rows_of(path: Path, document: Any) -> list[dict[str, Any]]:
    if isinstance(document, list):
        return [_row(path, number, row) for number, row in enumerate(cast(list[Any], document), start=1)]
    if not isinstance(document, dict):
        raise BadRequest(f"{path}: predictions are JSON objects, not {type(document).__name__}")
    told = cast(dict[str, Any], document)
    for name in LISTS:
        if isinstance(told.get(name), list):
            return _rows_of(path, told[name])
    if (
        "id" in told
        or said_in(told, text_first=False) is not None
        or not all(isinstance(value, dict | list | str) or value is None for value in told.values())
    ):
        return [told]
    return [{**_row(path, number, row), "id": key} for number, (key, row) in enumerate(told.items(), start=1)]


def _row(path: Path, number: int, row: Any) -> dict[str, Any]:
    """A bare list is a point, a bare string a reply, and null nothing."""
    if isinstance(row, dict):
        return cast(dict[str, Any], row)
    if isinstance(row, str):
        return {"raw": row}
    if isinstance(row, list) or row is None:
        return {"point": row}
    raise BadRequest(f"{path}, row {number}: a row is an object, a point or a reply, not {row!r}")
