"""Whole training screens: web pages, applications, desktops with windows on them, with what opens in front."""

from __future__ import annotations

from random import Random

from . import texts
from .canvas import Canvas, Colour, blend
from .frames import application_frame, fill, page_frame
from .overlays import dialog, popup
from .samples import Box, Screen
from .widgets import icon_button


def draw_scene(rng: Random, width_px: int, height_px: int) -> Screen:
    """One random screen of any sort."""
    c = Canvas(rng, width_px, height_px)
    area = (0.0, 0.0, float(width_px), float(height_px))
    sort = rng.choices(("page", "application", "bare", "desktop"), (5, 4, 1.5, 1.2))[0]
    if sort == "desktop" and width_px >= 400 and height_px >= 300:
        _desktop(c)
        return c.screen()
    if sort != "bare" and height_px > 12 * c.size_px:
        area = page_frame(c, area) if sort == "page" else application_frame(c, area)
    fill(c, area)
    over = rng.random()
    if over < 0.1:
        dialog(c)
    elif over < 0.2:
        popup(c)
    return c.screen()


def _desktop(c: Canvas) -> None:
    """A desktop: a wallpaper, launchers, a strip with icons and a clock, up to two windows."""
    rng = c.rng
    red, green, blue = (rng.randint(10, 130) for _ in range(3))
    ground: Colour = (red, green, blue)
    c.panel((0, 0, c.width_px, c.height_px), ground, radius_px=0)
    if rng.random() < 0.5:
        for _ in range(rng.randint(1, 4)):
            x_px, y_px, half_px = (
                rng.random() * c.width_px,
                rng.random() * c.height_px,
                rng.uniform(0.1, 0.5) * c.width_px,
            )
            tint = (rng.randint(10, 130), rng.randint(10, 130), rng.randint(10, 130))
            c.pen.ellipse((x_px - half_px, y_px - half_px, x_px + half_px, y_px + half_px), blend(ground, tint, 0.5))
    at_top = rng.random() < 0.3
    strip_px = c.line_px() + rng.uniform(4, 22)
    strip_top_px = 0.0 if at_top else c.height_px - strip_px
    strip = (0.0, strip_top_px, float(c.width_px), strip_top_px + strip_px)
    room = (0.0, strip_px, float(c.width_px), float(c.height_px)) if at_top else (
        0.0, 0.0, float(c.width_px), strip_top_px)  # fmt: skip
    _launchers(c, room)
    _strip(c, strip)
    for _ in range(rng.choice((0, 1, 1, 2))):
        _window(c, room)
    if rng.random() < 0.12:
        popup(c)


def _launchers(c: Canvas, room: Box) -> None:
    """Icons with their names below, column by column."""
    rng = c.rng
    size_px = rng.randint(22, 32)
    cell_px = (rng.uniform(4.5, 7) * c.size_px + 12, size_px + c.line_px() + rng.uniform(14, 40))
    white: Colour = (246, 246, 246)
    for column in range(rng.randint(1, 4)):
        for row in range(rng.randint(2, 8)):
            x_px, y_px = room[0] + 8 + column * cell_px[0], room[1] + 8 + row * cell_px[1]
            if y_px + cell_px[1] > room[3] or x_px + cell_px[0] > room[2]:
                break
            icon_px = x_px + (cell_px[0] - size_px) / 2
            maker = rng.choice((texts.place_text, texts.file_name_text, texts.brand, texts.any_text))
            name = c.fresh(maker, cell_px[0] - 6)
            if name is None:
                continue
            square = (icon_px, y_px, icon_px + size_px, y_px + size_px)
            if rng.random() < 0.5:
                red, green, blue = (rng.randint(40, 200) for _ in range(3))
                c.panel((square[0] - 3, square[1] - 3, square[2] + 3, square[3] + 3), (red, green, blue), radius_px=5)
            c.icon(c.free_icon(), icon_px, y_px, size_px, white)
            label_px = x_px + (cell_px[0] - c.width(name)) / 2
            label = c.text(label_px, square[3] + 5, name, white)
            box = (min(square[0], label[0]), square[1], max(square[2], label[2]), label[3])
            c.add("option", name, box, ((square[0] + square[2]) / 2, (square[1] + square[3]) / 2), (square, label))


def _strip(c: Canvas, strip: Box) -> None:
    """The strip at an edge of a desktop: a menu, what is open, icons, the time."""
    rng, theme = c.rng, c.theme
    c.panel(strip, theme.card, radius_px=0)
    high_px = strip[3] - strip[1]
    size_px = max(12, min(30, round(high_px * 0.6)))
    x_px, end_px = strip[0] + 4, strip[2] - 8
    if time := c.fresh(texts.clock, 10 * c.size_px):
        box = c.say(end_px - c.width(time), c.text_top(strip[1], strip[3]), time, theme.text)
        end_px = box[0] - 10
    for _ in range(rng.randint(0, 4)):
        icon_button(c, rng.choice(("wifi", "volume", "battery", "bell", "settings", "moon")),
                    (end_px - size_px - 4, strip[1], end_px, strip[3]), size_px, framed=False)  # fmt: skip
        end_px -= size_px + 6
    for _ in range(rng.randint(1, 9)):
        if x_px + high_px > end_px - 10:
            break
        icon_button(c, c.free_icon(), (x_px, strip[1], x_px + high_px, strip[3]), size_px, framed=False)
        x_px += high_px + 2
    for _ in range(rng.choice((0, 0, 1, 2, 3))):
        if text := c.fresh(texts.brand, end_px - x_px - 20):
            place = (x_px + 4, strip[1] + 2, x_px + 16 + c.width(text), strip[3] - 2)
            c.panel(place, blend(theme.card, theme.text, 0.1))
            c.centred(place, text, theme.text)
            c.add("button", text, place)
            x_px = place[2] + 2


def _window(c: Canvas, room: Box) -> None:
    """A window of an application somewhere in the room."""
    rng = c.rng
    wide_px = (room[2] - room[0]) * rng.uniform(0.35, 0.8)
    tall_px = (room[3] - room[1]) * rng.uniform(0.4, 0.85)
    left_px = room[0] + rng.random() * (room[2] - room[0] - wide_px - 4)
    top_px = room[1] + rng.random() * (room[3] - room[1] - tall_px - 4)
    box = (left_px, top_px, left_px + wide_px, top_px + tall_px)
    c.cover((left_px - 3, top_px - 1, box[2] + 3, box[3] + 4))
    c.panel((left_px - 1, top_px - 1, box[2] + 1, box[3] + 1), c.theme.page, c.theme.border, radius_px=0)
    fill(c, application_frame(c, box))
