"""What `config.json` and `preprocessor_config.json` of a Kimi-VL folder say, read once, checked once, frozen.

Field names are the files' own. A key nobody here knows, or a value this runtime does not implement, is refused by
name: silently ignoring one is how a port ends up plausible and wrong.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from .errors import BadConfig

DTypeName = Literal["bfloat16", "float16", "float32"]
Quantization = Literal["int8", "int4"]  # of the decoder's large matrices: see `quantize.py`


@dataclass(frozen=True, kw_only=True)
class TextConfig:
    """The decoder: DeepSeek-V3's layer (MLA, and MoE after the first dense layers) at any size."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int  # dense layers
    moe_intermediate_size: int  # one routed expert
    n_routed_experts: int
    num_experts_per_tok: int
    n_shared_experts: int
    first_k_dense_replace: int
    routed_scaling_factor: float
    kv_lora_rank: int
    qk_nope_head_dim: int
    qk_rope_head_dim: int
    v_head_dim: int
    rope_theta: float
    max_position_embeddings: int
    rms_norm_eps: float = 1e-5  # kv_a_layernorm alone uses KV_NORM_EPS
    norm_topk_prob: bool = True
    bos_token_id: int | None = None
    eos_token_id: int | None = None
    pad_token_id: int | None = None

    def __post_init__(self) -> None:
        _require_positive(self, "text_config")
        if self.num_experts_per_tok > self.n_routed_experts:
            raise BadConfig(
                f"text_config.num_experts_per_tok is {self.num_experts_per_tok} but there are only "
                f"{self.n_routed_experts} routed experts"
            )
        if self.qk_rope_head_dim % 2:
            raise BadConfig(f"text_config.qk_rope_head_dim must be even, got {self.qk_rope_head_dim}")

    @property
    def qk_head_dim(self) -> int:
        return self.qk_nope_head_dim + self.qk_rope_head_dim

    def is_moe(self, layer: int) -> bool:
        return layer >= self.first_k_dense_replace


@dataclass(frozen=True, kw_only=True)
class VisionConfig:
    """MoonViT, the native-resolution tower."""

    patch_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    init_pos_emb_height: int
    init_pos_emb_width: int
    merge_kernel_size: tuple[int, int] = (2, 2)

    def __post_init__(self) -> None:
        _require_positive(self, "vision_config")
        head_dim, rest = divmod(self.hidden_size, self.num_attention_heads)
        if rest or head_dim % 4:
            raise BadConfig(
                f"vision_config.hidden_size {self.hidden_size} over {self.num_attention_heads} heads must give a "
                "head width divisible by 4 (2-D rotary pairs)"
            )

    @property
    def head_dim(self) -> int:
        return self.hidden_size // self.num_attention_heads

    @property
    def merged_size(self) -> int:
        """Width of one image token before the projector: the patches of a merge group side by side."""
        return self.hidden_size * self.merge_kernel_size[0] * self.merge_kernel_size[1]


@dataclass(frozen=True, kw_only=True)
class ImageConfig:
    """`preprocessor_config.json`: how a picture becomes patches."""

    in_token_limit: int = 4096  # in patches, before the merge
    patch_size: int = 14
    pad_input: bool = True
    image_mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    image_std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    merge_kernel_size: tuple[int, int] = (2, 2)
    # Image tokens whose channels vary by at most so many levels of 255 are left out. None, as published: all stay.
    blank_levels: int | None = None

    def __post_init__(self) -> None:
        if self.in_token_limit < 1 or self.patch_size < 1 or min(self.merge_kernel_size) < 1:
            raise BadConfig("preprocessor_config: in_token_limit, patch_size and merge_kernel_size must be >= 1")
        if not self.pad_input:
            raise BadConfig("preprocessor_config.pad_input false would cut up to 27 px off the screen: not supported")
        if min(self.image_std) <= 0:
            raise BadConfig(f"preprocessor_config.image_std must be > 0, got {self.image_std}")
        if self.blank_levels is not None and not 0 <= self.blank_levels < 255:
            raise BadConfig(f"preprocessor_config.blank_levels must be 0 to 254 or null, got {self.blank_levels}")


