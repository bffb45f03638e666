"""Training: packed questions do not see each other, a run resumes exactly, and the loss falls."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from moonhand.model.config import ImageConfig, KimiVLConfig, TextConfig, VisionConfig
from moonhand.model.dense import DenseObjective
from moonhand.model.kimi_vl import KimiVL
from moonhand.model.losses import Vocabulary, block_mask, initialise
from moonhand.model.moe import Router
from moonhand.model.optim import orthogonalise
from moonhand.model.packing import IGNORE, Batch, LabelledScreen, Query, Region, pack, reply_for
from moonhand.model.tokenizer import NUM_SPECIAL, Tokenizer
from moonhand.model.train import (
    BEST_FILE,
    CHECKPOINT_FILE,
    CURVE_FILE,
    Judge,
    TrainConfig,
    Trainer,
    load_batches,
    train,
)

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
        words=(("one", (10.0, 10.0, 40.0, 24.0)), ("other", (50.0, 50.0, 90.0, 64.0))),
        characters=((3, (10.0, 10.0, 18.0, 24.0)),),
        regions=(
            Region(0, (25.0, 17.0), ((10.0, 10.0, 40.0, 24.0),)),
            Region(1, (70.0, 57.0), ((50.0, 50.0, 90.0, 64.0),)),
        ),
        queries=tuple(Query(instruction, region) for instruction, region in questions),
    )


def a_batch(tokenizer: Tokenizer, seed: int = 0) -> Batch:
    screens = [a_screen(seed + i, (("one", 0), ("the other", 1), ("none", None))) for i in range(2)]
    return pack(screens, tokenizer, tiny_config())


class Batches:
    """Different ones, by number."""

    def __init__(self, tokenizer: Tokenizer, number: int) -> None:
        self.batches = [a_batch(tokenizer, seed) for seed in range(number)]

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> Batch:
        return self.batches[index]


def a_trainer(
    tokenizer: Tokenizer, total_steps: int = 8, accumulate: int = 1, tower_steps: int = 100
) -> Trainer[Batch]:
    model = KimiVL(tiny_config())
    vocabulary = Vocabulary(number_ids=tuple(tokenizer.encode(f"{n:03d}")[0] for n in range(1000)))
    initialise(model, vocabulary, seed=0)
    objective = DenseObjective(model, vocabulary, num_characters=5, num_kinds=2)
    config = TrainConfig(total_steps=total_steps, warmup_steps=2, accumulate=accumulate, tower_steps=tower_steps)
    return Trainer(model, objective, config)


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
    both = pack([a_screen(0, (("one", 0), ("the other", 1)))], tokenizer, tiny_config())
    alone = pack([a_screen(0, (("the other", 1),))], tokenizer, tiny_config())
    with torch.inference_mode():
        packed_LV, single_LV = (_logits(model, batch)[0] for batch in (both, alone))
    in_pack = torch.from_numpy(both.segments_BL[0] == 2)
    by_itself = torch.from_numpy(alone.segments_BL[0] == 1)
    torch.testing.assert_close(packed_LV[in_pack], single_LV[by_itself], rtol=1e-4, atol=1e-4)  # fp32, other mask


def _logits(model: KimiVL, batch: Batch) -> torch.Tensor:
    patches = (torch.from_numpy(batch.patches_BTMHW3).float() / 127.5 - 1).flatten(0, 2).permute(0, 3, 1, 2)
    kept = list(torch.from_numpy(batch.places_BTM).flatten(1))
    tower_PD = model.vision_tower(patches, batch.grids_hw, kept)
    features = model.multi_modal_projector(tower_PD.unflatten(0, (-1, batch.places_BTM.shape[2])))
    hidden = model.language_model.model(
        model.embed(torch.from_numpy(batch.input_ids_BL), features),
        positions_BL=torch.from_numpy(batch.positions_BL),
        mask_LS=block_mask(torch.from_numpy(batch.segments_BL)),
    )
    return model.language_model.lm_head(hidden)


def test_an_interrupted_run_ends_where_the_whole_one_does(tokenizer: Tokenizer, tmp_path: Path) -> None:
    source = Batches(tokenizer, 6)
    whole = a_trainer(tokenizer)
    expected = [figures for _, figures in train(whole, load_batches(source, start=0, workers=0), tmp_path / "whole")]
    first, cut = a_trainer(tokenizer), tmp_path / "cut"
    for _ in train(first, load_batches(source, start=0, workers=0), cut, stop=lambda: first.step == 3):
        pass
    second = a_trainer(tokenizer)
    second.resume(cut / CHECKPOINT_FILE)
    assert second.step == 3
    got = [figures for _, figures in train(second, load_batches(source, start=3, workers=0), cut)]
    assert second.step == 6
    assert list(map(without_time, got)) == list(map(without_time, expected[3:]))
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[name]), name
    steps = [json.loads(line)["step"] for line in (cut / CURVE_FILE).read_text().splitlines()]
    assert steps == [1, 2, 3, 4, 5, 6]


def without_time(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in figures.items() if name != "step_s"}


def test_several_batches_a_step_are_one_batch_with_their_mean_loss(tokenizer: Tokenizer, tmp_path: Path) -> None:
    together, alone = a_trainer(tokenizer, accumulate=2), a_trainer(tokenizer)
    batches = [a_batch(tokenizer, seed) for seed in range(4)]
    figures = [figures["language"] for _, figures in train(together, batches, tmp_path / "together")]
    assert together.step == 2
    each = [alone.objective(batch).parts["language"] for batch in batches[:2]]
    assert figures[0] == pytest.approx(sum(each) / 2)


def test_the_best_checkpoint_is_kept_and_survives_a_resumption(tokenizer: Tokenizer, tmp_path: Path) -> None:
    figures = iter((1.0, 3.0, 2.0, 2.5, 4.0))
    judge = Judge(measure=lambda: {"hits": next(figures)}, figure="hits", every=2)
    batch = a_batch(tokenizer)

    def best_step() -> int:
        return torch.load(tmp_path / BEST_FILE, weights_only=True)["step"]

    trainer = a_trainer(tokenizer, total_steps=10)
    rows = [row for _, row in train(trainer, [batch] * 6, tmp_path, judge=judge)]
    assert [row.get("held_hits") for row in rows] == [None, 1.0, None, 3.0, None, 2.0]
    assert best_step() == 4
    resumed = a_trainer(tokenizer, total_steps=10)
    resumed.resume(tmp_path / CHECKPOINT_FILE)
    steps = train(resumed, [batch] * 4, tmp_path, judge=judge)
    for _ in range(2):
        next(steps)
    assert best_step() == 4  # 2.5 is better than the last, not than the best
    for _ in steps:
        pass
    assert best_step() == 10


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_held_out_figure_that_is_not_finite_ends_the_run_and_is_no_best_one(
    tokenizer: Tokenizer, tmp_path: Path, value: float
) -> None:
    judge = Judge(measure=lambda: {"hits": value}, figure="hits", every=1)
    with pytest.raises(FloatingPointError, match=f"held out, hits is {value} at step 1"):
        list(train(a_trainer(tokenizer), [a_batch(tokenizer)], tmp_path, judge=judge))
    assert not (tmp_path / BEST_FILE).exists()


def test_weights_that_are_not_finite_are_not_saved(tokenizer: Tokenizer, tmp_path: Path) -> None:
    trainer = a_trainer(tokenizer)
    trainer.save(tmp_path / CHECKPOINT_FILE)
    kept = (tmp_path / CHECKPOINT_FILE).read_bytes()
    with torch.no_grad():
        next(trainer.model.parameters()).view(-1)[0] = float("nan")
    with pytest.raises(FloatingPointError, match="weights are not finite at step 0"):
        trainer.save(tmp_path / CHECKPOINT_FILE)
    assert (tmp_path / CHECKPOINT_FILE).read_bytes() == kept


def test_the_tower_stands_still_once_it_is_told_to(tokenizer: Tokenizer, tmp_path: Path) -> None:
    trainer = a_trainer(tokenizer, tower_steps=1)
    weight = trainer.model.vision_tower.patch_embed.proj.weight
    towers = [weight.detach().clone() for _ in train(trainer, [a_batch(tokenizer)] * 3, tmp_path)]
    assert torch.equal(towers[0], towers[1])
    assert torch.equal(towers[1], towers[2])
    assert not torch.equal(a_trainer(tokenizer).model.vision_tower.patch_embed.proj.weight, towers[0])


def test_idle_experts_are_preferred_from_then_on(tokenizer: Tokenizer) -> None:
    trainer = a_trainer(tokenizer)
    router = next(module for module in trainer.model.modules() if isinstance(module, Router))
    with torch.no_grad():
        router.e_score_correction_bias[0] = 10.0
    figures = trainer.train_step([a_batch(tokenizer)])
    assert figures["load"] == pytest.approx(2.0)  # every token takes the first of four, and one of the three others
    assert router.e_score_correction_bias[0] < 10.0
    assert router.e_score_correction_bias[1:].max() > 0


def test_a_checkpoint_of_another_model_is_refused(tokenizer: Tokenizer, tmp_path: Path) -> None:
    trainer = a_trainer(tokenizer)
    trainer.save(tmp_path / CHECKPOINT_FILE)
    state = torch.load(tmp_path / CHECKPOINT_FILE, weights_only=True)
    del state["model"]["language_model.lm_head.weight"]
    torch.save(state, tmp_path / CHECKPOINT_FILE)
    with pytest.raises(ValueError, match="another model"):
        trainer.resume(tmp_path / CHECKPOINT_FILE)


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


def test_screens_of_two_sizes_share_a_batch_only_where_parts_of_them_are_kept(tokenizer: Tokenizer) -> None:
    screens = [a_screen(0, (("one", 0),)), replace(a_screen(1, (("one", 0),)), pixels_HW3=np.zeros((120, 90, 3), "u1"))]
    with pytest.raises(ValueError, match="size"):
        pack(screens, tokenizer, tiny_config())
    assert pack(screens, tokenizer, tiny_config(), num_tokens=6).places_BTM.shape == (2, 6, 4)
