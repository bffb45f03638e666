"""What is to be done before a signal ends the program, for as long as something is open."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # SIGHUP, where there is one: the terminal was closed, or its connection lost


@contextmanager
def on_signals(release: Callable[[], None]) -> Generator[None]:
    """Call `release` before what the program does on them, in the main thread; what it ignores stays ignored.

    Several may be open and be closed in any order: after the last one the program's own handlers are back.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    present = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    ours = [_Handler(signum, release) for signum in present if signal.getsignal(signum) != signal.SIG_IGN]
    try:
        yield
    finally:
        for handler in ours:
            handler.close()


class _Handler:
    """One link of a chain: each knows what was there before it, and a closed one only passes on."""

    def __init__(self, signum: int, release: Callable[[], None]) -> None:
        self._signum = signum
        self._release: Callable[[], None] | None = release
        self._former: Any = signal.getsignal(signum)
        signal.signal(signum, self)

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        if self._release is not None:
            self._release()
        if callable(self._former):
            self._former(signum, frame)
        elif self._former == signal.SIG_DFL:
            raise SystemExit(128 + signum)

    def close(self) -> None:
        self._release = None
        if threading.current_thread() is not threading.main_thread():
            return  # only the main thread may set handlers
        now = former = signal.getsignal(self._signum)
        while isinstance(former, _Handler) and former._release is None:
            former = former._former
        if former is not now:
            signal.signal(self._signum, former)
