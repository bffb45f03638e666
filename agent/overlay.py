"""Pictures of what was done: a ring, a cross and a label on a frame, heat maps, the zoom path, several steps."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from ..envs import Frame, Region, action_points, describe
from .belief import Belief
from .target import Target
from .trajectory import Step

LIGHT, DARK, ACCENT, FAILED = (255, 255, 255), (20, 20, 24), (255, 64, 96), (255, 176, 0)
COOL, HOT = (70, 90, 255), (255, 60, 30)  # of a heat map: where the place may be, and where it is likeliest
SURVEY, CROP, CHOSEN = (150, 190, 255), (255, 200, 40), (60, 230, 110)  # frames of the zoom path
LARGEST_SHARE = 0.25  # of a frame, of what a label has to leave free
Colour = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A place to point out, in px of the frame; without a place the label stands at the top left."""

    label: str
    x_px: float | None = None
    y_px: float | None = None
    colour: Colour = ACCENT
    box: Region | None = None  # what lies there, which a label would hide


def draw(frame: Frame, marks: Sequence[Mark]) -> Image.Image:
    """A copy of the frame with the marks on it; every line is bright with a dark edge, to be seen on any page."""
    picture = Image.fromarray(np.array(frame.pixels_HW3))
    pen = ImageDraw.Draw(picture)
    for mark in marks:
        if mark.x_px is not None and mark.y_px is not None:
            _ring(pen, picture.size, mark.x_px, mark.y_px, mark.colour)
        _label(pen, picture.size, mark)
    return picture


def draw_target(frame: Frame, target: Target) -> Image.Image:
    """Where the model points and how sure it is; a refusal is told in words."""
    if target.point is None:
        said = "refused" if target.refused else "no point"
        return draw(frame, [Mark(label=f"{said}: {target.instruction}", colour=FAILED)])
    sure = "" if target.confidence is None else f" {target.confidence:.0%}"
    label = f"{target.instruction}{sure}"
    return draw(frame, [Mark(label=label, x_px=target.point.x_px, y_px=target.point.y_px)])


def draw_grounding(frame: Frame, target: Target) -> Image.Image:
    """All that is known: the heat map, the frames of the zoom path, the box of 90 % of the mass, point and label."""
    picture = draw_heat_map(frame, _beliefs(target))
    pen = ImageDraw.Draw(picture)
    unit_px = _unit_px(picture.size)
    for number, look in enumerate(target.looks):
        colour = CHOSEN if number == target.chosen else SURVEY if look.why == "survey" else CROP
        _frame(pen, look.region, colour, unit_px * (1 if number == target.chosen else 0.5))
    for number, look in enumerate(target.looks):
        point = look.point
        if point is not None and number != target.chosen:
            _dot(pen, point.x_px, point.y_px, SURVEY if look.why == "survey" else CROP, 2 * unit_px)
    if target.belief is not None and target.point is not None:
        _frame(pen, target.belief.box, LIGHT, unit_px * 0.5)
    return draw_target(Frame(np.asarray(picture)), target)


def draw_heat_map(frame: Frame, beliefs: Sequence[tuple[float, Belief]]) -> Image.Image:
    """The frame in pale grey, coloured where the model may mean; several beliefs each with its weight, 0..1.

    Colour goes with the square root of the probability, so that a second place at a tenth of the first is seen.
    """
    if not beliefs:
        return Image.fromarray(np.array(frame.pixels_HW3))
    heat_HW1 = np.sqrt(_heat(frame, beliefs))[..., None]
    grey_HW1 = frame.pixels_HW3.astype(np.float32).mean(-1, keepdims=True)
    pale_HW3 = 0.55 * grey_HW1 + 0.45 * frame.pixels_HW3
    colour_HW3 = (1 - heat_HW1) * np.array(COOL, np.float32) + heat_HW1 * np.array(HOT, np.float32)
    cover_HW1 = 0.75 * np.minimum(1.0, 4 * heat_HW1)
    return Image.fromarray(((1 - cover_HW1) * pale_HW3 + cover_HW1 * colour_HW3).clip(0, 255).astype(np.uint8))


