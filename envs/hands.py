"""A pointer and a keyboard that we move: over XTEST on an X display, through pyautogui elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from operator import itemgetter
from typing import Any, Protocol

from .errors import NoDisplay, UnsupportedAction


class Hands(Protocol):
    """One pointer and one keyboard. Keys are named as in `keys.NAMED_KEYS`, or are one character.

    `stroke` gives the keys to hold together for one, None where there are none; a chord finds also the letters that
    the layout shows on another group, or would have in the United States.
    """

    def move(self, x_pt: float, y_pt: float) -> None: ...
    def press(self, name: str, *, is_button: bool) -> None: ...
    def release(self, name: str, *, is_button: bool) -> None: ...
    def wheel(self, dx: int, dy: int) -> None: ...
    def stroke(self, name: str, *, is_text: bool = False) -> tuple[str, ...] | None: ...


KEYSYMS = {
    "ctrl": "Control_L", "shift": "Shift_L", "alt": "Alt_L", "meta": "Super_L", "enter": "Return", "tab": "Tab",
    "escape": "Escape", "backspace": "BackSpace", "delete": "Delete", "insert": "Insert", "space": "space",
    "up": "Up", "down": "Down", "left": "Left", "right": "Right", "home": "Home", "end": "End", "pageup": "Prior",
    "pagedown": "Next", "capslock": "Caps_Lock", "menu": "Menu", "printscreen": "Print",
    **{f"f{number}": f"F{number}" for number in range(1, 13)},
}  # fmt: skip
ISO_LEVEL3_SHIFT = 0xFE03  # a keysym that python-xlib has no name for
MAC_KEYS, GUI_KEYS = {"meta": "command", "alt": "option"}, {"meta": "win", "menu": "apps"}  # of pyautogui
X_BUTTONS: dict[str, int] = {"left": 1, "middle": 2, "right": 3}
WHEEL_UP, WHEEL_DOWN, WHEEL_LEFT, WHEEL_RIGHT = 4, 5, 6, 7
LEVELS: tuple[tuple[str, ...], ...] = ((), ("shift",), ("altgr",), ("shift", "altgr"))  # what each level of a key needs
US_ROWS = {10: "1234567890", 24: "qwertyuiop", 38: "asdfghjkl", 52: "zxcvbnm"}  # first keycode of each row
RAW_KEY = "keycode "  # starts the name of a key of XTestHands that is called by its keycode


class XTestHands:
    """Hands on one X display, named or the one in DISPLAY; NoDisplay where it does not answer."""

    def __init__(self, display: str | None = None) -> None:
        import Xlib.error

        from .windows import connect

        self._lost = (Xlib.error.ConnectionClosedError, OSError)
        self._display = connect(display)
        with self._answering():
            has_xtest = self._display.has_extension("XTEST")
        if not has_xtest:
            self.close()
            raise NoDisplay("the X display has no XTEST extension: no input can be sent to it")

    def move(self, x_pt: float, y_pt: float) -> None:
        from Xlib import X

        self._send(X.MotionNotify, 0, x=int(x_pt), y=int(y_pt))

    def pointer(self) -> tuple[float, float]:
        """Where it is, in OS points."""
        with self._answering():
            found = self._display.screen().root.query_pointer()
        return found.root_x, found.root_y

    def press(self, name: str, *, is_button: bool) -> None:
        from Xlib import X

        if is_button:
            self._send(X.ButtonPress, X_BUTTONS[name])
            self._wait_until_passed_on()
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

    def stroke(self, name: str, *, is_text: bool = False) -> tuple[str, ...] | None:
        self._follow_layout()
        found = self._find(name)
        if found is not None:
            return (*LEVELS[found[1]], name)
        return None if is_text or self._find_for_chord(name) is None else (name,)

    def is_caps(self) -> bool:
        """Whether caps lock is on."""
        from Xlib import X

        return bool(self._state() & X.LockMask)

    def focused_class(self) -> str:
        """The class of the window that has the keyboard; "" where it tells none."""
        from .windows import focused_class

        with self._answering():
            return focused_class(self._display)

    def close(self) -> None:
        # The socket alone: every request was waited for, and a connection that an exception cut short would hang.
        self._display.display.socket.close()

    def _send(self, kind: int, detail: int, x: int = 0, y: int = 0) -> None:
        from Xlib.ext import xtest

        with self._answering():
            xtest.fake_input(self._display, kind, detail, x=x, y=y)
            self._display.sync()

    def _wait_until_passed_on(self) -> None:
        """A window manager gets a press first and passes it on once the window is in front: keys could overtake it."""
        from .windows import wait_for_manager

        with self._answering():
            wait_for_manager(self._display)

    def _keycode(self, name: str) -> int:
        if name.startswith(RAW_KEY):
            return int(name.removeprefix(RAW_KEY))
        found = self._find(name)
        code = self._find_for_chord(name) if found is None else found[0]
        if code is None:
            raise UnsupportedAction(f"the keyboard of this display has no key {name!r}; type it as text")
        return code

    def _follow_layout(self) -> None:
        """Take note of a layout that somebody has set meanwhile."""
        from Xlib import X

        with self._answering():
            while self._display.pending_events():
                event = self._display.next_event()
                if event.type == X.MappingNotify and event.request == X.MappingKeyboard:
                    self._display.refresh_keyboard_mapping(event)

    def _state(self) -> int:
        """The modifiers and the group that are on."""
        with self._answering():
            return self._display.screen().root.query_pointer().mask

    def _find(self, name: str) -> tuple[int, int] | None:
        """Keycode of a key in the group that is on, and the lowest level (see LEVELS) on which it lies there."""
        group = self._state() >> 13 & 3
        columns = {2 * group: 0, 2 * group + 1: 1, 2 * group + 4: 2, 2 * group + 5: 3}  # of the core protocol
        if group > 1:  # of which it tells nothing
            return None
        codes = self._display.keysym_to_keycodes(_keysym(name))
        return min(
            ((code, columns[index]) for code, index in codes if index in columns), key=itemgetter(1), default=None
        )

    def _find_for_chord(self, name: str) -> int | None:
        """Keycode of a key that no group on has: shortcuts work with the letters of any group, and by their places."""
        codes = self._display.keysym_to_keycodes(_keysym(name))
        places = (first + row.index(name) for first, row in US_ROWS.items() if name in row)
        return min((code for code, index in codes if index % 2 == 0), default=next(places, None))

    @contextmanager
    def _answering(self) -> Generator[None]:
        try:
            yield
        except self._lost as error:
            raise NoDisplay(f"the display stopped answering ({error}): open the environment again") from error


class PyAutoGuiHands:
    """Hands on the screen this process sees. Importing pyautogui binds it to that screen for good."""

    def __init__(self) -> None:
        import pyautogui

        self._gui: Any = pyautogui
        self._buttons: list[str] = []  # that are down
        self._gui.PAUSE = 0  # else every call takes 0.1 s
        self._gui.FAILSAFE = False  # else a click in a corner ends all input
        if sys.platform == "linux":
            backend: Any = import_module("pyautogui._pyautogui_x11")
            backend.keyboardMapping["<"] = backend.keyboardMapping[","]  # as it is, "<" comes out as ">"

    def move(self, x_pt: float, y_pt: float) -> None:
        if self._buttons:  # macOS tells a drag from a move
            self._gui.dragTo(int(x_pt), int(y_pt), button=self._buttons[-1], mouseDownUp=False)
        else:
            self._gui.moveTo(int(x_pt), int(y_pt))

    def pointer(self) -> tuple[float, float]:
        """Where it is, in OS points."""
        x_pt, y_pt = self._gui.position()
        return x_pt, y_pt

    def press(self, name: str, *, is_button: bool) -> None:
        if is_button:
            self._buttons.append(name)
            self._gui.mouseDown(button=name)
        else:
            self._gui.keyDown(self._key(name))

    def release(self, name: str, *, is_button: bool) -> None:
        if is_button:
            self._gui.mouseUp(button=name)
            self._buttons = [button for button in self._buttons if button != name]
        else:
            self._gui.keyUp(self._key(name))

    def wheel(self, dx: int, dy: int) -> None:
        if dy:
            self._gui.scroll(-dy)
        if dx:
            self._gui.hscroll(dx)

    def stroke(self, name: str, *, is_text: bool = False) -> tuple[str, ...] | None:
        # What is not a valid key, pyautogui drops without a word.
        return (name,) if name.isascii() and self._gui.isValidKey(self._key(name)) else None

    def _key(self, name: str) -> str:
        return (MAC_KEYS if sys.platform == "darwin" else GUI_KEYS).get(name, name)


def _keysym(name: str) -> int:
    from Xlib import XK

    from .keymap import keysym

    if name == "altgr":
        return ISO_LEVEL3_SHIFT
    return XK.string_to_keysym(KEYSYMS[name]) if name in KEYSYMS else keysym(name)
