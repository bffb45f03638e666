"""The quantised model: which weights are held in 8 or 4 bits, and the modules that hold them.

The format is `quantized_weight.py`'s. For inference: nothing here has a gradient.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Quantization
from .kimi_vl import KimiVL
from .moe import Experts
from .quantized_weight import QuantizedWeight, dequantize, quantize_weight

__all__ = [
    "QuantizedExperts",
    "QuantizedLinear",
    "QuantizedWeight",
    "Workspace",
    "dequantize",
    "install_quantized",
    "quantize_model",
    "quantize_weight",
    "quantized_bits",
    "use_dequantizer",
    "weight_of",
]

# Up to so many rows torch's packed 8-bit product is faster than dequantising; it has no vector code for fp32.
FEW_ROWS = {torch.bfloat16: 12, torch.float32: 1}
BITS: dict[Quantization, int] = {"int8": 8, "int4": 4}
_LINEAR = re.compile(
    r"language_model\.model\.layers\.\d+\."
    r"(self_attn\.(q_proj|kv_a_proj_with_mqa|o_proj)|mlp\.(shared_experts\.)?(gate_proj|up_proj|down_proj))\.weight"
)
_EXPERTS = re.compile(r"language_model\.model\.layers\.\d+\.mlp\.experts\.(gate_up_proj|down_proj)")
_HEAD = "language_model.lm_head.weight"


def quantized_bits(parameter: str, quantization: Quantization | None) -> int | None:
    """In how many bits a parameter of the model is held; None: as it is.

    Norms, router, token table, the vision side and `kv_b_proj` (read both ways by absorption) stay; the output head
    stays at 8 bits.
    """
    if quantization is None:
        return None
    if parameter == _HEAD:
        return 8
    return BITS[quantization] if _LINEAR.fullmatch(parameter) or _EXPERTS.fullmatch(parameter) else None


def quantize_model(model: KimiVL, bits: int) -> None:
    """Quantise the model in place, one module at a time, each freed before the next: 8 bits, or 4 (the head 8).

    ValueError for other bits and for a model that is quantised.
    """
    kinds: dict[int, Quantization] = {width: kind for kind, width in BITS.items()}
    if bits not in kinds:
        raise ValueError(f"a model is quantised to 4 or 8 bits, not {bits}")
    if model.config.quantization is not None:
        raise ValueError(f"the model is quantised already, to {model.config.quantization}")
    quantization, workspace = kinds[bits], Workspace()
    dtype = next(model.parameters()).dtype
    for name in [name for name, module in model.named_modules() if isinstance(module, (nn.Linear, Experts))]:
        module = model.get_submodule(name)
        weights = {
            parameter: quantize_weight(weight, width)
            for parameter, weight in module.named_parameters()
            if (width := quantized_bits(f"{name}.{parameter}", quantization)) is not None
        }
        if weights:
            _replace(model, name, weights, dtype, workspace)
    model.config = replace(model.config, quantization=quantization)


def use_dequantizer(model: KimiVL, dequantize_into: DequantizeInto) -> None:
    """Let a faster function fill the model's buffers: `dequantize_into(weight, out)`, equal to `dequantize`."""
    for module in model.modules():
        if isinstance(module, (QuantizedLinear, QuantizedExperts)):
            module.workspace.dequantize_into = dequantize_into


def install_quantized(
    model: KimiVL, weights: Mapping[str, QuantizedWeight], quantization: Quantization, dtype: torch.dtype
) -> None:
    """Put quantised weights, by their parameters' names, in the place of the model's own."""
    workspace = Workspace()
    modules: dict[str, dict[str, QuantizedWeight]] = {}
    for name, weight in weights.items():
        module, _, parameter = name.rpartition(".")
        modules.setdefault(module, {})[parameter] = weight
    for name, of_module in modules.items():
        _replace(model, name, of_module, dtype, workspace)
    model.config = replace(model.config, quantization=quantization)


def _replace(
    model: KimiVL, name: str, weights: Mapping[str, QuantizedWeight], dtype: torch.dtype, workspace: Workspace
) -> None:
    parent, _, attribute = name.rpartition(".")
    if "weight" in weights:
        module: nn.Module = QuantizedLinear(weights["weight"], workspace)
    else:
        module = QuantizedExperts(weights["gate_up_proj"], weights["down_proj"], dtype, workspace)
    setattr(model.get_submodule(parent), attribute, module)


DequantizeInto = Callable[[QuantizedWeight, Tensor], object]


def plain_dequantize_into(weight: QuantizedWeight, out: Tensor) -> Tensor:
    return dequantize(weight, out.dtype, out)


