"""Replies in the making: the prompts of some requests are read in one packed pass, then each gets a token a step."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .chat import Message, split_thinking
from .errors import ContextTooLong
from .kv_cache import LatentCache
from .prompt import Prompt
from .runtime import Span
from .sampling import SamplingConfig, choose
from .tokenizer import StreamDecoder

if TYPE_CHECKING:
    from .engine import Engine

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True)
class GeneratedToken:
    """One token of a reply; `text` is what it completes (a character split over tokens appears with the last)."""

    id: int
    text: str
    logprob: float  # natural log, of the model's own distribution, whatever the sampling
    # Where the token is one of "000" to "999": the probabilities of these 1000 among themselves, [1000].
    numbers: npt.NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    watched: tuple[float, ...] = ()  # the probabilities here of the sampling's `watch_ids`


@dataclass(frozen=True, kw_only=True)
class Generation:
    """A whole reply. `text` is all of it; `thinking` and `answer` are its parts.

    Times are wall-clock seconds: of the whole batch, where several requests were answered together.
    """

    text: str
    thinking: str | None
    answer: str
    thought_finished: bool
    tokens: tuple[GeneratedToken, ...]  # without the stop token
    finish_reason: FinishReason
    prompt_tokens: int
    image_tokens: int  # of the prompt's
    cached_tokens: int  # of the prompt's: not read again, because an earlier prompt began with them
    cached_images: int  # of the prompt's pictures: not encoded again
    vision_s: float
    prefill_s: float
    decode_s: float


class Replies:
    """The replies to some requests, made together: iterate once, then ask for the `generation` of each."""

    def __init__(self, engine: Engine, requests: Sequence[Sequence[Message]], sampling: SamplingConfig) -> None:
        """Raises BadImage or ContextTooLong, before any work, for the first request that cannot be answered."""
        self._engine = engine
        self._sampling = sampling
        self._replies = [
            _Reply(Prompt.read(messages, engine.tokenizer, engine.config), sampling, StreamDecoder(engine.tokenizer))
            for messages in requests
        ]
        vocab_size = engine.tokenizer.vocab_size
        if not all(0 <= token < vocab_size for token in sampling.watch_ids):
            raise ValueError(f"watch_ids must be ids of the vocabulary, 0 to {vocab_size - 1}: {sampling.watch_ids}")
        for reply in self._replies:
            _require_fits(reply.prompt, sampling, engine.config.text.max_position_embeddings)
        family = frozenset((engine.tokenizer.im_end, engine.tokenizer.eos))
        self._stops = family if sampling.stop_ids is None else sampling.stop_ids
        self._vision_s = self._prefill_s = self._decode_s = 0.0

    def __iter__(self) -> Iterator[tuple[int, GeneratedToken]]:
        """Each token as it is made, with the number of the request that it answers."""
        if not self._replies:
            return
        cache = self._open_cache()
        try:
            logits_NV = self._prefill(cache)
            rows = list(range(len(self._replies)))
            while rows:
                spoken = self._next_tokens(rows, logits_NV)
                yield from spoken
                rows = [row for row, _ in spoken if len(self._replies[row].tokens) < self._sampling.max_new_tokens]
                if rows:
                    logits_NV = self._step(cache, rows)
        finally:
            self._close_cache(cache)

    def generation(self, index: int) -> Generation:
        """What request number `index` got."""
        reply = self._replies[index]
        text = "".join(token.text for token in reply.tokens)
        parts = split_thinking(text)
        return Generation(
            text=text,
            thinking=parts.thinking,
            answer=parts.answer,
            thought_finished=parts.finished,
            tokens=tuple(reply.tokens),
            finish_reason=reply.finish_reason,
            prompt_tokens=len(reply.prompt.ids),
            image_tokens=reply.prompt.image_tokens,
            cached_tokens=reply.cached_tokens,
            cached_images=reply.cached_images,
            vision_s=self._vision_s,
            prefill_s=self._prefill_s,
            decode_s=self._decode_s,
        )

    def _open_cache(self) -> LatentCache:
        """Room for all prompts and replies; for a single request with what an earlier prompt left of its own."""
        engine = self._engine
        needed = max(len(reply.prompt.ids) for reply in self._replies) + self._sampling.max_new_tokens
        if engine.prefixes is None or len(self._replies) > 1:
            return LatentCache(engine.config.text, len(self._replies), needed, engine.dtype, engine.device)
        # Whole blocks, so that the next prompt of a run mostly finds room behind this one.
        block = 8192 if engine.device.type == "cuda" else 1024
        room = min(-(-needed // block) * block, engine.config.text.max_position_embeddings)
        (reply,) = self._replies
        found = engine.prefixes.take(reply.prompt.keys)
        if found is None:
            return LatentCache(engine.config.text, 1, room, engine.dtype, engine.device)
        cache, reply.cached_tokens = found
        return cache if cache.max_length >= needed else cache.grown(room)

    def _close_cache(self, cache: LatentCache) -> None:
        """Keep what a single request's row holds for the next prompt that begins like it."""
        if self._engine.prefixes is not None and len(self._replies) == 1:
            (reply,) = self._replies
            keys = [*reply.prompt.keys, *(token.id for token in reply.tokens)]
            self._engine.prefixes.put(keys[: cache.lengths[0]], cache)

    @torch.inference_mode()
    def _prefill(self, cache: LatentCache) -> Tensor:
        """Read what is new of each prompt: the logits after it, [N, V]."""
        engine = self._engine
        started_s = self._now_s()
        pictures = [reply.prompt.pictures_after(reply.cached_tokens) for reply in self._replies]
        features, encoded = engine.sight.features([picture for each in pictures for picture in each])
        for reply, new in zip(self._replies, pictures, strict=True):
            reply.cached_images = len(reply.prompt.pictures) - sum(picture.digest in encoded for picture in new)
        seen_s = self._now_s()
        ids = [reply.prompt.ids[reply.cached_tokens :] for reply in self._replies]
        positions = [p for reply in self._replies for p in reply.prompt.positions[reply.cached_tokens :]]
        ids_BL = torch.tensor([[token for new in ids for token in new]], device=engine.device)
        x_BLD = engine.model.embed(ids_BL, torch.cat(features) if features else None)
        spans = [Span(row, len(new)) for row, new in enumerate(ids)]
        logits_NV = self._speakable(engine.runtime.prefill(x_BLD[0], cache, spans, positions))
        self._vision_s, self._prefill_s = seen_s - started_s, self._now_s() - seen_s
        return logits_NV

    @torch.inference_mode()
    def _step(self, cache: LatentCache, rows: Sequence[int]) -> Tensor:
        """The logits after one more token in each of these rows, [N, V]."""
        started_s = self._now_s()
        engine = self._engine
        ids_BL = torch.tensor([[self._replies[row].tokens[-1].id for row in rows]], device=engine.device)
        logits_NV = self._speakable(engine.runtime.step(engine.model.embed(ids_BL)[0], cache, rows))
        self._decode_s += self._now_s() - started_s
        return logits_NV

    def _next_tokens(self, rows: Sequence[int], logits_NV: Tensor) -> list[tuple[int, GeneratedToken]]:
        """One more token for each of these replies, but for those that end here."""
        spoken: list[tuple[int, GeneratedToken]] = []
        chosen = choose(logits_NV, self._sampling, [self._replies[row].generator for row in rows])
        for row, logits_V, (token, logprob) in zip(rows, logits_NV, chosen, strict=True):
            reply = self._replies[row]
            if token in self._stops:
                reply.finish_reason = "stop"
                continue
            text = reply.decoder.push(token)
            reply.tokens.append(GeneratedToken(token, text, logprob, *self._alternatives(token, logits_V)))
            spoken.append((row, reply.tokens[-1]))
        return spoken

    def _alternatives(self, token: int, logits_V: Tensor) -> tuple[npt.NDArray[np.float32] | None, tuple[float, ...]]:
        """What else could have stood here: the numbers, where the token is one, and the watched tokens."""
        number_ids_C, watch_ids = self._engine.number_ids, self._sampling.watch_ids
        numbers_C = None
        if number_ids_C is not None and token in self._engine.number_tokens:
            numbers_C = logits_V[number_ids_C].float().softmax(-1).cpu().numpy()
        if not watch_ids:
            return numbers_C, ()
        watched = logits_V[list(watch_ids)].float() - logits_V.float().logsumexp(-1)
        return numbers_C, tuple(watched.exp().tolist())

    def _speakable(self, logits_NV: Tensor) -> Tensor:
        """Logits over the tokens a reply may hold: the vocabulary's, no picture placeholder."""
        tokenizer = self._engine.tokenizer
        logits_NV = logits_NV[:, : tokenizer.vocab_size].clone()
        logits_NV[:, tokenizer.media_pad] = float("-inf")
        return logits_NV

    def _now_s(self) -> float:
        if self._engine.device.type == "cuda":
            torch.cuda.synchronize(self._engine.device)
        return time.perf_counter()


class _Reply:
    """One request on its way."""

    def __init__(self, prompt: Prompt, sampling: SamplingConfig, decoder: StreamDecoder) -> None:
        self.prompt = prompt
        self.generator = torch.Generator().manual_seed(sampling.seed)
        self.decoder = decoder
        self.tokens: list[GeneratedToken] = []
        self.finish_reason: FinishReason = "length"
        self.cached_tokens = 0
        self.cached_images = 0


def _require_fits(prompt: Prompt, sampling: SamplingConfig, limit: int) -> None:
    left_out = sum(
        picture.total - picture.num_tokens for picture in prompt.pictures
    )  # they take positions all the same
    if len(prompt.ids) + left_out + sampling.max_new_tokens > limit:
        raise ContextTooLong(
            f"the prompt has {len(prompt.ids)} tokens ({prompt.image_tokens} of pictures) and the reply may take "
            f"{sampling.max_new_tokens}, together over the model's {limit}: send fewer pictures or less text, or "
            "lower max_new_tokens"
        )
