from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from moonhand.agent import Trajectory

if TYPE_CHECKING:
    from moonhand.model import Engine

TAUGHT = {
    "click Sign up": "click(x=0.500, y=0.250)",
    "the Name field": "click(x=0.250, y=0.750)",
    "click Nothing": "refuse()",
    "click Mumble": "um",
}


@pytest.fixture
def trajectory(tmp_path: Path) -> Iterator[Trajectory]:
    """An empty one, on the disk."""
    with Trajectory(tmp_path / "run", goal="test") as made:
        yield made


@pytest.fixture(scope="session")
def one_thread() -> Iterator[None]:
    """Products this small run no faster on several threads, which only wait for one another on a busy machine."""
    import torch

    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(num_threads)


@pytest.fixture(scope="session")
def taught_folder(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Path:
    """A checkpoint folder of a tiny Kimi-VL trained, in seconds, to answer the questions of TAUGHT on any picture."""
    import torch
    from moonhand.model import (
        ImageConfig,
        KimiVL,
        KimiVLConfig,
        Message,
        Picture,
        TextConfig,
        Tokenizer,
        VisionConfig,
        preprocess,
        render,
        save_checkpoint,
        write_tiktoken_model,
    )
    from moonhand.model.prompt import stack_patches
    from torch.nn import functional

    words = [
        b"You are a helpful assistant",
        b"system",
        b"assistant",
        b"user",
        b"image",
        b"click",
        b"(x=",
        b", y=",
        b"()",
    ]
    tokens = [bytes([byte]) for byte in range(256)] + words
    tokenizer = Tokenizer(tokens)
    config = KimiVLConfig(
        text=TextConfig(
            vocab_size=tokenizer.vocab_size,
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            moe_intermediate_size=16,
            n_routed_experts=4,
            num_experts_per_tok=2,
            n_shared_experts=1,
            first_k_dense_replace=1,
            routed_scaling_factor=1.0,
            kv_lora_rank=32,
            qk_nope_head_dim=16,
            qk_rope_head_dim=16,
            v_head_dim=16,
            rope_theta=10000.0,
            max_position_embeddings=1024,
        ),
        vision=VisionConfig(
            patch_size=14,
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=1,
            intermediate_size=16,
            init_pos_emb_height=4,
            init_pos_emb_width=4,
        ),
        image=ImageConfig(in_token_limit=16),
        media_placeholder_token_id=tokenizer.media_pad,
        torch_dtype="float32",
    )
    pixels_HW3 = np.full((48, 64, 3), 128, dtype=np.uint8)
    patches = preprocess(pixels_HW3, config.image)
    prompts = [
        render([Message("user", (Picture(pixels_HW3), question))], tokenizer, [patches.num_tokens(config.image)])
        for question in TAUGHT
    ]
    replies = [[*tokenizer.encode(reply), tokenizer.im_end] for reply in TAUGHT.values()]
    num_tokens = max(len(prompt) + len(reply) for prompt, reply in zip(prompts, replies, strict=True))
    ids_BL = torch.full((len(TAUGHT), num_tokens), tokenizer.pad)
    labels_BL = torch.full((len(TAUGHT), num_tokens), -100)  # what cross_entropy ignores
    for row, (prompt, reply) in enumerate(zip(prompts, replies, strict=True)):
        ids_BL[row, : len(prompt) + len(reply)] = torch.tensor(prompt + reply)
        labels_BL[row, len(prompt) : len(prompt) + len(reply)] = torch.tensor(reply)

    torch.manual_seed(0)
    model = KimiVL(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    features_TD = model.encode_images(stack_patches([patches], config), [patches.grid_hw]).detach()
    features_TD = features_TD.repeat(len(TAUGHT), 1)
    for _ in range(200):
        logits_BLV = model.decode(model.embed(ids_BL[:, :-1], features_TD))
        loss = functional.cross_entropy(logits_BLV.flatten(0, 1), labels_BL[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()  # pyright: ignore[reportUnknownMemberType] - torch's own annotation
        optimizer.step()
        if float(loss.detach()) < 0.01:
            break
    folder = tmp_path_factory.mktemp("taught") / "nano-taught"
    save_checkpoint(model, folder)
    write_tiktoken_model(tokens, folder / "tiktoken.model")
    return folder


@pytest.fixture(scope="session")
def taught_engine(taught_folder: Path) -> Engine:
    from moonhand.model import load

    return load(taught_folder, device="cpu", dtype="float32")
