"""A model that is loaded when it is first needed, which may be never, and that counts what it is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...model import Answering, Generation, ImageTransform, KimiVLConfig, Message, SamplingConfig
    from ...model.calibration import Calibration


class LazyEngine:
    """Stands for what `load` brings, in all that an agent asks of a model."""

    def __init__(self, load: Callable[[], Answering]) -> None:
        self._load = load
        self._engine: Answering | None = None
        self.num_calls = 0  # replies that were asked for

    @property
    def is_loaded(self) -> bool:
        return self._engine is not None

    @property
    def engine(self) -> Answering:
        """Loaded now, unless it is there. Raises ModelError."""
        if self._engine is None:
            self._engine = self._load()
        return self._engine

    @property
    def name(self) -> str:
        return self.engine.name

    @property
    def config(self) -> KimiVLConfig:
        return self.engine.config

    @property
    def calibration(self) -> Calibration | None:
        return self.engine.calibration

    def transform(self, width_px: int, height_px: int) -> ImageTransform:
        return self.engine.transform(width_px, height_px)

    def generate(self, messages: Sequence[Message], sampling: SamplingConfig | None = None) -> Generation:
        self.num_calls += 1
        return self.engine.generate(messages, sampling)

    def generate_batch(
        self, requests: Sequence[Sequence[Message]], sampling: SamplingConfig | None = None
    ) -> list[Generation]:
        self.num_calls += len(requests)
        return self.engine.generate_batch(requests, sampling)

    def manifest(self) -> dict[str, Any]:
        return self.engine.manifest()
