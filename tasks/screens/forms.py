"""Plain forms in the closed vocabulary, drawn with Pillow: where moonhand-nano's curriculum begins.

A screen is a random sign-up, sign-in, settings or contact form: a card or a full page, one or two columns, labels
above, beside or inside their fields, light or dark. It shares nothing with the small Chromium pages of
`tasks/pages/held_out.py` but the closed vocabulary and the wordings.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image, ImageDraw

from ..vocabulary import BUTTONS, CHECKBOXES, FIELDS, HEADINGS, LINKS, TABS, WORDINGS, Kind
from .canvas import FONT_FAMILIES, Colour, blend, draw_theme, load_font
from .samples import Box, Control, Question, Screen, Word

PROSE: tuple[str, ...] = (
    "It only takes a minute.", "We will never share your details.", "Fill in the form below.",
    "All fields are required.", "Free for 30 days, no card needed.", "Use at least 8 characters.",
    "Your data stays private.", "Not a member yet?", "Please check your details.", "You can change this later.",
    "Enter your details to continue.", "Optional", "Step 1 of 3", "or", "New here?", "Required",
)  # fmt: skip
TYPED: tuple[str, ...] = (
    "Ada Lovelace", "ada@example.com", "Grace Hopper", "grace@mail.org", "********", "**********", "London",
    "Paris", "12345", "0171 555 012", "hello", "Alan", "Turing", "example.com", "42", "2026", "Main Street 5",
    "Kim Lee", "kim@site.net", "correct horse",
)  # fmt: skip
BRANDS: tuple[str, ...] = ("Acme", "Northwind", "Lumen", "Orbit", "Maple", "Harbor", "Pixel", "Nova")


def draw_form(rng: random.Random, width_px: int, height_px: int) -> Screen:
    """One random form."""
    return _Form(rng, width_px, height_px).draw()


def form_questions(rng: random.Random, screen: Screen, count: int, refuse_share: float = 0.08) -> list[Question]:
    """Questions about a screen; a small share names controls that are not there."""
    asked: list[Question] = []
    visible = {(c.kind, c.label) for c in screen.controls}
    labels = {c.label for c in screen.controls}
    pools: tuple[tuple[Kind, tuple[str, ...]], ...] = (
        ("button", BUTTONS), ("link", LINKS), ("field", FIELDS), ("checkbox", CHECKBOXES)
    )  # fmt: skip
    for _ in range(count):
        if rng.random() < refuse_share or not screen.controls:
            kind, pool = rng.choice(pools)
            label = rng.choice(pool)
            if (kind, label) not in visible and label not in labels:
                asked.append(Question(_wording(rng, kind).format(label=label), None, "nothing"))
        else:
            control = rng.choice(screen.controls)
            asked.append(Question(_wording(rng, control.kind).format(label=control.label), control))
    return asked


_MORE_WORDINGS: dict[Kind, tuple[str, ...]] = {
    "button": ("{label}", "press {label}", "press the {label} button"),
    "link": ("{label}", "open {label}", "click the {label} link"),
    "field": ("{label}", "{label} field", "the {label} input"),
    "checkbox": ("{label}", "click {label}", "check {label}"),
}


def _wording(rng: random.Random, kind: Kind) -> str:
    return rng.choice(WORDINGS[kind]) if rng.random() < 0.75 else rng.choice(_MORE_WORDINGS[kind])


@dataclass
class _Form:
    """A form being laid out from top to bottom in one or two columns."""

    rng: random.Random
    width_px: int
    height_px: int
    controls: list[Control] = field(default_factory=list[Control])
    words: list[Word] = field(default_factory=list[Word])
    used: set[str] = field(default_factory=set[str])

    def draw(self) -> Screen:
        rng = self.rng
        self.theme = draw_theme(rng)
        self.image = Image.new("RGB", (self.width_px, self.height_px), self.theme.page)
        self.pen = ImageDraw.Draw(self.image)
        self.family = rng.choice(FONT_FAMILIES)
        self.size_px = rng.choices(range(11, 22), (1, 2, 4, 5, 6, 6, 5, 4, 3, 2, 1))[0]
        self.radius_px = rng.choice((0, 2, 4, 6, 8, 12, 20))
        self.gap_px = rng.randint(4, 16)
        self.label_bold = rng.random() < 0.3
        self.field_style = rng.choices(("box", "underline", "filled"), (8, 1.5, 1.5))[0]
        self.label_place = rng.choices(("above", "left", "inside"), (6, 3, 2))[0]
        top_px = 0.0
        if rng.random() < 0.45:
            top_px = self._bar(0)
        bottom_px = float(self.height_px)
        if rng.random() < 0.3:
            bottom_px -= self.size_px * 2
            self._bar(bottom_px)
        self._body(top_px, bottom_px)
        return Screen(np.asarray(self.image), tuple(self.controls), tuple(self.words))

    def _body(self, top_px: float, bottom_px: float) -> None:
        rng = self.rng
        margin_px = rng.uniform(0.02, 0.2) * self.width_px
        shift_px = rng.uniform(-0.7, 0.7) * margin_px
        left_px, right_px = margin_px + shift_px, self.width_px - margin_px + shift_px
        top_px, bottom_px = top_px + rng.uniform(2, 0.08 * self.height_px), bottom_px - rng.uniform(2, 20)
        if rng.random() < 0.7:
            outline = self.theme.border if rng.random() < 0.6 else None
            self.pen.rounded_rectangle(
                (left_px, top_px, right_px, bottom_px), self.radius_px * 1.5, self.theme.card, outline
            )
            left_px, right_px, top_px = left_px + self._pad(), right_px - self._pad(), top_px + self._pad() * 0.8
        else:
            self.theme = replace(self.theme, card=self.theme.page)
        columns = 2 if right_px - left_px > 26 * self.size_px and rng.random() < 0.35 else 1
        if rng.random() < 0.8:
            top_px = self._heading(left_px, right_px, top_px)
        if rng.random() < 0.12:
            top_px = self._tabs(left_px, right_px, top_px)
        step_px = (right_px - left_px + 16) / columns
        for column in range(columns):
            self._column(left_px + column * step_px, left_px + (column + 1) * step_px - 16, top_px, bottom_px)

    def _pad(self) -> float:
        return self.rng.uniform(8, 26)

    def _column(self, left_px: float, right_px: float, top_px: float, bottom_px: float) -> None:
        rng = self.rng
        rows = ["field"] * rng.randint(1, 5) + ["checkbox"] * rng.choice((0, 0, 1, 1, 2, 3))
        if rng.random() < 0.3:
            rng.shuffle(rows)
        rows += ["buttons"] * rng.choice((1, 1, 1, 2)) + ["links"] * rng.choice((0, 1, 1, 2))
        if rng.random() < 0.25:
            rows.insert(rng.randint(0, len(rows)), "prose")
        if rng.random() < 0.2:
            rng.shuffle(rows)
        draw_row = {
            "field": self._field, "checkbox": self._checkbox, "buttons": self._buttons, "links": self._links,
            "prose": self._prose,
        }  # fmt: skip
        tall_px = {"field": 4.6, "checkbox": 1.8, "buttons": 3.0, "links": 1.7, "prose": 1.7}
        for row in rows:
            if top_px + tall_px[row] * self.size_px > bottom_px:
                continue
            top_px = draw_row[row](left_px, right_px, top_px) + self.gap_px * rng.uniform(0.6, 1.3)

    def _label(self, pool: tuple[str, ...]) -> str | None:
        free = [label for label in pool if label not in self.used]
        if not free:
            return None
        label = self.rng.choice(free)
        self.used.add(label)
        return label

    def _text(
        self, left_px: float, top_px: float, text: str, colour: Colour, *, bold: bool = False, size_px: int = 0
    ) -> Box:
        """Draw words one after another and remember each; returns the line's box."""
        font = load_font(self.family[1 if bold else 0], size_px or self.size_px)
        self.pen.text((left_px, top_px), text, colour, font)
        height_px = sum(font.getmetrics())
        start = 0
        for word in text.split():
            start = text.index(word, start)
            edges_px = tuple(left_px + font.getlength(text[:end]) for end in range(start, start + len(word) + 1))
            start += len(word)
            self.words.append(Word(word, (edges_px[0], top_px, edges_px[-1], top_px + height_px), edges_px))
        return left_px, top_px, left_px + font.getlength(text), top_px + height_px

    def _width(self, text: str, *, bold: bool = False, size_px: int = 0) -> float:
        return load_font(self.family[1 if bold else 0], size_px or self.size_px).getlength(text)

    def _line_px(self) -> float:
        return sum(load_font(self.family[0], self.size_px).getmetrics())

    def _heading(self, left_px: float, right_px: float, top_px: float) -> float:
        size_px = int(self.size_px * self.rng.uniform(1.15, 1.8))
        text = self.rng.choice(HEADINGS)
        width_px = self._width(text, bold=True, size_px=size_px)
        if width_px > right_px - left_px:
            return top_px
        start_px = left_px if self.rng.random() < 0.7 else (left_px + right_px - width_px) / 2
        box = self._text(start_px, top_px, text, self.theme.text, bold=True, size_px=size_px)
        if self.rng.random() < 0.35:
            box = self._text(start_px, box[3] + 2, self.rng.choice(PROSE), self.theme.muted)
        return box[3] + self.gap_px

    def _prose(self, left_px: float, right_px: float, top_px: float) -> float:
        text = self.rng.choice(PROSE)
        if left_px + self._width(text) > right_px:
            return top_px
        return self._text(left_px, top_px, text, self.theme.muted)[3]

    def _bar(self, top_px: float) -> float:
        """A strip of links across the page, at the top with a brand."""
        rng = self.rng
        height_px = self.size_px * rng.uniform(1.9, 2.8)
        coloured = rng.random() < 0.3
        fill = self.theme.accent if coloured else self.theme.card
        if rng.random() < 0.7:
            self.pen.rectangle((0, top_px, self.width_px, top_px + height_px), fill)
        else:
            coloured = False
        text_top_px = top_px + (height_px - self._line_px()) / 2
        left_px = rng.uniform(6, 30)
        if rng.random() < 0.7:
            left_px = self._text(left_px, text_top_px, rng.choice(BRANDS), self.theme.on_accent if coloured
                                 else self.theme.text, bold=True)[2] + rng.uniform(14, 60)  # fmt: skip
        colour = self.theme.on_accent if coloured else (self.theme.link if rng.random() < 0.6 else self.theme.text)
        for _ in range(rng.randint(1, 4)):
            label = self._label(LINKS + TABS)
            if label is None or left_px + self._width(label) > self.width_px - 6:
                continue
            box = self._text(left_px, text_top_px, label, colour)
            self._add("link", label, box, _middle(box), (box,))
            left_px = box[2] + rng.uniform(10, 34)
        return top_px + height_px

    def _tabs(self, left_px: float, right_px: float, top_px: float) -> float:
        """A row of tabs over a rule; they answer to the wordings of links."""
        start_px, end_px = left_px, left_px
        bottom_px = top_px + self._line_px() + self.rng.uniform(4, 12)
        for index in range(self.rng.randint(2, 4)):
            label = self._label(TABS)
            if label is None or left_px + self._width(label) > right_px:
                continue
            box = self._text(left_px, top_px, label, self.theme.text if index == 0 else self.theme.muted)
            self._add("link", label, box, _middle(box), (box,))
            left_px, end_px = box[2] + self.rng.uniform(10, 28), box[2]
        self.pen.line((start_px, bottom_px, max(end_px, right_px), bottom_px), self.theme.border)
        return bottom_px + self.gap_px

    def _links(self, left_px: float, right_px: float, top_px: float) -> float:
        rng = self.rng
        line_px = self._line_px()
        if rng.random() < 0.35:
            text = rng.choice(PROSE)
            if left_px + self._width(text) < right_px:
                left_px = self._text(left_px, top_px, text, self.theme.muted)[2] + 5
        for _ in range(rng.randint(1, 3)):
            label = self._label(LINKS)
            if label is None or left_px + self._width(label) > right_px:
                continue
            box = self._text(left_px, top_px, label, self.theme.link)
            if rng.random() < 0.4:
                self.pen.line((box[0], box[3] - 1, box[2], box[3] - 1), self.theme.link)
            self._add("link", label, box, _middle(box), (box,))
            left_px = box[2] + rng.uniform(8, 30)
        return top_px + line_px

    def _buttons(self, left_px: float, right_px: float, top_px: float) -> float:
        rng = self.rng
        height_px = self._line_px() + rng.uniform(5, 20)
        bold = rng.random() < 0.4
        wide = rng.random() < 0.3
        for index in range(1 if wide else rng.randint(1, 3)):
            label = self._label(BUTTONS)
            if label is None:
                break
            text_px = self._width(label, bold=bold)
            width_px = right_px - left_px if wide else text_px + rng.uniform(12, 44)
            if left_px + width_px > right_px + 1 or text_px + 4 > width_px:
                self.used.discard(label)
                continue
            filled = (index == 0 and rng.random() < 0.85) or rng.random() < 0.3
            box = (left_px, top_px, left_px + width_px, top_px + height_px)
            radius_px = min(self.radius_px, height_px / 2)
            if filled:
                self.pen.rounded_rectangle(box, radius_px, self.theme.accent)
            else:
                self.pen.rounded_rectangle(box, radius_px, self.theme.input, self.theme.border)
            colour = self.theme.on_accent if filled else self.theme.text
            text_left_px = left_px + (width_px - text_px) / 2
            self._text(text_left_px, top_px + (height_px - self._line_px()) / 2, label, colour, bold=bold)
            self._add("button", label, box, _middle(box), (box,))
            left_px += width_px + rng.uniform(6, 18)
        return top_px + height_px

    def _field(self, left_px: float, right_px: float, top_px: float) -> float:
        rng = self.rng
        label = self._label(FIELDS)
        if label is None:
            return top_px
        parts: list[Box] = []
        height_px = self._line_px() + rng.uniform(4, 18)
        shown = label + (rng.choice((":", " *", "")) if self.label_place != "inside" else "")
        if self.label_place == "above":
            parts.append(self._text(left_px, top_px, shown, self.theme.text, bold=self.label_bold))
            top_px = parts[0][3] + rng.uniform(1, 5)
        elif self.label_place == "left":
            text_top_px = top_px + (height_px - self._line_px()) / 2
            parts.append(self._text(left_px, text_top_px, shown, self.theme.text, bold=self.label_bold))
            indent_px = max(0.36 * (right_px - left_px), parts[0][2] - left_px + 6)
            left_px = min(left_px + indent_px, right_px - 3 * self.size_px)
        box = (left_px, top_px, right_px if rng.random() < 0.8 else left_px + (right_px - left_px) * 0.75,
               top_px + height_px)  # fmt: skip
        focused = rng.random() < 0.12
        edge = self.theme.accent if focused else self.theme.border
        radius_px = min(self.radius_px, height_px / 2)
        if self.field_style == "underline":
            self.pen.line((box[0], box[3], box[2], box[3]), edge, 2 if focused else rng.choice((1, 2)))
        elif self.field_style == "filled" and not focused:
            self.pen.rounded_rectangle(box, radius_px, blend(self.theme.card, self.theme.border, 0.3))
        else:
            self.pen.rounded_rectangle(box, radius_px, self.theme.input, edge, 2 if focused else 1)
        inner = (left_px + rng.uniform(4, 12), top_px + (height_px - self._line_px()) / 2)
        if self.label_place == "inside":
            self._text(*inner, label, self.theme.muted)
        elif rng.random() < 0.4:
            typed = rng.choice(TYPED)
            if inner[0] + self._width(typed) < box[2]:
                self._text(*inner, typed, self.theme.text if rng.random() < 0.7 else self.theme.muted)
        self._add("field", label, box, _middle(box), (*parts, box))
        return box[3]

    def _checkbox(self, left_px: float, right_px: float, top_px: float) -> float:
        rng = self.rng
        label = self._label(CHECKBOXES)
        side_px = max(10.0, self.size_px * rng.uniform(0.8, 1.15))
        line_px = self._line_px()
        if label is None or left_px + side_px + 8 + self._width(label) > right_px:
            return top_px
        square_top_px = top_px + (line_px - side_px) / 2
        square = (left_px, square_top_px, left_px + side_px, square_top_px + side_px)
        ticked = rng.random() < 0.3
        fill = self.theme.accent if ticked else self.theme.input
        self.pen.rounded_rectangle(square, min(self.radius_px, 4), fill, self.theme.border)
        if ticked:
            x, y, s = left_px, square_top_px, side_px
            tick = [(x + s * 0.22, y + s * 0.52), (x + s * 0.42, y + s * 0.72), (x + s * 0.78, y + s * 0.3)]
            self.pen.line(tick, self.theme.on_accent, 2)
        text = self._text(left_px + side_px + rng.uniform(4, 9), top_px, label, self.theme.text)
        box = (square[0], min(square[1], text[1]), text[2], max(square[3], text[3]))
        self._add("checkbox", label, box, _middle(square), (box,))
        return box[3]

    def _add(self, kind: Kind, label: str, box: Box, point: tuple[float, float], parts: tuple[Box, ...]) -> None:
        self.controls.append(Control(kind, label, box, point, parts))


def _middle(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
