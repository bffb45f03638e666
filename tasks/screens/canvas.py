"""Where training screens are drawn: typefaces, colours, text with the place of every character, and what lies where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..vocabulary import Kind
from .icons import DRAWINGS, draw_mask
from .samples import Box, Control, Screen, Word
from .texts import Maker

Colour = tuple[int, int, int]
ICONS = tuple(DRAWINGS)

# Families of the licences SIL OFL, Apache-2.0 and Bitstream Vera; the evaluation pages use others.
FONT_FAMILIES: tuple[tuple[str, str], ...] = (
    ("dejavu/DejaVuSans.ttf", "dejavu/DejaVuSans-Bold.ttf"),
    ("dejavu/DejaVuSansCondensed.ttf", "dejavu/DejaVuSansCondensed-Bold.ttf"),
    ("dejavu/DejaVuSerif.ttf", "dejavu/DejaVuSerif-Bold.ttf"),
    ("dejavu/DejaVuSansMono.ttf", "dejavu/DejaVuSansMono-Bold.ttf"),
    ("liberation/LiberationSans-Regular.ttf", "liberation/LiberationSans-Bold.ttf"),
    ("liberation/LiberationSansNarrow-Regular.ttf", "liberation/LiberationSansNarrow-Bold.ttf"),
    ("liberation/LiberationSerif-Regular.ttf", "liberation/LiberationSerif-Bold.ttf"),
    ("open-sans/OpenSans-Regular.ttf", "open-sans/OpenSans-Semibold.ttf"),
    ("open-sans/OpenSans-Light.ttf", "open-sans/OpenSans-Bold.ttf"),
    ("roboto/unhinted/RobotoTTF/Roboto-Regular.ttf", "roboto/unhinted/RobotoTTF/Roboto-Bold.ttf"),
    ("roboto/unhinted/RobotoTTF/Roboto-Light.ttf", "roboto/unhinted/RobotoTTF/Roboto-Medium.ttf"),
    ("roboto/unhinted/RobotoCondensed-Regular.ttf", "roboto/unhinted/RobotoCondensed-Bold.ttf"),
)
FONT_FOLDER = Path("/usr/share/fonts/truetype")
FONT_PACKAGES = ("fonts-dejavu", "fonts-liberation", "fonts-open-sans", "fonts-roboto")


@dataclass(frozen=True, kw_only=True)
class Theme:
    page: Colour
    card: Colour
    text: Colour
    muted: Colour
    accent: Colour
    on_accent: Colour
    border: Colour
    input: Colour
    link: Colour

    @property
    def is_dark(self) -> bool:
        return sum(self.card) < 384

    def on_colour(self) -> Theme:
        """The same on a surface of the accent's colour."""
        ink = self.on_accent
        return replace(self, page=self.accent, card=self.accent, text=ink, muted=blend(ink, self.accent, 0.2), link=ink,
                       accent=ink, on_accent=self.accent, border=blend(ink, self.accent, 0.5),
                       input=blend(self.accent, ink, 0.12))  # fmt: skip


def draw_theme(rng: Random) -> Theme:
    """Colours of one screen, three in ten dark; text stands out from every surface it may lie on."""

    def near(base: int, spread: int) -> Colour:
        red, green, blue = (max(0, min(255, base + rng.randint(-spread, spread))) for _ in range(3))
        return red, green, blue

    hue = [rng.randint(20, 90), rng.randint(60, 130), rng.randint(140, 230)]
    rng.shuffle(hue)
    accent: Colour = (hue[0], hue[1], hue[2])
    if rng.random() < 0.25:
        lifted = [min(255, level + rng.randint(0, 60)) for level in hue]
        accent = (lifted[0], lifted[1], lifted[2])
    if rng.random() < 0.12:
        accent = near(40, 25)
    ink = near(248, 7) if _brightness(accent) < 150 else near(15, 12)
    if rng.random() < 0.3:
        page = near(rng.randint(14, 45), 8)
        card = near(min(70, max(page) + rng.randint(0, 22)), 4)
        if sum(accent) < 150:
            accent = blend(accent, (255, 255, 255), 0.35)
        return Theme(
            page=page, card=card, text=near(232, 18), muted=near(165, 20), accent=accent, on_accent=ink,
            border=near(88, 20), input=near(min(80, max(card) + rng.randint(-12, 14)), 4),
            link=(rng.randint(110, 170), rng.randint(160, 210), 255),
        )  # fmt: skip
    page = near(rng.randint(226, 255), 8)
    card = near(252, 3) if rng.random() < 0.75 else page
    link = (
        accent if rng.random() < 0.6 and _brightness(accent) < 130 else (0, rng.randint(60, 120), rng.randint(180, 238))
    )
    return Theme(
        page=page, card=card, text=near(34, 26), muted=near(110, 22), accent=accent, on_accent=ink,
        border=near(rng.randint(120, 215), 8), input=near(252, 3), link=link,
    )  # fmt: skip


