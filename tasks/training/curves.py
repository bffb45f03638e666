"""A training run as a picture: losses on a logarithmic scale above, accuracies below, over the steps."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from ..errors import BadRequest

Points = Sequence[tuple[float, float]]

WIDTH_PX, PANEL_HEIGHT_PX = 960, 340
LEFT_PX, RIGHT_PX, TOP_PX, BOTTOM_PX = 64, 220, 36, 36
ZOOM = 2  # drawn larger, then shrunk: smooth lines
BUCKETS = 160  # a line has at most so many points, each the mean of its steps
COLOURS = (
    (31, 119, 180), (214, 96, 20), (44, 140, 60), (190, 40, 50), (120, 80, 170), (130, 90, 70), (205, 90, 165),
    (95, 100, 105), (150, 150, 20), (20, 150, 165),
)  # fmt: skip
INK, GRID = (40, 40, 45), (225, 226, 230)
HELD_OUT = "held_"
SHARES = ("_acc", "_f1")  # ends of the names of figures from 0 to 1
UNDRAWN = ("step", "step_s", "load", "rate", "number_err")  # neither a loss nor an accuracy


@dataclass(frozen=True)
class _Panel:
    """One diagram; `logarithmic` or from 0 to 1."""

    title: str
    names: tuple[str, ...]
    logarithmic: bool


def draw_curves(curve: Path, out: Path, *, title: str = "") -> None:
    """Draw a `curve.jsonl` as a PNG. Held-out figures have dots. BadRequest where there is nothing to draw.

    Figures named `*_acc` or `*_f1` are accuracies, all others but a few known ones losses. Where a resumed run repeats
    a step, its last line counts.
    """
    rows = _read(curve)
    names = list(dict.fromkeys(name for row in rows for name in row))
    accuracies = tuple(name for name in names if name.endswith(SHARES))
    losses = tuple(name for name in names if name not in accuracies and name.removeprefix(HELD_OUT) not in UNDRAWN)
    panels = [
        panel
        for panel in (_Panel("loss", losses, logarithmic=True), _Panel("accuracy", accuracies, logarithmic=False))
        if panel.names
    ]
    if not panels:
        raise BadRequest(f"{curve} has steps but neither losses nor accuracies")
    picture = Image.new("RGB", (WIDTH_PX * ZOOM, PANEL_HEIGHT_PX * len(panels) * ZOOM), "white")
    draw = ImageDraw.Draw(picture)
    for number, panel in enumerate(panels):
        named = f"{title}: {panel.title}" if title else panel.title
        _draw_panel(draw, panel, rows, top_px=number * PANEL_HEIGHT_PX, title=named)
    small = picture.resize((WIDTH_PX, PANEL_HEIGHT_PX * len(panels)), Image.Resampling.LANCZOS)
    small.quantize(128).save(out, optimize=True)


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


def _draw_panel(
    draw: ImageDraw.ImageDraw, panel: _Panel, rows: Sequence[Mapping[str, float]], *, top_px: int, title: str
) -> None:
    lines = {name: _thinned(_points(rows, name, panel.logarithmic)) for name in panel.names}
    lines = {name: points for name, points in lines.items() if points}
    first, last = rows[0]["step"], max(rows[-1]["step"], rows[0]["step"] + 1)
    values = [y for points in lines.values() for _, y in points] or [0.0]
    low, high = (min(values), max(values)) if panel.logarithmic else (0.0, 1.0)
    if panel.logarithmic:
        high = max(high, low + 0.3)  # in decades

    def place(x: float, y: float) -> tuple[float, float]:
        across = (WIDTH_PX - LEFT_PX - RIGHT_PX) * (x - first) / (last - first)
        up = (PANEL_HEIGHT_PX - TOP_PX - BOTTOM_PX) * (y - low) / (high - low)
        return ZOOM * (LEFT_PX + across), ZOOM * (top_px + PANEL_HEIGHT_PX - BOTTOM_PX - up)

    font = ImageFont.load_default(size=12 * ZOOM)
    draw.text((ZOOM * LEFT_PX, ZOOM * (top_px + 10)), title, INK, ImageFont.load_default(size=14 * ZOOM))
    for value, label in _log_ticks(low, high) if panel.logarithmic else [(n / 5, f"{n / 5:.1f}") for n in range(6)]:
        draw.line((place(first, value), place(last, value)), GRID, ZOOM)
        x, y = place(first, value)
        draw.text((x - 8 * ZOOM, y), label, INK, font, anchor="rm")
    for value in _round_steps(first, last):
        x, y = place(value, low)
        draw.text((x, y + 6 * ZOOM), f"{value:,.0f}", INK, font, anchor="mt")
    training = [name for name in lines if not name.startswith(HELD_OUT)]
    held_only = [n for n in lines if n.startswith(HELD_OUT) and n.removeprefix(HELD_OUT) not in training]
    colours = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate([*training, *held_only])}
    for row, (name, points) in enumerate(sorted(lines.items(), key=lambda line: -line[1][-1][1])):
        held_out = name.startswith(HELD_OUT)
        colour = colours.get(name) or colours[name.removeprefix(HELD_OUT)]
        pixels = [place(x, y) for x, y in points]
        draw.line(pixels, colour, (3 if held_out else 2) * ZOOM, joint="curve")
        for x, y in pixels if held_out else ():
            draw.ellipse((x - 4 * ZOOM, y - 4 * ZOOM, x + 4 * ZOOM, y + 4 * ZOOM), "white", colour, 2 * ZOOM)
        ended = 10 ** points[-1][1] if panel.logarithmic else points[-1][1]
        at = (ZOOM * (WIDTH_PX - RIGHT_PX + 14), ZOOM * (top_px + TOP_PX + 4 + 20 * row))
        draw.text(at, f"{name.replace('_', ' ')}  {ended:.3g}", colour, font)


def _points(rows: Sequence[Mapping[str, float]], name: str, logarithmic: bool) -> list[tuple[float, float]]:
    """(step, value) where there is one; for a logarithmic scale the value's log10, values of 0 left out."""
    found = [(row["step"], row[name]) for row in rows if name in row and math.isfinite(row[name])]
    return [(x, math.log10(y)) for x, y in found if y > 0] if logarithmic else found


def _thinned(points: Points) -> list[tuple[float, float]]:
    """At most BUCKETS points, each the mean of its neighbours."""
    size = max(1, math.ceil(len(points) / BUCKETS))
    parts = [points[start : start + size] for start in range(0, len(points), size)]
    return [(sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)) for part in parts]


def _log_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Places (log10) and labels: whole decades, with 2 and 5 between them where there are few."""
    steps = range(1, 10) if high - low < 0.7 else (1, 2, 5) if high - low < 3 else (1,)
    values = [step * 10.0**decade for decade in range(math.floor(low), math.ceil(high) + 1) for step in steps]
    return [(math.log10(value), f"{value:g}") for value in values if low <= math.log10(value) <= high]


def _round_steps(first: float, last: float) -> list[float]:
    """About six round numbers of steps."""
    rough = (last - first) / 6
    unit = 10 ** math.floor(math.log10(rough))
    step = max(1, next(unit * n for n in (1, 2, 5, 10) if unit * n >= rough))
    return [step * n for n in range(math.ceil(first / step), math.floor(last / step) + 1)]
