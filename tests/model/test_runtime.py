from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from moonhand.model import KimiVL, LatentCache
from moonhand.model.quantize import quantize_model
from moonhand.model.runtime import Span, TextRuntime
from torch import Tensor

ATOL = 1e-5  # fp32; the two paths sum in another order


def _ids(length: int, seed: int = 7) -> list[int]:
    return torch.randint(0, 256, (length,), generator=torch.Generator().manual_seed(seed)).tolist()


def _plain(model: KimiVL, ids: Sequence[int]) -> Tensor:
    """Logits [L, V] of a whole sequence, without a cache."""
    with torch.inference_mode():
        return model(torch.tensor([list(ids)]))[0]


def _read(runtime: TextRuntime, model: KimiVL, cache: LatentCache, parts: dict[int, list[int]]) -> Tensor:
    """Some more tokens in some rows, in one pass."""
    ids = [token for part in parts.values() for token in part]
    positions = [cache.next_position(row) + at for row, part in parts.items() for at in range(len(part))]
    with torch.inference_mode():
        x_LD = model.embed(torch.tensor([ids]))[0]
        return runtime.prefill(x_LD, cache, [Span(row, len(part)) for row, part in parts.items()], positions)


@pytest.mark.parametrize("lengths", [[24], [1] * 24, [10, 6, 1, 1, 6], [23, 1]], ids=str)
def test_cached_equals_uncached(tiny_model: KimiVL, lengths: list[int]) -> None:
    ids = _ids(24)
    cache = LatentCache(tiny_model.config.text, 1, 24, torch.float32)
    runtime = TextRuntime(tiny_model)
    ends = list(accumulate(lengths, initial=0))
    read = [_read(runtime, tiny_model, cache, {0: ids[start:end]})[0] for start, end in pairwise(ends)]
    torch.testing.assert_close(torch.stack(read), _plain(tiny_model, ids)[[e - 1 for e in ends[1:]]], rtol=0, atol=ATOL)


@given(data=st.data())
def test_sequences_of_any_lengths_packed_in_passes_of_any_size_equal_each_alone(
    tiny_model: KimiVL, data: st.DataObject
) -> None:
    lengths = data.draw(st.lists(st.integers(1, 12), min_size=1, max_size=4))
    runtime = TextRuntime(tiny_model, chunk_tokens=data.draw(st.integers(1, 20)))
    cache = LatentCache(tiny_model.config.text, len(lengths), 40, torch.float32)
    texts = {row: _ids(length, row) for row, length in enumerate(lengths)}
    more = {
        row: _ids(data.draw(st.integers(1, 9)), 50 + row) for row in data.draw(st.permutations(range(len(lengths))))
    }
    for parts, whole in ((texts, texts), (more, {row: texts[row] + more[row] for row in more})):
        found_NV = _read(runtime, tiny_model, cache, parts)
        for logits_V, row in zip(found_NV, parts, strict=True):
            torch.testing.assert_close(logits_V, _plain(tiny_model, whole[row])[-1], rtol=0, atol=ATOL)
    assert cache.lengths == [len(texts[row]) + len(more[row]) for row in range(len(lengths))]


def test_a_step_goes_on_in_the_rows_it_is_given(tiny_model: KimiVL) -> None:
    runtime = TextRuntime(tiny_model)
    cache = LatentCache(tiny_model.config.text, 3, 10, torch.float32)
    texts = {0: _ids(4, 0), 1: _ids(7, 1), 2: _ids(2, 2)}
    _read(runtime, tiny_model, cache, texts)
    with torch.inference_mode():
        found_NV = runtime.step(tiny_model.embed(torch.tensor([[5, 6]]))[0], cache, [2, 0])
    torch.testing.assert_close(found_NV[0], _plain(tiny_model, [*texts[2], 5])[-1], rtol=0, atol=ATOL)
    torch.testing.assert_close(found_NV[1], _plain(tiny_model, [*texts[0], 6])[-1], rtol=0, atol=ATOL)
    assert cache.lengths == [5, 7, 3]


def test_a_cache_that_was_stopped_while_it_counted_is_as_it_was(tiny_model: KimiVL) -> None:
    class Stopped(list[int]):
        def __iter__(self) -> Iterator[int]:
            raise KeyboardInterrupt

    cache = LatentCache(tiny_model.config.text, 1, 8, torch.float32)
    cache.advance(0, [0, 1, 5])
    with pytest.raises(KeyboardInterrupt):
        cache.advance(0, Stopped([6, 7]))
    assert (cache.lengths, cache.next_position(0)) == ([3], 6)
    cache.advance(0, [9])
    assert (cache.lengths, cache.next_position(0)) == ([4], 10)


