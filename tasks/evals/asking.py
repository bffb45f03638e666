"""A sample becomes a question to an engine, here or behind a server, and its reply a prediction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from importlib import metadata
from typing import TYPE_CHECKING, Any

from ...agent import Target, ZoomConfig, locate
from ...agent.profiles import PromptProfile
from ...model.seeds import later_seed
from ..pictures import read_frame
from .asker import Asked, NobodyAnswers, TookTooLong
from .prediction import Failure, Prediction
from .sample import GroundingSample

if TYPE_CHECKING:
    from ...model import Answering, Generation, KimiVLConfig, Message, SamplingConfig
    from ...model.calibration import Calibration
    from ...model.errors import NoRemote
    from ...model.image import ImageTransform

HTTP = "httpx2"  # what servers are asked through: it stays unloaded here
NOT_LET_IN = (401, 403, 404)  # HTTP: no key, a wrong one, no such model


class EngineAsker:
    """Asks one engine for one sample at a time; from as many threads as the engine serves."""

    def __init__(
        self,
        engine: Answering,
        profile: PromptProfile,
        zoom: ZoomConfig | None,
        *,
        seed: int,
        facts: Mapping[str, Any],
        close: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._profile = profile
        self._zoom = zoom
        self._seed = seed
        self._facts = facts
        self._close = close

    @property
    def facts(self) -> Mapping[str, Any]:
        return self._facts

    def ask(self, sample: GroundingSample) -> Asked:
        """ValueError for a sample without a picture; BadRequest where that cannot be read; what an `Asker` raises."""
        from ...model.errors import NoRemote, RemoteTimedOut

        if sample.image is None:
            raise ValueError(f"sample {sample.id} has no picture: the suite was opened for its annotations alone")
        frame, counting = read_frame(sample.image), Counting(self._engine, self._seed)
        try:
            target = locate(counting, frame, sample.instruction, self._profile, self._zoom, modes=1)
        except RemoteTimedOut as error:
            raise TookTooLong(str(error)) from error
        except NoRemote as error:
            if nobody_answers(error):
                raise NobodyAnswers(error) from error
            raise
        return Asked(prediction_of_target(sample.id, target, counting), target.model_s)

    def close(self) -> None:
        self._close()


def nobody_answers(error: NoRemote) -> bool:
    """Whether a server is gone or lets nobody in. One that answers with another error may answer the next sample."""
    from ...model.errors import RemoteRefused

    if isinstance(error, RemoteRefused):
        return error.status in NOT_LET_IN
    return type(error.__cause__).__module__.partition(".")[0] == HTTP  # the connection failed, not what came over it


class Counting:
    """An engine that counts the tokens in and out, over all looks at a sample, and draws by a seed of the caller's."""

    def __init__(self, engine: Answering, seed: int) -> None:
        self._engine = engine
        self._seed = seed
        self.prompt_tokens = 0
        self.generated_tokens = 0

    @property
    def name(self) -> str:
        return self._engine.name

    @property
    def config(self) -> KimiVLConfig:
        return self._engine.config

    @property
    def calibration(self) -> Calibration | None:
        return self._engine.calibration

    def transform(self, width_px: int, height_px: int) -> ImageTransform:
        return self._engine.transform(width_px, height_px)

    def generate(self, messages: Sequence[Message], sampling: SamplingConfig | None = None) -> Generation:
        return self.generate_batch([messages], sampling)[0]

    def generate_batch(
        self, requests: Sequence[Sequence[Message]], sampling: SamplingConfig | None = None
    ) -> list[Generation]:
        if sampling is not None:
            sampling = replace(sampling, seed=later_seed(self._seed, sampling.seed))
        replies = self._engine.generate_batch(requests, sampling)
        self.prompt_tokens += sum(reply.prompt_tokens for reply in replies)
        self.generated_tokens += sum(reply.num_tokens for reply in replies)
        return replies

    def manifest(self) -> dict[str, Any]:
        return self._engine.manifest()


def prediction_of_target(sample_id: str, target: Target, counting: Counting) -> Prediction:
    no_place = not target.refused and target.point is None
    return Prediction(
        id=sample_id,
        raw=target.raw,
        point=None if target.refused else target.point,
        refused=target.refused,
        failure=Failure.WRONG_FORMAT if no_place else None,
        error=(target.error or "the reply names no place") if no_place else None,
        confidence=target.confidence,
        prompt_tokens=counting.prompt_tokens,
        generated_tokens=counting.generated_tokens,
    )


def asking_manifest(profile: PromptProfile, zoom: ZoomConfig | None, seed: int) -> dict[str, Any]:
    """How a sample is put to any engine."""
    return {
        "prompt": {"profile": profile.name, "sha256": profile.sha256, "dialect": profile.dialect},
        "decoding": {
            "temperature": profile.temperature,
            "top_p": profile.top_p,
            "grammar": profile.constrained,
            "max_new_tokens": profile.max_new_tokens,
            "thinking_tokens": profile.thinking_tokens,
            "seed": seed,
        },
        "zoom": None if zoom is None else asdict(zoom),
    }


def library_versions() -> dict[str, str]:
    """Of what decides pixels and numbers, torch aside: that one stands in the model's own manifest."""
    return {name: metadata.version(name) for name in ("moonhand", "pillow", "numpy")}
