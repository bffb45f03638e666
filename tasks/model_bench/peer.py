"""The peer: transformers' DeepSeek-V3 decoder and Kimi K2.5's tower (at one frame, MoonViT) on the same weights.

transformers is no dependency of moonhand: where it is not installed, `find_peer` says so and its column stays empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from ...model import KimiVLConfig, TextConfig
from .peer_names import deepseek_config, k25_config, k25_vision_weights
from .sides import Grids

EXPERTS_IMPLEMENTATIONS = ("grouped_mm", "eager", "batched_mm")
GATHERED_LIMIT = 2**30  # batched_mm copies the weights of every token's experts: bytes above which it is not tried


def peer_version() -> str | None:
    """Which transformers is installed, if one is."""
    return version("transformers") if find_spec("transformers") is not None else None


class PeerText:
    """DeepseekV3ForCausalLM over the very tensors our model holds."""

    def __init__(self, config: KimiVLConfig, weights: Mapping[str, Tensor]) -> None:
        """`weights` are the plain ones of a `KimiVL`, under their published names; only the decoder's are used."""
        import transformers
        from transformers.models.deepseek_v3.modeling_deepseek_v3 import DeepseekV3RotaryEmbedding

        self._config = config.text
        self._media = config.media_placeholder_token_id
        self._theirs = deepseek_config(config.text)
        with torch.device("meta"):
            model: Any = transformers.DeepseekV3ForCausalLM(self._theirs)
        prefix = "language_model."
        own = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
        model.load_state_dict(own, strict=True, assign=True)
        model.model.rotary_emb = DeepseekV3RotaryEmbedding(self._theirs).to(own["lm_head.weight"].device)
        self._model = model.eval().requires_grad_(False)
        self._latents: list[tuple[Tensor, Tensor]] = []
        self._cache: Any = None

    def use(self, experts: str) -> None:
        """Run the experts this way, one of EXPERTS_IMPLEMENTATIONS, from now on."""
        self._model.set_experts_implementation(experts)

    @torch.inference_mode()
    def read(self, ids_L: Tensor, features_TD: Tensor | None = None) -> Tensor:
        x_BLD = self._model.model.embed_tokens(ids_L[None])
        if features_TD is not None:
            x_BLD = x_BLD.masked_scatter((ids_L == self._media)[None, :, None], features_TD)
        out = self._model(inputs_embeds=x_BLD, past_key_values=self._new_cache(), use_cache=True, logits_to_keep=1)
        return out.logits[0, -1]

    @torch.inference_mode()
    def fill(self, latents_NBSC: Tensor) -> None:
        rank = self._config.kv_lora_rank
        # Ours keeps rotary pairs side by side, theirs all first halves and then all second ones.
        halves = [*range(0, self._config.qk_rope_head_dim, 2), *range(1, self._config.qk_rope_head_dim, 2)]
        self._latents = [
            (layer_BSC[:, None, :, :rank].contiguous(), layer_BSC[:, None, :, rank:][..., halves].contiguous())
            for layer_BSC in latents_NBSC
        ]
        self.rewind()

    @torch.inference_mode()
    def rewind(self) -> None:
        self._cache = self._new_cache()
        for layer, (latent_B1SR, key_B1SK) in enumerate(self._latents):
            self._cache.update(latent_B1SR, key_B1SK, layer)

    @torch.inference_mode()
    def step(self, ids_B: Tensor) -> Tensor:
        out = self._model(input_ids=ids_B[:, None], past_key_values=self._cache, use_cache=True, logits_to_keep=1)
        return out.logits[:, -1]

    def _new_cache(self) -> Any:
        import transformers

        return transformers.DynamicCache(config=self._theirs)


class PeerVision:
    """Kimi K2.5's tower and projector, with our weights under its names."""

    def __init__(self, config: KimiVLConfig, weights: Mapping[str, Tensor]) -> None:
        """`weights` are the plain ones of a `KimiVL`; what is not of the vision side is not looked at."""
        from transformers.models.kimi_k25 import modeling_kimi_k25 as k25

        theirs = k25_config(config)
        state = k25_vision_weights(config, weights)
        some = next(iter(state.values()))
        self._tower: Any = k25.Kimi_K25VisionModel(theirs.vision_config).eval()
        self._projector: Any = k25.Kimi_K25MultimodalProjection(theirs).eval()
        for module, prefix in ((self._tower, "vision_tower."), (self._projector, "mm_projector.")):
            own = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
            module.load_state_dict(own, strict=True, assign=True)
            module.to(some.device).requires_grad_(False)
        places = self._tower.patch_embed.pos_emb
        places.time_position_embeddings = places.time_position_embeddings.to(some.dtype)

    @torch.inference_mode()
    def encode(self, pixels_PCHW: Tensor, grids_hw: Grids) -> Tensor:
        grids_N3 = torch.tensor([[1, height, width] for height, width in grids_hw], device=pixels_PCHW.device)
        return self._projector(self._tower(pixels_PCHW, grid_thw=grids_N3).pooler_output).squeeze(1)


def copies_too_much(config: TextConfig, experts: str, tokens: int, itemsize: int) -> bool:
    """Whether a way to run the experts needs more memory than one would give it."""
    one_token = 3 * config.moe_intermediate_size * config.hidden_size * config.num_experts_per_tok * itemsize
    return experts == "batched_mm" and one_token * tokens > GATHERED_LIMIT
