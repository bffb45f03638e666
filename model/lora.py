"""Low-rank adapters: a model that is too large to train whole learns two thin matrices beside each chosen layer.

Hu et al., "LoRA" (2021): y = W x + (alpha / rank) B A x, B zero at the start. The adapter hangs on the model by forward
hooks, so the model's own names, its saving and its loading stay what they are. Files follow the PEFT library's layout.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import (
    load_file,
    save_file,  # pyright: ignore[reportUnknownVariableType] (PathLike without parameter)
)
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from .errors import BadCheckpoint
from .kimi_vl import KimiVL

CONFIG_FILE, WEIGHTS_FILE = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
DECODER_LAYERS = (
    "self_attn.q_proj", "self_attn.kv_a_proj_with_mqa", "self_attn.kv_b_proj", "self_attn.o_proj",
    "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj",
    "shared_experts.gate_proj", "shared_experts.up_proj", "shared_experts.down_proj",
    "multi_modal_projector.linear_1", "multi_modal_projector.linear_2",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class LoraConfig:
    """How much an adapter can learn, and where. The routed experts, the routers and the tower stay as they are."""

    rank: int = 16
    alpha: float = 32.0  # the update is scaled by alpha / rank
    targets: tuple[str, ...] = DECODER_LAYERS  # ends of the names of linear layers

    def __post_init__(self) -> None:
        if self.rank < 1 or self.alpha <= 0 or not self.targets:
            raise ValueError(f"an adapter needs rank >= 1, alpha > 0 and targets, got {asdict(self)}")

    @property
    def scale(self) -> float:
        return self.alpha / self.rank


class Adapter:
    """Two fp32 matrices beside each target, attached to the model, whose own parameters are frozen from here on."""

    def __init__(self, model: KimiVL, config: LoraConfig | None = None, *, seed: int = 0) -> None:
        self.config = config or LoraConfig()
        self.layers: dict[str, nn.Linear] = {
            name: module
            for name, module in model.named_modules()
            if isinstance(module, nn.Linear) and name.endswith(self.config.targets)
        }
        if not self.layers:
            raise ValueError(f"no linear layer of the model ends in one of {', '.join(self.config.targets)}")
        model.requires_grad_(False)
        generator = torch.Generator().manual_seed(seed)
        rank = self.config.rank
        self._down_RD: dict[str, nn.Parameter] = {}
        self._up_DR: dict[str, nn.Parameter] = {}
        self._handles: list[RemovableHandle] = []
        for name, layer in self.layers.items():
            down_RD = torch.randn(rank, layer.in_features, generator=generator) * layer.in_features**-0.5
            self._down_RD[name] = nn.Parameter(down_RD.to(layer.weight.device))
            self._up_DR[name] = nn.Parameter(torch.zeros(layer.out_features, rank, device=layer.weight.device))
            self._handles.append(layer.register_forward_hook(self._added(name)))

    def parameters(self) -> Iterable[nn.Parameter]:
        return (*self._down_RD.values(), *self._up_DR.values())

    def state_dict(self) -> dict[str, Tensor]:
        """By the published name of the layer: `NAME.lora_A.weight` [rank, in] and `NAME.lora_B.weight` [out, rank]."""
        state: dict[str, Tensor] = {}
        for name in self.layers:
            state[f"{name}.lora_A.weight"] = self._down_RD[name].detach()
            state[f"{name}.lora_B.weight"] = self._up_DR[name].detach()
        return state

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """ValueError where the names or shapes are not this adapter's."""
        own = self.state_dict()
        shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
        if shapes != {name: tuple(tensor.shape) for name, tensor in own.items()}:
            raise ValueError("this adapter belongs to another model, or has another rank or other targets")
        for name, tensor in own.items():
            tensor.copy_(state[name])

    @torch.no_grad()
    def merge(self) -> None:
        """Add the update to the model's own weights, in their dtype, and detach: the model then stands alone."""
        self.detach()
        for name, layer in self.layers.items():
            update = self.config.scale * self._up_DR[name] @ self._down_RD[name]
            layer.weight.copy_(layer.weight.float() + update)

    def detach(self) -> None:
        """Take the adapter off; the model is what it was."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def save(self, folder: Path, *, base: str) -> None:
        """Write `adapter_model.safetensors` and `adapter_config.json`; `base` names the checkpoint it belongs to."""
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {PREFIX + name: tensor.cpu().contiguous() for name, tensor in self.state_dict().items()}
        save_file(tensors, folder / WEIGHTS_FILE, metadata={"format": "pt"})
        described = {
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": base,
            "r": self.config.rank,
            "lora_alpha": self.config.alpha,
            "lora_dropout": 0.0,
            "target_modules": list(self.layers),
            "bias": "none",
            "fan_in_fan_out": False,
            "inference_mode": True,
        }
        (folder / CONFIG_FILE).write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")

    def _added(self, name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor]:
        def add(_module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            (x_LD,) = inputs
            down_RD, up_DR = self._down_RD[name].to(x_LD.dtype), self._up_DR[name].to(x_LD.dtype)
            return output + (self.config.scale * F.linear(F.linear(x_LD, down_RD), up_DR)).to(output.dtype)

        return add


def load_adapter(model: KimiVL, folder: Path) -> Adapter:
    """Hang a saved adapter on its model. BadCheckpoint where the files are missing, damaged or another model's."""
    try:
        said = cast("dict[str, Any]", json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8")))
        config = LoraConfig(
            rank=int(said["r"]), alpha=float(said["lora_alpha"]), targets=tuple(map(str, said["target_modules"]))
        )
        tensors = load_file(folder / WEIGHTS_FILE)
        adapter = Adapter(model, config)
        try:
            adapter.load_state_dict({name.removeprefix(PREFIX): tensor for name, tensor in tensors.items()})
        except ValueError:
            adapter.detach()
            raise
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadCheckpoint(f"{folder} holds no adapter of this model: {error}") from error
    return adapter
