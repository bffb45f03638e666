"""How a training page looks: a palette, a typeface that training may use, sizes, and the styles of its controls."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from .small_look import hsl, ink_on, readable

TRAINING_FONTS: Final = (
    "DejaVu Sans", "DejaVu Serif", "DejaVu Sans Mono", "DejaVu Sans Condensed", "Liberation Sans", "Liberation Sans",
    "Liberation Serif", "Liberation Mono", "Liberation Sans Narrow", "Open Sans", "Open Sans", "Roboto", "Roboto",
    "Roboto Condensed",
)  # fmt: skip
USUAL_SIZES: Final = ((640, 480), (800, 600), (1024, 768), (1280, 720), (1280, 800), (1152, 720), (960, 640))


@dataclass(frozen=True, kw_only=True)
class TrainingLook:
    """Sizes in CSS px, colours, and the CSS that like controls of one page share."""

    rng: Random
    width_px: int
    height_px: int
    font: str
    font_px: int
    line_px: int
    gap_px: int
    radius_px: int
    icon_pad_px: int
    stroke: float
    own_ticks: bool
    switch_first: bool
    stripes: bool
    dark: bool
    page: str
    raised: str
    ink: str
    muted: str
    border: str
    field: str
    accent: str
    on_accent: str
    link: str
    css: str
    label_css: str
    field_css: str
    button_css: str
    strong_css: str
    weak_css: str
    card_css: str

    def paint(self) -> str:
        """Some colour for a picture."""
        return hsl(self.rng.random(), self.rng.uniform(0.2, 0.7), self.rng.uniform(0.3, 0.7))


def draw_training_look(rng: Random) -> TrainingLook:
    size = rng.choice(USUAL_SIZES) if rng.random() < 0.5 else (rng.randint(440, 1280), rng.randint(340, 800))
    dark = rng.random() < 0.3
    hue, tint = rng.random(), rng.choice((0.0, 0.0, 0.1, 0.3))

    def tone(light: tuple[float, float], in_dark: tuple[float, float]) -> str:
        return hsl(hue, tint, rng.uniform(*(in_dark if dark else light)))

    page = tone((0.93, 1.0), (0.04, 0.14))
    raised = tone((0.95, 1.0), (0.12, 0.22)) if rng.random() < 0.5 else tone((0.86, 0.96), (0.1, 0.2))
    ink = tone((0.0, 0.25), (0.84, 1.0))
    border = tone((0.6, 0.9), (0.25, 0.42))
    field = tone((0.96, 1.0), (0.05, 0.2))
    accent_hue = rng.random()
    accent = hsl(accent_hue, rng.uniform(0.3, 1), rng.uniform(0.28, 0.6))
    link = readable(accent_hue, rng.uniform(0.5, 1), page, raised) if rng.random() < 0.8 else ink
    font_px = rng.choice((11, 12, 13, 13, 14, 14, 15, 16, 16, 18, 20))
    if size[0] > 900 and rng.random() < 0.15:
        font_px = rng.randint(20, 26)
    line_px = round(font_px * rng.uniform(1.2, 1.6))
    radius_px = rng.choice((0, 0, 2, 3, 4, 6, 8, 12, 20))
    pad_px = rng.randint(2, 10)
    underline = rng.choice(("underline", "none", "none"))
    frame = rng.choice((f"border:1px solid {border}", f"border:1px solid {border}", f"border:2px solid {border}",
                        f"border:0;border-bottom:2px solid {border}"))  # fmt: skip
    font = rng.choice(TRAINING_FONTS)
    return TrainingLook(
        rng=rng,
        width_px=size[0],
        height_px=size[1],
        font=font,
        font_px=font_px,
        line_px=line_px,
        gap_px=rng.randint(6, 20),
        radius_px=radius_px,
        icon_pad_px=rng.randint(1, 7),
        stroke=rng.choice((1.2, 1.6, 2, 2, 2.5)),
        own_ticks=rng.random() < 0.4,
        switch_first=rng.random() < 0.6,
        stripes=rng.random() < 0.4,
        dark=dark,
        page=page,
        raised=raised,
        ink=ink,
        muted=readable(hue, tint, page, raised),
        border=border,
        field=field,
        accent=accent,
        on_accent=ink_on(accent),
        link=link,
        css=(
            "*{box-sizing:border-box;margin:0;padding:0}"
            f"html{{background:{page};color:{ink};color-scheme:{'dark' if dark else 'light'}}}"
            f"body{{width:{size[0]}px;height:{size[1]}px;overflow:hidden;"
            f"font:{font_px}px/{line_px}px '{font}'}}"
            f"input,button{{font:inherit;color:inherit}}h1,h2,h3{{line-height:1.25;"
            f"font-weight:{rng.choice((400, 600, 700))}}}"
            f"::placeholder{{color:{readable(hue, tint, field)};opacity:1}}"
            f"a{{color:{link};text-decoration:{underline}}}td,th{{font-size:inherit}}"
        ),
        label_css=rng.choice(("font-weight:600", "", "", "font-size:.9em")),
        field_css=(
            f"width:100%;min-width:0;height:{font_px + 2 * pad_px + 8}px;padding:0 {rng.randint(5, 14)}px;{frame};"
            f"border-radius:{radius_px}px;background:{field};outline:0"
        ),
        button_css=(
            f"display:inline-flex;align-items:center;justify-content:center;gap:6px;white-space:nowrap;"
            f"padding:{pad_px}px {rng.randint(8, 24)}px;border-radius:{rng.choice((radius_px, radius_px, 40))}px;"
            f"font-weight:{rng.choice((400, 500, 600, 700))}"
        ),
        strong_css=f"background:{accent};color:{ink_on(accent)};border:1px solid {accent}",
        weak_css=rng.choice((
            f"background:{raised};color:{ink};border:1px solid {border}",
            f"background:{page};color:{ink};border:1px solid {border}",
            f"background:{page};border:1px solid {link};color:{link}",
            f"background:{raised};color:{ink};border:0",
        )),
        card_css=rng.choice((
            f"border:1px solid {border};border-radius:{radius_px}px;background:{raised}",
            f"border-radius:{radius_px}px;background:{raised};box-shadow:0 1px 6px rgba(0,0,0,.3)",
            f"border-radius:{radius_px}px;background:{raised}",
        )),
    )  # fmt: skip
