"""The text decoder: pre-norm blocks of latent attention and SwiGLU or MoE. This is the plain path, without a cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from .attention import LatentAttention, RMSNorm
from .config import TextConfig
from .moe import MLP, MoE
from .rope import text_rotations


class DecoderLayer(nn.Module):
    def __init__(self, config: TextConfig, index: int) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.self_attn = LatentAttention(config)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.mlp = MoE(config) if config.is_moe(index) else MLP(config.hidden_size, config.intermediate_size)

    def forward(self, x_BLD: Tensor, rotations_BLK: Tensor, mask_LS: Tensor | None = None) -> Tensor:
        x_BLD = x_BLD + self.self_attn(self.input_layernorm(x_BLD), rotations_BLK, mask_LS)
        return x_BLD + self.mlp(self.post_attention_layernorm(x_BLD))


class DecoderStack(nn.Module):
    """`language_model.model` of the checkpoint: token table, blocks, final norm."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(DecoderLayer(config, index) for index in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(self, x_BLD: Tensor, positions_BL: Tensor | None = None, mask_LS: Tensor | None = None) -> Tensor:
        """Final hidden states [B, L, D]. Tokens stand one after the other and see those before them;
        `positions_BL` and `mask_LS` (bool, True where a query may look) replace these rules."""
        if positions_BL is None:
            positions_BL = torch.arange(x_BLD.shape[1], device=x_BLD.device)[None]
        rotations_BLK = text_rotations(positions_BL, self.config.qk_rope_head_dim, self.config.rope_theta)
        for layer in self.layers:
            x_BLD = cast("Callable[..., Tensor]", layer)(x_BLD, rotations_BLK, mask_LS)
        return self.norm(x_BLD)


class LanguageModel(nn.Module):
    """`language_model` of the checkpoint: the stack and the output head."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.model = DecoderStack(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
