"""Kimi-VL as a model of transformers: the modules of this package under the published names, with `generate`.

Whole sequences (training, scores) go through the modules as they are, with gradients. Where a cache is asked for, as
`generate` does, the decoder runs on latents: `TextRuntime`, with the same decode step as `Engine`.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import GenerationMixin, PreTrainedModel
from transformers.conversion_mapping import WeightConverter
from transformers.core_model_loading import Concatenate, MergeModulelist
from transformers.modeling_outputs import CausalLMOutputWithPast
from transformers.utils import logging

from .decoder import DecoderLayer
from .engine import decode_step
from .errors import BadCheckpoint, NoDevice
from .hf_cache import LatentStates
from .hf_config import HFKimiVLConfig
from .hf_passes import Given, cached_pass, is_watched, plain_pass
from .hf_pictures import Pictures
from .kimi_vl import KimiVL
from .runtime import Step, TextRuntime

_logger = logging.get_logger(__name__)
_ADAPTED = "kv_b_proj is adapted, and latents are read by its weight alone"


def stacked_experts() -> list[Any]:
    """How the published names of the routed experts become the stacked ones, and when saving, back."""
    gate_up = ["mlp.experts.*.gate_proj.weight", "mlp.experts.*.up_proj.weight"]
    return [
        WeightConverter(
            source_patterns=gate_up,
            target_patterns="mlp.experts.gate_up_proj",
            operations=[MergeModulelist(dim=0), Concatenate(dim=1)],
        ),
        WeightConverter(
            source_patterns="mlp.experts.*.down_proj.weight",
            target_patterns="mlp.experts.down_proj",
            operations=[MergeModulelist(dim=0)],
        ),
    ]


class KimiVLForConditionalGeneration(PreTrainedModel, GenerationMixin):
    """The whole model. Made by `AutoModelForCausalLM.from_pretrained` once `hf.register()` was called."""

    config_class = HFKimiVLConfig
    main_input_name = "input_ids"
    input_modalities = ("image", "text")
    supports_gradient_checkpointing = True
    _supports_sdpa = True  # the one attention there is
    _no_split_modules = ["MoonViT", "Projector", "LanguageModel"]  # noqa: RUF012 (the decoder stays on one device)
    _keep_in_fp32_modules_strict = ["e_score_correction_bias"]  # noqa: RUF012
    _keys_to_ignore_on_load_unexpected = [r"rotary_emb\.inv_freq"]  # noqa: RUF012

    def __init__(self, config: HFKimiVLConfig, **kwargs: Any) -> None:
        super().__init__(config)
        self.ours = config.to_ours()
        made = KimiVL(self.ours)
        self.vision_tower = made.vision_tower
        self.multi_modal_projector = made.multi_modal_projector
        self.language_model = made.language_model
        self.gradient_checkpointing = False
        self._kept_step: tuple[object, Step | None] | None = None
        self.post_init()

    @classmethod
    def from_pretrained(cls, *args: Any, **kwargs: Any) -> Any:
        """As in transformers; BadCheckpoint where the folder's tensors are not all of the model's and no others."""
        wants_info = kwargs.pop("output_loading_info", False)
        model, info = super().from_pretrained(*args, **kwargs, output_loading_info=True)
        wrong = {kind: sorted(map(str, info.get(kind) or ())) for kind in ("missing_keys", "unexpected_keys")}
        wrong["mismatched_keys"] = sorted(map(str, info.get("mismatched_keys") or ()))
        if any(wrong.values()):
            found = "; ".join(f"{kind.replace('_', ' ')}: {', '.join(names)}" for kind, names in wrong.items() if names)
            raise BadCheckpoint(
                f"the tensors of {args[0] if args else 'the folder'} are not those of its config: {found}"
            )
        return (model, info) if wants_info else model

    def _init_weights(self, module: nn.Module) -> None:
        """Nothing: modules fill their own parameters when they are made, and a folder has to bring them all."""

    def __getstate__(self) -> dict[str, Any]:
        """Copies make a decode step of their own: it points at weights."""
        return self.__dict__ | {"_kept_step": None}

    def get_input_embeddings(self) -> nn.Module:
        return self.language_model.model.embed_tokens

    def get_output_embeddings(self) -> nn.Module:
        return self.language_model.lm_head

    def forward(
        self,
        input_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        image_grid_hws: Tensor | None = None,
        image_kept: Tensor | None = None,
        image_kept_counts: Tensor | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        past_key_values: LatentStates | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int = 0,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        **loss_kwargs: Any,
    ) -> Any:
        """`logits` fp32 [B, L, V] of every token, or of the last `logits_to_keep`; with `labels`, `loss`.

        Pictures come as the processor makes them: `pixel_values` [P, 3, p, p] and `image_grid_hws` [n, 2] of all
        sequences in order. `attention_mask` [B, L] is 0 where there is padding, on either side. A cache is filled and
        returned only where `past_key_values` or `use_cache=True` is given; attention weights are never made.
        """
        if output_attentions:
            raise ValueError("attention weights are not made: output_attentions must be False")
        pictures = Pictures.given(pixel_values, image_grid_hws, image_kept, image_kept_counts)
        prompt = Given(input_ids, inputs_embeds, attention_mask, pictures)
        caching = past_key_values is not None or bool(use_cache)
        hidden: list[Tensor] | None = [] if output_hidden_states else None
        cache = None
        if caching:
            if labels is not None or hidden is not None:
                raise ValueError("with a cache there is neither a loss nor hidden states: leave use_cache out")
            cache = self._cache(past_key_values)
            logits = cached_pass(self.core(), prompt, cache, logits_to_keep)
        else:
            again = self._gradient_checkpointing_func if self.gradient_checkpointing and self.training else None
            logits = plain_pass(self.core(), prompt, logits_to_keep, hidden, again)
        loss = None
        if labels is not None:
            if logits_to_keep:
                raise ValueError("labels need the logits of every token: leave logits_to_keep out")
            vocab_size = self.ours.text.vocab_size
            loss = self.loss_function(logits=logits, labels=labels, vocab_size=vocab_size, **loss_kwargs)
        out = CausalLMOutputWithPast(
            loss=loss, logits=logits, past_key_values=cache, hidden_states=None if hidden is None else tuple(hidden)
        )
        return out.to_tuple() if return_dict is False else out

    def get_image_features(
        self,
        pixel_values: Tensor,
        image_grid_hws: Tensor,
        image_kept: Tensor | None = None,
        image_kept_counts: Tensor | None = None,
    ) -> Tensor:
        """Features [T, D] of all pictures, one after the other, in the decoder's width."""
        pictures = Pictures.given(pixel_values, image_grid_hws, image_kept, image_kept_counts)
        assert pictures is not None
        return pictures.features(self.core())

    def core(self) -> KimiVL:
        """The model of this package around the very same modules, as they are now."""
        core = KimiVL.__new__(KimiVL)
        nn.Module.__init__(core)
        core.config = self.ours
        core.vision_tower = self.vision_tower
        core.multi_modal_projector = self.multi_modal_projector
        core.language_model = self.language_model
        core.training = self.training
        return core

    def _cache(self, given: Any) -> LatentStates:
        given = LatentStates(self.ours.text) if given is None else given
        if not isinstance(given, LatentStates):
            raise TypeError(
                f"past_key_values is a {type(given).__name__}, and this model keeps latents: leave it out, or give a "
                "moonhand.model.hf_cache.LatentStates"
            )
        if given.runtime is None:
            self._require_one_device()
            if self._is_kv_b_adapted():
                raise ValueError(f"{_ADAPTED}: merge the adapter, or leave past_key_values and use_cache out")
            given.runtime = TextRuntime(self.core(), self._step())
        return given

    def _require_one_device(self) -> None:
        """NoDevice where the decoder does not lie on one: latents are read and written by its weights directly."""
        devices = {parameter.device for parameter in self.language_model.parameters()}
        if len(devices) > 1 or torch.device("meta") in devices:
            raise NoDevice(
                f"the decoder lies on {', '.join(sorted(map(str, devices)))} and runs on one device: load it in fewer "
                "bits (moonhand.model.load), on a larger device, or serve it with vLLM or SGLang"
            )

    def _is_kv_b_adapted(self) -> bool:
        layers = self.language_model.model.layers
        return any(is_watched(cast("DecoderLayer", layer).self_attn.kv_b_proj) for layer in layers)

    def _step(self) -> Step | None:
        """The decode step for the weights as they are now."""
        if any(is_watched(module) for module in self.language_model.modules()):
            return None
        key = tuple((each.data_ptr(), each._version) for each in self.language_model.parameters())
        if self._kept_step is None or self._kept_step[0] != key:
            self._kept_step = key, decode_step(self.core())
        return self._kept_step[1]

    @torch.no_grad()
    def generate(self, inputs: Any = None, generation_config: Any = None, **kwargs: Any) -> Any:
        """As in transformers, with a cache of latents.

        A reply ends at `<|im_end|>` or `[EOS]` and holds no picture placeholder unless the caller says otherwise.
        """
        given = generation_config or self.generation_config
        if kwargs.get("use_cache", given.use_cache) is not False and kwargs.get("past_key_values") is None:
            self._require_one_device()
            if self._is_kv_b_adapted():
                _logger.warning_once(f"{_ADAPTED}: every step reads the whole prompt again until it is merged")
                kwargs["use_cache"] = False
            else:
                new_tokens = kwargs.get("max_new_tokens", given.max_new_tokens)
                kwargs["past_key_values"] = LatentStates(self.ours.text, new_tokens=new_tokens)
        if "eos_token_id" not in kwargs and generation_config is None:
            stops = {self.config.control_id("<|im_end|>"), self.config.control_id("[EOS]")}
            known = given.eos_token_id
            kwargs["eos_token_id"] = sorted(stops | set(known if isinstance(known, list) else {known} - {None}))
        if "pad_token_id" not in kwargs and given.pad_token_id is None:
            kwargs["pad_token_id"] = self.config.control_id("[PAD]")
        if "suppress_tokens" not in kwargs and given.suppress_tokens is None:
            kwargs["suppress_tokens"] = [self.config.media_placeholder_token_id]
        return super().generate(inputs, generation_config=generation_config, **kwargs)

    def prepare_inputs_for_generation(self, input_ids: Tensor, **kwargs: Any) -> dict[str, Any]:
        inputs = cast("dict[str, Any]", super().prepare_inputs_for_generation(input_ids, **kwargs))
        cache = inputs.get("past_key_values")
        if isinstance(cache, LatentStates) and cache.get_seq_length() and not kwargs.get("is_first_iteration"):
            for name in Pictures.KEYS:  # read already
                inputs.pop(name, None)
        return inputs

    def _expand_inputs_for_generation(
        self, expand_size: int = 1, is_encoder_decoder: bool = False, input_ids: Tensor | None = None, **kwargs: Any
    ) -> tuple[Tensor | None, dict[str, Any]]:
        """Every sequence `expand_size` times, with its pictures."""
        given = {name: kwargs.pop(name, None) for name in Pictures.KEYS}
        pictures = Pictures.given(*given.values())
        if pictures is not None and input_ids is not None and expand_size > 1:
            pictures = pictures.repeated(input_ids, expand_size, self.ours)
        ids, kwargs = super()._expand_inputs_for_generation(
            expand_size=expand_size, is_encoder_decoder=is_encoder_decoder, input_ids=input_ids, **kwargs
        )
        return ids, kwargs | ({} if pictures is None else pictures.to_kwargs())
