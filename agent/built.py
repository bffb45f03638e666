"""Actions made of what a program was given."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from pydantic import ValidationError

P = ParamSpec("P")
T = TypeVar("T")
LONGEST = 80  # characters of a value that a message shows


def built(kind: Callable[P, T], *args: P.args, **fields: P.kwargs) -> T:
    """`kind(**fields)`; what it cannot be made of is a ValueError of one line that names the field and what it got."""
    try:
        return kind(*args, **fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        told = first["msg"].removeprefix("Value error, ")
        got = "" if first["type"] == "value_error" else f", got {first['input']!r:.{LONGEST}}"
        raise ValueError(f"{where}: {told}{got}" if where else f"{told}{got}") from None
