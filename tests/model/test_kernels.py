"""The decode step for CUDA, on a CPU: its plain body, and its Triton kernels through Triton's interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import pytest
import torch
from moonhand.model import KimiVL, KimiVLConfig, LatentCache
from moonhand.model.cuda_step import GraphStep
from moonhand.model.decoder import DecoderLayer
from moonhand.model.quantize import quantize_model
from moonhand.model.runtime import Span, TextRuntime

RandomModel = Callable[[KimiVLConfig], KimiVL]


@pytest.fixture
def model(tiny_config: KimiVLConfig, random_model: RandomModel) -> KimiVL:
    """One of its own: a step packs matrices."""
    return random_model(tiny_config)


def filled(model: KimiVL, counts: tuple[int, ...]) -> LatentCache:
    """A cache whose rows hold so many tokens."""
    cache = LatentCache(model.config.text, len(counts), 40, torch.float32)
    for row, count in enumerate(counts):
        x_LD = model.language_model.model.embed_tokens(torch.arange(count) + row)
        TextRuntime(model).prefill(x_LD, cache, [Span(row, count)], range(2, count + 2))
    return cache


def both(step: GraphStep, model: KimiVL, rounds: list[list[int]]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Logits of the step and of the runtime without it, token after token."""
    caches = filled(model, (5, 9, 1)), filled(model, (5, 9, 1))
    for token, rows in enumerate(rounds):
        x_BD = model.language_model.model.embed_tokens(torch.tensor(rows) + token)
        yield step(x_BD, caches[0], rows).clone(), TextRuntime(model).step(x_BD, caches[1], rows)
    assert caches[0].lengths == caches[1].lengths
    assert [caches[0].next_position(row) for row in range(3)] == [caches[1].next_position(row) for row in range(3)]
    torch.testing.assert_close(caches[0].values, caches[1].values, rtol=1e-4, atol=1e-5)


ROUNDS = [[1], [2, 0, 1], [0, 2], [1]]  # of one graph's size, of less than one, and rows in any order


def test_the_plain_step_equals_the_runtime(model: KimiVL) -> None:
    for step, runtime in both(GraphStep(model, max_rows=3), model, ROUNDS):
        torch.testing.assert_close(step, runtime, rtol=1e-4, atol=1e-5)  # fp32, sums in another order


@pytest.mark.parametrize("bits", [8, 4])
def test_the_plain_step_reads_quantised_weights(bits: int, model: KimiVL) -> None:
    quantize_model(model, bits)
    for step, runtime in both(GraphStep(model, max_rows=3), model, ROUNDS):
        torch.testing.assert_close(step, runtime, rtol=1e-4, atol=1e-4)  # fp32, sums in another order


def test_packing_leaves_the_model_as_it_was(model: KimiVL) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    ids_BL = torch.arange(6)[None]
    logits = model(ids_BL)
    GraphStep(model, max_rows=1)
    first = GraphStep(model, max_rows=1).layers[1].qkv
    again = GraphStep(model, max_rows=2).layers[1].qkv
    assert isinstance(first, torch.Tensor)
    assert isinstance(again, torch.Tensor)
    assert first.data_ptr() == again.data_ptr()  # packed once
    assert {name: torch.equal(value, before[name]) for name, value in model.state_dict().items()} == dict.fromkeys(
        before, True
    )
    assert torch.equal(model(ids_BL), logits)
    attention = cast("DecoderLayer", model.language_model.model.layers[0]).self_attn
    shared = attention.q_proj.weight.untyped_storage().data_ptr()
    assert attention.kv_a_proj_with_mqa.weight.untyped_storage().data_ptr() == shared


def test_a_step_refuses_what_it_cannot_do_before_it_does_anything(model: KimiVL) -> None:
    step, cache = GraphStep(model, max_rows=2), filled(model, (5, 9, 1))
    x_BD = torch.zeros(2, model.config.text.hidden_size)
    before = cache.values.clone()
    with pytest.raises(ValueError, match="want 1 to 2, each once"):
        step(x_BD, cache, [1, 1])
    with pytest.raises(ValueError, match="want 1 to 2"):
        step(x_BD, cache, [0])
    with pytest.raises(ValueError, match="float16 on cpu"):
        step(x_BD, LatentCache(model.config.text, 2, 8, torch.float16), [0, 1])
    full = filled(model, (40,))
    with pytest.raises(ValueError, match="41 are needed"):
        step(x_BD[:1], full, [0])
    with pytest.raises(ValueError, match="max_rows must be >= 1"):
        GraphStep(model, max_rows=0)
    assert torch.equal(cache.values, before)
    assert cache.lengths == [5, 9, 1]


@pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")
@pytest.mark.parametrize("marked", ["not slow", pytest.param("slow", marks=pytest.mark.slow)])
def test_every_kernel_equals_its_plain_twin(marked: str) -> None:
    """In a process of its own: Triton's interpreter must be chosen before Triton is imported."""
    file = Path(__file__).with_name("interpreted_kernels.py")
    command = [sys.executable, "-m", "pytest", str(file), "-q", "-p", "no:cacheprovider", "-m", marked]
    told = subprocess.run(command, env={**os.environ, "TRITON_INTERPRET": "1"}, capture_output=True, text=True)
    assert told.returncode == 0, told.stdout[-4000:] + told.stderr[-2000:]
