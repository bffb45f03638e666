from __future__ import annotations

import struct
from collections.abc import Callable
from math import prod

import pytest
import torch
import torch.nn.functional as F
from moonhand.model import KimiVL, KimiVLConfig
from moonhand.model.moe import run_experts
from moonhand.model.quantize import (
    QuantizedExperts,
    QuantizedLinear,
    Workspace,
    plain_dequantize_into,
    quantize_model,
    use_dequantizer,
    weight_of,
)
from moonhand.model.quantized_weight import QuantizedWeight, dequantize, quantize_into, quantize_weight
from torch import Tensor


def _random(*shape: int, seed: int = 0, std: float = 0.02) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * std


def _read_slowly(weight: QuantizedWeight) -> Tensor:
    """The format's description, byte by byte, from the bytes of the two tensors."""
    codes, scales = (bytes(t.contiguous().view(-1).view(torch.uint8).tolist()) for t in (weight.codes, weight.scales))
    rows = prod(weight.shape[:-1])
    values: list[float] = []
    for row in range(rows):
        if weight.bits == 8:
            (scale,) = struct.unpack_from("<f", scales, 4 * row)
            values += [c * scale for c in struct.unpack_from(f"<{weight.columns}b", codes, row * weight.columns)]
            continue
        groups = -(-weight.columns // 64)
        of_row: list[float] = []
        for group in range(groups):
            (scale,) = struct.unpack_from("<e", scales, 2 * (row * groups + group))
            packed = codes[32 * (row * groups + group) :][:32]
            of_row += [((byte & 15) - 8) * scale for byte in packed]
            of_row += [((byte >> 4) - 8) * scale for byte in packed]
        values += of_row[: weight.columns]
    return torch.tensor(values, dtype=torch.float64).view(weight.shape)


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("shape", [(3, 64), (5, 70), (2, 3, 130), (1, 7)], ids=str)
def test_the_bytes_are_laid_out_as_documented(shape: tuple[int, ...], bits: int) -> None:
    weight = quantize_weight(_random(*shape), bits)
    padded = -(-shape[-1] // 64) * 64
    assert weight.shape == shape
    if bits == 8:
        assert (weight.codes.dtype, weight.codes.shape) == (torch.int8, shape)
        assert (weight.scales.dtype, weight.scales.shape) == (torch.float32, shape[:-1])
    else:
        assert (weight.codes.dtype, weight.codes.shape) == (torch.uint8, (*shape[:-1], padded // 2))
        assert (weight.scales.dtype, weight.scales.shape) == (torch.float16, (*shape[:-1], padded // 64))
    slow = _read_slowly(weight)
    assert torch.equal(dequantize(weight, torch.float32), slow.float())
    assert torch.equal(dequantize(weight, torch.bfloat16), slow.float().bfloat16())


@pytest.mark.parametrize(("bits", "bound"), [(8, 0.0085), (4, 0.0915)])
def test_what_is_lost_of_normal_weights(bits: int, bound: float) -> None:
    weight = _random(128, 2048)
    error = dequantize(quantize_weight(weight, bits), torch.float32) - weight
    assert float(error.norm() / weight.norm()) < bound  # 4 bits with a scale of absmax / 7: 0.108


def test_no_group_is_worse_off_than_with_the_plain_scale() -> None:
    weight = _random(64, 640, std=1.0) ** 3  # heavy tails
    groups = weight.view(-1, 64)
    plain_scale = groups.abs().amax(-1, keepdim=True) / 8
    plain = (groups / plain_scale).round().clamp(-8, 7) * plain_scale
    ours = dequantize(quantize_weight(weight, 4), torch.float32).view(-1, 64)
    worse = (ours - groups).norm(dim=-1) / (plain - groups).norm(dim=-1)
    assert float(worse.max()) < 1.05  # one group may lose a little to the fp16 scale and the negative end
    assert float(worse.mean()) < 0.97


def test_eight_bit_codes_are_off_by_half_a_step_at_most() -> None:
    weight = _random(16, 100)
    quantised = quantize_weight(weight, 8)
    error = (dequantize(quantised, torch.float32) - weight).abs()
    assert bool((error <= quantised.scales[:, None] * 0.5001).all())


@pytest.mark.parametrize("size", [1e-3, 1e-5, 1e-6, 2e-7])
def test_tiny_weights_survive_fp16_scales(size: float) -> None:
    weight = _random(8, 128, std=size)
    error = dequantize(quantize_weight(weight, 4), torch.float32) - weight
    assert float(error.norm() / weight.norm()) < 0.3


def test_a_zero_matrix_stays_zero() -> None:
    for bits in (4, 8):
        assert not dequantize(quantize_weight(torch.zeros(2, 70), bits), torch.float32).any()


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_a_weight_that_is_no_number_is_refused(value: float, bits: int) -> None:
    weight = _random(4, 64)
    weight[2, 5] = value
    with pytest.raises(ValueError, match="inf, NaN"):
        quantize_weight(weight, bits)


@pytest.mark.parametrize("bits", [0, 2, 16])
def test_other_widths_are_refused(bits: int, tiny_model: KimiVL) -> None:
    with pytest.raises(ValueError, match="4 or 8 bits"):
        quantize_weight(_random(2, 64), bits)
    with pytest.raises(ValueError, match="4 or 8 bits"):
        quantize_model(tiny_model, bits)


def test_tensors_of_another_format_are_refused() -> None:
    weight = quantize_weight(_random(4, 128), 4)
    for codes, scales in ((weight.codes, weight.scales.float()), (weight.codes[:, :-1], weight.scales)):
        with pytest.raises(ValueError, match="4-bit codes and scales are"):
            QuantizedWeight(codes, scales, 4, 128)
    with pytest.raises(ValueError, match="does not fit"):
        quantize_into(_random(3, 128), weight)
    with pytest.raises(ValueError, match="out is"):
        dequantize(weight, torch.float32, torch.empty(4, 127))


@pytest.mark.parametrize("bits", [4, 8])
def test_parts_are_quantised_as_the_whole_is(bits: int) -> None:
    whole, weight = quantize_weight(_random(3, 40, 1408), bits), _random(3, 40, 1408)
    parts = quantize_weight(torch.zeros_like(weight), bits)
    for expert in range(3):
        for rows in (slice(0, 13), slice(13, 40)):
            quantize_into(weight[expert, rows], parts[expert, rows])
    assert torch.equal(parts.codes, whole.codes)
    assert torch.equal(parts.scales, whole.scales)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)], ids=str)
@pytest.mark.parametrize("rows", [(), (1,), (5,), (2, 40)], ids=str)
@pytest.mark.parametrize("bits", [4, 8])
def test_a_quantised_layer_multiplies_by_its_dequantised_weight(
    bits: int, rows: tuple[int, ...], dtype: torch.dtype, tolerance: float
) -> None:
    weight = quantize_weight(_random(24, 192, std=192**-0.5), bits)
    x = _random(*rows, 192, seed=1, std=1.0).to(dtype)
    layer = QuantizedLinear(weight)
    out = layer(x)
    exact = F.linear(x.float(), dequantize(weight, torch.float32))
    assert (out.shape, out.dtype) == (exact.shape, dtype)
    torch.testing.assert_close(out.float(), exact, rtol=tolerance, atol=tolerance)


def test_a_large_matrix_is_multiplied_in_parts_with_one_small_buffer() -> None:
    weight = quantize_weight(_random(50, 64), 4)
    sizes: list[int] = []

    def watch(part: QuantizedWeight, out: Tensor) -> None:
        sizes.append(out.numel())
        plain_dequantize_into(part, out)

    in_parts = QuantizedLinear(weight, Workspace(watch, max_elements=16 * 64))
    x = _random(3, 64, std=1.0)
    torch.testing.assert_close(in_parts(x), QuantizedLinear(weight)(x), rtol=1e-6, atol=1e-6)
    assert sizes == [1024, 1024, 1024, 128]


def test_experts_give_their_matrices_one_expert_at_a_time() -> None:
    gate_up, down = quantize_weight(_random(4, 32, 64), 4), quantize_weight(_random(4, 64, 16), 4)
    experts = QuantizedExperts(gate_up, down, torch.float32)
    assert experts.num_experts == 4
    first = [tensor.clone() for tensor in experts.weights(1)]
    assert torch.equal(first[0], dequantize(gate_up, torch.float32)[1])
    assert torch.equal(first[1], dequantize(down, torch.float32)[1])
    addresses = {tensor.data_ptr() for expert in range(4) for tensor in experts.weights(expert)}
    assert len(addresses) == 2, "the buffers are used again"


@pytest.mark.parametrize("bits", [4, 8])
def test_a_quantised_model_keeps_its_names_and_its_small_parts(
    bits: int, tiny_config: KimiVLConfig, random_model: Callable[[KimiVLConfig], KimiVL]
) -> None:
    before, model = random_model(tiny_config), random_model(tiny_config)
    quantize_model(model, bits)
    assert model.config.quantization == f"int{bits}"
    kept = {name for name in model.state_dict() if name in before.state_dict()}
    for name in kept:
        assert torch.equal(model.state_dict()[name], before.state_dict()[name]), name
    changed = before.state_dict().keys() - kept
    layer = "language_model.model.layers"
    assert "language_model.lm_head.weight" in changed
    for part in ("q_proj", "kv_a_proj_with_mqa", "o_proj"):
        assert f"{layer}.2.self_attn.{part}.weight" in changed
    assert f"{layer}.0.mlp.down_proj.weight" in changed
    assert f"{layer}.1.mlp.shared_experts.gate_proj.weight" in changed
    assert f"{layer}.1.mlp.experts.gate_up_proj" in changed
    assert not any("vision" in n or "norm" in n or "kv_b" in n or "gate.weight" in n or "embed" in n for n in changed)
    for name in changed:
        module = model.get_submodule(name.rpartition(".")[0])
        original = before.get_parameter(name)
        if isinstance(module, QuantizedExperts):
            weight = module.gate_up if name.endswith("gate_up_proj") else module.down
        else:
            weight = weight_of(module)
        assert isinstance(weight, QuantizedWeight)
        assert weight.bits == (8 if "lm_head" in name else bits)
        assert torch.equal(
            dequantize(weight, torch.float32), dequantize(quantize_weight(original, weight.bits), torch.float32)
        )
    assert isinstance(weight_of(model.get_submodule(f"{layer}.0.self_attn.kv_b_proj")), Tensor)
    with pytest.raises(ValueError, match="quantised already"):
        quantize_model(model, bits)


def test_quantised_experts_run_like_plain_ones(
    tiny_config: KimiVLConfig, random_model: Callable[[KimiVLConfig], KimiVL]
) -> None:
    before, model = random_model(tiny_config), random_model(tiny_config)
    quantize_model(model, 8)
    x_LD = _random(9, 32, std=1.0)
    weights_LA = torch.full((9, 3), 0.8)
    ids_LA = torch.stack([torch.randperm(8, generator=torch.Generator().manual_seed(n))[:3] for n in range(9)])
    plain, quantised = (
        run_experts(x_LD, weights_LA, ids_LA, each.get_submodule("language_model.model.layers.1.mlp.experts"))  # pyright: ignore[reportArgumentType]
        for each in (before, model)
    )
    assert float((plain - quantised).norm() / plain.norm()) < 0.02


def test_another_function_can_fill_the_buffers(
    tiny_config: KimiVLConfig, random_model: Callable[[KimiVLConfig], KimiVL]
) -> None:
    model = random_model(tiny_config)
    quantize_model(model, 4)
    asked: list[int] = []
    use_dequantizer(model, lambda weight, out: (asked.append(weight.bits), plain_dequantize_into(weight, out)))
    model.get_submodule("language_model.model.layers.0.mlp.up_proj")(_random(20, 32))
    model.get_submodule("language_model.lm_head")(_random(20, 32))
    assert asked == [4, 8]
