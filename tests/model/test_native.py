from __future__ import annotations

import copy
import filecmp
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from moonhand.model import KimiVL, KimiVLConfig, LatentCache
from moonhand.model.decoder import DecoderLayer
from moonhand.model.moe import Experts, MoE
from moonhand.model.native import (
    Library,
    NativeStep,
    Unavailable,
    advise_huge_pages,
    dequantize_into,
    load_library,
    read_bandwidth,
)
from moonhand.model.quantize import QuantizedExperts, QuantizedLinear, quantize_model, weight_of
from moonhand.model.quantized_weight import QuantizedWeight, dequantize, quantize_weight
from moonhand.model.runtime import Span, TextRuntime
from torch import Tensor, nn

ATOL = 1e-4  # fp32; sums in another order
QUANTISED_ATOL = 1e-3  # activations in 16-bit fixed point
BF16_ATOL = 2e-4  # activations in two bf16 numbers
TARGETS = {
    "this machine": ("-march=native",),
    "AVX-512 without VNNI": ("-march=x86-64-v4",),
    "AVX2": ("-march=x86-64-v3",),
    "any x86-64": ("-march=x86-64",),
}
CONFIGS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "dense only": {"first_k_dense_replace": 3},
    "no shared experts": {"n_shared_experts": 0},
    "weights not normalised": {"norm_topk_prob": False},
    "odd widths": {
        "hidden_size": 100, "num_attention_heads": 5, "intermediate_size": 77, "moe_intermediate_size": 35,
        "kv_lora_rank": 22, "qk_nope_head_dim": 10, "qk_rope_head_dim": 6, "v_head_dim": 9, "vocab_size": 603,
    },
    "wider": {
        "hidden_size": 160, "intermediate_size": 4500, "moe_intermediate_size": 352, "kv_lora_rank": 72,
        "n_routed_experts": 6, "num_experts_per_tok": 6, "num_hidden_layers": 2, "qk_nope_head_dim": 32,
        "v_head_dim": 33,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def build(pytestconfig: pytest.Config) -> Callable[[str], Library]:
    """The library for a target; what was compiled in an earlier run is used again."""
    folder = cast("Any", pytestconfig).cache.mkdir("native")

    def load(target: str) -> Library:
        library = load_library(folder, target=TARGETS[target])
        if isinstance(library, Unavailable):
            pytest.skip(library.reason)
        return library

    return load


@pytest.fixture(scope="module")
def library(build: Callable[[str], Library]) -> Library:
    return build("this machine")


def _compare(
    model: KimiVL, library: Library, rows: Sequence[int], atol: float, truth: KimiVL | None = None, steps: int = 2
) -> None:
    """Some steps of the native code and of the plain path, on top of contexts of 1 to 150 tokens."""
    config = (truth or model).config.text
    runtime, step = TextRuntime(truth or model), NativeStep(model, library)
    lengths = {row: (1, 150, 70, 33, 64, 5, 97, 31)[row % 8] for row in rows}
    cache = LatentCache(config, 16, 160, torch.float32)
    generator = torch.Generator().manual_seed(3)
    with torch.inference_mode():
        x_LD = torch.randn(sum(lengths.values()), config.hidden_size, generator=generator)
        positions = [at for row in rows for at in range(lengths[row])]
        runtime.prefill(x_LD, cache, [Span(row, lengths[row]) for row in rows], positions)
        other = cache.grown(cache.max_length)
        for _ in range(steps):
            x_BD = torch.randn(len(rows), config.hidden_size, generator=generator)
            expected_BV, found_BV = runtime.step(x_BD, cache, rows), step(x_BD, other, rows)
            torch.testing.assert_close(found_BV, expected_BV, rtol=0, atol=atol)
            torch.testing.assert_close(other.values, cache.values, rtol=0, atol=atol)
    assert other.lengths == cache.lengths
    assert [other.next_position(row) for row in range(16)] == [cache.next_position(row) for row in range(16)]


def _with(config: KimiVLConfig, fields: dict[str, Any]) -> KimiVLConfig:
    return replace(config, text=replace(config.text, **fields))


@pytest.mark.parametrize("fields", CONFIGS.values(), ids=CONFIGS.keys())
@pytest.mark.parametrize("rows", [[0], [1], [3, 5], [4, 1, 7, 0, 2], list(range(16))], ids=str)
def test_a_native_step_equals_the_plain_one(
    tiny_config: KimiVLConfig,
    random_model: Callable[[KimiVLConfig], KimiVL],
    library: Library,
    fields: dict[str, Any],
    rows: list[int],
) -> None:
    _compare(random_model(_with(tiny_config, fields)), library, rows, ATOL)


@pytest.mark.parametrize("target", list(TARGETS))
@pytest.mark.parametrize("bits", [None, 8, 4])
def test_every_processors_code_gives_the_same(
    tiny_config: KimiVLConfig,
    random_model: Callable[[KimiVLConfig], KimiVL],
    build: Callable[[str], Library],
    target: str,
    bits: int | None,
) -> None:
    capability = torch.backends.cpu.get_cpu_capability()
    if ("AVX-512" in target and capability != "AVX512") or (target == "AVX2" and "AVX" not in capability):
        pytest.skip(f"this processor is no {target}")
    model = random_model(_with(tiny_config, CONFIGS["odd widths"] | {"intermediate_size": 4500}))
    if bits is None:
        _compare(model, build(target), [6, 1, 3], ATOL)
    else:
        quantised, truth = _quantised(model, bits)
        _compare(quantised, build(target), [6, 1, 3], QUANTISED_ATOL, truth)


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("fields", CONFIGS.values(), ids=CONFIGS.keys())
def test_quantised_weights_give_what_the_same_weights_dequantised_give(
    tiny_config: KimiVLConfig,
    random_model: Callable[[KimiVLConfig], KimiVL],
    library: Library,
    fields: dict[str, Any],
    bits: int,
) -> None:
    quantised, truth = _quantised(random_model(_with(tiny_config, fields)), bits)
    _compare(quantised, library, [2], QUANTISED_ATOL, truth)
    _compare(quantised, library, [7, 5, 4, 3, 2, 1], QUANTISED_ATOL, truth)


def _quantised(model: KimiVL, bits: int) -> tuple[KimiVL, KimiVL]:
    """A quantised copy, and one in fp32 of the very weights that copy has."""
    quantised, truth = copy.deepcopy(model), copy.deepcopy(model)
    quantize_model(quantised, bits)
    for name, module in list(quantised.named_modules()):
        other: nn.Module = truth.get_submodule(name) if not isinstance(module, QuantizedExperts) else nn.Identity()
        if isinstance(module, QuantizedLinear):
            cast("nn.Linear", other).weight.copy_(dequantize(module.quantized, torch.float32))
        if isinstance(module, QuantizedExperts):
            experts = cast("Experts", truth.get_submodule(name))
            experts.gate_up_proj.copy_(dequantize(module.gate_up, torch.float32))
            experts.down_proj.copy_(dequantize(module.down, torch.float32))
    return quantised, truth


@pytest.mark.parametrize(
    "fields", [CONFIGS["wider"], {"kv_lora_rank": 96, "qk_rope_head_dim": 32, "num_attention_heads": 18}], ids=str
)
def test_bf16_is_at_least_as_exact_as_the_plain_path(
    tiny_config: KimiVLConfig,
    random_model: Callable[[KimiVLConfig], KimiVL],
    library: Library,
    fields: dict[str, Any],
) -> None:
    """Against fp32 with the same weights; 1.5 leaves room for luck. The second widths fill matrix tiles."""
    config = _with(tiny_config, fields)
    half = random_model(config).to(torch.bfloat16)
    for layer in cast("Sequence[DecoderLayer]", half.language_model.model.layers):
        if isinstance(layer.mlp, MoE):
            layer.mlp.gate.e_score_correction_bias.data = layer.mlp.gate.e_score_correction_bias.float()
    truth = copy.deepcopy(half).float()
    x_LD = torch.randn(200, config.text.hidden_size, generator=torch.Generator().manual_seed(4)).bfloat16()
    logits: list[Tensor] = []
    for model, step in ((truth, None), (half, None), (half, NativeStep(half, library))):
        dtype = torch.float32 if model is truth else torch.bfloat16
        cache = LatentCache(config.text, 1, 200, dtype)
        runtime = TextRuntime(model, step)
        with torch.inference_mode():
            TextRuntime(model).prefill(x_LD[:150].to(dtype), cache, [Span(0, 150)], range(150))
            logits.append(torch.cat([runtime.step(x_LD[at : at + 1].to(dtype), cache, [0]) for at in range(150, 200)]))
    plain, native = (logits[0] - logits[1]).square().mean().sqrt(), (logits[0] - logits[2]).square().mean().sqrt()
    assert native <= 1.5 * plain


@pytest.mark.parametrize("count", [1, 2, 3, 16])
def test_bf16_rows_together_equal_fp32_of_the_same_weights(
    tiny_config: KimiVLConfig, random_model: Callable[[KimiVLConfig], KimiVL], library: Library, count: int
) -> None:
    """Widths that fill matrix tiles and some that do not; caches in fp32, so only the products may differ."""
    fields = {
        "hidden_size": 96, "moe_intermediate_size": 64, "intermediate_size": 176, "kv_lora_rank": 160,
        "v_head_dim": 33, "vocab_size": 603,
    }  # fmt: skip
    half = random_model(_with(tiny_config, fields)).to(torch.bfloat16)
    for layer in cast("Sequence[DecoderLayer]", half.language_model.model.layers):
        if isinstance(layer.mlp, MoE):
            layer.mlp.gate.e_score_correction_bias.data = layer.mlp.gate.e_score_correction_bias.float()
    _compare(half, library, list(range(count)), BF16_ATOL, copy.deepcopy(half).float())


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("shape", [(50, 100), (3, 33, 64), (1, 1)], ids=str)
def test_dequantised_bits_are_those_of_the_plain_path(
    library: Library, bits: int, dtype: torch.dtype, shape: tuple[int, ...]
) -> None:
    weight = quantize_weight(torch.randn(shape, generator=torch.Generator().manual_seed(5)), bits)
    out = torch.empty(shape, dtype=dtype)
    dequantize_into(library, weight, out)
    assert torch.equal(out, dequantize(weight, dtype))
    with pytest.raises(ValueError, match="the weight"):
        dequantize_into(library, weight, out[..., :0])


def test_any_number_of_threads_gives_the_same(tiny_model: KimiVL, library: Library) -> None:
    for threads in (3, 1, 2):
        torch.set_num_threads(threads)
        _compare(tiny_model, library, [1, 6, 3], ATOL, steps=1)
    torch.set_num_threads(1)


def test_what_the_native_step_cannot_do_is_refused_before_any_work(tiny_model: KimiVL, library: Library) -> None:
    step = NativeStep(tiny_model, library)
    cache = LatentCache(tiny_model.config.text, 3, 1, torch.float32)
    x_BD = torch.zeros(2, 32)
    with pytest.raises(ValueError, match="1 to 16 different rows"):
        step(x_BD, cache, [1, 1])
    with pytest.raises(ValueError, match=r"must be \[1, 32\]"):
        step(x_BD, cache, [1])
    with pytest.raises(ValueError, match=r"float32 and bfloat16, not torch\.float64"):
        step(x_BD.double(), cache, [1, 2])
    step(x_BD, cache, [0, 1])
    kept = cache.values.clone()
    with pytest.raises(ValueError, match="holds 1 tokens a row, 2 are needed"):
        step(x_BD, cache, [2, 0])
    assert torch.equal(cache.values, kept)
    with pytest.raises(ValueError, match=r"float32 and bfloat16, not torch\.float16"):
        NativeStep(copy.deepcopy(tiny_model).half(), library)


def test_a_kernel_reads_the_very_weight_the_module_holds(tiny_model: KimiVL) -> None:
    head = tiny_model.language_model.lm_head
    assert weight_of(head) is head.weight
    quantised = QuantizedLinear(quantize_weight(head.weight, 8))
    assert isinstance(weight := weight_of(quantised), QuantizedWeight)
    assert weight.codes is quantised.codes


def test_without_a_compiler_the_reason_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert load_library(tmp_path) == Unavailable("no C compiler on PATH (looked for cc, gcc, clang)")
    (tmp_path / "cc").write_text("#!/bin/sh\necho 'broken: no such thing' >&2\nexit 1\n")
    (tmp_path / "cc").chmod(0o755)
    assert load_library(tmp_path) == Unavailable(f"{tmp_path / 'cc'} failed: broken: no such thing")


def test_two_builds_at_once_and_a_damaged_file_end_in_one_good_library(library: Library, tmp_path: Path) -> None:
    target = ("-march=native", "-O0")  # quick to compile
    with ThreadPoolExecutor(2) as threads:
        builds = [threads.submit(load_library, tmp_path, target=target) for _ in range(2)]
        first, second = (build.result() for build in builds)
    assert isinstance(first, Library)
    assert isinstance(second, Library)
    assert [first.path] == [second.path] == list(tmp_path.iterdir())
    copied = tmp_path / "again" / first.path.name
    copied.parent.mkdir()
    copied.write_bytes(b"not a library")
    again = load_library(copied.parent, target=target)
    assert isinstance(again, Library)
    assert filecmp.cmp(copied, first.path, shallow=False)


def test_the_machine_can_be_asked_for_its_speed_and_its_pages(library: Library) -> None:
    assert read_bandwidth(library, 1 << 22, repeats=2) > 1e6
    values = torch.ones(3 << 20)
    assert 0 <= advise_huge_pages([values, values[:4]]) <= values.nbytes
    assert bool((values == 1).all())
