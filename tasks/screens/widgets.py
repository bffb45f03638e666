"""The controls of a form on a training screen, one row at a time.

A drawer gets an area (left, top, right, bottom, px), draws at its top what fits, and returns the height it ended at;
the area's own top where nothing fitted.
"""

from __future__ import annotations

from collections.abc import Callable

from ..vocabulary import Kind
from . import texts
from .canvas import Canvas, blend, middle
from .samples import Box

Drawer = Callable[[Canvas, Box], float]


def heading(c: Canvas, area: Box) -> float:
    left_px, top_px, right_px, bottom_px = area
    size_px = min(30, round(c.size_px * c.rng.uniform(1.1, 1.8)))
    if top_px + c.line_px(size_px) > bottom_px or not (text := c.fresh(texts.headline, right_px - left_px, bold=True,
                                                                       size_px=size_px)):  # fmt: skip
        return top_px
    start_px = left_px
    if c.rng.random() < 0.2:
        start_px = (left_px + right_px - c.width(text, bold=True, size_px=size_px)) / 2
    box = c.say(start_px, top_px, text, c.theme.text, bold=True, size_px=size_px)
    if c.rng.random() < 0.3 and box[3] + c.line_px() < bottom_px:
        return text_line(c, (start_px, box[3] + 1, right_px, bottom_px))
    return box[3]


def text_line(c: Canvas, area: Box) -> float:
    """A few words of prose on one line."""
    left_px, top_px, right_px, bottom_px = area
    if top_px + c.line_px() > bottom_px:
        return top_px
    text = c.fresh(lambda rng: texts.sentence(rng, rng.randint(2, 7)), right_px - left_px)
    return c.say(left_px, top_px, text, c.theme.muted)[3] if text else top_px


def buttons(c: Canvas, area: Box) -> float:
    left_px, top_px, right_px, bottom_px = area
    rng = c.rng
    height_px = c.line_px() + rng.uniform(4, 20)
    if top_px + height_px > bottom_px:
        return top_px
    wide = rng.random() < 0.2 and right_px - left_px < 30 * c.size_px
    count = 1 if wide else rng.randint(1, 4)
    if rng.random() < 0.15:
        left_px = max(left_px, right_px - count * 9 * c.size_px)
    drawn = False
    for index in range(count):
        pad_px = rng.uniform(0.5, 1.8) * c.size_px
        text = c.fresh(texts.button_text, right_px - left_px - 2 * pad_px, bold=c.button_bold)
        if text is None:
            break
        width_px = right_px - left_px if wide else c.width(text, bold=c.button_bold) + 2 * pad_px
        button(c, (left_px, top_px, left_px + width_px, top_px + height_px), text, main=index == 0)
        left_px += width_px + rng.uniform(4, 18)
        drawn = True
    return top_px + height_px if drawn else top_px


def button(c: Canvas, box: Box, text: str, *, main: bool) -> None:
    """A button with its text, sometimes with an icon before it where there is room."""
    rng, theme = c.rng, c.theme
    style = rng.choices(("filled", "outline", "soft", "bare"), (8, 1, 1, 0.3) if main else (2, 5, 3, 1))[0]
    if style == "filled":
        c.panel(box, theme.accent)
        ink = theme.on_accent
    elif style == "soft":
        c.panel(box, blend(theme.card, theme.text, 0.12))
        ink = theme.text
    else:
        outline = theme.accent if rng.random() < 0.3 else theme.border
        c.panel(box, theme.input if style == "outline" else None, outline if style == "outline" else None)
        ink = theme.link if style == "bare" else theme.text
    width_px = c.width(text, bold=c.button_bold)
    icon_px = min(32, round(c.size_px * 1.1))
    if rng.random() < 0.2 and box[2] - box[0] > width_px + 1.6 * icon_px + 6:
        start_px = (box[0] + box[2] - width_px - 1.4 * icon_px) / 2
        c.icon(c.free_icon(), start_px, (box[1] + box[3] - icon_px) / 2, icon_px, ink)
        c.text(start_px + 1.4 * icon_px, c.text_top(box[1], box[3]), text, ink, bold=c.button_bold)
    else:
        c.centred(box, text, ink, bold=c.button_bold)
    c.add("button", text, box)