def draw_step(step: Step) -> Image.Image:
    """The frame before the step, with what was done to it."""
    frame = step.before.read()
    colour = FAILED if step.error else ACCENT
    said = "unreadable reply" if step.action is None else describe(step.action)
    sure = "" if step.confidence is None else f" {step.confidence:.0%}"
    label = f"{step.index + 1}. {said}{sure}"
    points = [] if step.action is None else list(action_points(step.action))
    marks = [Mark(label="", x_px=point.x_px, y_px=point.y_px, colour=colour) for point in points]
    labelled = replace(marks.pop(), label=label, box=_box_of(step)) if marks else Mark(label=label, colour=colour)
    return draw(frame, [*marks, labelled])


def _box_of(step: Step) -> Region | None:
    """Of the element that was pointed at, unless it is a large part of the screen."""
    element = None if step.surroundings is None else step.surroundings.element
    size = step.before.size
    if element is None or step.action is None or len(action_points(step.action)) > 1:
        return None
    if element.width_px * element.height_px > LARGEST_SHARE * size.width_px * size.height_px:
        return None
    return Region(element.left_px, element.top_px, max(element.width_px, 0), max(element.height_px, 0))


def strip(pictures: Sequence[Image.Image], *, columns: int = 3, width_px: int = 480, gap_px: int = 8) -> Image.Image:
    """Several pictures as one, row by row, each scaled to the same width. ValueError for none."""
    if not pictures or columns < 1:
        raise ValueError(f"a strip needs pictures and columns, got {len(pictures)} and {columns}")
    scaled = [
        picture.resize((width_px, max(1, round(picture.height * width_px / picture.width))), Image.Resampling.LANCZOS)
        for picture in pictures
    ]
    columns = min(columns, len(scaled))
    rows = [scaled[start : start + columns] for start in range(0, len(scaled), columns)]
    heights_px = [max(picture.height for picture in row) for row in rows]
    sheet = Image.new(
        "RGB", (columns * (width_px + gap_px) + gap_px, sum(heights_px) + gap_px * (len(rows) + 1)), (112, 112, 120)
    )
    top_px = gap_px
    for row, height_px in zip(rows, heights_px, strict=True):
        for column, picture in enumerate(row):
            sheet.paste(picture, (gap_px + column * (width_px + gap_px), top_px))
        top_px += height_px + gap_px
    return sheet


def to_png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _beliefs(target: Target) -> list[tuple[float, Belief]]:
    """Of every look with its confidence; of a target without looks its own."""
    if not target.looks:
        return [] if target.belief is None else [(1.0, target.belief)]
    return [(look.target.confidence or 0.0, look.belief) for look in target.looks if look.belief is not None]


def _heat(frame: Frame, beliefs: Sequence[tuple[float, Belief]]) -> npt.NDArray[np.float32]:
    """For each pixel the likeliest belief's probability as a share of its largest, times its weight, [H, W]."""
    heat_HW = np.zeros(frame.pixels_HW3.shape[:2], np.float32)
    largest = max((weight for weight, _ in beliefs), default=1.0) or 1.0
    for weight, belief in beliefs:
        region = belief.region
        left, top = round(region.left_px), round(region.top_px)
        size = (max(1, round(region.width_px)), max(1, round(region.height_px)))
        cells = Image.fromarray(belief.cells_YX / max(float(belief.cells_YX.max()), 1e-12))
        shown_HW = np.asarray(cells.resize(size, Image.Resampling.BILINEAR)).clip(0, 1) * np.float32(weight / largest)
        part_HW = heat_HW[top : top + size[1], left : left + size[0]]
        np.maximum(part_HW, shown_HW[: part_HW.shape[0], : part_HW.shape[1]], out=part_HW)
    return heat_HW


def _frame(pen: ImageDraw.ImageDraw, region: Region, colour: Colour, width_px: float) -> None:
    """A rectangle that is seen on any page: bright on dark."""
    for line_colour, wide_px in ((DARK, max(3, round(3 * width_px))), (colour, max(1, round(width_px)))):
        out_px = wide_px / 2
        edges = (
            region.left_px - out_px,
            region.top_px - out_px,
            region.left_px + region.width_px + out_px,
            region.top_px + region.height_px + out_px,
        )
        pen.rectangle(edges, outline=line_colour, width=wide_px)


