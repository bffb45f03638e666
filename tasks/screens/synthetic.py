"""Screens drawn with Pillow whose every control and word has a known box: what moonhand-nano learns from, in volume.

A screen is a web page, an application's window or a bare surface from 260x220 to 1280x800 px: forms, settings, tables,
lists, cards, prose, code, tool bars, dialogs and opened menus, in light or dark, with an open vocabulary. It shares
nothing with the Chromium pages of the evaluation but the names of things.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from .canvas import FONT_FAMILIES, FONT_FOLDER, FONT_PACKAGES
from .questions import questions
from .samples import Box, Control, Question, Screen, Word
from .scenes import draw_scene

__all__ = [
    "FONT_FAMILIES",
    "FONT_FOLDER",
    "FONT_PACKAGES",
    "SIZES",
    "Box",
    "Control",
    "Question",
    "Screen",
    "Word",
    "draw_screen",
    "questions",
    "screens",
]

# From a phone's widget to a laptop's whole screen, (width, height) px.
SIZES: tuple[tuple[int, int], ...] = (
    (260, 220), (300, 220), (320, 420), (360, 320), (480, 400), (640, 360), (640, 480), (800, 600), (1024, 640),
    (1024, 768), (1280, 720), (1280, 800),
)  # fmt: skip


def screens(seed: int, sizes: Sequence[tuple[int, int]]) -> Iterator[Screen]:
    """Endless screens of the given (width, height) px, reproducible by seed."""
    rng = Random(seed)
    while True:
        yield draw_screen(rng, *rng.choice(sizes))


def draw_screen(rng: Random, width_px: int, height_px: int) -> Screen:
    """One random screen with something on it to ask for."""
    while True:
        screen = draw_scene(rng, width_px, height_px)
        if len(screen.controls) >= 3 and screen.words:
            return screen
