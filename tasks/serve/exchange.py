"""One request's way through the scheduler, and its replies as asyncio sees them."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from ...model.chat import Message
from ...model.generation import Generation
from ...model.sampling import SamplingConfig
from ...model.scheduler import Scheduler, Ticket
from ...model.writing import GeneratedToken
from .config import ServeConfig
from .conversation import conversation
from .grammars import GrammarGate, grammar_of, require_sound
from .refusals import ClientGone, Refusal
from .wire import ChatRequest

MAX_ALTERNATIVES = 1 << 21  # of a reply: its tokens times top_logprobs, some 120 bytes each until it is whole
PREPARERS = 2  # threads that decode pictures and encode texts
_LONGEST_WAIT_S = 30

Event = GeneratedToken | Generation | BaseException


class Room:
    """Bytes that all requests hold together; threads share it."""

    def __init__(self, limit: int) -> None:
        self.held = 0
        self._limit = limit
        self._guard = Lock()

    def take(self, count: int) -> bool:
        """Whether there was room."""
        with self._guard:
            if self.held + count > self._limit:
                return False
            self.held += count
            return True

    def give_back(self, count: int) -> None:
        with self._guard:
            self.held -= count


class Desk:
    """Hands requests to the scheduler: prepared in threads, cancelled when nobody waits for them any more."""

    def __init__(self, scheduler: Scheduler, config: ServeConfig) -> None:
        self.scheduler = scheduler
        self.engine = scheduler.engine
        self.config = config
        self.gate = GrammarGate(config)
        self.room = Room(config.max_held_bytes)
        self.is_closing = False
        self._longest_text = scheduler.context_tokens * max(map(len, self.engine.tokenizer.tokens))
        self._pool = ThreadPoolExecutor(PREPARERS, thread_name_prefix="moonhand-serve")
        self._trying = ThreadPoolExecutor(1, thread_name_prefix="moonhand-grammar")  # who sent none is not kept waiting
        self._open: set[Exchange] = set()
        self._usual_s = 1.0  # how long a reply took lately

    @property
    def retry_after_s(self) -> int:
        """When the queue should have moved on."""
        counts = self.scheduler.counts()
        turns = counts.waiting / self.scheduler.settings.max_running
        return max(1, min(_LONGEST_WAIT_S, round(turns * self._usual_s)))

    def enter(self, exchange: Exchange) -> None:
        """From now on it is told when the server stops."""
        self._open.add(exchange)

    async def take(self, request: ChatRequest, exchange: Exchange) -> None:
        """Prepare a request and put it in the queue. Refusal and whatever `Scheduler.submit` raises."""
        if request.has_grammar:
            await asyncio.get_running_loop().run_in_executor(self._trying, require_sound, request, self.gate)
        work = self._pool.submit(self._prepare, request, exchange)
        try:
            await asyncio.wrap_future(work)
        except asyncio.CancelledError:  # which does not stop the thread: what it still puts in the queue is taken out
            work.add_done_callback(_cancel_late)
            raise
        if exchange.is_over:
            exchange.cancel()

    def done(self, exchange: Exchange, took_s: float | None) -> None:
        """Whatever became of it."""
        self._open.discard(exchange)
        exchange.cancel()
        if took_s is not None:
            self._usual_s += 0.2 * (took_s - self._usual_s)

    def cut(self) -> None:
        """End what is still on its way: each client is told that the server stops."""
        for exchange in list(self._open):
            exchange.put(Refusal(503, "the server was stopped before the reply was whole", code="shutting_down"))

    def close(self) -> None:
        for pool in (self._trying, self._pool):
            pool.shutdown(wait=False, cancel_futures=True)
        self.gate.close()

    def _prepare(self, request: ChatRequest, exchange: Exchange) -> Ticket:
        messages = conversation(request, self.config, exchange.hold, longest_text=self._longest_text)
        sampling = self._sampling(request, messages)
        exchange.ticket = self.scheduler.submit(messages, sampling, on_token=exchange.put, on_end=exchange.put)
        return exchange.ticket

    def _sampling(self, request: ChatRequest, messages: list[Message]) -> SamplingConfig:
        """Greedy where no temperature is given: one place on a screen is asked for, not an essay."""
        most = request.max_completion_tokens or request.max_tokens
        top = _top_of(request, self.config)
        room = MAX_ALTERNATIVES // max(1, min(top, self.engine.tokenizer.vocab_size))
        if most is not None and most > room:
            said = f"with top_logprobs {top} a reply may have {room} tokens at most: lower one of them"
            raise Refusal(400, said, param="top_logprobs")
        return SamplingConfig(
            temperature=request.temperature or 0.0,
            top_p=1.0 if request.top_p is None else request.top_p,
            max_new_tokens=most or min(self.config.default_max_tokens, self.scheduler.context_tokens // 2, room),
            seed=secrets.randbits(63) if request.seed is None else request.seed,
            stop=request.stops,
            grammar=grammar_of(request, messages, self.engine),
            top_logprobs=top,
            thinking_tokens=request.thinking_token_budget,
        )


def _top_of(request: ChatRequest, config: ServeConfig) -> int:
    """How many alternatives to each token are told."""
    top = request.top_logprobs or 0
    if top and not request.logprobs:
        raise Refusal(400, "top_logprobs goes with logprobs: true", param="top_logprobs")
    if top > config.max_top_logprobs:
        raise Refusal(400, f"top_logprobs is at most {config.max_top_logprobs} here, got {top}", param="top_logprobs")
    return top


@dataclass(eq=False)
class Exchange:
    """What comes of one request, in order: its tokens, and last the whole reply or an error."""

    room: Room
    loop: asyncio.AbstractEventLoop
    refuse_full: Callable[[], Refusal]
    began_s: float = field(default_factory=time.perf_counter)
    ticket: Ticket | None = None
    is_over: bool = False
    _held: int = 0
    _guard: Lock = field(default_factory=Lock)
    _events: asyncio.Queue[Event] = field(default_factory=asyncio.Queue[Event])

    def put(self, event: Event) -> None:
        """From any thread."""
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self.loop.call_soon_threadsafe(self._events.put_nowait, event)

    def hold(self, count: int) -> None:
        """Refusal 429 where all requests together hold too much; ClientGone once it is over."""
        with self._guard:
            if self.is_over:
                raise ClientGone
            if not self.room.take(count):
                raise self.refuse_full()
            self._held += count

    def cancel(self) -> None:
        """Give up whatever is left of it."""
        with self._guard:
            self.is_over = True
            self.room.give_back(self._held)
            self._held = 0
        if self.ticket is not None:
            self.ticket.cancel()

    async def unless_cut(self, work: Coroutine[Any, Any, bytes]) -> bytes:
        """What comes of it, before anything is asked of the model; raises what ended the request meanwhile."""
        task, ended = asyncio.ensure_future(work), asyncio.ensure_future(self._events.get())
        try:
            await asyncio.wait((task, ended), return_when=asyncio.FIRST_COMPLETED)
            if ended.done() and isinstance(error := ended.result(), BaseException):
                raise error
            return task.result()
        finally:
            for each in (task, ended):
                each.cancel()
            await asyncio.gather(task, ended, return_exceptions=True)

    async def events(self) -> AsyncIterator[GeneratedToken | Generation]:
        """Until the whole reply, which is the last. Raises what ended it."""
        while True:
            event = await self._events.get()
            if isinstance(event, BaseException):
                raise event
            yield event
            if isinstance(event, Generation):
                return


def _cancel_late(work: Future[Ticket]) -> None:
    if not work.cancelled() and work.exception() is None:
        work.result().cancel()
