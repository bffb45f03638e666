from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from moonhand.model import BadConfig, KimiVL, KimiVLConfig, inspect_model, load_config
from moonhand.model.config import Quantization
from moonhand.model.counts import count_model

INSTRUCT = Path(__file__).parents[1] / "golden" / "kimi_vl_instruct"


def test_the_instruct_config_gives_the_published_counts() -> None:
    counts = inspect_model(INSTRUCT)
    assert counts.parameters == 16_407_656_048
    assert counts.tensors == 5_652
    assert counts.vision_parameters == 416_866_032
    assert counts.projector_parameters == 30_679_808
    assert counts.parameters_active == 2_243_687_552 + 335_544_320  # the decoder's, and the output head's
    assert (counts.experts, counts.experts_active, counts.layers) == (64, 6, 27)
    bias_values = 26 * 64  # two more bytes each: the selection bias stays fp32
    assert counts.bytes == 2 * 16_407_656_048 + 2 * bias_values
    assert counts.cache_bytes_per_token == 31_104  # 27 layers of 512 + 64 bf16 numbers


@pytest.mark.parametrize(("quantization", "gigabytes"), [("int8", 17.29), ("int4", 10.11)])
def test_a_quantised_instruct_is_counted_in_its_own_bytes(quantization: Quantization, gigabytes: float) -> None:
    counts = count_model(replace(load_config(INSTRUCT), quantization=quantization))
    assert counts.bytes / 1e9 == pytest.approx(gigabytes, abs=0.01)
    assert counts.parameters == 16_407_656_048


def test_384_experts_with_8_active_are_counted_as_well(tmp_path: Path) -> None:
    shutil.copytree(INSTRUCT, tmp_path, dirs_exist_ok=True)
    config = json.loads((tmp_path / "config.json").read_text())
    config["text_config"] |= {"n_routed_experts": 384, "num_experts_per_tok": 8, "num_hidden_layers": 24}
    (tmp_path / "config.json").write_text(json.dumps(config))
    counts = inspect_model(tmp_path)
    assert (counts.experts, counts.experts_active, counts.layers) == (384, 8, 24)
    assert counts.tensors == 329 + 6 + 7 * 24 + 3 + 23 * (2 + 3 * 384 + 3) + 3
    assert counts.parameters > 77_000_000_000


def test_counts_agree_with_a_model_that_is_really_built(
    tiny_config: KimiVLConfig, tiny_model: KimiVL, with_text: Callable[..., KimiVLConfig]
) -> None:
    counts = count_model(tiny_config)
    assert counts.parameters == sum(parameter.numel() for parameter in tiny_model.parameters())
    assert counts.bytes == sum(parameter.nbytes for parameter in tiny_model.parameters())
    assert counts.vision_parameters == sum(p.numel() for p in tiny_model.vision_tower.parameters())
    everyone = count_model(with_text(tiny_config, num_experts_per_tok=8))
    text = sum(parameter.numel() for parameter in tiny_model.language_model.parameters())
    assert everyone.parameters_active == text - tiny_model.language_model.model.embed_tokens.weight.numel()
    assert everyone.parameters_active - counts.parameters_active == 2 * 5 * (3 * 32 * 16)  # 2 layers, 5 idle experts


def test_a_config_of_another_architecture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama", "hidden_size": 4096}')
    with pytest.raises(BadConfig, match="model_type"):
        inspect_model(tmp_path)


def test_a_missing_config_says_which_file(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"config\.json does not exist"):
        inspect_model(tmp_path)
