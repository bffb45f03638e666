from __future__ import annotations

import copy
from itertools import accumulate

import numpy as np
import pytest
import torch
from moonhand.model import ImageConfig, KimiVL, KimiVLConfig, VisionConfig
from moonhand.model.attention import blocked_attention, varlen_attention
from moonhand.model.vision import KEPT_GRIDS, ROWS_TOGETHER, PositionTable, VisionMLP, merge_patches, normalise

GRIDS = [(4, 6), (10, 2), (2, 2), (4, 6)]
LENGTHS = [h * w for h, w in GRIDS]


def _pixels(num_patches: int) -> torch.Tensor:
    return torch.rand(num_patches, 3, 14, 14, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_packed_pictures_give_the_features_they_give_alone(tiny_model: KimiVL) -> None:
    pixels_PCHW = _pixels(sum(LENGTHS))
    together_TD = tiny_model.encode_images(pixels_PCHW, GRIDS)
    alone = [
        tiny_model.encode_images(image_PCHW, [grid])
        for image_PCHW, grid in zip(torch.split(pixels_PCHW, LENGTHS), GRIDS, strict=True)
    ]
    torch.testing.assert_close(together_TD, torch.cat(alone), rtol=1e-5, atol=1e-5)


def test_grids_may_be_a_tensor(tiny_model: KimiVL) -> None:
    pixels_PCHW = _pixels(sum(LENGTHS))
    with_tensor = tiny_model.encode_images(pixels_PCHW, torch.tensor(GRIDS))
    torch.testing.assert_close(with_tensor, tiny_model.encode_images(pixels_PCHW, GRIDS), rtol=0, atol=0)


@pytest.mark.parametrize("lengths", [[24, 20, 4], [16, 16, 16], [48]], ids=str)
def test_packed_attention_equals_a_block_mask(lengths: list[int]) -> None:
    q, k, v = torch.randn(3, 48, 2, 8, generator=torch.Generator().manual_seed(0))
    packed = varlen_attention(q, k, v, [0, *accumulate(lengths)])
    image_P = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    scores_HPP = torch.einsum("phk,shk->hps", q, k) / 8**0.5
    scores_HPP = scores_HPP.masked_fill(image_P[:, None] != image_P[None], float("-inf"))
    expected = torch.einsum("hps,shk->phk", scores_HPP.softmax(-1), v)
    torch.testing.assert_close(packed, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("length", "dtype", "atol"), [(700, torch.float32, 1e-5), (700, torch.bfloat16, 5e-3)], ids=str
)
def test_attention_by_plain_products_equals_torchs(length: int, dtype: torch.dtype, atol: float) -> None:
    q, k, v = torch.randn(3, length, 2, 72, generator=torch.Generator().manual_seed(0)).to(dtype)
    expected = varlen_attention(q.double(), k.double(), v.double(), [0, length])
    torch.testing.assert_close(blocked_attention(q, k, v).double(), expected, rtol=0, atol=atol)  # bf16: of the scores


def test_packed_attention_can_be_learned_through() -> None:
    qkv = torch.randn(3, 48, 2, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()

    def attend(qkv: torch.Tensor) -> torch.Tensor:
        return varlen_attention(qkv[0], qkv[1], qkv[2], [0, 4, 10, 48]).sum(-1)

    assert torch.autograd.gradcheck(attend, (qkv,), fast_mode=True)  # against differences, in fp64


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_tower_gives_the_same_features_in_inference_as_in_training(tiny_model: KimiVL, dtype: torch.dtype) -> None:
    model = copy.deepcopy(tiny_model).to(dtype)
    pixels_PCHW = _pixels(sum(LENGTHS)).to(dtype)
    with torch.inference_mode():
        inferred_TD = [model.encode_images(pixels_PCHW, GRIDS) for _ in range(2)]
    learned_TD = model.requires_grad_(True).encode_images(pixels_PCHW, GRIDS)
    assert learned_TD.requires_grad
    for each_TD in inferred_TD:
        torch.testing.assert_close(each_TD, learned_TD, rtol=0, atol=0)  # the same kernels on the same numbers


def test_inner_activations_may_be_made_in_parts(tiny_config: KimiVLConfig) -> None:
    torch.manual_seed(0)
    mlp = VisionMLP(tiny_config.vision)
    x_PD = torch.randn(2 * ROWS_TOGETHER + 3, tiny_config.vision.hidden_size)
    with torch.inference_mode():
        in_parts_PD = mlp(x_PD)
    torch.testing.assert_close(in_parts_PD, mlp(x_PD), rtol=1e-5, atol=1e-6)  # fp32, other numbers of rows


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_bytes_are_normalised_to_the_published_numbers(dtype: torch.dtype) -> None:
    config = ImageConfig(image_mean=(0.48145466, 0.4578275, 0.5), image_std=(0.26862954, 0.26130258, 0.5))
    bytes_PCHW = np.arange(1200 * 3 * 4, dtype=np.uint32).astype(np.uint8).reshape(1200, 3, 2, 2)
    mean, std = (np.asarray(x, np.float32)[:, None, None] for x in (config.image_mean, config.image_std))
    expected_PCHW = torch.from_numpy((bytes_PCHW.astype(np.float32) / np.float32(255) - mean) / std).to(dtype)
    assert torch.equal(normalise(torch.from_numpy(bytes_PCHW), config, dtype), expected_PCHW)


@pytest.mark.parametrize("cu_seqlens", [[], [0], [0, 5], [0, 0, 6], [1, 6], [0, 6, 4, 6]], ids=str)
def test_boundaries_that_do_not_rise_to_the_end_are_refused(cu_seqlens: list[int]) -> None:
    x = torch.zeros(6, 1, 4)
    with pytest.raises(ValueError, match="must rise from 0 to 6"):
        varlen_attention(x, x, x, cu_seqlens)


def _table(height: int, width: int) -> PositionTable:
    config = VisionConfig(
        patch_size=14,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        init_pos_emb_height=height,
        init_pos_emb_width=width,
    )
    return PositionTable(config).requires_grad_(False)


def test_a_grid_of_the_tables_own_size_takes_it_as_it_is() -> None:
    table = _table(64, 64)
    torch.testing.assert_close(table([(64, 64)]), table.weight.flatten(0, 1), rtol=0, atol=1e-7)


def test_another_grid_resamples_the_table_by_half_pixel_bicubic() -> None:
    table = _table(6, 5)
    got_PD = table([(4, 8), (512, 2)])
    assert got_PD.shape == (4 * 8 + 512 * 2, 8)
    assert got_PD[0].ne(table.weight[0, 0]).any()  # corners are not aligned
    torch.testing.assert_close(got_PD[: 4 * 8].unflatten(0, (4, 8)), _bicubic(table.weight, 4, 8), rtol=0, atol=1e-6)


def test_a_resampled_table_is_kept_for_as_long_as_the_table_stays() -> None:
    table = _table(6, 5)
    with torch.inference_mode():
        before_PD = table([(4, 8)]).clone()
        assert torch.equal(table([(4, 8)]), before_PD)
    table.weight.mul_(2)
    with torch.inference_mode():
        doubled_PD = table([(4, 8)]).clone()
    torch.testing.assert_close(doubled_PD, 2 * before_PD, rtol=1e-6, atol=1e-6)
    table.to(torch.bfloat16)
    with torch.inference_mode():
        assert table([(4, 8)]).dtype == torch.bfloat16
    table.weight = torch.nn.Parameter(torch.zeros(6, 5, 8))
    with torch.inference_mode():
        assert not table([(4, 8)]).any()


def test_nothing_of_the_table_is_kept_while_it_is_learned() -> None:
    table = _table(6, 5).requires_grad_(True)
    with torch.inference_mode():
        table([(4, 8)])
    for _ in range(2):
        table.weight.grad = None
        table([(4, 8)]).sum().backward()  # pyright: ignore[reportUnknownMemberType] - torch's own annotation
        assert table.weight.grad is not None


def test_a_resampled_table_is_kept_for_the_last_grids_only() -> None:
    table = _table(6, 5)
    sizes = [(2, width) for width in range(1, KEPT_GRIDS + 3)]
    with torch.inference_mode():
        kept = [table([size]).clone() for size in sizes]
        again = [table([size]) for size in reversed(sizes)]
    for one_PD, other_PD in zip(kept, reversed(again), strict=True):
        assert torch.equal(one_PD, other_PD)


def _bicubic(table_HWD: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Keys' kernel with a = -0.75, half-pixel centres, edges repeated, from its definition."""

    def matrix(new: int, old: int) -> torch.Tensor:
        rows = torch.zeros(new, old)
        for i in range(new):
            centre = (i + 0.5) * old / new - 0.5
            base = int(centre // 1)
            for j in range(base - 1, base + 3):
                rows[i, min(max(j, 0), old - 1)] += _keys(abs(centre - j))
        return rows

    def _keys(t: float, a: float = -0.75) -> float:
        if t <= 1:
            return (a + 2) * t**3 - (a + 3) * t**2 + 1
        return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a

    return torch.einsum(
        "ih,jw,hwd->ijd", matrix(height, table_HWD.shape[0]), matrix(width, table_HWD.shape[1]), table_HWD
    )


def test_a_merge_group_reads_top_left_top_right_bottom_left_bottom_right() -> None:
    numbers_PD = torch.arange(2 * 4 + 4 * 2).float()[:, None]
    groups_TMD = merge_patches(numbers_PD, [(2, 4), (4, 2)], (2, 2))
    expected = [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 10, 11], [12, 13, 14, 15]]
    assert groups_TMD.squeeze(-1).equal(torch.tensor(expected).float())


def test_a_grid_that_does_not_divide_into_groups_is_refused() -> None:
    with pytest.raises(ValueError, match="3x4 patches does not divide into 2x2"):
        merge_patches(torch.zeros(12, 1), [(3, 4)], (2, 2))


def test_grids_that_do_not_cover_the_patches_are_refused(tiny_model: KimiVL) -> None:
    with pytest.raises(ValueError, match="make 24 patches, got 20"):
        tiny_model.encode_images(_pixels(20), [(4, 6)])


def test_placeholders_and_features_must_be_as_many(tiny_model: KimiVL, tiny_config: KimiVLConfig) -> None:
    media = tiny_config.media_placeholder_token_id
    with pytest.raises(ValueError, match="2 media placeholders, the images make 1 features"):
        tiny_model(torch.tensor([[1, media, media]]), _pixels(4), [(2, 2)])
    with pytest.raises(ValueError, match="1 media placeholders, the images make 0 features"):
        tiny_model(torch.tensor([[1, media]]))


def test_features_replace_placeholders_in_order(tiny_model: KimiVL, tiny_config: KimiVLConfig) -> None:
    media = tiny_config.media_placeholder_token_id
    features_TD = torch.arange(3 * 32).float().view(3, 32)
    embedded_BLD = tiny_model.embed(torch.tensor([[media, 1, media], [2, media, 3]]), features_TD)
    torch.testing.assert_close(embedded_BLD[[0, 0, 1], [0, 2, 1]], features_TD, rtol=0, atol=0)
    torch.testing.assert_close(
        embedded_BLD[1, [0, 2]], tiny_model.language_model.model.embed_tokens.weight[[2, 3]], rtol=0, atol=0
    )
