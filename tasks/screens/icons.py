"""Interface icons drawn by strokes: what the names in `vocabulary.ICON_WORDS` look like.

A drawing is a row of strokes on a square of 24 units, each a letter and its numbers: L an open line of points, P a
closed one, F a filled one, C a circle (centre, radius), D a disc, A an arc (centre, radius, from and to degrees,
clockwise from three o'clock), R a box with round corners (left, top, right, bottom, radius), B a filled one. Upper case
draws; lower case f, d, b cut out. An icon has one drawing or several that mean the same.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

from PIL import Image, ImageDraw

UNITS = 24
_FINER = 4  # drawn so many times larger, then scaled down: smooth edges

_STAR = " ".join(
    f"{12 + r * math.sin(i * math.pi / 5):.1f} {12.6 - r * math.cos(i * math.pi / 5):.1f}"
    for i, r in enumerate((10, 4.4) * 5)
)
_COG = " ".join(
    f"{12 + r * math.cos((i + shift) * math.pi / 4):.1f} {12 + r * math.sin((i + shift) * math.pi / 4):.1f}"
    for i in range(8)
    for shift, r in ((-0.27, 7.2), (-0.2, 10.2), (0.2, 10.2), (0.27, 7.2))
)
_RAYS = " ".join(
    f"L {12 + 7 * math.cos(i * math.pi / 4):.1f} {12 + 7 * math.sin(i * math.pi / 4):.1f}"
    f" {12 + 10 * math.cos(i * math.pi / 4):.1f} {12 + 10 * math.sin(i * math.pi / 4):.1f}"
    for i in range(8)
)
_HEART = " ".join(
    f"{12 + 9.6 * math.sin(t) ** 3:.1f} "
    f"{11.2 - (13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)) * 0.62:.1f}"
    for t in (i * math.tau / 32 for i in range(32))
)

DRAWINGS: Final[dict[str, tuple[str, ...]]] = {
    "search": ("C 10.5 10.5 6.5 L 15.3 15.3 21 21", "C 10 10 7 L 15 15 21.5 21.5 A 10 10 4 190 260"),
    "menu": ("L 3 6 21 6 L 3 12 21 12 L 3 18 21 18", "L 4 7 20 7 L 4 12 20 12 L 4 17 20 17"),
    "close": ("L 5 5 19 19 L 19 5 5 19", "C 12 12 9.5 L 8.5 8.5 15.5 15.5 L 15.5 8.5 8.5 15.5"),
    "plus": ("L 12 4 12 20 L 4 12 20 12", "C 12 12 9.5 L 12 7.5 12 16.5 L 7.5 12 16.5 12"),
    "minus": ("L 4 12 20 12", "C 12 12 9.5 L 7.5 12 16.5 12"),
    "trash": (
        "L 3 6 21 6 L 9 6 9 3 15 3 15 6 L 5 6 6 21 18 21 19 6 L 10 10 10 17 L 14 10 14 17",
        "L 4 6 20 6 L 9 6 9 3.5 15 3.5 15 6 F 6 8.5 18 8.5 17 21 7 21",
    ),
    "pencil": (
        "P 4 20 5 15 16.5 3.5 20.5 7.5 9 19 L 14 6 18 10",
        "F 3.5 20.5 4.5 16 8 19.5 F 5.5 14.8 16 4.2 19.8 8 9.2 18.5",
    ),
    "settings": (f"F {_COG} d 12 12 3.6", f"P {_COG} C 12 12 3.2"),
    "home": (
        "L 2.5 12 12 3.5 21.5 12 L 5 10 5 20.5 19 20.5 19 10 L 10 20.5 10 14 14 14 14 20.5",
        "F 12 3 22 12 19 12 19 21 14 21 14 15 10 15 10 21 5 21 5 12 2 12",
    ),
    "user": (
        "C 12 8 4.2 A 12 21 8 180 360 L 4 21 20 21",
        "D 12 7.5 4.5 F 3.5 21 4.5 17 8 14.2 16 14.2 19.5 17 20.5 21",
        "C 12 12 9.8 C 12 9.5 3.2 A 12 20 6.5 205 335",
    ),
    "bell": (
        "L 4 17 6 14.5 6 10 A 12 10 6 180 360 L 18 10 18 14.5 20 17 4 17 A 12 18.5 2.5 0 180",
        "F 4 17.5 6 15 6 9.5 8 5.5 12 3.8 16 5.5 18 9.5 18 15 20 17.5 D 12 19.5 2.2 L 12 2.5 12 4",
    ),
    "heart": (f"P {_HEART}", f"F {_HEART}"),
    "star": (f"P {_STAR}", f"F {_STAR}"),
    "cart": (
        "L 1.5 4 5 4 7.5 15 18.5 15 21 7 5.8 7 C 9 19.5 1.6 C 17 19.5 1.6",
        "L 1.5 4 4.5 4 7 16 19 16 F 5.8 6.5 21.5 6.5 19.2 13.5 7.2 13.5 D 9 20 1.9 D 17 20 1.9",
    ),
    "download": (
        "L 12 3 12 15 L 7 10.5 12 15.5 17 10.5 L 4 17 4 20.5 20 20.5 20 17",
        "L 12 3 12 16 L 6.5 11 12 16.5 17.5 11 L 4 21 20 21",
    ),
    "upload": (
        "L 12 15.5 12 3.5 L 7 8.5 12 3.5 17 8.5 L 4 17 4 20.5 20 20.5 20 17",
        "L 12 17 12 4 L 6.5 9.5 12 4 17.5 9.5 L 4 21 20 21",
    ),
    "share": (
        "C 18 5 2.8 C 6 12 2.8 C 18 19 2.8 L 8.5 10.6 15.5 6.5 L 8.5 13.4 15.5 17.5",
        "D 18 5 3.2 D 6 12 3.2 D 18 19 3.2 L 6 12 18 5 L 6 12 18 19",
    ),
    "mail": (
        "R 2.5 5 21.5 19 1.5 L 3 6 12 13 21 6",
        "B 2 4.5 22 19.5 2 f 2.6 6.4 12 13.6 21.4 6.4 21.4 8.2 12 15.4 2.6 8.2",
    ),
    "calendar": (
        "R 3.5 5 20.5 21 1.5 L 3.5 10 20.5 10 L 8 2.5 8 7 L 16 2.5 16 7",
        "R 3.5 5 20.5 21 1 B 3.5 5 20.5 10 1 L 8 2.5 8 6 L 16 2.5 16 6 D 8 13.6 1 D 12 13.6 1 D 16 13.6 1 "
        "D 8 17.3 1 D 12 17.3 1",
    ),
    "clock": ("C 12 12 9.5 L 12 6 12 12 16 14.5", "C 12 12 9.5 L 12 5.5 12 12 17 12"),
    "lock": (
        "R 4.5 10.5 19.5 21 1.5 L 8 10.5 8 7 A 12 7 4 180 360 L 16 7 16 10.5",
        "B 4.5 10.5 19.5 21.5 2 L 8 11 8 7 A 12 7 4 180 360 L 16 7 16 11 d 12 16 1.7",
    ),
    "eye": (
        "P 1.5 12 5.5 7.3 9.5 5.3 12 5 14.5 5.3 18.5 7.3 22.5 12 18.5 16.7 14.5 18.7 12 19 9.5 18.7 5.5 16.7 "
        "C 12 12 3.2",
        "F 1.5 12 5.5 7.3 9.5 5.3 12 5 14.5 5.3 18.5 7.3 22.5 12 18.5 16.7 14.5 18.7 12 19 9.5 18.7 5.5 16.7 "
        "d 12 12 4 D 12 12 2",
    ),
    "play": ("F 6 3.5 20 12 6 20.5", "P 6 4 20 12 6 20", "C 12 12 9.8 F 9.5 7.5 17 12 9.5 16.5"),
    "pause": ("B 5.5 4 9.5 20 0.5 B 14.5 4 18.5 20 0.5", "C 12 12 9.8 L 9.8 8.5 9.8 15.5 L 14.2 8.5 14.2 15.5"),
    "stop": ("B 5 5 19 19 1", "C 12 12 9.8 B 8.5 8.5 15.5 15.5 0.5"),
    "next track": ("F 4 4.5 15 12 4 19.5 B 16.5 4.5 19.5 19.5 0", "P 5 5 15 12 5 19 L 18.5 4.5 18.5 19.5"),
    "arrow left": ("L 20.5 12 4 12 L 11 5 4 12 11 19", "L 20 12 5 12 F 2.5 12 10 6 10 18"),
    "arrow right": ("L 3.5 12 20 12 L 13 5 20 12 13 19", "L 4 12 19 12 F 21.5 12 14 6 14 18"),
    "arrow up": ("L 12 20.5 12 4 L 5 11 12 4 19 11", "L 12 20 12 5 F 12 2.5 6 10 18 10"),
    "arrow down": ("L 12 3.5 12 20 L 5 13 12 20 19 13", "L 12 4 12 19 F 12 21.5 6 14 18 14"),
    "chevron left": ("L 15.5 4.5 8 12 15.5 19.5",),
    "chevron right": ("L 8.5 4.5 16 12 8.5 19.5",),
    "chevron up": ("L 4.5 15.5 12 8 19.5 15.5",),
    "chevron down": ("L 4.5 8.5 12 16 19.5 8.5",),
    "check": ("L 3.5 12.5 9.5 18.5 20.5 6", "C 12 12 9.8 L 7.3 12.3 10.8 15.8 16.7 8.8"),
    "refresh": (
        "A 12 12 8.3 -20 220 L 20.5 3.5 20.2 9.2 14.6 8.6",
        "A 12 12 8 200 330 A 12 12 8 20 150 F 21.5 9.5 15.5 9 20.5 4 F 2.5 14.5 8.5 15 3.5 20",
    ),
    "info": ("C 12 12 9.8 L 12 11 12 17 D 12 7.3 1.2", "D 12 12 10.2 b 11 10.5 13 17.5 0 d 12 7.2 1.3"),
    "question": (
        "C 12 12 9.8 A 12 9.5 3 180 400 L 13.8 11.9 12 13.3 12 14.6 D 12 17.6 1.1",
        "A 12 7.8 4.8 180 405 L 15 11.5 12 14 12 16.4 D 12 20.5 1.5",
    ),
    "folder": (
        "P 2.5 5 9.5 5 11.5 7.5 21.5 7.5 21.5 19.5 2.5 19.5",
        "F 2.5 4.5 9.5 4.5 11.5 7 21.5 7 21.5 20 2.5 20 f 4 9.5 20 9.5 20 10.4 4 10.4",
    ),
    "file": (
        "P 5 2.5 14 2.5 19.5 8 19.5 21.5 5 21.5 L 14 2.5 14 8 19.5 8",
        "P 5 2.5 14 2.5 19.5 8 19.5 21.5 5 21.5 L 14 2.5 14 8 19.5 8 L 8 12.5 16 12.5 L 8 17 16 17",
    ),
    "link": (
        "A 8 16 4.5 45 225 L 4.8 12.8 8.5 9.1 A 16 8 4.5 225 405 L 19.2 11.2 15.5 14.9 L 11.2 19.2 13.2 17.2 "
        "L 12.8 4.8 10.8 6.8 L 9 15 15 9",
    ),
    "camera": (
        "P 2.5 7 7 7 9 4 15 4 17 7 21.5 7 21.5 19.5 2.5 19.5 C 12 13 3.8",
        "F 2 7 7 7 9 4 15 4 17 7 22 7 22 20 2 20 d 12 13.2 4.4 D 12 13.2 2.5",
    ),
    "microphone": (
        "R 9 2.5 15 14 3 A 12 11.5 6.5 0 180 L 12 18 12 21.5 L 8 21.5 16 21.5",
        "B 8.7 2 15.3 14.5 3.2 A 12 11.5 6.5 0 180 L 12 18 12 21.5 L 8 21.5 16 21.5",
    ),
    "phone": (
        "P 4 4 8 3 10 8 7.5 10 9.5 13 12.5 16 15 14 20.5 16 20 20 17 21 11 18.5 6 13.5 3.5 8",
        "F 4 3.5 8 2.8 10.2 8 7.5 10 9.5 13 12.5 16 15 13.8 20.8 16 20 20.4 17 21 11 18.5 6 13.5 3.3 8",
    ),
    "globe": (
        "C 12 12 9.5 L 2.5 12 21.5 12 P 12 2.5 9 6 8 12 9 18 12 21.5 15 18 16 12 15 6",
        "C 12 12 9.5 L 12 2.5 12 21.5 L 3.5 8 20.5 8 L 3.5 16 20.5 16 "
        "P 12 2.5 9 6 8 12 9 18 12 21.5 15 18 16 12 15 6",
    ),
    "more": ("D 5 12 1.9 D 12 12 1.9 D 19 12 1.9", "D 12 5 1.9 D 12 12 1.9 D 12 19 1.9"),
    "filter": (
        "P 2.5 4 21.5 4 14.2 12.7 14.2 20 9.8 17.8 9.8 12.7",
        "F 2.5 3.5 21.5 3.5 14.2 12.5 14.2 20.8 9.8 18.3 9.8 12.5",
    ),
    "bookmark": ("P 6 3 18 3 18 21 12 16.3 6 21", "F 6 2.5 18 2.5 18 21.5 12 16.8 6 21.5"),
    "image": (
        "R 3 4 21 20 1.5 C 8.5 9 1.8 L 3.5 18.5 10 12.5 14 16.5 17 13.5 21 17",
        "R 3 4 21 20 1 D 8.3 9 2 F 4.5 18.5 9.5 12.5 13 16 16.5 11 20 18.5",
    ),
    "chat": (
        "P 3 4 21 4 21 16.5 11 16.5 6.5 21 6.5 16.5 3 16.5",
        "F 3 3.5 21 3.5 21 17 11 17 6.5 21.5 6.5 17 3 17 d 8 10.2 1.2 d 12 10.2 1.2 d 16 10.2 1.2",
    ),
    "flag": ("L 5 21.5 5 3 P 5 4 19 4 16 8.8 19 13.5 5 13.5", "L 5 21.5 5 3 F 5 3.5 20 3.5 17 8.8 20 14 5 14"),
    "tag": (
        "P 3 3 12 3 21.5 12.5 12.5 21.5 3 12 C 7.5 7.5 1.3",
        "F 2.5 2.5 12 2.5 21.8 12.5 12.5 21.8 2.5 12 d 7.3 7.3 1.7",
    ),
    "pin": (
        "A 12 9.5 7 150 390 L 5.9 13 12 22 18.1 13 C 12 9.5 2.6",
        "F 5 9.5 6 6 8.5 3.5 12 2.5 15.5 3.5 18 6 19 9.5 17.5 13.5 12 22 6.5 13.5 d 12 9.5 2.8",
    ),
    "copy": (
        "R 8.5 8.5 21 21 1.5 L 5 15.5 3 15.5 3 3 15.5 3 15.5 5",
        "B 8.5 8.5 21.5 21.5 1.5 L 5 15.5 3 15.5 3 3 15.5 3 15.5 5",
    ),
    "print": (
        "L 6.5 8.5 6.5 2.5 17.5 2.5 17.5 8.5 L 6.5 17.5 2.5 17.5 2.5 8.5 21.5 8.5 21.5 17.5 17.5 17.5 "
        "R 6.5 14 17.5 21.5 0.5",
    ),
    "save": (
        "P 3.5 3.5 16.5 3.5 20.5 7.5 20.5 20.5 3.5 20.5 L 7 20.5 7 13 17 13 17 20.5 L 7 3.5 7 8 14.5 8",
        "F 3 3 17 3 21 7 21 21 3 21 b 6.5 13 17.5 19.5 0 b 7 5 14.5 8.5 0",
    ),
    "undo": ("L 8.5 4.5 3.5 9.5 8.5 14.5 L 3.5 9.5 14 9.5 A 14 14.5 5 270 450 L 14 19.5 9 19.5",),
    "redo": ("L 15.5 4.5 20.5 9.5 15.5 14.5 L 20.5 9.5 10 9.5 A 10 14.5 5 90 270 L 10 19.5 15 19.5",),
    "volume": (
        "P 2.5 9 6.5 9 11.5 4.5 11.5 19.5 6.5 15 2.5 15 A 11.5 12 5 -45 45 A 11.5 12 9 -45 45",
        "F 2.5 8.5 6.5 8.5 12 4 12 20 6.5 15.5 2.5 15.5 A 12 12 4.5 -50 50 A 12 12 8.5 -50 50",
    ),
    "wifi": ("A 12 20 4.5 225 315 A 12 20 9.5 225 315 A 12 20 14.5 225 315 D 12 19.5 1.4",),
    "battery": (
        "R 1.5 7 19 17 1.5 L 22 10.5 22 13.5 B 4 9.5 13 14.5 0",
        "R 1.5 7 19 17 1.5 L 22 10.5 22 13.5 B 4 9.5 16.5 14.5 0",
    ),
    "sun": (f"C 12 12 4.3 {_RAYS}", f"D 12 12 4.6 {_RAYS}"),
    "moon": (
        "P 20.5 13.8 16.8 14.8 12.8 13.6 10.3 10.8 9.5 7.2 10.4 3.3 7 4.8 4.2 8.4 3.5 12.5 4.8 16.6 8 19.6 "
        "12 20.7 16 19.7 19 17.2",
        "D 12 12 9.5 d 16 8.5 8",
    ),
    "grid": (
        "R 3.5 3.5 10 10 0.8 R 14 3.5 20.5 10 0.8 R 3.5 14 10 20.5 0.8 R 14 14 20.5 20.5 0.8",
        "B 3.5 3.5 8 8 0 B 9.8 3.5 14.2 8 0 B 16 3.5 20.5 8 0 B 3.5 9.8 8 14.2 0 B 9.8 9.8 14.2 14.2 0 "
        "B 16 9.8 20.5 14.2 0 B 3.5 16 8 20.5 0 B 9.8 16 14.2 20.5 0 B 16 16 20.5 20.5 0",
    ),
    "list": (
        "L 8.5 6 21 6 L 8.5 12 21 12 L 8.5 18 21 18 D 4 6 1.4 D 4 12 1.4 D 4 18 1.4",
        "L 9 6 21 6 L 9 12 21 12 L 9 18 21 18 B 2.8 4.6 5.6 7.4 0 B 2.8 10.6 5.6 13.4 0 B 2.8 16.6 5.6 19.4 0",
    ),
    "chart": (
        "L 6 20 6 13 L 12 20 12 4 L 18 20 18 9",
        "L 3 3 3 21 21 21 B 6 12 9 19 0 B 11 6 14 19 0 B 16 9.5 19 19 0",
    ),
    "code": (
        "L 7.5 6 1.8 12 7.5 18 L 16.5 6 22.2 12 16.5 18",
        "L 7 6.5 1.5 12 7 17.5 L 17 6.5 22.5 12 17 17.5 L 14 4 10 20",
    ),
    "key": (
        "C 7 16.5 4.3 L 10.2 13.5 20.5 3.5 L 16.5 7.2 20 10.7 L 13.5 10.2 15.8 12.5",
        "D 7.5 16 5.2 d 6.8 16.8 1.8 L 11 12.5 21 3 L 17 7 20 10",
    ),
    "send": (
        "P 21.5 2.5 14.5 21.5 10.8 13.2 2.5 9.5 L 21.5 2.5 10.8 13.2",
        "F 2.5 3 22 12 2.5 21 2.5 14 13.5 12 2.5 10",
    ),
    "attach": ("L 20.5 11 12 19.5 A 8.8 16.2 4.6 45 225 L 5.5 13 14 4.5 A 16.3 6.8 3.2 225 405 L 18.6 9.1 10.4 17.3",),
    "log out": ("L 10 3.5 3.5 3.5 3.5 20.5 10 20.5 L 9 12 21 12 L 16.5 7.5 21 12 16.5 16.5",),
    "full screen": (
        "L 3.5 9 3.5 3.5 9 3.5 L 15 3.5 20.5 3.5 20.5 9 L 20.5 15 20.5 20.5 15 20.5 L 9 20.5 3.5 20.5 3.5 15",
        "L 14.5 3.5 20.5 3.5 20.5 9.5 L 20.5 3.5 14 10 L 9.5 20.5 3.5 20.5 3.5 14.5 L 3.5 20.5 10 14",
    ),
    "warning": (
        "P 12 3 22 20.5 2 20.5 L 12 9.5 12 14.5 D 12 17.6 1.1",
        "F 12 2.5 22.5 21 1.5 21 b 11.1 9 12.9 14.8 0 d 12 17.6 1.2",
    ),
    "gift": (
        "R 4 12 20 21 0.5 R 2.5 7.5 21.5 12 0.5 L 12 7.5 12 21 L 12 7.5 7.5 6.5 7 3.5 9.5 3 12 7.5 "
        "L 12 7.5 16.5 6.5 17 3.5 14.5 3 12 7.5",
    ),
    "card": ("R 1.5 5 22.5 19 1.5 L 1.5 10 22.5 10 L 5 15 9 15", "R 1.5 5 22.5 19 1.5 B 1.5 8 22.5 11 0 L 5 15 10 15"),
    "shield": (
        "P 12 2.5 20 5.5 20 12 17.5 17 12 21.5 6.5 17 4 12 4 5.5",
        "P 12 2.5 20 5.5 20 12 17.5 17 12 21.5 6.5 17 4 12 4 5.5 L 8 12 11 15 16 9",
        "F 12 2 20.5 5 20.5 12 17.8 17.3 12 22 6.2 17.3 3.5 12 3.5 5",
    ),
    "cloud": (
        "A 7 14.5 4.5 90 270 A 12 10.5 5.5 190 350 A 17.5 14.8 4.2 270 450 L 7 19 17.5 19",
        "D 7 14.5 5 D 12.5 10.8 6 D 17.5 15 4.5 B 7 13 17.5 19.5 0",
    ),
    "trophy": (
        "P 7 3 17 3 17 9.5 15 13.5 12 15 9 13.5 7 9.5 L 7 5 3 5 3 8 5 10.5 7.5 11 "
        "L 17 5 21 5 21 8 19 10.5 16.5 11 L 12 15 12 20.5 L 7.5 20.5 16.5 20.5",
    ),
    "thumbs up": (
        "R 2.5 10.5 6.5 21 0.5 L 6.5 11 11 2.5 13.5 3.5 13.5 9 20.5 9 21 11 19 20 17.5 21 6.5 21",
        "B 2 10.5 6 21.5 0.5 F 7.5 11 11.5 2 14 3.5 14 8.5 21 8.5 21.5 11 19.5 20 18 21.5 7.5 21.5",
    ),
    "book": ("P 12 6 8 4 2.5 4 2.5 19 8 19 12 21 16 19 21.5 19 21.5 4 16 4 L 12 6 12 21",),
    "bag": (
        "P 4.5 7 19.5 7 21 21.5 3 21.5 A 12 7 4 180 360 L 8 7 8 10 L 16 7 16 10",
        "F 4 7 20 7 21.5 22 2.5 22 A 12 7 4 180 360",
    ),
    "people": (
        "C 8.5 8 3.8 A 8.5 21 7 180 360 L 1.5 21 15.5 21 A 15.5 8 3.8 285 435 A 15.5 21 7 285 360 "
        "L 17.5 21 22.5 21",
        "D 8.5 7.5 4 F 1 21 2 16.5 5.5 13.5 11.5 13.5 15 16.5 16 21 D 17 9 3.2 "
        "F 17.5 20 16.8 16 15 13.5 19.5 13.8 22 16.5 23 20",
    ),
}  # fmt: skip


def draw_mask(name: str, drawing: int, size_px: int, stroke_units: float) -> Image.Image:
    """The icon as an 8-bit mask of `size_px` squared, 255 where ink is; `drawing` counts the icon's drawings."""
    return _mask(name, drawing % len(DRAWINGS[name]), size_px, round(stroke_units, 1))


