"""One call of a tool, between two threads: the client's, with an event loop, and the screen's, which does the work."""

from __future__ import annotations

import _thread
import asyncio
import logging
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Literal

from .results import Reply, wrong

ASK_S = 300.0  # how long a person is waited for
GRACE_S = 1.0  # for a call whose client is gone to end by itself; clients kill after two

STOPPING = "the server is stopping, and did not finish this; start it again"


@dataclass(frozen=True)
class Progress:
    """So many steps are done; the last of them in words."""

    steps: int
    words: str


@dataclass(frozen=True)
class Answered:
    """What the person at the client said to a form."""

    action: Literal["accept", "decline", "cancel"]
    content: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Question:
    """A form for the person at the client. `answers` takes one answer."""

    message: str
    schema: dict[str, Any]
    answers: SimpleQueue[Answered] = field(default_factory=SimpleQueue[Answered], compare=False)


Event = Progress | Question | Reply


class Call:
    """Made in the client's thread, with its loop running; `work` is done in the screen's."""

    def __init__(
        self, tool: str, work: Callable[[Call], Reply], *, can_ask: bool, most_questions: int | None = None
    ) -> None:
        """`most_questions` is how often the client goes along; None: as often as need be."""
        self.tool = tool
        self.can_ask = can_ask  # whether anybody is at the client
        self.most_questions = most_questions
        self.num_questions = 0
        self._work = work
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._cancelled = threading.Event()
        self._question: Question | None = None
        self.is_done = False

    # In the screen's thread.

    def do(self) -> None:
        """The work, unless it was cancelled before it began; whatever it raises becomes a reply."""
        reply = wrong(STOPPING)
        try:
            reply = wrong("cancelled") if self.is_cancelled else self._work(self)
        except Exception:  # a mistake of ours must not take the server with it: the next call may be fine
            logging.getLogger(__name__).exception("%s failed", self.tool)
            reply = wrong(f"{self.tool} failed inside moonhand: its log on standard error has the traceback")
        finally:
            self.is_done = True
            self._post(reply)

    def tell(self, progress: Progress) -> None:
        self._post(progress)

    def ask(self, message: str, schema: dict[str, Any]) -> Answered:
        """Put a form before the person.

        "cancel" where nobody answers within ASK_S, the call was cancelled, or the client has been asked enough.
        """
        self.num_questions += 1
        if self.has_asked_enough:
            return Answered("cancel")
        question = Question(message, schema)
        self._question = question
        if self.is_cancelled:
            return Answered("cancel")
        self._post(question)
        try:
            return question.answers.get(timeout=ASK_S)
        except Empty:
            return Answered("cancel")
        finally:
            self._question = None

    @property
    def is_cancelled(self) -> bool:
        """Whether the client no longer waits: work ends at the next step."""
        return self._cancelled.is_set()

    @property
    def has_asked_enough(self) -> bool:
        """Whether there was one question more than the client goes along with."""
        return self.most_questions is not None and self.num_questions > self.most_questions

    # In the client's thread.

    async def next(self) -> Event:
        return await self._events.get()

    def answer(self, answered: Answered) -> None:
        """To the question that is open; nothing where it is open no longer."""
        if (question := self._question) is not None:
            question.answers.put(answered)

    def cancel(self) -> None:
        self._cancelled.set()
        self.answer(Answered("cancel"))

    def _post(self, event: Event) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody listens
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)


class Desk:
    """Takes calls, and does them one after the other in the thread that made it: the main thread."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[Call | None] = SimpleQueue()
        self._current: Call | None = None
        self._is_free = threading.Event()
        self._is_free.set()
        self.is_left = False  # the client's side has ended

    def submit(self, call: Call) -> None:
        self._calls.put(call)

    def work(self) -> None:
        """Until the client's side leaves. KeyboardInterrupt where a call then does not end by itself."""
        while (call := self._calls.get()) is not None:
            self._is_free.clear()
            self._current = call
            try:
                if self.is_left:  # asked after the call can be seen by `leave`
                    return
                call.do()
            finally:
                self._current = None
                self._is_free.set()

    def leave(self) -> None:
        """From the client's thread: no more calls. What is being done is cut short, as by Ctrl-C after GRACE_S."""
        self.is_left = True
        self._calls.put(None)
        if (call := self._current) is not None:
            call.cancel()
        if not self._is_free.wait(GRACE_S):
            _interrupt_main()


def _interrupt_main() -> None:
    """As Ctrl-C does. Where there are POSIX signals, also out of a wait."""
    if sys.platform != "win32":
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        _thread.interrupt_main()
