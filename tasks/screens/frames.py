"""What surrounds a training screen's content, and how the content divides the room that is left.

Frames draw at an area's edges and return the area between; `fill` divides an area and fills its parts.
"""

from __future__ import annotations

from collections.abc import Sequence

from . import texts
from .blocks import BLOCKS, entries
from .canvas import Canvas, blend
from .samples import Box
from .widgets import (
    Drawer,
    button,
    buttons,
    checkbox,
    field,
    heading,
    icon_button,
    icon_row,
    links,
    radios,
    search_field,
    select,
    slider,
    switch,
    tabs,
    text_line,
)

FORM: tuple[tuple[Drawer, float], ...] = (
    (field, 8), (checkbox, 4), (select, 3), (radios, 2), (switch, 3), (slider, 1.5), (buttons, 4), (links, 2),
    (text_line, 1), (search_field, 1), (icon_row, 0.5), (heading, 0.7), (tabs, 0.4),
)  # fmt: skip
SETTINGS: tuple[tuple[Drawer, float], ...] = (
    (switch, 6), (select, 3), (slider, 3), (checkbox, 3), (radios, 2), (heading, 2), (text_line, 2), (buttons, 1),
)  # fmt: skip


def page_frame(c: Canvas, area: Box) -> Box:
    """A web page: a header, sometimes a footer; what is left between."""
    left_px, top_px, right_px, bottom_px = area
    rng = c.rng
    if rng.random() < 0.75:
        top_px = _header(c, area)
    if rng.random() < 0.3 and bottom_px - top_px > 16 * c.size_px:
        foot_px = bottom_px - c.line_px() - rng.uniform(4, 18)
        ground = blend(c.theme.page, c.theme.text, 0.06)
        c.panel((left_px, foot_px, right_px, bottom_px), ground, radius_px=0)
        _along(c, (left_px + 12, foot_px, right_px - 8, bottom_px), rng.randint(1, 6))
        bottom_px = foot_px
    return _beside(c, (left_px, top_px, right_px, bottom_px), rng.random() < 0.25)


def application_frame(c: Canvas, area: Box) -> Box:
    """A window: a title bar, a menu bar, a tool bar, a side bar, a status bar, any of them."""
    left_px, top_px, right_px, bottom_px = area
    rng = c.rng
    if rng.random() < 0.6:
        top_px = title_bar(c, area)
    if rng.random() < 0.5 and top_px + 10 * c.size_px < bottom_px:
        top_px = _menu_bar(c, (left_px, top_px, right_px, bottom_px))
    if rng.random() < 0.5 and top_px + 10 * c.size_px < bottom_px:
        shade = (left_px, top_px, right_px, top_px + 2.6 * c.size_px)
        ground = blend(c.theme.page, c.theme.text, 0.05)
        end_px = icon_row(c, (left_px + 6, top_px + 2, right_px - 6, bottom_px))
        c.pen.line((left_px, end_px + 2, right_px, end_px + 2), blend(ground, c.theme.border, 0.7))
        top_px = max(end_px + 3, shade[1])
    if rng.random() < 0.3 and bottom_px - top_px > 14 * c.size_px:
        small_px = max(10, c.size_px - 2)
        foot_px = bottom_px - c.line_px(small_px) - 4
        c.panel((left_px, foot_px, right_px, bottom_px), blend(c.theme.page, c.theme.text, 0.1), radius_px=0)
        x_px = left_px + 8
        for _ in range(rng.randint(1, 4)):
            if text := c.fresh(texts.any_text, min(right_px - x_px - 8, 16 * c.size_px), size_px=small_px):
                x_px = c.say(x_px, foot_px + 2, text, c.theme.text, size_px=small_px)[2] + rng.uniform(10, 40)
        bottom_px = foot_px
    return _beside(c, (left_px, top_px, right_px, bottom_px), rng.random() < 0.5)