def links(c: Canvas, area: Box) -> float:
    left_px, top_px, right_px, bottom_px = area
    rng = c.rng
    if top_px + c.line_px() > bottom_px:
        return top_px
    under = rng.random() < 0.35
    drawn = False
    for _ in range(rng.randint(1, 4)):
        text = c.fresh(texts.link_text, right_px - left_px)
        if text is None:
            break
        box = c.say(left_px, top_px, text, c.theme.link, kind="link")
        if under:
            c.pen.line((box[0], box[3] - 1, box[2], box[3] - 1), c.theme.link)
        left_px = box[2] + rng.uniform(8, 30)
        drawn = True
    return top_px + c.line_px() if drawn else top_px


def field(c: Canvas, area: Box) -> float:
    """A text field with its label above, beside or inside it."""
    return _labelled(c, area, "field")


def select(c: Canvas, area: Box) -> float:
    """A drop-down: its label as a field has it, its value, an arrow at the right."""
    return _labelled(c, area, "select")


def _labelled(c: Canvas, area: Box, kind: Kind) -> float:
    left_px, top_px, right_px, bottom_px = area
    rng, theme = c.rng, c.theme
    height_px = c.line_px() + rng.uniform(3, 18)
    place = c.label_place if rng.random() < 0.9 else "above"
    if kind == "select" and place == "inside":
        place = "above"
    if right_px - left_px > 34 * c.size_px:
        right_px = left_px + rng.uniform(16, 34) * c.size_px
    tall_px = height_px + (c.line_px() + 5 if place == "above" else 0)
    limit_px = (right_px - left_px) * (0.55 if place == "left" else 0.95) - 8
    label = c.fresh(texts.field_label, limit_px, bold=c.label_bold) if top_px + tall_px <= bottom_px else None
    if label is None or right_px - left_px < 5 * c.size_px:
        return top_px
    parts: list[Box] = []
    shown = label + rng.choices(("", ":", " *"), (5, 3, 1))[0]
    if place == "above":
        parts.append(c.text(left_px, top_px, shown, theme.text, bold=c.label_bold))
        top_px = parts[0][3] + rng.uniform(1, 5)
    elif place == "left":
        text_top_px = c.text_top(top_px, top_px + height_px)
        parts.append(c.text(left_px, text_top_px, shown, theme.text, bold=c.label_bold))
        left_px = max(left_px + 0.36 * (right_px - left_px), parts[0][2] + 6)
    if rng.random() < 0.2:
        right_px = left_px + (right_px - left_px) * rng.uniform(0.6, 0.95)
    box = (left_px, top_px, right_px, top_px + height_px)
    _field_box(c, box)
    start_px = left_px + rng.uniform(4, 10)
    room_px = right_px - start_px - 6
    if kind == "select":
        size_px = max(8, round(0.9 * c.size_px))
        c.icon("chevron down", right_px - 1.5 * size_px, (box[1] + box[3] - size_px) / 2, size_px, theme.text)
        _inside(c, start_px, box, texts.choice_text, room_px - 1.7 * size_px)
    elif place == "inside":
        c.text(start_px, c.text_top(box[1], box[3]), label, theme.muted)
    elif rng.random() < 0.4:
        _inside(c, start_px, box, texts.typed_text, room_px)
    c.add(kind, label, box, None, (*parts, box))
    return box[3]


def _field_box(c: Canvas, box: Box) -> None:
    focused = c.rng.random() < 0.1
    edge = c.theme.accent if focused else c.theme.border
    if c.field_style == "underline":
        c.pen.line((box[0], box[3], box[2], box[3]), edge, 2 if focused else 1)
    elif c.field_style == "filled" and not focused:
        c.panel(box, blend(c.theme.card, c.theme.border, 0.3))
    else:
        c.panel(box, c.theme.input, edge, width_px=2 if focused else 1)


