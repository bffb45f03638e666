"""Curves drawn with Pillow: panels one above the other, each with its scales, a grid, and its lines' names beside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

Points = Sequence[tuple[float, float]]

WIDTH_PX, PANEL_HEIGHT_PX = 960, 340
LEFT_PX, RIGHT_PX, TOP_PX, BOTTOM_PX = 64, 220, 36, 36
ZOOM = 2  # drawn larger, then shrunk: smooth lines
COLOURS = (
    (31, 119, 180), (214, 96, 20), (44, 140, 60), (190, 40, 50), (120, 80, 170), (130, 90, 70), (205, 90, 165),
    (95, 100, 105), (150, 150, 20), (20, 150, 165),
)  # fmt: skip
INK, GRID = (40, 40, 45), (225, 226, 230)


@dataclass(frozen=True, kw_only=True)
class Line:
    """One curve, or a dot; its last value stands behind its name. `colour` counts COLOURS round and round."""

    name: str
    points: Points
    colour: int
    has_dots: bool = False


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One diagram. A logarithmic scale leaves out what is not above 0; `y_range` None is as far as the lines go."""

    title: str
    lines: Sequence[Line]
    is_log_x: bool = False
    is_log_y: bool = False
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None


def draw_chart(panels: Sequence[Panel], out: Path) -> None:
    """Write the panels as one PNG of few colours. ValueError where there are none."""
    if not panels:
        raise ValueError("there are no panels to draw")
    height_px = PANEL_HEIGHT_PX * len(panels)
    picture = Image.new("RGB", (WIDTH_PX * ZOOM, height_px * ZOOM), "white")
    draw = ImageDraw.Draw(picture)
    for number, panel in enumerate(panels):
        _draw_panel(draw, panel, top_px=number * PANEL_HEIGHT_PX)
    picture.resize((WIDTH_PX, height_px), Image.Resampling.LANCZOS).quantize(128, Image.Quantize.FASTOCTREE).save(
        out, optimize=True
    )


def _draw_panel(draw: ImageDraw.ImageDraw, panel: Panel, *, top_px: int) -> None:
    lines = [(line, _scaled(line.points, panel)) for line in panel.lines]
    lines = [(line, points) for line, points in lines if points]
    (left, right), (low, high) = _ranges([points for _, points in lines], panel)

    def place(x: float, y: float) -> tuple[float, float]:
        across = (WIDTH_PX - LEFT_PX - RIGHT_PX) * (x - left) / (right - left)
        up = (PANEL_HEIGHT_PX - TOP_PX - BOTTOM_PX) * (y - low) / (high - low)
        return ZOOM * (LEFT_PX + across), ZOOM * (top_px + PANEL_HEIGHT_PX - BOTTOM_PX - up)

    font = ImageFont.load_default(size=12 * ZOOM)
    draw.text((ZOOM * LEFT_PX, ZOOM * (top_px + 10)), panel.title, INK, ImageFont.load_default(size=14 * ZOOM))
    for value, label in _ticks(low, high, panel.is_log_y, count=5):
        draw.line((place(left, value), place(right, value)), GRID, ZOOM)
        x, y = place(left, value)
        draw.text((x - 8 * ZOOM, y), label, INK, font, anchor="rm")
    for value, label in _ticks(left, right, panel.is_log_x, count=6):
        x, y = place(value, low)
        draw.text((x, y + 6 * ZOOM), label, INK, font, anchor="mt")
    for row, (line, points) in enumerate(sorted(lines, key=lambda line: -line[1][-1][1])):
        colour = COLOURS[line.colour % len(COLOURS)]
        pixels = [place(x, y) for x, y in points]
        draw.line(pixels, colour, (3 if line.has_dots else 2) * ZOOM, joint="curve")
        for x, y in pixels if line.has_dots or len(pixels) == 1 else ():
            draw.ellipse((x - 4 * ZOOM, y - 4 * ZOOM, x + 4 * ZOOM, y + 4 * ZOOM), "white", colour, 2 * ZOOM)
        ended = 10 ** points[-1][1] if panel.is_log_y else points[-1][1]
        at = (ZOOM * (WIDTH_PX - RIGHT_PX + 14), ZOOM * (top_px + TOP_PX + 4 + 20 * row))
        draw.text(at, f"{line.name}  {_short(ended)}", colour, font)


def _scaled(points: Points, panel: Panel) -> list[tuple[float, float]]:
    """What can be shown, in the panel's scales: log10 where it is logarithmic."""
    shown = [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    if panel.is_log_x:
        shown = [(math.log10(x), y) for x, y in shown if x > 0]
    return [(x, math.log10(y)) for x, y in shown if y > 0] if panel.is_log_y else shown


def _ranges(lines: Sequence[Points], panel: Panel) -> tuple[tuple[float, float], tuple[float, float]]:
    """The ends of both scales, in the panel's own units; never of no width."""
    ends: list[tuple[float, float]] = []
    for axis, (given, is_log) in enumerate(((panel.x_range, panel.is_log_x), (panel.y_range, panel.is_log_y))):
        values = [point[axis] for points in lines for point in points] or [0.0]
        if given is not None:
            values = [math.log10(end) if is_log else end for end in given]
        low, high = min(values), max(values)
        ends.append((low, max(high, low + (0.3 if is_log else 1e-9 + abs(low) * 1e-6))))
    return ends[0], ends[1]


def _ticks(low: float, high: float, is_log: bool, count: int) -> list[tuple[float, str]]:
    """Places and labels: round numbers; on a logarithmic scale (places are log10) decades, more where there are few."""
    if not is_log:
        rough = (high - low) / count
        unit = 10 ** math.floor(math.log10(rough))
        step = max(next(unit * n for n in (1, 2, 5, 10) if unit * n >= rough * 0.999), 1e-12)
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        return [(step * n, f"{step * n:,.0f}" if step >= 1 else f"{step * n:.3g}") for n in range(first, last + 1)]
    steps = range(1, 10) if high - low < 0.7 else (1, 2, 5) if high - low < 3 else (1,)
    values = [step * 10.0**decade for decade in range(math.floor(low), math.ceil(high) + 1) for step in steps]
    return [(math.log10(value), _short(value)) for value in values if low <= math.log10(value) <= high]


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
