"""Real mouse and keyboard input for Playwright pages."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, suppress

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page

from .actions import Click, Drag, KeyDown, KeyUp, MouseDown, MouseUp, Move, PressKeys, Scroll, TypeText
from .drag_path import moves
from .errors import UnsupportedAction
from .geometry import Point, Size
from .keys import MODIFIERS, Button
from .wording import describe

NOTCH_CSS_PX = 100  # how far one notch of the wheel scrolls
REPEAT_AFTER_S, REPEAT_EVERY_S = 0.5, 0.035  # a key that is held types again, as from a real keyboard

KEY_NAMES = {
    "ctrl": "Control", "shift": "Shift", "alt": "Alt", "meta": "Meta", "enter": "Enter", "tab": "Tab",
    "escape": "Escape", "backspace": "Backspace", "delete": "Delete", "insert": "Insert", "space": "Space",
    "up": "ArrowUp", "down": "ArrowDown", "left": "ArrowLeft", "right": "ArrowRight", "home": "Home", "end": "End",
    "pageup": "PageUp", "pagedown": "PageDown", "capslock": "CapsLock", "menu": "ContextMenu",
    "printscreen": "PrintScreen", **{f"f{number}": f"F{number}" for number in range(1, 13)},
}  # fmt: skip

SLICE_S = 0.1  # of a pause: nobody who stops us waits longer

PageInput = Click | Move | Drag | MouseDown | MouseUp | Scroll | TypeText | PressKeys | KeyDown | KeyUp


class PageHands:
    """One mouse and one keyboard for all pages. `scale` is screenshot px per CSS px, `viewport` is in CSS px.

    What MouseDown and KeyDown put down stays down until it is let go, or `release`. What one action alone holds is
    released on every way out.
    """

    def __init__(self, *, scale: float, viewport: Size, check: Callable[[], object] = lambda: None) -> None:
        """`check` is asked in pauses, and may end them by an exception."""
        self._check = check
        self.aim(scale=scale, viewport=viewport)
        self._page: Page | None = None  # where the held keys and buttons are down
        self._keys: list[str] = []  # as the browser names them
        self._buttons: list[Button] = []

    def aim(self, *, scale: float, viewport: Size) -> None:
        """From here on points lie on a picture of another scale or size."""
        self._scale, self._viewport = scale, viewport

    def css(self, point: Point) -> tuple[float, float]:
        """The place in CSS px."""
        # Chromium hits whatever lies topmost in the CSS pixel that begins here; a fraction would reach into the next.
        return math.floor(point.x_px / self._scale), math.floor(point.y_px / self._scale)

    def send(self, page: Page, action: PageInput) -> None:
        """Do it with trusted events. UnsupportedAction comes before anything is touched."""
        self._check_keys(action)
        self._follow(page)
        if isinstance(action, Move | MouseDown | MouseUp) and action.point is not None:
            page.mouse.move(*self.css(action.point))
        match action:
            case Click():
                with self._pressed(page, action.modifiers):
                    page.mouse.click(*self.css(action.point), button=action.button, click_count=action.count)
                self._forget(action.button)
            case Move():
                pass
            case MouseDown():
                if action.button not in self._buttons:
                    self._buttons.append(action.button)
                page.mouse.down(button=action.button)
            case MouseUp():
                self._forget(action.button)
                page.mouse.up(button=action.button)
            case Drag():
                with self._pressed(page, action.modifiers):
                    self._drag(page, action)
            case Scroll():
                self._scroll(page, action)
            case TypeText():
                _type(page, action)
            case PressKeys():
                for _ in range(action.repeat):
                    with self._pressed(page, action.keys) as names:
                        _hold(page, names, action.hold_s, self._check)
            case KeyDown():
                name = self._key_name(action.key)
                if name not in self._keys:
                    self._keys.append(name)
                page.keyboard.down(name)
            case KeyUp():
                for name in self._names_down(action.key):
                    page.keyboard.up(name)
                    if name in self._keys:
                        self._keys.remove(name)

    def release(self) -> None:
        """Let go of all that is held; never fails."""
        page, keys, buttons = self._page, self._keys.copy(), self._buttons.copy()
        self._keys.clear()
        self._buttons.clear()
        if page is not None:
            for button in reversed(buttons):
                _quietly(lambda button=button: page.mouse.up(button=button))
            for name in reversed(keys):
                _quietly(lambda name=name: page.keyboard.up(name))

    def _follow(self, page: Page) -> None:
        """Hold on this page the keys held on the one before: the person's keyboard is one, each page has its own."""
        if page is not self._page and (self._keys or self._buttons):
            keys = self._keys.copy()
            self.release()
            for name in keys:
                page.keyboard.down(name)
            self._keys = keys
        self._page = page

    def _scroll(self, page: Page, action: Scroll) -> None:
        width_px, height_px = self._viewport.width_px, self._viewport.height_px
        page.mouse.move(*((width_px / 2, height_px / 2) if action.point is None else self.css(action.point)))
        match action.unit:
            case "notch":
                page.mouse.wheel(action.dx * NOTCH_CSS_PX, action.dy * NOTCH_CSS_PX)
            case "px":
                page.mouse.wheel(action.dx / self._scale, action.dy / self._scale)
            case "page":
                page.mouse.wheel(action.dx * width_px, action.dy * height_px)

    def _drag(self, page: Page, action: Drag) -> None:
        page.mouse.move(*self.css(action.path[0]))
        try:
            page.mouse.down(button=action.button)
            start_s = time.monotonic()
            for at_s, point in moves(action):
                pause(page, start_s + at_s - time.monotonic(), self._check)
                page.mouse.move(*self.css(point))
        finally:
            self._forget(action.button)
            _quietly(lambda: page.mouse.up(button=action.button))

    @contextmanager
    def _pressed(self, page: Page, keys: tuple[str, ...]) -> Generator[list[str]]:
        """Hold these keys down; those that KeyDown holds already stay as they are."""
        names = [self._key_name(key, with_shift="shift" in keys) for key in keys]
        with ExitStack() as stack:
            for name in names:
                if name in self._keys:
                    continue
                stack.callback(_quietly, lambda name=name: page.keyboard.up(name))
                page.keyboard.down(name)
            yield names

    def _key_name(self, key: str, *, with_shift: bool = False) -> str:
        with_shift = with_shift or KEY_NAMES["shift"] in self._keys
        if with_shift and key.isascii() and key.isalnum() and len(key) == 1:
            return _physical(key)  # the key itself, which shift then changes
        return KEY_NAMES.get(key, key)

    def _names_down(self, key: str) -> list[str]:
        """What a key is held as: shift may have come, or gone, since it went down."""
        names = {KEY_NAMES.get(key, key), _physical(key) if key.isascii() and key.isalnum() and len(key) == 1 else key}
        return [name for name in self._keys if name in names] or [KEY_NAMES.get(key, key)]

    def _check_keys(self, action: PageInput) -> None:
        keys = action.keys if isinstance(action, PressKeys) else ()
        for key in (action.key,) if isinstance(action, KeyDown | KeyUp) else keys:
            if key not in KEY_NAMES and not key.isascii():
                raise UnsupportedAction(f"{describe(action)}: the browser's keyboard has no {key!r}; type it as text")

    def _forget(self, button: Button) -> None:
        if button in self._buttons:
            self._buttons.remove(button)


