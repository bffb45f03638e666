"""Replies in the making: the prompts of some requests are read in one packed pass, then each gets a token a step."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .chat import Message, split_thinking
from .errors import ContextTooLong
from .kv_cache import LatentCache
from .prompt import Prompt
from .runtime import Span
from .sampling import SamplingConfig, choose, penalties
from .tokenizer import StreamDecoder
from .writing import FinishReason, GeneratedToken, Writing

if TYPE_CHECKING:
    from .engine import Engine


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
    finish_reason: FinishReason  # "length": the allowance was used up, and an answer may not be whole
    forced_tokens: int  # of the reply's: the only ones that could stand there
    passes: int  # of the decoder after the prompt, each for the next choice: fewer than tokens where some were forced
    prompt_tokens: int
    image_tokens: int  # of the prompt's
    cached_tokens: int  # of the prompt's: not read again, because an earlier prompt began with them
    cached_images: int  # of the prompt's pictures: not encoded again
    vision_s: float
    prefill_s: float
    decode_s: float
    counted: int | None = None  # tokens of the reply as a server counts them, the one that ended it too

    @property
    def num_tokens(self) -> int:
        """Of the reply: what was paid for, shown as `tokens` or not."""
        return len(self.tokens) if self.counted is None else self.counted


class Replies:
    """The replies to some requests, made together: iterate once, then ask for the `generation` of each."""

    def __init__(self, engine: Engine, requests: Sequence[Sequence[Message]], sampling: SamplingConfig) -> None:
        """Raises BadImage or ContextTooLong, before any work, for the first request that cannot be answered."""
        self._engine = engine
        self._sampling = sampling
        self._replies = [
            Writing(Prompt.read(messages, engine.tokenizer, engine.config), sampling, StreamDecoder(engine.tokenizer))
            for messages in requests
        ]
        vocab_size = engine.tokenizer.vocab_size
        if not all(0 <= token < vocab_size for token in sampling.watch_ids):
            raise ValueError(f"watch_ids must be ids of the vocabulary, 0 to {vocab_size - 1}: {sampling.watch_ids}")
        self._watch_ids = (*sampling.watch_ids, *(engine.tokenizer.encode(text)[0] for text in sampling.watch))
        for reply in self._replies:
            _require_fits(reply.prompt, sampling, engine.config.text.max_position_embeddings)
        family = frozenset((engine.tokenizer.im_end, engine.tokenizer.eos))
        self._stops = family if sampling.stop_ids is None else sampling.stop_ids
        for reply in self._replies:
            reply.guide = engine.grammars.guide(sampling, self._stops)
        self._vision_s = self._prefill_s = self._decode_s = 0.0

    def __iter__(self) -> Iterator[tuple[int, GeneratedToken]]:
        """Each token as it is made, with the number of the request that it answers."""
        if not self._replies:
            return
        cache = self._open_cache()
        try:
            logits_NV = self._prefill(cache)
            for reply in self._replies:
                reply.look_ahead()
            rows = [row for row, reply in enumerate(self._replies) if not reply.is_done]
            while rows:
                yield from self._next_tokens(rows, logits_NV)
                rows = [row for row in rows if not self._replies[row].is_done]
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
            forced_tokens=sum(token.forced for token in reply.tokens),
            passes=reply.passes,
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
            keys = [*reply.prompt.keys, *reply.ids]
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
        """The logits after all that was written in each of these rows, [N, V]."""
        started_s = self._now_s()
        engine, replies = self._engine, [self._replies[row] for row in rows]
        counts = [len(reply.unread) for reply in replies]
        ids_BL = torch.tensor([[token for reply in replies for token in reply.unread]], device=engine.device)
        x_LD = engine.model.embed(ids_BL)[0]
        if max(counts) == 1:
            logits_NV = engine.runtime.step(x_LD, cache, rows)
        else:
            spans = [Span(row, count) for row, count in zip(rows, counts, strict=True)]
            positions = [cache.next_position(span.row) + at for span in spans for at in range(span.count)]
            logits_NV = engine.runtime.prefill(x_LD, cache, spans, positions)
        for reply in replies:
            reply.passes += 1
            reply.unread.clear()
        logits_NV = self._speakable(logits_NV)
        self._decode_s += self._now_s() - started_s
        return logits_NV

    def _next_tokens(self, rows: Sequence[int], logits_NV: Tensor) -> list[tuple[int, GeneratedToken]]:
        """The next token of each of these replies, but for those that end here, and those that are forced behind it.

        Those at the end that may still turn out to be the beginning of a stop text come later, or never.
        """
        spoken: list[tuple[int, GeneratedToken]] = []
        replies = [self._replies[row] for row in rows]
        given = [reply.forced.popleft() if reply.forced else None for reply in replies]
        chosen = choose(
            logits_NV,
            self._sampling,
            [reply.generator for reply in replies],
            penalty_NV=self._penalties(replies, given),
            given=given,
        )
        jumps = self._engine.settings.jump_forward
        for row, reply, logits_V, told, (token, logprob) in zip(rows, replies, logits_NV, given, chosen, strict=True):
            if told is None and token in self._stops:
                reply.end("stop")
            else:
                reply.say(token, logprob, *self._alternatives(token, logits_V), forced=told is not None)
            while jumps and reply.forced and not reply.is_done:
                reply.say(reply.forced.popleft(), None, None, (), forced=True)
            spoken += [(row, each) for each in reply.released()]
        return spoken

    def _penalties(self, replies: Sequence[Writing], given: Sequence[int | None]) -> Tensor | None:
        """What keeps each of these from tokens its guide does not allow, [N, V]; None where all may choose any."""
        masks = [
            None if reply.guide is None or told is not None else reply.guide.allowed()
            for reply, told in zip(replies, given, strict=True)
        ]
        if all(mask is None for mask in masks):
            return None
        vocab_size = self._engine.tokenizer.vocab_size
        every = np.full(-(-vocab_size // 32), -1, np.int32)
        words_NW = np.stack([every if mask is None else mask for mask in masks])
        return penalties(words_NW, vocab_size, self._engine.device)

    def _alternatives(self, token: int, logits_V: Tensor) -> tuple[npt.NDArray[np.float32] | None, tuple[float, ...]]:
        """What else could have stood here: the numbers, where the token is one, and the watched tokens."""
        watch_ids = self._watch_ids
        found_C = self._engine.thousandths(logits_V) if token in self._engine.number_tokens else None
        numbers_C = None if found_C is None else found_C.cpu().numpy()
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
