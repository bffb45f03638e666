"""Pictures and text for transformers: the patches of `image.py`, the tokens of `chat.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from transformers import BaseImageProcessor, BatchFeature, ProcessorMixin

from .config import ImageConfig
from .image import ImagePatches, preprocess
from .tensor_files import write_json
from .vision import normalise

IMAGE_KEYS = ("pixel_values", "image_grid_hws", "image_kept", "image_kept_counts")
MEDIA_PAD = "<|media_pad|>"
_PREPROCESSOR_FILE = "preprocessor_config.json"
Picture = Image.Image | npt.NDArray[np.uint8] | Tensor | str | Path


class KimiVLImageProcessor(BaseImageProcessor):
    """`preprocessor_config.json`: pictures to patches. The defaults are the published file's."""

    model_input_names = list(IMAGE_KEYS)  # noqa: RUF012 (transformers' own form)

    def __init__(self, **given: Any) -> None:
        super().__init__()
        default = ImageConfig()
        for field in fields(ImageConfig):
            setattr(self, field.name, given.get(field.name, getattr(default, field.name)))
        self.to_ours()

    def to_ours(self) -> ImageConfig:
        """Raises BadConfig."""
        values: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(ImageConfig)}
        for name, value in values.items():
            if isinstance(value, list):
                values[name] = tuple(cast("list[Any]", value))
        return ImageConfig(**values)

    def __call__(self, images: Any, *args: Any, **kwargs: Any) -> BatchFeature:
        return self.preprocess(images, *args, **kwargs)

    def preprocess(self, images: Any, return_tensors: str | None = None, **kwargs: Any) -> BatchFeature:
        """`pixel_values` fp32 [P, 3, p, p] of all pictures, packed in order, `image_grid_hws` int64 [n, 2] in patches.

        Pictures are PIL images, uint8 arrays or tensors (HWC or CHW), paths or URLs, alone or in lists. Where the
        folder leaves blank image tokens out (`blank_levels`), `image_kept` int64 [T, M] and `image_kept_counts` [n] say
        which are there. Raises BadImage.
        """
        config = self.to_ours()
        patches = [preprocess(_picture(each), config) for each in flat_pictures(images)]
        return BatchFeature(data=_packed(patches, config), tensor_type=return_tensors)

    def num_tokens(self, features: BatchFeature) -> list[int]:
        """Image tokens of each picture."""
        if "image_kept_counts" in features:
            return [int(count) for count in features["image_kept_counts"]]
        merge_h, merge_w = self.to_ours().merge_kernel_size
        return [int(h) * int(w) // (merge_h * merge_w) for h, w in features["image_grid_hws"]]

    def to_dict(self) -> dict[str, Any]:
        """The file's content, in the published layout."""
        config = self.to_ours()
        values = {field.name: getattr(config, field.name) for field in fields(ImageConfig)}
        if config.blank_levels is None:
            del values["blank_levels"]
        plain = {name: list(cast("tuple[float]", v)) if isinstance(v, tuple) else v for name, v in values.items()}
        return {"image_processor_type": type(self).__name__, "processor_class": "KimiVLProcessor"} | plain


class KimiVLProcessor(ProcessorMixin):
    """Pictures and the text that a chat template made, together: each `<|media_pad|>` becomes its picture's tokens."""

    attributes = ["image_processor", "tokenizer"]  # noqa: RUF012 (transformers' own form)
    image_processor_class = "AutoImageProcessor"
    tokenizer_class = "AutoTokenizer"

    def __init__(self, image_processor: Any = None, tokenizer: Any = None, chat_template: Any = None, **_: Any) -> None:
        template = chat_template or getattr(tokenizer, "chat_template", None)
        super().__init__(image_processor, tokenizer, chat_template=template)

    @classmethod
    def get_attributes(cls) -> list[str]:
        return cls.attributes

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, **kwargs: Any) -> KimiVLProcessor:
        """Of a folder or repository, by the classes of this package whatever code it brings."""
        from .hf_tokenizer import TikTokenTokenizer

        for name in ("trust_remote_code", "_from_auto", "use_fast", "code_revision"):
            kwargs.pop(name, None)
        images = KimiVLImageProcessor.from_pretrained(pretrained_model_name_or_path, **kwargs)
        return cls(images, TikTokenTokenizer.from_pretrained(pretrained_model_name_or_path, **kwargs))

    def __call__(
        self,
        images: Any = None,
        text: str | Sequence[str] | None = None,
        videos: None = None,
        audio: None = None,
        return_tensors: str | None = None,
        **kwargs: Any,
    ) -> BatchFeature:
        """What the model reads: `input_ids`, `attention_mask`, and of pictures what the image processor makes.

        ValueError where the texts do not have a `<|media_pad|>` for every picture.
        """
        if videos is not None or audio is not None:
            raise ValueError("Kimi-VL reads pictures: give a film's frames as images")
        kwargs |= kwargs.pop("text_kwargs", {}) | kwargs.pop("common_kwargs", {})
        return_tensors = kwargs.pop("return_tensors", return_tensors)
        kwargs.pop("images_kwargs", None)
        features = BatchFeature() if images is None else self.image_processor(images)
        data: dict[str, Any] = dict(features)
        if text is not None:
            counts = [] if images is None else self.image_processor.num_tokens(features)
            texts = _expanded([text] if isinstance(text, str) else list(text), counts)
            data |= self.tokenizer(texts, **kwargs)
        return BatchFeature(data=data, tensor_type=return_tensors)

    @property
    def model_input_names(self) -> list[str]:
        return [*self.tokenizer.model_input_names, *self.image_processor.model_input_names]

    def batch_decode(self, *args: Any, **kwargs: Any) -> Any:
        return self.tokenizer.batch_decode(*args, **kwargs)

    def decode(self, *args: Any, **kwargs: Any) -> Any:
        return self.tokenizer.decode(*args, **kwargs)

    def save_pretrained(self, save_directory: str | Path, **kwargs: Any) -> Any:
        """All that a folder needs beside weights and config, `preprocessor_config.json` in the published layout too."""
        saved = super().save_pretrained(str(save_directory), **kwargs)
        write_json(Path(save_directory) / _PREPROCESSOR_FILE, self.image_processor.to_dict())
        return saved


