"""`config.json` as transformers holds it. Saved again it has the published layout, which `load_config` reads."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, cast

from transformers import PreTrainedConfig

from .config import KimiVLConfig, TextConfig, VisionConfig
from .errors import BadConfig
from .presets import preset
from .tokenizer import SPECIAL_OFFSETS

# What transformers itself gives a config beside what the file says.
_TRANSFORMERS_OWN = (
    "architectures", "transformers_version", "dtype", "torch_dtype", "name_or_path", "_name_or_path", "_commit_hash",
    "attn_implementation", "output_hidden_states", "output_attentions", "return_dict",
)  # fmt: skip


class HFTextConfig(PreTrainedConfig):
    """The decoder's fields, by their names in the file."""

    model_type = "deepseek_v3"

    def __init__(self, **given: Any) -> None:
        super().__init__(**{name: given[name] for name in _TRANSFORMERS_OWN if name in given})
        published = cast("dict[str, Any]", preset("instruct").to_json()["text_config"])
        for field in fields(TextConfig):
            setattr(self, field.name, given.get(field.name, published[field.name]))


class HFVisionConfig(PreTrainedConfig):
    """The tower's fields, by their names in the file."""

    model_type = "moonvit"

    def __init__(self, **given: Any) -> None:
        super().__init__(**{name: given[name] for name in _TRANSFORMERS_OWN if name in given})
        published = cast("dict[str, Any]", preset("instruct").to_json()["vision_config"])
        for field in fields(VisionConfig):
            setattr(self, field.name, given.get(field.name, published[field.name]))


class HFKimiVLConfig(PreTrainedConfig):
    """A checkpoint's architecture; without arguments that of Kimi-VL-A3B.

    Raises BadConfig for what `load_config` would refuse, and for weights that this package has quantised.
    """

    model_type = "kimi_vl"
    sub_configs = {"text_config": HFTextConfig, "vision_config": HFVisionConfig}  # noqa: RUF012 (transformers' own form)

    def __init__(
        self,
        text_config: dict[str, Any] | HFTextConfig | None = None,
        vision_config: dict[str, Any] | HFVisionConfig | None = None,
        media_placeholder_token_id: int | None = None,
        **others: Any,
    ) -> None:
        default = preset("instruct")
        published = default.to_json()
        text = _as_dict(text_config, HFTextConfig, published["text_config"])
        vision = _as_dict(vision_config, HFVisionConfig, published["vision_config"])
        media_id = (
            default.media_placeholder_token_id if media_placeholder_token_id is None else media_placeholder_token_id
        )
        obj: dict[str, Any] = {"text_config": text, "vision_config": vision, "media_placeholder_token_id": media_id}
        if others.get("quantization_config") is not None:
            obj["quantization_config"] = others["quantization_config"]
        if KimiVLConfig.from_json(obj).quantization is not None:
            raise BadConfig(
                "these weights were quantised by `moonhand model quantize`, which transformers cannot hold: give it "
                "the checkpoint they were made from, or load the folder with moonhand.model.load"
            )
        own = {name: others[name] for name in _TRANSFORMERS_OWN if name in others}
        super().__init__(**own)
        self.text_config = HFTextConfig(**text)
        self.vision_config = HFVisionConfig(**vision)
        self.media_placeholder_token_id = media_id
        self.tie_word_embeddings = False

    @classmethod
    def of(cls, config: KimiVLConfig) -> HFKimiVLConfig:
        """The same of one of ours; how pictures are prepared is the processor's to know."""
        obj = config.to_json()
        return cls(**{name: obj[name] for name in ("text_config", "vision_config", "media_placeholder_token_id")})

    def to_ours(self) -> KimiVLConfig:
        """What the modules are built from."""
        text = {field.name: getattr(self.text_config, field.name) for field in fields(TextConfig)}
        vision = {field.name: getattr(self.vision_config, field.name) for field in fields(VisionConfig)}
        return KimiVLConfig.from_json(
            {
                "text_config": text,
                "vision_config": vision | {"merge_kernel_size": list(vision["merge_kernel_size"])},
                "media_placeholder_token_id": self.media_placeholder_token_id,
                "torch_dtype": str(self.dtype or "bfloat16").removeprefix("torch."),
            }
        )

    def control_id(self, name: str) -> int:
        """The id of a control token, such as `<|im_end|>`: they follow the ordinary ones, and media_pad is one."""
        return self.media_placeholder_token_id - SPECIAL_OFFSETS["<|media_pad|>"] + SPECIAL_OFFSETS[name]

    def to_dict(self) -> dict[str, Any]:
        """The file's content, in the published layout."""
        return self.to_ours().to_json() | {
            "architectures": self.architectures or ["KimiVLForConditionalGeneration"],
            "transformers_version": self.transformers_version,
        }

    def to_diff_dict(self) -> dict[str, Any]:
        """All of it: a field left out because it is a default of ours would be missing for others."""
        return self.to_dict()


def _as_dict(given: dict[str, Any] | PreTrainedConfig | None, kind: type, default: Any) -> dict[str, Any]:
    if given is None:
        return dict(default)
    if isinstance(given, dict):
        return given
    names = {field.name for field in fields(TextConfig if kind is HFTextConfig else VisionConfig)}
    return {name: getattr(given, name) for name in names}
