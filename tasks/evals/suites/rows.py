"""Files of annotations as rows: JSON, JSON lines, Parquet. What cannot be read is a problem with its place."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from .pictures import StoredPicture
from .problems import Problem, ProblemKind

LIST_KEYS: Final = ("samples", "data", "annotations", "details")  # where a file's object may keep its rows
JSON_SUFFIXES: Final = (".json", ".jsonl")


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row as it stands in its file. `number` counts from 1; in JSON lines it is the line's."""

    file: str  # relative to the suite's folder
    number: int
    fields: Mapping[str, Any] = field(repr=False)
    picture: StoredPicture | None = None  # of a Parquet file that holds its pictures

    def problem(self, kind: ProblemKind, said: str, id: str | None = None) -> Problem:
        return Problem(file=self.file, row=self.number, id=id, kind=kind, said=said)


@dataclass(frozen=True, kw_only=True)
class RowFile:
    """A file's rows, what could not be read of it, and its header: what an object around the rows says besides."""

    name: str
    sha256: str
    rows: tuple[Row, ...] = ()
    problems: tuple[Problem, ...] = ()
    header: Mapping[str, Any] = field(default_factory=dict[str, Any])


def read_json_file(path: Path, name: str) -> RowFile:
    """A JSON list of objects, an object that has one under one of LIST_KEYS, or one object a line."""
    try:
        content = path.read_bytes()
    except OSError as error:
        return RowFile(name=name, sha256="", problems=(_bad_file(name, f"cannot be read: {error.strerror}"),))
    sha256 = hashlib.sha256(content).hexdigest()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return RowFile(name=name, sha256=sha256, problems=(_bad_file(name, f"is not UTF-8 at byte {error.start}"),))
    try:
        whole: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        if path.suffix == ".jsonl" or _is_lines(text):
            return _read_lines(text, name, sha256)
        return RowFile(name=name, sha256=sha256, problems=(_bad_json(name, error),))
    if isinstance(whole, dict) and path.suffix == ".jsonl" and not any(key in whole for key in LIST_KEYS):
        return _read_lines(text, name, sha256)  # of one line
    return _rows_of(whole, name, sha256)


def _rows_of(whole: Any, name: str, sha256: str) -> RowFile:
    header: dict[str, Any] = {}
    listed: Any = whole
    if isinstance(whole, dict):
        known = cast(dict[str, Any], whole)
        key = next((key for key in LIST_KEYS if isinstance(known.get(key), list)), None)
        if key is None:
            said = f"is an object without a list under {', '.join(LIST_KEYS)}"
            return RowFile(name=name, sha256=sha256, problems=(_bad_file(name, said),))
        listed = known[key]
        header = {other: value for other, value in known.items() if other != key}
    if not isinstance(listed, list):
        return RowFile(name=name, sha256=sha256, problems=(_bad_file(name, "is not a list of rows"),))
    rows: list[Row] = []
    problems: list[Problem] = []
    for number, each in enumerate(cast(list[Any], listed), start=1):
        _put(each, name, number, rows, problems)
    return RowFile(name=name, sha256=sha256, rows=tuple(rows), problems=tuple(problems), header=header)


def _put(each: Any, name: str, number: int, rows: list[Row], problems: list[Problem]) -> None:
    if isinstance(each, dict):
        rows.append(Row(file=name, number=number, fields=cast(dict[str, Any], each)))
    else:
        said = f"a row is an object, not {type(each).__name__}"
        problems.append(Problem(file=name, row=number, kind=ProblemKind.BAD_JSON, said=said))


def _is_lines(text: str) -> bool:
    """Whether the first line is an object of its own, whatever the name of the file."""
    first = text.lstrip().split("\n", 1)[0].strip()
    return len(first) > 1 and first[0] == "{" and first[-1] == "}"


def _read_lines(text: str, name: str, sha256: str) -> RowFile:
    rows: list[Row] = []
    problems: list[Problem] = []
    header: Mapping[str, Any] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            each: Any = json.loads(line)
        except json.JSONDecodeError as error:
            said = f"line {number}, column {error.colno}: {error.msg}"
            problems.append(Problem(file=name, row=number, kind=ProblemKind.BAD_JSON, said=said))
            continue
        except (ValueError, RecursionError) as error:
            said = f"line {number}: {error}"
            problems.append(Problem(file=name, row=number, kind=ProblemKind.BAD_JSON, said=said))
            continue
        if not rows and not problems and not header and isinstance(each, dict) and "boxes" in each:
            header = cast(dict[str, Any], each)
            continue
        _put(each, name, number, rows, problems)
    return RowFile(name=name, sha256=sha256, rows=tuple(rows), problems=tuple(problems), header=header)


def _bad_json(name: str, error: Exception) -> Problem:
    if isinstance(error, json.JSONDecodeError):
        return _bad_file(name, f"line {error.lineno}, column {error.colno}: {error.msg}", ProblemKind.BAD_FILE)
    return _bad_file(name, f"is no JSON: {error}")


def _bad_file(name: str, said: str, kind: ProblemKind = ProblemKind.BAD_FILE) -> Problem:
    return Problem(file=name, kind=kind, said=said)


def json_files(folder: Path) -> Sequence[Path]:
    """The JSON files right in a folder, by name."""
    return sorted(path for path in folder.iterdir() if path.suffix in JSON_SUFFIXES and path.is_file())


def parquet_files(folder: Path) -> Sequence[Path]:
    """The Parquet files of a folder or of its `data` or, of a split, deeper; by their place."""
    return sorted(path for path in folder.rglob("*.parquet") if path.is_file())
