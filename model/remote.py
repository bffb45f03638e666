"""An engine whose model runs behind an OpenAI-compatible server: vLLM, SGLang, or another.

The server's weights answer; pictures are measured here, by the published processor's arithmetic, because replies point
in shares of the picture and no server tells how it saw one.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from typing import Any
from weakref import finalize

from .calibration import Calibration
from .chat import Message
from .config import KimiVLConfig
from .errors import BadGrammar, ContextTooLong, RemoteRefused
from .generation import Generation
from .grammar import Server, remote_fields
from .image import ImageTransform, count_tokens, image_transform
from .remote_address import RemoteAddress
from .remote_http import HttpClient, HttpConfig
from .remote_model import RemoteModel
from .remote_probe import Abilities, find_model, probe
from .remote_reply import NO_ID, empty_generation, parts_of, read_completion, tokens_of
from .remote_wire import DataUris, after_thought, message_fields, sampling_fields
from .sampling import SamplingConfig
from .writing import GeneratedToken

COMPLETIONS = "/chat/completions"


class RemoteWarning(UserWarning):
    """Something about a server that does not keep it from answering, and that its user should know."""


@dataclass(frozen=True, kw_only=True)
class RemoteConfig:
    """How a server is asked. `server` None: as it tells itself which one it is."""

    http: HttpConfig = field(default_factory=HttpConfig)
    server: Server | None = None
    top_logprobs: int = 20  # what vLLM and OpenAI allow; more is nearer to what an engine here shows
    in_flight: int = 16  # requests of one batch at a time
    max_image_bytes: int = 20_000_000  # of one picture as PNG

    def __post_init__(self) -> None:
        if self.top_logprobs < 0 or self.in_flight < 1 or self.max_image_bytes < 1:
            raise ValueError(f"top_logprobs must be >= 0, in_flight and max_image_bytes >= 1, got {self}")


class RemoteEngine:
    """What an agent asks, as it would ask an `Engine`. Several threads may ask at once: all are sent at once.

    No calibration: one belongs to weights that are here. `remarks` is what was found odd when it was opened.
    """

    def __init__(
        self,
        client: HttpClient,
        address: RemoteAddress,
        model: RemoteModel,
        abilities: Abilities,
        settings: RemoteConfig,
    ) -> None:
        self.calibration: Calibration | None = None
        self.address = address
        self.abilities = abilities
        self.settings = settings
        self._client = client
        self._model = model
        self._uris = DataUris(settings.max_image_bytes)
        self._closing = finalize(self, client.close)

    @property
    def name(self) -> str:
        return self._model.name

    @property
    def config(self) -> KimiVLConfig:
        return self._model.config

    @property
    def remarks(self) -> tuple[str, ...]:
        return self.abilities.remarks

    def transform(self, width_px: int, height_px: int) -> ImageTransform:
        """How a screenshot of this size maps to what the model sees."""
        return image_transform(width_px, height_px, self.config.image)

    def generate(self, messages: Sequence[Message], sampling: SamplingConfig | None = None) -> Generation:
        """The whole reply. Raises BadImage and ContextTooLong, and NoRemote where the server gives none.

        Empty, and nothing is asked, where a reply is to be continued and the server cannot do that.
        """
        sampling = sampling or SamplingConfig()
        image_tokens = self._image_tokens(messages)
        if messages and messages[-1].open and not self.abilities.continues:
            return empty_generation(image_tokens)
        body = self._body(messages, sampling)
        started_s = time.perf_counter()
        try:
            told = self._client.post(COMPLETIONS, body)
        except RemoteRefused as error:
            raise _explained(error) from error
        return read_completion(
            told,
            url=self.address.url,
            quote=self._client.quoted,
            stop=sampling.stop,
            watch=sampling.watch,
            image_tokens=image_tokens,
            took_s=time.perf_counter() - started_s,
        )

    def generate_batch(
        self, requests: Sequence[Sequence[Message]], sampling: SamplingConfig | None = None
    ) -> list[Generation]:
        """The replies to several requests, sent side by side; the server puts them together as it likes."""
        if len(requests) <= 1:
            return [self.generate(messages, sampling) for messages in requests]
        with ThreadPoolExecutor(min(len(requests), self.settings.in_flight)) as pool:
            return list(pool.map(partial(self.generate, sampling=sampling), requests))

    def stream(self, messages: Sequence[Message], sampling: SamplingConfig | None = None) -> Iterator[GeneratedToken]:
        """The reply in pieces, as the server sends them: its tokens where it tells them, else texts of any length.

        A thought that comes apart is not among them. Raises BadImage at once.
        """
        sampling = sampling or SamplingConfig()
        self._image_tokens(messages)
        body = self._body(messages, sampling) | {"stream": True}
        return self._pieces(body, sampling)

    def close(self) -> None:
        """Close its connections; twice is fine, and one that nobody holds any more does it by itself."""
        self._closing()

    def manifest(self) -> dict[str, Any]:
        """What a run must record to be repeated, as far as a server tells; never a key."""
        return {
            "model": self.name,
            "device": "remote",
            "dtype": "remote",
            "quantization": None,
            "settings": {"top_logprobs": self.abilities.top_logprobs, "grammar": self.abilities.grammar},
            "remote": {
                "url": self.address.url,
                "served_name": self.address.model,
                "server": self.abilities.server,
                "version": self.abilities.version,
                "remarks": list(self.remarks),
            },
            "image_processor": self.config.preprocessor_json(),
            "weights_sha256": {},
            "versions": {"moonhand": metadata.version("moonhand")},
        }

    def _body(self, messages: Sequence[Message], sampling: SamplingConfig) -> dict[str, Any]:
        body = {"model": self.address.model} | message_fields(messages, self._uris) | sampling_fields(sampling)
        if self.abilities.logprobs:
            body |= {"logprobs": True, "top_logprobs": self.abilities.top_logprobs}
        if sampling.grammar is not None and self.abilities.grammar is not None:
            with suppress(BadGrammar):  # this server has no field for this kind: said when it was opened
                grammar = after_thought(sampling.grammar) if sampling.may_think else sampling.grammar
                body |= remote_fields(grammar, server=self.abilities.grammar)
        return body

    def _image_tokens(self, messages: Sequence[Message]) -> int:
        """Raises BadImage for a picture that the model's processor cannot take."""
        return sum(
            count_tokens(picture.pixels_HW3, self.config.image) for message in messages for picture in message.pictures
        )

    def _pieces(self, body: dict[str, Any], sampling: SamplingConfig) -> Iterator[GeneratedToken]:
        for event in self._client.events(COMPLETIONS, body):
            for choice in event.get("choices") or []:
                text, _ = parts_of(choice.get("delta") or {})
                if text:
                    yield from tokens_of(choice, text, sampling.watch) or (GeneratedToken(NO_ID, text, None),)


def open_remote(
    name: str, settings: RemoteConfig | None = None, *, say: Callable[[str], None] | None = None
) -> RemoteEngine:
    """The engine behind `openai:URL#NAME`, asked once whether it counts and answers as expected. NoRemote.

    What is odd about it is said through `say`; by default as a RemoteWarning each.
    """
    settings = settings or RemoteConfig()
    address = RemoteAddress.parse(name)
    client = HttpClient(address, settings.http)
    try:
        address, model, about = find_model(client, address)
        model, abilities = probe(
            client, address, model, about, server=settings.server, top_logprobs=settings.top_logprobs
        )
    except BaseException:
        client.close()
        raise
    for remark in abilities.remarks:
        if say is None:
            warnings.warn(remark, RemoteWarning, stacklevel=2)
        else:
            say(remark)
    return RemoteEngine(client, address, model, abilities, settings)


def _explained(error: RemoteRefused) -> Exception:
    """A prompt that is too long, as an engine here says it."""
    said = str(error).lower()
    if error.status == 400 and ("context length" in said or "max_model_len" in said or "maximum model length" in said):
        return ContextTooLong(
            f"{error}: send fewer pictures or less text, lower max_new_tokens, or let the server take more"
        )
    return error
