"""What a checkpoint is made of, from its configuration alone: nothing is allocated, no weight file is opened."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path

from .config import KimiVLConfig, load_config
from .layout import Place, empty_model, model_layout
from .memory import place_bytes

_BYTES = {"bfloat16": 2, "float16": 2, "float32": 4}


@dataclass(frozen=True, kw_only=True)
class ModelCounts:
    """Sizes of a model.

    `parameters_active` is what one text token passes through: all of the decoder but the experts not chosen for it,
    the output head included, the token table (a look-up) and the vision side not.
    """

    parameters: int
    parameters_active: int
    tensors: int  # of the published layout: each routed expert has three
    vision_parameters: int
    projector_parameters: int
    experts: int
    experts_active: int
    layers: int
    bytes: int  # of all tensors in the dtype config.json names, or quantised as it says
    cache_bytes_per_token: int  # latents of a token of context, in that dtype

    def to_json(self) -> dict[str, int]:
        return asdict(self)


def inspect_model(folder: str | Path) -> ModelCounts:
    """Counts of a checkpoint folder; `config.json` is all it needs to hold."""
    return count_model(load_config(Path(folder)))


def count_model(config: KimiVLConfig) -> ModelCounts:
    """Counts of the very model that would be loaded, built on the meta device."""
    layout = model_layout(empty_model(config))
    text = config.text
    one_expert = 3 * text.hidden_size * text.moe_intermediate_size
    moe_layers = sum(text.is_moe(layer) for layer in range(text.num_hidden_layers))
    idle = moe_layers * (text.n_routed_experts - text.num_experts_per_tok) * one_expert
    decoder = _parameters(layout.items(), "language_model.")
    table = _parameters(layout.items(), "language_model.model.embed_tokens.")
    return ModelCounts(
        parameters=_parameters(layout.items()),
        parameters_active=decoder - table - idle,
        tensors=len(layout),
        vision_parameters=_parameters(layout.items(), "vision_tower."),
        projector_parameters=_parameters(layout.items(), "multi_modal_projector."),
        experts=text.n_routed_experts,
        experts_active=text.num_experts_per_tok,
        layers=text.num_hidden_layers,
        bytes=sum(place_bytes(place, _BYTES[config.torch_dtype], config.quantization) for place in layout.values()),
        cache_bytes_per_token=text.num_hidden_layers
        * (text.kv_lora_rank + text.qk_rope_head_dim)
        * _BYTES[config.torch_dtype],
    )


def _parameters(layout: Iterable[tuple[str, Place]], prefix: str = "") -> int:
    return sum(prod(place.shape) for name, place in layout if name.startswith(prefix))
