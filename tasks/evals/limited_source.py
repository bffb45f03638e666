"""A model of this machine that sees its pictures in fewer patches, or more, than its checkpoint says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ...envs import Size
from .asking import EngineAsker, library_versions
from .engine_source import EngineSource

if TYPE_CHECKING:
    from ...agent.profiles import PromptProfile
    from ...model import ImageConfig


@dataclass(frozen=True, kw_only=True)
class LimitedSource(EngineSource):
    """As `EngineSource`, with another patch limit; None is the checkpoint's own. The profile is as without it."""

    patch_limit: int | None = None

    @property
    def own_profile(self) -> PromptProfile:
        """How it is asked where nobody says otherwise."""
        return self._profile()

    def manifest(self) -> Mapping[str, Any]:
        told = dict(super().manifest())
        if self.patch_limit is not None:
            model: dict[str, Any] = told["model"]
            told["model"] = model | {
                "image_processor": {**model["image_processor"], "in_token_limit": self.patch_limit},
            }
        return told

    def image_tokens(self, size: Size) -> int:
        from ...model import image_transform

        image = self._image(self._config.image)
        seen = image_transform(size.width_px, size.height_px, image)
        unit_y_px, unit_x_px = (image.patch_size * merged for merged in image.merge_kernel_size)
        return (seen.padded_height_px // unit_y_px) * (seen.padded_width_px // unit_x_px)

    def open(self, slot: int) -> EngineAsker:
        if self.patch_limit is None:
            return super().open(slot)
        os.environ.setdefault("OMP_NUM_THREADS", str(self.threads))
        from ...model import EngineConfig, load
        from ...model.planned import num_devices, use_threads

        before = use_threads(self.threads)
        device = self.device
        if device in ("auto", "cuda") and num_devices():
            device = f"cuda:{slot % num_devices()}"
        settings = EngineConfig(prefix_cache_bytes=None)
        engine = load(self.model, device=device, dtype=self.dtype, quantize=self.quantize, settings=settings)
        engine.config = replace(engine.config, image=self._image(engine.config.image))
        facts = {
            "model": {
                "device": engine.device.type,
                "dtype": str(engine.dtype).removeprefix("torch."),
                "quantization": engine.config.quantization,
            },
            "versions": library_versions(),
        }
        restore = partial(use_threads, before)
        return EngineAsker(
            engine, self._profile(), self.zoom, seed=self.seed, facts=facts, close=lambda: _ignore(restore())
        )

    def _image(self, image: ImageConfig) -> ImageConfig:
        return image if self.patch_limit is None else replace(image, in_token_limit=self.patch_limit)


def _ignore(_: object) -> None:
    pass
