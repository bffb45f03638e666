"""The looks of an evaluation page: sizes, colours and the typefaces that training never sees."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from random import Random
from typing import Final, Literal

from ...envs import Size

FONTS: Final[dict[str, str]] = {  # held out of training: family -> Debian package
    "Lato": "fonts-lato",
    "Cantarell": "fonts-cantarell",
    "Noto Sans": "fonts-noto-core",
    "Noto Serif": "fonts-noto-core",
}
SMALLEST_PX: Final = Size(360, 320)  # viewports, CSS px: small windows
LARGEST_PX: Final = Size(480, 440)


@dataclass(frozen=True, kw_only=True)
class Look:
    """Sizes in CSS px and colours of one page."""

    width_px: int
    height_px: int
    font: str
    font_px: int
    field_px: int
    button_px: int
    gap_px: int
    radius_px: int
    card: bool
    label_place: Literal["above", "left", "inside"]
    field_style: Literal["box", "underline", "filled"]
    page_color: str
    card_color: str
    ink: str
    muted: str
    border: str
    field_color: str
    accent: str
    link: str


def draw_look(rng: Random) -> Look:
    dark = rng.random() < 0.3
    hue, accent_hue = rng.random(), rng.random()
    tint = rng.choice((0.0, 0.0, 0.15, 0.4))
    page_l, card_l, ink_l, muted_l, border_l, field_l = (
        (
            rng.uniform(0.05, 0.13),
            rng.uniform(0.13, 0.22),
            rng.uniform(0.86, 0.98),
            0.7,
            rng.uniform(0.3, 0.45),
            rng.uniform(0.07, 0.2),
        )
        if dark
        else (
            rng.uniform(0.88, 0.98),
            rng.uniform(0.96, 1),
            rng.uniform(0.06, 0.25),
            0.42,
            rng.uniform(0.55, 0.78),
            rng.uniform(0.95, 1),
        )
    )
    accent = hsl(accent_hue, rng.uniform(0.4, 0.95), rng.uniform(0.3, 0.6))
    font_px = rng.randint(13, 18)
    card = rng.random() < 0.6
    page_color, card_color = hsl(hue, tint, page_l), hsl(hue, tint / 2, card_l)
    return Look(
        width_px=rng.randint(SMALLEST_PX.width_px, LARGEST_PX.width_px),
        height_px=rng.randint(SMALLEST_PX.height_px, LARGEST_PX.height_px),
        font=rng.choice(tuple(FONTS)),
        font_px=font_px,
        field_px=round(font_px * rng.uniform(1.7, 2.3)),
        button_px=round(font_px * rng.uniform(1.7, 2.4)),
        gap_px=rng.randint(4, 12),
        radius_px=rng.choice((0, 2, 4, 6, 8, 12, 24)),
        card=card,
        label_place=rng.choice(("above", "above", "above", "left", "left", "inside")),
        field_style=rng.choice(("box", "box", "box", "underline", "filled")),
        page_color=page_color,
        card_color=card_color if card else page_color,
        ink=hsl(hue, tint, ink_l),
        muted=hsl(hue, tint / 2, muted_l),
        border=hsl(hue, tint, border_l),
        field_color=hsl(hue, tint / 2, field_l),
        accent=accent,
        link=readable(accent_hue, 0.7, card_color, page_color),
    )


def hsl(hue: float, saturation: float, lightness: float) -> str:
    """A CSS colour, all three from 0 to 1."""
    return "#" + "".join(f"{round(part * 255):02x}" for part in colorsys.hls_to_rgb(hue, lightness, saturation))


def luminance(color: str) -> float:
    parts = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """From 1 (the same) to 21 (black on white)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def ink_on(fill: str) -> str:
    return "#ffffff" if contrast("#ffffff", fill) >= 3.2 else "#16181d"


def readable(hue: float, saturation: float, *grounds: str) -> str:
    """The colour of this hue nearest to the middle that reads well on all grounds."""
    steps = sorted((at / 40 for at in range(41)), key=lambda lightness: abs(lightness - 0.5))
    colors = [hsl(hue, saturation, lightness) for lightness in steps]
    return next((c for c in colors if all(contrast(c, ground) >= 4.5 for ground in grounds)), "#888888")
