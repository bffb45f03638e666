"""Latents and features kept between prompts are those that a fresh run would make."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from moonhand.model import (
    Engine,
    KimiVL,
    KimiVLConfig,
    LatentCache,
    Message,
    Picture,
    SamplingConfig,
    Tokenizer,
)
from moonhand.model.engine import EngineConfig
from moonhand.model.reuse import FeatureCache, Key, PrefixCache, picture_digest, prompt_keys
from moonhand.model.runtime import Span, TextRuntime

PLENTY = 1 << 30
MEDIA = 99


def cache_of(keys: Sequence[Key], config: KimiVLConfig, room: int = 0) -> LatentCache:
    """Values that depend on every key so far, as latents do."""
    cache = LatentCache(config.text, 1, max(len(keys) + room, 1), torch.float32)
    write(cache, keys)
    return cache


def write(cache: LatentCache, keys: Sequence[Key]) -> None:
    """What running the tokens behind those of the cache would write."""
    for at in range(cache.lengths[0], len(keys)):
        before = float(cache.values[0, 0, at - 1, 0]) if at else 0.0
        cache.values[:, 0, at] = (before * 31 + hash(keys[at]) % 9973) % 9973
        cache.advance(0, [at])


def held(cache: LatentCache) -> list[float]:
    return cache.values[0, 0, : cache.lengths[0], 0].tolist()


def test_the_longest_known_beginning_is_taken(tiny_config: KimiVLConfig) -> None:
    prefixes = PrefixCache(PLENTY, min_tokens=1)
    for keys in ([1, 2, 3], [1, 2, 3, 4, 5], [1, 7, 8, 9]):
        prefixes.put(keys, cache_of(keys, tiny_config))
    found = prefixes.take([1, 2, 3, 4, 6, 6])
    assert found is not None
    cache, count = found
    assert count == 4
    assert cache.lengths == [4]
    assert held(cache) == held(cache_of([1, 2, 3, 4], tiny_config))
    assert (prefixes.lookups, prefixes.hits, prefixes.reused_tokens) == (1, 1, 4)
    assert prefixes.take([2, 1]) is None
    assert (prefixes.lookups, prefixes.hits, prefixes.reused_tokens) == (2, 1, 4)


def test_the_last_token_is_always_run_again(tiny_config: KimiVLConfig) -> None:
    prefixes = PrefixCache(PLENTY, min_tokens=1)
    prefixes.put([1, 2, 3], cache_of([1, 2, 3], tiny_config))
    found = prefixes.take([1, 2, 3])
    assert found is not None
    assert found[1] == 2
    assert PrefixCache(PLENTY).take([]) is None


def test_what_was_taken_is_gone_until_it_is_put_back(tiny_config: KimiVLConfig) -> None:
    prefixes = PrefixCache(PLENTY, min_tokens=1)
    prefixes.put([1, 2, 3], cache_of([1, 2, 3], tiny_config))
    found = prefixes.take([1, 2, 3, 4])
    assert found is not None
    assert prefixes.take([1, 2, 3, 4]) is None
    assert (len(prefixes), prefixes.nbytes) == (0, 0)


def test_a_look_finds_the_same_and_leaves_it_there(tiny_config: KimiVLConfig) -> None:
    one = cache_of([1, 2, 3, 4], tiny_config).nbytes
    prefixes = PrefixCache(2 * one, min_tokens=1)
    for keys in ([1, 2, 3, 4], [5, 6, 7, 8]):
        prefixes.put(keys, cache_of(keys, tiny_config))
    for _ in range(2):
        found = prefixes.look([1, 2, 3, 0])
        assert found is not None
        assert (held(found[0])[:3], found[1]) == (held(cache_of([1, 2, 3], tiny_config)), 3)
    assert (len(prefixes), prefixes.lookups, prefixes.hits) == (2, 2, 2)
    prefixes.put([9, 9, 9, 9], cache_of([9, 9, 9, 9], tiny_config))  # the one looked at was the last used
    assert prefixes.look([1, 2, 3, 4, 0]) is not None
    assert prefixes.look([5, 6, 7, 8, 0]) is None


def test_a_long_entry_is_not_given_away_for_a_short_beginning(tiny_config: KimiVLConfig) -> None:
    prefixes = PrefixCache(PLENTY, min_tokens=1)
    long = list(range(20))
    prefixes.put(long, cache_of(long, tiny_config))
    found = prefixes.take([0, 1, 2, 50, 51])
    assert found is not None
    cache, count = found
    assert count == 3
    assert held(cache) == held(cache_of([0, 1, 2], tiny_config))
    cache.values.fill_(-1)
    again = prefixes.take([*long, 50])
    assert again is not None
    assert held(again[0]) == held(cache_of(long, tiny_config))


def test_a_few_tokens_are_not_worth_it(tiny_config: KimiVLConfig) -> None:
    prefixes = PrefixCache(PLENTY)
    keys = list(range(60))
    prefixes.put(keys, cache_of(keys, tiny_config))
    assert prefixes.take([*keys[:31], 500, 501]) is None
    assert prefixes.take([*keys[:32], 500, 501]) is not None


def test_an_entry_that_goes_on_replaces_its_beginning(tiny_config: KimiVLConfig) -> None:
    prefixes = PrefixCache(PLENTY)
    for keys in ([1, 2], [5, 6, 7], [1, 2, 3]):
        prefixes.put(keys, cache_of(keys, tiny_config))
    assert len(prefixes) == 2


def test_the_least_recently_used_goes_first(tiny_config: KimiVLConfig) -> None:
    one = cache_of([1, 2, 3, 4], tiny_config).nbytes
    prefixes = PrefixCache(2 * one, min_tokens=1)
    prefixes.put([1, 2, 3, 4], cache_of([1, 2, 3, 4], tiny_config))
    prefixes.put([5, 6, 7, 8], cache_of([5, 6, 7, 8], tiny_config))
    assert prefixes.take([1, 0]) is not None  # a copy: the entry stays, and is the last used
    prefixes.put([9, 9, 9, 9], cache_of([9, 9, 9, 9], tiny_config))
    assert prefixes.nbytes == 2 * one
    assert prefixes.take([5, 6, 7, 8, 0]) is None
    assert prefixes.take([1, 2, 3, 4, 0]) is not None


def test_what_is_larger_than_the_budget_is_not_kept(tiny_config: KimiVLConfig) -> None:
    budget = cache_of([1, 2, 3, 4], tiny_config).nbytes
    prefixes = PrefixCache(budget, min_tokens=1)
    prefixes.put([1, 2], cache_of([1, 2], tiny_config))
    prefixes.put([4, 5, 6, 7, 8], cache_of([4, 5, 6, 7, 8], tiny_config))
    assert prefixes.take([4, 5, 6, 7, 8]) is None
    assert prefixes.take([1, 2, 3]) is not None
    prefixes.put([4, 5, 6], cache_of([4, 5, 6], tiny_config, room=50))  # without its spare room it fits
    assert prefixes.nbytes == budget * 3 // 4
    prefixes.clear()
    assert prefixes.nbytes == 0


def test_wrong_arguments_are_refused(tiny_config: KimiVLConfig) -> None:
    with pytest.raises(ValueError, match="the prefix cache needs a budget of at least 1 byte, got 0; give None"):
        PrefixCache(0)
    with pytest.raises(ValueError, match="the feature cache needs a budget"):
        FeatureCache(-1)
    with pytest.raises(ValueError, match="min_tokens"):
        PrefixCache(1, min_tokens=0)
    with pytest.raises(ValueError, match="2 keys"):
        PrefixCache(PLENTY).put([1, 2], cache_of([1, 2, 3], tiny_config))
    with pytest.raises(ValueError, match="0 keys"):
        PrefixCache(PLENTY).put([], LatentCache(tiny_config.text, 2, 4, torch.float32))


def test_a_prefix_does_not_end_inside_a_picture(tiny_config: KimiVLConfig) -> None:
    prefixes = PrefixCache(PLENTY, min_tokens=1)
    image: list[Key] = [(b"a", place) for place in (0, 3, 4)]
    prefixes.put([1, 2, *image[:2]], cache_of([1, 2, *image[:2]], tiny_config))
    found = prefixes.take([1, 2, *image, 5])
    assert found is not None
    assert found[1] == 2
    prefixes.put([1, 2, *image], cache_of([1, 2, *image], tiny_config))
    twice = prefixes.take([1, 2, *image, *image])  # the same picture again is another picture
    assert twice is not None
    assert twice[1] == 5


prompts = st.lists(
    st.lists(st.sampled_from([1, 2, 3, "a", "b"]), max_size=12).map(
        lambda parts: [key for part in parts for key in ([part] if isinstance(part, int) else image_keys(part))]
    ),
    max_size=12,
)


def image_keys(name: str) -> list[Key]:
    return [(name.encode(), place) for place in ((0, 1, 2) if name == "a" else (0, 5))]


@settings(max_examples=60)
@given(prompts, st.integers(1, 4), st.sampled_from([PLENTY, 20_000, 5_000]))
def test_what_is_taken_is_what_a_fresh_run_would_make(
    tiny_config: KimiVLConfig, asked: list[list[Key]], min_tokens: int, budget: int
) -> None:
    prefixes = PrefixCache(budget, min_tokens=min_tokens)
    before: list[Key] = []
    for number, keys in enumerate(asked):
        found = prefixes.take(keys)
        cache, count = found or (LatentCache(tiny_config.text, 1, 1, torch.float32), 0)
        assert cache.lengths == [count]
        assert count == 0 or min_tokens <= count < len(keys)
        if budget == PLENTY and keys[:-1] == before and len(before) >= min_tokens:
            assert count == len(before) or isinstance(keys[-1], tuple)
        assert held(cache) == held(cache_of(keys[:count], tiny_config))
        said: list[Key] = [1000 + number]
        cache = cache.grown(len(keys) + 1)
        write(cache, [*keys, *said])
        prefixes.put([*keys, *said], cache)
        assert prefixes.nbytes <= budget
        before = [*keys, *said]


@settings(max_examples=10)
@given(st.lists(st.lists(st.integers(1, 2), min_size=1, max_size=10), min_size=2, max_size=5))
def test_latents_behind_a_reused_prefix_are_those_of_a_fresh_prefill(
    tiny_model: KimiVL, asked: list[list[int]]
) -> None:
    """fp32; the order of sums differs with the number of tokens run together."""
    runtime, prefixes = TextRuntime(tiny_model), PrefixCache(PLENTY, min_tokens=1)

    @torch.inference_mode()
    def read(ids: list[int], cache: LatentCache) -> torch.Tensor:
        new = ids[cache.lengths[0] :]
        x_LD = tiny_model.embed(torch.tensor([new]))[0]
        return runtime.prefill(x_LD, cache, [Span(0, len(new))], range(cache.lengths[0], len(ids)))

    for ids in asked:
        found = prefixes.take(ids)
        fresh = LatentCache(tiny_model.config.text, 1, len(ids), torch.float32)
        cache = fresh.grown(len(ids)) if found is None else found[0].grown(len(ids))
        torch.testing.assert_close(read(ids, cache), read(ids, fresh), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(cache.values, fresh.values, rtol=1e-4, atol=1e-5)
        prefixes.put(list(ids), cache)


talks = st.lists(  # of texts and numbers of pictures
    st.lists(st.sampled_from(["click the Save button", "then", 0, 1, 2]), min_size=1, max_size=5),
    min_size=2,
    max_size=4,
)


@settings(max_examples=12, derandomize=True)
@given(talks)
@pytest.mark.parametrize("blank_levels", [None, 8])
def test_replies_with_everything_kept_are_those_with_nothing_kept(
    tiny_config: KimiVLConfig,
    random_model: Callable[[KimiVLConfig], KimiVL],
    tokenizer: Tokenizer,
    blank_levels: int | None,
    talk: list[list[str | int]],
) -> None:
    """Blank parts left out, tokens behind a picture stand further on than the cache is long."""
    model = random_model(replace(tiny_config, image=replace(tiny_config.image, blank_levels=blank_levels)))
    forgetful = EngineConfig(prefix_cache_bytes=None, feature_cache_bytes=None)
    keeping = Engine(model, tokenizer, name="tiny")
    forgetting = Engine(model, tokenizer, name="tiny", settings=forgetful)
    messages: list[Message] = []
    for parts in talk:
        messages.append(Message("user", tuple(part if isinstance(part, str) else pages()[part] for part in parts)))
        one, other = (each.generate(messages, SamplingConfig(max_new_tokens=3)) for each in (keeping, forgetting))
        assert [token.id for token in one.tokens] == [token.id for token in other.tokens]
        for mine, fresh in zip(one.tokens, other.tokens, strict=True):
            assert mine.logprob == pytest.approx(fresh.logprob, abs=1e-4)  # fp32, other orders of sums
        assert one.cached_tokens > 0 or len(messages) == 1
        messages.append(Message("assistant", (one.text,)))


def pages() -> list[Picture]:
    """A busy one, one that is blank but for a line, an empty one."""
    line_HW3 = np.full((60, 90, 3), 255, np.uint8)
    line_HW3[40:42, 30:80] = 0
    return [Picture(picture(60, 60)), Picture(line_HW3), Picture(np.full((56, 84, 3), 200, np.uint8))]


def picture(height_px: int = 6, width_px: int = 8, seed: int = 0) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height_px, width_px, 3), dtype=np.uint8)


def test_equal_pixels_have_equal_digests_however_they_lie_in_memory() -> None:
    pixels_HW3 = picture()
    padded_HW4 = np.zeros((12, 8, 4), np.uint8)
    padded_HW4[::2, :, 2::-1] = pixels_HW3
    views = [np.asfortranarray(pixels_HW3), padded_HW4[::2, :, 2::-1], pixels_HW3[::-1][::-1], pixels_HW3.copy()]
    assert {picture_digest(view) for view in views} == {picture_digest(pixels_HW3)}


def test_other_pixels_and_shapes_have_other_digests() -> None:
    pixels_HW3 = picture()
    changed_HW3 = pixels_HW3.copy()
    changed_HW3[5, 7, 2] ^= 1
    others = [changed_HW3, pixels_HW3.reshape(8, 6, 3), pixels_HW3[:5], pixels_HW3[::-1]]
    assert len({picture_digest(each) for each in (pixels_HW3, *others)}) == 5


def test_text_tokens_are_their_ids_and_image_tokens_their_picture_and_place() -> None:
    ids = [1, MEDIA, MEDIA, 2, MEDIA, MEDIA, 3]
    keys = prompt_keys(ids, MEDIA, [b"a", b"b"], [range(2), np.array([0, 4])])
    assert keys == [1, (b"a", 0), (b"a", 1), 2, (b"b", 0), (b"b", 4), 3]
    assert all(type(key if isinstance(key, int) else key[1]) is int for key in keys)
    assert prompt_keys([1, 2], MEDIA, [], []) == [1, 2]
    assert prompt_keys([MEDIA] * 3, MEDIA, [b"a", b"a"], [range(2), range(1)]) == [(b"a", 0), (b"a", 1), (b"a", 0)]


@pytest.mark.parametrize(
    ("ids", "counts"),
    [([1, MEDIA], [2]), ([1, MEDIA, 2, MEDIA], [2]), ([1], [1]), ([1, MEDIA, MEDIA], [1]), ([MEDIA], []), ([1], [0])],
)
def test_placeholders_that_do_not_fit_the_pictures_are_refused(ids: list[int], counts: list[int]) -> None:
    with pytest.raises(ValueError, match="media placeholders"):
        prompt_keys(ids, MEDIA, [b"a"] * len(counts), [range(count) for count in counts])


def test_keys_of_a_long_prompt_take_no_time() -> None:
    ids = ([*range(50), *[MEDIA] * 1000] * 10)[:10_000]
    counts = [1000] * 9 + [10_000 - 9 * 1050 - 50]
    took_s: list[float] = []
    for _ in range(5):
        started_s = time.perf_counter()
        prompt_keys(ids, MEDIA, [bytes([number]) * 32 for number in range(10)], [range(count) for count in counts])
        took_s.append(time.perf_counter() - started_s)
    assert min(took_s) < 0.05  # 1 ms on a quiet machine


def test_features_are_found_by_their_picture_until_others_need_the_room() -> None:
    features = FeatureCache(3 * 16)
    tensors = {name: torch.full((1, 4), float(name[0])) for name in (b"a", b"b", b"c", b"d")}
    for name in (b"a", b"b", b"c"):
        features.put(name, tensors[name])
    assert features.get(b"a") is tensors[b"a"]
    features.put(b"d", tensors[b"d"])
    assert features.get(b"b") is None
    assert [features.get(name) is not None for name in (b"a", b"c", b"d")] == [True] * 3
    assert (len(features), features.nbytes, features.lookups, features.hits) == (3, 48, 5, 4)
    features.put(b"e", torch.zeros(1, 13))
    assert features.get(b"e") is None
    assert len(features) == 3
    features.put(b"d", torch.zeros(2, 4))  # another value takes the old one's place
    assert (len(features), features.nbytes) == (2, 48)
    features.clear()
    assert (len(features), features.nbytes) == (0, 0)


def test_a_part_of_a_pack_does_not_keep_the_pack() -> None:
    features = FeatureCache(PLENTY)
    pack_TD = torch.arange(80.0).reshape(20, 4)
    features.put(b"a", pack_TD[3:5])
    kept_TD = features.get(b"a")
    assert kept_TD is not None
    assert kept_TD.untyped_storage().nbytes() == features.nbytes == 32
    assert torch.equal(kept_TD, pack_TD[3:5])
