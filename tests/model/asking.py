"""Requests to a scheduler, and what came of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from moonhand.model import (
    Engine,
    GeneratedToken,
    Generation,
    Grammar,
    KimiVL,
    Message,
    Picture,
    SamplingConfig,
    Scheduler,
    Ticket,
    Tokenizer,
)
from moonhand.model.engine import EngineConfig

WAIT_S = 60
SHORT = SamplingConfig(max_new_tokens=8, stop_ids=frozenset())
CLICK = Grammar('start: "click(x=0." N ", y=0." N ")" | "refuse()"\nN: /[0-9]{3}/\n')
LONG = [Message("user", ("y" * 300,))]


def picture(seed: int, height_px: int = 60, width_px: int = 90) -> Picture:
    return Picture(np.random.default_rng(seed).integers(0, 256, (height_px, width_px, 3), np.uint8))


REQUESTS = [
    [Message("user", (picture(1), "the user"))],
    [Message("user", ("no picture at all",))],
    [Message("user", (picture(2, 30, 28), "the", picture(3), "image"))],
    [Message("user", (picture(1), "the same picture again"))],
]
SAMPLINGS = [
    SHORT,
    replace(SHORT, temperature=0.9, seed=5, max_new_tokens=5),
    replace(SHORT, temperature=1.5, top_p=0.8, seed=6, watch_ids=(3, 4)),
    SamplingConfig(temperature=1.0, seed=7, grammar=CLICK, max_new_tokens=40),
]


class Asked:
    """A request and what came of it."""

    def __init__(
        self,
        scheduler: Scheduler,
        messages: list[Message],
        sampling: SamplingConfig = SHORT,
        *,
        then: Callable[[Asked], None] = lambda _: None,
    ) -> None:
        """`then` is called on the scheduler's thread after each token."""
        self.tokens: list[GeneratedToken] = []
        self.results: list[Generation | BaseException] = []
        self.ended = threading.Event()
        self._then = then
        self.ticket: Ticket = scheduler.submit(messages, sampling, on_token=self._hear, on_end=self._end)

    def _hear(self, token: GeneratedToken) -> None:
        self.tokens.append(token)
        self._then(self)

    def _end(self, result: Generation | BaseException) -> None:
        self.results.append(result)
        self.ended.set()

    @property
    def result(self) -> Generation | BaseException:
        assert self.ended.wait(WAIT_S)
        (result,) = self.results
        return result

    @property
    def generation(self) -> Generation:
        assert isinstance(self.result, Generation), self.result
        assert self.result.tokens == tuple(self.tokens)
        return self.result


def make_engine(model: KimiVL, tokenizer: Tokenizer, chunk_tokens: int = 2048) -> Engine:
    return Engine(model, tokenizer, name="tiny", settings=EngineConfig(chunk_tokens=chunk_tokens))


def hold(gate: threading.Event) -> tuple[Callable[[Asked], None], threading.Event]:
    """A callback that stops the scheduler at the first token, and the event that says it stopped."""
    held = threading.Event()

    def wait(_: Asked) -> None:
        held.set()
        assert gate.wait(WAIT_S)

    return wait, held


def require_nothing_left(scheduler: Scheduler) -> None:
    """Everybody ended and every row is free."""
    idle = Asked(scheduler, REQUESTS[1], replace(SHORT, max_new_tokens=1))
    assert isinstance(idle.result, Generation)
    counts = scheduler.counts()
    assert (counts.running, counts.reading, counts.waiting) == (0, 0, 0)
