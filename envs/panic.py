"""The person at the screen stops a run with their own hands."""

from __future__ import annotations

import math
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from .errors import NoDisplay
from .hands import KEYSYMS, PyAutoGuiHands
from .held import Held

EVERY_S = 0.1  # between two looks
CLOSE_LIMIT_S = 2.0  # for a display that does not answer
PUSH_PT = 200.0  # against us, towards the corner, in one movement of ours; a mouse that was knocked goes less far
STEEPNESS = 0.7  # cosine of how far from straight towards the corner a push may go
NEAR_PT = 1  # of the corner: the pointer comes to rest on it or right beside it
MASKS = {"shift": 1, "ctrl": 4}  # bits that no layout moves
SIDES = {"ctrl": "Control_R", "shift": "Shift_R", "alt": "Alt_R", "meta": "Super_R"}  # the other key of that name


class Senses(Protocol):
    """What the person's hands do: where the pointer is, in OS points, and whether these keys are down together."""

    def pointer(self) -> tuple[float, float]: ...
    def holds(self, keys: tuple[str, ...]) -> bool: ...
    def close(self) -> None: ...


class PanicStop(threading.Thread):
    """Calls `stop` with a reason, once, when the person shoves the pointer into the corner or holds the panic keys.

    While we move the pointer ourselves, pushing it towards the corner is enough.

    What `held` does is not theirs: a pointer that we have moved there ourselves stops nothing, nor keys that we hold.
    `corner_pt` is the top left one of the leftmost monitor.
    """

    def __init__(
        self,
        senses: Senses,
        held: Held,
        stop: Callable[[str], None],
        *,
        corner_pt: tuple[float, float],
        keys: tuple[str, ...],
    ) -> None:
        super().__init__(name="moonhand panic stop", daemon=True)
        self._senses, self._held, self._end_run = senses, held, stop
        held.watches_pushes = True  # a pointer that we move all the time never gets to the corner
        self._corner_pt, self._keys = corner_pt, keys
        self._over = threading.Event()

    def run(self) -> None:
        with suppress(NoDisplay, OSError):  # with the display went what could be stopped
            was_away = False
            while not self._over.wait(EVERY_S):
                before_pt = self._held.places_pt
                is_there = self._is_corner(self._senses.pointer())
                if is_there and was_away and not any(map(self._is_corner, before_pt + self._held.places_pt)):
                    self._end_run("the pointer was put into the top left corner")
                    return
                was_away = not is_there
                if self._is_push(self._held.pushed_pt, self._held.places_pt):
                    self._end_run("the pointer was pushed towards the top left corner")
                    return
                if self._keys and self._senses.holds(self._keys) and not self._held.holds_all(self._keys):
                    self._end_run(f"{'+'.join(self._keys)} was pressed")
                    return

    def close(self) -> None:
        """End it."""
        self._over.set()
        self.join(CLOSE_LIMIT_S)
        self._senses.close()

    def _is_corner(self, place_pt: tuple[float, float]) -> bool:
        return all(0 <= one - corner <= NEAR_PT for one, corner in zip(place_pt, self._corner_pt, strict=True))

    def _is_push(self, pushed_pt: tuple[float, float], places_pt: tuple[tuple[float, float], ...]) -> bool:
        """Whether somebody pushes the pointer, wherever we put it, towards the corner."""
        length_pt = math.hypot(*pushed_pt)
        if length_pt < PUSH_PT or not places_pt:
            return False
        away_pt = math.dist(places_pt[-1], self._corner_pt)
        towards = sum(
            push * (corner - place)
            for push, place, corner in zip(pushed_pt, places_pt[-1], self._corner_pt, strict=True)
        )
        return towards > STEEPNESS * length_pt * away_pt


def interrupt_main_thread() -> None:
    """As Ctrl-C does, also out of a system call that waits."""
    if sys.platform == "win32":
        import _thread

        _thread.interrupt_main()
    else:
        ident = threading.main_thread().ident
        assert ident is not None  # it has started
        signal.pthread_kill(ident, signal.SIGINT)


class XSenses:
    """Of an X display, over a connection of its own."""

    def __init__(self, display: str | None) -> None:
        import Xlib.error

        from .windows import connect

        self._lost = (Xlib.error.ConnectionClosedError, OSError)
        self._display = connect(display)
        self._root = self._display.screen().root
        self._mask = 0  # the modifiers that were down at the last look

    def pointer(self) -> tuple[float, float]:
        found = self._ask(self._root.query_pointer)
        self._mask = found.mask
        return found.root_x, found.root_y

    def holds(self, keys: tuple[str, ...]) -> bool:
        if not all(self._mask & MASKS[key] for key in keys if key in MASKS):
            return False
        down: bytes = bytes(self._ask(self._display.query_keymap))
        return any(down) and all(any(down[code // 8] >> code % 8 & 1 for code in self._codes(key)) for key in keys)

    def close(self) -> None:
        self._display.display.socket.close()

    def _codes(self, key: str) -> list[int]:
        """The keycodes of a key, on both sides of the keyboard."""
        from Xlib import XK

        names = [each for each in (KEYSYMS.get(key, key), SIDES.get(key)) if each]
        symbols = (XK.string_to_keysym(name) for name in names)
        return [code for symbol in symbols for code, _ in self._display.keysym_to_keycodes(symbol)]

    def _ask(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except self._lost as error:
            raise NoDisplay(f"the display stopped answering ({error})") from error


class PointerSense:
    """Of a system that tells where the pointer is, but of no keys: of pyautogui's."""

    def __init__(self, position: Callable[[], tuple[float, float]]) -> None:
        self._position = position

    def pointer(self) -> tuple[float, float]:
        return self._position()

    def holds(self, keys: tuple[str, ...]) -> bool:
        return False

    def close(self) -> None:
        pass


def open_senses(display: str | None) -> Senses:
    """Those of this system."""
    if sys.platform == "linux":
        return XSenses(display)
    return PointerSense(PyAutoGuiHands().pointer)