@dataclass(frozen=True, kw_only=True)
class KimiVLConfig:
    """A whole checkpoint's architecture."""

    text: TextConfig
    vision: VisionConfig
    image: ImageConfig
    media_placeholder_token_id: int
    torch_dtype: DTypeName = "bfloat16"
    quantization: Quantization | None = None  # None: all weights are numbers of torch_dtype

    def __post_init__(self) -> None:
        if not 0 <= self.media_placeholder_token_id < self.text.vocab_size:
            raise BadConfig(
                f"media_placeholder_token_id {self.media_placeholder_token_id} lies outside the vocabulary of "
                f"{self.text.vocab_size}"
            )
        if self.image.patch_size != self.vision.patch_size:
            raise BadConfig(
                f"preprocessor_config.patch_size {self.image.patch_size} differs from vision_config.patch_size "
                f"{self.vision.patch_size}"
            )
        if self.image.merge_kernel_size != self.vision.merge_kernel_size:
            raise BadConfig("preprocessor_config.merge_kernel_size differs from vision_config.merge_kernel_size")

    @classmethod
    def from_json(cls, config: Mapping[str, Any], preprocessor: Mapping[str, Any] | None = None) -> KimiVLConfig:
        """From the two files' parsed contents; without the second, the image processor's published values."""
        _refuse_values(config, "config", {"model_type": "kimi_vl", "tie_word_embeddings": False})
        _refuse_unknown(
            config,
            "config",
            {"text_config", "vision_config", "media_placeholder_token_id", "torch_dtype", "dtype", "auto_map"}
            | {"ignore_index", "quantization_config"}
            | _GENERIC_KEYS,
        )
        text = _mapping(config, "text_config", "config")
        vision = _mapping(config, "vision_config", "config")
        _refuse_values(text, "text_config", _TEXT_FIXED)
        _refuse_unknown(text, "text_config", _names(TextConfig) | set(_TEXT_FIXED) | _TEXT_IGNORED | _GENERIC_KEYS)
        _refuse_values(vision, "vision_config", {"model_type": "moonvit"})
        _refuse_unknown(vision, "vision_config", _names(VisionConfig) | _GENERIC_KEYS)
        if preprocessor is not None:
            _refuse_unknown(preprocessor, "preprocessor_config", _names(ImageConfig) | _PREPROCESSOR_IGNORED)
        vision_config = _read(VisionConfig, vision, "vision_config")
        image = dict(preprocessor) if preprocessor is not None else {}
        image.setdefault("patch_size", vision_config.patch_size)
        image.setdefault("merge_kernel_size", list(vision_config.merge_kernel_size))
        dtype = str(config.get("torch_dtype") or config.get("dtype") or "bfloat16").removeprefix("torch.")
        if dtype not in ("bfloat16", "float16", "float32"):
            raise BadConfig(f"config.torch_dtype {dtype!r} is not one of bfloat16, float16, float32")
        return cls(
            text=_read(TextConfig, text, "text_config"),
            vision=vision_config,
            image=_read(ImageConfig, image, "preprocessor_config"),
            media_placeholder_token_id=_integer(config, "media_placeholder_token_id", "config"),
            torch_dtype=dtype,
            quantization=_quantization(config),
        )

    def to_json(self) -> dict[str, Any]:
        """The content of `config.json`, in the published layout."""
        text = _plain(self.text) | {k: v for k, v in _TEXT_FIXED.items() if k != "num_nextn_predict_layers"}
        text["num_key_value_heads"] = self.text.num_attention_heads
        quantised = {} if self.quantization is None else {"quantization_config": _quantization_json(self.quantization)}
        return {
            "architectures": ["KimiVLForConditionalGeneration"],
            "model_type": "kimi_vl",
            "ignore_index": -100,
            "media_placeholder_token_id": self.media_placeholder_token_id,
            "torch_dtype": self.torch_dtype,
            "tie_word_embeddings": False,
            "text_config": text,
            "vision_config": _plain(self.vision) | {"model_type": "moonvit"},
            **quantised,
        }

    def preprocessor_json(self) -> dict[str, Any]:
        """The content of `preprocessor_config.json`."""
        image = _plain(self.image)
        if self.image.blank_levels is None:
            del image["blank_levels"]  # the published file has no such field
        return {"image_processor_type": "KimiVLImageProcessor", "processor_class": "KimiVLProcessor"} | image


