"""However a request ends, its row is free and the others go on."""

from __future__ import annotations

import random
import threading
from collections.abc import Generator
from dataclasses import replace

import pytest
from asking import (
    LONG,
    REQUESTS,
    SAMPLINGS,
    SHORT,
    WAIT_S,
    Asked,
    hold,
    make_engine,
    require_nothing_left,
)
from moonhand.model import (
    Cancelled,
    Engine,
    Generation,
    Grammar,
    KimiVL,
    Message,
    QueueFull,
    SamplingConfig,
    Scheduler,
    SchedulerConfig,
    Tokenizer,
)


@pytest.fixture
def gate() -> Generator[threading.Event]:
    """Who waits for it in a callback holds the scheduler still; it opens at the latest with the test's end."""
    gate = threading.Event()
    yield gate
    gate.set()


@pytest.fixture
def engine(tiny_model: KimiVL, tokenizer: Tokenizer) -> Engine:
    return make_engine(tiny_model, tokenizer)


def test_who_is_cancelled_while_waiting_never_begins(engine: Engine, gate: threading.Event) -> None:
    wait, held = hold(gate)
    with Scheduler(engine, SchedulerConfig(max_running=1)) as scheduler:
        first = Asked(scheduler, REQUESTS[1], then=wait)
        assert held.wait(WAIT_S)
        second, third = Asked(scheduler, REQUESTS[0]), Asked(scheduler, REQUESTS[1])
        assert scheduler.counts().waiting == 2
        second.ticket.cancel()
        gate.set()
        assert isinstance(second.result, Cancelled)
        assert second.tokens == []
        assert [token.id for token in third.generation.tokens] == [token.id for token in first.generation.tokens]
        require_nothing_left(scheduler)
        assert engine.sight.num_encoded == 0
        assert scheduler.counts().cancelled == 1


def test_who_is_cancelled_while_being_read_leaves_its_row(tiny_model: KimiVL, tokenizer: Tokenizer) -> None:
    reading: list[int] = []
    long: list[Asked] = []

    def cancel(asked: Asked) -> None:
        if len(asked.tokens) == 4:
            reading.append(scheduler.counts().reading)
            long[0].ticket.cancel()

    with Scheduler(make_engine(tiny_model, tokenizer, chunk_tokens=8), SchedulerConfig(max_running=2)) as scheduler:
        short = Asked(scheduler, [Message("user", ("x",))], replace(SHORT, max_new_tokens=20), then=cancel)
        long.append(Asked(scheduler, LONG))
        assert isinstance(long[0].result, Cancelled)
        assert long[0].tokens == []
        assert len(short.generation.tokens) == 20
        assert reading == [1]
        require_nothing_left(scheduler)


def test_who_is_cancelled_while_writing_gets_no_further_token(engine: Engine) -> None:
    def cancel(asked: Asked) -> None:
        if len(asked.tokens) == 3:
            asked.ticket.cancel()
            asked.ticket.cancel()

    with Scheduler(engine) as scheduler:
        cancelled, other = Asked(scheduler, REQUESTS[0], then=cancel), Asked(scheduler, REQUESTS[1])
        assert isinstance(cancelled.result, Cancelled)
        assert len(cancelled.tokens) == 3
        assert len(other.generation.tokens) == 8
        other.ticket.cancel()  # too late: nothing happens
        require_nothing_left(scheduler)
        assert (scheduler.counts().cancelled, scheduler.counts().finished) == (1, 2)


def test_who_is_cancelled_gets_nothing_of_what_a_grammar_forced_in_the_same_step(engine: Engine) -> None:
    sampling = SamplingConfig(grammar=Grammar('start: "abcdefghij"'))
    with Scheduler(engine) as scheduler:
        asked = Asked(scheduler, REQUESTS[1], sampling, then=lambda asked: asked.ticket.cancel())
        assert isinstance(asked.result, Cancelled)
        assert len(asked.tokens) == 1
        require_nothing_left(scheduler)


def test_a_full_queue_refuses_until_somebody_leaves(engine: Engine, gate: threading.Event) -> None:
    wait, held = hold(gate)
    with Scheduler(engine, SchedulerConfig(max_running=1, max_waiting=1)) as scheduler:
        first = Asked(scheduler, REQUESTS[1], then=wait)
        assert held.wait(WAIT_S)
        second = Asked(scheduler, REQUESTS[1])
        with pytest.raises(QueueFull, match="1 requests are being answered and 1 wait: ask again later"):
            Asked(scheduler, REQUESTS[1])
        gate.set()
        assert first.generation.text == second.generation.text
        require_nothing_left(scheduler)
        assert scheduler.counts().refused == 1


