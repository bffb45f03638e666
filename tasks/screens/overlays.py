"""What opens in front of a training screen and hides some of it: dialogs and menus."""

from __future__ import annotations

from . import texts
from .canvas import Canvas, blend
from .frames import FORM, SETTINGS, stack, title_bar
from .widgets import buttons, checkbox, field, heading, icon_button, text_line


def dialog(c: Canvas) -> None:
    """A dialog in front; what is behind may be dimmed, and then only the dialog can be clicked."""
    rng = c.rng
    wide_px = min(c.width_px * rng.uniform(0.5, 0.9), rng.uniform(18, 34) * c.size_px)
    tall_px = min(c.height_px * rng.uniform(0.45, 0.9), rng.uniform(9, 26) * c.size_px)
    left_px = (c.width_px - wide_px) * rng.choice((0.5, 0.5, rng.random()))
    top_px = (c.height_px - tall_px) * rng.choice((0.5, 0.35, rng.random()))
    box = (left_px, top_px, left_px + wide_px, top_px + tall_px)
    if rng.random() < 0.7:
        c.dim(rng.uniform(0.3, 0.65))
    c.cover((left_px - 4, top_px - 4, box[2] + 4, box[3] + 4))
    c.shadow(box)
    c.panel(box, c.theme.card, c.theme.border)
    inner_top_px = top_px
    if rng.random() < 0.3:
        inner_top_px = title_bar(c, box)
    elif rng.random() < 0.5:
        size_px = max(12, round(c.size_px * 1.1))
        place = (box[2] - size_px - 14, top_px + 4, box[2] - 4, top_px + size_px + 14)
        icon_button(c, "close", place, size_px, framed=False)
    inner = (left_px + 14, inner_top_px + 10, box[2] - 30, box[3] - 8)
    low_px = box[3] - c.line_px() - 30
    pool = rng.choice((FORM, SETTINGS, ((text_line, 3), (checkbox, 1), (field, 1))))
    stack(c, (inner[0], inner[1], inner[2], low_px), pool, heading)
    buttons(c, (inner[0], low_px, inner[2] + 16, box[3]))


def popup(c: Canvas) -> None:
    """An opened menu: entries, some with an icon or a key beside them, cut by rules."""
    rng, theme = c.rng, c.theme
    row_px = c.line_px() + rng.uniform(1, 10)
    with_icons, with_keys = rng.random() < 0.3, rng.random() < 0.35
    wide_px = rng.uniform(9, 17) * c.size_px + (5 * c.size_px if with_keys else 0)
    count = min(rng.randint(3, 14), int(c.height_px * 0.85 / row_px) - 1)
    if wide_px > c.width_px * 0.8 or count < 2:
        return
    menus = [control for control in c.controls if control.kind in ("menu", "select", "icon")]
    tall_px = count * row_px + 8
    left_px, top_px = rng.random() * (c.width_px - wide_px - 4), rng.random() * (c.height_px - tall_px - 4)
    if menus and rng.random() < 0.7:
        parent = rng.choice(menus).box
        left_px, top_px = min(parent[0], c.width_px - wide_px - 4), min(parent[3] + 1, c.height_px - tall_px - 4)
    box = (left_px, top_px, left_px + wide_px, top_px + tall_px)
    c.cover((left_px - 3, top_px - 2, box[2] + 3, box[3] + 3))
    c.shadow(box)
    c.panel(box, theme.card, theme.border, radius_px=min(c.radius_px, 8))
    y_px, hovered = top_px + 4, rng.randint(0, 12)
    icon_px = max(11, min(32, round(c.size_px)))
    for index in range(count):
        row = (left_px + 2, y_px, box[2] - 2, y_px + row_px)
        x_px = left_px + 10 + (icon_px + 8 if with_icons else 0)
        if text := c.fresh(texts.entry_text, box[2] - x_px - 8 - (5 * c.size_px if with_keys else 0)):
            ink = theme.text
            if index == hovered:
                c.panel(row, theme.accent, radius_px=min(c.radius_px, 4))
                ink = theme.on_accent
            drawn = c.text(x_px, c.text_top(y_px, y_px + row_px), text, ink)
            c.add("option", text, row, ((drawn[0] + drawn[2]) / 2, (row[1] + row[3]) / 2), (drawn,))
            if with_icons and rng.random() < 0.7:
                c.icon(c.free_icon(), left_px + 8, y_px + (row_px - icon_px) / 2, icon_px, ink)
            if with_keys and rng.random() < 0.6:
                keys = rng.choice(("Ctrl+", "Ctrl+Shift+", "Alt+")) + rng.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
                wide_key_px = c.width(keys)
                if drawn[2] + 6 < box[2] - 8 - wide_key_px:
                    c.text(box[2] - 8 - wide_key_px, drawn[1], keys, blend(theme.card, ink, 0.6))
        y_px += row_px
        if rng.random() < 0.15:
            c.pen.line((left_px + 2, y_px, box[2] - 2, y_px), blend(theme.card, theme.border, 0.7))