def _inside(c: Canvas, left_px: float, box: Box, maker: texts.Maker, room_px: float) -> None:
    value = c.fresh(maker, room_px)
    if value is not None:
        c.text(left_px, c.text_top(box[1], box[3]), value, c.theme.text)


def search_field(c: Canvas, area: Box) -> float:
    """A field with a magnifier in it; its label is inside."""
    left_px, top_px, right_px, bottom_px = area
    rng = c.rng
    height_px = c.line_px() + rng.uniform(4, 14)
    right_px = min(right_px, left_px + rng.uniform(14, 36) * c.size_px)
    if top_px + height_px > bottom_px or right_px - left_px < 8 * c.size_px or "search" in c.used:
        return top_px
    box = (left_px, top_px, right_px, top_px + height_px)
    label = "Search" if rng.random() < 0.6 else f"Search {texts.combination(rng).split()[-1].lower()}"
    size_px = max(10, round(c.size_px * 1.05))
    if not texts.allowed(label) or c.width(label) > right_px - left_px - 2 * size_px - 12:
        return top_px
    c.used.update((label.lower(), "search"))
    c.panel(box, c.theme.input, c.theme.border, radius_px=c.radius_px * rng.choice((1, 1, 3)))
    y_px = (box[1] + box[3] - size_px) / 2
    if rng.random() < 0.7:
        c.icon("search", left_px + 6, y_px, size_px, c.theme.muted)
        start_px = left_px + size_px + 12
    else:
        square = c.icon("search", right_px - size_px - 7, y_px, size_px, c.theme.text)
        start_px = left_px + 8
        box = (box[0], box[1], square[0] - 3.0, box[3])
    c.text(start_px, c.text_top(box[1], box[3]), label, c.theme.muted)
    c.add("field", label, box)
    return box[3]


def checkbox(c: Canvas, area: Box) -> float:
    return _ticked(c, area, "checkbox", texts.switch_text, c.rng.random() < 0.35)


def _ticked(c: Canvas, area: Box, kind: Kind, maker: texts.Maker, chosen: bool) -> float:
    left_px, top_px, right_px, bottom_px = area
    theme = c.theme
    side_px, gap_px = c.tick_px, c.tick_gap_px
    height_px = max(side_px, c.line_px())
    if top_px + height_px > bottom_px or not (label := c.fresh(maker, right_px - left_px - side_px - gap_px)):
        return top_px
    middle_px = top_px + height_px / 2
    square = (left_px, middle_px - side_px / 2, left_px + side_px, middle_px + side_px / 2)
    x, y, s = square[0], square[1], side_px
    if kind == "radio":
        c.pen.ellipse(square, theme.input, theme.accent if chosen else theme.border)
        if chosen:
            c.pen.ellipse((x + s * 0.28, y + s * 0.28, x + s * 0.72, y + s * 0.72), theme.accent)
    else:
        c.panel(square, theme.accent if chosen else theme.input, theme.border, radius_px=min(c.radius_px, 4))
        if chosen:
            tick = [(x + s * 0.22, y + s * 0.52), (x + s * 0.42, y + s * 0.72), (x + s * 0.78, y + s * 0.3)]
            c.pen.line(tick, theme.on_accent, 2)
    text = c.text(x + s + gap_px, middle_px - c.line_px() / 2, label, theme.text)
    box = (square[0], min(y, text[1]), text[2], max(square[3], text[3]))
    c.add(kind, label, box, middle(square))
    return box[3]


