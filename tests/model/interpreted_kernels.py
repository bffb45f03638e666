"""The Triton kernels against their plain twins, run by Triton's interpreter on a CPU.

`test_kernels.py` runs this file in a process of its own: the interpreter must be chosen before Triton is imported.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
import torch
from moonhand.model import KimiVL, KimiVLConfig, LatentCache
from moonhand.model.attention import RMSNorm
from moonhand.model.cuda_step import GraphStep
from moonhand.model.decode_ops import Places, PlainOps, Shared, Weight
from moonhand.model.kernels import KernelOps, Tile, Tiles
from moonhand.model.quantized_weight import quantize_weight
from moonhand.model.runtime import Span, TextRuntime

assert os.environ.get("TRITON_INTERPRET") == "1", "run by test_kernels.py"

SMALL = Tile(16, 64, 2, 4)  # so that every loop has several rounds and every edge is met
BIG = Tile(64, 64, 1, 4)  # so that there are few programs
OPS, BIG_OPS = (KernelOps(Tiles(**dict.fromkeys(Tiles.__dataclass_fields__, tile))) for tile in (SMALL, BIG))
PLAIN = PlainOps()


@pytest.fixture(autouse=True)
def one_element_arrays_are_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mends Triton 3.6's interpreter, not what is tested: it calls int() on arrays of one element, which numpy 2.4
    refuses. Triton compiling for a device does no such thing."""
    interpreter: Any = import_module("triton.runtime.interpreter")
    patch = interpreter._patch_lang_tensor

    def index(tensor: Any) -> int:
        return int(tensor.handle.data.item())

    def patched(tensor: Any, scope: Any) -> None:
        patch(tensor, scope)
        scope.set_attr(tensor, "__index__", index)

    monkeypatch.setattr(interpreter, "_patch_lang_tensor", patched)