def _header(c: Canvas, area: Box) -> float:
    """A strip across the top: a brand, links or tabs, icons or a search field at the right."""
    left_px, top_px, right_px, _ = area
    rng, theme = c.rng, c.theme
    bottom_px = top_px + c.line_px() + rng.uniform(6, 1.8 * c.size_px)
    if rng.random() < 0.35:
        c.theme = theme.on_colour()
    c.panel((left_px, top_px, right_px, bottom_px), c.theme.card, radius_px=0)
    if rng.random() < 0.5:
        c.pen.line((left_px, bottom_px, right_px, bottom_px), c.theme.border)
    x_px = left_px + rng.uniform(6, 24)
    size_px = min(32, round(c.size_px * 1.25))
    if rng.random() < 0.25:
        icon_button(c, "menu", (x_px - 4, top_px, x_px + size_px + 4, bottom_px), size_px, framed=False)
        x_px += size_px + 14
    if rng.random() < 0.8 and (text := c.fresh(texts.brand, 0.4 * (right_px - left_px), bold=True)):
        box = c.say(x_px, c.text_top(top_px, bottom_px), text, c.theme.text, bold=True)
        x_px = box[2] + rng.uniform(12, 50)
    end_px = right_px - 8
    for _ in range(rng.choice((0, 0, 1, 2, 3, 4))):
        if end_px - size_px - 10 < x_px + 6 * c.size_px:
            break
        place = (end_px - size_px - 8, top_px, end_px, bottom_px)
        icon_button(c, c.free_icon(), place, size_px, framed=False)
        end_px = place[0] - 3
    if rng.random() < 0.3 and end_px - x_px > 14 * c.size_px:
        if rng.random() < 0.5 and bottom_px - top_px > c.line_px() + 10:
            wide_px = rng.uniform(9, 20) * c.size_px
            field_area = (end_px - wide_px, top_px + 3, end_px, bottom_px + 8)
            if search_field(c, field_area) > field_area[1]:
                end_px -= wide_px + 8
        elif text := c.fresh(texts.button_text, 8 * c.size_px, bold=c.button_bold):
            wide_px = c.width(text, bold=c.button_bold) + c.size_px
            button(c, (end_px - wide_px, top_px + 3, end_px, bottom_px - 3), text, main=True)
            end_px -= wide_px + 8
    _along(c, (x_px, top_px, end_px - 6, bottom_px), rng.randint(0, 7))
    c.theme = theme
    return bottom_px + 1


def _along(c: Canvas, area: Box, count: int) -> None:
    """Links side by side, in the middle of the area's height."""
    x_px, top_px, right_px, bottom_px = area
    ink = c.theme.link if c.rng.random() < 0.5 else c.theme.text
    gap_px = c.rng.uniform(0.7, 2) * c.size_px
    for _ in range(count):
        text = c.fresh(texts.link_text, right_px - x_px)
        if text is None:
            return
        x_px = c.say(x_px, c.text_top(top_px, bottom_px), text, ink, kind="link")[2] + gap_px


def title_bar(c: Canvas, area: Box) -> float:
    """The window's name and the buttons that minimise, enlarge and close it, at either end."""
    left_px, top_px, right_px, _ = area
    rng = c.rng
    bottom_px = top_px + c.line_px() + rng.uniform(4, 16)
    theme = c.theme
    ground = rng.choice((blend(theme.page, theme.text, 0.12), theme.accent, theme.card))
    ink = theme.on_accent if ground == theme.accent else theme.text
    c.panel((left_px, top_px, right_px, bottom_px), ground, radius_px=0)
    size_px = max(11, min(18, round(c.size_px * 0.9)))
    step_px = size_px + rng.uniform(6, 18)
    at_left = rng.random() < 0.25
    names = ("close", "minus", "full screen") if at_left else ("close", "full screen", "minus")
    for index, name in enumerate(names):
        x_px = left_px + index * step_px if at_left else right_px - (index + 1) * step_px
        place = (x_px, top_px, x_px + step_px, bottom_px)
        middle_px = ((place[0] + place[2]) / 2, (top_px + bottom_px) / 2)
        if at_left:
            tint = ((236, 95, 88), (240, 190, 70), (95, 200, 80))[index]
            half_px = size_px * 0.45
            dot = (middle_px[0] - half_px, middle_px[1] - half_px, middle_px[0] + half_px, middle_px[1] + half_px)
            c.pen.ellipse(dot, tint)
            c.add("icon", name, dot)
        else:
            c.icon(name, middle_px[0] - size_px / 2, middle_px[1] - size_px / 2, size_px, ink, place)
    free_px = right_px - left_px - 3 * step_px - 30
    if text := c.fresh(rng.choice((texts.brand, texts.file_name_text, texts.headline)), free_px):
        x_px = left_px + (3 * step_px + 10 if at_left else 10)
        if rng.random() < 0.5:
            x_px = max(x_px, (left_px + right_px - 3 * step_px - c.width(text)) / 2)
        c.say(x_px, c.text_top(top_px, bottom_px), text, ink, bold=rng.random() < 0.3)
    return bottom_px


def _menu_bar(c: Canvas, area: Box) -> float:
    left_px, top_px, right_px, _ = area
    rng = c.rng
    bottom_px = top_px + c.line_px() + rng.uniform(2, 8)
    c.panel((left_px, top_px, right_px, bottom_px), blend(c.theme.page, c.theme.text, 0.04), radius_px=0)
    x_px, pad_px = left_px + 3, rng.uniform(0.3, 0.8) * c.size_px
    for _ in range(rng.randint(3, 9)):
        text = c.fresh(texts.menu_text, right_px - x_px - 2 * pad_px)
        if text is None:
            break
        box = c.text(x_px + pad_px, c.text_top(top_px, bottom_px), text, c.theme.text)
        place = (x_px, top_px, box[2] + pad_px, bottom_px)
        c.add("menu", text, place)
        x_px = place[2]
    return bottom_px