KV_NORM_EPS = 1e-6  # kv_a_layernorm is built without an eps upstream, so its class default holds


def load_config(folder: Path) -> KimiVLConfig:
    """Read the two files of a checkpoint folder; `preprocessor_config.json` may be absent."""
    preprocessor_path = folder / "preprocessor_config.json"
    return KimiVLConfig.from_json(
        _read_json(folder / "config.json"),
        _read_json(preprocessor_path) if preprocessor_path.exists() else None,
    )


# Architecture switches with the one value this runtime implements, as every published Kimi-VL has them.
_TEXT_FIXED: dict[str, Any] = {
    "model_type": "deepseek_v3",
    "hidden_act": "silu",
    "scoring_func": "sigmoid",
    "topk_method": "noaux_tc",
    "n_group": 1,
    "topk_group": 1,
    "moe_layer_freq": 1,
    "q_lora_rank": None,
    "rope_scaling": None,
    "attention_bias": False,
    "tie_word_embeddings": False,
    "num_nextn_predict_layers": 0,
}
# Training-time or nominal fields of the text config: they change nothing in a forward pass.
_TEXT_IGNORED = {
    "aux_loss_alpha", "seq_aux", "ep_size", "attention_dropout", "initializer_range", "pretraining_tp", "use_cache",
    "num_key_value_heads", "torch_dtype", "dtype", "auto_map", "head_dim", "rope_interleave", "rope_parameters",
    "qk_head_dim",
}  # fmt: skip
_PREPROCESSOR_IGNORED = {
    "auto_map", "image_processor_type", "processor_class", "num_pooled_tokens", "feature_extractor_type",
}  # fmt: skip
# What transformers' PretrainedConfig writes into any config.json.
_GENERIC_KEYS = {
    "_name_or_path", "_attn_implementation_autoset", "add_cross_attention", "architectures", "bad_words_ids",
    "begin_suppress_tokens", "bos_token_id", "chunk_size_feed_forward", "cross_attention_hidden_size",
    "decoder_start_token_id", "diversity_penalty", "do_sample", "dtype", "early_stopping",
    "encoder_no_repeat_ngram_size", "eos_token_id", "exponential_decay_length_penalty", "finetuning_task",
    "forced_bos_token_id", "forced_eos_token_id", "id2label", "is_decoder", "is_encoder_decoder", "label2id",
    "length_penalty", "max_length", "min_length", "model_type", "no_repeat_ngram_size", "num_beam_groups",
    "num_beams", "num_return_sequences", "output_attentions", "output_hidden_states", "output_scores",
    "pad_token_id", "prefix", "problem_type", "pruned_heads", "remove_invalid_values", "repetition_penalty",
    "return_dict", "return_dict_in_generate", "sep_token_id", "suppress_tokens", "task_specific_params",
    "temperature", "tf_legacy_loss", "tie_encoder_decoder", "tie_word_embeddings", "tokenizer_class", "top_k",
    "top_p", "torch_dtype", "torchscript", "transformers_version", "typical_p", "use_bfloat16", "use_cache",
}  # fmt: skip


def _quantization_json(quantization: Quantization) -> dict[str, Any]:
    return {"quant_method": "moonhand", "format": 1, "weights": quantization}


def _quantization(config: Mapping[str, Any]) -> Quantization | None:
    """What `quantization_config` says, which is one of ours or absent."""
    given = config.get("quantization_config")
    kinds: tuple[Quantization, ...] = ("int8", "int4")
    for kind in kinds:
        if given == _quantization_json(kind):
            return kind
    if given is not None:
        raise BadConfig(
            f"config.quantization_config {given!r} is of another program or version: give the checkpoint it was made "
            "from, and quantise that with `moonhand model quantize`"
        )
    return None


