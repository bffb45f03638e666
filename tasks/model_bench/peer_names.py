"""Our sizes and weights under transformers' names. K2.5's tower is MoonViT with a time axis: at one frame the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ...model import KimiVLConfig, TextConfig

# Beginnings of names, the first that fits; then parts of a block's names.
VISION_PREFIXES = (
    ("multi_modal_projector.linear_1.", "mm_projector.in_proj."),
    ("multi_modal_projector.linear_2.", "mm_projector.out_proj."),
    ("multi_modal_projector.", "mm_projector."),
    ("vision_tower.patch_embed.pos_emb.weight", "vision_tower.patch_embed.pos_emb.position_embeddings"),
    ("vision_tower.encoder.blocks.", "vision_tower.layers."),
    ("vision_tower.encoder.", "vision_tower."),
    ("vision_tower.", "vision_tower."),
)
BLOCK_PARTS = ((".norm1.", ".norm2."), (".norm0.", ".norm1."), (".mlp.fc1.", ".mlp.fc2."), (".mlp.fc0.", ".mlp.fc1."))


def deepseek_config(config: TextConfig) -> Any:
    """DeepseekV3Config of these sizes."""
    import transformers

    theirs: Any = transformers.DeepseekV3Config(
        vocab_size=config.vocab_size,
        hidden_size=config.hidden_size,
        intermediate_size=config.intermediate_size,
        moe_intermediate_size=config.moe_intermediate_size,
        num_hidden_layers=config.num_hidden_layers,
        num_attention_heads=config.num_attention_heads,
        num_key_value_heads=config.num_attention_heads,
        n_shared_experts=config.n_shared_experts,
        n_routed_experts=config.n_routed_experts,
        num_experts_per_tok=config.num_experts_per_tok,
        routed_scaling_factor=config.routed_scaling_factor,
        first_k_dense_replace=config.first_k_dense_replace,
        kv_lora_rank=config.kv_lora_rank,
        q_lora_rank=None,
        qk_rope_head_dim=config.qk_rope_head_dim,
        qk_nope_head_dim=config.qk_nope_head_dim,
        v_head_dim=config.v_head_dim,
        n_group=1,
        topk_group=1,
        norm_topk_prob=config.norm_topk_prob,
        rms_norm_eps=config.rms_norm_eps,
        max_position_embeddings=config.max_position_embeddings,
        rope_interleave=True,
        rope_parameters={"rope_type": "default", "rope_theta": config.rope_theta},
        attention_bias=False,
        tie_word_embeddings=False,
        num_mtp_layers=0,
    )
    theirs._attn_implementation = "sdpa"
    return theirs


def k25_config(config: KimiVLConfig) -> Any:
    """Kimi_K25Config of these sizes."""
    import transformers

    vision = config.vision
    whole: Any = transformers.Kimi_K25Config(
        text_config=deepseek_config(config.text),
        vision_config={
            "patch_size": vision.patch_size,
            "pos_emb_height": vision.init_pos_emb_height,
            "pos_emb_width": vision.init_pos_emb_width,
            "num_attention_heads": vision.num_attention_heads,
            "num_hidden_layers": vision.num_hidden_layers,
            "hidden_size": vision.hidden_size,
            "intermediate_size": vision.intermediate_size,
            "merge_kernel_size": list(vision.merge_kernel_size),
            "rope_parameters": {"rope_type": "axial", "rope_theta": 10000.0},
        },
        projection_hidden_size=vision.hidden_size,
        image_token_id=config.media_placeholder_token_id,
        video_token_id=config.text.vocab_size,
        tie_word_embeddings=False,
    )
    whole.vision_config._attn_implementation = "sdpa"
    return whole


def k25_vision_weights(config: KimiVLConfig, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`vision_tower.*` and `mm_projector.*`: qkv taken apart, rotary pairs laid out in halves, the rest renamed."""
    heads, head_dim = config.vision.num_attention_heads, config.vision.head_dim
    halves = torch.cat((torch.arange(0, head_dim, 2), torch.arange(1, head_dim, 2)))
    state: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        if not name.startswith(("vision_tower.", "multi_modal_projector.")):
            continue
        renamed = _renamed(name)
        if ".wqkv." not in renamed:
            state[renamed] = tensor
            continue
        for letter, rows in zip("qkv", tensor.chunk(3), strict=True):
            if letter != "v":
                rows = rows.unflatten(0, (heads, head_dim))[:, halves.to(rows.device)].flatten(0, 1)
            state[renamed.replace(".wqkv.", f".attn.{letter}_proj.")] = rows
    return state


def _renamed(name: str) -> str:
    old, new = next((old, new) for old, new in VISION_PREFIXES if name.startswith(old))
    renamed = new + name.removeprefix(old)
    if renamed.startswith("vision_tower.layers."):
        for old, new in BLOCK_PARTS:
            if old in renamed:
                return renamed.replace(old, new)
        return renamed.replace(".wo.", ".attn.proj.")
    return renamed