class Workspace:
    """The buffers that all quantised modules of a model share, and the function that fills them."""

    def __init__(self, dequantize_into: DequantizeInto = plain_dequantize_into, max_elements: int = 1 << 24) -> None:
        """A matrix of more than `max_elements` is dequantised and multiplied in parts."""
        self.dequantize_into = dequantize_into
        self.max_elements = max_elements
        self._buffers: dict[int, Tensor] = {}

    def dequantized(self, weight: QuantizedWeight, dtype: torch.dtype, slot: int = 0) -> Tensor:
        """The matrix in the buffer of this slot: valid until the slot is used again."""
        numel = prod(weight.shape)
        device = weight.codes.device
        buffer = self._buffers.get(slot)
        if buffer is None or buffer.numel() < numel or buffer.dtype != dtype or buffer.device != device:
            buffer = self._buffers[slot] = torch.empty(numel, dtype=dtype, device=device)
        out = buffer[:numel].view(weight.shape)
        self.dequantize_into(weight, out)
        return out


class QuantizedLinear(nn.Module):
    """A linear layer without bias whose weight stays quantised; takes the place of an `nn.Linear`."""

    codes: Tensor
    scales: Tensor

    def __init__(self, weight: QuantizedWeight, workspace: Workspace | None = None) -> None:
        super().__init__()
        self.bits, self.in_features = weight.bits, weight.columns
        self.workspace = workspace or Workspace()
        self.register_buffer("codes", weight.codes)
        self.register_buffer("scales", weight.scales)

    @property
    def quantized(self) -> QuantizedWeight:
        return QuantizedWeight(self.codes, self.scales, self.bits, self.in_features)

    @property
    def out_features(self) -> int:
        return self.codes.shape[0]

    def forward(self, x_LD: Tensor) -> Tensor:
        """x W^T in x's dtype, for any number of rows."""
        weight, rows = self.quantized, x_LD.numel() // self.in_features
        if weight.bits == 8 and x_LD.device.type == "cpu" and rows <= FEW_ROWS.get(x_LD.dtype, 0):
            flat_LD = x_LD.reshape(rows, self.in_features)
            product = torch.ops.aten._weight_int8pack_mm(flat_LD, weight.codes, weight.scales.to(x_LD.dtype))
            return cast("Tensor", product).view(*x_LD.shape[:-1], self.out_features)
        step = max(1, self.workspace.max_elements // self.in_features)
        parts = [weight[start : start + step] for start in range(0, self.out_features, step)]
        if len(parts) == 1:
            return F.linear(x_LD, self.workspace.dequantized(weight, x_LD.dtype))
        out_LC = x_LD.new_empty(*x_LD.shape[:-1], self.out_features)
        for number, part in enumerate(parts):
            rows_of_part = slice(number * step, number * step + part.shape[0])
            out_LC[..., rows_of_part] = F.linear(x_LD, self.workspace.dequantized(part, x_LD.dtype))
        return out_LC


class QuantizedExperts(nn.Module):
    """The routed experts' weights, stacked as in `Experts` and quantised; takes its place."""

    gate_up_codes: Tensor
    gate_up_scales: Tensor
    down_codes: Tensor
    down_scales: Tensor

    def __init__(
        self,
        gate_up: QuantizedWeight,
        down: QuantizedWeight,
        dtype: torch.dtype = torch.float32,
        workspace: Workspace | None = None,
    ) -> None:
        """`dtype` is what `weights` dequantises to: the model's."""
        super().__init__()
        self.dtype = dtype
        self.workspace = workspace or Workspace()
        self._columns = {"gate_up": (gate_up.bits, gate_up.columns), "down": (down.bits, down.columns)}
        for name, weight in (("gate_up", gate_up), ("down", down)):
            self.register_buffer(f"{name}_codes", weight.codes)
            self.register_buffer(f"{name}_scales", weight.scales)

    @property
    def num_experts(self) -> int:
        return self.gate_up_codes.shape[0]

    @property
    def gate_up(self) -> QuantizedWeight:
        return QuantizedWeight(self.gate_up_codes, self.gate_up_scales, *self._columns["gate_up"])

    @property
    def down(self) -> QuantizedWeight:
        return QuantizedWeight(self.down_codes, self.down_scales, *self._columns["down"])

    def weights(self, expert: int) -> tuple[Tensor, Tensor]:
        """`gate_up_ID` and `down_DI` of one expert, dequantised: valid until the next call."""
        return (
            self.workspace.dequantized(self.gate_up[expert], self.dtype),
            self.workspace.dequantized(self.down[expert], self.dtype, slot=1),
        )


def weight_of(module: nn.Module) -> Tensor | QuantizedWeight:
    """What a kernel reads of a linear layer, quantised or not."""
    return module.quantized if isinstance(module, QuantizedLinear) else cast("nn.Linear", module).weight
