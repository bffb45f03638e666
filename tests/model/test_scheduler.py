"""A scheduler answers whoever comes, in any company as alone."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from asking import (
    CLICK,
    LONG,
    REQUESTS,
    SAMPLINGS,
    SHORT,
    Asked,
    make_engine,
    picture,
    require_nothing_left,
)
from moonhand.model import (
    BadGrammar,
    BadImage,
    ContextTooLong,
    Engine,
    Grammar,
    KimiVL,
    Message,
    NotEnoughMemory,
    Picture,
    SamplingConfig,
    Scheduler,
    SchedulerConfig,
    Tokenizer,
    load,
)


@pytest.fixture
def engine(tiny_model: KimiVL, tokenizer: Tokenizer) -> Engine:
    return make_engine(tiny_model, tokenizer)


def test_requests_that_come_together_are_answered_as_alone(tiny_model: KimiVL, tokenizer: Tokenizer) -> None:
    """More requests than rows, each with its own sampling. fp32: log-probabilities differ by up to 1e-4."""
    with Scheduler(make_engine(tiny_model, tokenizer), SchedulerConfig(max_running=3)) as scheduler:
        asked = [
            Asked(scheduler, request, sampling)
            for request, sampling in zip(REQUESTS * 2, [*SAMPLINGS, *reversed(SAMPLINGS)], strict=True)
        ]
        found = [each.generation for each in asked]
        require_nothing_left(scheduler)
    for request, sampling, mine in zip(REQUESTS * 2, [*SAMPLINGS, *reversed(SAMPLINGS)], found, strict=True):
        alone = make_engine(tiny_model, tokenizer).generate(request, sampling)
        assert [token.id for token in mine.tokens] == [token.id for token in alone.tokens]
        for one, other in zip(mine.tokens, alone.tokens, strict=True):
            assert one.logprob == (other.logprob if other.logprob is None else pytest.approx(other.logprob, abs=1e-4))
            assert one.watched == pytest.approx(other.watched, abs=1e-4)
        assert (mine.finish_reason, mine.prompt_tokens) == (alone.finish_reason, alone.prompt_tokens)


def test_nano_answers_several_as_it_answers_each() -> None:
    """Pictures, numbers, a grammar; each request that must choose between texts chooses as alone."""
    pages = [picture(seed, 112, 140) for seed in range(3)]
    requests = [[Message("user", (page, "click Sign up"))] for page in pages]
    sampling = SamplingConfig(grammar=CLICK, max_new_tokens=24)
    with Scheduler(load("nano")) as scheduler:
        found = [each.generation for each in [Asked(scheduler, request, sampling) for request in requests]]
    engine = load("nano")
    for request, mine in zip(requests, found, strict=True):
        alone = engine.generate(request, sampling)
        assert mine.text == alone.text
        numbers = [
            (one.numbers, other.numbers) for one, other in zip(mine.tokens, alone.tokens, strict=True)
            if one.numbers is not None
        ]  # fmt: skip
        for one_C, other_C in numbers:
            assert other_C is not None
            np.testing.assert_allclose(one_C, other_C, atol=0.02)  # bf16 where the machine has it


def test_what_earlier_prompts_left_is_used_and_replies_are_kept_for_later_ones(
    tiny_model: KimiVL, tokenizer: Tokenizer
) -> None:
    engine = make_engine(tiny_model, tokenizer)
    with Scheduler(engine) as scheduler:
        first = Asked(scheduler, REQUESTS[2]).generation
        assert (first.cached_tokens, first.cached_images) == (0, 0)
        longer = [
            *REQUESTS[2], Message("assistant", (first.text,)), Message("user", (picture(9), "and now?"))
        ]  # fmt: skip
        second = Asked(scheduler, longer).generation
        assert second.cached_images == 2
        assert first.prompt_tokens <= second.cached_tokens < second.prompt_tokens
        elsewhere = Asked(scheduler, [Message("system", ("quite another beginning",)), *REQUESTS[2]]).generation
        assert (elsewhere.cached_tokens, elsewhere.cached_images) == (0, 2)
        counts = scheduler.counts()
        assert (counts.images, counts.cached_images) == (7, 4)
        assert counts.cached_tokens == second.cached_tokens
    assert second.text == make_engine(tiny_model, tokenizer).generate(longer, SHORT).text
    assert engine.generate(longer, SHORT).cached_tokens == second.prompt_tokens - 1


def test_requests_with_the_same_beginning_share_it_at_the_same_time(engine: Engine) -> None:
    with Scheduler(engine) as scheduler:
        begin = [Message("user", ("a text that all of these requests begin with, word for word",))]
        Asked(scheduler, begin).generation  # noqa: B018 (waits)
        asked = [
            Asked(scheduler, [*begin, Message("assistant", ("ok",)), Message("user", (str(number),))])
            for number in range(4)
        ]
        found = [each.generation for each in asked]
    assert all(each.cached_tokens > 32 for each in found)


def test_what_cannot_be_answered_is_refused_before_any_work(engine: Engine) -> None:
    with Scheduler(engine, SchedulerConfig(context_tokens=100)) as scheduler:
        with pytest.raises(ContextTooLong, match="over the 100 that a request may have here"):
            Asked(scheduler, LONG)
        with pytest.raises(ContextTooLong, match="over the model's 512"):
            Asked(scheduler, [Message("user", ("y" * 600,))])
        with pytest.raises(BadImage):
            Asked(scheduler, [Message("user", (Picture(np.zeros((0, 5, 3), np.uint8)),))])
        with pytest.raises(BadGrammar):
            Asked(scheduler, REQUESTS[1], replace(SHORT, grammar=Grammar('start: "a" & "b"')))
        with pytest.raises(ValueError, match="watch_ids"):
            Asked(scheduler, REQUESTS[1], replace(SHORT, watch_ids=(10**6,)))
        assert scheduler.counts().steps == 0


def test_an_error_ends_its_own_request_alone(engine: Engine) -> None:
    dead_end = SamplingConfig(grammar=Grammar('start: "x" /[ab]/'), stop_ids=frozenset((ord("a"), ord("b"))))
    with Scheduler(engine) as scheduler:
        stuck, other = Asked(scheduler, REQUESTS[1], dead_end), Asked(scheduler, REQUESTS[0])
        assert isinstance(stuck.result, BadGrammar)
        assert len(other.generation.tokens) == 8
        require_nothing_left(scheduler)
        assert scheduler.counts().failed == 1


def test_the_engine_answers_others_between_steps(tiny_model: KimiVL, tokenizer: Tokenizer) -> None:
    engine = make_engine(tiny_model, tokenizer)
    expected = make_engine(tiny_model, tokenizer).generate(REQUESTS[0], SHORT)
    with Scheduler(engine) as scheduler:
        asked = [Asked(scheduler, request, replace(SHORT, max_new_tokens=60)) for request in REQUESTS]
        assert [engine.generate(REQUESTS[0], SHORT).text for _ in range(3)] == [expected.text] * 3
        assert not all(each.ended.is_set() for each in asked)
        for each in asked:
            assert len(each.generation.tokens) == 60


def test_rows_that_do_not_fit_the_memory_are_refused_at_once(engine: Engine) -> None:
    with pytest.raises(NotEnoughMemory, match=r"requests of 512 tokens need .* lower max_running or context_tokens"):
        Scheduler(engine, SchedulerConfig(max_running=10**9))
    with pytest.raises(ValueError, match="at most the model's 512, got 513"):
        Scheduler(engine, SchedulerConfig(context_tokens=513))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="Linux tells what is resident")
def test_room_that_no_prompt_has_reached_takes_no_memory(engine: Engine) -> None:
    before = _resident_bytes()
    with Scheduler(engine, SchedulerConfig(max_running=1000)) as scheduler:
        Asked(scheduler, REQUESTS[1]).generation  # noqa: B018 (waits)
        assert scheduler.counts().cache_bytes > 140e6
        assert _resident_bytes() - before < 50e6


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("fields", [{"max_running": 0}, {"max_waiting": -1}, {"context_tokens": 1}])
def test_a_senseless_setting_is_refused(fields: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(fields))):
        SchedulerConfig(**fields)


def test_counts_say_what_was_done(engine: Engine) -> None:
    with Scheduler(engine, SchedulerConfig(max_running=2, context_tokens=128)) as scheduler:
        found = Asked(scheduler, REQUESTS[0]).generation
        require_nothing_left(scheduler)
        counts = scheduler.counts()
    text = engine.config.text
    assert counts.cache_bytes == text.num_hidden_layers * 2 * 128 * (text.kv_lora_rank + text.qk_rope_head_dim) * 4
    assert counts.generated_tokens == 9
    assert counts.prompt_tokens > found.prompt_tokens
    assert (counts.finished, counts.images, counts.refused) == (2, 1, 0)
    assert counts.steps >= 8
