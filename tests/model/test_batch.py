from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from moonhand.model import ContextTooLong, Engine, KimiVL, Message, Picture, SamplingConfig, Tokenizer
from moonhand.model.engine import EngineConfig

SHORT = SamplingConfig(max_new_tokens=10, stop_ids=frozenset())


def _picture(height_px: int, width_px: int, seed: int) -> Picture:
    return Picture(np.random.default_rng(seed).integers(0, 256, (height_px, width_px, 3), np.uint8))


REQUESTS = [
    [Message("user", (_picture(60, 100, 1), "the user"))],
    [Message("user", ("no picture at all",))],
    [Message("user", (_picture(30, 28, 2), "the", _picture(90, 40, 3), "image"))],
    [Message("user", (_picture(60, 100, 1), "the same picture again"))],
]


def _engine(model: KimiVL, tokenizer: Tokenizer, **settings: int | None) -> Engine:
    return Engine(model, tokenizer, name="tiny", settings=EngineConfig(**settings))  # pyright: ignore[reportArgumentType]


def test_requests_answered_together_are_answered_as_alone(tiny_model: KimiVL, tokenizer: Tokenizer) -> None:
    together = _engine(tiny_model, tokenizer).generate_batch(REQUESTS, SHORT)
    for request, found in zip(REQUESTS, together, strict=True):
        alone = _engine(tiny_model, tokenizer).generate(request, SHORT)
        assert [token.id for token in found.tokens] == [token.id for token in alone.tokens]
        assert [token.logprob for token in found.tokens] == pytest.approx(
            [token.logprob for token in alone.tokens], abs=1e-4
        )  # fp32, sums in another order
        assert (found.prompt_tokens, found.image_tokens) == (alone.prompt_tokens, alone.image_tokens)


def test_a_sampled_reply_is_the_same_in_any_company(tiny_model: KimiVL, tokenizer: Tokenizer) -> None:
    warm = replace(SHORT, temperature=0.8, seed=4)
    together = _engine(tiny_model, tokenizer).generate_batch(REQUESTS, warm)
    alone = [_engine(tiny_model, tokenizer).generate(request, warm) for request in REQUESTS]
    assert [found.text for found in together] == [each.text for each in alone]


def test_each_reply_ends_when_it_ends(tiny_model: KimiVL, tokenizer: Tokenizer) -> None:
    engine = _engine(tiny_model, tokenizer)
    whole = engine.generate_batch(REQUESTS, SHORT)
    stop = whole[0].tokens[2].id
    cut = engine.generate_batch(REQUESTS, replace(SHORT, stop_ids=frozenset({stop})))
    for before, after in zip(whole, cut, strict=True):
        ids = [token.id for token in before.tokens]
        assert [token.id for token in after.tokens] == (ids[: ids.index(stop)] if stop in ids else ids)
        assert after.finish_reason == ("stop" if stop in ids else "length")


def test_a_picture_that_several_requests_show_is_encoded_once(tiny_model: KimiVL, tokenizer: Tokenizer) -> None:
    engine = _engine(tiny_model, tokenizer)
    engine.generate_batch(REQUESTS, SHORT)
    assert engine.sight.num_encoded == 3


def test_no_requests_give_no_replies(tiny_model: KimiVL, tokenizer: Tokenizer) -> None:
    assert _engine(tiny_model, tokenizer).generate_batch([], SHORT) == []


def test_one_request_too_many_stops_the_batch_before_any_work(tiny_model: KimiVL, tokenizer: Tokenizer) -> None:
    engine = _engine(tiny_model, tokenizer)
    with pytest.raises(ContextTooLong, match="over the model's 512"):
        engine.generate_batch([*REQUESTS, [Message("user", ("x" * 600,))]], SHORT)
    assert engine.sight.num_encoded == 0


@pytest.mark.parametrize("limit", [1, 24, 10_000])
def test_how_many_pictures_share_a_pass_changes_nothing(tiny_model: KimiVL, tokenizer: Tokenizer, limit: int) -> None:
    engine = _engine(tiny_model, tokenizer, patches_per_pass=limit)
    found = engine.generate_batch(REQUESTS, SHORT)
    expected = _engine(tiny_model, tokenizer).generate_batch(REQUESTS, SHORT)
    assert [each.text for each in found] == [each.text for each in expected]


def test_what_was_read_before_is_not_read_again_and_is_counted(tiny_model: KimiVL, tokenizer: Tokenizer) -> None:
    engine = _engine(tiny_model, tokenizer)
    first = engine.generate(REQUESTS[2], SHORT)
    assert (first.cached_tokens, first.cached_images) == (0, 0)
    reply = Message("assistant", (first.text,))
    longer = [*REQUESTS[2], reply, Message("user", (_picture(50, 60, 9), "and now?"))]
    second = engine.generate(longer, SHORT)
    assert second.cached_images == 2
    assert first.prompt_tokens <= second.cached_tokens < second.prompt_tokens
    assert second.text == _engine(tiny_model, tokenizer).generate(longer, SHORT).text
    again = engine.generate(longer, SHORT)
    assert (again.cached_images, again.cached_tokens) == (3, second.prompt_tokens - 1)
    assert again.text == second.text


def test_features_outlive_a_prompt_that_begins_otherwise(tiny_model: KimiVL, tokenizer: Tokenizer) -> None:
    engine = _engine(tiny_model, tokenizer)
    engine.generate(REQUESTS[0], SHORT)
    other = [Message("system", ("another beginning, long enough to differ",)), *REQUESTS[0]]
    found = engine.generate(other, SHORT)
    assert (found.cached_tokens, found.cached_images) == (0, 1)


def test_an_engine_that_keeps_nothing_reads_everything_again(tiny_model: KimiVL, tokenizer: Tokenizer) -> None:
    engine = _engine(tiny_model, tokenizer, prefix_cache_bytes=None, feature_cache_bytes=None)
    for _ in range(2):
        found = engine.generate(REQUESTS[2], SHORT)
        assert (found.cached_tokens, found.cached_images) == (0, 0)
    assert engine.sight.num_encoded == 4


@pytest.mark.parametrize("name", ["prefix_cache_bytes", "feature_cache_bytes", "chunk_tokens", "patches_per_pass"])
def test_a_budget_of_nothing_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be >= 1, got 0") as caught:
        EngineConfig(**{name: 0})  # pyright: ignore[reportArgumentType]
    assert "\n" not in str(caught.value)


def test_a_stream_that_is_left_early_keeps_what_it_read(tiny_model: KimiVL, tokenizer: Tokenizer) -> None:
    engine = _engine(tiny_model, tokenizer)
    stream = engine.stream(REQUESTS[2], SHORT)
    next(stream)
    next(stream)
    stream.close()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    found = engine.generate(REQUESTS[2], SHORT)
    assert found.cached_tokens == found.prompt_tokens - 1
    with torch.inference_mode():
        assert found.text == _engine(tiny_model, tokenizer).generate(REQUESTS[2], SHORT).text
