"""A reply being written: what was said, what must be said next, and where its text ends it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from .guide import Guide
from .prompt import Prompt
from .sampling import SamplingConfig
from .tokenizer import StreamDecoder

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True)
class GeneratedToken:
    """One token of a reply; `text` is what it completes (a character split over tokens appears with the last).

    Of a token that was `forced` (by a grammar, or to end a thought) the model was mostly not asked: no log-probability.
    """

    id: int
    text: str
    logprob: float | None  # natural log, of the model's own distribution, whatever the sampling and the grammar
    # Where the token is a number of up to three digits: the probabilities of 0.000 to 0.999 after "0.", [1000].
    numbers: npt.NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    watched: tuple[float, ...] = ()  # the probabilities here of the sampling's `watch_ids` and `watch`
    forced: bool = False


class Writing:
    """One request on its way. What is said is held until it can be no beginning of a stop text."""

    def __init__(self, prompt: Prompt, sampling: SamplingConfig, decoder: StreamDecoder) -> None:
        self.prompt = prompt
        self.generator = torch.Generator().manual_seed(sampling.seed)
        self.guide: Guide | None = None
        self.tokens: list[GeneratedToken] = []
        self.ids: list[int] = []  # all that was said, what a stop text cut off included
        self.unread: list[int] = []  # of these, the last: the decoder has not read them
        self.forced: deque[int] = deque()  # what must be said next
        self.is_done = False
        self.finish_reason: FinishReason = "length"
        self.cached_tokens = 0
        self.cached_images = 0
        self.passes = 0
        self._decoder = decoder
        self._limit = sampling.max_new_tokens
        self._held = Held(sampling.stop)
        self._released = 0

    def look_ahead(self) -> None:
        """Ask what must come next; a reply to which nothing can be added ends."""
        if self.guide is None or self.forced:
            return
        self.forced.extend(self.guide.forced())
        if self.guide.finished and not self.forced:
            self.end("stop")

    def say(
        self,
        token: int,
        logprob: float | None,
        numbers_C: npt.NDArray[np.float32] | None,
        watched: tuple[float, ...],
        *,
        forced: bool,
    ) -> None:
        said = GeneratedToken(token, self._decoder.push(token), logprob, numbers_C, watched, forced)
        self.ids.append(token)
        self.unread.append(token)
        self.tokens += self._held.push(said)
        if self.guide is not None:
            self.guide.consume(token)
            self.look_ahead()
        if self._held.is_stopped:
            self.end("stop")
        elif len(self.ids) == self._limit and not self.is_done:
            self.end("length")

    def end(self, reason: FinishReason) -> None:
        self.tokens += self._held.flush()
        self.finish_reason, self.is_done = reason, True

    def released(self) -> list[GeneratedToken]:
        """What can be shown since the last call."""
        start, self._released = self._released, len(self.tokens)
        return self.tokens[start:]


class Held:
    """The last tokens of a reply. Stop texts count wherever they stand, across tokens too."""

    def __init__(self, stops: Sequence[str]) -> None:
        self.is_stopped = False
        self._stops = stops
        self._tokens: list[GeneratedToken] = []

    def push(self, token: GeneratedToken) -> list[GeneratedToken]:
        """Tokens that no stop text can reach any more; up to the stop text where there is one now."""
        if not self._stops:
            return [token]
        self._tokens.append(token)
        text = "".join(each.text for each in self._tokens)
        found = [at for at in (text.find(stop) for stop in self._stops) if at >= 0]
        if found:
            self.is_stopped = True
            return self._before(min(found), cut=True)
        return self._before(next(at for at in range(len(text) + 1) if self._may_begin(text[at:])))

    def flush(self) -> list[GeneratedToken]:
        """All that is left, once nothing can follow."""
        tokens, self._tokens = self._tokens, []
        return [] if self.is_stopped else tokens

    def _may_begin(self, text: str) -> bool:
        return any(stop.startswith(text) for stop in self._stops)

    def _before(self, end: int, *, cut: bool = False) -> list[GeneratedToken]:
        """Take out the tokens whose text ends there or before; if `cut`, of the one across it what lies before."""
        ends = list(accumulate(len(token.text) for token in self._tokens))
        count = sum(each <= end for each in ends)
        taken, self._tokens = self._tokens[:count], self._tokens[count:]
        start = ends[count - 1] if count else 0
        if cut and start < end:
            taken.append(replace(self._tokens[0], text=self._tokens[0].text[: end - start]))
        return taken