def test_as_many_as_have_a_row_may_come_at_once_where_nobody_may_wait(engine: Engine) -> None:
    with Scheduler(engine, SchedulerConfig(max_running=3, max_waiting=0)) as scheduler:
        asked = [Asked(scheduler, REQUESTS[1]) for _ in range(3)]
        assert len({each.generation.text for each in asked}) == 1


def test_a_caller_that_fails_at_a_token_ends_its_own_request_alone(engine: Engine) -> None:
    def fail(_: Asked) -> None:
        raise OSError("nobody is there")

    with Scheduler(engine) as scheduler:
        broken, other = Asked(scheduler, REQUESTS[1], then=fail), Asked(scheduler, REQUESTS[0])
        assert isinstance(broken.result, OSError)
        assert len(broken.tokens) == 1
        assert len(other.generation.tokens) == 8
        require_nothing_left(scheduler)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_caller_that_fails_at_the_end_stops_nobody(engine: Engine) -> None:
    ended = threading.Event()

    def fail(_: Generation | BaseException) -> None:
        ended.set()
        raise OSError("nobody is there")

    with Scheduler(engine) as scheduler:
        scheduler.submit(REQUESTS[1], SHORT, on_token=lambda _: None, on_end=fail)
        assert ended.wait(WAIT_S)
        require_nothing_left(scheduler)
        assert scheduler.counts().finished == 2


def test_closing_ends_everybody_and_takes_nobody_more(engine: Engine, gate: threading.Event) -> None:
    wait, held = hold(gate)
    scheduler = Scheduler(engine, SchedulerConfig(max_running=1))
    asked = [Asked(scheduler, REQUESTS[1], then=wait), Asked(scheduler, REQUESTS[0])]
    assert held.wait(WAIT_S)
    closing = threading.Thread(target=scheduler.close)
    closing.start()
    gate.set()
    closing.join(WAIT_S)
    assert all(isinstance(each.result, Cancelled) for each in asked)
    with pytest.raises(Cancelled, match="closed"):
        Asked(scheduler, REQUESTS[1])
    scheduler.close()


def test_a_scheduler_may_be_closed_from_a_callback(engine: Engine) -> None:
    scheduler = Scheduler(engine)
    asked = Asked(scheduler, REQUESTS[1], then=lambda _: scheduler.close())
    assert isinstance(asked.result, Cancelled)
    assert len(asked.tokens) == 1
    scheduler.close()


@pytest.mark.parametrize("seed", range(2))
def test_after_a_hundred_requests_and_cancellations_no_row_is_lost(
    tiny_model: KimiVL, tokenizer: Tokenizer, seed: int
) -> None:
    rng = random.Random(seed)
    with Scheduler(
        make_engine(tiny_model, tokenizer, chunk_tokens=32), SchedulerConfig(max_running=5, max_waiting=20)
    ) as scheduler:
        asked: list[Asked] = []
        refused = 0
        while len(asked) < 100:
            sampling = replace(
                rng.choice([SHORT, SAMPLINGS[3]]), temperature=rng.choice([0, 1]), seed=rng.randrange(99),
                max_new_tokens=rng.randrange(1, 9),
            )  # fmt: skip
            request = rng.choice([REQUESTS[0], REQUESTS[1], REQUESTS[1], LONG])
            after = rng.randrange(1, 12)

            def cancel(asked: Asked, after: int = after) -> None:
                if len(asked.tokens) == after:
                    asked.ticket.cancel()

            try:
                asked.append(Asked(scheduler, request, sampling, then=cancel))
            except QueueFull:
                refused += 1
                asked[rng.randrange(len(asked))].ended.wait(WAIT_S)
            if asked and rng.random() < 0.4:
                asked[rng.randrange(len(asked))].ticket.cancel()
        results = [each.result for each in asked]
        require_nothing_left(scheduler)
        counts = scheduler.counts()
    assert {type(result) for result in results} == {Generation, Cancelled}
    assert counts.finished + counts.cancelled == 101
    assert (counts.failed, counts.refused) == (0, refused)
