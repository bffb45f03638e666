"""Fine-tuning batches: what is learned is the reply and its end, padding changes nothing, recomputing neither."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from moonhand.model import ContextTooLong, Engine, KimiVL, KimiVLConfig, Message, Picture, SamplingConfig, Tokenizer
from moonhand.model.lora import Adapter, LoraConfig
from moonhand.model.packing import IGNORE
from moonhand.model.replies import ReplyObjective, ReplySample, collate, count_tokens, measure
from moonhand.model.train import TrainConfig, Trainer

RandomModel = Callable[[KimiVLConfig], KimiVL]


def picture(seed: int, width_px: int = 60, height_px: int = 40) -> Picture:
    return Picture(np.random.default_rng(seed).integers(0, 256, (height_px, width_px, 3), np.uint8))


ONE = ReplySample((Message("user", (picture(0), "one")),), "go")
TWO = ReplySample(
    (
        Message("system", ("be brief",)),
        Message("user", (picture(1, 30, 30),)),
        Message("assistant", ("seen",)),
        Message("user", (picture(2), "and now?")),
    ),
    "stay a while",
)
STEPS = 70
TEXT = ReplySample((Message("user", ("no picture",)),), "fine")


def test_labels_are_the_reply_and_its_end_and_nothing_else(tokenizer: Tokenizer, tiny_config: KimiVLConfig) -> None:
    batch = collate([ONE, TWO], tokenizer, tiny_config)
    for row, sample in enumerate((ONE, TWO)):
        labels = batch.labels_BL[row]
        told = labels[labels != IGNORE]
        assert told.tolist() == [*tokenizer.encode(sample.reply), tokenizer.im_end]
        before = batch.input_ids_BL[row][labels != IGNORE]
        assert before[1:].tolist() == told[:-1].tolist()
        assert before[0] == tokenizer.im_middle  # the assistant's turn has just been opened
    assert len(batch.patches) == 3


def test_a_sample_costs_the_same_alone_and_padded(
    tokenizer: Tokenizer, tiny_config: KimiVLConfig, random_model: RandomModel
) -> None:
    objective = ReplyObjective(random_model(tiny_config))
    with torch.no_grad():
        alone = measure(objective, [collate([sample], tokenizer, tiny_config) for sample in (ONE, TWO, TEXT)])
        together = measure(objective, [collate([ONE, TWO, TEXT], tokenizer, tiny_config)])
    assert together == pytest.approx(alone, rel=1e-4)  # fp32, other shapes of the same products


def test_recomputed_activations_give_the_same_gradients(
    tokenizer: Tokenizer, tiny_config: KimiVLConfig, random_model: RandomModel
) -> None:
    batch = collate([ONE, TWO], tokenizer, tiny_config)
    gradients: list[dict[str, torch.Tensor]] = []
    for recompute in (False, True):
        model = random_model(tiny_config).requires_grad_(True)
        ReplyObjective(model, recompute=recompute)(batch).total.backward()
        gradients.append({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
        assert "forward" not in vars(model.language_model.model.layers[0])
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, rtol=0, atol=0)  # the same sums in the same order


@pytest.mark.parametrize("way", ["all weights", "adapter"])
def test_two_samples_are_learned_and_then_answered(
    tokenizer: Tokenizer, tiny_config: KimiVLConfig, random_model: RandomModel, way: str
) -> None:
    model = random_model(tiny_config).requires_grad_(True)
    adapter = Adapter(model, LoraConfig(rank=8, alpha=16)) if way == "adapter" else None
    frozen = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    objective = ReplyObjective(model, adapter)
    adam_lr = 0.02 if adapter is None else 0.03
    trainer = Trainer(
        model,
        objective,
        TrainConfig(total_steps=STEPS, warmup_steps=5, balance_rate=0.0, muon_lr=0.03, adam_lr=adam_lr),
    )
    batch = collate([ONE, TWO], tokenizer, tiny_config)
    figures = [trainer.train_step([batch]) for _ in range(STEPS)]
    assert figures[-1]["reply_acc"] == 1.0
    if adapter is not None:
        assert all(torch.equal(tensor, frozen[name]) for name, tensor in model.state_dict().items())
        adapter.merge()
    engine = Engine(model, tokenizer, name="tiny")
    for sample in (ONE, TWO):
        assert engine.generate(sample.messages, SamplingConfig(max_new_tokens=20)).text == sample.reply


def test_tokens_are_counted_from_sizes_and_too_many_are_refused(
    tokenizer: Tokenizer, tiny_config: KimiVLConfig
) -> None:
    batch = collate([TWO], tokenizer, tiny_config)
    assert count_tokens(TWO, tokenizer, tiny_config) == batch.input_ids_BL.shape[1] + 1
    with pytest.raises(ContextTooLong, match="512 positions"):
        count_tokens(ReplySample(ONE.messages, "x" * 600), tokenizer, tiny_config)
