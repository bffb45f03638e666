"""What fills training screens beside forms: tables, lists, paragraphs, cards, messages, code, calendars.

Drawers as in `widgets`: each gets an area, draws at its top what fits, and returns the height it ended at.
"""

from __future__ import annotations

from . import texts
from .canvas import Canvas, blend
from .samples import Box
from .widgets import Drawer, button, buttons, heading, icon_button, icon_row, links, text_line

ROW_ACTIONS: tuple[str, ...] = ("Edit", "Delete", "View", "Open", "Remove", "Details")
CARD_ACTIONS: tuple[str, ...] = (
    "Add to cart",
    "Buy now",
    "Details",
    "Follow",
    "Read more",
    "Select",
    "Book",
    "Install",
)


def table(c: Canvas, area: Box) -> float:
    """Rows and columns with a head; sometimes every row ends in the same actions."""
    left_px, top_px, right_px, bottom_px = area
    rng, theme = c.rng, c.theme
    columns = min(rng.randint(2, 7), int((right_px - left_px) / (6.5 * c.size_px)))
    row_px = c.line_px() + rng.uniform(2, 16)
    if columns < 2 or top_px + 2.5 * row_px > bottom_px:
        return top_px
    shares = [rng.uniform(0.7, 1.4) for _ in range(columns)]
    widths_px = [(right_px - left_px) * share / sum(shares) for share in shares]
    lefts_px = [left_px + sum(widths_px[:column]) for column in range(columns)]
    rows = min(rng.randint(2, 14), int((bottom_px - top_px) / row_px) - 1)
    start_px, pad_px, ruled = top_px, rng.uniform(3, 9), rng.choice(("rows", "all", "none", "stripes"))
    head = rng.random() < 0.85
    if head:
        if rng.random() < 0.5:
            c.panel((left_px, top_px, right_px, top_px + row_px), blend(theme.card, theme.text, 0.08), radius_px=0)
        bold = rng.random() < 0.6
        for x_px, width_px in zip(lefts_px, widths_px, strict=True):
            if text := c.fresh(texts.column_text, width_px - 2 * pad_px, bold=bold):
                c.say(x_px + pad_px, c.text_top(top_px, top_px + row_px), text, theme.text, bold=bold)
        top_px += row_px
        c.pen.line((left_px, top_px, right_px, top_px), theme.border)
    makers = texts.cell_makers(rng, columns)
    actions = rng.sample(ROW_ACTIONS, 2) if rng.random() < 0.2 else []
    for row in range(rows):
        box = (left_px, top_px, right_px, top_px + row_px)
        if ruled == "stripes" and row % 2:
            c.panel(box, blend(theme.card, theme.text, 0.05), radius_px=0)
        if row == 1 and rng.random() < 0.15:
            c.panel(box, blend(theme.card, theme.accent, 0.2), radius_px=0)
        for column, (x_px, width_px) in enumerate(zip(lefts_px, widths_px, strict=True)):
            if actions and column == columns - 1:
                _actions(c, (x_px + pad_px, top_px, x_px + width_px, top_px + row_px), actions)
            elif text := c.fresh(makers[column], width_px - 2 * pad_px):
                c.text(x_px + pad_px, c.text_top(top_px, top_px + row_px), text, theme.text)
                c.add(
                    "cell", text, (x_px, top_px, x_px + width_px, top_px + row_px), _near(x_px + pad_px, c, text, box)
                )
        top_px += row_px
        if ruled in ("rows", "all"):
            c.pen.line((left_px, top_px, right_px, top_px), theme.border)
    if ruled == "all":
        for x_px in (*lefts_px, right_px):
            c.pen.line((x_px, start_px, x_px, top_px), theme.border)
    return top_px + 1


def _near(left_px: float, c: Canvas, text: str, row: Box) -> tuple[float, float]:
    """The middle of a cell's text."""
    return left_px + c.width(text) / 2, (row[1] + row[3]) / 2


def _actions(c: Canvas, cell: Box, actions: list[str]) -> None:
    """The same links in every row: they are told apart by what stands beside them."""
    left_px = cell[0]
    for action in actions:
        if left_px + c.width(action) > cell[2]:
            break
        box = c.say(left_px, c.text_top(cell[1], cell[3]), action, c.theme.link, kind="link")
        c.used.add(action.lower())
        left_px = box[2] + c.size_px * 0.8


