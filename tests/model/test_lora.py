"""Adapters: a fresh one changes nothing, a merged one answers as the attached one did, and files bring it back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from moonhand.model import BadCheckpoint, KimiVL, KimiVLConfig
from moonhand.model.lora import CONFIG_FILE, WEIGHTS_FILE, Adapter, LoraConfig, load_adapter
from safetensors.torch import load_file

RandomModel = Callable[[KimiVLConfig], KimiVL]


def logits(model: KimiVL) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    ids = torch.tensor([[1, 2, *[model.config.media_placeholder_token_id] * 4, 3, 4, 5]])
    with torch.inference_mode():
        return model(ids, torch.randn(16, 3, 14, 14, generator=generator), [(4, 4)])


def learned(model: KimiVL, config: LoraConfig | None = None) -> Adapter:
    """An adapter that has seen something: both of its matrices are random."""
    adapter = Adapter(model, config)
    generator = torch.Generator().manual_seed(2)
    adapter.load_state_dict(
        {name: torch.randn(tensor.shape, generator=generator) * 0.1 for name, tensor in adapter.state_dict().items()}
    )
    return adapter


def test_a_fresh_adapter_changes_nothing_and_freezes_the_model(
    tiny_config: KimiVLConfig, random_model: RandomModel
) -> None:
    model = random_model(tiny_config)
    before = logits(model)
    names = set(model.state_dict())
    adapter = Adapter(model.requires_grad_(True))
    assert torch.equal(logits(model), before)
    assert set(model.state_dict()) == names
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert all(parameter.requires_grad for parameter in adapter.parameters())


def test_merged_equals_attached(tiny_config: KimiVLConfig, random_model: RandomModel) -> None:
    model = random_model(tiny_config)
    before = logits(model)
    adapter = learned(model, LoraConfig(rank=4, alpha=8))
    attached = logits(model)
    adapter.merge()
    merged = logits(model)
    assert (attached - before).abs().max() > 0.1
    torch.testing.assert_close(merged, attached, rtol=1e-4, atol=1e-4)  # fp32, another order of the same sums


def test_a_detached_adapter_leaves_the_model_as_it_was(tiny_config: KimiVLConfig, random_model: RandomModel) -> None:
    model = random_model(tiny_config)
    before = logits(model)
    learned(model).detach()
    assert torch.equal(logits(model), before)


def test_every_attention_of_the_decoder_has_an_adapter_and_no_expert_or_tower_has(
    tiny_config: KimiVLConfig, random_model: RandomModel
) -> None:
    adapter = Adapter(random_model(tiny_config))
    names = list(adapter.layers)
    assert sum(name.endswith("self_attn.q_proj") for name in names) == tiny_config.text.num_hidden_layers
    assert sum(".shared_experts." in name for name in names) == 3 * 2  # two MoE layers
    assert not [name for name in names if "vision_tower" in name or ".experts." in name or name.endswith("gate")]


def test_a_saved_adapter_comes_back_as_it_was(
    tiny_config: KimiVLConfig, random_model: RandomModel, tmp_path: Path
) -> None:
    model = random_model(tiny_config)
    adapter = learned(model, LoraConfig(rank=3, alpha=5.0))
    expected = logits(model)
    adapter.save(tmp_path, base="a-base")
    other = random_model(tiny_config)
    again = load_adapter(other, tmp_path)
    assert torch.equal(logits(other), expected)
    assert again.config.scale == pytest.approx(5 / 3)
    said = json.loads((tmp_path / CONFIG_FILE).read_text())
    assert (said["peft_type"], said["r"], said["base_model_name_or_path"]) == ("LORA", 3, "a-base")
    tensors = load_file(tmp_path / WEIGHTS_FILE)
    name = "base_model.model.language_model.model.layers.0.self_attn.q_proj.lora_A.weight"
    assert tensors[name].shape == (3, tiny_config.text.hidden_size)


@pytest.mark.parametrize("damage", ["no files", "torn weights", "another rank"])
def test_an_adapter_that_does_not_fit_is_one_clear_error(
    tiny_config: KimiVLConfig, random_model: RandomModel, tmp_path: Path, damage: str
) -> None:
    folder = tmp_path / "adapter"
    if damage != "no files":
        learned(random_model(tiny_config), LoraConfig(rank=2)).save(folder, base="a-base")
    if damage == "torn weights":
        (folder / WEIGHTS_FILE).write_bytes((folder / WEIGHTS_FILE).read_bytes()[:100])
    if damage == "another rank":
        said = json.loads((folder / CONFIG_FILE).read_text())
        (folder / CONFIG_FILE).write_text(json.dumps(said | {"r": 3}))
    model = random_model(tiny_config)
    before = logits(model)
    with pytest.raises(BadCheckpoint, match="adapter"):
        load_adapter(model, folder)
    assert torch.equal(logits(model), before)


@pytest.mark.parametrize("wrong", [{"rank": 0}, {"alpha": 0.0}, {"targets": ()}])
def test_an_adapter_needs_a_rank_a_scale_and_a_place(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="rank"):
        LoraConfig(**wrong)  # pyright: ignore[reportArgumentType] (wrong on purpose)


def test_a_model_without_the_layers_asked_for_is_refused(tiny_config: KimiVLConfig, random_model: RandomModel) -> None:
    with pytest.raises(ValueError, match="no linear layer"):
        Adapter(random_model(tiny_config), LoraConfig(targets=("nothing",)))