@lru_cache(maxsize=8192)
def _mask(name: str, drawing: int, size_px: int, stroke_units: float) -> Image.Image:
    scale = size_px * _FINER / UNITS
    mask = Image.new("L", (size_px * _FINER, size_px * _FINER))
    pen = ImageDraw.Draw(mask)
    width_px = max(round(_FINER * 1.1), round(stroke_units * scale))
    for letter, numbers in _strokes(DRAWINGS[name][drawing]):
        _stroke(pen, letter, [number * scale for number in numbers], numbers, width_px)
    return mask.resize((size_px, size_px), Image.Resampling.BOX)


@lru_cache(maxsize=256)
def _strokes(drawing: str) -> tuple[tuple[str, tuple[float, ...]], ...]:
    strokes: list[tuple[str, list[float]]] = []
    for piece in drawing.split():
        if piece.isalpha():
            strokes.append((piece, []))
        else:
            strokes[-1][1].append(float(piece))
    return tuple((letter, tuple(numbers)) for letter, numbers in strokes)


def _stroke(
    pen: ImageDraw.ImageDraw, letter: str, at_px: list[float], numbers: tuple[float, ...], width_px: int
) -> None:
    ink = 255 if letter.isupper() else 0
    match letter.upper():
        case "L" | "P":
            points = list(zip(at_px[::2], at_px[1::2], strict=True))
            if letter == "P":
                points += points[:2]  # the second point again: the last corner is a joint too
            pen.line(points, ink, width_px, joint="curve")
            for x, y in (points[0], points[-1]):
                _disc(pen, x, y, width_px / 2, ink)
        case "F":
            pen.polygon(list(zip(at_px[::2], at_px[1::2], strict=True)), ink)
        case "C":
            x, y, radius = at_px
            outer = radius + width_px / 2
            pen.ellipse((x - outer, y - outer, x + outer, y + outer), outline=ink, width=width_px)
        case "D":
            x, y, radius = at_px
            _disc(pen, x, y, radius, ink)
        case "A":
            x, y, radius = at_px[:3]
            outer = radius + width_px / 2
            pen.arc((x - outer, y - outer, x + outer, y + outer), numbers[3], numbers[4], ink, width_px)
            for degrees in numbers[3:]:
                angle = math.radians(degrees)
                _disc(pen, x + radius * math.cos(angle), y + radius * math.sin(angle), width_px / 2, ink)
        case "R":
            grown = width_px / 2
            box = (at_px[0] - grown, at_px[1] - grown, at_px[2] + grown, at_px[3] + grown)
            pen.rounded_rectangle(box, at_px[4] + grown, outline=ink, width=width_px)
        case _:
            pen.rounded_rectangle((at_px[0], at_px[1], at_px[2], at_px[3]), at_px[4], ink)


def _disc(pen: ImageDraw.ImageDraw, x: float, y: float, radius: float, ink: int) -> None:
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), ink)
