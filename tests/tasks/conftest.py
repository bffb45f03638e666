"""A checkpoint of thousands of parameters, set by hand so that every question gets the same reply."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from moonhand.model import (
    ImageConfig,
    KimiVL,
    KimiVLConfig,
    TextConfig,
    Tokenizer,
    VisionConfig,
    save_checkpoint,
    write_tiktoken_model,
)

WIDTH = 16


def write_checkpoint(folder: Path, reply: str) -> Path:
    """A Kimi-VL whose layers pass the last token on unchanged: any token calls for `reply`, and that for the end."""
    folder.mkdir(parents=True)
    tokens = [*(bytes([byte]) for byte in range(256)), reply.encode()]
    write_tiktoken_model(tokens, folder / "tiktoken.model")
    tokenizer = Tokenizer.load(folder)
    text = TextConfig(
        vocab_size=tokenizer.vocab_size,
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=8,
        moe_intermediate_size=8,
        n_routed_experts=4,
        num_experts_per_tok=2,
        n_shared_experts=1,
        first_k_dense_replace=1,
        routed_scaling_factor=1.0,
        kv_lora_rank=4,
        qk_nope_head_dim=4,
        qk_rope_head_dim=4,
        v_head_dim=4,
        rope_theta=10000.0,
        max_position_embeddings=4096,
    )
    vision = VisionConfig(
        patch_size=14,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        init_pos_emb_height=4,
        init_pos_emb_width=4,
    )
    config = KimiVLConfig(
        text=text,
        vision=vision,
        image=ImageConfig(in_token_limit=16),
        media_placeholder_token_id=tokenizer.media_pad,
        torch_dtype="float32",
    )
    model = KimiVL(config).eval().requires_grad_(False)
    said = len(tokens) - 1
    for name, parameter in model.named_parameters():
        parameter.fill_(1.0 if "norm" in name and name.endswith("weight") else 0.0)
    table_VD, head_VD = model.language_model.model.embed_tokens.weight, model.language_model.lm_head.weight
    any_token_D, reply_D = torch.eye(WIDTH)[:2]
    table_VD.copy_(any_token_D.expand_as(table_VD))
    table_VD[said] = reply_D
    head_VD[said] = 4 * any_token_D
    head_VD[tokenizer.im_end] = 4 * reply_D
    save_checkpoint(model, folder)
    return folder


@pytest.fixture(scope="session")
def middle_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Points at the middle of whatever it is shown."""
    return write_checkpoint(tmp_path_factory.mktemp("model") / "middle", "click(x=0.500, y=0.500)")


@pytest.fixture(scope="session")
def refusing_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("model") / "refusing", "refuse()")


@pytest.fixture(scope="session")
def babbling_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its reply is no action."""
    return write_checkpoint(tmp_path_factory.mktemp("model") / "babbling", "hello there")
