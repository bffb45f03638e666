"""The screen, grabbed in a thread of its own."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import Future, wait
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

import mss
from mss.models import Monitor
from mss.screenshot import ScreenShot

from .errors import NoDisplay

AWAKE_S = 0.1  # Ctrl-C that the system gives to another thread wakes nobody: Python hears of it when this one wakes
ANSWER_LIMIT_S, CLOSE_LIMIT_S = 30.0, 2.0  # for a display that does not answer
TROUBLE = (mss.ScreenShotError, OSError, AssertionError)  # mss asserts that X still replies

T = TypeVar("T")


class Grabber:
    """mss, opened, asked and closed in one daemon thread.

    On X it frees each reply in a finalizer, and a KeyboardInterrupt that comes up in a finalizer is lost: with the
    grabs in the thread that Ctrl-C stops, one press in seven was, while the screen was watched. Here it only ends the
    waiting. NoDisplay where the display cannot be captured or went away.
    """

    def __init__(self, display: str | None) -> None:
        self._asked: SimpleQueue[tuple[Future[ScreenShot], dict[str, int]] | None] = SimpleQueue()
        opened: Future[list[Monitor]] = Future()
        self._thread = threading.Thread(target=self._work, args=(display, opened), name="moonhand capture", daemon=True)
        self._thread.start()
        try:
            self.monitors = _answer(opened)
        except TROUBLE as error:
            self.close()
            raise NoDisplay(f"display {display or os.environ.get('DISPLAY')} cannot be captured: {error}") from error
        except BaseException:
            self.close()
            raise

    def grab(self, left_pt: int, top_pt: int, width_pt: int, height_pt: int) -> ScreenShot:
        """A part of the whole desktop."""
        if not self._thread.is_alive():
            raise NoDisplay("the capture of this display is closed: open the environment again")
        future: Future[ScreenShot] = Future()
        self._asked.put((future, {"left": left_pt, "top": top_pt, "width": width_pt, "height": height_pt}))
        try:
            return _answer(future)
        except TROUBLE as error:
            raise NoDisplay(f"the display stopped answering ({error}): open the environment again") from error

    def close(self) -> None:
        """A display that does not answer is waited for no longer than CLOSE_LIMIT_S. May be called twice."""
        self._asked.put(None)
        self._thread.join(CLOSE_LIMIT_S)

    def _work(self, display: str | None, opened: Future[list[Monitor]]) -> None:
        try:
            screen = mss.MSS(display=display) if display else mss.MSS()
            opened.set_result(screen.monitors)
        except Exception as error:
            opened.set_exception(error)
            return
        try:
            while (asked := self._asked.get()) is not None:
                _grab(screen, *asked)
                del asked  # and with it the picture
        finally:
            with suppress(*TROUBLE):  # the display may be gone
                screen.close()


def _grab(screen: mss.MSS, future: Future[Any], area: dict[str, int]) -> None:
    try:
        shot = screen.grab(area)
    except Exception as error:
        future.set_exception(error)
    else:
        future.set_result(shot)


def _answer(future: Future[T]) -> T:
    deadline_s = time.monotonic() + ANSWER_LIMIT_S
    while not wait([future], AWAKE_S).done:
        if time.monotonic() > deadline_s:
            raise mss.ScreenShotError(f"no answer for {ANSWER_LIMIT_S:.0f} s")
    return future.result()
