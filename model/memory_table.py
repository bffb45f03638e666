"""What a checkpoint takes while it answers, from its configuration alone: weights, latents and activations.

One request at a time, in `Engine`'s default settings, with 16-bit activations. Weights and latents are exact;
activations are the largest of what the tower, the embedding and one pass of the decoder hold at once, an estimate from
above. What was kept of earlier prompts and pictures comes on top, up to the budgets of `EngineConfig`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from .attention import PIECE_TOKENS
from .config import KimiVLConfig, Quantization
from .image import image_transform
from .layout import Place, empty_model, model_layout
from .memory import place_bytes

CONTEXTS = tuple(1024 * thousands for thousands in (4, 8, 16, 32, 64, 128))
SCREEN_PX = (1920, 1080)
TEXT_TOKENS = 256  # of a prompt beside its pictures, at the least
# Python, torch with its kernels, and what allocators keep back: 0.4 to 0.6 GiB as measured on a CPU, rounded up.
PROGRAM_BYTES = 640 << 20
_ITEM = 2  # bytes of an activation
_CHUNK_TOKENS, _PATCHES_PER_PASS = 2048, 32_768  # the defaults of `EngineConfig`
_WORKSPACE_ELEMENTS = 1 << 24  # of a matrix that is dequantised, twice: see `quantize.Workspace`


@dataclass(frozen=True, kw_only=True)
class ContextMemory:
    """A context that is full: as many screenshots as fit, the rest text."""

    context_tokens: int
    screens: int  # of SCREEN_PX, read together
    latents_bytes: int
    activations_bytes: int
    total_bytes: int  # with the weights and PROGRAM_BYTES


@dataclass(frozen=True, kw_only=True)
class FormatMemory:
    """The weights in one format, and what each length of context adds."""

    weights: str  # bfloat16, int8 or int4
    weights_bytes: int
    contexts: tuple[ContextMemory, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"contexts": [asdict(each) for each in self.contexts]}


def memory_table(config: KimiVLConfig) -> list[FormatMemory]:
    """Every format the checkpoint can be held in here: a quantised one its own alone."""
    layout = model_layout(empty_model(replace(config, quantization=None)))
    formats: tuple[Quantization | None, ...] = (None, "int8", "int4")
    return [
        _of_format(config, layout, each)
        for each in (formats if config.quantization is None else (config.quantization,))
    ]


def weights_bytes(layout: Mapping[str, Place], quantization: Quantization | None) -> int:
    """Of the model's tensors, those that are not quantised in bf16 (selection biases fp32)."""
    return sum(place_bytes(place, _ITEM, quantization) for place in layout.values())


def tokens_per_screen(config: KimiVLConfig) -> int:
    """Image tokens of a screenshot of SCREEN_PX, no blank ones left out."""
    merge_h, merge_w = config.vision.merge_kernel_size
    return _patches_per_screen(config) // (merge_h * merge_w)


def _of_format(config: KimiVLConfig, layout: Mapping[str, Place], quantization: Quantization | None) -> FormatMemory:
    weights = weights_bytes(layout, quantization)
    limit = config.text.max_position_embeddings
    lengths = [length for length in CONTEXTS if length <= limit] or [limit]
    rows: list[ContextMemory] = []
    for length in lengths:
        screens = max(0, length - TEXT_TOKENS) // tokens_per_screen(config)
        latents = (
            length * config.text.num_hidden_layers * (config.text.kv_lora_rank + config.text.qk_rope_head_dim) * _ITEM
        )
        activations = activations_bytes(config, length, screens, quantization)
        rows.append(
            ContextMemory(
                context_tokens=length,
                screens=screens,
                latents_bytes=latents,
                activations_bytes=activations,
                total_bytes=weights + latents + activations + PROGRAM_BYTES,
            )
        )
    return FormatMemory(weights=quantization or "bfloat16", weights_bytes=weights, contexts=tuple(rows))


def activations_bytes(config: KimiVLConfig, tokens: int, screens: int, quantization: Quantization | None = None) -> int:
    """At most what a prompt of so many tokens holds at once beside weights and latents, `screens` screenshots in it."""
    text, image_tokens = config.text, screens * tokens_per_screen(config)
    embeddings = tokens * text.hidden_size * _ITEM
    features = image_tokens * text.hidden_size * _ITEM
    logits = 4 * text.vocab_size * 4  # fp32: themselves, their logarithms, ranks and a mask
    stages = (
        features + _tower_bytes(config, screens),
        features + 2 * embeddings,  # before and after the features are put in
        features + embeddings + _pass_bytes(config, tokens, quantization) + logits,
    )
    return max(stages)


def _tower_bytes(config: KimiVLConfig, screens: int) -> int:
    """Of one pass of the tower and the projector over a pack of screenshots."""
    vision, patches = config.vision, _patches_per_screen(config)
    if screens == 0:
        return 0
    packed = patches * max(1, min(screens, _PATCHES_PER_PASS // patches))
    values = 3 * vision.patch_size**2  # of a patch: bytes, and what is made of them
    width = vision.hidden_size
    attention = 8 * width * _ITEM + vision.head_dim * 4  # residual, norm, q, k and v twice over, result; rotations
    mlp = (2 * width + 2 * vision.intermediate_size) * _ITEM
    merged = 3 * width * _ITEM
    return packed * (values * (1 + _ITEM) + max(attention, mlp, merged))


def _pass_bytes(config: KimiVLConfig, tokens: int, quantization: Quantization | None) -> int:
    """Of one layer over one chunk of a prompt: the residual and its norm, then attention or experts."""
    text = config.text
    new, piece, width = min(tokens, _CHUNK_TOKENS), min(tokens, PIECE_TOKENS), text.hidden_size
    heads, widest = text.num_attention_heads, max(text.qk_head_dim, text.v_head_dim)
    queries = 3 * new * heads * text.qk_head_dim * _ITEM  # as projected, their rotated part, put together
    expanded = piece * heads * (text.qk_nope_head_dim + text.v_head_dim + 2 * widest) * _ITEM
    results = new * heads * (text.v_head_dim * 4 + widest * (_ITEM + 4))  # merged in fp32, and a piece's own
    attention = queries + expanded + results
    rows = new * text.num_experts_per_tok + 16 * text.n_routed_experts
    routed = rows * (width * _ITEM + 8) + new * (2 * width + 4 * text.moe_intermediate_size) * _ITEM
    shared = 3 * new * text.n_shared_experts * text.moe_intermediate_size * _ITEM
    dense = 3 * new * text.intermediate_size * _ITEM
    unpacked = 0 if quantization is None else 2 * _WORKSPACE_ELEMENTS * _ITEM
    rotations = tokens * text.qk_rope_head_dim * 4
    return 3 * new * width * _ITEM + rotations + max(attention, routed + shared, dense) + unpacked


def _patches_per_screen(config: KimiVLConfig) -> int:
    transform = image_transform(*SCREEN_PX, config.image)
    p = config.image.patch_size
    return (transform.padded_width_px // p) * (transform.padded_height_px // p)
