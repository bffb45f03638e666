"""The blocks that training pages are made of: forms, tables, cards, lists, articles, toolbars, as marked HTML.

Pure: everything follows from the random generator. The evaluation pages are laid out elsewhere and share no block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from random import Random

from ..screens.texts import cell_makers
from ..vocabulary import Kind
from .icons import TRAINING_ICONS, svg
from .shown import Marker
from .training_look import TrainingLook
from .training_texts import PageTexts


class Blocks(Marker):
    """Writes random blocks in one look; every block is a `<div>` as wide as its room."""

    def __init__(self, rng: Random, look: TrainingLook) -> None:
        super().__init__()
        self.rng = rng
        self.look = look
        self.texts = PageTexts(rng)
        self.icons = rng.sample(list(TRAINING_ICONS), len(TRAINING_ICONS))

    def block(self) -> str:
        """Any block but those that frame a page."""
        makers: Sequence[tuple[Callable[[], str], int]] = (
            (self.form, 4), (self.choices, 3), (self.settings, 3), (self.table, 4), (self.cards, 4), (self.rows, 4),
            (self.article, 4), (self.results, 3), (self.icon_bar, 4), (self.tabs, 3), (self.tiles, 2),
            (self.button_row, 4), (self.sliders, 2), (self.chips, 3), (self.pager, 2), (self.month, 2), (self.facts, 3),
            (self.notice, 2), (self.columns, 3), (self.link_list, 3), (self.search_bar, 3), (self.heading, 3),
        )  # fmt: skip
        return self.rng.choices([maker for maker, _ in makers], [weight for _, weight in makers])[0]()

    def heading(self) -> str:
        look, rng = self.look, self.rng
        tag = rng.choice(("h1", "h2", "h3"))
        line = self.text(self.texts.heading(), tag=tag, style=f"font-size:{rng.choice((1.1, 1.25, 1.5, 1.9))}em")
        if rng.random() < 0.4:
            line += f"<p style='color:{look.muted};margin-top:4px'>{escape(self.texts.sentence())}</p>"
        return f"<div>{line}</div>"

    def form(self) -> str:
        rng, look = self.rng, self.look
        side = rng.random() < 0.3
        inside = not side and rng.random() < 0.2
        columns = rng.choice((1, 1, 2)) if not side else 1
        cells: list[str] = []
        for _ in range(rng.randint(2, 6)):
            label = self.texts.field()
            kind: Kind = "select" if rng.random() < 0.22 and not inside else "field"
            mark = self.mark(kind, label)
            name = f"<span data-part={self.last}>{escape(label)}</span>{rng.choice(('', '', ' *', ':'))}"
            entry = self.select(mark) if kind == "select" else self.entry(mark, label if inside else "")
            if inside:
                cells.append(f"<div>{entry}</div>")
            elif side:
                cells.append(
                    f"<div style='display:flex;align-items:center;gap:10px'><label style='width:{look.font_px * 9}px;"
                    f"flex:none;overflow:hidden;white-space:nowrap'>{name}</label>{entry}</div>"
                )
            else:
                cells.append(
                    f"<div><label style='display:block;margin-bottom:3px;{look.label_css}'>{name}</label>{entry}</div>"
                )
        grid = "".join(cells)
        width = rng.choice(("100%", "100%", "480px", "360px"))
        html = (
            f"<div style='display:grid;grid-template-columns:repeat({columns},1fr);gap:{look.gap_px}px "
            f"{look.gap_px + 6}px;"
            f"max-width:{width}'>{grid}</div>"
        )
        return f"<div>{html}<div style='height:{look.gap_px}px'></div>{self.button_row()}</div>"

    def entry(self, mark: str, hint: str) -> str:
        """A field; one in four holds something already."""
        rng = self.rng
        value = "" if hint or rng.random() < 0.65 else self.texts.value()
        shown = hint or (self.texts.value() if rng.random() < 0.3 else "")
        kind = "password" if value and rng.random() < 0.15 else "text"
        return (
            f'<input type={kind}{mark} value="{escape(value)}" placeholder="{escape(shown)}" '
            f"style='{self.look.field_css}'>"
        )

    def select(self, mark: str) -> str:
        arrow = svg(TRAINING_ICONS, "chevron down", round(self.look.font_px * 0.9))
        return (
            f"<div{mark} style='{self.look.field_css};display:flex;align-items:center;justify-content:space-between'>"
            f"<span style='overflow:hidden;white-space:nowrap'>{escape(self.texts.value())}</span>{arrow}</div>"
        )

    def button(self, kind: Kind = "button", *, label: str | None = None, strong: bool | None = None) -> str:
        rng, look = self.rng, self.look
        label = self.texts.action() if label is None else label
        strong = rng.random() < 0.5 if strong is None else strong
        picture = ""
        if rng.random() < 0.15:
            picture = svg(TRAINING_ICONS, rng.choice(self.icons), look.font_px)
        css = look.strong_css if strong else look.weak_css
        return f"<button{self.mark(kind, label)} style='{look.button_css};{css}'>{picture}{escape(label)}</button>"

    def button_row(self) -> str:
        place = self.rng.choice(("flex-start", "flex-start", "flex-end", "center", "space-between"))
        made = "".join(self.button(strong=at == 0 or None) for at in range(self.rng.randint(1, 4)))
        return f"<div style='display:flex;flex-wrap:wrap;gap:{self.look.gap_px}px;justify-content:{place}'>{made}</div>"

    def tick(self, kind: Kind, label: str, *, name: str = "") -> str:
        """A check box, radio button or switch with its label, which is part of it."""
        rng, look = self.rng, self.look
        on = rng.random() < 0.4
        size_px = rng.randint(13, 20)
        gap_px = rng.randint(5, 10)
        if kind == "switch":
            knob_px = size_px - 4
            fill = look.accent if on else look.border
            picture = (
                f"<span data-point style='flex:none;width:{size_px * 2}px;height:{size_px}px;border-radius:{size_px}px;"
                f"background:{fill};display:flex;justify-content:{'flex-end' if on else 'flex-start'};padding:2px'>"
                f"<span style='width:{knob_px}px;height:{knob_px}px;border-radius:50%;background:#fff'></span></span>"
            )
        elif look.own_ticks:
            radius = "50%" if kind == "radio" else f"{min(look.radius_px, 4)}px"
            dot = f"<span style='width:50%;height:50%;border-radius:50%;background:{look.on_accent}'></span>"
            mark = dot if kind == "radio" else svg(TRAINING_ICONS, "check", size_px - 4, stroke=4)
            paint = f"background:{look.accent};color:{look.on_accent};border:1px solid {look.accent}"
            empty = f"background:{look.field};border:1px solid {look.muted}"
            picture = (
                f"<span data-point style='flex:none;width:{size_px}px;height:{size_px}px;border-radius:{radius};"
                f"display:flex;align-items:center;justify-content:center;{paint if on else empty}'>"
                f"{mark if on else ''}</span>"
            )
        else:
            picture = (
                f"<input data-point type={kind} name='{name}' {'checked' if on else ''} "
                f"style='flex:none;width:{size_px}px;height:{size_px}px;accent-color:{look.accent}'>"
            )
        first, second = picture, f"<span>{escape(label)}</span>"
        if kind == "switch" and not look.switch_first:
            first, second = second, first
        return (
            f"<label{self.mark(kind, label)} style='display:inline-flex;align-items:center;gap:{gap_px}px;"
            f"min-height:{look.line_px}px'>{first}{second}</label>"
        )

    def choices(self) -> str:
        """A group of check boxes or radio buttons under a title."""
        rng, look = self.rng, self.look
        kind: Kind = rng.choice(("checkbox", "checkbox", "radio", "radio", "switch"))
        name = f"group{len(self.marks)}"
        made = [
            self.tick(kind, self.texts.choice() if kind == "radio" else self.texts.setting(), name=name)
            for _ in range(rng.randint(2, 6))
        ]
        flow = rng.choice(("flex-direction:column;align-items:flex-start", "flex-wrap:wrap"))
        title = self.text(self.texts.heading(), tag="div", style="font-weight:600") if rng.random() < 0.7 else ""
        return (
            f"<div>{title}<div style='display:flex;gap:{rng.randint(2, 10)}px {look.gap_px + 8}px;{flow}'>"
            f"{''.join(made)}</div></div>"
        )

    def settings(self) -> str:
        """Rows with a name, what it means, and a switch, a list or a button at the right."""
        rng, look = self.rng, self.look
        made: list[str] = []
        for _ in range(rng.randint(2, 5)):
            label = self.texts.setting()
            kind: Kind = rng.choice(("switch", "switch", "select", "checkbox"))
            more = (
                f"<div style='color:{look.muted};font-size:.88em'>{escape(self.texts.sentence())}</div>"
                if rng.random() < 0.5
                else ""
            )
            mark = self.mark(kind, label)
            name = f"<div><div data-part={self.last}>{escape(label)}</div>{more}</div>"
            on = rng.random() < 0.5
            if kind == "switch":
                right = (
                    f"<span{mark} style='flex:none;width:38px;height:20px;border-radius:10px;padding:2px;display:flex;"
                    f"justify-content:{'flex-end' if on else 'flex-start'};"
                    f"background:{look.accent if on else look.border}'>"
                    "<span style='width:16px;height:16px;border-radius:8px;background:#fff'></span></span>"
                )
            elif kind == "select":
                right = f"<div style='width:{look.font_px * 10}px;flex:none'>{self.select(mark)}</div>"
            else:
                right = (
                    f"<input type=checkbox{mark} {'checked' if on else ''} style='flex:none;width:17px;height:17px'>"
                )
            made.append(
                f"<div style='display:flex;justify-content:space-between;align-items:center;gap:16px;"
                f"padding:{look.gap_px // 2 + 2}px 0;border-bottom:1px solid {look.border}'>{name}{right}</div>"
            )
        return f"<div style='max-width:{rng.choice(('100%', '640px'))}'>{''.join(made)}</div>"

    def table(self) -> str:
        rng, look = self.rng, self.look
        columns = rng.randint(2, 6)
        lined = rng.choice((f"border:1px solid {look.border}", f"border-bottom:1px solid {look.border}", ""))
        pad = f"padding:{rng.randint(2, 9)}px {rng.randint(6, 16)}px;text-align:left;white-space:nowrap;{lined}"
        head = "".join(
            f"<th{self.mark('cell', label)} style='{pad};background:{look.raised}'>{escape(label)}</th>"
            for label in (self.texts.word() for _ in range(columns))
        )
        makers = cell_makers(rng, columns)
        body: list[str] = []
        for row in range(rng.randint(3, 10)):
            cells: list[str] = []
            for maker in makers:
                label = self.texts.once(maker)
                if rng.random() < 0.12:
                    cells.append(f"<td style='{pad}'><a{self.mark('link', label)}>{escape(label)}</a></td>")
                else:
                    cells.append(f"<td{self.mark('cell', label)} style='{pad}'>{escape(label)}</td>")
            stripe = f"background:{look.raised}" if row % 2 and look.stripes else ""
            body.append(f"<tr style='{stripe}'>{''.join(cells)}</tr>")
        width = rng.choice(("width:100%", "width:auto"))
        return f"<div><table style='border-collapse:collapse;{width}'><tr>{head}</tr>{''.join(body)}</table></div>"

    def cards(self) -> str:
        rng, look = self.rng, self.look
        made: list[str] = []
        for _ in range(rng.randint(2, 6)):
            art = self.art(rng.randint(40, 110)) if rng.random() < 0.6 else ""
            title = self.text(self.texts.label(), tag="div", style="font-weight:600")
            line = f"<div style='color:{look.muted};font-size:.9em'>{escape(self.texts.sentence(short=True))}</div>"
            price = self.text(self.texts.number(), tag="div", style="font-size:1.15em") if rng.random() < 0.5 else ""
            foot = rng.choice((self.button, self.link, lambda: ""))()
            made.append(
                f"<div style='{look.card_css};overflow:hidden'>{art}<div style='padding:{look.gap_px}px;display:flex;"
                f"flex-direction:column;gap:5px;align-items:flex-start'>{title}{line}{price}{foot}</div></div>"
            )
        return (
            f"<div style='display:grid;gap:{look.gap_px + 4}px;"
            f"grid-template-columns:repeat(auto-fit,minmax({rng.randint(130, 230)}px,1fr))'>{''.join(made)}</div>"
        )

    def art(self, height_px: int) -> str:
        """A picture of nothing: flat or graded colour, sometimes with an icon."""
        rng = self.rng
        one, two = self.look.paint(), self.look.paint()
        inner = svg(TRAINING_ICONS, rng.choice(self.icons), height_px // 2) if rng.random() < 0.3 else ""
        return (
            f"<div style='height:{height_px}px;background:linear-gradient({rng.randint(0, 180)}deg,{one},{two});"
            f"display:flex;align-items:center;justify-content:center;color:#fff'>{inner}</div>"
        )

    def link(self, label: str | None = None) -> str:
        label = self.texts.link() if label is None else label
        return f"<a{self.mark('link', label)} style='white-space:nowrap'>{escape(label)}</a>"

    def rows(self) -> str:
        """A list of entries: mail, files, people; sometimes with a second line, a picture, a time."""
        rng, look = self.rng, self.look
        two, face, side = rng.random() < 0.5, rng.random() < 0.5, rng.random() < 0.5
        made: list[str] = []
        for _ in range(rng.randint(3, 8)):
            label = self.texts.label()
            size_px = look.font_px * (2 if two else 1) + 6
            picture = (
                f"<span style='flex:none;width:{size_px}px;height:{size_px}px;"
                f"border-radius:{rng.choice(('50%', '4px'))};"
                f"background:{look.paint()}'></span>"
                if face
                else ""
            )
            under = (
                f"<div style='color:{look.muted};font-size:.9em;overflow:hidden;white-space:nowrap'>"
                f"{escape(self.texts.sentence())}</div>"
                if two
                else ""
            )
            time = f"<span style='color:{look.muted};flex:none'>{escape(self.texts.number())}</span>" if side else ""
            tools = "".join(self.icon(look.font_px + 2) for _ in range(rng.randint(1, 2))) if rng.random() < 0.1 else ""
            made.append(
                f"<div style='display:flex;align-items:center;gap:10px;padding:{look.gap_px // 2}px 8px;"
                f"border-bottom:1px solid {look.border}'>{picture}<div style='flex:1;min-width:0;overflow:hidden'>"
                f"{self.text(label, tag='div', kind='option', style='font-weight:500;white-space:nowrap')}{under}"
                f"</div>{time}{tools}</div>"
            )
        return f"<div>{''.join(made)}</div>"

    def article(self) -> str:
        rng, look = self.rng, self.look
        title = self.text(self.texts.heading(), tag="h2", style="font-size:1.5em")
        by = f"<div style='color:{look.muted};margin:2px 0 8px'>{escape(self.texts.sentence(short=True))}</div>"
        made: list[str] = []
        for _ in range(rng.randint(1, 3)):
            words = [escape(self.texts.sentence()) for _ in range(rng.randint(2, 5))]
            if rng.random() < 0.6:
                words.insert(rng.randrange(len(words)), self.link())
            made.append(f"<p style='margin-bottom:{look.gap_px}px'>{' '.join(words)}</p>")
        return f"<div style='max-width:{rng.choice(('100%', '60ch'))}'>{title}{by}{''.join(made)}</div>"

    def results(self) -> str:
        rng, look = self.rng, self.look
        made: list[str] = []
        for _ in range(rng.randint(2, 5)):
            label = self.texts.label()
            where = f"<div style='color:{look.muted};font-size:.85em'>{escape(self.texts.address())}</div>"
            made.append(
                f"<div style='margin-bottom:{look.gap_px + 4}px'><div style='font-size:1.2em'>"
                f"{self.link(label)}</div>{where}"
                f"<div>{escape(self.texts.sentence())} {escape(self.texts.sentence(short=True))}</div></div>"
            )
        return f"<div>{''.join(made)}</div>"

    def icon(self, size_px: int, style: str = "") -> str:
        """An icon that is a button; each meaning once a page, while there are any."""
        name = self.icons.pop() if self.icons else self.rng.choice(list(TRAINING_ICONS))
        picture = svg(TRAINING_ICONS, name, size_px, stroke=self.look.stroke)
        return (
            f"<span{self.mark('icon', name)} style='display:inline-flex;padding:{self.look.icon_pad_px}px;"
            f"{style}'>{picture}</span>"
        )

    def icon_bar(self) -> str:
        rng, look = self.rng, self.look
        size_px = rng.randint(14, 30)
        framed = f"border:1px solid {look.border};border-radius:{look.radius_px}px;background:{look.raised}"
        each = rng.choice(("", "", framed))
        made = "".join(self.icon(size_px, each) for _ in range(rng.randint(3, 9)))
        if rng.random() < 0.3:
            made += self.button()
        bar = rng.choice(("", framed + ";padding:3px 8px"))
        return (
            f"<div style='display:flex;flex-wrap:wrap;align-items:center;gap:{rng.randint(4, 18)}px;{bar}'>{made}</div>"
        )

    def tabs(self) -> str:
        rng, look = self.rng, self.look
        style = rng.choice(("under", "folder", "pill"))
        labels = [self.texts.word() for _ in range(rng.randint(2, 6))]
        active = rng.randrange(len(labels))
        made: list[str] = []
        for at, label in enumerate(labels):
            on = at == active
            css = {
                "under": f"border-bottom:3px solid {look.accent if on else 'transparent'};"
                f"color:{look.ink if on else look.muted}",
                "folder": f"border:1px solid {look.border if on else 'transparent'};border-bottom:0;"
                f"background:{look.raised if on else 'transparent'}",
                "pill": f"border-radius:20px;background:{look.accent if on else 'transparent'};"
                f"color:{look.on_accent if on else look.ink}",
            }[style]
            made.append(
                f"<span{self.mark('tab', label)} style='padding:{rng.randint(4, 8)}px 12px;white-space:nowrap;"
                f"{css}'>{escape(label)}</span>"
            )
        return f"<div style='display:flex;border-bottom:1px solid {look.border}'>{''.join(made)}</div>"

    def tiles(self) -> str:
        """Figures with their names."""
        look = self.look
        made = "".join(
            f"<div style='{look.card_css};padding:{look.gap_px}px'><div style='color:{look.muted}'>"
            f"{escape(self.texts.label())}</div>"
            f"{self.text(self.texts.number(), tag='div', style='font-size:1.7em;line-height:1.3')}</div>"
            for _ in range(self.rng.randint(2, 5))
        )
        return (
            f"<div style='display:grid;gap:{look.gap_px}px;"
            f"grid-template-columns:repeat(auto-fit,minmax(120px,1fr))'>{made}</div>"
        )

    def sliders(self) -> str:
        rng, look = self.rng, self.look
        made: list[str] = []
        for _ in range(rng.randint(1, 4)):
            label = self.texts.setting()
            mark = self.mark("slider", label)
            made.append(
                f"<div style='display:flex;align-items:center;gap:10px;margin-bottom:6px'><span data-part={self.last} "
                f"style='width:{look.font_px * 9}px;flex:none;overflow:hidden;white-space:nowrap'>"
                f"{escape(label)}</span>"
                f"<input type=range{mark} value={rng.randint(0, 100)} style='width:{rng.randint(120, 260)}px;"
                f"accent-color:{look.accent}'></div>"
            )
        return f"<div>{''.join(made)}</div>"

    def chips(self) -> str:
        look, rng = self.look, self.rng
        made = "".join(
            f"<span{self.mark('option', label)} style='padding:2px 10px;border:1px solid {look.border};"
            f"border-radius:{rng.choice((3, 14))}px;"
            f"white-space:nowrap;background:{look.raised}'>{escape(label)}</span>"
            for label in (self.texts.word() for _ in range(rng.randint(3, 9)))
        )
        return f"<div style='display:flex;flex-wrap:wrap;gap:6px'>{made}</div>"

    def pager(self) -> str:
        look, first = self.look, self.rng.randint(1, 40)
        labels = [str(first + at) for at in range(self.rng.randint(3, 7))]
        made = "".join(
            f"<a{self.mark('link', label)} style='padding:3px 9px;border:1px solid {look.border};"
            f"text-decoration:none'>{label}</a>"
            for label in labels
        )
        return f"<div style='display:flex;gap:{self.rng.choice((0, 4, 8))}px;justify-content:center'>{made}</div>"

    def month(self) -> str:
        look, rng = self.look, self.rng
        days = "".join(
            f"<span style='text-align:center;color:{look.muted}'>{day}</span>"
            for day in ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
        )
        blank = "<span></span>" * rng.randint(0, 6)
        cells = "".join(
            f"<span{self.mark('cell', str(day))} style='text-align:center;padding:{look.gap_px // 3}px 0'>{day}</span>"
            for day in range(1, rng.randint(29, 32))
        )
        title = self.text(self.texts.label(), tag="div", style="font-weight:600;margin-bottom:4px")
        return (
            f"<div style='max-width:{rng.randint(210, 420)}px'>{title}<div style='display:grid;"
            f"grid-template-columns:repeat(7,1fr)'>{days}{blank}{cells}</div></div>"
        )

    def facts(self) -> str:
        look = self.look
        made = "".join(
            f"<span style='color:{look.muted};white-space:nowrap'>{escape(self.texts.label())}</span>"
            f"<span>{self.text(self.texts.value())}</span>"
            for _ in range(self.rng.randint(2, 7))
        )
        return f"<div style='display:grid;grid-template-columns:max-content 1fr;gap:4px 18px'>{made}</div>"

    def notice(self) -> str:
        look, rng = self.look, self.rng
        close = self.icon(look.font_px) if rng.random() < 0.5 else ""
        action = self.link() if rng.random() < 0.6 else ""
        return (
            "<div style='display:flex;gap:12px;align-items:center;padding:8px 12px;border-left:4px solid "
            f"{look.accent};"
            f"background:{look.raised}'><span style='flex:1'>{escape(self.texts.sentence())}</span>"
            f"{action}{close}</div>"
        )

    def columns(self) -> str:
        """Lists of links side by side, each under its title."""
        made = "".join(
            f"<div>{self.text(self.texts.heading(), tag='div', style='font-weight:700;margin-bottom:4px')}"
            + "".join(f"<div>{self.link()}</div>" for _ in range(self.rng.randint(2, 6)))
            + "</div>"
            for _ in range(self.rng.randint(2, 4))
        )
        return f"<div style='display:flex;flex-wrap:wrap;gap:{self.look.gap_px + 14}px'>{made}</div>"

    def link_list(self) -> str:
        flow = self.rng.choice(("flex-direction:column;align-items:flex-start;gap:3px", "flex-wrap:wrap;gap:4px 18px"))
        return f"<div style='display:flex;{flow}'>{''.join(self.link() for _ in range(self.rng.randint(2, 7)))}</div>"

    def search_bar(self) -> str:
        rng = self.rng
        hint = rng.choice(("Search", "Search...", f"Search {self.texts.word().lower()}", "Find"))
        entry = (
            f"<input type=text{self.mark('field', hint.rstrip('.'))} placeholder=\"{escape(hint)}\" value='' "
            f"style='{self.look.field_css};max-width:{rng.randint(150, 420)}px'>"
        )
        after = rng.choice((lambda: "", lambda: self.icon(self.look.font_px + 4), self.button))()
        return f"<div style='display:flex;gap:8px;align-items:center'>{entry}{after}</div>"