@pytest.fixture
def noise() -> Callable[..., torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return lambda *shape: torch.randn(shape, generator=generator)


def as_weight(matrix: torch.Tensor, bits: int) -> Weight:
    return matrix if bits == 16 else quantize_weight(matrix, bits)


def a_norm(weight: torch.Tensor) -> RMSNorm:
    norm = RMSNorm(weight.shape[0], 1e-5)
    norm.weight.data = weight
    return norm.requires_grad_(False)


def assert_near(kernel: torch.Tensor, plain: torch.Tensor) -> None:
    torch.testing.assert_close(kernel, plain, rtol=1e-5, atol=1e-5)  # fp32, sums in another order


@pytest.mark.parametrize(("rows", "bits"), [(1, 16), (3, 8), (1, 4), (20, 4)])
def test_linear_with_norm_and_residual(rows: int, bits: int, noise: Callable[..., torch.Tensor]) -> None:
    x, weight, norm, residual = (
        noise(rows, 150),
        as_weight(noise(40, 150) / 12, bits),
        a_norm(noise(150)),
        noise(rows, 40),
    )
    assert_near(
        OPS.linear(x, weight, norm=norm, residual_BN=residual), PLAIN.linear(x, weight, norm=norm, residual_BN=residual)
    )
    assert_near(OPS.norm(x, norm), PLAIN.norm(x, norm))


@pytest.mark.parametrize("rows", [1, 3])
def test_half_precision_is_multiplied_exactly_and_summed_in_fp32(rows: int, noise: Callable[..., torch.Tensor]) -> None:
    x, weight, norm = noise(rows, 96).half(), noise(40, 96).half() / 10, a_norm(noise(96).half())  # it has no bf16
    kernel, plain = torch.empty(rows, 40), torch.empty(rows, 40)
    OPS.linear(x, weight, norm=norm, out_BN=kernel)
    PLAIN.linear(x, weight, norm=norm, out_BN=plain)
    torch.testing.assert_close(kernel, plain, rtol=2e-3, atol=2e-3)  # the norm's rounding may fall to either side


@pytest.mark.parametrize(("rows", "bits"), [(1, 8), (3, 16)])
def test_swiglu(rows: int, bits: int, noise: Callable[..., torch.Tensor]) -> None:
    x, gate_up = noise(rows, 72), as_weight(noise(2 * 20, 72) / 8, bits)
    assert_near(OPS.swiglu(x, gate_up), PLAIN.swiglu(x, gate_up))


@pytest.mark.parametrize(
    ("rows", "bits", "is_shared"),
    [
        (2, 16, True),
        pytest.param(1, 8, False, marks=pytest.mark.slow),
        pytest.param(1, 4, True, marks=pytest.mark.slow),
        pytest.param(6, 16, True, marks=pytest.mark.slow),
        (5, 8, False),
    ],
)
def test_experts_by_route_and_by_expert(
    rows: int, bits: int, is_shared: bool, noise: Callable[..., torch.Tensor]
) -> None:
    x, residual, weights = noise(rows, 72), noise(rows, 72), noise(rows, 3)
    ids = torch.stack(
        [torch.randperm(5, generator=torch.Generator().manual_seed(row))[:3] for row in range(rows)]
    ).int()
    gate_up, down = as_weight(noise(5, 2 * 80, 72) / 8, bits), as_weight(noise(5, 72, 80) / 8, bits)
    shared = Shared(noise(rows, 40), as_weight(noise(72, 40) / 6, bits)) if is_shared else None
    assert_near(
        OPS.experts(x, weights, ids, gate_up, down, shared, residual),
        PLAIN.experts(x, weights, ids, gate_up, down, shared, residual),
    )


def test_more_routes_of_an_expert_than_a_block_holds(noise: Callable[..., torch.Tensor]) -> None:
    rows = 40
    x, weights = noise(rows, 32), noise(rows, 2)
    ids = torch.tensor([[1, 3]] * 35 + [[2, 1]] * 5, dtype=torch.int32)
    gate_up, down = noise(4, 2 * 16, 32) / 5, noise(4, 32, 16) / 4
    assert_near(
        OPS.experts(x, weights, ids, gate_up, down, None, x), PLAIN.experts(x, weights, ids, gate_up, down, None, x)
    )


def test_the_router_ranks_with_the_bias_and_weighs_without(
    tiny_config: KimiVLConfig, noise: Callable[..., torch.Tensor]
) -> None:
    logits, bias = noise(4, 8), noise(8)
    weights, ids = OPS.route(logits, bias, tiny_config.text)
    plain_weights, plain_ids = PLAIN.route(logits, bias, tiny_config.text)
    assert torch.equal(ids, plain_ids)
    assert_near(weights, plain_weights)


@pytest.mark.parametrize("splits", [1, 4])
def test_attention_over_rows_of_other_lengths_and_nobody(
    splits: int, tiny_config: KimiVLConfig, noise: Callable[..., torch.Tensor]
) -> None:
    config = tiny_config.text
    width = config.num_attention_heads * config.qk_head_dim + config.kv_lora_rank + config.qk_rope_head_dim
    angles = noise(4, config.qk_rope_head_dim // 2)
    places = Places(
        torch.tensor([2, 0, -1, 1], dtype=torch.int32),
        torch.tensor([37, 0, 5, 16], dtype=torch.int32),
        angles.cos(),
        angles.sin(),
        splits,
    )
    qkv, norm = noise(4, width), noise(config.kv_lora_rank)
    kv_b = noise(config.num_attention_heads * (config.qk_nope_head_dim + config.v_head_dim), config.kv_lora_rank)
    values = noise(3, 40, config.kv_lora_rank + config.qk_rope_head_dim)
    plain_values = values.clone()
    assert_near(
        OPS.attend(qkv, kv_b, norm, values, places, config), PLAIN.attend(qkv, kv_b, norm, plain_values, places, config)
    )
    assert_near(values, plain_values)


def test_a_whole_step_of_kernels_equals_the_runtime(tiny_model: KimiVL) -> None:
    config = tiny_model.config.text
    embed = tiny_model.language_model.model.embed_tokens
    runtime, rows = TextRuntime(tiny_model), [2, 0, 1]  # three rows: the fourth of the step is nobody
    caches = [LatentCache(config, 3, 32, torch.float32) for _ in range(2)]
    for cache in caches:
        for row, count in enumerate((5, 9, 1)):
            runtime.prefill(embed(torch.arange(count) + row), cache, [Span(row, count)], range(count))
    x_BD = embed(torch.tensor(rows) + 7)
    step = GraphStep(tiny_model, max_rows=4, ops=BIG_OPS)
    kernels, plain = step(x_BD, caches[0], rows), runtime.step(x_BD, caches[1], rows)
    torch.testing.assert_close(kernels, plain, rtol=1e-4, atol=1e-4)  # fp32, three layers
    assert caches[0].lengths == caches[1].lengths
    torch.testing.assert_close(caches[0].values, caches[1].values, rtol=1e-4, atol=1e-4)
