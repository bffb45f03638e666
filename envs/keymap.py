"""Keys that no layout uses, made to type any character for a moment."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from .windows import connect, wait_for_manager

SETTLE_S = 0.05  # until every program has read the new map; and until it has read the keys typed with it
MAX_KEYS = 14  # of a batch; more than a usual layout leaves free
FIRST_CODE = 121  # beyond letters, function keys, arrows and keypad, whose keys are best left as they are


def num_spare_keys(display: str | None) -> int:
    """How many characters `borrowed_keys` can take at once."""
    connection = connect(display)
    try:
        return len(_spare(connection)[0][:MAX_KEYS])
    finally:
        connection.display.socket.close()


@contextmanager
def borrowed_keys(display: str | None, characters: Sequence[str]) -> Generator[dict[str, int]]:
    """The keycode of each character, of at most `num_spare_keys` of them; the map is as before afterwards.

    One request changes the whole range: window managers take their keys anew after each, and some take long.
    """
    connection = connect(display)
    try:
        spare, rows = _spare(connection)
        codes = _closest(spare, len(characters))
        first, last = codes[0], codes[-1]
        former = [list(rows[code]) for code in range(first, last + 1)]
        ours = [row.copy() for row in former]
        for code, character in zip(codes, characters, strict=True):
            ours[code - first][:2] = [keysym(character)] * 2
        with _mapped(display, connection, first, ours, former):
            time.sleep(SETTLE_S)
            yield dict(zip(characters, codes, strict=True))
            time.sleep(SETTLE_S)
    finally:
        connection.display.socket.close()


@contextmanager
def _mapped(
    display: str | None, connection: Any, first: int, ours: list[list[int]], former: list[list[int]]
) -> Generator[None]:
    try:
        connection.change_keyboard_mapping(first, ours)
        connection.sync()
        yield
    finally:
        # Afresh: an exception may have cut a request short on the other connection.
        mending = connect(display)
        mending.change_keyboard_mapping(first, former)
        mending.sync()
        wait_for_manager(mending)  # which takes its keys anew: until then a click focuses late
        mending.display.socket.close()


def keysym(character: str) -> int:
    """Latin-1 characters are their own keysyms; the others have one in the Unicode range."""
    code = ord(character)
    return code if 0x20 <= code <= 0x7E or 0xA0 <= code <= 0xFF else 0x01000000 | code


def _spare(connection: Any) -> tuple[list[int], dict[int, list[int]]]:
    """The keycodes that type nothing, and what every keycode types."""
    first, last = connection.display.info.min_keycode, connection.display.info.max_keycode
    rows = dict(enumerate(connection.get_keyboard_mapping(first, last - first + 1), first))
    return [code for code, row in rows.items() if code >= FIRST_CODE and not any(row)], rows


def _closest(spare: list[int], count: int) -> list[int]:
    """So many of them, next to each other, that span the fewest other keys."""
    groups = [spare[start : start + count] for start in range(len(spare) - count + 1)]
    return min(groups, key=lambda codes: codes[-1] - codes[0])
