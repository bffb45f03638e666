"""Quantised on the way in, in memory, or in a folder beforehand: three ways to the same model."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from moonhand.model import BadCheckpoint, BadConfig, KimiVL, load_config, load_model, load_weights, save_checkpoint
from moonhand.model.config import Quantization
from moonhand.model.counts import inspect_model
from moonhand.model.errors import NotEnoughDisk
from moonhand.model.presets import preset
from moonhand.model.quantize import quantize_model
from moonhand.model.quantized_checkpoint import quantize_checkpoint
from moonhand.model.random_checkpoint import write_random_checkpoint
from safetensors.torch import load_file, save_file  # pyright: ignore[reportUnknownVariableType] (PathLike)
from torch import Tensor

KINDS: tuple[Quantization, ...] = ("int8", "int4")
EXPERT = "language_model.model.layers.1.mlp.experts.3.up_proj.weight"


@pytest.fixture
def folder(tiny_model: KimiVL, tmp_path: Path) -> Path:
    """In shards, with a vocabulary and a file of no concern beside it."""
    save_checkpoint(tiny_model, tmp_path / "full", max_shard_bytes=60_000)
    (tmp_path / "full" / "tiktoken.model").write_text("a vocabulary")
    (tmp_path / "full" / "calibration.json").write_text("{}")
    (tmp_path / "full" / "notes.bin").write_text("not ours")
    return tmp_path / "full"


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Quantization:
    return request.param


@pytest.fixture
def quantised(folder: Path, tmp_path: Path) -> Path:
    quantize_checkpoint(folder, tmp_path / "small", "int4")
    return tmp_path / "small"


def _assert_same(one: KimiVL, other: KimiVL) -> None:
    assert one.config == other.config
    assert one.state_dict().keys() == other.state_dict().keys()
    for name, tensor in one.state_dict().items():
        assert torch.equal(other.state_dict()[name], tensor), name


def _rewrite(folder: Path, change: Callable[[dict[str, Tensor]], None]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


def test_quantised_while_loading_is_quantised_after_loading(folder: Path, kind: Quantization) -> None:
    after = load_model(folder)
    quantize_model(after, 4 if kind == "int4" else 8)
    while_loading = load_model(folder, quantize=kind)
    _assert_same(after, while_loading)
    assert not any(tensor.is_meta for tensor in while_loading.state_dict().values())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_quantised_folder_loads_as_what_it_was_made_from(
    folder: Path, tmp_path: Path, kind: Quantization, dtype: torch.dtype
) -> None:
    quantize_checkpoint(folder, tmp_path / "small", kind, max_shard_bytes=40_000)
    assert len(list((tmp_path / "small").glob("*.safetensors"))) > 2
    loaded = load_model(tmp_path / "small", dtype=dtype)
    _assert_same(load_model(folder, quantize=kind, dtype=dtype), loaded)
    _assert_same(load_model(tmp_path / "small", quantize=kind, dtype=dtype), loaded)


def test_a_quantised_folder_holds_published_names_and_the_other_files(folder: Path, quantised: Path) -> None:
    stored = load_file(quantised / "model.safetensors")
    assert {f"{EXPERT}.codes", f"{EXPERT}.scales"} <= stored.keys()
    assert EXPERT not in stored
    assert stored["language_model.lm_head.weight.codes"].dtype == torch.int8
    assert stored[f"{EXPERT}.codes"].dtype == torch.uint8
    assert "language_model.model.layers.1.self_attn.kv_b_proj.weight" in stored
    assert sorted(path.name for path in quantised.iterdir()) == [
        "calibration.json",
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
        "tiktoken.model",
    ]
    config = json.loads((quantised / "config.json").read_text())
    assert config["quantization_config"] == {"quant_method": "moonhand", "format": 1, "weights": "int4"}
    assert load_config(quantised).text == load_config(folder).text


def test_the_bytes_of_a_quantised_folder_are_counted_as_they_are(folder: Path, quantised: Path) -> None:
    stored = load_file(quantised / "model.safetensors")
    assert inspect_model(quantised).bytes == sum(tensor.nbytes for tensor in stored.values())
    assert inspect_model(quantised).bytes < inspect_model(folder).bytes


def test_progress_ends_at_the_whole(folder: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    quantize_checkpoint(folder, tmp_path / "small", "int8", progress=lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert told[-1] == (inspect_model(tmp_path / "small").bytes,) * 2


def test_what_cannot_be_quantised_is_refused_before_anything_is_written(folder: Path, quantised: Path) -> None:
    other = quantised.parent / "other"
    with pytest.raises(BadCheckpoint, match="is quantised to int4 already"):
        quantize_checkpoint(quantised, other, "int8")
    with pytest.raises(ValueError, match="must be one of int8, int4, got 'int2'"):
        quantize_checkpoint(folder, other, "int2")  # pyright: ignore[reportArgumentType]
    with pytest.raises(BadCheckpoint, match="already holds files"):
        quantize_checkpoint(folder, quantised, "int4")
    with pytest.raises(NotEnoughDisk, match=r"takes 0\.0 GB and the disk of .* has 0\.0 GB free"):
        quantize_checkpoint(folder, other, "int4", free_bytes=1000)
    with pytest.raises(BadConfig, match="does not exist"):
        quantize_checkpoint(folder / "nothing", other, "int4")
    with pytest.raises(NotEnoughDisk, match=r"notes\.bin cannot be made: File exists; choose another folder"):
        quantize_checkpoint(folder, folder / "notes.bin", "int4")
    first, second = sorted(folder.glob("model-*.safetensors"))[:2]
    name, tensor = next(iter(load_file(first).items()))
    save_file(load_file(second) | {name: tensor}, second)
    with pytest.raises(BadCheckpoint, match=f"1 filled twice: {name}"):
        quantize_checkpoint(folder, other, "int4")
    assert not other.exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")], ids=["stop", "full"])
def test_a_run_that_is_cut_short_leaves_nothing(folder: Path, tmp_path: Path, error: BaseException) -> None:
    def stop(done: int, total: int) -> None:
        if done > total // 2:
            raise error

    there = tmp_path / "there"
    there.mkdir()
    for destination in (tmp_path / "new", there):
        with pytest.raises((KeyboardInterrupt, NotEnoughDisk)):
            quantize_checkpoint(folder, destination, "int4", progress=stop, max_shard_bytes=20_000)
    assert not (tmp_path / "new").exists()
    assert list(there.iterdir()) == []


def test_a_folder_with_somebody_s_files_is_left_alone(folder: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    (there / "mine.json").write_text("kept")
    with pytest.raises(BadCheckpoint, match="already holds files: choose a new folder"):
        quantize_checkpoint(folder, there, "int4")
    assert [(path.name, path.read_text()) for path in there.iterdir()] == [("mine.json", "kept")]


def test_a_weight_that_is_no_number_is_named(folder: Path, tmp_path: Path) -> None:
    model = load_model(folder)
    model.get_parameter("language_model.model.layers.1.mlp.experts.gate_up_proj").detach()[3, 20, 1] = float("nan")
    save_checkpoint(model, tmp_path / "bad")
    with pytest.raises(BadCheckpoint, match=rf"{EXPERT} cannot be quantised"):
        load_model(tmp_path / "bad", quantize="int4")
    with pytest.raises(BadCheckpoint, match=rf"{EXPERT} cannot be quantised"):
        quantize_checkpoint(tmp_path / "bad", tmp_path / "small", "int8")
    assert not (tmp_path / "small").exists()


def test_another_kind_than_the_folder_s_is_refused(quantised: Path) -> None:
    with pytest.raises(BadCheckpoint, match="is quantised to int4 and cannot be loaded as int8"):
        load_model(quantised, quantize="int8")
    with pytest.raises(ValueError, match="must be one of int8, int4 or None"):
        load_model(quantised, quantize="int2")  # pyright: ignore[reportArgumentType]


def test_a_quantised_model_is_not_saved_as_a_full_one(quantised: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="quantize_checkpoint"):
        save_checkpoint(load_model(quantised), tmp_path / "again")


def test_every_wrong_quantised_tensor_is_listed(quantised: Path) -> None:
    head = "language_model.lm_head.weight"

    def spoil(tensors: dict[str, Tensor]) -> None:
        del tensors[f"{EXPERT}.scales"]
        tensors[EXPERT] = torch.zeros(16, 32)
        tensors[f"{head}.codes"] = tensors[f"{head}.codes"].view(torch.uint8)
        tensors[f"{head}.scales"] = tensors[f"{head}.scales"][:-1].clone()

    _rewrite(quantised, spoil)
    with pytest.raises(BadCheckpoint) as caught:
        load_model(quantised)
    message = str(caught.value)
    assert f"1 missing: {EXPERT}.scales" in message
    assert f"1 unknown: {EXPERT}" in message
    assert f"1 of another shape: {head}.scales [519] instead of [520]" in message
    assert f"1 not of the quantised format: {head}.codes (U8 instead of I8)" in message


def test_a_full_folder_under_a_quantised_config_is_refused(folder: Path, quantised: Path) -> None:
    (folder / "config.json").write_text((quantised / "config.json").read_text())
    with pytest.raises(BadCheckpoint, match=r"unknown: (.|\n)*missing: "):
        load_model(folder)


def test_another_program_s_quantised_checkpoint_is_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "fp8", "fmt": "e4m3"}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(BadConfig, match=r"quantization_config .*fp8.* is of another program"):
        load_model(folder)


def test_a_loaded_model_can_be_filled_again(folder: Path, tiny_model: KimiVL) -> None:
    model = KimiVL(tiny_model.config)
    load_weights(model, folder, dtype=torch.float32, quantize="int8")
    _assert_same(load_model(folder, quantize="int8"), model)


_SLACK = 50_000_000  # the largest tensor as it is read, what the search works with, code that is loaded when used
_PEAK = """
import sys
from pathlib import Path
import torch
from moonhand.model.weights import load_model
torch.set_num_threads(1)
def peak_kb():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
before = peak_kb()
model = load_model(Path(sys.argv[1]), quantize=sys.argv[2] or None)
held = sum(tensor.nbytes for tensor in model.state_dict().values())
print((peak_kb() - before) * 1024, held)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_loading_takes_the_quantised_model_and_little_more(tmp_path: Path) -> None:
    config = preset("small")
    config = replace(config, text=replace(config.text, num_hidden_layers=4))
    config = replace(config, vision=replace(config.vision, num_hidden_layers=1))
    write_random_checkpoint(config, tmp_path / "full")
    _assert_peak(tmp_path / "full", "int4", below=inspect_model(tmp_path / "full").bytes)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_every_way_to_load_takes_the_model_and_little_more(tmp_path: Path) -> None:
    write_random_checkpoint(preset("small"), tmp_path / "full")
    quantize_checkpoint(tmp_path / "full", tmp_path / "small", "int4")
    full = inspect_model(tmp_path / "full").bytes
    _assert_peak(tmp_path / "full", "", below=full + _SLACK)
    for quantize in KINDS:
        _assert_peak(tmp_path / "full", quantize, below=full)
    _assert_peak(tmp_path / "small", "", below=full)


def _assert_peak(folder: Path, quantize: str, below: int) -> None:
    """In a process of its own: what it held at most while loading, against what the model takes."""
    command = [sys.executable, "-c", _PEAK, str(folder), quantize]
    peak, held = map(int, subprocess.run(command, capture_output=True, check=True, text=True).stdout.split())
    assert peak < min(held + _SLACK, below), (folder, quantize, peak, held, below)
