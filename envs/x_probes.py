"""Small questions to an X display, answered by trying: does the pointer move, does a key go down?"""

from __future__ import annotations

from contextlib import closing
from typing import Any, cast

from .hands import XTestHands
from .windows import connect

TRIES = 3  # a person may move the mouse in between


def pointer_follows(display: str | None) -> bool:
    """Move the pointer by one px and back; whether it went. Nothing is pressed. NoDisplay where X does not answer."""
    connection = connect(display)
    try:
        with closing(XTestHands(display)) as hands:
            return any(_follows(connection, hands) for _ in range(TRIES))
    finally:
        connection.display.socket.close()


def shift_goes_down(display: str | None) -> bool:
    """Press and release Shift; whether the keyboard told so. For displays nobody works on."""
    connection = connect(display)
    try:
        with closing(XTestHands(display)) as hands:
            before = _keys_down(connection)
            hands.press("shift", is_button=False)
            try:
                pressed = _keys_down(connection)
            finally:
                hands.release("shift", is_button=False)
            return pressed > before == _keys_down(connection)
    finally:
        connection.display.socket.close()


def xlib_version() -> tuple[int, ...]:
    """Of the Xlib that is imported: two packages install a folder of that name."""
    import Xlib

    version: tuple[int, ...] = cast(Any, Xlib).__version__
    return version


def _follows(connection: Any, hands: XTestHands) -> bool:
    x_px, y_px = _pointer(connection)
    aside_px = x_px - 1 if x_px else 1
    hands.move(aside_px, y_px)
    moved = _pointer(connection)
    hands.move(x_px, y_px)
    return moved == (aside_px, y_px) and _pointer(connection) == (x_px, y_px)


def _pointer(connection: Any) -> tuple[int, int]:
    found = connection.screen().root.query_pointer()
    return found.root_x, found.root_y


def _keys_down(connection: Any) -> set[int]:
    return {8 * at + bit for at, byte in enumerate(connection.query_keymap()) for bit in range(8) if byte >> bit & 1}