def entries(c: Canvas, area: Box) -> float:
    """A list: of places to go, of files, of people; each entry a line or two, sometimes with icons."""
    left_px, top_px, right_px, bottom_px = area
    rng, theme = c.rng, c.theme
    two_lines = rng.random() < 0.3
    small_px = max(10, round(c.size_px * 0.85))
    icon_px = min(32, round(c.size_px * rng.uniform(1.0, 1.4))) if rng.random() < 0.5 else 0
    tail = rng.random() < 0.2
    maker = rng.choice((texts.place_text, texts.any_text, texts.oddity_text, texts.file_name_text, texts.person_text))
    row_px = c.line_px() + (c.line_px(small_px) if two_lines else 0) + rng.uniform(1, 14)
    chosen = rng.randint(0, 9)
    ruled = rng.random() < 0.35
    for index in range(rng.randint(3, 16)):
        if top_px + row_px > bottom_px:
            break
        row = (left_px, top_px, right_px, top_px + row_px)
        x_px = left_px + 4 + (icon_px + 8 if icon_px else 0)
        text = c.fresh(maker, right_px - x_px - 6 - (3 * c.size_px if tail else 0))
        if text is None:
            continue
        if index == chosen:
            c.panel(row, blend(theme.card, theme.accent, 0.25))
        if icon_px:
            c.icon(c.free_icon(), left_px + 4, top_px + (row_px - icon_px) / 2, icon_px, theme.text)
        lines_px = c.line_px() + (c.line_px(small_px) if two_lines else 0)
        box = c.text(x_px, top_px + (row_px - lines_px) / 2, text, theme.text, bold=two_lines and c.label_bold)
        c.add("option", text, row, ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), (box,))
        if two_lines:
            room_px = right_px - x_px - 6 - (3 * c.size_px if tail else 0)
            below = c.fresh(lambda rng: texts.sentence(rng, rng.randint(2, 8)), room_px, size_px=small_px)
            if below:
                c.say(x_px, box[3], below, theme.muted, size_px=small_px)
        if tail:
            icon_px_2 = max(12, round(c.size_px))
            c.icon(rng.choice(("more", "chevron right", "close", "trash", "pencil", "star")),
                   right_px - icon_px_2 - 4, top_px + (row_px - icon_px_2) / 2, icon_px_2, theme.muted)  # fmt: skip
        top_px += row_px
        if ruled:
            c.pen.line((left_px, top_px, right_px, top_px), theme.border)
    return top_px


def paragraph(c: Canvas, area: Box) -> float:
    """Lines of prose; on many of them a few words in a row may be asked for."""
    left_px, top_px, right_px, bottom_px = area
    rng = c.rng
    size_px = c.size_px if rng.random() < 0.7 else max(10, c.size_px - 2)
    right_px = min(right_px, left_px + 60 * size_px)
    waiting = texts.sentence(rng, rng.randint(8, 60)).split()
    leading_px = c.line_px(size_px) * rng.uniform(1.0, 1.35)
    space_px = c.width(" ", size_px=size_px)
    ink = c.theme.text if rng.random() < 0.6 else c.theme.muted
    while waiting and top_px + leading_px <= bottom_px:
        row, length_px = [waiting.pop(0)], 0.0
        length_px = c.width(row[0], size_px=size_px)
        if length_px > right_px - left_px:
            break
        while waiting and length_px + space_px + c.width(waiting[0], size_px=size_px) <= right_px - left_px:
            length_px += space_px + c.width(waiting[0], size_px=size_px)
            row.append(waiting.pop(0))
        start = len(c.words)
        c.text(left_px, top_px, " ".join(row), ink, size_px=size_px)
        _span(c, start)
        top_px += leading_px
    return top_px


def _span(c: Canvas, start: int) -> None:
    """Make a few neighbouring words of the line just drawn something to ask for."""
    rng, drawn = c.rng, c.words[start:]
    if rng.random() < 0.25 or not drawn:
        return
    first = rng.randrange(len(drawn))
    some = drawn[first : first + rng.randint(1, 4)]
    text = " ".join(word.text for word in some)
    if 3 <= len(text) <= 40:
        c.add("text", text, (some[0].box[0], some[0].box[1], some[-1].box[2], some[0].box[3]))


