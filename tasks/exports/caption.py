"""Words on a strip of their own above a picture, so that they hide nothing of it."""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFont

from ...agent.overlay import DARK, LIGHT

LEAST_TEXT_PX = 14.0


def captioned(picture: Image.Image, words: str, colour: tuple[int, int, int]) -> Image.Image:
    """A copy with the words above it, cut where they are wider, and a line of the colour under them."""
    unit_px = max(1.0, min(picture.size) / 500)
    font = ImageFont.load_default(size=max(LEAST_TEXT_PX, 9 * unit_px))
    pad_px, line_px = round(4 * unit_px), max(2, round(2 * unit_px))
    top_px = strip_px(picture.size)
    sheet = Image.new("RGB", (picture.width, picture.height + top_px), DARK)
    pen = ImageDraw.Draw(sheet)
    text = " ".join(words.split())
    while len(text) > 4 and pen.textlength(text, font=font) > picture.width - 2 * pad_px:
        text = text[: -4 if text.endswith("...") else -3].rstrip() + "..."
    pen.text((pad_px, pad_px - line_px / 2), text, font=font, fill=LIGHT)
    pen.rectangle((0, top_px - line_px, picture.width, top_px - 1), fill=colour)
    sheet.paste(picture, (0, top_px))
    return sheet


def strip_px(size: tuple[int, int]) -> int:
    """How high the strip above a picture of this size is."""
    unit_px = max(1.0, min(size) / 500)
    return round(max(LEAST_TEXT_PX, 9 * unit_px) * 1.3 + 8 * unit_px)
