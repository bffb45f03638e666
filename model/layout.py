"""The one table between the names of a checkpoint and those of the model.

Names are the published ones on both sides, but for the routed experts, which the model holds stacked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, overload

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from .config import KimiVLConfig
from .kimi_vl import KimiVL
from .quantized_weight import QuantizedWeight

FP32_SUFFIX = ".e_score_correction_bias"  # rounding it to 16 bits would change which experts are chosen


@dataclass(frozen=True)
class Place:
    """Where a checkpoint tensor lives in the model: a parameter, or some rows of one expert's slice of it."""

    parameter: str
    shape: tuple[int, ...]
    expert: int | None = None
    first_row: int = 0

    @overload
    def of(self, parameter: Tensor) -> Tensor: ...
    @overload
    def of(self, parameter: QuantizedWeight) -> QuantizedWeight: ...
    def of(self, parameter: Tensor | QuantizedWeight) -> Tensor | QuantizedWeight:
        """The part of the parameter that this tensor is, as a view."""
        if self.expert is None:
            return parameter
        return parameter[self.expert, self.first_row : self.first_row + self.shape[0]]


def checkpoint_layout(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Place]:
    """Every tensor of the checkpoint by its published name, from the shapes of the model's own parameters."""
    layout: dict[str, Place] = {}
    for name, shape in shapes.items():
        stack, _, kind = name.rpartition(".")
        if not stack.endswith(".mlp.experts"):
            layout[name] = Place(name, shape)
            continue
        experts, rows, columns = shape
        parts = ("gate_proj", "up_proj") if kind == "gate_up_proj" else ("down_proj",)
        height = rows // len(parts)
        for expert in range(experts):
            for number, part in enumerate(parts):
                place = Place(name, (height, columns), expert, number * height)
                layout[f"{stack}.{expert}.{part}.weight"] = place
    return layout


def model_layout(model: KimiVL) -> dict[str, Place]:
    return checkpoint_layout({name: tuple(tensor.shape) for name, tensor in model.state_dict().items()})


def empty_model(config: KimiVLConfig) -> KimiVL:
    """The model on the meta device: every name and shape, no values and no memory."""
    with torch.device("meta"), _NoFilling():
        return KimiVL(config)


class _NoFilling(TorchFunctionMode):
    """Skips the filling of new parameters: on the meta device it does nothing but load torch's compiler (1 s)."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        named = kwargs or {}
        if func in (Tensor.fill_, Tensor.zero_):
            return args[0]
        if getattr(func, "__module__", None) == torch.nn.init.__name__:
            return args[0] if args else named["tensor"]
        return func(*args, **named)