def test_a_truncated_cache_continues_as_if_the_rest_had_never_been_seen(tiny_model: KimiVL) -> None:
    ids = _ids(20)
    runtime = TextRuntime(tiny_model)
    cache = LatentCache(tiny_model.config.text, 1, 20, torch.float32)
    _read(runtime, tiny_model, cache, {0: ids[::-1][:4]})
    cache.truncate(0, 0)
    _read(runtime, tiny_model, cache, {0: ids[:12]})
    _read(runtime, tiny_model, cache, {0: ids[:5]})
    cache.truncate(0, 12)
    found_V = _read(runtime, tiny_model, cache, {0: ids[12:]})[0]
    torch.testing.assert_close(found_V, _plain(tiny_model, ids)[-1], rtol=0, atol=ATOL)


def test_a_grown_cache_holds_the_same_and_leaves_the_first_alone(tiny_model: KimiVL) -> None:
    ids = _ids(20)
    runtime = TextRuntime(tiny_model)
    cache = LatentCache(tiny_model.config.text, 1, 12, torch.float32)
    _read(runtime, tiny_model, cache, {0: ids[:12]})
    grown = cache.grown(20, keep=10)
    assert (grown.lengths, grown.max_length, cache.lengths) == ([10], 20, [12])
    found_V = _read(runtime, tiny_model, grown, {0: ids[10:]})[0]
    torch.testing.assert_close(found_V, _plain(tiny_model, ids)[-1], rtol=0, atol=ATOL)
    with pytest.raises(ValueError, match="12 tokens do not fit into 11"):
        cache.grown(11)


def test_what_cannot_be_read_is_refused_before_anything_is_written(tiny_model: KimiVL) -> None:
    runtime = TextRuntime(tiny_model)
    cache = LatentCache(tiny_model.config.text, 2, 4, torch.float32)
    x_LD = tiny_model.embed(torch.tensor([[1, 2, 3, 4, 5]]))[0]
    with pytest.raises(ValueError, match="the cache holds 4 tokens a row, 5 are needed"):
        runtime.prefill(x_LD, cache, [Span(0, 5)], range(5))
    with pytest.raises(ValueError, match="do not make 5 tokens"):
        runtime.prefill(x_LD, cache, [Span(0, 4)], range(5))
    with pytest.raises(ValueError, match="rows of their own"):
        runtime.prefill(x_LD, cache, [Span(0, 4), Span(0, 1)], range(5))
    assert cache.lengths == [0, 0]
    assert not cache.values.any()


def test_a_cache_past_the_models_context_is_refused(tiny_model: KimiVL) -> None:
    with pytest.raises(ValueError, match="max_length must be 1 to 512, got 513"):
        LatentCache(tiny_model.config.text, 1, 513, torch.float32)
    with pytest.raises(ValueError, match="at least one row"):
        LatentCache(tiny_model.config.text, 0, 5, torch.float32)


class _TwoRows:
    """A step of two rows at most, in torch."""

    max_rows = 2

    def __init__(self, model: KimiVL) -> None:
        self._runtime = TextRuntime(model)
        self.calls: list[int] = []

    def __call__(self, x_BD: Tensor, cache: LatentCache, rows: Sequence[int]) -> Tensor:
        self.calls.append(len(rows))
        return self._runtime.step(x_BD, cache, rows)


def test_more_rows_than_a_step_takes_go_in_groups(tiny_model: KimiVL) -> None:
    step = _TwoRows(tiny_model)
    runtime = TextRuntime(tiny_model, step)
    cache = LatentCache(tiny_model.config.text, 5, 10, torch.float32)
    texts = {row: _ids(row + 2, row) for row in range(5)}
    _read(runtime, tiny_model, cache, texts)
    assert step.calls == []  # prompts are read in one pass
    with torch.inference_mode():
        found_NV = runtime.step(tiny_model.embed(torch.tensor([[9, 8, 7, 6, 5]]))[0], cache, [4, 3, 2, 1, 0])
    assert step.calls == [2, 2, 1]
    for logits_V, row in zip(found_NV, [4, 3, 2, 1, 0], strict=True):
        torch.testing.assert_close(logits_V, _plain(tiny_model, [*texts[row], 5 + row])[-1], rtol=0, atol=ATOL)


def test_a_few_tokens_of_a_quantised_model_are_read_one_by_one(tiny_model: KimiVL) -> None:
    model = copy.deepcopy(tiny_model)
    quantize_model(model, 8)
    step = _TwoRows(model)
    cache, other = (LatentCache(model.config.text, 3, 60, torch.float32) for _ in range(2))
    for parts in ({0: _ids(40, 0), 1: _ids(3, 1), 2: _ids(1, 2)}, {0: _ids(5, 3), 2: _ids(2, 4), 1: _ids(5, 5)}):
        found_NV = _read(TextRuntime(model, step), model, cache, parts)
        expected_NV = _read(TextRuntime(model), model, other, parts)
        torch.testing.assert_close(found_NV, expected_NV, rtol=0, atol=ATOL)
    assert step.calls == [2, 1] * 2 + [2] * 3  # the long first prompts in one pass
    torch.testing.assert_close(cache.values, other.values, rtol=0, atol=ATOL)