def radios(c: Canvas, area: Box) -> float:
    """A group of radio buttons, below each other or in a row, one chosen."""
    left_px, top_px, right_px, bottom_px = area
    rng = c.rng
    count, chosen = rng.randint(2, 4), rng.randrange(4)
    if rng.random() < 0.4:
        step_px = (right_px - left_px) / count
        ends = [
            _ticked(c, (left_px + i * step_px, top_px, left_px + (i + 1) * step_px - 6, bottom_px), "radio",
                    texts.choice_text, i == chosen)
            for i in range(count)
        ]  # fmt: skip
        return max(ends)
    if rng.random() < 0.5:
        top_px = _caption(c, area)
    for index in range(count):
        end_px = _ticked(c, (left_px, top_px, right_px, bottom_px), "radio", texts.choice_text, index == chosen)
        top_px = end_px + (c.gap_px * 0.6 if end_px > top_px else 0)
    return top_px


def _caption(c: Canvas, area: Box) -> float:
    """What a group is called."""
    left_px, top_px, right_px, bottom_px = area
    if top_px + 2.2 * c.line_px() > bottom_px or not (
        text := c.fresh(texts.field_label, right_px - left_px, bold=c.label_bold)
    ):
        return top_px
    return c.say(left_px, top_px, text, c.theme.text, bold=c.label_bold)[3] + 3


def switch(c: Canvas, area: Box) -> float:
    """A switch with its label before or behind it."""
    left_px, top_px, right_px, bottom_px = area
    rng, theme = c.rng, c.theme
    tall_px, wide_px = c.switch_px, 1.9 * c.switch_px
    height_px = max(tall_px, c.line_px())
    if top_px + height_px > bottom_px or not (label := c.fresh(texts.switch_text, right_px - left_px - wide_px - 12)):
        return top_px
    if right_px - left_px > 34 * c.size_px:
        right_px = left_px + 34 * c.size_px
    on, first = rng.random() < 0.5, rng.random() < 0.35
    start_px = left_px if first else max(right_px - wide_px, left_px + c.width(label) + 10)
    y_px = top_px + (height_px - tall_px) / 2
    track = (start_px, y_px, start_px + wide_px, y_px + tall_px)
    c.panel(track, theme.accent if on else blend(theme.card, theme.text, 0.35), radius_px=tall_px / 2)
    knob_px = track[2] - tall_px + 2 if on else track[0] + 2
    c.pen.ellipse((knob_px, y_px + 2, knob_px + tall_px - 4, track[3] - 2), theme.on_accent if on else theme.card)
    text_left_px = track[2] + 8 if first else left_px
    text = c.text(text_left_px, top_px + (height_px - c.line_px()) / 2, label, theme.text)
    c.add("switch", label, (min(track[0], text[0]), min(y_px, text[1]), max(track[2], text[2]),
                            max(track[3], text[3])), middle(track))  # fmt: skip
    return top_px + height_px


def slider(c: Canvas, area: Box) -> float:
    """A slider under or behind its label; the place to grab is its knob."""
    left_px, top_px, right_px, bottom_px = area
    rng, theme = c.rng, c.theme
    beside = rng.random() < 0.4
    tall_px = c.line_px() + (0 if beside else c.size_px * 1.2)
    right_px = min(right_px, left_px + rng.uniform(14, 30) * c.size_px)
    if top_px + tall_px > bottom_px or right_px - left_px < 7 * c.size_px:
        return top_px
    label = c.fresh(texts.field_label, (right_px - left_px) * (0.5 if beside else 0.8))
    if label is None:
        return top_px
    text = c.text(left_px, top_px, label, theme.text, bold=c.label_bold)
    start_px = text[2] + 12 if beside else left_px
    y_px = (text[1] + text[3]) / 2 if beside else text[3] + c.size_px * 0.6
    knob_px = max(4.0, c.size_px * rng.uniform(0.3, 0.5))
    at_px = start_px + knob_px + rng.random() * (right_px - start_px - 2 * knob_px)
    thick_px = rng.choice((1.0, 1.5, 2.5))
    c.panel((start_px, y_px - thick_px, right_px, y_px + thick_px), blend(theme.card, theme.text, 0.3), radius_px=2)
    c.panel((start_px, y_px - thick_px, at_px, y_px + thick_px), theme.accent, radius_px=2)
    c.pen.ellipse((at_px - knob_px, y_px - knob_px, at_px + knob_px, y_px + knob_px), theme.accent, theme.card)
    track = (start_px, y_px - knob_px - 1, right_px, y_px + knob_px + 1)
    c.add("slider", label, track, (at_px, y_px), (text, track))
    return max(text[3], track[3])


