"""Variables: `{{name}}` in a script's texts, and the values that stand for them."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pydantic import JsonValue

from ..errors import BadRequest

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Value = JsonValue
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
PATH = re.compile(rf"{NAME.pattern}(\.[A-Za-z0-9_-]+)*")  # of a value within a value: user.email
_HELD = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_SECRET = re.compile(r"\s*secret\s*:", re.IGNORECASE)
T = TypeVar("T", bound="DataclassInstance")


class NoValue(Exception):
    """A variable stands for nothing, or its name is none."""


def names_in(text: str) -> list[str]:
    """What stands in braces, in order, but for the names of secrets."""
    return [found.strip() for found in _HELD.findall(text) if not _SECRET.match(found)]


def has_secret(text: str) -> bool:
    return any(_SECRET.match(found) for found in _HELD.findall(text))


def fill(text: str, values: Mapping[str, Value]) -> str:
    """The text with values for names; names of secrets stay. Once: no value is read as a name. NoValue for others."""
    return _HELD.sub(lambda found: found[0] if _SECRET.match(found[1]) else as_text(look_up(found[1], values)), text)


def fill_fields(one: T, values: Mapping[str, Value]) -> T:
    """A dataclass with its texts filled in."""
    told = {field.name: getattr(one, field.name) for field in fields(one)}
    changed: dict[str, Any] = {
        name: fill(text, values) for name, text in told.items() if isinstance(text, str) and "{{" in text
    }
    return replace(one, **changed) if changed else one


def fill_value(value: Value, values: Mapping[str, Value]) -> Value:
    """Every text in it filled in; a text that is one name alone becomes the value itself, be it a list."""
    if isinstance(value, str):
        whole = _HELD.fullmatch(value.strip())
        if whole is not None and not _SECRET.match(whole[1]):
            return look_up(whole[1], values)
        return fill(value, values)
    if isinstance(value, list):
        return [fill_value(each, values) for each in value]
    if isinstance(value, dict):
        return {name: fill_value(each, values) for name, each in value.items()}
    return value


def look_up(path: str, values: Mapping[str, Value]) -> Value:
    path = path.strip()
    if PATH.fullmatch(path) is None:
        raise NoValue(f"{path!r} is not the name of a variable: letters, digits and _, parts of it with a dot")
    name, *inner = path.split(".")
    if name not in values:
        raise NoValue(f"there is no variable {name!r}")
    value = values[name]
    for part in inner:
        if not isinstance(value, dict) or part not in value:
            known = ", ".join(value) if isinstance(value, dict) else ""
            raise NoValue(f"{name!r} has no {part!r}" + (f"; it has {known}" if known else ""))
        value = value[part]
    return value


def as_text(value: Value) -> str:
    """As YAML and JSON write it, without quotes; nothing for null."""
    match value:
        case None:
            return ""
        case str():
            return value
        case _:
            return json.dumps(value, ensure_ascii=False)


def read_rows(path: Path) -> list[Value]:
    """The rows of a CSV file with a header, each a mapping. BadRequest where it is none."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            rows, names = [dict(row) for row in reader], tuple(reader.fieldnames or ())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadRequest(f"{path} cannot be read as CSV: {getattr(error, 'strerror', None) or error}") from error
    if not names or any(not name or "." in name for name in names):
        raise BadRequest(f"{path} needs a first line with the names of its columns, such as name,email")
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise BadRequest(f"{path}, line {number}: it has not as many values as the first line has names")
    return cast(list[Value], rows)


def given_values(pairs: Sequence[str], files: Sequence[Path]) -> dict[str, Value]:
    """What --var and --vars say; a --var wins over a file, a later one over an earlier. BadRequest for what is none."""
    values: dict[str, Value] = {}
    for path in files:
        values |= read_values(path)
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or NAME.fullmatch(name.strip()) is None:
            raise BadRequest(f"--var {pair!r} is not NAME=VALUE, such as email=ada@example.com")
        values[name.strip()] = value
    return values


def read_values(path: Path) -> dict[str, Value]:
    """Of a .yaml, .json or .env file. BadRequest for anything else."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"--vars {path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if path.suffix == ".env" or path.name.startswith(".env"):
        return dict(_read_env(path, text))
    from pydantic import TypeAdapter, ValidationError

    from ..errors import BadScript
    from .yaml_file import read_yaml

    try:
        data = json.loads(text) if path.suffix == ".json" else read_yaml(text, str(path)).data
        values = TypeAdapter(dict[str, JsonValue]).validate_python({} if data is None else data)
    except (ValueError, ValidationError, BadScript) as error:
        said = str(error) if isinstance(error, BadScript | json.JSONDecodeError) else "not a mapping of names to values"
        raise BadRequest(f"--vars {path}: {said}") from error
    for name in values:
        if NAME.fullmatch(name) is None:
            raise BadRequest(f"--vars {path}: {name!r} cannot name a variable: letters, digits and _")
    return values


def from_environment(names: Sequence[str]) -> dict[str, Value]:
    """Those of the environment's variables that are set."""
    return {name: os.environ[name] for name in names if name in os.environ}


def _read_env(path: Path, text: str) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip().removeprefix("export ").strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = (part.strip() for part in line.partition("="))
        if not equals or NAME.fullmatch(name) is None:
            raise BadRequest(f"--vars {path}, line {number}: not NAME=VALUE")
        quote = value[:1]
        if len(value) >= 2 and quote in "\"'" and value.endswith(quote):
            value = value[1:-1]
        elif " #" in value:
            value = value.partition(" #")[0].rstrip()
        pairs.append((name, value))
    return pairs


def shortened(text: str, longest: int) -> str:
    """In one line of so many characters at most, the last three of them dots where some are left out."""
    text = " ".join(text.split())
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
