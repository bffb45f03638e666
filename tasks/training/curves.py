"""A training run as a picture: losses on a logarithmic scale above, accuracies below, over the steps."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..chart import COLOURS, PANEL_HEIGHT_PX, WIDTH_PX, Line, Panel, Points, draw_chart
from ..errors import BadRequest

__all__ = ["COLOURS", "PANEL_HEIGHT_PX", "WIDTH_PX", "draw_curves"]

BUCKETS = 160  # a line has at most so many points, each the mean of its steps
HELD_OUT = "held_"
SHARES = ("_acc", "_f1")  # ends of the names of figures from 0 to 1
UNDRAWN = ("step", "step_s", "load", "rate", "number_err")  # neither a loss nor an accuracy


def draw_curves(curve: Path, out: Path, *, title: str = "") -> None:
    """Draw a `curve.jsonl` as a PNG. Held-out figures have dots. BadRequest where there is nothing to draw.

    Figures named `*_acc` or `*_f1` are accuracies, all others but a few known ones losses. Where a resumed run repeats
    a step, its last line counts.
    """
    rows = _read(curve)
    names = list(dict.fromkeys(name for row in rows for name in row))
    accuracies = tuple(name for name in names if name.endswith(SHARES))
    losses = tuple(name for name in names if name not in accuracies and name.removeprefix(HELD_OUT) not in UNDRAWN)
    first, last = rows[0]["step"], max(rows[-1]["step"], rows[0]["step"] + 1)
    panels = [
        Panel(
            title=f"{title}: {kind}" if title else kind,
            lines=_lines(rows, found, is_log=is_log),
            x_range=(first, last),
            is_log_y=is_log,
            y_range=None if is_log else (0.0, 1.0),
        )
        for kind, found, is_log in (("loss", losses, True), ("accuracy", accuracies, False))
        if found
    ]
    if not panels:
        raise BadRequest(f"{curve} has steps but neither losses nor accuracies")
    draw_chart(panels, out)


def _read(curve: Path) -> list[Mapping[str, float]]:
    """The rows by step; a torn last line is left out."""
    by_step: dict[int, Mapping[str, float]] = {}
    try:
        lines = curve.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise BadRequest(f"{curve} cannot be read: {error.strerror}") from error
    for number, line in enumerate(lines, start=1):
        try:
            row: dict[str, Any] = json.loads(line)
            by_step[int(row["step"])] = {name: float(value) for name, value in row.items()}
        except (ValueError, KeyError, TypeError) as error:
            if number < len(lines):
                raise BadRequest(f"{curve}:{number} is not a line of figures: {error}") from error
    if not by_step:
        raise BadRequest(f"{curve} holds no steps yet")
    return [by_step[step] for step in sorted(by_step)]


def _lines(rows: Sequence[Mapping[str, float]], names: Sequence[str], *, is_log: bool) -> list[Line]:
    """A line for each name; what is held out has dots and the colour of its counterpart in training."""
    training = [name for name in names if not name.startswith(HELD_OUT)]
    held_only = [n for n in names if n.startswith(HELD_OUT) and n.removeprefix(HELD_OUT) not in training]
    colours = {name: number for number, name in enumerate([*training, *held_only])}
    return [
        Line(
            name=name.replace("_", " "),
            points=_thinned(_points(rows, name), is_log=is_log),
            colour=colours[name if name in colours else name.removeprefix(HELD_OUT)],
            has_dots=name.startswith(HELD_OUT),
        )
        for name in names
    ]


def _points(rows: Sequence[Mapping[str, float]], name: str) -> list[tuple[float, float]]:
    """(step, value) where there is one."""
    return [(row["step"], row[name]) for row in rows if name in row and math.isfinite(row[name])]


def _thinned(points: Points, *, is_log: bool) -> list[tuple[float, float]]:
    """At most BUCKETS points, each the mean of its neighbours: where the scale is logarithmic, of their logarithms."""
    shown = [(x, math.log10(y)) for x, y in points if y > 0] if is_log else points
    size = max(1, math.ceil(len(shown) / BUCKETS))
    parts = [shown[start : start + size] for start in range(0, len(shown), size)]
    means = [(sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)) for part in parts]
    return [(x, 10**y) for x, y in means] if is_log else means