def tabs(c: Canvas, area: Box) -> float:
    """A row of tabs, the first or another one open."""
    left_px, top_px, right_px, bottom_px = area
    rng, theme = c.rng, c.theme
    pad_px = rng.uniform(3, 10)
    height_px = c.line_px() + 2 * pad_px
    if top_px + height_px > bottom_px:
        return top_px
    style = rng.choice(("rule", "box", "pill"))
    start_px, open_tab = left_px, rng.randrange(3)
    for index in range(rng.randint(2, 6)):
        text = c.fresh(texts.tab_text, right_px - left_px - 2 * pad_px)
        if text is None:
            break
        box = (left_px, top_px, left_px + c.width(text) + 2 * (pad_px + 2), top_px + height_px)
        chosen = index == open_tab
        if style == "pill" and chosen:
            c.panel(box, theme.accent)
        elif style == "box":
            c.panel(box, theme.input if chosen else blend(theme.card, theme.text, 0.08), theme.border, radius_px=0)
        elif chosen:
            c.pen.line((box[0], box[3], box[2], box[3]), theme.accent, 3)
        ink = theme.on_accent if style == "pill" and chosen else theme.text if chosen else theme.muted
        c.centred(box, text, ink)
        c.add("tab", text, box)
        left_px = box[2] + rng.uniform(0, 8)
    if left_px > start_px and style == "rule":
        c.pen.line((start_px, top_px + height_px + 1, right_px, top_px + height_px + 1), theme.border)
    return top_px + height_px + 2 if left_px > start_px else top_px


def icon_row(c: Canvas, area: Box) -> float:
    """Icons side by side, bare or on buttons."""
    left_px, top_px, right_px, bottom_px = area
    rng = c.rng
    size_px = max(12, min(32, round(c.size_px * rng.uniform(1.0, 1.9))))
    pad_px = rng.uniform(2, 9)
    step_px = size_px + 2 * pad_px
    if top_px + step_px > bottom_px:
        return top_px
    framed, gap_px = rng.random() < 0.35, rng.uniform(0, 10)
    drawn = False
    for _ in range(rng.randint(2, 8)):
        if left_px + step_px > right_px:
            break
        icon_button(c, c.free_icon(), (left_px, top_px, left_px + step_px, top_px + step_px), size_px, framed=framed)
        left_px += step_px + gap_px + (rng.uniform(6, 16) if rng.random() < 0.15 else 0)
        drawn = True
    return top_px + step_px if drawn else top_px


def icon_button(c: Canvas, name: str, box: Box, size_px: int, *, framed: bool) -> None:
    """An icon in the middle of its place, to be asked for by what it means."""
    filled = framed and c.rng.random() < 0.3
    if framed and not filled and c.rng.random() < 0.15:  # a tile of a colour of its own
        red, green, blue = (c.rng.randint(30, 170) for _ in range(3))
        c.panel(box, (red, green, blue), radius_px=max(3, c.radius_px))
        c.icon(name, (box[0] + box[2] - size_px) / 2, (box[1] + box[3] - size_px) / 2, size_px, (250, 250, 250), box)
        return
    if framed:
        c.panel(box, c.theme.accent if filled else c.theme.input, None if filled else c.theme.border)
    plain = c.theme.accent if c.rng.random() < 0.12 and not framed else c.theme.text
    ink = c.theme.on_accent if filled else plain
    c.icon(name, (box[0] + box[2] - size_px) / 2, (box[1] + box[3] - size_px) / 2, size_px, ink, box)
