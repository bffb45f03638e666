"""The router chooses as the family does, and grouping experts changes speed alone."""

from __future__ import annotations

import pytest
import torch
from moonhand.model.moe import grouped_experts, plain_experts, route


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
