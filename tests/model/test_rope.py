"""Values of the rotary tables that follow from their definition."""

from __future__ import annotations

import math

import pytest
import torch
from moonhand.model.rope import rotate, rotate_in_place, text_rotations, vision_rotations

HEAD_DIM, WIDTH = 72, 5  # the published head, a grid of 3x5 patches


def _vision_angle(row: int, column: int, pair: int) -> float:
    table_PK = vision_rotations([(3, WIDTH)], HEAD_DIM, torch.device("cpu"))
    assert table_PK.shape == (3 * WIDTH, HEAD_DIM // 2)
    return float(table_PK[row * WIDTH + column, pair].angle())


def test_even_pairs_of_the_tower_turn_by_the_column_and_odd_ones_by_the_row() -> None:
    assert _vision_angle(0, 4, 1) == 0
    assert _vision_angle(2, 0, 0) == 0
    assert _vision_angle(0, 1, 0) == pytest.approx(1)
    assert _vision_angle(1, 0, 1) == pytest.approx(1)
    assert _vision_angle(0, 1, 2) == pytest.approx(0.59948, abs=1e-5)
    assert _vision_angle(2, 3, 35) == pytest.approx(2 * 10000 ** (-68 / 72), rel=1e-5)


def test_patches_of_each_packed_image_are_counted_from_its_own_corner() -> None:
    device = torch.device("cpu")
    packed = vision_rotations([(2, 4), (4, 2)], HEAD_DIM, device)
    apart = torch.cat([vision_rotations([grid], HEAD_DIM, device) for grid in [(2, 4), (4, 2)]])
    torch.testing.assert_close(packed, apart, rtol=0, atol=0)


def test_text_pairs_turn_by_the_position_times_a_falling_frequency() -> None:
    angles_K = text_rotations(torch.tensor([[0, 1]]), 64, 800000.0)[0].angle()
    assert angles_K[0].eq(0).all()
    assert float(angles_K[1, 0]) == pytest.approx(1)
    assert float(angles_K[1, 31]) == pytest.approx(1.912e-6, rel=1e-3)


def test_adjacent_values_are_one_pair() -> None:
    quarter = torch.polar(torch.ones(2), torch.tensor([math.pi / 2, 0.0]))
    torch.testing.assert_close(rotate(torch.tensor([[1.0, 2.0, 3.0, 4.0]]), quarter), torch.tensor([[-2.0, 1, 3, 4]]))


def test_rotation_keeps_the_dtype_and_depends_on_distance_alone() -> None:
    q_HK, k_HK = torch.randn(2, 1, 8, generator=torch.Generator().manual_seed(0))
    turns = text_rotations(torch.arange(100)[None], 8, 800000.0)[0]
    near = (rotate(q_HK, turns[7]) * rotate(k_HK, turns[3])).sum()
    far = (rotate(q_HK, turns[97]) * rotate(k_HK, turns[93])).sum()
    torch.testing.assert_close(near, far, rtol=1e-4, atol=1e-5)
    assert rotate(q_HK.bfloat16(), turns[7]).dtype == torch.bfloat16


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_turning_in_place_gives_the_same_numbers(dtype: torch.dtype) -> None:
    x_PHK = torch.randn(300, 7, 8, generator=torch.Generator().manual_seed(0)).to(dtype)
    turns_PK = vision_rotations([(15, 20)], 8, torch.device("cpu"))
    expected_PHK = rotate(x_PHK[:, :4], turns_PK)
    rest_PHK = x_PHK[:, 4:].clone()
    rotate_in_place(x_PHK[:, :4], turns_PK)
    assert torch.equal(x_PHK[:, :4], expected_PHK)
    assert torch.equal(x_PHK[:, 4:], rest_PHK)