def cards(c: Canvas, area: Box) -> float:
    """A grid of cards: a picture, a name, a price or a line, a button or icon."""
    left_px, top_px, right_px, bottom_px = area
    rng, theme = c.rng, c.theme
    across = max(1, int((right_px - left_px) / (rng.uniform(9, 18) * c.size_px)))
    gap_px = rng.uniform(6, 22)
    width_px = (right_px - left_px - gap_px * (across - 1)) / across
    picture_px = rng.choice((0.0, rng.uniform(0.3, 0.8))) * width_px
    with_button, with_icon = rng.random() < 0.5, rng.random() < 0.35
    same = rng.choice(CARD_ACTIONS) if rng.random() < 0.3 else None
    height_px = picture_px + 2.4 * c.line_px() + (1.9 * c.line_px() if with_button else 0) + 14
    for _ in range(rng.randint(1, 3)):
        if top_px + height_px > bottom_px:
            break
        for column in range(across):
            x_px = left_px + column * (width_px + gap_px)
            box = (x_px, top_px, x_px + width_px, top_px + height_px)
            c.panel(box, theme.input, theme.border)
            if picture_px:
                c.picture((x_px + 1, top_px + 1, x_px + width_px - 1, top_px + picture_px))
            inner_px = width_px - 14
            y_px = top_px + picture_px + 5
            if name := c.fresh(texts.any_text, inner_px, bold=True):
                c.say(x_px + 7, y_px, name, theme.text, bold=True)
            y_px += c.line_px()
            room_px = inner_px - (1.5 * c.size_px if with_icon else 0)
            if line := c.fresh(rng.choice((texts.price, texts.cell_text, texts.any_text)), room_px):
                c.say(x_px + 7, y_px, line, theme.muted)
            if with_icon:
                size_px = max(12, round(c.size_px * 1.1))
                name = rng.choice(("heart", "star", "bookmark", "more", "cart", "plus", "share"))
                c.icon(name, x_px + width_px - size_px - 6, y_px, size_px, theme.text)
            y_px += c.line_px() + 4
            text = same or (c.fresh(texts.button_text, inner_px - 10, bold=c.button_bold) if with_button else None)
            if with_button and text and c.width(text, bold=c.button_bold) < inner_px - 10:
                c.used.add(text.lower())
                wide_px = c.width(text, bold=c.button_bold) + 12
                button(c, (x_px + 7, y_px, x_px + 7 + wide_px, y_px + 1.5 * c.line_px()), text, main=rng.random() < 0.5)
        top_px += height_px + gap_px
    return top_px


def pairs(c: Canvas, area: Box) -> float:
    """Names and their values, side by side."""
    left_px, top_px, right_px, bottom_px = area
    rng = c.rng
    indent_px = min(right_px - left_px, 30 * c.size_px) * rng.uniform(0.4, 0.55)
    row_px = c.line_px() + rng.uniform(0, 8)
    right_px = min(right_px, left_px + 34 * c.size_px)
    for _ in range(rng.randint(2, 7)):
        if top_px + row_px > bottom_px:
            break
        name = c.fresh(texts.field_label, indent_px - 10)
        value = c.fresh(texts.cell_text, right_px - left_px - indent_px)
        if name:
            c.say(left_px, top_px, name, c.theme.muted)
        if value:
            c.say(left_px + indent_px, top_px, value, c.theme.text, bold=c.label_bold)
        top_px += row_px
    return top_px


