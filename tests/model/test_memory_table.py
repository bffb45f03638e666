from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from moonhand.model import KimiVLConfig, inspect_model, load_config
from moonhand.model.config import Quantization
from moonhand.model.layout import empty_model, model_layout
from moonhand.model.memory_table import PROGRAM_BYTES, activations_bytes, memory_table, tokens_per_screen, weights_bytes
from moonhand.model.presets import preset
from moonhand.model.quantized_checkpoint import quantize_checkpoint
from moonhand.model.random_checkpoint import write_random_checkpoint


@pytest.mark.parametrize(
    "quantization", [None, pytest.param("int8", marks=pytest.mark.slow), pytest.param("int4", marks=pytest.mark.slow)]
)
def test_weights_are_the_bytes_of_a_real_checkpoint(
    quantization: Quantization | None, with_text: Callable[..., KimiVLConfig], tmp_path: Path
) -> None:
    config = replace(preset("small"), media_placeholder_token_id=1024)  # narrower, and scales outweigh their codes
    config = replace(config, vision=replace(config.vision, num_hidden_layers=1))
    config = with_text(config, num_hidden_layers=2, vocab_size=2048, n_routed_experts=4, num_experts_per_tok=2)
    write_random_checkpoint(config, tmp_path / "full")
    folder = tmp_path / "full"
    if quantization is not None:
        folder = tmp_path / "quantised"
        quantize_checkpoint(tmp_path / "full", folder, quantization)
    stored = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    computed = weights_bytes(model_layout(empty_model(config)), quantization)
    assert computed == pytest.approx(stored, rel=0.01)
    assert memory_table(load_config(folder))[0].weights_bytes == computed == inspect_model(folder).bytes


def test_the_published_checkpoint_in_its_formats() -> None:
    formats = {each.weights: each for each in memory_table(preset("instruct"))}
    assert {name: round(each.weights_bytes / 1e9, 2) for name, each in formats.items()} == {
        "bfloat16": 32.82,
        "int8": 17.29,
        "int4": 10.11,
    }
    longest = formats["bfloat16"].contexts[-1]
    assert longest.context_tokens == 131_072
    assert longest.latents_bytes == 131_072 * 31_104
    assert longest.screens == (131_072 - 256) // 1032
    for each in formats.values():
        for row in each.contexts:
            assert row.total_bytes == each.weights_bytes + row.latents_bytes + row.activations_bytes + PROGRAM_BYTES
        totals = [row.total_bytes for row in each.contexts]
        assert totals == sorted(totals)


def test_finer_pictures_take_more_of_the_context() -> None:
    instruct = preset("instruct")
    finer = replace(instruct, image=replace(instruct.image, in_token_limit=16_384))
    assert (tokens_per_screen(instruct), tokens_per_screen(finer)) == (1032, 2691)
    assert memory_table(finer)[0].contexts[-1].screens == 48


def test_a_quantised_folder_has_its_own_format_alone_and_a_short_context_one_row(tiny_config: KimiVLConfig) -> None:
    assert [each.weights for each in memory_table(replace(preset("instruct"), quantization="int4"))] == ["int4"]
    assert [row.context_tokens for row in memory_table(tiny_config)[0].contexts] == [512]


MEASURE = """
import json, sys
import numpy as np
import torch
from moonhand.model import EngineConfig, Message, Picture, SamplingConfig, load
torch.set_num_threads(1)
folder, tokens, screens, per_screen = sys.argv[1], *map(int, sys.argv[2:])
settings = EngineConfig(prefix_cache_bytes=None, feature_cache_bytes=None)
engine = load(folder, device="cpu", dtype="bfloat16", settings=settings)
rng = np.random.default_rng(0)
# One of each: the same picture twice is looked at once.
pictures = [Picture(rng.integers(0, 256, (1080, 1920, 3), np.uint8)) for _ in range(screens)]
text = "z" * (tokens - screens * per_screen - 80)
engine.generate([Message("user", (*pictures, text))], SamplingConfig(max_new_tokens=2))
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) * 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell a process's peak")
@pytest.mark.parametrize(("tokens", "screens"), [(4096, 0), (4096, 3), (16_384, 0)])
def test_the_total_bounds_what_a_process_really_takes(
    tokens: int, screens: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    config = preset("small")
    folder = tmp_path_factory.getbasetemp() / "small"
    if not folder.exists():
        write_random_checkpoint(config, folder)
    arguments = [str(folder), str(tokens), str(screens), str(tokens_per_screen(config))]
    told = subprocess.run([sys.executable, "-c", MEASURE, *arguments], capture_output=True, text=True, check=True)
    latents = inspect_model(folder).cache_bytes_per_token * tokens
    added = latents + activations_bytes(config, tokens, screens) + PROGRAM_BYTES
    total = memory_table(config)[0].weights_bytes + added
    assert 0.6 * total < int(told.stdout) < total