def _dot(pen: ImageDraw.ImageDraw, x_px: float, y_px: float, colour: Colour, radius_px: float) -> None:
    box = (x_px - radius_px, y_px - radius_px, x_px + radius_px, y_px + radius_px)
    pen.ellipse(box, fill=colour, outline=DARK, width=max(1, round(radius_px / 3)))


def _unit_px(size: tuple[int, int]) -> float:
    """One line's width: a 500th of the shorter side, at least 1 px."""
    return max(1.0, min(size) / 500)


def _ring(pen: ImageDraw.ImageDraw, size: tuple[int, int], x_px: float, y_px: float, colour: Colour) -> None:
    unit_px = _unit_px(size)
    radius_px, arm_px = 11 * unit_px, 6 * unit_px
    for line_colour, width_px in ((DARK, 4.5 * unit_px), (LIGHT, 3.2 * unit_px), (colour, 2 * unit_px)):
        spread_px = width_px / 2
        reach_px = radius_px + spread_px
        pen.ellipse(
            (x_px - reach_px, y_px - reach_px, x_px + reach_px, y_px + reach_px),
            outline=line_colour,
            width=max(1, round(width_px)),
        )
        pen.line((x_px - arm_px, y_px, x_px + arm_px, y_px), fill=line_colour, width=max(1, round(width_px / 2)))
        pen.line((x_px, y_px - arm_px, x_px, y_px + arm_px), fill=line_colour, width=max(1, round(width_px / 2)))


def _label(pen: ImageDraw.ImageDraw, size: tuple[int, int], mark: Mark) -> None:
    """White on a dark box with a light edge, beside the ring, moved to stay on the picture."""
    if not mark.label:
        return
    unit_px = _unit_px(size)
    font = ImageFont.load_default(size=max(10.0, 9 * unit_px))
    text = " ".join(mark.label.split())
    left_px, top_px, right_px, bottom_px = pen.textbbox((0, 0), text, font=font)
    pad_px = 4 * unit_px
    width_px, height_px = right_px - left_px + 2 * pad_px, bottom_px - top_px + 2 * pad_px
    x_px, y_px = _label_place(size, mark, width_px, height_px, unit_px)
    box = (x_px, y_px, x_px + width_px, y_px + height_px)
    pen.rounded_rectangle(box, radius=pad_px, fill=DARK, outline=mark.colour, width=max(1, round(unit_px)))
    pen.text((x_px + pad_px - left_px, y_px + pad_px - top_px), text, font=font, fill=LIGHT)


def _label_place(
    size: tuple[int, int], mark: Mark, width_px: float, height_px: float, unit_px: float
) -> tuple[float, float]:
    """Left and top of a label: right of what is marked, left of it, above or below, where it first hides none of it."""

    def moved(place: tuple[float, float]) -> tuple[float, float]:
        x_px, y_px = place
        return (
            min(max(0.0, x_px), max(0.0, size[0] - width_px - 1)),
            min(max(0.0, y_px), max(0.0, size[1] - height_px - 1)),
        )

    if mark.x_px is None or mark.y_px is None:
        return moved((4 * unit_px, 4 * unit_px))
    gap_px = 16 * unit_px
    left, top, right, bottom = mark.x_px - gap_px, mark.y_px - gap_px, mark.x_px + gap_px, mark.y_px + gap_px
    if mark.box is not None:
        left, right = min(left, mark.box.left_px), max(right, mark.box.left_px + mark.box.width_px)
        top, bottom = min(top, mark.box.top_px), max(bottom, mark.box.top_px + mark.box.height_px)
    left, top, right, bottom = left - unit_px, top - unit_px, right + unit_px, bottom + unit_px
    x_px, y_px = mark.x_px - width_px / 2, mark.y_px - height_px / 2
    places = ((right, y_px), (left - width_px - 1, y_px), (x_px, top - height_px - 1), (x_px, bottom))

    def hidden(place: tuple[float, float]) -> float:
        x_px, y_px = moved(place)
        across = min(x_px + width_px, right) - max(x_px, left)
        return max(across, 0.0) * max(min(y_px + height_px, bottom) - max(y_px, top), 0.0)

    return moved(min(places, key=hidden))
