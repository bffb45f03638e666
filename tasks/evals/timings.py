"""How long each sample took: a file beside the predictions, so that those do not depend on the clock."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from ..errors import BadRequest

TIMINGS: Final = "timings.jsonl"


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Of one sample."""

    id: str
    model_s: float | None = None  # within the model
    wait_s: float | None = None  # until a worker took it
    attempts: int = 1
    worker: str | None = None


def read_timings(path: Path) -> dict[str, Timing]:
    """By the ids of the samples: the last line of an id counts. BadRequest names the line that cannot be read.

    A last line without its line break was cut off and is left out.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"{path} cannot be read: {error}") from error
    found: dict[str, Timing] = {}
    for number, line in enumerate(text.split("\n")[:-1], start=1):
        if line.strip():
            try:
                timing = _timing(json.loads(line))
            except ValueError as error:
                raise BadRequest(f"{path}:{number}: not a line of timings: {error}; remove it to go on") from error
            found[timing.id] = timing
    return found


def _timing(row: Any) -> Timing:
    if not isinstance(row, dict):
        raise ValueError("not a JSON object")
    told = cast(dict[str, Any], row)
    if not isinstance(told.get("id"), str):
        raise ValueError("no id")
    times: dict[str, float | None] = {}
    for key in ("model_s", "wait_s"):
        value = told.get(key)
        if not (value is None or (isinstance(value, int | float) and 0 <= value < math.inf)):
            raise ValueError(f"{key} is a number of seconds or null, got {value!r}")
        times[key] = value
    attempts, worker = told.get("attempts"), told.get("worker")
    return Timing(
        id=told["id"],
        **times,
        attempts=attempts if isinstance(attempts, int) else 1,
        worker=None if worker is None else str(worker),
    )
