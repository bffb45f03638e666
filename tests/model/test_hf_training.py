"""A Kimi-VL of transformers learns: by hand, through Trainer, and with adapters of peft."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hf_folders import published_folder, transformers_of
from moonhand.model import KimiVL
from PIL import Image

DECODER = ["q_proj", "kv_a_proj_with_mqa", "kv_b_proj", "o_proj"]


@pytest.fixture(scope="module")
def transformers() -> Any:
    return transformers_of()


@pytest.fixture(scope="module")
def folder(tiny_model: KimiVL, small_tokens: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return published_folder(tiny_model, small_tokens, tmp_path_factory.mktemp("learning"))


@pytest.fixture
def model(transformers: Any, folder: Path) -> Any:
    return transformers.AutoModelForCausalLM.from_pretrained(folder)


@pytest.fixture(scope="module")
def batch(transformers: Any, folder: Path) -> dict[str, torch.Tensor]:
    """Two questions about two pictures, and what is to be answered."""
    processor = transformers.AutoProcessor.from_pretrained(folder)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 40, 60, 3), np.uint8)
    texts = [
        processor.apply_chat_template(
            [
                {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]},
                {"role": "assistant", "content": answer},
            ]
        )
        for question, answer in (("What?", "the user"), ("And what is this one?", "the image"))
    ]
    inputs = processor(images=[Image.fromarray(each) for each in pixels], text=texts, return_tensors="pt", padding=True)
    labels = inputs["input_ids"].clone()
    labels[:, :-4] = -100
    return dict(inputs) | {"labels": labels}


def _steps(model: Any, batch: dict[str, torch.Tensor], count: int) -> list[float]:
    optimiser = torch.optim.AdamW([each for each in model.parameters() if each.requires_grad], lr=3e-3)
    losses: list[float] = []
    for _ in range(count):
        loss = model(**batch).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss.item())
    return losses


def test_every_part_learns_and_the_loss_falls(model: Any, batch: dict[str, torch.Tensor]) -> None:
    model.train()
    model(**batch).loss.backward()
    frozen = [name for name, each in model.named_parameters() if each.grad is None]
    assert all(name.endswith("e_score_correction_bias") for name in frozen)
    losses = _steps(model, batch, 12)
    assert losses[-1] < 0.5 * losses[0]


def test_the_loss_is_that_of_the_next_token(model: Any, batch: dict[str, torch.Tensor]) -> None:
    with torch.no_grad():
        out = model(**batch)
    labels = batch["labels"][:, 1:]
    told = labels != -100
    expected = torch.nn.functional.cross_entropy(out.logits[:, :-1][told], labels[told])
    torch.testing.assert_close(out.loss, expected)


def test_gradient_checkpointing_gives_the_same_gradients(model: Any, batch: dict[str, torch.Tensor]) -> None:
    model.train()
    model(**batch).loss.backward()
    expected = {name: each.grad.clone() for name, each in model.named_parameters() if each.grad is not None}
    model.zero_grad()
    getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)()  # the older name
    assert model.gradient_checkpointing
    model(**batch).loss.backward()
    for name, gradient in expected.items():
        torch.testing.assert_close(model.get_parameter(name).grad, gradient, rtol=1e-4, atol=1e-6)


def test_generation_after_a_step_is_by_the_new_weights(model: Any, batch: dict[str, torch.Tensor]) -> None:
    prompt = {name: tensor for name, tensor in batch.items() if name != "labels"}
    model.generate(**prompt, max_new_tokens=2, do_sample=False)
    model.train()
    _steps(model, batch, 6)
    model.eval()
    cached, whole = (
        model.generate(**prompt, max_new_tokens=6, do_sample=False, use_cache=used) for used in (True, False)
    )
    assert torch.equal(cached, whole)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:'pin_memory' argument is set as true")
def test_trainer_lowers_the_loss(transformers: Any, model: Any, batch: dict[str, torch.Tensor], tmp_path: Path) -> None:
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path), max_steps=8, per_device_train_batch_size=1, learning_rate=3e-3, logging_steps=1,
        report_to=[], remove_unused_columns=False, use_cpu=True, disable_tqdm=True, save_strategy="no",
    )  # fmt: skip

    def collate(_: Sequence[int]) -> dict[str, torch.Tensor]:
        return dict(batch)

    trainer = transformers.Trainer(model=model, args=arguments, train_dataset=[0] * 8, data_collator=collate)
    trainer.train()
    losses = [each["loss"] for each in trainer.state.log_history if "loss" in each]
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")  # peft asks by the older name
@pytest.mark.parametrize("targets", [DECODER, ["q_proj", "o_proj", "linear_1"]], ids=["with kv_b_proj", "without"])
def test_an_adapter_of_peft_learns_and_generates(
    targets: list[str], transformers: Any, model: Any, folder: Path, batch: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    peft = pytest.importorskip("peft")
    adapted = peft.get_peft_model(model, peft.LoraConfig(r=4, lora_alpha=16, target_modules=targets))
    adapted.train()
    losses = _steps(adapted, batch, 25)
    assert losses[-1] < losses[0] - 0.1
    adapted.eval()
    prompt = {name: tensor for name, tensor in batch.items() if name != "labels"}
    said = adapted.generate(**prompt, max_new_tokens=6, do_sample=False)
    assert torch.equal(said, adapted.generate(**prompt, max_new_tokens=6, do_sample=False, use_cache=False))
    adapted.save_pretrained(tmp_path)
    base = transformers.AutoModelForCausalLM.from_pretrained(folder)
    merged = peft.PeftModel.from_pretrained(base, tmp_path).merge_and_unload()
    assert torch.equal(merged.generate(**prompt, max_new_tokens=6, do_sample=False), said)
