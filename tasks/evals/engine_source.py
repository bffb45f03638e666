"""A model of this machine as a source of replies that are the same whatever was asked before, and by which worker."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...agent import ZoomConfig
from ...agent.profiles import PromptProfile, profile_for
from ...envs import Size
from .asking import EngineAsker, asking_manifest, library_versions

if TYPE_CHECKING:
    from ...model import ImageConfig, KimiVLConfig


@dataclass(frozen=True, kw_only=True)
class EngineSource:
    """Opens an engine in every worker; weights are memory-mapped, so workers of one machine share their pages.

    A latent of an earlier prompt is not quite what reading that prompt again would give, and which were earlier depends
    on the worker: so none are kept. Features of a picture are the same bits whether kept or not, and are.
    """

    model: str = "nano"  # or the folder of a checkpoint
    device: str = "auto"
    dtype: str = "auto"
    quantize: str | None = None
    profile: PromptProfile | None = None
    zoom: ZoomConfig | None = None
    seed: int = 0
    threads: int = 1
    elsewhere: bool = False  # the workers' devices are not this machine's
    patch_limit: int | None = None  # of a picture, where it is not to be the checkpoint's own; the profile is its own

    @property
    def in_flight(self) -> int | None:
        return None

    @property
    def own_profile(self) -> PromptProfile:
        """How the model is asked."""
        if self.profile is not None:
            return self.profile
        config, name = self._config, "nano" if self.model == "nano" else Path(self.model).resolve().name
        return profile_for(name, in_token_limit=config.image.in_token_limit, vocab_size=config.text.vocab_size)

    def manifest(self) -> Mapping[str, Any]:
        from ...model.planned import planned_manifest

        told = planned_manifest(
            self.model, device=self.device, dtype=self.dtype, quantize=self.quantize, elsewhere=self.elsewhere
        )
        processor: dict[str, Any] = told["image_processor"]
        if self.patch_limit is not None:
            processor = {**processor, "in_token_limit": self.patch_limit}
        return {
            "model": {
                "name": told["model"],
                "device": told["device"],
                "dtype": told["dtype"],
                "quantization": told["quantization"],
                "threads": self.threads,
                "image_processor": processor,
                "weights_sha256": told["weights_sha256"],
                "files_sha256": told["files_sha256"],
            },
            **asking_manifest(self.own_profile, self.zoom, self.seed),
            "versions": {**told["versions"], **library_versions()},
        }

    def image_tokens(self, size: Size) -> int:
        from ...model import image_transform

        image = self._image(self._config.image)
        seen = image_transform(size.width_px, size.height_px, image)
        unit_y_px, unit_x_px = (image.patch_size * merged for merged in image.merge_kernel_size)
        return (seen.padded_height_px // unit_y_px) * (seen.padded_width_px // unit_x_px)

    def open(self, slot: int) -> EngineAsker:
        """`slot` chooses among the CUDA devices that this process sees."""
        # Before torch comes up: what it reads then cannot all be told later.
        os.environ.setdefault("OMP_NUM_THREADS", str(self.threads))
        from ...model import EngineConfig, load
        from ...model.planned import SMALL_BYTES, file_hashes, num_devices, torch_version, use_threads

        threads_before = use_threads(self.threads)
        device = self.device
        if device in ("auto", "cuda") and num_devices():
            device = f"cuda:{slot % num_devices()}"
        engine = load(
            self.model,
            device=device,
            dtype=self.dtype,
            quantize=self.quantize,
            settings=EngineConfig(prefix_cache_bytes=None),
        )
        engine.config = replace(engine.config, image=self._image(engine.config.image))
        facts = {
            "model": {
                "device": engine.device.type,
                "dtype": str(engine.dtype).removeprefix("torch."),
                "quantization": engine.config.quantization,
                "files_sha256": file_hashes(self.model, most_bytes=SMALL_BYTES),
            },
            "versions": {"torch": torch_version(), **library_versions()},
        }
        return EngineAsker(
            engine, self.own_profile, self.zoom, seed=self.seed, facts=facts, close=partial(_restore, threads_before)
        )

    @cached_property
    def _config(self) -> KimiVLConfig:
        from ...model import load_config
        from ...model.engine import checkpoint_folder

        return load_config(checkpoint_folder(self.model))

    def _image(self, image: ImageConfig) -> ImageConfig:
        return image if self.patch_limit is None else replace(image, in_token_limit=self.patch_limit)


def _restore(threads: int) -> None:
    from ...model.planned import use_threads

    use_threads(threads)
