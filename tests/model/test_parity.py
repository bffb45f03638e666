"""Our model against transformers' own DeepSeek-V3 and Kimi K2.5 code, on random tiny weights in fp32.

K2.5's tower is Kimi-VL's with a time axis: at one frame it is the same function under other names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from moonhand.model import KimiVL, KimiVLConfig, LatentCache
from moonhand.model.runtime import Span, TextRuntime
from moonhand.tasks.model_bench.peer_names import deepseek_config, k25_config
from torch import Tensor

BuildModel = Callable[[KimiVLConfig], KimiVL]


def _assert_equal(ours: Tensor, theirs: Tensor, atol: float = 1e-4) -> None:
    """By the largest absolute difference; the values compared are of order 1."""
    assert theirs.std() > 0.1
    torch.testing.assert_close(ours, theirs, rtol=0.0, atol=atol)


def _hf_text(model: KimiVL) -> Any:
    import transformers  # a second, which only the worker that runs these tests pays

    reference: Any = transformers.DeepseekV3ForCausalLM(deepseek_config(model.config.text)).eval()
    reference.load_state_dict(model.language_model.state_dict())
    return reference


def _random_ids(config: KimiVLConfig, batch: int, length: int) -> Tensor:
    return torch.randint(0, 256, (batch, length), generator=torch.Generator().manual_seed(7))


def _in_pieces(model: KimiVL, ids_BL: Tensor, lengths: list[int]) -> Tensor:
    """Logits after each piece [B, pieces, V], every sequence in a row of one cache."""
    cache = LatentCache(model.config.text, ids_BL.shape[0], ids_BL.shape[1], torch.float32)
    runtime = TextRuntime(model)
    logits: list[Tensor] = []
    for part_BL in torch.split(ids_BL, lengths, dim=1):
        positions = [cache.next_position(row) + at for row in range(len(part_BL)) for at in range(part_BL.shape[1])]
        spans = [Span(row, part_BL.shape[1]) for row in range(len(part_BL))]
        logits.append(runtime.prefill(model.embed(part_BL).flatten(0, 1), cache, spans, positions))
    return torch.stack(logits, dim=1)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"first_k_dense_replace": 3},  # dense only
        {"first_k_dense_replace": 0},  # MoE only
        {"n_routed_experts": 384, "num_experts_per_tok": 8, "n_shared_experts": 1},
        {"qk_nope_head_dim": 16, "qk_rope_head_dim": 4, "v_head_dim": 12, "num_attention_heads": 3},
    ],
    ids=["mixed", "dense", "moe", "384 experts", "odd widths"],
)
def test_the_text_tower_equals_deepseek_v3(
    fields: dict[str, Any],
    tiny_config: KimiVLConfig,
    with_text: Callable[..., KimiVLConfig],
    random_model: BuildModel,
) -> None:
    model = random_model(with_text(tiny_config, **fields))
    ids_BL = _random_ids(model.config, 2, 33)
    with torch.no_grad():
        expected_BLV = _hf_text(model)(input_ids=ids_BL, use_cache=False).logits
        _assert_equal(model(ids_BL), expected_BLV)


def test_the_text_tower_equals_deepseek_v3_in_chunks_with_both_caches(tiny_model: KimiVL) -> None:
    reference = _hf_text(tiny_model)
    ids_BL = _random_ids(tiny_model.config, 2, 24)
    lengths = [10, 6, 1, 1, 6]
    with torch.no_grad():
        hf_cache, hf_logits = None, list[Tensor]()
        for part_BL in torch.split(ids_BL, lengths, dim=1):
            out = reference(input_ids=part_BL, past_key_values=hf_cache, use_cache=True)
            hf_cache = out.past_key_values
            hf_logits.append(out.logits[:, -1])
        _assert_equal(_in_pieces(tiny_model, ids_BL, lengths), torch.stack(hf_logits, dim=1))


def test_the_latents_norm_has_its_own_epsilon(tiny_config: KimiVLConfig, random_model: BuildModel) -> None:
    model = random_model(tiny_config)
    for name, parameter in model.named_parameters():
        if name.endswith("kv_a_proj_with_mqa.weight"):
            parameter.mul_(0.002)  # 1e-5 instead of 1e-6 would now change the latent by a tenth and more
    ids_BL = _random_ids(model.config, 1, 9)
    with torch.no_grad():
        _assert_equal(model(ids_BL), _hf_text(model)(input_ids=ids_BL, use_cache=False).logits)


def _hf_whole(model: KimiVL) -> Any:
    """Kimi K2.5 with our weights: names changed, qkv taken apart, rotary pairs laid out in halves."""
    import transformers

    reference: Any = transformers.Kimi_K25ForConditionalGeneration(k25_config(model.config)).eval()
    reference.load_state_dict(_renamed(model))
    return reference


def _renamed(model: KimiVL) -> dict[str, Tensor]:
    heads, head_dim = model.config.vision.num_attention_heads, model.config.vision.head_dim
    halves = torch.cat((torch.arange(0, head_dim, 2), torch.arange(1, head_dim, 2)))
    changes = [
        ("language_model.model.", "model.language_model."),
        ("language_model.lm_head.", "lm_head."),
        ("multi_modal_projector.linear_1.", "model.mm_projector.in_proj."),
        ("multi_modal_projector.linear_2.", "model.mm_projector.out_proj."),
        ("multi_modal_projector.", "model.mm_projector."),
        ("vision_tower.patch_embed.pos_emb.weight", "model.vision_tower.patch_embed.pos_emb.position_embeddings"),
        ("vision_tower.encoder.blocks.", "model.vision_tower.layers."),
        ("vision_tower.encoder.", "model.vision_tower."),
        ("vision_tower.", "model.vision_tower."),
    ]
    parts = [(".norm1.", ".norm2."), (".norm0.", ".norm1."), (".mlp.fc1.", ".mlp.fc2."), (".mlp.fc0.", ".mlp.fc1.")]
    parts.append((".wo.", ".attn.proj."))
    state: dict[str, Tensor] = {}
    for name, tensor in model.state_dict().items():
        old, new = next((old, new) for old, new in changes if name.startswith(old))
        renamed = new + name.removeprefix(old)
        if ".layers." in renamed and "vision_tower" in renamed:
            old, new = next(((old, new) for old, new in parts if old in renamed), ("", ""))
            renamed = renamed.replace(old, new) if old else renamed
        if ".wqkv." not in renamed:
            state[renamed] = tensor
            continue
        for letter, rows in zip("qkv", tensor.chunk(3), strict=True):
            if letter != "v":
                rows = rows.unflatten(0, (heads, head_dim))[:, halves].flatten(0, 1)
            state[renamed.replace(".wqkv.", f".attn.{letter}_proj.")] = rows
    return state


def test_the_whole_model_with_two_pictures_equals_kimi_k25_at_one_frame(tiny_model: KimiVL) -> None:
    generator = torch.Generator().manual_seed(3)
    grid_hw = torch.tensor([[4, 6], [10, 2]])
    pixels_PCHW = torch.rand(44, 3, 14, 14, generator=generator) * 2 - 1
    media = tiny_model.config.media_placeholder_token_id
    ids_BL = torch.tensor([[5, 6, *[media] * 6, 7, *[media] * 5, 8, 9]])
    reference = _hf_whole(tiny_model)
    grid_thw = torch.cat((torch.ones(2, 1, dtype=torch.int64), grid_hw), dim=1)
    with torch.no_grad():
        features = reference.model.get_image_features(pixels_PCHW, grid_thw).pooler_output
        _assert_equal(tiny_model.encode_images(pixels_PCHW, grid_hw), torch.cat(features))
        expected_BLV = reference(input_ids=ids_BL, pixel_values=pixels_PCHW, image_grid_thw=grid_thw).logits
        _assert_equal(tiny_model(ids_BL, pixels_PCHW, grid_hw), expected_BLV)


def test_the_towers_norms_have_their_epsilon(tiny_config: KimiVLConfig, random_model: BuildModel) -> None:
    model = random_model(tiny_config)
    for name, parameter in model.named_parameters():
        if any(part in name for part in ("patch_embed.", ".wo.", ".mlp.fc1.", "final_layernorm.")):
            parameter.mul_(0.003)  # a residual stream so faint that 1e-5 is a share of its variance
    pixels_PCHW = torch.rand(24, 3, 14, 14, generator=torch.Generator().manual_seed(3)) * 2 - 1
    with torch.no_grad():
        expected = _hf_whole(model).model.get_image_features(pixels_PCHW, torch.tensor([[1, 4, 6]])).pooler_output
        _assert_equal(model.encode_images(pixels_PCHW, [(4, 6)]), expected[0])
