"""How an evaluation page looks: a sign-up-like page for a small window, as HTML with every height known beforehand.

Pure: the page follows from the random generator alone. Every row has a height in CSS px and text never wraps, so that
a page that fits here fits its viewport in the browser too. Nothing is shared with the renderer of the training screens
but the vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from random import Random
from typing import Final

from ..vocabulary import BUTTONS, CHECKBOXES, FIELDS, HEADINGS, LINKS, TABS, Kind
from .small_look import Look, draw_look, hsl, ink_on

BRANDS: Final = ("Northwind", "Lumen", "Harbor", "Fernway", "Quill & Co", "Orbit", "Maple", "Tidepool", "Kestrel")
PROSE: Final = (
    "It takes less than a minute.",
    "Fill in the form below and we will take care of the rest.",
    "No surprises, no small print.",
    "Trusted by teams of every size since 2009.",
    "All of it stays between you and us.",
    "You can change everything later.",
    "Fields are kept until you leave this page.",
    "Thousands of people visit us every day.",
    "Made for busy people",
    "Everything in one place",
    "Simple from day one",
    "Less work, more play",
)
HINTS: Final = ("Required", "Optional", "Type here", "...", "Enter a value")
TYPED: Final = ("Robin Vale", "robin@example.org", "Lisbon", "2041", "Hill Road 8", "+44 20 7946 0018", "sample text")
LONG_TEXT: Final = ("Message", "Comments", "Bio")
NUM_LOOKS = 60  # looks tried for one content before the content is drawn anew


@dataclass(frozen=True)
class Control:
    """Something a person can use on a page; the element's `data-control` is its place in `PageDesign.controls`."""

    kind: Kind
    label: str


@dataclass(frozen=True, kw_only=True)
class PageDesign:
    """A page and what it holds; sizes in CSS px."""

    html: str
    width_px: int
    height_px: int
    font: str
    controls: tuple[Control, ...]


def design(rng: Random) -> PageDesign:
    """Draw one page: content first, then looks until the content fits."""
    while True:
        content = _draw_content(rng)
        for _ in range(NUM_LOOKS):
            page = _Builder(rng, content, draw_look(rng)).build()
            if page is not None:
                return page


@dataclass(frozen=True, kw_only=True)
class _Content:
    """What is on the page; no label twice, whatever its case."""

    heading: str
    tabs: tuple[str, ...]
    fields: tuple[str, ...]
    checkboxes: tuple[str, ...]
    buttons: tuple[str, ...]
    header_links: tuple[str, ...]
    form_links: tuple[str, ...]
    footer_links: tuple[str, ...]
    brand: str | None
    prose: str | None


def _draw_content(rng: Random) -> _Content:
    used: set[str] = set()

    def take(group: Sequence[str], count: int) -> tuple[str, ...]:
        labels = rng.sample([label for label in group if label.lower() not in used], count)
        used.update(label.lower() for label in labels)
        return tuple(labels)

    header = rng.random() < 0.55
    num_links = rng.randint(1, 4)
    num_header_links = rng.randint(1, min(3, num_links)) if header else 0
    num_form_links = rng.randint(0, min(2, num_links - num_header_links))
    return _Content(
        heading=take(HEADINGS, 1)[0],
        tabs=take(TABS, rng.randint(2, 4)) if rng.random() < 0.2 else (),
        fields=take(FIELDS, rng.choice((2, 3, 3, 4, 4))),
        checkboxes=take(CHECKBOXES, rng.choice((0, 1, 1, 2))),
        buttons=take(BUTTONS, rng.choice((1, 2, 2))),
        header_links=take(LINKS, num_header_links),
        form_links=take(LINKS, num_form_links),
        footer_links=take(LINKS, num_links - num_header_links - num_form_links),
        brand=rng.choice(BRANDS) if header else None,
        prose=rng.choice(PROSE) if rng.random() < 0.7 else None,
    )