Section = TypeVar("Section", TextConfig, VisionConfig, ImageConfig)


def _read(kind: type[Section], obj: Mapping[str, Any], where: str) -> Section:
    """Fill one dataclass, with every missing and every ill-typed field in one error."""
    known = {f.name: f for f in fields(kind)}
    values: dict[str, Any] = {}
    wrong: list[str] = []
    for name, field in known.items():
        if name not in obj:
            continue
        value = obj[name]
        kind_of_field = str(field.type)
        if kind_of_field.startswith("tuple"):
            ok = isinstance(value, (list, tuple)) and all(
                isinstance(v, (int, float)) for v in cast("list[object]", value)
            )
            ok = ok and len(cast("list[object]", value)) == kind_of_field.count(",") + 1
            value = tuple(cast("list[float]", value)) if ok else value
        elif kind_of_field == "bool":
            ok = isinstance(value, bool)
        elif kind_of_field == "float":
            ok = isinstance(value, (int, float)) and not isinstance(value, bool)
            value = float(value) if ok else value
        else:
            ok = (isinstance(value, int) and not isinstance(value, bool)) or (value is None and "None" in kind_of_field)
        if not ok:
            wrong.append(f"{where}.{name} = {value!r} is not of type {kind_of_field}")
        values[name] = value
    try:
        if wrong:
            raise BadConfig("; ".join(wrong))
        return kind(**values)
    except TypeError as error:
        absent = [f.name for f in known.values() if f.name not in obj]
        raise BadConfig(f"{where} lacks {', '.join(absent)}") from error


def _refuse_unknown(obj: Mapping[str, Any], where: str, known: set[str]) -> None:
    unknown = sorted(set(obj) - known)
    if unknown:
        raise BadConfig(
            f"{where} has unknown fields: {', '.join(unknown)}. This runtime reads Kimi-VL checkpoints "
            "(model_type kimi_vl) and ignores nothing it does not know"
        )


def _refuse_values(obj: Mapping[str, Any], where: str, required: Mapping[str, Any]) -> None:
    other = [f"{k} = {obj[k]!r} (supported: {v!r})" for k, v in required.items() if k in obj and obj[k] != v]
    if other:
        raise BadConfig(f"{where} asks for what this runtime does not implement: {'; '.join(other)}")


def _require_positive(section: TextConfig | VisionConfig, where: str) -> None:
    may_be_zero = {"first_k_dense_replace", "n_shared_experts", "bos_token_id", "eos_token_id", "pad_token_id"}
    for field in fields(section):
        value = getattr(section, field.name)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            low = 0 if field.name in may_be_zero else 1e-12
            if value < low:
                raise BadConfig(f"{where}.{field.name} must be {'>= 0' if low == 0 else '> 0'}, got {value}")


def _names(kind: type[TextConfig] | type[VisionConfig] | type[ImageConfig]) -> set[str]:
    return {f.name for f in fields(kind)}


def _plain(section: TextConfig | VisionConfig | ImageConfig) -> dict[str, Any]:
    return {
        f.name: list(cast("tuple[object, ...]", v)) if isinstance(v := getattr(section, f.name), tuple) else v
        for f in fields(section)
    }


def _mapping(obj: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    value = obj.get(key)
    if not isinstance(value, Mapping):
        raise BadConfig(f"{where}.{key} is missing or not an object: is this a Kimi-VL folder?")
    return cast("Mapping[str, Any]", value)


def _integer(obj: Mapping[str, Any], key: str, where: str) -> int:
    value = obj.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadConfig(f"{where}.{key} must be an integer, got {value!r}")
    return value


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        obj: object = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadConfig(f"{path} does not exist: give a folder that holds a Kimi-VL checkpoint") from error
    except (OSError, ValueError) as error:
        raise BadConfig(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(obj, Mapping):
        raise BadConfig(f"{path} holds no JSON object")
    return cast("Mapping[str, Any]", obj)
