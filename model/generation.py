"""Whole replies, and how a fixed list of requests gets them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .batch import Batch
from .chat import Message, split_thinking
from .kv_cache import LatentCache
from .sampling import SamplingConfig
from .writing import FinishReason, GeneratedToken, Writing

if TYPE_CHECKING:
    from .engine import Engine


@dataclass(frozen=True, kw_only=True)
class Generation:
    """A whole reply. `text` is all of it; `thinking` and `answer` are its parts.

    Times are wall-clock seconds of the passes that it had part in, whoever else had.
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

    @classmethod
    def of(cls, writing: Writing) -> Generation:
        """What a request got."""
        text = "".join(token.text for token in writing.tokens)
        parts = split_thinking(text)
        return cls(
            text=text,
            thinking=parts.thinking,
            answer=parts.answer,
            thought_finished=parts.finished,
            tokens=tuple(writing.tokens),
            finish_reason=writing.finish_reason,
            forced_tokens=sum(token.forced for token in writing.tokens),
            passes=writing.passes,
            prompt_tokens=len(writing.prompt.ids),
            image_tokens=writing.prompt.image_tokens,
            cached_tokens=writing.cached_tokens,
            cached_images=writing.cached_images,
            vision_s=writing.vision_s,
            prefill_s=writing.prefill_s,
            decode_s=writing.decode_s,
        )

    @property
    def num_tokens(self) -> int:
        """Of the reply: what was paid for, shown as `tokens` or not."""
        return len(self.tokens) if self.counted is None else self.counted


class Replies:
    """The replies to some requests, made together: iterate once, then ask for the `generation` of each."""

    def __init__(self, engine: Engine, requests: Sequence[Sequence[Message]], sampling: SamplingConfig) -> None:
        """Raises BadImage or ContextTooLong, before any work, for the first request that cannot be answered."""
        self._engine = engine
        self._writings = [Writing(engine, messages, sampling) for messages in requests]

    def __iter__(self) -> Iterator[tuple[int, GeneratedToken]]:
        """Each token as it is made, with the number of the request that it answers."""
        if not self._writings:
            return
        cache = self._open_cache()
        try:
            batch = Batch(self._engine, cache, gather=True)
            for row, writing in enumerate(self._writings):
                batch.join(row, writing)
            while not all(writing.is_done for writing in self._writings):
                batch.step()
                for row, writing in enumerate(self._writings):
                    yield from ((row, token) for token in writing.released())
                    if writing.error is not None:
                        raise writing.error
        finally:
            self._close_cache(cache)

    def generation(self, index: int) -> Generation:
        """What request number `index` got."""
        return Generation.of(self._writings[index])

    def _open_cache(self) -> LatentCache:
        """Room for all prompts and replies; for a single request with what an earlier prompt left of its own."""
        engine = self._engine
        needed = max(writing.num_tokens for writing in self._writings)
        if engine.prefixes is None or len(self._writings) > 1:
            return LatentCache(engine.config.text, len(self._writings), needed, engine.dtype, engine.device)
        # Whole blocks, so that the next prompt of a run mostly finds room behind this one.
        block = 8192 if engine.device.type == "cuda" else 1024
        room = min(-(-needed // block) * block, engine.config.text.max_position_embeddings)
        (writing,) = self._writings
        found = engine.prefixes.take(writing.prompt.keys)
        if found is None:
            return LatentCache(engine.config.text, 1, room, engine.dtype, engine.device)
        cache, count = found
        writing.skip(count)
        return cache if cache.max_length >= needed else cache.grown(room)

    def _close_cache(self, cache: LatentCache) -> None:
        """Keep what a single request's row holds for the next prompt that begins like it."""
        if self._engine.prefixes is not None and len(self._writings) == 1:
            (writing,) = self._writings
            self._engine.prefixes.put(writing.keys[: cache.lengths[0]], cache)