class _Builder:
    """Lays one content out in one look; `build` answers None when it does not fit."""

    def __init__(self, rng: Random, content: _Content, look: Look) -> None:
        self.rng = rng
        self.content = content
        self.look = look
        self.controls: list[Control] = []
        self.fits = True
        self.line_px = round(look.font_px * 1.45)

    def build(self) -> PageDesign | None:
        look, rng = self.look, self.rng
        header, header_px = self.header()
        footer, footer_px = self.footer()
        padding_px = rng.randint(8, 18) if look.card else rng.randint(10, 24)
        column_px = look.width_px - 2 * padding_px - (rng.randint(12, look.width_px // 6) if look.card else 0)
        if look.card or rng.random() < 0.5:
            column_px = min(column_px, rng.randint(260, 440))
        rows = self.form_rows(column_px)
        form_px = sum(row_px for _, row_px in rows) + look.gap_px * (len(rows) - 1) + 2 * padding_px
        main_px = look.height_px - header_px - footer_px
        if not self.fits or form_px + (12 if look.card else 0) > main_px or column_px < 240:
            return None
        body = "".join(
            f'<div style="height:{row_px}px;margin-top:{look.gap_px if at else 0}px">{html}</div>'
            for at, (html, row_px) in enumerate(rows)
        )
        place = rng.choice(("center", "center", "flex-start"))
        down = rng.choice(("center", "flex-start"))
        card_style = f"width:{column_px + 2 * padding_px}px;padding:{padding_px}px;flex:none;"
        if look.card:
            card_style += f"background:{look.card_color};border-radius:{min(look.radius_px * 2, 16)}px;margin:6px;"
            card_style += rng.choice(("", f"border:1px solid {look.border};", "box-shadow:0 2px 12px rgba(0,0,0,.25);"))
        form = f'<div style="{card_style}">{body}</div>'
        main = (
            f'<div style="flex:1;display:flex;flex-direction:column;align-items:{place};justify-content:{down}">'
            f"{form}</div>"
        )
        main = f'<div style="display:flex;height:{main_px}px">{main}</div>'
        css = (
            "*{box-sizing:border-box;margin:0;padding:0;white-space:nowrap}"
            f"body{{width:{look.width_px}px;height:{look.height_px}px;background:{look.page_color};color:{look.ink};"
            f"font:{look.font_px}px/{self.line_px}px '{look.font}',sans-serif}}"
            "input,button,textarea{font:inherit;color:inherit;outline:none}"
            f"::placeholder{{color:{look.muted};opacity:1}}"
            f"a{{color:{look.link};text-decoration:{rng.choice(('none', 'underline'))}}}"
        )
        return PageDesign(
            html=f"<!DOCTYPE html><html><head><meta charset=utf-8><style>{css}</style></head>"
            f"<body>{header}{main}{footer}</body></html>",
            width_px=look.width_px,
            height_px=look.height_px,
            font=look.font,
            controls=tuple(self.controls),
        )

    def control(self, kind: Kind, label: str) -> str:
        """The attribute that marks a control's element."""
        self.controls.append(Control(kind, label))
        return f'data-control="{len(self.controls) - 1}"'

    def text_px(self, text: str, font_px: float | None = None) -> int:
        """A width that the text surely stays within."""
        return round(len(text) * (font_px or self.look.font_px) * 0.62 + 4)

    def need(self, width_px: float, room_px: float) -> None:
        self.fits = self.fits and width_px <= room_px

    def link(self, label: str, style: str = "") -> str:
        return f'<a href="#" {self.control("link", label)} style="{style}">{escape(label)}</a>'

    def header(self) -> tuple[str, int]:
        content, look, rng = self.content, self.look, self.rng
        if content.brand is None:
            return "", 0
        height_px = rng.randint(30, 42)
        fill = rng.choice((look.page_color, look.card_color, look.accent, hsl(rng.random(), 0.3, 0.15)))
        ink = ink_on(fill)
        gap_px = rng.randint(10, 20)
        links = "".join(self.link(label, f"color:{ink};margin-left:{gap_px}px") for label in content.header_links)
        self.need(
            self.text_px(content.brand, look.font_px * 1.2)
            + sum(self.text_px(label) + gap_px for label in content.header_links)
            + 28,
            look.width_px,
        )
        spread = rng.choice(("space-between", "flex-start"))
        return (
            f'<div style="height:{height_px}px;padding:0 12px;display:flex;align-items:center;justify-content:{spread};'
            f'background:{fill};color:{ink};border-bottom:{rng.choice((0, 1))}px solid {look.border}">'
            f'<b style="font-size:{round(look.font_px * 1.15)}px">{escape(content.brand)}</b><div>{links}</div></div>',
            height_px,
        )

    def footer(self) -> tuple[str, int]:
        content, look, rng = self.content, self.look, self.rng
        if not content.footer_links:
            return "", 0
        height_px, gap_px = rng.randint(28, 36), rng.randint(10, 22)
        font_px = max(13, look.font_px - rng.choice((0, 1, 2)))
        links = "".join(self.link(label, f"margin:0 {gap_px // 2}px") for label in content.footer_links)
        self.need(sum(self.text_px(label, font_px) + gap_px for label in content.footer_links) + 24, look.width_px)
        place = rng.choice(("center", "flex-start", "flex-end"))
        return (
            f'<div style="height:{height_px}px;padding:0 12px;display:flex;align-items:center;justify-content:{place};'
            f"font-size:{font_px}px;background:{look.page_color};border-top:{rng.choice((0, 1))}px solid {look.border}"
            f'">{links}</div>',
            height_px,
        )

    def form_rows(self, column_px: int) -> list[tuple[str, int]]:
        """The form from top to bottom: (html, height in px)."""
        content, look, rng = self.content, self.look, self.rng
        align = rng.choice(("left", "left", "center"))
        heading_px = round(look.font_px * rng.uniform(1.2, 1.55))
        self.need(self.text_px(content.heading, heading_px * 1.05), column_px)
        weight = rng.choice((400, 600, 700))
        rows = [
            (
                f'<h1 style="font-size:{heading_px}px;line-height:{round(heading_px * 1.3)}px;font-weight:{weight};'
                f'text-align:{align}">{escape(content.heading)}</h1>',
                round(heading_px * 1.3),
            )
        ]
        prose = None
        if content.prose is not None:
            self.need(self.text_px(content.prose, look.font_px * 0.9), column_px)
            prose = (f'<p style="color:{look.muted};text-align:{align}">{escape(content.prose)}</p>', self.line_px)
        if content.tabs:
            rows.append(self.tabs(column_px))
        middle = [*self.fields(column_px), *self.checkboxes(column_px)]
        buttons = self.buttons(column_px)
        links = self.form_links(column_px)
        if rng.random() < 0.5:
            middle += links
            links = []
        if prose is not None:
            if rng.random() < 0.7:
                rows.append(prose)
            else:
                links.append(prose)
        return [*rows, *middle, *buttons, *links]

    def tabs(self, column_px: int) -> tuple[str, int]:
        look = self.look
        self.need(sum(self.text_px(label) + 22 for label in self.content.tabs), column_px)
        active = self.rng.randrange(len(self.content.tabs))
        spans = "".join(
            f'<span style="padding:0 8px;margin-right:6px;line-height:{self.line_px + 4}px;'
            f"color:{look.ink if at == active else look.muted};"
            f'border-bottom:2px solid {look.accent if at == active else "transparent"}">{escape(label)}</span>'
            for at, label in enumerate(self.content.tabs)
        )
        return f'<div style="display:flex;border-bottom:1px solid {look.border}">{spans}</div>', self.line_px + 7

    def fields(self, column_px: int) -> list[tuple[str, int]]:
        look, rng, labels = self.look, self.rng, self.content.fields
        hint = rng.choice(HINTS) if rng.random() < 0.25 else ""
        bold = rng.choice((400, 400, 600))
        label_px = max(self.text_px(label, look.font_px * (1.08 if bold > 400 else 1)) for label in labels) + 10
        self.need(120 + (label_px if look.label_place == "left" else 0), column_px)
        self.need(label_px, column_px)
        above_px = self.line_px + 3 if look.label_place == "above" else 0
        rows: list[tuple[str, int]] = []
        for label in labels:
            tall = label in LONG_TEXT and rng.random() < 0.7
            field_px = look.field_px * 2 if tall else look.field_px
            cell = self.field(label, field_px, label_px, bold, hint, tall=tall)
            rows.append((f'<div style="display:flex">{cell}</div>', field_px + above_px))
        return rows

    def field(self, label: str, field_px: int, label_px: int, bold: int, hint: str, *, tall: bool) -> str:
        look = self.look
        border = {
            "box": f"border:1px solid {look.border}",
            "underline": f"border:0;border-bottom:2px solid {look.border}",
            "filled": "border:0",
        }[look.field_style]
        fill = {"box": look.field_color, "underline": "transparent", "filled": f"{look.border}88"}[look.field_style]
        radius_px = 0 if look.field_style == "underline" else min(look.radius_px, field_px // 2)
        style = (
            f"height:{field_px}px;width:100%;min-width:0;{border};background:{fill};border-radius:{radius_px}px;"
            "padding:0 10px;display:block;resize:none"
        )
        inside = label if look.label_place == "inside" else hint
        common = f'{self.control("field", label)} placeholder="{escape(inside)}" style="{style}"'
        secret = "password" in label.lower()
        typed = self.rng.choice(TYPED) if look.label_place != "inside" and self.rng.random() < 0.12 else ""
        entry = (
            f"<textarea {common}>{typed}</textarea>"
            if tall
            else f'<input type="{"password" if secret else "text"}" value="{typed}" {common}>'
        )
        if look.label_place == "above":
            return (
                f'<label style="flex:1 1 0;min-width:0"><div style="height:{self.line_px}px;margin-bottom:3px;'
                f'font-weight:{bold}">{escape(label)}</div>{entry}</label>'
            )
        if look.label_place == "left":
            return (
                f'<label style="flex:1 1 0;min-width:0;display:flex;align-items:center;font-weight:{bold}">'
                f'<span style="width:{label_px}px;flex:none">{escape(label)}</span>{entry}</label>'
            )
        return f'<div style="flex:1 1 0;min-width:0">{entry}</div>'

    def checkboxes(self, column_px: int) -> list[tuple[str, int]]:
        look, rng = self.look, self.rng
        box_px = rng.randint(13, 19)
        own = rng.random() < 0.4  # drawn by the page rather than by the browser
        style = f"width:{box_px}px;height:{box_px}px;flex:none;margin-right:{rng.randint(6, 10)}px;"
        style += (
            f"appearance:none;border:{rng.choice((1, 2))}px solid {look.muted};background:{look.field_color};"
            f"border-radius:{min(look.radius_px, 4)}px"
            if own
            else f"accent-color:{look.accent}"
        )
        rows: list[tuple[str, int]] = []
        for label in self.content.checkboxes:
            self.need(self.text_px(label) + box_px + 12, column_px)
            checked = "checked" if not own and rng.random() < 0.25 else ""
            rows.append(
                (
                    f'<label {self.control("checkbox", label)} style="display:inline-flex;align-items:center;'
                    f'height:{self.line_px}px"><input type="checkbox" {checked} style="{style}">'
                    f"{escape(label)}</label>",
                    self.line_px,
                )
            )
        return rows

    def buttons(self, column_px: int) -> list[tuple[str, int]]:
        look, rng, labels = self.look, self.rng, self.content.buttons
        second = rng.choice(
            (
                f"background:transparent;border:1px solid {look.border}",
                f"background:{look.border}55;border:0",
                f"background:transparent;border:1px solid {look.link};color:{look.link}",
            )
        )
        shadow = rng.choice(("", "", "box-shadow:0 1px 4px rgba(0,0,0,.35)"))
        weight, padding_px, gap_px = rng.choice((400, 500, 700)), rng.randint(10, 20), rng.randint(8, 14)
        primary = rng.randrange(len(labels)) if rng.random() < 0.4 else 0
        full = rng.random() < 0.35
        self.need(max(self.text_px(label, look.font_px * 1.08) for label in labels) + 2 * padding_px, column_px)
        made: list[str] = []
        for at, label in enumerate(labels):
            paint = f"background:{look.accent};border:0;color:{ink_on(look.accent)}" if at == primary else second
            made.append(
                f'<button type="button" {self.control("button", label)} style="height:{look.button_px}px;'
                f"padding:0 {padding_px}px;border-radius:{min(look.radius_px, look.button_px // 2)}px;"
                f'font-weight:{weight};{"width:100%;" if full else ""}{paint};{shadow}">{escape(label)}</button>'
            )
        if full:
            return [(html, look.button_px) for html in made]
        self.need(
            sum(self.text_px(label, look.font_px * 1.08) + 2 * padding_px for label in labels)
            + gap_px * (len(labels) - 1),
            column_px,
        )
        place = rng.choice(("flex-start", "flex-start", "flex-end", "center", "space-between"))
        row = f'<div style="display:flex;gap:{gap_px}px;justify-content:{place}">{"".join(made)}</div>'
        return [(row, look.button_px)]

    def form_links(self, column_px: int) -> list[tuple[str, int]]:
        labels = self.content.form_links
        if not labels:
            return []
        self.need(sum(self.text_px(label) + 16 for label in labels), column_px)
        place = self.rng.choice(("flex-start", "flex-end", "center", "space-between"))
        links = "".join(self.link(label) for label in labels)
        return [(f'<div style="display:flex;gap:16px;justify-content:{place}">{links}</div>', self.line_px)]
