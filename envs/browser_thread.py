"""The one thread from which a browser is driven."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from typing import Any, TypeVar

from .actions import AnswerDialog
from .dialog_picture import DialogInput
from .env import Done
from .errors import DialogOpen, PageGone
from .page_dialogs import Dialogs

CLOSE_LIMIT_S = 10.0
AWAKE_S = 0.1  # Ctrl-C that the system gives to another thread wakes nobody: Python hears of it when this one wakes

T = TypeVar("T")


class BrowserThread:
    """Runs work one after the other. A page that hangs answers nothing: its browser is ended after a time limit.

    `process_id` is the browser's, once it has one; `dialogs` are those that may hold the work up.
    """

    def __init__(self, dialogs: Dialogs) -> None:
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="moonhand-browser")
        self._latest: Future[Any] | None = None
        self._num_submitted = self._num_begun = self._num_given_up = 0
        self._ended: str | None = None  # why we ended the browser ourselves
        self.dialogs = dialogs
        self.process_id: int | None = None

    def check(self) -> None:
        """Raise PageGone where the browser was ended."""
        if self._ended is not None:
            raise PageGone(f"{self._ended}: open the environment again")

    def run(self, doing: str, limit_s: float, work: Callable[[], T]) -> T:
        """Its result. DialogOpen where a dialog was open, or is now: the work then goes on after the answer to it."""
        return self.result(self.submit(work), doing, limit_s)

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Begin with it; DialogOpen where a dialog is open."""
        self._check_no_dialog()
        self._num_submitted += 1
        number = self._num_submitted

        def begin() -> T:
            self._num_begun = number
            self.check_awaited()
            return work()

        future: Future[T] = self._worker.submit(begin)
        self._latest = future
        return future

    def check_awaited(self) -> None:
        """KeyboardInterrupt where whoever waited for the work under way was stopped; for the work, in its pauses."""
        if self._num_begun <= self._num_given_up:
            raise KeyboardInterrupt("nobody waits for it any more")

    def result(self, future: Future[T], doing: str, limit_s: float) -> T:
        """Of work that was begun, as of `run`. Once this thread is stopped, as by Ctrl-C, so is that work."""
        try:
            return self._await(future, doing, limit_s)
        except (KeyboardInterrupt, SystemExit):
            self._num_given_up = self._num_submitted
            raise

    def _await(self, future: Future[T], doing: str, limit_s: float) -> T:
        deadline_s = time.monotonic() + limit_s
        while not future.done():
            awaited: list[Future[Any]] = [future, self.dialogs.opened]
            left_s = deadline_s - time.monotonic()
            if wait(awaited, min(left_s, AWAKE_S), FIRST_COMPLETED).done:
                if not future.done():
                    self._check_no_dialog()
                continue
            if left_s > AWAKE_S:
                continue
            self._ended = f"the page did not answer for {limit_s:g} s at: {doing}; its browser was ended"
            self._kill()
            self.check()
        return future.result()

    def peek(self, limit_s: float, work: Callable[[], T]) -> T | None:
        """Its result; None where it takes longer, and then goes on by itself. DialogOpen where a dialog is open."""
        self._check_no_dialog()
        future: Future[T] = self._worker.submit(work)
        self._latest = future
        awaited: list[Future[Any]] = [future, self.dialogs.opened]
        wait(awaited, limit_s, FIRST_COMPLETED)
        return future.result() if future.done() else None

    def answer(self, action: AnswerDialog) -> Future[Any] | None:
        """Answer the open dialog; the work that goes on now."""
        self.dialogs.answer(action)
        return self._latest

    def touch(self, action: DialogInput, limit_s: float) -> tuple[Done, bool, Future[Any] | None]:
        """Do it to the open dialog, as drawn: what became of it, whether that answered it, and the work held up."""
        return *self.dialogs.touch(action, limit_s), self._latest

    def shut(self, inner: ExitStack) -> None:
        """Close in the thread what was opened there, and end the thread."""
        patience_s = 0.2
        if self.dialogs.words is not None:
            patience_s = 1.0
        self.dialogs.stop()
        # After Ctrl-C the worker may still wait for the page, which only the end of the browser cuts short. It may be
        # busy with what `run` had just submitted and not yet kept.
        if not wait([self._worker.submit(lambda: None)], patience_s).done:
            self._kill()
        closing = self._worker.submit(inner.close)
        if not wait([closing], CLOSE_LIMIT_S).done:
            self._kill()
        self._worker.shutdown(wait=bool(wait([closing], CLOSE_LIMIT_S).done))

    def _check_no_dialog(self) -> None:
        if self.dialogs.words is not None:
            raise DialogOpen(f"{self.dialogs.words} is open: accept or dismiss it first")

    def _kill(self) -> None:
        if self.process_id is not None:
            with suppress(ProcessLookupError):
                os.kill(self.process_id, signal.SIGKILL)
