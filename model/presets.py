"""Published sizes, and smaller ones of the same shape, for benchmarks and tests: sizes only, no weights."""

from __future__ import annotations

from dataclasses import replace

from .config import ImageConfig, KimiVLConfig, TextConfig, VisionConfig

_INSTRUCT = KimiVLConfig(  # Kimi-VL-A3B-Instruct
    text=TextConfig(
        vocab_size=163840,
        hidden_size=2048,
        num_hidden_layers=27,
        num_attention_heads=16,
        intermediate_size=11264,
        moe_intermediate_size=1408,
        n_routed_experts=64,
        num_experts_per_tok=6,
        n_shared_experts=2,
        first_k_dense_replace=1,
        routed_scaling_factor=2.446,
        kv_lora_rank=512,
        qk_nope_head_dim=128,
        qk_rope_head_dim=64,
        v_head_dim=128,
        rope_theta=800000.0,
        max_position_embeddings=131072,
        bos_token_id=163584,
        eos_token_id=163585,
        pad_token_id=163839,
    ),
    vision=VisionConfig(
        patch_size=14,
        hidden_size=1152,
        num_hidden_layers=27,
        num_attention_heads=16,
        intermediate_size=4304,
        init_pos_emb_height=64,
        init_pos_emb_width=64,
    ),
    image=ImageConfig(),
    media_placeholder_token_id=163605,
)
_THREE_VISION_LAYERS = replace(_INSTRUCT.vision, num_hidden_layers=3)
_SMALL_TEXT = TextConfig(
    vocab_size=8192,
    hidden_size=512,
    num_hidden_layers=6,
    num_attention_heads=8,
    intermediate_size=1536,
    moe_intermediate_size=352,
    n_routed_experts=32,
    num_experts_per_tok=6,
    n_shared_experts=2,
    first_k_dense_replace=1,
    routed_scaling_factor=2.446,
    kv_lora_rank=128,
    qk_nope_head_dim=64,
    qk_rope_head_dim=32,
    v_head_dim=64,
    rope_theta=800000.0,
    max_position_embeddings=131072,
    bos_token_id=7936,
    eos_token_id=7937,
    pad_token_id=8191,
)
PRESETS = {
    "instruct": _INSTRUCT,
    # The decoder's and the tower's first three layers, of the very same widths.
    "kimi3": replace(_INSTRUCT, text=replace(_INSTRUCT.text, num_hidden_layers=3), vision=_THREE_VISION_LAYERS),
    "small": replace(_INSTRUCT, text=_SMALL_TEXT, vision=_THREE_VISION_LAYERS, media_placeholder_token_id=7957),
}


def preset(name: str) -> KimiVLConfig:
    """The sizes of that name. ValueError for another."""
    if name not in PRESETS:
        raise ValueError(f"there is no preset {name!r}: give one of {', '.join(PRESETS)}")
    return PRESETS[name]
