"""One request on its way: what of its prompt was read, what was said, what must be said next, and what ends it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .chat import Message
from .errors import ContextTooLong
from .prompt import Prompt
from .reuse import Key
from .sampling import SamplingConfig
from .tokenizer import StreamDecoder

if TYPE_CHECKING:
    from .engine import Engine

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
    # The likeliest tokens here, best first, each with its log-probability as `logprob` has it: the sampling's
    # `top_logprobs` of them. None where the model was not asked, and none from a server, which tells texts, no ids.
    top: tuple[tuple[int, float], ...] = field(default=(), repr=False, compare=False)


class Alternatives(NamedTuple):
    """What else could have stood in a token's place, as `GeneratedToken` has it."""

    numbers: npt.NDArray[np.float32] | None = None
    watched: tuple[float, ...] = ()
    top: tuple[tuple[int, float], ...] = ()


class Writing:
    """A reply in the making. What is said is held until it can be no beginning of a stop text."""

    def __init__(self, engine: Engine, messages: Sequence[Message], sampling: SamplingConfig) -> None:
        """BadImage, ContextTooLong, BadGrammar or ValueError, before any work, for what cannot be answered."""
        tokenizer = engine.tokenizer
        if not all(0 <= token < tokenizer.vocab_size for token in sampling.watch_ids):
            raise ValueError(
                f"watch_ids must be ids of the vocabulary, 0 to {tokenizer.vocab_size - 1}: {sampling.watch_ids}"
            )
        self.prompt = Prompt.read(messages, tokenizer, engine.config)
        _require_fits(self.prompt, sampling, engine.config.text.max_position_embeddings)
        self.sampling = sampling
        self.watch_ids = (*sampling.watch_ids, *(tokenizer.encode(text)[0] for text in sampling.watch))
        family = frozenset((tokenizer.im_end, tokenizer.eos))
        self.stops = family if sampling.stop_ids is None else sampling.stop_ids
        self.guide = engine.grammars.guide(sampling, self.stops)
        self.generator = torch.Generator().manual_seed(sampling.seed)
        self.num_read = 0  # tokens of the prompt
        self.cached_tokens = 0
        self.cached_images = 0
        self.pictures = deque(self.prompt.pictures)  # of those that are read, the ones without features yet
        self.features: deque[Tensor] = deque()  # [T, D] of pictures that were seen and not read yet, the rest of each
        self.tokens: list[GeneratedToken] = []
        self.ids: list[int] = []  # all that was said, what a stop text cut off included
        self.unread: deque[int] = deque()  # of these, the last: the decoder has not read them
        self.forced: deque[int] = deque()  # what must be said next
        self.is_done = False
        self.error: Exception | None = None  # what ended it, where it could not be finished
        self.finish_reason: FinishReason = "length"
        self.passes = 0
        self.vision_s = self.prefill_s = self.decode_s = 0.0  # of the passes it had part in
        self._decoder = StreamDecoder(tokenizer)
        self._held = Held(sampling.stop)
        self._released = 0

    @property
    def num_tokens(self) -> int:
        """The most it can come to: prompt and reply."""
        return len(self.prompt.ids) + self.sampling.max_new_tokens

    @property
    def is_reading(self) -> bool:
        """Whether part of its prompt was not read yet."""
        return self.num_read < len(self.prompt.ids)

    @property
    def keys(self) -> list[Key]:
        """What its tokens are, prompt and reply, for who wants to reuse their latents."""
        return [*self.prompt.keys, *self.ids]

    def prepare(self) -> None:
        """Do now, on this thread, what reading would have to wait for: shrink the pictures, name the tokens."""
        for picture in self.prompt.pictures:
            _ = picture.patches
        _ = self.prompt.keys

    def skip(self, count: int) -> None:
        """The first tokens of the prompt are known from an earlier one, and never end inside a picture."""
        self.num_read = self.cached_tokens = count
        self.pictures = deque(self.prompt.pictures_after(count))
        self.cached_images = len(self.prompt.pictures) - len(self.pictures)

    def take_features(self, count: int) -> list[Tensor]:
        """The next so many features of its pictures, [T, D] each."""
        taken: list[Tensor] = []
        while count:
            features_TD = self.features.popleft()
            taken.append(features_TD[:count])
            if len(features_TD) > count:
                self.features.appendleft(features_TD[count:])
            count -= len(taken[-1])
        return taken

    def look_ahead(self) -> None:
        """Ask what must come next; a reply to which nothing can be added ends."""
        if self.guide is None or self.forced:
            return
        self.forced.extend(self.guide.forced())
        if self.guide.finished and not self.forced:
            self.end("stop")

    def say(self, token: int, logprob: float | None, others: Alternatives, *, forced: bool) -> None:
        numbers_C, watched, top = others
        said = GeneratedToken(token, self._decoder.push(token), logprob, numbers_C, watched, forced, top)
        self.ids.append(token)
        self.unread.append(token)
        self.tokens += self._held.push(said)
        if self.guide is not None:
            self.guide.consume(token)
            self.look_ahead()
        if self._held.is_stopped:
            self.end("stop")
        elif len(self.ids) == self.sampling.max_new_tokens and not self.is_done:
            self.end("length")

    def end(self, reason: FinishReason) -> None:
        self.tokens += self._held.flush()
        self.finish_reason, self.is_done = reason, True

    def fail(self, error: Exception) -> None:
        """End it for what cannot be answered."""
        self.error, self.is_done = error, True

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


def _require_fits(prompt: Prompt, sampling: SamplingConfig, limit: int) -> None:
    left_out = sum(
        picture.total - picture.num_tokens for picture in prompt.pictures
    )  # they take positions all the same
    if len(prompt.ids) + left_out + sampling.max_new_tokens > limit:
        raise ContextTooLong(
            f"the prompt has {len(prompt.ids)} tokens ({prompt.image_tokens} of pictures) and the reply may take "
            f"{sampling.max_new_tokens}, together over the model's {limit}",
            "send fewer pictures or less text, or lower max_new_tokens",
        )
