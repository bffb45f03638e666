"""The plot of a sweep as a PNG, for places that show no SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

WIDTH_PX, HEIGHT_PX, LEFT_PX, RIGHT_PX, TOP_PX, BOTTOM_PX = 960, 520, 64, 24, 44, 52
ZOOM = 2  # drawn larger, then shrunk: smooth lines
INK, SOFT, GRID, DOT, BEST = (23, 26, 36), (90, 96, 114), (223, 226, 234), (79, 70, 229), (18, 128, 74)


def draw_sweep(told: Mapping[str, Any], out: Path) -> None:
    """`not_written` where the file cannot be."""
    import io

    from PIL import Image, ImageDraw, ImageFont

    from .page import write_whole
    from .svg import percent_ticks
    from .sweep_labels import Spot, labels
    from .sweep_page import accuracy_range, cost_scale, staircase, with_costs

    cells = with_costs(told["cells"])
    (left, right), ticks, is_log = cost_scale([each["cost_s"] for _, each in cells] or [1.0])
    low, high = accuracy_range(told["cells"])

    def scaled(cost: float) -> float:
        return math.log10(cost) if is_log else cost

    def place(cost: float, accuracy: float) -> tuple[float, float]:
        across = (scaled(cost) - scaled(left)) / (scaled(right) - scaled(left))
        up = (accuracy - low) / (high - low)
        x = LEFT_PX + across * (WIDTH_PX - LEFT_PX - RIGHT_PX)
        return ZOOM * x, ZOOM * (HEIGHT_PX - BOTTOM_PX - up * (HEIGHT_PX - TOP_PX - BOTTOM_PX))

    picture = Image.new("RGB", (WIDTH_PX * ZOOM, HEIGHT_PX * ZOOM), "white")
    pen = ImageDraw.Draw(picture)
    small, large = ImageFont.load_default(size=12 * ZOOM), ImageFont.load_default(size=15 * ZOOM)
    pen.text((ZOOM * LEFT_PX, ZOOM * 12), f"{told['suite']}: accuracy against model seconds a sample", INK, large)
    for tick in percent_ticks(low, high):
        x, y = place(left, tick.at)
        pen.line(((x, y), place(right, tick.at)), GRID, ZOOM)
        pen.text((x - 8 * ZOOM, y), tick.label, SOFT, small, anchor="rm")
    for tick in ticks:
        x, y = place(tick.at, low)
        pen.text((x, y + 8 * ZOOM), tick.label, SOFT, small, anchor="mt")
    middle = ZOOM * (LEFT_PX + WIDTH_PX - RIGHT_PX) / 2
    pen.text((middle, ZOOM * (HEIGHT_PX - 8)), "model seconds a sample, median", SOFT, small, anchor="mb")
    if len(steps := staircase(told["cells"])) > 1:
        pen.line([place(*each) for each in steps], BEST, 2 * ZOOM, joint="curve")
    for _, each in cells:
        _whisker(pen, place(each["cost_s"], each["ci95"][0]), place(each["cost_s"], each["ci95"][1]))
    spots: list[Spot] = []
    for number, each in cells:
        x, y = place(each["cost_s"], each["accuracy"])
        spots.append(Spot(number, x / ZOOM, y / ZOOM, each["on_front"]))
        r = 6 * ZOOM
        colour = BEST if each["on_front"] else DOT
        pen.ellipse((x - r, y - r, x + r, y + r), BEST if each["on_front"] else "white", colour, 2 * ZOOM)
    for label in labels(spots):
        anchor = "rb" if label.is_left else "lb"
        pen.text((ZOOM * label.x, ZOOM * label.y), str(label.spot.number), INK, small, anchor=anchor)
    shown = picture.resize((WIDTH_PX, HEIGHT_PX), Image.Resampling.LANCZOS).quantize(64, Image.Quantize.FASTOCTREE)
    buffer = io.BytesIO()
    shown.save(buffer, format="PNG", optimize=True)
    write_whole(out, buffer.getvalue())


def _whisker(pen: ImageDraw, low: tuple[float, float], high: tuple[float, float]) -> None:
    end = 4 * ZOOM
    for line in ((low, high), *(((x - end, y), (x + end, y)) for x, y in (low, high))):
        pen.line(line, (160, 164, 178), ZOOM)
