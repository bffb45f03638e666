"""Requests that come and go between steps are answered as they are alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from moonhand.model import (
    BadGrammar,
    Engine,
    Grammar,
    KimiVL,
    LatentCache,
    Message,
    ModelError,
    Picture,
    SamplingConfig,
    Tokenizer,
)
from moonhand.model.batch import Batch, shares
from moonhand.model.engine import EngineConfig
from moonhand.model.writing import Writing

SHORT = SamplingConfig(max_new_tokens=10, stop_ids=frozenset())
CLICK = Grammar('start: "click(x=0." N ", y=0." N ")" | "refuse()"\nN: /[0-9]{3}/\n')
DEAD_END = SamplingConfig(grammar=Grammar('start: "x" /[ab]/'), stop_ids=frozenset((ord("a"), ord("b"))))


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
    replace(SHORT, temperature=0.9, seed=5, max_new_tokens=7, top_logprobs=4),
    replace(SHORT, temperature=1.5, top_p=0.8, seed=6, watch_ids=(3, 4)),
    SamplingConfig(temperature=1.0, seed=7, grammar=CLICK, max_new_tokens=40),
]


def make_engine(model: KimiVL, tokenizer: Tokenizer, *, compiled: bool = True, chunk_tokens: int = 2048) -> Engine:
    settings = EngineConfig(prefix_cache_bytes=None, compiled=compiled, chunk_tokens=chunk_tokens)
    return Engine(model, tokenizer, name="tiny", settings=settings)


@pytest.fixture(scope="module")
def engine(tiny_model: KimiVL, tokenizer: Tokenizer) -> Engine:
    return make_engine(tiny_model, tokenizer)


def make_batch(engine: Engine, rows: int, room: int = 500) -> Batch:
    return Batch(engine, LatentCache(engine.config.text, rows, room, engine.dtype))


def finish(batch: Batch, *writings: Writing) -> None:
    for _ in range(200):
        if all(each.is_done for each in writings):
            return
        batch.step()
    raise AssertionError("200 steps are not enough")


def require_alone(engine: Engine, request: list[Message], sampling: SamplingConfig, found: Writing) -> None:
    """fp32, sums in another order: log-probabilities differ by up to 1e-4."""
    alone = engine.generate(request, sampling)
    assert found.error is None
    assert [token.id for token in found.tokens] == [token.id for token in alone.tokens]
    for mine, other in zip(found.tokens, alone.tokens, strict=True):
        assert mine.logprob == (other.logprob if other.logprob is None else pytest.approx(other.logprob, abs=1e-4))
        assert mine.watched == pytest.approx(other.watched, abs=1e-4)
        assert [logprob for _, logprob in mine.top] == pytest.approx([logprob for _, logprob in other.top], abs=1e-4)
    assert found.finish_reason == alone.finish_reason


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("chunk_tokens", [7, 2048])
def test_whoever_joins_or_leaves_in_the_middle_every_reply_is_that_of_the_request_alone(
    tiny_model: KimiVL, tokenizer: Tokenizer, *, compiled: bool, chunk_tokens: int
) -> None:
    """Each with its own sampling; the third leaves unfinished and another request takes its row."""
    engine = make_engine(tiny_model, tokenizer, compiled=compiled, chunk_tokens=chunk_tokens)
    batch = make_batch(engine, 3)
    first, second, third, fourth = (
        Writing(engine, request, sampling) for request, sampling in zip(REQUESTS, SAMPLINGS, strict=True)
    )
    batch.join(0, first)
    for _ in range(3):
        batch.step()
    batch.join(2, second)
    batch.step()
    batch.join(1, third)
    for _ in range(4):
        batch.step()
    batch.leave(1)
    assert batch.free_rows() == [1]
    batch.cache.truncate(1, 0)
    batch.join(1, fourth)
    finish(batch, first, second, fourth)
    for index, found in ((0, first), (1, second), (3, fourth)):
        require_alone(engine, REQUESTS[index], SAMPLINGS[index], found)


def test_a_long_prompt_holds_nobody_up_for_longer_than_one_chunk(tiny_model: KimiVL, tokenizer: Tokenizer) -> None:
    """400 tokens in chunks of 16: who is writing gets a token in every step, and a newcomer does not wait behind it."""
    engine = make_engine(tiny_model, tokenizer, chunk_tokens=16)
    batch = make_batch(engine, 3)
    writer = Writing(engine, [Message("user", ("x",))], replace(SHORT, max_new_tokens=60))
    batch.join(0, writer)
    while writer.is_reading:
        batch.step()
    long = Writing(engine, [Message("user", ("y" * 400,))], SHORT)
    batch.join(1, long)
    batch.step()
    newcomer = Writing(engine, [Message("user", ("z",))], SHORT)
    batch.join(2, newcomer)
    steps = 0
    while long.is_reading:
        before = len(writer.ids)
        batch.step()
        assert len(writer.ids) == before + 1
        steps += 1
    assert 400 / 16 < steps <= len(long.prompt.ids) / 8
    assert newcomer.is_done
    finish(batch, writer, long)
    require_alone(engine, [Message("user", ("y" * 400,))], SHORT, long)


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=9), st.integers(1, 2048))
def test_a_pass_is_filled_and_half_of_it_is_for_who_waited_longest(left: list[int], room: int) -> None:
    counts = shares(left, room)
    assert sum(counts) == min(room, sum(left))
    assert all(0 <= count <= most for count, most in zip(counts, left, strict=True))
    assert counts[0] >= min(left[0], room / 2)
    assert shares([], room) == []


def test_equal_prompts_are_read_in_the_order_they_came() -> None:
    assert shares([2000, 2000, 2000], 2048) == [2000, 48, 0]
    assert shares([30_000, 300, 200], 2048) == [1548, 300, 200]
    assert shares([30_000, 3000, 200], 2048) == [1024, 824, 200]


def test_replies_that_are_wanted_whole_begin_together(tiny_model: KimiVL, tokenizer: Tokenizer) -> None:
    engine = make_engine(tiny_model, tokenizer, chunk_tokens=16)
    batch = Batch(engine, LatentCache(engine.config.text, 2, 500, engine.dtype), gather=True)
    short = Writing(engine, [Message("user", ("x",))], SHORT)
    long = Writing(engine, [Message("user", ("y" * 200,))], SHORT)
    batch.join(0, short)
    batch.join(1, long)
    while long.is_reading:
        assert len(short.ids) <= 1
        batch.step()
    finish(batch, short, long)
    assert short.passes == long.passes == 9


def test_a_grammar_that_comes_to_a_dead_end_ends_its_own_reply_alone(engine: Engine) -> None:
    batch = make_batch(engine, 2)
    stuck, other = Writing(engine, REQUESTS[1], DEAD_END), Writing(engine, REQUESTS[0], SHORT)
    batch.join(0, stuck)
    batch.join(1, other)
    finish(batch, stuck, other)
    assert isinstance(stuck.error, BadGrammar)
    assert "allows no token" in str(stuck.error)
    require_alone(engine, REQUESTS[0], SHORT, other)
    with pytest.raises(BadGrammar, match="allows no token"):
        engine.generate(REQUESTS[1], DEAD_END)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_logits_that_are_not_numbers_end_their_own_reply_alone(
    tiny_model: KimiVL, tokenizer: Tokenizer, temperature: float
) -> None:
    """One token of the vocabulary has a damaged embedding."""
    engine = make_engine(_with_damaged(tiny_model, ord("#")), tokenizer)
    batch = make_batch(engine, 2)
    damaged = Writing(engine, [Message("user", ("a # there",))], replace(SHORT, temperature=temperature))
    sound = Writing(engine, REQUESTS[1], SHORT)
    batch.join(0, sound)
    batch.join(1, damaged)
    finish(batch, sound, damaged)
    assert isinstance(damaged.error, ModelError)
    assert "not finite" in str(damaged.error)
    require_alone(engine, REQUESTS[1], SHORT, sound)
    with pytest.raises(ModelError, match="not finite"):
        engine.generate([Message("user", ("a # there",))], SHORT)


def _with_damaged(model: KimiVL, token: int) -> KimiVL:
    other = KimiVL(model.config).eval().requires_grad_(False)
    other.load_state_dict(model.state_dict())
    other.language_model.model.embed_tokens.weight[token] = float("nan")
    return other


def test_a_pass_that_fails_ends_those_that_were_in_it_and_no_others(engine: Engine) -> None:
    """The rows have no room for a prompt of 100 tokens, which nobody checked: the pass that reads two prompts fails."""
    batch = make_batch(engine, 3, room=90)
    writer = Writing(engine, REQUESTS[1], SHORT)
    batch.join(0, writer)
    batch.step()
    too_long = Writing(engine, [Message("user", ("x" * 100,))], SHORT)
    beside = Writing(engine, REQUESTS[1], SHORT)
    batch.join(1, too_long)
    batch.join(2, beside)
    finish(batch, writer, too_long, beside)
    assert isinstance(too_long.error, ValueError)
    assert beside.error is too_long.error
    require_alone(engine, REQUESTS[1], SHORT, writer)


def test_more_rows_than_a_decode_step_takes_are_answered_all_the_same(engine: Engine) -> None:
    batch = make_batch(engine, 18, room=90)
    writings = [Writing(engine, REQUESTS[1], replace(SHORT, temperature=1.0, seed=seed)) for seed in range(18)]
    for row, writing in enumerate(writings):
        batch.join(row, writing)
    finish(batch, *writings)
    for seed in (0, 17):
        require_alone(engine, REQUESTS[1], replace(SHORT, temperature=1.0, seed=seed), writings[seed])


def test_a_row_that_is_taken_or_holds_something_is_refused(engine: Engine) -> None:
    batch = make_batch(engine, 1)
    batch.join(0, Writing(engine, REQUESTS[1], SHORT))
    with pytest.raises(ValueError, match="row 0 is taken"):
        batch.join(0, Writing(engine, REQUESTS[1], SHORT))
    batch.step()
    batch.leave(0)
    with pytest.raises(ValueError, match="does not hold 0 tokens"):
        batch.join(0, Writing(engine, REQUESTS[1], SHORT))


def test_a_copied_row_holds_the_same_latents(engine: Engine) -> None:
    batch = make_batch(engine, 2)
    writing = Writing(engine, REQUESTS[0], SHORT)
    batch.join(1, writing)
    finish(batch, writing)
    length = batch.cache.lengths[1]
    one = batch.cache.taken(1)
    assert (one.lengths, one.max_length) == ([length], length)
    assert torch.equal(one.values[:, 0], batch.cache.values[:, 1, :length])
    batch.cache.copy_row(0, one, 0, 5)
    assert batch.cache.lengths[0] == batch.cache.next_position(0) == 5
    with pytest.raises(ValueError, match="do not fit"):
        one.copy_row(0, batch.cache, 1, length + 1)
