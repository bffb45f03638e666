from __future__ import annotations

from pathlib import Path

import pytest
import torch
from moonhand.model import KimiVL, KimiVLConfig, load_model, save_checkpoint
from moonhand.model.errors import NotEnoughMemory
from moonhand.model.layout import empty_model, model_layout
from moonhand.model.memory import available_bytes, group_bytes, needed_bytes, require_memory
from moonhand.model.presets import preset
from moonhand.model.quantize import quantize_model

GIB = 1 << 30


@pytest.fixture(scope="module")
def instruct() -> KimiVLConfig:
    return preset("instruct")


@pytest.mark.parametrize(
    ("free_gib", "dtype", "message"),
    [
        (
            22,
            torch.bfloat16,
            r"needs 31\.2 GiB in bfloat16 and 22\.0 GiB of memory are free: load it with quantize='int8'",
        ),
        (12, torch.bfloat16, r"12\.0 GiB of memory are free: load it with quantize='int4' \(about 10\.0 GiB\)"),
        (14, torch.float32, r"needs 62\.4 GiB in float32 .* quantize='int4' \(about 12\.2 GiB\)"),
        (4, torch.bfloat16, "close other programs, or take a machine with more"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_with_the_next_step(
    instruct: KimiVLConfig, free_gib: int, dtype: torch.dtype, message: str
) -> None:
    layout, cpu = model_layout(empty_model(instruct)), torch.device("cpu")
    with pytest.raises(NotEnoughMemory, match=message):
        require_memory(layout, instruct, dtype=dtype, device=cpu, quantization=None, available=free_gib * GIB)


def test_a_model_that_fits_is_not_refused(instruct: KimiVLConfig) -> None:
    layout, cpu = model_layout(empty_model(instruct)), torch.device("cpu")
    require_memory(layout, instruct, dtype=torch.bfloat16, device=cpu, quantization=None, available=32 * GIB)
    require_memory(layout, instruct, dtype=torch.bfloat16, device=cpu, quantization="int4", available=11 * GIB)


def test_memory_is_asked_for_before_a_weight_is_read(tiny_model: KimiVL, tmp_path: Path) -> None:
    save_checkpoint(tiny_model, tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"not looked at")
    with pytest.raises(NotEnoughMemory, match="the model needs"):
        load_model(tmp_path, available_bytes=1000)


@pytest.mark.parametrize("bits", [4, 8])
def test_what_is_needed_is_what_the_model_takes_and_one_tensor(tiny_config: KimiVLConfig, bits: int) -> None:
    model = KimiVL(tiny_config)
    layout = model_layout(model)
    quantize_model(model, bits)
    held = sum(tensor.nbytes for tensor in model.state_dict().values())
    largest = max(tensor.numel() for tensor in empty_model(tiny_config).state_dict().values()) * 4
    assert needed_bytes(layout, torch.float32, "int4" if bits == 4 else "int8") == held + largest


def test_a_container_s_limit_counts_and_its_file_cache_does_not(tmp_path: Path) -> None:
    assert group_bytes(tmp_path) is None
    first = tmp_path / "memory"
    first.mkdir()
    for name, content in (
        ("limit_in_bytes", "1000"), ("usage_in_bytes", "700"), ("stat", "cache 9\ntotal_inactive_file 50"),
    ):  # fmt: skip
        (first / f"memory.{name}").write_text(content)
    assert group_bytes(tmp_path) == 350
    for name, content in (("max", "2000"), ("current", "1500"), ("stat", "anon 9\ninactive_file 400")):
        (tmp_path / f"memory.{name}").write_text(content)
    assert group_bytes(tmp_path) == 900
    (tmp_path / "memory.max").write_text("max")
    assert group_bytes(tmp_path) is None


def test_the_memory_of_this_machine_is_known() -> None:
    free = available_bytes(torch.device("cpu"))
    assert free is not None
    assert 1 << 26 < free < 1 << 46