def messages(c: Canvas, area: Box) -> float:
    """What several people said, each with a disc for a face or in a bubble."""
    left_px, top_px, right_px, bottom_px = area
    rng, theme = c.rng, c.theme
    bubbles = rng.random() < 0.4
    disc_px = 2 * c.line_px()
    for index in range(rng.randint(2, 8)):
        if top_px + 2.6 * c.line_px() > bottom_px:
            break
        line = texts.sentence(rng, rng.randint(2, 7))
        if bubbles:
            wide_px = c.width(line) + 20
            if wide_px > right_px - left_px or line.lower() in c.used:
                continue
            mine = index % 2 == 1
            x_px = right_px - wide_px if mine else left_px
            box = (x_px, top_px, x_px + wide_px, top_px + c.line_px() + 12)
            c.panel(box, theme.accent if mine else blend(theme.card, theme.text, 0.1), radius_px=12)
            c.say(x_px + 10, top_px + 6, line, theme.on_accent if mine else theme.text)
        else:
            x_px = left_px + disc_px + 8
            c.pen.ellipse((left_px, top_px, left_px + disc_px, top_px + disc_px), blend(theme.accent, theme.card, 0.3))
            if name := c.fresh(texts.person_text, right_px - x_px - 5 * c.size_px, bold=True):
                box = c.say(x_px, top_px, name, theme.text, bold=True)
                if when := c.fresh(texts.clock, right_px - box[2] - 8):
                    c.say(box[2] + 8, top_px, when, theme.muted)
            if c.width(line) < right_px - x_px and line.lower() not in c.used:
                c.say(x_px, top_px + c.line_px(), line, theme.text)
        top_px += disc_px + rng.uniform(4, 14)
    return top_px


def code(c: Canvas, area: Box) -> float:
    """Source code or a terminal, in a typeface of one width, with or without line numbers."""
    left_px, top_px, right_px, bottom_px = area
    rng, theme, family = c.rng, c.theme, c.family
    rows = min(rng.randint(3, 26), int((bottom_px - top_px - 12) / c.line_px()))
    if rows < 2:
        return top_px
    dark = rng.random() < 0.6 or theme.is_dark
    ground, ink = ((24, 26, 32), (214, 218, 226)) if dark else ((246, 247, 249), (36, 40, 50))
    box = (left_px, top_px, right_px, top_px + rows * c.line_px() + 12)
    c.panel(box, ground, theme.border, radius_px=min(c.radius_px, 6))
    c.family = ("dejavu/DejaVuSansMono.ttf", "dejavu/DejaVuSansMono-Bold.ttf")
    numbered, first = rng.random() < 0.5, rng.randint(1, 400)
    x_px = left_px + 8 + (c.width("0000") if numbered else 0)
    for row in range(rows):
        y_px = top_px + 6 + row * c.line_px()
        if numbered:
            c.text(left_px + 6, y_px, str(first + row), blend(ground, ink, 0.5))
        indent_px = rng.choice((0, 0, 2, 4)) * c.width(" ")
        if rng.random() < 0.9 and (line := c.fresh(texts.code_text, right_px - x_px - indent_px - 8)):
            tint = rng.choice((ink, ink, blend(ink, (90, 170, 255), 0.5), blend(ink, (240, 150, 80), 0.5)))
            c.say(x_px + indent_px, y_px, line, tint)
    c.family = family
    return box[3]