def flat_pictures(images: Any) -> list[Picture]:
    """Pictures of one, a list, or a list of lists, in order."""
    if isinstance(images, (list, tuple)):
        return [each for part in cast("Sequence[Any]", images) for each in flat_pictures(part)]
    return [] if images is None else [images]


def _picture(given: Picture) -> Image.Image | npt.NDArray[np.uint8]:
    if isinstance(given, (str, Path)):
        from transformers.image_utils import load_image

        return cast("Image.Image", load_image(str(given)))
    if isinstance(given, Tensor):
        given = cast("npt.NDArray[np.uint8]", given.cpu().numpy())
    if isinstance(given, np.ndarray) and given.ndim == 3 and given.shape[0] == 3 and given.shape[2] != 3:
        given = given.transpose(1, 2, 0)
    return given


def _packed(patches: Sequence[ImagePatches], config: ImageConfig) -> dict[str, Tensor]:
    p = config.patch_size
    pixels_PCHW = np.concatenate([np.zeros((0, 3, p, p), np.uint8), *(each.pixels_PCHW for each in patches)])
    data = {
        "pixel_values": normalise(torch.from_numpy(pixels_PCHW), config, torch.float32),
        "image_grid_hws": torch.tensor([each.grid_hw for each in patches], dtype=torch.int64).view(-1, 2),
    }
    kept = [each.kept_TM for each in patches if each.kept_TM is not None]
    if kept:
        data["image_kept"] = torch.from_numpy(np.concatenate(kept))
        data["image_kept_counts"] = torch.tensor([len(each) for each in kept])
    return data


def _expanded(texts: Sequence[str], counts: Sequence[int]) -> list[str]:
    """The texts with as many placeholders for each picture as it has tokens."""
    asked = sum(text.count(MEDIA_PAD) for text in texts)
    if asked != len(counts):
        raise ValueError(
            f"the text has {asked} {MEDIA_PAD} and {len(counts)} pictures were given: every picture of the messages "
            "needs to be in images, in their order"
        )
    left = iter(counts)
    expanded: list[str] = []
    for text in texts:
        first, *others = text.split(MEDIA_PAD)
        expanded.append(first + "".join(MEDIA_PAD * next(left) + other for other in others))
    return expanded
