"""Icons of the Chromium pages, drawn for them as SVG on a grid of 24x24.

Two drawings of every meaning: strokes for the pages that training sees, and others, mostly solid, for the pages that it
never sees.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final


def svg(icons: Mapping[str, str], name: str, size_px: float, *, stroke: float = 2, solid: bool = False) -> str:
    """The icon of this name as an inline picture in the colour of the text around it, `size_px` CSS px high and wide.

    It carries its name as `data-icon`, so that a page can be asked what is drawn on it.
    """
    paint = "fill=currentColor stroke=none" if solid else "fill=none stroke=currentColor"
    return (
        f"<svg data-icon='{name}' viewBox='0 0 24 24' width={size_px} height={size_px} {paint} stroke-width={stroke} "
        f"stroke-linecap=round stroke-linejoin=round style='display:block;flex:none'>{icons[name]}</svg>"
    )


def _path(d: str) -> str:
    return f"<path d='{d}'/>"


def _ring(x: float, y: float, r: float) -> str:
    return f"<circle cx={x} cy={y} r='{r}'/>"


def _dot(x: float, y: float, r: float) -> str:
    return f"<circle cx={x} cy={y} r={r} fill=currentColor stroke=none />"


def _rect(x: float, y: float, width: float, height: float, r: float = 0) -> str:
    return f"<rect x={x} y={y} width={width} height={height} rx='{r}'/>"


TRAINING_ICONS: Final[dict[str, str]] = {
    "search": _ring(10.5, 10.5, 6.5) + _path("M15.5 15.5 21 21"),
    "menu": _path("M4 6h16M4 12h16M4 18h16"),
    "close": _path("M5 5l14 14M19 5L5 19"),
    "plus": _path("M12 4v16M4 12h16"),
    "minus": _path("M4 12h16"),
    "trash": _path("M4 6h16M9 6V3h6v3M6 6l1 15h10l1-15M10 10v7M14 10v7"),
    "pencil": _path("M4 20l1-5L16 4l4 4L9 19zM14 6l4 4"),
    "settings": _ring(12, 12, 3)
    + _ring(12, 12, 6.5)
    + _path("M12 2v3.5M12 18.5V22M2 12h3.5M18.5 12H22M5 5l2.4 2.4M16.6 16.6L19 19M5 19l2.4-2.4M16.6 7.4L19 5"),
    "home": _path("M3 11l9-8 9 8M5 10v11h14V10M10 21v-6h4v6"),
    "user": _ring(12, 8, 4) + _path("M4 21c0-4 3-7 8-7s8 3 8 7"),
    "bell": _path("M6 16v-5a6 6 0 0 1 12 0v5l2 2H4zM10 21h4"),
    "heart": _path("M12 20C6 15 3 12 3 8.5A4.7 4.7 0 0 1 12 7a4.7 4.7 0 0 1 9 1.5C21 12 18 15 12 20z"),
    "star": _path("M12 3l2.7 5.8 6.3.8-4.6 4.4 1.2 6.3-5.6-3.1-5.6 3.1 1.2-6.3L3 9.6l6.3-.8z"),
    "cart": _path("M2 4h3l3 11h10l3-8H6") + _ring(9, 19.5, 1.5) + _ring(17, 19.5, 1.5),
    "download": _path("M12 3v12M7 10l5 5 5-5M4 20h16"),
    "upload": _path("M12 16V4M7 9l5-5 5 5M4 20h16"),
    "share": _ring(6, 12, 2.5) + _ring(17, 5, 2.5) + _ring(17, 19, 2.5) + _path("M8 11l7-4.5M8 13l7 4.5"),
    "mail": _rect(3, 5, 18, 14, 1) + _path("M3 6l9 7 9-7"),
    "calendar": _rect(3, 5, 18, 16, 1) + _path("M3 10h18M8 2v5M16 2v5"),
    "clock": _ring(12, 12, 9) + _path("M12 7v5l4 2"),
    "lock": _rect(5, 11, 14, 10, 1) + _path("M8 11V7a4 4 0 0 1 8 0v4"),
    "eye": _path("M2 12c5-8 15-8 20 0c-5 8-15 8-20 0z") + _ring(12, 12, 3),
    "play": _path("M7 4l13 8-13 8z"),
    "pause": _rect(6, 4, 4, 16) + _rect(14, 4, 4, 16),
    "arrow left": _path("M20 12H4M10 6l-6 6 6 6"),
    "arrow right": _path("M4 12h16M14 6l6 6-6 6"),
    "arrow up": _path("M12 20V4M6 10l6-6 6 6"),
    "arrow down": _path("M12 4v16M6 14l6 6 6-6"),
    "chevron left": _path("M15 4l-8 8 8 8"),
    "chevron right": _path("M9 4l8 8-8 8"),
    "chevron up": _path("M4 16l8-8 8 8"),
    "chevron down": _path("M4 8l8 8 8-8"),
    "check": _path("M4 12l6 6L20 6"),
    "refresh": _path("M20 11a8 8 0 1 0-2 6M20 4v7h-7"),
    "info": _ring(12, 12, 9) + _path("M12 11v6M12 7v.5"),
    "question": _ring(12, 12, 9) + _path("M9 9.5a3 3 0 1 1 4.2 2.7c-1 .5-1.2 1-1.2 2M12 17.2v.3"),
    "folder": _path("M3 5h7l2 3h9v12H3z"),
    "file": _path("M6 2h8l5 5v15H6zM14 2v5h5"),
    "link": _path("M10 14a4 4 0 0 0 6 0l4-4a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-4 4a4 4 0 0 0 6 6l1-1"),
    "camera": _path("M3 7h5l2-3h4l2 3h5v13H3z") + _ring(12, 13, 4),
    "microphone": _rect(9, 2, 6, 12, 3) + _path("M5 11a7 7 0 0 0 14 0M12 18v4"),
    "phone": _path("M5 3h4l2 5-3 2a12 12 0 0 0 6 6l2-3 5 2v4c-9 3-19-7-16-16z"),
    "globe": _ring(12, 12, 9) + "<ellipse cx=12 cy=12 rx=4 ry='9'/>" + _path("M3 12h18"),
    "more": _dot(5, 12, 1.8) + _dot(12, 12, 1.8) + _dot(19, 12, 1.8),
    "print": _path("M7 9V3h10v6M7 17H3V9h18v8h-4") + _rect(7, 14, 10, 7),
    "save": _path("M3 3h14l4 4v14H3zM7 3v5h8V3") + _rect(7, 13, 10, 8),
    "copy": _rect(8, 8, 13, 13, 1) + _path("M16 8V3H3v13h5"),
    "filter": _path("M3 4h18l-7 9v7l-4-2v-5z"),
    "pin": _path("M12 22c-5-6-7-9-7-12a7 7 0 0 1 14 0c0 3-2 6-7 12z") + _ring(12, 10, 2.5),
    "bookmark": _path("M6 3h12v18l-6-5-6 5z"),
    "tag": _path("M3 12V3h9l9 9-9 9z") + _ring(7.5, 7.5, 1),
    "image": _rect(3, 4, 18, 16, 1) + _ring(8, 9, 1.7) + _path("M4 18l5-5 3 3 4-5 5 6"),
    "volume": _path("M3 9v6h4l6 5V4L7 9zM17 8a5 5 0 0 1 0 8"),
    "sun": _ring(12, 12, 4)
    + _path("M12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6L19 19M5 19l1.4-1.4M17.6 6.4L19 5"),
    "moon": _path("M20 14A8.5 8.5 0 1 1 10 4a7 7 0 0 0 10 10z"),
    "grid": _rect(4, 4, 6, 6) + _rect(14, 4, 6, 6) + _rect(4, 14, 6, 6) + _rect(14, 14, 6, 6),
    "list": _path("M9 6h12M9 12h12M9 18h12M4 6h.1M4 12h.1M4 18h.1"),
    "undo": _path("M4 9h10a6 6 0 0 1 0 12H8M8 4L4 9l4 5"),
    "flag": _path("M5 22V3h14l-4 5 4 5H5"),
}

HELD_OUT_ICONS: Final[dict[str, str]] = {
    "search": _ring(13.5, 9.5, 7) + _path("M8.5 14.5L3 21"),
    "menu": _rect(3, 5, 18, 1.6) + _rect(3, 11.2, 18, 1.6) + _rect(3, 17.4, 18, 1.6),
    "close": _path("M6.5 6.5l11 11M17.5 6.5l-11 11"),
    "plus": _ring(12, 12, 9.5) + _path("M12 7.5v9M7.5 12h9"),
    "trash": _path("M3.5 5.5h17M8.5 5.5l1-2.5h5l1 2.5") + _path("M5.5 8.5h13v10.5a2 2 0 0 1-2 2h-9a2 2 0 0 1-2-2z"),
    "pencil": _path("M3 21l2.5-6.5 11-11 4 4-11 11zM5.5 14.5l4 4"),
    "settings": _path(
        "M10 2.5h4l.6 3 2 1 2.8-1.2 2.2 3.4-2.2 2v2.6l2.2 2-2.2 3.4-2.8-1.2-2 1-.6 3h-4l-.6-3-2-1-2.8 1.2"
        "-2.2-3.4 2.2-2v-2.6l-2.2-2 2.2-3.4 2.8 1.2 2-1z"
    )
    + _ring(12, 12, 3.4),
    "home": _path("M2 12L12 3l10 9h-3v9h-5v-6h-4v6H5v-9z"),
    "user": _ring(12, 12, 10) + _ring(12, 9.5, 3.2) + _path("M5.5 19c1.5-3.4 3.6-4.6 6.5-4.6s5 1.2 6.5 4.6"),
    "bell": _path("M12 2.5c-4 0-5.5 3-5.5 6.5 0 5-1.5 6.5-2.5 8h16c-1-1.5-2.5-3-2.5-8 0-3.5-1.5-6.5-5.5-6.5z")
    + _path("M9.5 20a2.6 2.6 0 0 0 5 0"),
    "heart": _path("M12 21L3.6 12.3C1 9.5 2.2 5 6 4.3c2.5-.5 4.5.8 6 3 1.5-2.2 3.5-3.5 6-3 3.8.7 5 5.2 2.4 8z"),
    "star": _path("M12 1.8l3.1 6.7 7.2.8-5.4 4.9 1.5 7.2-6.4-3.7-6.4 3.7 1.5-7.2L1.7 9.3l7.2-.8z"),
    "cart": _path("M1 3h3.5l3 12.5h12.5l2.5-9.5H5.5M11 6l1 9M17 6l-.5 9") + _dot(9.5, 20, 2) + _dot(18, 20, 2),
    "download": _path("M12 2.5v11M8 10l4 4 4-4M3 14v5.5a1.5 1.5 0 0 0 1.5 1.5h15a1.5 1.5 0 0 0 1.5-1.5V14"),
    "share": _path("M14 4l8 7.5-8 7.5v-4.5c-6 0-9.5 1.5-12 6 0-8 4-12 12-12.5z"),
    "mail": _path("M2.5 4.5h19v15h-19zM2.5 4.5L12 13l9.5-8.5M2.5 19.5l7-8.5M21.5 19.5l-7-8.5"),
    "calendar": _path("M2.5 4.5h19v17h-19zM2.5 8.5h19M7 2v4M12 2v4M17 2v4")
    + _dot(8, 13, 1.2) + _dot(12, 13, 1.2) + _dot(16, 13, 1.2) + _dot(8, 17.5, 1.2) + _dot(12, 17.5, 1.2),
    "clock": _ring(12, 12, 10) + _path("M12 5.5V12H7.5"),
    "lock": _path("M7 10.5V7.5a5 5 0 0 1 10 0v3M4 10.5h16v11H4z") + _dot(12, 15, 1.6) + _path("M12 15v3.5"),
    "eye": _path("M1.5 12S5.5 5.5 12 5.5 22.5 12 22.5 12 18.5 18.5 12 18.5 1.5 12 1.5 12z") + _dot(12, 12, 3.4),
    "play": _ring(12, 12, 10) + _path("M9.8 7.5v9l7-4.5z"),
    "refresh": _path("M3 12a9 9 0 0 1 15.5-6.2L21 8M21 3v5h-5M21 12a9 9 0 0 1-15.5 6.2L3 16M3 21v-5h5"),
    "question": _path("M7.5 8.5c0-6 9.5-6 9.5-.5 0 4-5 3.5-5 7.5") + _dot(12, 20, 1.5),
    "folder": _path("M2.5 19.5v-14a1 1 0 0 1 1-1h6l2.5 2.5h8.5a1 1 0 0 1 1 1v11.5zM2.5 10.5h19"),
    "link": _path("M9.5 7H7a5 5 0 0 0 0 10h2.5M14.5 7H17a5 5 0 0 1 0 10h-2.5M8 12h8"),
    "camera": _path("M2.5 6.5h4.5l1.5-2.5h7l1.5 2.5h4.5v14h-19z") + _ring(12, 13, 4.6) + _dot(12, 13, 1.6),
    "microphone": _path("M12 2.5a3 3 0 0 0-3 3v6a3 3 0 0 0 6 0v-6a3 3 0 0 0-3-3z")
    + _path("M5.5 10.5c0 9 13 9 13 0M12 17.5v4M8 21.5h8"),
    "phone": _path("M6.5 2.5L3 5c0 9 7 16 16 16l2.5-3.5-5-3.5-2.5 2c-2.5-1-5-3.5-6-6l2-2.5z"),
    "globe": _ring(12, 12, 10) + _path("M2 12h20M12 2c-6.5 6-6.5 14 0 20M12 2c6.5 6 6.5 14 0 20M4 7h16M4 17h16"),
    "more": _dot(12, 4.5, 2) + _dot(12, 12, 2) + _dot(12, 19.5, 2),
    "print": _path("M6.5 8.5v-6h11v6M6.5 18h-4V8.5h19V18h-4M6.5 13.5h11v8h-11z") + _dot(18, 11.2, 1),
    "filter": _path("M3 6.5h18M6.5 12h11M10 17.5h4"),
    "pin": _path("M12 22.5L5.3 13a8 8 0 1 1 13.4 0z") + _dot(12, 9, 2.8),
    "bookmark": _path("M5.5 2.5h13a1 1 0 0 1 1 1v18L12 16.5l-7.5 5v-18a1 1 0 0 1 1-1z"),
    "image": _path("M2.5 3.5h19v17h-19zM2.5 17l6-7 5.5 6.5 3-3 4.5 5") + _dot(16.5, 8, 1.8),
    "moon": _path("M12.5 2.5a9.6 9.6 0 1 0 9 12.5c-7 2-12-5-9-12.5z"),
    "grid": _dot(5, 5, 2.2) + _dot(12, 5, 2.2) + _dot(19, 5, 2.2) + _dot(5, 12, 2.2) + _dot(12, 12, 2.2)
    + _dot(19, 12, 2.2) + _dot(5, 19, 2.2) + _dot(12, 19, 2.2) + _dot(19, 19, 2.2),
    "flag": _path("M4.5 22V2.5c5-2 8 3 15 .5v10.5c-7 2.5-10-2.5-15-.5"),
}  # fmt: skip
