"""Attention over cached latents: expanded piece by piece or not at all, it is the plain layer's."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from moonhand.model import KimiVL, KimiVLConfig, TextConfig
from moonhand.model.attention import LatentAttention, RMSNorm, absorbed_attention, prefill_attention
from moonhand.model.rope import rotate, text_rotations

KIMI_HEADS = {"qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "kv_lora_rank": 512}


def _drawn(config: TextConfig, new: int, total: int, dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    q_LHK = torch.randn(new, config.num_attention_heads, config.qk_head_dim, generator=generator)
    latents_SC = torch.randn(total, config.kv_lora_rank + config.qk_rope_head_dim, generator=generator)
    rows = config.num_attention_heads * (config.qk_nope_head_dim + config.v_head_dim)
    kv_b = torch.randn(rows, config.kv_lora_rank, generator=generator) * config.kv_lora_rank**-0.5
    return q_LHK.to(dtype), latents_SC.to(dtype), kv_b.to(dtype)


def _by_definition(
    q_LHK: torch.Tensor, latents_SC: torch.Tensor, kv_b: torch.Tensor, config: TextConfig
) -> torch.Tensor:
    """The same in fp64, with all scores at once."""
    new, total = len(q_LHK), len(latents_SC)
    latent_SR, rope_SK = latents_SC.double().split((config.kv_lora_rank, config.qk_rope_head_dim), dim=-1)
    up_SHU = (latent_SR @ kv_b.double().T).unflatten(-1, (config.num_attention_heads, -1))
    k_SHK, v_SHV = up_SHU.split((config.qk_nope_head_dim, config.v_head_dim), dim=-1)
    k_SHK = torch.cat((k_SHK, rope_SK[:, None].expand(-1, config.num_attention_heads, -1)), dim=-1)
    scores_HLS = torch.einsum("lhk,shk->hls", q_LHK.double(), k_SHK) * config.qk_head_dim**-0.5
    seen_LS = torch.ones(new, total, dtype=torch.bool).tril(total - new)
    return torch.einsum("hls,shv->lhv", scores_HLS.masked_fill(~seen_LS, -torch.inf).softmax(-1), v_SHV)


@pytest.mark.parametrize(("new", "total"), [(1, 1), (1, 40), (20, 20), (13, 50), (40, 41), (70, 100)])
@pytest.mark.parametrize("piece_tokens", [4096, 16, 7, 1])
def test_prefill_in_pieces_equals_all_scores_at_once(
    tiny_config: KimiVLConfig, new: int, total: int, piece_tokens: int
) -> None:
    config = tiny_config.text
    q_LHK, latents_SC, kv_b = _drawn(config, new, total, torch.float32)
    got_LHV = prefill_attention(q_LHK, latents_SC, kv_b, config, piece_tokens=piece_tokens)
    expected_LHV = _by_definition(q_LHK, latents_SC, kv_b, config).float()
    torch.testing.assert_close(got_LHV, expected_LHV, rtol=1e-5, atol=5e-6)  # fp32, sums in another order


@pytest.mark.parametrize("piece_tokens", [4096, 64])
def test_prefill_keeps_its_precision_in_bfloat16_at_the_published_widths(
    tiny_config: KimiVLConfig, piece_tokens: int
) -> None:
    config = replace(tiny_config.text, **KIMI_HEADS)
    q_LHK, latents_SC, kv_b = _drawn(config, 100, 300, torch.bfloat16)
    got_LHV = prefill_attention(q_LHK, latents_SC, kv_b, config, piece_tokens=piece_tokens)
    assert got_LHV.dtype == torch.bfloat16
    expected_LHV = _by_definition(q_LHK, latents_SC, kv_b, config)
    torch.testing.assert_close(got_LHV.double(), expected_LHV, rtol=2e-2, atol=1e-2)  # keys and values are bf16


def test_values_may_be_wider_than_keys(tiny_config: KimiVLConfig) -> None:
    config = replace(tiny_config.text, v_head_dim=24)  # keys have 16
    q_LHK, latents_SC, kv_b = _drawn(config, 13, 50, torch.float32)
    expected_LHV = _by_definition(q_LHK, latents_SC, kv_b, config).float()
    for piece_tokens in (4096, 7):
        got_LHV = prefill_attention(q_LHK, latents_SC, kv_b, config, piece_tokens=piece_tokens)
        torch.testing.assert_close(got_LHV, expected_LHV, rtol=1e-5, atol=5e-6)  # fp32, sums in another order


@pytest.mark.parametrize(("dtype", "atol"), [(torch.float32, 5e-6), (torch.bfloat16, 2e-2)], ids=str)
def test_one_query_over_latents_equals_expanded_keys_and_values(
    tiny_config: KimiVLConfig, dtype: torch.dtype, atol: float
) -> None:
    config = replace(tiny_config.text, **KIMI_HEADS)
    q_LHK, latents_SC, kv_b = _drawn(config, 1, 300, dtype)
    got_HV = absorbed_attention(q_LHK[0], latents_SC, kv_b, config)
    assert got_HV.dtype == dtype
    expected_HV = _by_definition(q_LHK, latents_SC, kv_b, config)[0]
    torch.testing.assert_close(got_HV.double(), expected_HV, rtol=1e-5, atol=atol)  # bf16: latent query and mix too


@pytest.mark.parametrize(("new", "total"), [(0, 5), (6, 5), (0, 0)])
def test_queries_that_cannot_be_the_last_tokens_are_refused(tiny_config: KimiVLConfig, new: int, total: int) -> None:
    q_LHK, latents_SC, kv_b = _drawn(tiny_config.text, new, total, torch.float32)
    with pytest.raises(ValueError, match=f"{new} queries cannot be the last of {total} tokens"):
        prefill_attention(q_LHK, latents_SC, kv_b, tiny_config.text)


def test_the_layer_is_prefill_over_the_latents_it_makes(tiny_model: KimiVL, tiny_config: KimiVLConfig) -> None:
    config = tiny_config.text
    layer = tiny_model.language_model.model.layers[1].self_attn
    assert isinstance(layer, LatentAttention)
    x_LD = torch.randn(30, config.hidden_size, generator=torch.Generator().manual_seed(1))
    rotations_LK = text_rotations(torch.arange(30)[None], config.qk_rope_head_dim, config.rope_theta)[0]
    q_LHK = layer.q_proj(x_LD).unflatten(-1, (-1, config.qk_head_dim))
    q_LHK[..., config.qk_nope_head_dim :] = rotate(q_LHK[..., config.qk_nope_head_dim :], rotations_LK)
    latents_LC = layer.kv_a_proj_with_mqa(x_LD)
    key_LK = rotate(latents_LC[:, None, config.kv_lora_rank :], rotations_LK)[:, 0]
    latents_LC = torch.cat((layer.kv_a_layernorm(latents_LC[:, : config.kv_lora_rank]), key_LK), dim=-1)
    out_LHV = prefill_attention(q_LHK, latents_LC, layer.kv_b_proj.weight, config, piece_tokens=8)
    expected_BLD = layer(x_LD[None], rotations_LK[None])
    torch.testing.assert_close(layer.o_proj(out_LHV.flatten(1)), expected_BLD[0], rtol=1e-5, atol=1e-5)  # fp32


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_the_norm_works_in_fp32_then_casts_then_weighs(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    norm = RMSNorm(64, 1e-5).to(dtype).requires_grad_(False)
    norm.weight.copy_(torch.rand(64, generator=generator))
    x_LD = (torch.randn(50, 64, generator=generator) * 3).to(dtype)
    x_fp32 = x_LD.float()
    normed = x_fp32 * torch.rsqrt(x_fp32.square().mean(-1, keepdim=True) + 1e-5)
    torch.testing.assert_close(norm(x_LD), norm.weight * normed.to(dtype), rtol=1e-6, atol=0)  # fp32: another mean
