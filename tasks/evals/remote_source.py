"""A model behind a server as a source of replies: many samples are on their way at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...agent import ZoomConfig
from ...agent.kimi import profile_of
from ...agent.profiles import PromptProfile
from ...envs import Size
from ..console import warn
from .asking import EngineAsker, asking_manifest, library_versions

if TYPE_CHECKING:
    from ...model.remote import RemoteEngine


@dataclass(frozen=True, kw_only=True)
class RemoteSource:
    """`model` is `openai:URL#NAME`. What the server computes with is known as far as it tells."""

    model: str
    profile: PromptProfile | None = None
    zoom: ZoomConfig | None = None
    seed: int = 0
    requests: int = 16

    @property
    def in_flight(self) -> int | None:
        return self.requests

    @property
    def threads(self) -> int:
        return 1

    def manifest(self) -> Mapping[str, Any]:
        """Asks the server. NoRemote where it does not answer."""
        engine = self._open(say=warn)
        try:
            told, profile = engine.manifest(), self.profile or profile_of(engine)
        finally:
            engine.close()
        return {
            "model": _model_part(told),
            **asking_manifest(profile, self.zoom, self.seed),
            "versions": library_versions(),
        }

    def image_tokens(self, size: Size) -> int:
        """The server's processor is its own affair: px will do."""
        return size.width_px * size.height_px

    def open(self, slot: int) -> EngineAsker:
        engine = self._open()
        profile, facts = self.profile or profile_of(engine), {"model": _model_part(engine.manifest())}
        return EngineAsker(engine, profile, self.zoom, seed=self.seed, facts=facts, close=engine.close)

    def _open(self, say: Callable[[str], None] = lambda _: None) -> RemoteEngine:
        from ...model.remote import RemoteConfig, open_remote

        return open_remote(self.model, RemoteConfig(in_flight=self.requests), say=say)


def _model_part(told: Mapping[str, Any]) -> dict[str, Any]:
    """Of an engine's manifest. Not the address: a run may go on where the same server has moved to."""
    return {
        "name": told["model"],
        "remote": {key: told["remote"].get(key) for key in ("served_name", "server", "version")},
        "settings": told["settings"],
        "image_processor": told["image_processor"],
    }
