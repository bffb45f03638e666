"""Tiny random Kimi-VLs: every part of the architecture, thousands of parameters instead of billions."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import settings
from moonhand.model import ImageConfig, KimiVL, KimiVLConfig, TextConfig, Tokenizer, VisionConfig

settings.register_profile("moonhand", deadline=None)  # a busy machine is no failure
settings.load_profile("moonhand")

SMALL_TOKENS = [bytes([byte]) for byte in range(256)] + [b"th", b"the", b" the", b"se", b"er", b"user", b"im", b"age"]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Generator[None]:
    """Tiny tensors gain nothing from threads, and threads that wait for each other lose much on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    """264 ordinary tokens, then the family's 256 control slots."""
    return Tokenizer(SMALL_TOKENS)


@pytest.fixture(scope="session")
def small_tokens() -> list[bytes]:
    return list(SMALL_TOKENS)


@pytest.fixture(scope="session")
def tiny_config(tokenizer: Tokenizer) -> KimiVLConfig:
    """One dense and two MoE layers, two vision blocks, widths of 32."""
    return KimiVLConfig(
        text=TextConfig(
            vocab_size=tokenizer.vocab_size,
            hidden_size=32,
            num_hidden_layers=3,
            num_attention_heads=4,
            intermediate_size=48,
            moe_intermediate_size=16,
            n_routed_experts=8,
            num_experts_per_tok=3,
            n_shared_experts=2,
            first_k_dense_replace=1,
            routed_scaling_factor=2.446,
            kv_lora_rank=16,
            qk_nope_head_dim=8,
            qk_rope_head_dim=8,
            v_head_dim=6,
            rope_theta=800000.0,
            max_position_embeddings=512,
        ),
        vision=VisionConfig(
            patch_size=14,
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=48,
            init_pos_emb_height=8,
            init_pos_emb_width=8,
        ),
        image=ImageConfig(in_token_limit=64),
        media_placeholder_token_id=tokenizer.media_pad,
        torch_dtype="float32",
    )


@pytest.fixture(scope="session")
def random_model() -> Callable[[KimiVLConfig], KimiVL]:
    """A model with every parameter random, the biases and norms included, so that none can be forgotten unseen."""

    def build(config: KimiVLConfig, seed: int = 0) -> KimiVL:
        generator = torch.Generator().manual_seed(seed)
        model = KimiVL(config).eval().requires_grad_(False)
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            centre = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            fan_in = parameter.shape[-1] if parameter.dim() > 1 else 100
            parameter.copy_(centre + noise * fan_in**-0.5)
        return model

    return build


@pytest.fixture(scope="session")
def tiny_model(tiny_config: KimiVLConfig, random_model: Callable[[KimiVLConfig], KimiVL]) -> KimiVL:
    return random_model(tiny_config)


@pytest.fixture(scope="session")
def with_text() -> Callable[..., KimiVLConfig]:
    """`with_text(config, num_hidden_layers=2)`: the same config with other text fields."""

    def change(config: KimiVLConfig, **fields: Any) -> KimiVLConfig:
        return replace(config, text=replace(config.text, **fields))

    return change
