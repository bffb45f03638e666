"""The parts that the large evaluation pages share: headers, fields, icons, tabs, pictures, as marked HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from random import Random
from typing import Final

from ..vocabulary import Kind
from . import texts as say
from .icons import HELD_OUT_ICONS, svg
from .large_look import LargeLook
from .shown import Marker
from .small_look import hsl

FILLED: Final = frozenset({"star", "heart", "bookmark", "bell", "home", "moon", "folder", "lock", "flag"})
SEARCH_HINTS: Final = ("Search", "Search here", "Look for something")


class LargeParts(Marker):
    """Writes the parts of one page in its look; a text stands on the page once, an icon too."""

    def __init__(self, rng: Random, look: LargeLook) -> None:
        super().__init__()
        self.rng = rng
        self.look = look
        self.wide = look.width_px >= 900
        self.used: set[str] = set()

    def take(self, group: Sequence[str], count: int) -> list[str]:
        """So many texts of a group that the page has not used, or as many as are left."""
        left = [text for text in group if text.lower() not in self.used]
        taken = self.rng.sample(left, min(count, len(left)))
        self.used.update(text.lower() for text in taken)
        return taken

    def one(self, group: Sequence[str]) -> str:
        return self.take(group, 1)[0]

    def prose(self, count: int) -> str:
        return escape(" ".join(self.rng.sample(say.PROSE, count)))

    def money(self) -> str:
        return (
            f"{self.rng.choice(('', '$', 'EUR '))}{self.rng.randint(3, 480)}"
            f".{self.rng.choice(('00', '50', '95', '20'))}"
        )

    def day(self) -> str:
        months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
        return f"{self.rng.randint(1, 28)} {self.rng.choice(months)}"

    def link(self, label: str, group: str = "", style: str = "") -> str:
        return f"<a class=one{self.mark('link', label, group)} style='{style}'>{escape(label)}</a>"

    def button(self, label: str, group: str = "", *, main: bool = False, icon: str = "") -> str:
        picture = self.drawing(icon, self.look.font_px + 2) if icon else ""
        return (
            f"<button class='button {'main' if main else ''}'{self.mark('button', label, group)}>"
            f"{picture}{escape(label)}</button>"
        )

    def icons(self, names: Sequence[str], group: str = "") -> str:
        return "".join(self.icon(name, group) for name in names)

    def icon(self, name: str, group: str = "") -> str:
        """An icon by itself; a meaning comes once a page."""
        if f"icon {name}" in self.used:
            return ""
        self.used.add(f"icon {name}")
        return f"<span class=icon{self.mark('icon', name, group)}>{self.drawing(name, self.look.icon_px)}</span>"

    def drawing(self, name: str, size_px: int) -> str:
        solid = self.look.solid and name in FILLED
        return svg(HELD_OUT_ICONS, name, size_px, stroke=self.look.stroke, solid=solid)

    def tick(self, kind: Kind, label: str, group: str = "") -> str:
        on = "checked" if self.rng.random() < 0.35 else ""
        if kind == "switch":
            toggle = f"<span data-point class='toggle {'on' if on else ''}'><i></i></span>"
            return f"<label class=tick{self.mark('switch', label, group)}>{toggle}{escape(label)}</label>"
        return (
            f"<label class=tick{self.mark(kind, label, group)}><input data-point type={kind} name='{group}' {on}>"
            f"{escape(label)}</label>"
        )

    def entry(self, label: str, *, value: str = "") -> str:
        """A field under its label, or beside it."""
        mark = self.mark("field", label)
        style = self.rng.choice(("", "", "font-weight:700"))
        return (
            f"<div class=grow style='width:100%'><label class=one data-part={self.last} style='display:block;"
            f"{style}'>{escape(label)}</label>"
            f'<input class=entry type=text{mark} value="{escape(value)}"></div>'
        )

    def choice(self, label: str, options: Sequence[str]) -> str:
        """A list to choose from, under its label."""
        mark = self.mark("select", label)
        inner = "".join(f"<option>{escape(option)}</option>" for option in options)
        return (
            f"<div class=grow style='width:100%'><label class=one data-part={self.last} style='display:block'>"
            f"{escape(label)}</label>"
            f"<select class=entry{mark}>{inner}</select></div>"
        )

    def seek(self, width_px: int) -> str:
        hint = self.one(SEARCH_HINTS)
        return (
            f"<input class=entry type=search{self.mark('field', hint)} placeholder='{hint}' style='width:{width_px}px'>"
        )

    def slider(self, label: str) -> str:
        mark = self.mark("slider", label)
        return (
            f"<div class=row style='width:100%;max-width:340px'><span class=one data-part={self.last} "
            f"style='width:7.5em;flex:none'>{escape(label)}</span>"
            f"<input type=range{mark} value={self.rng.randint(0, 100)} style='flex:1;min-width:0'></div>"
        )

    def tabs(self, labels: Sequence[str]) -> str:
        active = self.rng.randrange(len(labels))
        made = (
            f"<span class='tab {'on' if at == active else ''}'{self.mark('tab', label, 'tabs')}>{escape(label)}</span>"
            for at, label in enumerate(labels)
        )
        return f"<div class=tabs>{''.join(made)}</div>"

    def entries(self, labels: Sequence[str], kind: Kind, group: str, pictures: Sequence[str] = ()) -> str:
        """A column of places to go; one is where we are."""
        active = self.rng.randrange(len(labels)) if labels else 0
        made = (
            f"<div class='item {'on' if at == active else ''}'{self.mark(kind, label, group)}>"
            f"{self.drawing(pictures[at % len(pictures)], self.look.font_px + 2) if pictures else ''}"
            f"{escape(label)}</div>"
            for at, label in enumerate(labels)
        )
        return "".join(made)

    def picture(self, height_px: int, style: str = "") -> str:
        """A landscape of three colours."""
        one, two, three = (hsl(self.rng.random(), 0.35, level) for level in (0.75, 0.5, 0.3))
        return (
            f"<svg viewBox='0 0 100 60' preserveAspectRatio=none style='display:block;width:100%;height:{height_px}"
            f"px;{style}'>"
            f"<rect width=100 height=60 fill={one} /><path fill={two} d='M0 {self.rng.randint(25, 45)}"
            f"L{self.rng.randint(20, 45)} "
            f"{self.rng.randint(8, 25)} 70 40 100 {self.rng.randint(15, 40)}V60H0z'/><path fill={three} "
            f"d='M0 {self.rng.randint(45, 55)}Q50 {self.rng.randint(30, 55)} 100 50V60H0z'/></svg>"
        )

    def header(self, links: Sequence[str], icons: Sequence[str] = (), *, seek: bool = False) -> str:
        """The band at the top: name, links, a search field, icons."""
        brand = self.text(self.one(say.BRANDS), style="font-size:1.3em;font-weight:700;white-space:nowrap")
        room = self.look.width_px // (230 if seek else 150)
        made = "".join(self.link(label, "header") for label in links[:room])
        field = self.seek(self.look.width_px // 5) if seek else ""
        band = self.rng.choice(("top", "top", "band"))
        return (
            f"<div class='row {band}'>{brand}{made}<span class=end></span>{field if band == 'top' else ''}"
            f"{self.icons(icons)}</div>"
        )

    def footer(self) -> str:
        links = "".join(
            self.link(label, "footer")
            for label in self.take(say.FOOTERS, self.rng.randint(2, 2 + self.look.width_px // 250))
        )
        return f"<div class='row top fine' style='border:0'>{links}<span class='end pale'>&copy; 2031</span></div>"