def calendar(c: Canvas, area: Box) -> float:
    """A month: its name between two arrows, and its days, each a cell."""
    left_px, top_px, right_px, bottom_px = area
    rng, theme = c.rng, c.theme
    side_px = c.size_px * rng.uniform(1.7, 2.6)
    head_px = c.line_px() + 8
    if left_px + 7 * side_px > right_px or top_px + head_px + 6 * side_px > bottom_px or "15" in c.used:
        return top_px
    size_px = max(12, c.size_px)
    icon_button(c, "chevron left", (left_px, top_px, left_px + side_px, top_px + head_px), size_px, framed=False)
    next_px = left_px + 6 * side_px
    icon_button(c, "chevron right", (next_px, top_px, next_px + side_px, top_px + head_px), size_px, framed=False)
    if month := c.fresh(texts.month, 5 * side_px, bold=True):
        x_px = left_px + (7 * side_px - c.width(month, bold=True)) / 2
        c.say(x_px, c.text_top(top_px, top_px + head_px), month, theme.text, bold=True)
    top_px += head_px
    start, days, chosen = rng.randrange(7), rng.randint(28, 31), rng.randint(1, 28)
    for day in range(1, days + 1):
        row, column = divmod(start + day - 1, 7)
        x_px, y_px = left_px + column * side_px, top_px + row * side_px
        if y_px + side_px > bottom_px:
            break
        box = (x_px, y_px, x_px + side_px, y_px + side_px)
        if day == chosen:
            c.panel((x_px + 1, y_px + 1, x_px + side_px - 1, y_px + side_px - 1), theme.accent, radius_px=side_px / 2)
        c.centred(box, str(day), theme.on_accent if day == chosen else theme.text)
        c.add("cell", str(day), box)
        c.used.add(str(day))
    return top_px + side_px * ((start + days - 1) // 7 + 1)


def chips(c: Canvas, area: Box) -> float:
    """Short words in rounded frames, each a button; or a trail of links with marks between."""
    left_px, top_px, right_px, bottom_px = area
    rng, theme = c.rng, c.theme
    height_px = c.line_px() + rng.uniform(2, 10)
    if top_px + height_px > bottom_px:
        return top_px
    trail, start_px = rng.random() < 0.35, left_px
    mark = rng.choice(("/", ">", "|", "-"))
    for _ in range(rng.randint(2, 7)):
        text = c.fresh(rng.choice((texts.choice_text, texts.place_text)), right_px - left_px - 18)
        if text is None:
            break
        if trail:
            box = c.say(left_px, c.text_top(top_px, top_px + height_px), text, theme.link, kind="link")
            if box[2] + 4 * c.size_px < right_px:
                c.text(box[2] + 6, box[1], mark, theme.muted)
            left_px = box[2] + 12 + c.width(mark)
        else:
            box = (left_px, top_px, left_px + c.width(text) + 18, top_px + height_px)
            c.panel(box, blend(theme.card, theme.text, 0.08), theme.border, radius_px=height_px / 2)
            c.centred(box, text, theme.text)
            c.add("button", text, box)
            left_px = box[2] + rng.uniform(3, 10)
    return top_px + height_px if left_px > start_px else top_px


def banner(c: Canvas, area: Box) -> float:
    """A coloured note across the area, with a cross to close it."""
    left_px, top_px, right_px, bottom_px = area
    rng = c.rng
    height_px = c.line_px() + rng.uniform(8, 18)
    if top_px + height_px > bottom_px:
        return top_px
    tint = rng.choice(((46, 125, 80), (176, 120, 10), (180, 50, 50), (40, 100, 190)))
    ground = blend(c.theme.card, tint, 0.2)
    c.panel((left_px, top_px, right_px, top_px + height_px), ground, tint)
    size_px = max(12, round(c.size_px))
    y_px = top_px + (height_px - size_px) / 2
    c.icon(rng.choice(("info", "warning", "check")), left_px + 8, y_px, size_px, c.theme.text)
    room_px = right_px - left_px - 3 * size_px - 34
    if text := c.fresh(lambda rng: texts.sentence(rng, rng.randint(3, 8)), room_px):
        c.say(left_px + size_px + 16, c.text_top(top_px, top_px + height_px), text, c.theme.text)
    if rng.random() < 0.7:
        c.icon("close", right_px - size_px - 8, y_px, size_px, c.theme.text)
    return top_px + height_px


def bar_chart(c: Canvas, area: Box) -> float:
    """Bars with their names below."""
    left_px, top_px, right_px, bottom_px = area
    rng, theme = c.rng, c.theme
    height_px = c.size_px * rng.uniform(5, 11)
    right_px = min(right_px, left_px + 40 * c.size_px)
    count = min(rng.randint(3, 9), int((right_px - left_px) / (4 * c.size_px)))
    if count < 2 or top_px + height_px + c.line_px() > bottom_px:
        return top_px
    step_px, base_px = (right_px - left_px) / count, top_px + height_px
    for index in range(count):
        x_px = left_px + index * step_px
        tall_px = rng.uniform(0.1, 1) * height_px
        c.panel((x_px + step_px * 0.2, base_px - tall_px, x_px + step_px * 0.8, base_px), theme.accent, radius_px=2)
        if text := c.fresh(rng.choice((texts.state_text, texts.number, texts.month)), step_px - 4):
            c.say(x_px + (step_px - c.width(text)) / 2, base_px + 2, text, theme.muted)
    c.pen.line((left_px, base_px, right_px, base_px), theme.border)
    return base_px + 2 + c.line_px()


BLOCKS: tuple[tuple[Drawer, float], ...] = (
    (table, 3), (entries, 4), (paragraph, 3), (cards, 2.5), (pairs, 1.5), (messages, 1.5), (code, 1), (calendar, 1),
    (chips, 1.5), (banner, 0.8), (bar_chart, 0.8), (heading, 2), (text_line, 1), (links, 1.5), (buttons, 1.5),
    (icon_row, 2),
)  # fmt: skip
