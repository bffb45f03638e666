"""A matrix in 8 or 4 bits: the format, to it and back.

Symmetric, of a matrix [.., N, K] (leading expert dimensions allowed), N outputs, K inputs:

- 8 bits: codes int8 [.., N, K], scales fp32 [.., N]; value = code * scale.
- 4 bits: K padded with zeros to Kp, a multiple of 64, in groups of 64; codes uint8 [.., N, Kp / 2], scales fp16
  [.., N, Kp / 64]. Of a group's 32 bytes, byte j holds element j in its low and element 32 + j in its high nibble;
  value = (nibble - 8) * scale. A scale may be negative: the group's largest value, whatever its sign, then falls near
  nibble 0, the end that reaches further.

For inference: nothing here has a gradient.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

GROUP = 64  # elements that share a 4-bit scale
# The largest value of a group is tried at these distances from zero, in steps; the scale is then fitted to the codes.
_STEPS = (7.0, 7.5, 8.0, 8.5, 9.0)
_SMALLEST_SCALE = 2.0**-24  # of fp16
_CPU_CHUNK_GROUPS = 8192  # 2 MB of fp32: the search stays in the cache
_CUDA_CHUNK_GROUPS = 1 << 18


@dataclass(frozen=True, eq=False)
class QuantizedWeight:
    """A matrix [.., N, columns] in the format above. ValueError for tensors that are not in it."""

    codes: Tensor
    scales: Tensor
    bits: int
    columns: int  # K, without the padding

    def __post_init__(self) -> None:
        _require_bits(self.bits)
        dtypes = (torch.int8, torch.float32) if self.bits == 8 else (torch.uint8, torch.float16)
        shapes = quantized_shapes(self.shape, self.bits)
        found = (self.codes.dtype, self.scales.dtype), (tuple(self.codes.shape), tuple(self.scales.shape))
        if found != (dtypes, shapes):
            raise ValueError(f"{self.bits}-bit codes and scales are {dtypes}, {shapes}; got {found[0]}, {found[1]}")

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the matrix it stands for."""
        return (*self.codes.shape[:-1], self.columns)

    @property
    def nbytes(self) -> int:
        return self.codes.nbytes + self.scales.nbytes

    def __getitem__(self, index: int | slice | tuple[int, slice]) -> QuantizedWeight:
        """Some rows, or one expert, or some of its rows, as views."""
        return QuantizedWeight(self.codes[index], self.scales[index], self.bits, self.columns)


