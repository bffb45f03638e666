"""A display of its own for a browser that fills it: looked at and touched there, like a desktop."""

from __future__ import annotations

import shutil
import time
from contextlib import ExitStack
from dataclasses import replace
from typing import Self

from .actions import Action, Scroll
from .capture import ScreenCapture
from .change import Tiles
from .desktop_actions import DesktopActor
from .display import VirtualDisplay
from .env import Done, Frame
from .errors import NoDisplay
from .geometry import Point, Size
from .hands import XTestHands
from .held import Held
from .settle import Settled, find_moving, settle_pixels

KEY_GAP_S = 0.003  # between two key events
QUIET_S = 0.06  # what a page draws last is on the display at most 45 ms later, a list it opens 55 ms
PATIENCE_S = 0.4  # the longest wait for pixels, beyond the page's own word: a video changes them for ever
SHOWN_QUIET_S, SHOWN_LIMIT_S = 0.15, 10.0  # of a window that has just opened
INPUT_KINDS = frozenset(
    ("click", "move", "drag", "mouse_down", "mouse_up", "scroll", "type", "key", "key_down", "key_up", "wait")
)
CLIPBOARD_KINDS = frozenset(("clipboard_get", "clipboard_set"))
NOTCH_CSS_PX = 120  # how far one notch of the wheel scrolls in Chromium


class Kiosk:
    """An X display of `viewport` CSS px at `scale`, for as long as the `with` body lasts.

    A px of its frames is one of the display's, and `scale` of them are one CSS px. Lists, calendars, suggestions and
    dialogs that the browser opens are on it like all else. Its context menu is not: a Chromium in a kiosk has none.
    """

    def __init__(self, viewport: Size, scale: float) -> None:
        self._viewport, self._scale = viewport, scale
        self.size = Size(int(viewport.width_px * scale), int(viewport.height_px * scale))
        self._stack = ExitStack()
        self._moving: Tiles | None = None  # by itself, before the last action

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            screen = stack.enter_context(VirtualDisplay(self.size, wm=True))
            self.display = screen.display
            self._capture = ScreenCapture(display=self.display)
            stack.callback(self._capture.close)
            self._held = Held(lambda: XTestHands(self.display), gap_s=KEY_GAP_S)
            stack.callback(self._held.close)
            self._actor = DesktopActor(
                self._capture, self._held, display=self.display, gap_s=KEY_GAP_S, paste_keys=("ctrl", "v")
            )
            stack.callback(self._actor.close)
            self._empty_HW3 = self._capture.grab()
            self._held.hands.move(self.size.width_px - 1, self.size.height_px - 1)  # where it hovers over least
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def kinds(self) -> frozenset[str]:
        """What is done on the display, rather than by the browser."""
        return INPUT_KINDS | (CLIPBOARD_KINDS if shutil.which("xclip") else frozenset[str]())

    def observe(self) -> Frame:
        return replace(self._capture.observe(), scale=self._scale)

    def act(self, action: Action, seen: Frame | None) -> Done:
        """Do it with real events. Held keys and buttons are let go after any error."""
        self._moving = find_moving(self._capture.grab, None if seen is None else seen.pixels_HW3)
        before = replace(seen or self.observe(), scale=1.0)  # a point of X is a px here
        try:
            return self._actor.act(self._in_notches(action) if isinstance(action, Scroll) else action, before)
        except NoDisplay:
            self._held.forget()
            raise
        except BaseException:
            self._held.release_afresh()
            raise

    def settle(self, limit_s: float) -> Settled:
        """Wait until nothing on the display changes any more but what moved before the last `act`."""
        limit_s = min(max(0.0, limit_s), PATIENCE_S)
        return settle_pixels(self._capture.grab, self._moving, quiet_s=QUIET_S, limit_s=limit_s)[0]

    def wait_for_browser(self) -> None:
        """Wait until its window covers the empty display, and shows something."""
        deadline_s = time.monotonic() + SHOWN_LIMIT_S
        while (self._capture.grab() == self._empty_HW3).all(axis=2).mean() > 0.5 and time.monotonic() < deadline_s:
            time.sleep(0.02)
        settle_pixels(self._capture.grab, quiet_s=SHOWN_QUIET_S, limit_s=SHOWN_LIMIT_S)

    def release(self) -> None:
        """Let go of all keys and buttons that are held."""
        self._held.release_afresh()

    def _in_notches(self, action: Scroll) -> Scroll:
        """A real wheel has notches alone, at least one where it turns at all."""
        match action.unit:
            case "notch":
                right, down = action.dx, action.dy
            case "px":
                right, down = (turn / self._scale / NOTCH_CSS_PX for turn in (action.dx, action.dy))
            case "page":
                right = action.dx * self._viewport.width_px / NOTCH_CSS_PX
                down = action.dy * self._viewport.height_px / NOTCH_CSS_PX
        place = action.point or Point(self.size.width_px / 2, self.size.height_px / 2)
        return Scroll(dx=_whole(right), dy=_whole(down), x_px=place.x_px, y_px=place.y_px)


def _whole(turn: float) -> int:
    return 0 if turn == 0 else max(1, round(abs(turn))) * (1 if turn > 0 else -1)
