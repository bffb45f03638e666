"""A lock whose waiters go in the order they came."""

from __future__ import annotations

from threading import Lock
from types import TracebackType


class Turns:
    """A plain lock lets a thread that gives it back and asks again at once go first, for ever: this one does not."""

    def __init__(self) -> None:
        self._next = Lock()  # held by who waits for the turn
        self._turn = Lock()

    def __enter__(self) -> None:
        with self._next:
            self._turn.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._turn.release()
