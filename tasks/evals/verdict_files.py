"""Verdicts on disk, a JSON object a line: what became of each row of a suite, and the groups that it counts in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from ..console import write_file
from ..errors import BadRequest
from .prediction import Outcome, Prediction
from .prediction_rows import read_rows
from .sample import Suite
from .score import Result

VERDICTS: Final = "verdicts.jsonl"  # of a result folder


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One row of a suite, broken ones that were left out too: those are in no group."""

    id: str
    outcome: Outcome
    correct: bool
    instruction: str
    groups: Mapping[str, tuple[str, ...]]


def judged(suite: Suite, result: Result) -> dict[str, Judged]:
    """Every row of the suite, by its id, in the suite's order; those that were left out come last."""
    rows = {
        sample.id: Judged(
            id=sample.id,
            outcome=verdict.outcome,
            correct=verdict.correct,
            instruction=sample.instruction,
            groups=sample.groups,
        )
        for sample, verdict in zip(suite.samples, result.verdicts, strict=True)
    }
    for row_id in suite.skipped:
        rows[row_id] = Judged(id=row_id, outcome=Outcome.SKIPPED, correct=False, instruction="", groups={})
    return rows


def check_replaceable(path: Path) -> None:
    """BadRequest where a file is there that holds something else than verdicts: it would be lost."""
    try:
        if not path.is_file() or path.stat().st_size == 0:
            return
        with path.open("rb") as file:
            first: Any = json.loads(file.readline())
    except (OSError, ValueError):
        first = None
    if not isinstance(first, dict) or not {"id", "outcome", "correct", "distance_px"} <= first.keys():
        raise BadRequest(f"--verdicts {path} is there and holds no verdicts: it is kept. Name another file")


def write_verdicts(path: Path, suite: Suite, predictions: Mapping[str, Prediction], result: Result) -> None:
    """With each point as it was judged, and how far it was off. `not_written` where the file cannot be."""
    away_px = {verdict.id: verdict.distance_px for verdict in result.verdicts}
    lines: list[str] = []
    for row in judged(suite, result).values():
        reply = predictions.get(row.id)
        point = None if reply is None or row.outcome is Outcome.SKIPPED else reply.point
        values = {
            "id": row.id,
            "outcome": row.outcome.value,
            "correct": row.correct,
            "distance_px": away_px.get(row.id),
            "x_px": None if point is None else point.x_px,
            "y_px": None if point is None else point.y_px,
            "instruction": row.instruction,
            "groups": {axis: list(told) for axis, told in row.groups.items()},
        }
        lines.append(json.dumps(values) + "\n")
    write_file(path, "".join(lines).encode("ascii"))


def read_verdicts(path: Path) -> dict[str, Judged]:
    """By their ids. BadRequest names the line that cannot be read."""
    found: dict[str, Judged] = {}
    for row in read_rows(path):
        try:
            judged_row = _judged_of(row.values)
        except (KeyError, TypeError, ValueError) as error:
            raise BadRequest(f"{row.where}: not a verdict ({error}): score the predictions anew") from error
        if judged_row.id in found:
            raise BadRequest(f"{row.where}: a second verdict of {judged_row.id}: score the predictions anew")
        found[judged_row.id] = judged_row
    return found


def _judged_of(row: dict[str, Any]) -> Judged:
    groups = cast(dict[str, list[str]], row["groups"])
    return Judged(
        id=str(row["id"]),
        outcome=Outcome(row["outcome"]),
        correct=row["correct"] is True,
        instruction=str(row["instruction"]),
        groups={axis: tuple(values) for axis, values in groups.items()},
    )
