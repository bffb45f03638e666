"""Many requests share one model: each is answered in a row of one cache, joining and leaving between any two steps."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType

from .batch import Batch
from .chat import Message
from .engine import Engine
from .errors import Cancelled, ContextTooLong, NotEnoughMemory, QueueFull
from .generation import Generation
from .kv_cache import LatentCache, cache_bytes
from .memory import available_bytes
from .sampling import SamplingConfig
from .scheduler_config import CONTEXT_TOKENS, SchedulerConfig, SchedulerCounts
from .writing import GeneratedToken, Writing

_GIB = 1 << 30


class Ticket:
    """A request that was taken. `on_end` is called once, whatever becomes of it."""

    def __init__(
        self,
        writing: Writing,
        on_token: Callable[[GeneratedToken], None],
        on_end: Callable[[Generation | BaseException], None],
        wake: Callable[[], None],
    ) -> None:
        self.writing = writing
        self.on_token = on_token
        self.on_end = on_end
        self.is_cancelled = False
        self._wake = wake

    def cancel(self) -> None:
        """Give it up, from any thread: `on_end` gets Cancelled after the step that runs now, if it has not ended."""
        self.is_cancelled = True
        self._wake()


class Scheduler:
    """Answers requests as they come, up to `max_running` at a time, on a thread of its own.

    Who comes first is answered first: as soon as a row is free the next one joins those that are being answered, and
    its prompt is read a chunk at a time between their tokens. Each request has its own sampling and seed and gets the
    reply that it would get alone, but for what rounding another order of sums brings.

    The engine's `generate` and `generate_batch` may be called beside it, `stream` may not: they take turns with the
    scheduler's steps, and make its requests wait for a whole reply. What the engine keeps between requests serves both.
    """

    def __init__(self, engine: Engine, settings: SchedulerConfig | None = None) -> None:
        """NotEnoughMemory where the rows do not fit, ValueError where a row is longer than the model's context."""
        settings = settings or SchedulerConfig()
        limit = engine.config.text.max_position_embeddings
        self.engine = engine
        self.settings = settings
        self.context_tokens = min(limit, CONTEXT_TOKENS) if settings.context_tokens is None else settings.context_tokens
        if self.context_tokens > limit:
            raise ValueError(f"context_tokens must be at most the model's {limit}, got {self.context_tokens}")
        _require_memory(engine, settings.max_running, self.context_tokens)
        cache = LatentCache(engine.config.text, settings.max_running, self.context_tokens, engine.dtype, engine.device)
        self._batch = Batch(engine, cache)
        self._changed = threading.Condition()
        self._waiting: deque[Ticket] = deque()
        self._running: dict[int, Ticket] = {}  # by row
        self._is_closing = False
        self._totals = dict.fromkeys(
            ("finished", "cancelled", "failed", "refused", "prompt_tokens", "cached_tokens", "generated_tokens",
             "images", "cached_images", "steps"), 0
        )  # fmt: skip
        self._thread = threading.Thread(target=self._run, name="moonhand-scheduler", daemon=True)
        self._thread.start()

    def __enter__(self) -> Scheduler:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def submit(
        self,
        messages: Sequence[Message],
        sampling: SamplingConfig,
        *,
        on_token: Callable[[GeneratedToken], None],
        on_end: Callable[[Generation | BaseException], None],
    ) -> Ticket:
        """Take a request, from any thread. What can be refused is refused here, before any work of the model.

        Raises QueueFull, BadImage, ContextTooLong, BadGrammar, ValueError; Cancelled once the scheduler is closed.
        `on_token` gets each token as it is made, `on_end` the whole reply or what ended it, once. Both are called on
        the scheduler's thread, where nobody gets a token meanwhile: they must not block. One that raises ends its own
        request with what it raised.
        """
        self._require_room()
        writing = Writing(self.engine, messages, sampling)
        if writing.num_tokens > self.context_tokens:
            raise ContextTooLong(
                f"the prompt has {len(writing.prompt.ids)} tokens ({writing.prompt.image_tokens} of pictures) and the "
                f"reply may take {sampling.max_new_tokens}, together over the {self.context_tokens} that a request may "
                "have here",
                "send fewer pictures or less text, lower max_new_tokens, or raise context_tokens",
            )
        writing.prepare()
        ticket = Ticket(writing, on_token, on_end, self._wake)
        with self._changed:
            self._require_room()
            self._waiting.append(ticket)
            self._changed.notify()
        return ticket

    def counts(self) -> SchedulerCounts:
        """As of now; what was generated counts the tokens of replies on their way."""
        with self._changed:
            writings = [ticket.writing for ticket in self._running.values()]
            generated = self._totals["generated_tokens"] + sum(len(writing.ids) for writing in writings)
            return SchedulerCounts(
                running=len(writings),
                reading=sum(writing.is_reading for writing in writings),
                waiting=len(self._waiting),
                cache_bytes=self._batch.cache.nbytes,
                **{**self._totals, "generated_tokens": generated},
            )

    def close(self) -> None:
        """End everything with Cancelled after the step that runs now, and the thread with it."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _require_room(self) -> None:
        with self._changed:
            if self._is_closing:
                raise Cancelled("the scheduler is closed")
            free = self.settings.max_running - len(self._running)
            if len(self._waiting) >= self.settings.max_waiting + free:
                self._totals["refused"] += 1
                raise QueueFull(
                    f"{len(self._running)} requests are being answered and {len(self._waiting)} wait: ask again later"
                )

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify()

    def _run(self) -> None:
        ended_by: BaseException = Cancelled("the scheduler was closed")
        try:
            while self._has_work():
                self._drop_cancelled()
                with self.engine.turns:
                    self._admit()
                    if self._running:
                        self._batch.step()
                self._deliver()
        except BaseException as error:
            ended_by = error
            raise
        finally:
            self._end_all(ended_by)

    def _has_work(self) -> bool:
        """Wait for it; False when closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closing or self._waiting or self._running)
            return not self._is_closing

    def _drop_cancelled(self) -> None:
        with self._changed:
            dropped = [ticket for ticket in self._waiting if ticket.is_cancelled]
            self._waiting = deque(ticket for ticket in self._waiting if not ticket.is_cancelled)
        for ticket in dropped:
            self._end(ticket, Cancelled("the request was cancelled before its turn came"))
        for row, ticket in list(self._running.items()):
            if ticket.is_cancelled:
                self._leave(row, Cancelled("the request was cancelled"))

    def _admit(self) -> None:
        """Those that came first, into the free rows, each with what is known of its prompt."""
        for row in self._batch.free_rows():
            with self._changed:
                if not self._waiting:
                    return
                ticket = self._running[row] = self._waiting.popleft()
            try:
                self._open_row(row, ticket.writing)
            except Exception as error:  # of the memory: it is this request's alone
                ticket.writing.fail(error)

    def _open_row(self, row: int, writing: Writing) -> None:
        cache, prefixes = self._batch.cache, self.engine.prefixes
        cache.truncate(row, 0)
        self._batch.join(row, writing)
        found = None if prefixes is None else prefixes.look(writing.prompt.keys)
        if found is not None:
            cache.copy_row(row, found[0], 0, found[1])
            writing.skip(found[1])

    def _deliver(self) -> None:
        """Hand out what the step made."""
        with self._changed:
            self._totals["steps"] += 1
        for row, ticket in list(self._running.items()):
            writing = ticket.writing
            try:
                for token in writing.released():
                    if not ticket.is_cancelled:
                        ticket.on_token(token)
            except Exception as error:  # the caller's own
                self._leave(row, error)
                continue
            if writing.is_done and not ticket.is_cancelled:
                self._leave(row, writing.error or Generation.of(writing))

    def _leave(self, row: int, result: Generation | BaseException) -> None:
        """Free a row and end its request."""
        ticket = self._running[row]
        writing = ticket.writing
        try:
            self._keep(row, writing)
        except Exception as error:  # of the memory, as above
            result = error
        self._batch.leave(row)
        with self._changed:
            del self._running[row]
            self._totals["prompt_tokens"] += len(writing.prompt.ids)
            self._totals["cached_tokens"] += writing.cached_tokens
            self._totals["generated_tokens"] += len(writing.ids)
            self._totals["images"] += len(writing.prompt.pictures)
            self._totals["cached_images"] += writing.cached_images
        self._end(ticket, result)

    def _keep(self, row: int, writing: Writing) -> None:
        """Copy out what a row holds, for prompts that begin like it, unless something went wrong there."""
        cache, prefixes = self._batch.cache, self.engine.prefixes
        if prefixes is not None and writing.error is None and cache.lengths[row]:
            with self.engine.turns:
                prefixes.put(writing.keys[: cache.lengths[row]], cache.taken(row))

    def _end(self, ticket: Ticket, result: Generation | BaseException) -> None:
        with self._changed:
            match result:
                case Generation():
                    self._totals["finished"] += 1
                case Cancelled():
                    self._totals["cancelled"] += 1
                case _:
                    self._totals["failed"] += 1
        try:
            ticket.on_end(result)
        except Exception as error:  # the caller's own, and nobody is left to tell it to
            threading.excepthook(threading.ExceptHookArgs((type(error), error, error.__traceback__, self._thread)))

    def _end_all(self, error: BaseException) -> None:
        with self._changed:
            self._is_closing = True
            left = [*self._running.values(), *self._waiting]
            self._running.clear()
            self._waiting.clear()
        for ticket in left:
            self._end(ticket, error)


def _require_memory(engine: Engine, rows: int, context_tokens: int) -> None:
    needed = cache_bytes(engine.config.text, rows, context_tokens, engine.dtype)
    available = available_bytes(engine.device)
    if available is not None and needed > available:
        raise NotEnoughMemory(
            f"{rows} requests of {context_tokens} tokens need {needed / _GIB:.1f} GiB, and "
            f"{available / _GIB:.1f} GiB of memory are free: lower max_running or context_tokens"
        )
