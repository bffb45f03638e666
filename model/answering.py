"""What answers messages: a model in this process, or one behind a server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from .remote_address import is_remote

if TYPE_CHECKING:
    from pathlib import Path

    from .calibration import Calibration
    from .chat import Message
    from .config import KimiVLConfig
    from .generation import Generation
    from .image import ImageTransform
    from .sampling import SamplingConfig


class Answering(Protocol):
    """All that an agent needs of a model. `Engine` and `RemoteEngine` are such; several threads may ask at once.

    `name` is what prompt profiles go by, `config.image` how pictures are counted and shrunk; a `calibration` is there
    where one was fitted to these very weights.
    """

    @property
    def name(self) -> str: ...
    @property
    def config(self) -> KimiVLConfig: ...
    @property
    def calibration(self) -> Calibration | None: ...
    def transform(self, width_px: int, height_px: int) -> ImageTransform: ...
    def generate(self, messages: Sequence[Message], sampling: SamplingConfig | None = None) -> Generation: ...
    def generate_batch(
        self, requests: Sequence[Sequence[Message]], sampling: SamplingConfig | None = None
    ) -> list[Generation]: ...
    def manifest(self) -> dict[str, Any]: ...


def open_model(name: str | Path) -> Answering:
    """What a `--model` flag names: `nano`, a checkpoint's folder, or `openai:URL#NAME`. Raises ModelError."""
    if is_remote(name):
        from .remote import open_remote

        return open_remote(str(name))
    from .engine import load

    return load(name)
