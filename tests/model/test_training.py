"""Training: packed questions do not see each other, a run resumes exactly, and the loss falls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from moonhand.model.config import ImageConfig, KimiVLConfig, TextConfig, VisionConfig
from moonhand.model.kimi_vl import KimiVL
from moonhand.model.losses import Vocabulary, block_mask, initialise
from moonhand.model.optim import orthogonalise
from moonhand.model.packing import IGNORE, Batch, LabelledScreen, Region, pack, reply_for
from moonhand.model.tokenizer import NUM_SPECIAL, Tokenizer
from moonhand.model.train import TrainConfig, Trainer, train

TOKENS = [bytes([b]) for b in range(256)] + [f"{n:03d}".encode() for n in range(1000)] + [b"click", b"(x", b" y"]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(TOKENS)


def tiny_config() -> KimiVLConfig:
    base = len(TOKENS)
    return KimiVLConfig(
        text=TextConfig(
            vocab_size=base + NUM_SPECIAL, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
            intermediate_size=48, moe_intermediate_size=16, n_routed_experts=4, num_experts_per_tok=2,
            n_shared_experts=1, first_k_dense_replace=1, routed_scaling_factor=1.5, kv_lora_rank=16,
            qk_nope_head_dim=8, qk_rope_head_dim=8, v_head_dim=16, rope_theta=10000.0, max_position_embeddings=512,
        ),
        vision=VisionConfig(
            patch_size=14, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=48,
            init_pos_emb_height=4, init_pos_emb_width=4,
        ),
        image=ImageConfig(in_token_limit=256, patch_size=14),
        media_placeholder_token_id=base + 21,
    )  # fmt: skip


def a_screen(seed: int, questions: tuple[tuple[str, int | None], ...]) -> LabelledScreen:
    rng = np.random.default_rng(seed)
    return LabelledScreen(
        pixels_HW3=rng.integers(0, 256, (80, 100, 3), np.uint8),
        words=((0, (10.0, 10.0, 40.0, 24.0)), (1, (50.0, 50.0, 90.0, 64.0))),
        characters=((3, (10.0, 10.0, 18.0, 24.0)),),
        regions=(
            Region(0, (25.0, 17.0), ((10.0, 10.0, 40.0, 24.0),)),
            Region(1, (70.0, 57.0), ((50.0, 50.0, 90.0, 64.0),)),
        ),
        questions=questions,
    )


def a_batch(tokenizer: Tokenizer, seed: int = 0) -> Batch:
    screens = [a_screen(seed + i, (("one", 0), ("the other", 1), ("none", None))) for i in range(2)]
    return pack(screens, tokenizer, tiny_config(), num_words=2)


def a_trainer(tokenizer: Tokenizer, total_steps: int = 8) -> Trainer:
    model = KimiVL(tiny_config())
    numbers = tuple(tokenizer.encode(f"{n:03d}")[0] for n in range(1000))
    vocabulary = Vocabulary(number_ids=numbers, word_ids=(tokenizer.encode("a")[0], tokenizer.encode("b")[0]))
    initialise(model, vocabulary, seed=0)
    return Trainer(
        model,
        vocabulary,
        TrainConfig(total_steps=total_steps, warmup_steps=2),
        num_characters=5,
        num_words=2,
        num_kinds=2,
    )


def test_the_taught_reply_has_three_decimals_and_stays_on_the_screen() -> None:
    assert reply_for((0.3651, 0.0)) == "click(x=0.365, y=0.000)"
    assert reply_for((1.0, 0.9999)) == "click(x=0.999, y=0.999)"
    assert reply_for(None) == "refuse()"


def test_labels_are_the_next_tokens_of_each_reply_and_nothing_else(tokenizer: Tokenizer) -> None:
    batch = a_batch(tokenizer)
    row = 0
    for segment, reply in ((1, "click(x=0.250, y=0.212)"), (2, "click(x=0.700, y=0.712)"), (3, "refuse()")):
        inside = batch.segments_BL[row] == segment
        labels = batch.labels_BL[row][inside]
        assert tokenizer.decode(labels[labels != IGNORE].tolist()) == reply
        assert labels[labels != IGNORE][-1] == tokenizer.im_end
    assert (batch.labels_BL[row][batch.segments_BL[row] <= 0] == IGNORE).all()


def test_a_packed_question_gets_the_logits_it_gets_alone(tokenizer: Tokenizer) -> None:
    torch.manual_seed(0)
    model = KimiVL(tiny_config()).eval()
    both = pack([a_screen(0, (("one", 0), ("the other", 1)))], tokenizer, tiny_config(), num_words=2)
    alone = pack([a_screen(0, (("the other", 1),))], tokenizer, tiny_config(), num_words=2)
    with torch.inference_mode():
        packed_LV, single_LV = (_logits(model, batch)[0] for batch in (both, alone))
    in_pack = torch.from_numpy(both.segments_BL[0] == 2)
    by_itself = torch.from_numpy(alone.segments_BL[0] == 1)
    torch.testing.assert_close(packed_LV[in_pack], single_LV[by_itself], rtol=1e-4, atol=1e-4)  # fp32, other mask


def _logits(model: KimiVL, batch: Batch) -> torch.Tensor:
    pixels = torch.from_numpy(batch.pixels_BHW3).float() / 127.5 - 1
    screens, height, width, _ = pixels.shape
    grid = (height // 14, width // 14)
    patches = pixels.view(screens, grid[0], 14, grid[1], 14, 3).permute(0, 1, 3, 5, 2, 4).reshape(-1, 3, 14, 14)
    features = model.encode_images(patches, [grid] * screens)
    hidden = model.language_model.model(
        model.embed(torch.from_numpy(batch.input_ids_BL), features),
        positions_BL=torch.from_numpy(batch.positions_BL),
        mask_LS=block_mask(torch.from_numpy(batch.segments_BL)),
    )
    return model.language_model.lm_head(hidden)


def test_an_interrupted_run_ends_where_the_whole_one_does(tokenizer: Tokenizer, tmp_path: Path) -> None:
    batches = [a_batch(tokenizer, seed) for seed in range(6)]
    whole = a_trainer(tokenizer)
    expected = [figures["language"] for _, figures in train(whole, batches, tmp_path / "whole")]
    first = a_trainer(tokenizer)
    for _ in train(first, batches[:3], tmp_path / "cut"):
        pass
    second = a_trainer(tokenizer)
    second.resume(tmp_path / "cut" / "checkpoint.pt")
    got = [figures["language"] for _, figures in train(second, batches[3:], tmp_path / "cut")]
    assert second.step == 6
    assert got == expected[3:]
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[name]), name


def test_the_loss_falls_on_what_is_seen_again_and_again(tokenizer: Tokenizer, tmp_path: Path) -> None:
    batch = a_batch(tokenizer)
    figures = [parts["language"] for _, parts in train(a_trainer(tokenizer, 40), [batch] * 40, tmp_path)]
    assert figures[-1] < 0.6 * figures[0]


def test_orthogonalising_makes_all_singular_values_about_one() -> None:
    torch.manual_seed(0)
    for shape in ((32, 64), (64, 32), (3, 32, 32)):
        values = torch.linalg.svdvals(orthogonalise(torch.randn(*shape)).float())
        assert values.min() > 0.3
        assert values.max() < 1.4


def test_screens_of_two_sizes_cannot_share_a_batch(tokenizer: Tokenizer) -> None:
    other = LabelledScreen(np.zeros((90, 100, 3), np.uint8), (), (), (), (("one", None),))
    with pytest.raises(ValueError, match="size"):
        pack([a_screen(0, (("one", 0),)), other], tokenizer, tiny_config(), num_words=2)
