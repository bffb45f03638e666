"""A display of its own for a browser that fills it: looked at and touched there, like a desktop."""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Self

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
from .settle import PixelWatch, Settled, find_moving, settle_pixels

KEY_GAP_S = 0.003  # between two key events
REACTION_S = 0.065  # a list of the browser's own opens 8 to 60 ms after the click, and the page knows nothing of it
ANSWERS = 5  # on a busy machine it takes as long as so many answers of the page, each of which takes 3 ms else
QUIET_S = 0.05  # after a change; what a page draws last is on the display at most 45 ms later
PATIENCE_S = 0.4  # the longest wait for pixels once the page is still: a video changes them for ever
EVERY_S = 0.01  # between two looks
LOOK_SHARE = 0.33  # of the time, at most, is spent looking: the page needs the processor as well
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
        self.last: Frame | None = None  # what it showed when it had settled
        self.answer_s = 0.0  # how long the page took to answer, right before the last action

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

    def begin(self, seen: Frame | None) -> None:
        """An action comes next: what moves by itself until then says nothing about it."""
        self._moving = find_moving(self._capture.grab, None if seen is None else seen.pixels_HW3)

    def act(self, action: Action, seen: Frame | None) -> Done:
        """Do it with real events. Held keys and buttons are let go after any error."""
        before = replace(seen or self.observe(), scale=1.0)  # a point of X is a px here
        try:
            return self._actor.act(self._in_notches(action) if isinstance(action, Scroll) else action, before)
        except NoDisplay:
            self._held.forget()
            raise
        except BaseException:
            self._held.release_afresh()
            raise

    def settle(self, limit_s: float, page: Collection[Future[Any]] = ()) -> Settled:
        """Wait until the page is still, or for `limit_s`, and nothing on the display changes any more but what moved
        before the last action: for PATIENCE_S at most beyond the page. `page` is done as soon as one of these is.
        """
        watch = PixelWatch(self._capture.grab, self._moving)
        reaction_s = max(REACTION_S, min(ANSWERS * self.answer_s, PATIENCE_S))
        told_s = None  # when the page was still
        while True:
            if told_s is None and (not page or any(one.done() for one in page) or watch.age_s >= limit_s):
                told_s = watch.age_s
            is_quiet = watch.quiet_s >= QUIET_S and watch.age_s >= reaction_s
            if told_s is not None and (is_quiet or watch.age_s >= min(told_s + PATIENCE_S, limit_s)):
                self.last = Frame(watch.pixels_HW3, self._scale, time.time(), watch.look_s)
                return watch.settled(is_quiet or not watch.has_moved)
            pause_s = max(EVERY_S, watch.look_s / LOOK_SHARE)
            left_s = max(watch.left_s(QUIET_S), reaction_s - watch.age_s)
            if told_s is None:
                wait(page, pause_s, FIRST_COMPLETED)
            else:
                time.sleep(min(pause_s, left_s))
            watch.look()

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
