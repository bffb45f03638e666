"""A pointer and a keyboard that we move: over XTEST on an X display, through pyautogui elsewhere."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, Protocol

from .errors import NoDisplay, UnsupportedAction


class Hands(Protocol):
    """One pointer and one keyboard. Keys are named as in `actions.NAMED_KEYS`, or are one character."""

    def move(self, x_pt: float, y_pt: float) -> None: ...
    def press(self, name: str, *, is_button: bool) -> None: ...
    def release(self, name: str, *, is_button: bool) -> None: ...
    def wheel(self, dx: int, dy: int) -> None: ...
    def stroke(self, name: str) -> tuple[str, ...] | None: ...  # keys to hold together for it; None if none do


KEYSYMS = {
    "ctrl": "Control_L", "shift": "Shift_L", "alt": "Alt_L", "meta": "Super_L", "enter": "Return", "tab": "Tab",
    "escape": "Escape", "backspace": "BackSpace", "delete": "Delete", "insert": "Insert", "space": "space",
    "up": "Up", "down": "Down", "left": "Left", "right": "Right", "home": "Home", "end": "End", "pageup": "Prior",
    "pagedown": "Next", "capslock": "Caps_Lock", "menu": "Menu", "printscreen": "Print",
    **{f"f{number}": f"F{number}" for number in range(1, 13)},
}  # fmt: skip
X_BUTTONS: dict[str, int] = {"left": 1, "middle": 2, "right": 3}
WHEEL_UP, WHEEL_DOWN, WHEEL_LEFT, WHEEL_RIGHT = 4, 5, 6, 7


class XTestHands:
    """Hands on one X display, named or the one in DISPLAY; NoDisplay where it does not answer."""

    def __init__(self, display: str | None = None) -> None:
        import Xlib.display
        import Xlib.error

        self._lost = (Xlib.error.ConnectionClosedError, OSError)
        try:
            self._display: Any = Xlib.display.Display(display)  # its types know no extensions
        except (Xlib.error.DisplayError, OSError) as error:
            raise NoDisplay(f"the X display does not answer ({error}): start one, or use VirtualDisplay") from error
        if not self._display.has_extension("XTEST"):
            self.close()
            raise NoDisplay("the X display has no XTEST extension: no input can be sent to it")

    def move(self, x_pt: float, y_pt: float) -> None:
        from Xlib import X

        self._send(X.MotionNotify, 0, x=int(x_pt), y=int(y_pt))

    def press(self, name: str, *, is_button: bool) -> None:
        from Xlib import X

        if is_button:
            self._send(X.ButtonPress, X_BUTTONS[name])
        else:
            self._send(X.KeyPress, self._keycode(name))

    def release(self, name: str, *, is_button: bool) -> None:
        from Xlib import X

        if is_button:
            self._send(X.ButtonRelease, X_BUTTONS[name])
        else:
            self._send(X.KeyRelease, self._keycode(name))

    def wheel(self, dx: int, dy: int) -> None:
        from Xlib import X

        turns = [WHEEL_DOWN if dy > 0 else WHEEL_UP] * abs(dy) + [WHEEL_RIGHT if dx > 0 else WHEEL_LEFT] * abs(dx)
        for turn in turns:
            self._send(X.ButtonPress, turn)
            self._send(X.ButtonRelease, turn)

    def stroke(self, name: str) -> tuple[str, ...] | None:
        found = self._find(name)
        if found is None:
            return None
        return ("shift", name) if found[1] == 1 else (name,)

    def close(self) -> None:
        # The socket alone: every request was waited for, and a connection that an exception cut short would hang.
        self._display.display.socket.close()

    def _send(self, kind: int, detail: int, x: int = 0, y: int = 0) -> None:
        from Xlib.ext import xtest

        try:
            xtest.fake_input(self._display, kind, detail, x=x, y=y)
            self._display.sync()
        except self._lost as error:
            raise NoDisplay(f"the display stopped answering ({error}): open the environment again") from error

    def _keycode(self, name: str) -> int:
        found = self._find(name)
        if found is None:
            raise UnsupportedAction(f"the keyboard of this display has no key {name!r}; type it as text")
        return found[0]

    def _find(self, name: str) -> tuple[int, int] | None:
        """Keycode and level (0 plain, 1 with shift) of a key; the other levels need keys that a layout may lack."""
        codes = self._display.keysym_to_keycodes(_keysym(name))
        return min((code for code in codes if code[1] in (0, 1)), key=lambda code: code[1], default=None)


class PyAutoGuiHands:
    """Hands on the screen this process sees. Importing pyautogui binds it to that screen for good."""

    def __init__(self) -> None:
        import pyautogui

        self._gui: Any = pyautogui
        self._gui.PAUSE = 0  # else every call takes 0.1 s
        self._gui.FAILSAFE = False  # else a click in a corner ends all input
        if sys.platform == "linux":
            backend: Any = import_module("pyautogui._pyautogui_x11")
            backend.keyboardMapping["<"] = backend.keyboardMapping[","]  # as it is, "<" comes out as ">"

    def move(self, x_pt: float, y_pt: float) -> None:
        self._gui.moveTo(int(x_pt), int(y_pt))

    def press(self, name: str, *, is_button: bool) -> None:
        if is_button:
            self._gui.mouseDown(button=name)
        else:
            self._gui.keyDown(self._key(name))

    def release(self, name: str, *, is_button: bool) -> None:
        if is_button:
            self._gui.mouseUp(button=name)
        else:
            self._gui.keyUp(self._key(name))

    def wheel(self, dx: int, dy: int) -> None:
        if dy:
            self._gui.scroll(-dy)
        if dx:
            self._gui.hscroll(dx)

    def stroke(self, name: str) -> tuple[str, ...] | None:
        # What is not a valid key, pyautogui drops without a word.
        return (name,) if name.isascii() and self._gui.isValidKey(self._key(name)) else None

    def _key(self, name: str) -> str:
        return {"meta": "win", "menu": "apps"}.get(name, name)


def _keysym(name: str) -> int:
    from Xlib import XK

    if name in KEYSYMS:
        return XK.string_to_keysym(KEYSYMS[name])
    code = ord(name)
    # Latin-1 characters are their own keysyms; the others have one in the Unicode range.
    return code if 0x20 <= code <= 0x7E or 0xA0 <= code <= 0xFF else 0x01000000 | code