def _type(page: Page, action: TypeText) -> None:
    """Playwright itself inserts what has no key as text. A paste comes whole and leaves the clipboard as it is."""
    if action.clear:
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.press("Backspace")
    if action.via == "paste":
        page.keyboard.insert_text(action.text)
    else:
        for number, piece in enumerate(action.text.split("\t")):
            if number:
                page.keyboard.press("Tab")
            page.keyboard.type(piece)
    if action.submit:
        page.keyboard.press("Enter")


def pause(page: Page, seconds_s: float, check: Callable[[], object]) -> None:
    """Let time pass on the page, where any is left; `check` first, and every SLICE_S, whether it goes on."""
    end_s = time.monotonic() + seconds_s
    check()
    while (left_s := end_s - time.monotonic()) > 0:
        page.wait_for_timeout(1000 * min(left_s, SLICE_S))
        check()


def _hold(page: Page, names: list[str], hold_s: float, check: Callable[[], object]) -> None:
    left_s = hold_s
    repeated = next((name for name in reversed(names) if name not in {KEY_NAMES[each] for each in MODIFIERS}), None)
    while left_s > 0:
        step_s = min(left_s, REPEAT_AFTER_S if left_s == hold_s else REPEAT_EVERY_S)
        pause(page, step_s, check)
        left_s -= step_s
        if left_s > 0 and repeated is not None:
            page.keyboard.down(repeated)


def _physical(key: str) -> str:
    return f"Digit{key}" if key.isdigit() else f"Key{key.upper()}"


def _quietly(release: Callable[[], object]) -> None:
    with suppress(PlaywrightError):  # the page may be gone, and its keys with it
        release()
