"""The router chooses as the family does, and grouping experts changes speed alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from moonhand.model import KimiVLConfig
from moonhand.model.moe import Experts, grouped_experts, grouped_mm_rows, plain_experts, route, run_experts, sum_experts

WithText = Callable[..., KimiVLConfig]


@pytest.mark.parametrize(("experts", "active"), [(4, 1), (8, 2), (64, 6), (384, 8)])
def test_grouped_experts_equal_one_expert_at_a_time(experts: int, active: int) -> None:
    torch.manual_seed(0)
    x = torch.randn(13, 24)
    gate_up, down = torch.randn(experts, 20, 24) * 0.2, torch.randn(experts, 24, 10) * 0.2
    weights, ids = route(x, torch.randn(experts, 24), torch.zeros(experts), num_active=active, scale=2.446)
    torch.testing.assert_close(
        grouped_experts(x, weights, ids, gate_up, down),
        plain_experts(x, weights, ids, gate_up, down),
        rtol=1e-5,
        atol=1e-5,
    )  # fp32, sums in another order


def test_with_zero_router_weights_the_bias_alone_chooses_and_every_weight_is_the_scale_over_the_active() -> None:
    bias = torch.arange(64).float() / 100
    weights, ids = route(torch.randn(5, 16), torch.zeros(64, 16), bias, num_active=6, scale=2.446)
    assert all(sorted(row) == [58, 59, 60, 61, 62, 63] for row in ids.tolist())
    torch.testing.assert_close(weights, torch.full((5, 6), 0.407667), rtol=0, atol=1e-6)


def test_the_bias_never_enters_the_weights() -> None:
    torch.manual_seed(1)
    x, gate = torch.randn(7, 16), torch.randn(8, 16)
    weights, ids = route(x, gate, torch.full((8,), 5.0), num_active=8, scale=1.0)
    plain, plain_ids = route(x, gate, torch.zeros(8), num_active=8, scale=1.0)
    torch.testing.assert_close(weights.gather(1, ids.argsort()), plain.gather(1, plain_ids.argsort()))


def test_without_normalisation_weights_are_scaled_affinities() -> None:
    torch.manual_seed(2)
    x, gate = torch.randn(3, 16), torch.randn(8, 16)
    weights, ids = route(x, gate, torch.zeros(8), num_active=2, scale=3.0, normalise=False)
    torch.testing.assert_close(weights, 3.0 * (x @ gate.T).sigmoid().gather(1, ids))


def test_the_router_works_in_fp32_even_under_autocast() -> None:
    torch.manual_seed(3)
    x, gate = torch.randn(50, 64), torch.randn(16, 64)
    expected = route(x, gate, torch.zeros(16), num_active=2, scale=1.0)
    with torch.autocast("cpu", torch.bfloat16):
        got = route(x, gate, torch.zeros(16), num_active=2, scale=1.0)
    assert torch.equal(expected[1], got[1])
    assert torch.equal(expected[0], got[0])


def test_an_expert_without_tokens_costs_nothing_and_breaks_nothing() -> None:
    x = torch.randn(2, 8)
    ids = torch.tensor([[3], [3]])
    out = grouped_experts(x, torch.ones(2, 1), ids, torch.randn(5, 12, 8), torch.randn(5, 8, 6))
    assert out.shape == (2, 8)
    assert torch.isfinite(out).all()


def _routed(
    config: KimiVLConfig, num_tokens: int, dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, Experts]:
    torch.manual_seed(4)
    experts = Experts(config.text).to(dtype).requires_grad_(False)
    x_LD = torch.randn(num_tokens, config.text.hidden_size).to(dtype)
    gate_ED = torch.randn(config.text.n_routed_experts, config.text.hidden_size)
    active = config.text.num_experts_per_tok
    weights_LA, ids_LA = route(x_LD, gate_ED, torch.zeros(len(gate_ED)), num_active=active, scale=2.446)
    return x_LD, weights_LA, ids_LA, experts


@pytest.mark.parametrize("num_tokens", [1, 5, 200])
@pytest.mark.parametrize(("experts", "active"), [(4, 1), (8, 3), (64, 6)])
@pytest.mark.parametrize(("dtype", "atol"), [(torch.float32, 1e-5), (torch.bfloat16, 4e-2)], ids=str)
def test_experts_for_many_rows_equal_one_expert_at_a_time(
    tiny_config: KimiVLConfig,
    with_text: WithText,
    num_tokens: int,
    experts: int,
    active: int,
    dtype: torch.dtype,
    atol: float,
) -> None:
    config = with_text(tiny_config, n_routed_experts=experts, num_experts_per_tok=active)
    x_LD, weights_LA, ids_LA, module = _routed(config, num_tokens, dtype)
    got_LD = run_experts(x_LD, weights_LA, ids_LA, module)
    assert got_LD.dtype == dtype
    expected_LD = plain_experts(x_LD, weights_LA, ids_LA, module.gate_up_proj, module.down_proj)
    torch.testing.assert_close(got_LD, expected_LD, rtol=1e-5, atol=atol)  # other kernels for other numbers of rows


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_grouped_kernel_gives_each_experts_rows(tiny_config: KimiVLConfig, dtype: torch.dtype) -> None:
    x_LD, weights_LA, ids_LA, experts = _routed(tiny_config, 50, dtype)
    ids_LA = ids_LA.clamp(1, 6)  # two experts without tokens, at both ends
    order_N = ids_LA.flatten().argsort(stable=True)
    rows_ND = grouped_mm_rows(x_LD, ids_LA, order_N, experts)
    got_LD = sum_experts(rows_ND, weights_LA, order_N, torch.arange(len(order_N)))
    expected_LD = run_experts(x_LD, weights_LA, ids_LA, experts)
    tolerance = 1e-5 if dtype == torch.float32 else 4e-2  # sums in another order
    torch.testing.assert_close(got_LD, expected_LD, rtol=tolerance, atol=tolerance)


def test_half_rows_are_summed_in_fp32_by_fp32_weights() -> None:
    torch.manual_seed(5)
    rows_ND, weights_LA = torch.randn(600, 64).bfloat16(), torch.rand(100, 6)
    order_N = torch.randperm(600)
    got_LD = sum_experts(rows_ND, weights_LA, order_N, torch.arange(600))
    exact_LD = torch.zeros(100, 64, dtype=torch.float64)
    exact_LD.index_add_(0, order_N // 6, rows_ND.double() * weights_LA.flatten()[order_N, None].double())
    torch.testing.assert_close(got_LD, exact_LD.bfloat16(), rtol=2**-7, atol=1e-5)  # one rounding, at the end
    assert float((got_LD.double() - exact_LD).abs().mean()) < 1.01 * float(
        (exact_LD.bfloat16().double() - exact_LD).abs().mean()
    )


def test_an_experts_weights_are_views(tiny_config: KimiVLConfig) -> None:
    experts = Experts(tiny_config.text)
    gate_up_ID, down_DI = experts.weights(3)
    assert experts.num_experts == 8
    assert gate_up_ID.data_ptr() == experts.gate_up_proj[3].data_ptr()
    assert down_DI.data_ptr() == experts.down_proj[3].data_ptr()
