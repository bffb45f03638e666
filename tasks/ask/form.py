"""The form that an answer must have: JSON of a schema, a regular expression, or one of some words."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..errors import BadRequest

if TYPE_CHECKING:
    from ...model import Grammar

_MEANS_SOMETHING = re.compile(r"[\\.+*?()|\[\]{}^$]")


@dataclass(frozen=True)
class Form:
    """A grammar, and what is left to check where a server answers without it."""

    grammar: Grammar
    choices: tuple[str, ...] = ()
    is_json: bool = False

    def value(self, answer: str) -> Any:
        """What the answer says: of JSON the object, else the text itself. ValueError where it has another form."""
        if self.is_json:
            return json.loads(answer)
        if self.choices and answer not in self.choices:
            raise ValueError(f"it is none of {', '.join(self.choices)}")
        return answer


def form_of(schema: Path | None, regex: str | None, choice: str | None, *, is_remote: bool = False) -> Form | None:
    """Of the flags, of which one at most is given. BadRequest for what is no schema, no expression, or no choice.

    JSON that is written here has no blank space but one behind colons and commas: a model that is not sure of itself
    could write blanks for ever. A server is given the schema as it is.
    """
    given = [
        flag for flag, value in (("--schema", schema), ("--regex", regex), ("--choice", choice)) if value is not None
    ]
    if len(given) > 1:
        raise BadRequest(f"{' and '.join(given)}: an answer has one form, so give one of them")
    if schema is not None:
        read = _read(schema)
        written = read if is_remote else {"x-guidance": {"whitespace_flexible": False}} | read
        return Form(_grammar("json_schema", json.dumps(written), f"--schema {schema}"), is_json=True)
    if regex is not None:
        return Form(_grammar("regex", regex, "--regex"))
    if choice is not None:
        choices = _choices(choice)
        escaped = "|".join(_MEANS_SOMETHING.sub(r"\\\g<0>", each) for each in choices)
        return Form(_grammar("regex", f"({escaped})", "--choice"), choices=choices)
    return None


def _choices(text: str) -> tuple[str, ...]:
    choices = tuple(each.strip() for each in text.split(","))
    if len(choices) < 2 or not all(choices) or len(set(choices)) < len(choices):
        raise BadRequest(f"--choice {text!r}: give two or more different answers with commas between: yes,no")
    return choices


def _read(path: Path) -> dict[str, Any]:
    try:
        read: object = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadRequest(f"--schema {path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise BadRequest(f"--schema {path} is no JSON: {error}") from error
    if not isinstance(read, dict):
        raise BadRequest(f'--schema {path} holds no JSON schema: that is an object, such as {{"type": "object"}}')
    return cast("dict[str, Any]", read)


def _grammar(kind: Any, text: str, flag: str) -> Grammar:
    from ...model import BadGrammar, Grammar

    try:
        return Grammar(text, kind)
    except BadGrammar as error:
        raise BadRequest(f"{flag}: {error}") from error