def _brightness(colour: Colour) -> float:
    """How light a colour looks, 0 to 255."""
    return 0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2]


class Canvas:
    """A screen in the making: one typeface, one theme, one density, and everything drawn so far."""

    def __init__(self, rng: Random, width_px: int, height_px: int) -> None:
        self.rng = rng
        self.width_px = width_px
        self.height_px = height_px
        self.theme = draw_theme(rng)
        self.image = Image.new("RGB", (width_px, height_px), self.theme.page)
        self.pen = ImageDraw.Draw(self.image)
        self.family = rng.choice(FONT_FAMILIES)
        self.size_px = rng.choices(range(10, 23), (1, 2, 4, 5, 6, 6, 6, 4, 3, 2, 2, 1, 1))[0]
        if width_px < 400:
            self.size_px = min(self.size_px, 18)
        self.radius_px = rng.choice((0, 2, 3, 4, 6, 8, 12, 20))
        self.gap_px = rng.uniform(0.25, 0.9) * self.size_px
        self.pad_px = rng.uniform(0.6, 1.6) * self.size_px
        self.stroke_units = rng.choice((1.3, 1.6, 1.8, 2.0, 2.0, 2.3, 2.6))
        self.label_bold = rng.random() < 0.3
        self.button_bold = rng.random() < 0.35
        self.field_style = rng.choices(("box", "underline", "filled"), (8, 1.5, 1.5))[0]
        self.label_place = rng.choices(("above", "left", "inside"), (6, 3, 2))[0]
        self.tick_px = max(9.0, self.size_px * rng.uniform(0.8, 1.15))  # side of a check box
        self.tick_gap_px = rng.uniform(4, 9)
        self.switch_px = max(11.0, self.size_px * rng.uniform(0.9, 1.3))
        self.words: list[Word] = []
        self.controls: list[Control] = []
        self.used: set[str] = set()  # texts on the screen, lower case
        self.icons: set[str] = set()

    def screen(self) -> Screen:
        """What was drawn; whatever reaches over the edge is drawn but not told."""
        width_px, height_px = self.width_px, self.height_px

        def whole(box: Box) -> bool:
            return box[0] >= -0.5 and box[1] >= -2 and box[2] <= width_px + 0.5 and box[3] <= height_px + 2

        controls = tuple(c for c in self.controls if all(whole(box) for box in (c.box, *c.parts)))
        return Screen(np.asarray(self.image), controls, tuple(word for word in self.words if whole(word.box)))

    # Text

    def width(self, text: str, *, bold: bool = False, size_px: int = 0) -> float:
        return load_font(self.family[bold], size_px or self.size_px).getlength(text)

    def line_px(self, size_px: int = 0) -> float:
        """The height of a line of text."""
        return sum(load_font(self.family[0], size_px or self.size_px).getmetrics())

    def fresh(self, maker: Maker, max_px: float, *, bold: bool = False, size_px: int = 0) -> str | None:
        """A text not yet on the screen that fits into `max_px`; None when a few tries found none."""
        for _ in range(6):
            text = maker(self.rng)
            key = text.lower()
            if key not in self.used and self.width(text, bold=bold, size_px=size_px) <= max_px:
                self.used.add(key)
                return text
        return None

    def text(
        self, left_px: float, top_px: float, text: str, colour: Colour, *, bold: bool = False, size_px: int = 0
    ) -> Box:
        """Draw one line and remember its words; returns the line's box."""
        file, size_px = self.family[bold], size_px or self.size_px
        font = load_font(file, size_px)
        self.pen.text((left_px, top_px), text, colour, font)
        bottom_px = top_px + sum(font.getmetrics())
        places_px = [left_px + place for place in accumulate((advance(file, size_px, c) for c in text), initial=0.0)]
        length_px = font.getlength(text)
        stretch = length_px / (places_px[-1] - left_px) if places_px[-1] > left_px else 1.0  # kerning
        end = 0
        for word in text.split():
            start = text.index(word, end)
            end = start + len(word)
            edges_px = tuple(left_px + (place - left_px) * stretch for place in places_px[start : end + 1])
            self.words.append(Word(word, (edges_px[0], top_px, edges_px[-1], bottom_px), edges_px))
        return left_px, top_px, left_px + length_px, bottom_px

    def centred(self, box: Box, text: str, colour: Colour, *, bold: bool = False, size_px: int = 0) -> Box:
        """Draw one line in the middle of a box."""
        left_px = (box[0] + box[2] - self.width(text, bold=bold, size_px=size_px)) / 2
        return self.text(left_px, self.text_top(box[1], box[3], size_px), text, colour, bold=bold, size_px=size_px)

    def text_top(self, top_px: float, bottom_px: float, size_px: int = 0) -> float:
        """Where a line begins that stands in the middle between two heights."""
        return (top_px + bottom_px - self.line_px(size_px)) / 2

    # Shapes

    def panel(self, box: Box, fill: Colour | None, outline: Colour | None = None, *, radius_px: float | None = None,
              width_px: int = 1) -> None:  # fmt: skip
        """A box with the screen's corners."""
        radius_px = self.radius_px if radius_px is None else radius_px
        radius_px = min(radius_px, (box[2] - box[0]) / 2 - 1, (box[3] - box[1]) / 2 - 1)  # Pillow fails at exact halves
        if box[2] - box[0] < 2 or box[3] - box[1] < 2:
            return
        if radius_px < 1:
            self.pen.rectangle(box, fill, outline, width_px)
        else:
            self.pen.rounded_rectangle(box, radius_px, fill, outline, width_px)

    def shadow(self, box: Box, strength: float = 0.18) -> None:
        """A soft edge below a box that lies on top."""
        for step in (3, 2, 1):
            grey = blend(self.theme.page, (0, 0, 0), strength * (4 - step) / 3)
            self.panel((box[0] - step + 1, box[1] + 1, box[2] + step - 1, box[3] + step + 1), grey)

    def picture(self, box: Box) -> None:
        """Something like a photograph: soft blots of colour."""
        width_px, height_px = round(box[2] - box[0]), round(box[3] - box[1])
        if width_px < 3 or height_px < 3:
            return
        small = Image.frombytes("RGB", (4, 3), self.rng.randbytes(36))
        self.image.paste(small.resize((width_px, height_px), Image.Resampling.BILINEAR), (round(box[0]), round(box[1])))

    def free_icon(self) -> str:
        """An icon that the screen does not have yet; any when it has nearly all."""
        free = [name for name in ICONS if name not in self.icons]
        return self.rng.choice(free if len(free) > 8 else ICONS)

    def icon(
        self, name: str, left_px: float, top_px: float, size_px: int, colour: Colour, place: Box | None = None
    ) -> Box:
        """Draw an icon, which may be asked for by what it means where `place` is.

        Without a place a click counts in the square it fills, which is returned.
        """
        x_px, y_px = round(left_px), round(top_px)
        mask = draw_mask(name, self.rng.randrange(len(DRAWINGS[name])), size_px, self.stroke_units)
        self.image.paste(colour, (x_px, y_px), mask)
        square = (float(x_px), float(y_px), float(x_px + size_px), float(y_px + size_px))
        self.icons.add(name)
        self.add("icon", name, place or square, middle(square))
        return square

    # What lies where

    def add(self, kind: Kind, label: str, box: Box, point: tuple[float, float] | None = None,
            parts: tuple[Box, ...] = ()) -> None:  # fmt: skip
        self.controls.append(Control(kind, label, box, point or middle(box), parts or (box,)))

    def say(self, left_px: float, top_px: float, text: str, colour: Colour, *, kind: Kind = "text", bold: bool = False,
            size_px: int = 0) -> Box:  # fmt: skip
        """Draw one line that may be asked for by its text."""
        box = self.text(left_px, top_px, text, colour, bold=bold, size_px=size_px)
        self.add(kind, text, box)
        return box

    def cover(self, box: Box) -> None:
        """Forget what something opaque now hides, wholly or in part; a row whose text is still seen shrinks to that."""
        self.words = [word for word in self.words if not overlap(word.box, box)]
        seen: list[Control] = []
        for control in self.controls:
            if any(overlap(part, box) for part in control.parts) or inside(control.point, box):
                continue
            if overlap(control.box, box):
                control = replace(control, box=around((*control.parts, (*control.point, *control.point))))
            if not overlap(control.box, box):
                seen.append(control)
        self.controls = seen

    def dim(self, share: float) -> None:
        """Darken everything: it can be read but not clicked."""
        self.image.paste(Image.blend(self.image, Image.new("RGB", self.image.size), share))
        self.pen = ImageDraw.Draw(self.image)
        self.controls = []


@lru_cache(maxsize=512)
def load_font(file: str, size_px: int) -> ImageFont.FreeTypeFont:
    """A typeface at a size. FileNotFoundError, with what to install, if the system lacks it."""
    try:
        return ImageFont.truetype(str(FONT_FOLDER / file), size_px, layout_engine=ImageFont.Layout.BASIC)
    except OSError as error:
        packages = " ".join(FONT_PACKAGES)
        raise FileNotFoundError(
            f"{FONT_FOLDER / file} is missing: drawing training screens needs `apt-get install {packages}`"
        ) from error


@lru_cache(maxsize=65536)
def advance(file: str, size_px: int, character: str) -> float:
    """How far a character moves the pen, px."""
    return load_font(file, size_px).getlength(character)


def overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def inside(point: tuple[float, float], box: Box) -> bool:
    return box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3]


def around(boxes: Sequence[Box]) -> Box:
    """The smallest box that holds them all."""
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def blend(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def middle(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