def _beside(c: Canvas, area: Box, wanted: bool) -> Box:
    """Put a list of places beside the area where there is room; returns what is left."""
    left_px, top_px, right_px, bottom_px = area
    rng, theme = c.rng, c.theme
    wide_px = rng.uniform(8, 15) * c.size_px
    if not wanted or right_px - left_px - wide_px < 16 * c.size_px:
        return area
    at_right = rng.random() < 0.2
    start_px = right_px - wide_px if at_right else left_px
    side = (start_px, top_px, start_px + wide_px, bottom_px)
    if rng.random() < 0.2:
        c.theme = theme.on_colour()
    c.panel(side, blend(c.theme.page, c.theme.text, 0.05), radius_px=0)
    inner = (side[0] + 6, top_px + rng.uniform(4, 20), side[2] - 6, bottom_px - 4)
    stack(c, inner, ((entries, 6), (heading, 1), (links, 1), (buttons, 0.6)), first=entries)
    c.theme = theme
    return (left_px, top_px, start_px, bottom_px) if at_right else (side[2], top_px, right_px, bottom_px)


def fill(c: Canvas, area: Box) -> None:
    """Divide the area until its parts are small enough, then fill each."""
    left_px, top_px, right_px, bottom_px = area
    rng = c.rng
    wide_px, tall_px = right_px - left_px, bottom_px - top_px
    unit_px = c.size_px
    if wide_px > rng.uniform(36, 70) * unit_px:
        cut_px = left_px + wide_px * rng.choice((0.33, 0.5, 0.5, 0.67))
        fill(c, (left_px, top_px, cut_px, bottom_px))
        fill(c, (cut_px, top_px, right_px, bottom_px))
    elif tall_px > rng.uniform(26, 60) * unit_px:
        cut_px = top_px + tall_px * rng.choice((0.35, 0.5, 0.6))
        fill(c, (left_px, top_px, right_px, cut_px))
        fill(c, (left_px, cut_px, right_px, bottom_px))
    else:
        _part(c, area)


def _part(c: Canvas, area: Box) -> None:
    """One card or a bare part of the page with one sort of content, or some of every sort."""
    left_px, top_px, right_px, bottom_px = area
    rng, theme = c.rng, c.theme
    margin_px = min(rng.uniform(0.3, 1.6) * c.size_px, 0.06 * (right_px - left_px))
    box = (left_px + margin_px, top_px + margin_px * 0.7, right_px - margin_px, bottom_px - margin_px * 0.7)
    if (spare_px := right_px - left_px - 30 * c.size_px) > 0 and rng.random() < 0.3:
        shift_px = rng.random() * spare_px
        box = (box[0] + shift_px, box[1], box[2] - spare_px + shift_px, box[3])
    inner = box
    if rng.random() < 0.55:
        outline = theme.border if rng.random() < 0.6 else None
        c.panel(box, theme.card, outline, radius_px=c.radius_px * 1.3)
        pad_px = min(c.pad_px, 0.08 * (box[2] - box[0]))
        inner = (box[0] + pad_px, box[1] + pad_px * 0.8, box[2] - pad_px, box[3] - pad_px * 0.5)
    pool = rng.choices((FORM, BLOCKS, SETTINGS, FORM + BLOCKS), (4, 5, 1.2, 2))[0]
    first = heading if rng.random() < 0.45 else tabs if rng.random() < 0.12 else None
    columns = 2 if inner[2] - inner[0] > 30 * c.size_px and rng.random() < 0.3 and pool is not BLOCKS else 1
    step_px = (inner[2] - inner[0] + 16) / columns
    for column in range(columns):
        x_px = inner[0] + column * step_px
        stack(c, (x_px, inner[1], x_px + step_px - 16 * (columns > 1) - (columns == 1) * 16, inner[3]), pool, first)


def stack(c: Canvas, area: Box, pool: Sequence[tuple[Drawer, float]], first: Drawer | None = None) -> float:
    """Draw rows of the pool below each other until the area is full or enough is there."""
    left_px, top_px, right_px, bottom_px = area
    rng = c.rng
    drawers, weights = zip(*pool, strict=True)
    failures, wanted = 0, rng.randint(2, 16)
    row = first
    while failures < 3 and wanted > 0 and top_px < bottom_px:
        row = row or rng.choices(drawers, weights)[0]
        end_px = row(c, (left_px, top_px, right_px, bottom_px))
        if end_px > top_px:
            top_px = end_px + c.gap_px * rng.uniform(0.6, 1.4)
            wanted -= 1
        else:
            failures += 1
        row = row if rng.random() < 0.35 and row is not first else None
    return top_px