def quantized_shapes(shape: tuple[int, ...], bits: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Shapes of the codes and of the scales of a matrix [.., N, K]."""
    _require_bits(bits)
    *rows, columns = shape
    if bits == 8:
        return shape, tuple(rows)
    groups = -(-columns // GROUP)
    return (*rows, groups * GROUP // 2), (*rows, groups)


def empty_quantized(shape: tuple[int, ...], bits: int, device: torch.device | str) -> QuantizedWeight:
    """Room for a matrix [.., N, K], to be filled with `quantize_into`."""
    codes, scales = quantized_shapes(shape, bits)
    kinds = (torch.int8, torch.float32) if bits == 8 else (torch.uint8, torch.float16)
    return QuantizedWeight(
        torch.empty(codes, dtype=kinds[0], device=device),
        torch.empty(scales, dtype=kinds[1], device=device),
        bits,
        shape[-1],
    )


def quantize_weight(weight: Tensor, bits: int) -> QuantizedWeight:
    """A matrix [.., N, K] of any float dtype in 8 or 4 bits, on its device. ValueError for other bits, inf or NaN."""
    quantized = empty_quantized(tuple(weight.shape), bits, weight.device)
    quantize_into(weight, quantized)
    return quantized


@torch.no_grad()
def quantize_into(weight: Tensor, out: QuantizedWeight) -> None:
    """The same into tensors that are there, as it may be views. Works in pieces: no copy of the whole is made."""
    if tuple(weight.shape) != out.shape:
        raise ValueError(f"a weight of shape {tuple(weight.shape)} does not fit one of {out.shape}")
    rows_NK = weight.reshape(-1, weight.shape[-1])
    codes_NC, scales = out.codes.view(-1, out.codes.shape[-1]), out.scales.view(rows_NK.shape[0], -1)
    groups = scales.shape[-1] if out.bits == 4 else -(-rows_NK.shape[-1] // GROUP)
    step = max(1, (_CPU_CHUNK_GROUPS if weight.device.type == "cpu" else _CUDA_CHUNK_GROUPS) // groups)
    quantize_rows = _quantize_rows_8 if out.bits == 8 else _quantize_rows_4
    for start in range(0, rows_NK.shape[0], step):
        part = slice(start, start + step)
        quantize_rows(rows_NK[part], codes_NC[part], scales[part])
    if not bool(scales.isfinite().all()):
        raise ValueError(f"the weight holds inf, NaN or values too large for {out.bits}-bit scales")


def _quantize_rows_8(rows_NK: Tensor, codes_NK: Tensor, scales_N1: Tensor) -> None:
    values = rows_NK.float()
    torch.div(values.abs().amax(-1, keepdim=True), 127.0, out=scales_N1)
    steps = torch.where(scales_N1 > 0, scales_N1, 1.0)
    codes_NK.copy_((values / steps).round_().clamp_(-127, 127))


def _quantize_rows_4(rows_NK: Tensor, codes_NC: Tensor, scales_NG: Tensor) -> None:
    """Per group, of several scales the one whose codes fit best, least squares; then codes for it as fp16 keeps it.

    With codes q the best scale is <w, q> / <q, q>, and what it leaves is smallest where <w, q>^2 / <q, q> is largest.
    """
    columns = rows_NK.shape[-1]
    padded = codes_NC.shape[-1] * 2
    values = rows_NK.float() if columns == padded else F.pad(rows_NK.float(), (0, padded - columns))
    groups = values.view(-1, GROUP)
    high, low = groups.amax(-1, keepdim=True), groups.amin(-1, keepdim=True)
    extreme = torch.where(high >= -low, high, low)
    inverse = torch.where(extreme == 0, 0.0, -1.0 / extreme)
    codes = torch.empty_like(groups)
    gain = torch.full_like(extreme, -1.0)
    scale = extreme * 0  # NaN where a value is inf or NaN: none of the steps replaces it
    for steps in _STEPS:
        torch.mul(groups, inverse * steps, out=codes)
        codes.round_().clamp_(-8, 7)
        fit = torch.bmm(groups[:, None], codes[..., None])[..., 0]
        norm = torch.linalg.vector_norm(codes, dim=-1, keepdim=True).square_().clamp_(min=1.0)
        better = fit * fit / norm
        scale = torch.where(better > gain, fit / norm, scale)
        gain = torch.maximum(better, gain)
    kept = scale.half()
    kept = torch.where((kept == 0) & (scale != 0), scale.sign().half() * _SMALLEST_SCALE, kept)
    scales_NG.copy_(kept.view_as(scales_NG))
    scale = kept.float()
    torch.mul(groups, torch.where(scale == 0, 0.0, 1.0 / scale), out=codes)
    nibbles = codes.round_().clamp_(-8, 7).add_(8).to(torch.uint8).view(*scales_NG.shape, 2, GROUP // 2)
    codes_NC.view(*scales_NG.shape, GROUP // 2).copy_(nibbles[..., 0, :] | (nibbles[..., 1, :] << 4))


@torch.no_grad()
def dequantize(weight: QuantizedWeight, dtype: torch.dtype, out: Tensor | None = None) -> Tensor:
    """The matrix [.., N, K]: the exact product of code and scale, rounded once to `dtype`. Into `out` if given."""
    if out is None:
        out = torch.empty(weight.shape, dtype=dtype, device=weight.codes.device)
    if tuple(out.shape) != weight.shape or out.dtype != dtype:
        raise ValueError(f"out is {tuple(out.shape)} {out.dtype}, the weight {weight.shape} {dtype}")
    codes_NC = weight.codes.view(-1, weight.codes.shape[-1])
    out_NK = out.view(-1, weight.columns)
    scales = weight.scales.view(out_NK.shape[0], -1)
    step = max(1, (1 << 19 if codes_NC.device.type == "cpu" else 1 << 24) // weight.columns)
    if weight.bits == 4:
        _dequantize_4(codes_NC, scales, out_NK, step)
        return out
    for start in range(0, out_NK.shape[0], step):
        part = slice(start, start + step)
        out_NK[part] = codes_NC[part] * scales[part]
    return out


def _dequantize_4(codes_NC: Tensor, scales_NG: Tensor, out_NK: Tensor, step: int) -> None:
    """Some rows at a time, in buffers that stay in the cache."""
    groups, half = scales_NG.shape[-1], GROUP // 2
    step = min(step, out_NK.shape[0])
    nibbles = torch.empty(step, groups, half, dtype=torch.uint8, device=codes_NC.device)
    values = torch.empty(step, groups, 2, half, device=codes_NC.device)
    for start in range(0, out_NK.shape[0], step):
        part = slice(start, start + step)
        packed = codes_NC[part].view(-1, groups, half)
        low_high, nibble = values[: packed.shape[0]], nibbles[: packed.shape[0]]
        low_high[:, :, 0] = torch.bitwise_and(packed, 15, out=nibble)
        low_high[:, :, 1] = torch.bitwise_right_shift(packed, 4, out=nibble)
        low_high.sub_(8).mul_(scales_NG[part].float()[..., None, None])
        out_NK[part] = low_high.flatten(1)[:, : out_NK.shape[1]]


def _require_bits(bits: int) -> None:
    if bits not in (4, 8):
        raise ValueError(f"weights are quantised to 4 or 8 bits, not {bits}")
