"""A model that is loaded when it is first asked something, for screens that may never need it or share it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..model import Answering, Generation, ImageTransform, KimiVLConfig, Message, SamplingConfig
    from ..model.calibration import Calibration


class LazyEngine:
    """Answers as the engine that `load` brings, which is called once, by the first question. Threads may share it.

        engine = LazyEngine(lambda: load_engine("nano"), name="nano")

    `name` is known beforehand where it is given. What `load` raises comes out of that first question, and again out of
    the next.
    """

    def __init__(self, load: Callable[[], Answering], *, name: str | None = None) -> None:
        self._load, self._name, self._lock = load, name, Lock()

    @cached_property
    def engine(self) -> Answering:
        """The engine itself, loaded now at the latest."""
        with self._lock:
            loaded: Answering | None = vars(self).get("engine")  # by another thread meanwhile
            return self._load() if loaded is None else loaded

    @property
    def name(self) -> str:
        return self.engine.name if self._name is None else self._name

    @property
    def config(self) -> KimiVLConfig:
        return self.engine.config

    @property
    def calibration(self) -> Calibration | None:
        return self.engine.calibration

    def transform(self, width_px: int, height_px: int) -> ImageTransform:
        return self.engine.transform(width_px, height_px)

    def generate(self, messages: Sequence[Message], sampling: SamplingConfig | None = None) -> Generation:
        return self.engine.generate(messages, sampling)

    def generate_batch(
        self, requests: Sequence[Sequence[Message]], sampling: SamplingConfig | None = None
    ) -> list[Generation]:
        return self.engine.generate_batch(requests, sampling)

    def manifest(self) -> dict[str, Any]:
        return self.engine.manifest()
