"""What may come next in one reply: first a thought, written freely, then what the grammar allows.

A `Guide` is told every token and answers with the ones that may follow (`allowed`) and those that must (`forced`).
Masks are bits, 32 to a word, the lowest bit of the first word being token 0.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from functools import cached_property
from threading import Lock
from typing import Any, TypeAlias, cast

import llguidance
import numpy as np
import numpy.typing as npt

from .chat import THINK_CLOSE, THINK_OPEN
from .errors import BadGrammar
from .grammar import Grammar, one_line
from .sampling import SamplingConfig
from .tokenizer import PATTERN, Tokenizer

Words: TypeAlias = npt.NDArray[np.int32]

KEPT_GRAMMARS = 32
# Kinds of tokens that a mask allows or forbids as one. Words before llguidance's own: they stay whole where a text
# excludes a quote that those do not exclude, and a mask inside it takes a third of the time.
SLICES = ["[a-zA-Z ]{1,12}", *llguidance.LLTokenizer.general_slices()]
OPEN, CLOSE = THINK_OPEN.encode(), THINK_CLOSE.encode()


class Grammars:
    """Grammars compiled for one vocabulary. The last `keep` are kept; what the vocabulary itself costs is paid once.

    Several threads may ask for guides.
    """

    def __init__(self, tokenizer: Tokenizer, *, keep: int = KEPT_GRAMMARS) -> None:
        self._tokenizer = tokenizer
        self._keep = keep
        self._matchers: OrderedDict[Grammar, llguidance.LLMatcher] = OrderedDict()
        self._compiling = Lock()

    def __len__(self) -> int:
        return len(self._matchers)

    def guide(self, sampling: SamplingConfig, stops: frozenset[int]) -> Guide | None:
        """For one reply; None where nothing has to be watched. BadGrammar where no reply could follow the grammar."""
        if sampling.grammar is None and sampling.thinking_tokens is None:
            return None
        with self._compiling:
            answer = None if sampling.grammar is None else self._matcher(sampling.grammar)
            words = self._words
        return Guide(words, answer, stops, thinks=sampling.may_think, budget=sampling.thinking_tokens)

    def _matcher(self, grammar: Grammar) -> llguidance.LLMatcher:
        """At the grammar's beginning, for one reply alone."""
        matcher = self._matchers.get(grammar)
        if matcher is None:
            matcher = llguidance.LLMatcher(
                self._words.vocabulary,
                grammar.serialized,
                log_level=0,
                limits=llguidance.LLParserLimits(verbose_errors=False),
            )
            _require_sound(matcher)
            matcher.compute_bitmask()
            _require_sound(matcher)
            self._matchers[grammar] = matcher
            if len(self._matchers) > self._keep:
                self._matchers.popitem(last=False)
        self._matchers.move_to_end(grammar)
        return matcher.deep_copy()

    @cached_property
    def _words(self) -> TokenMasks:
        return TokenMasks(self._tokenizer)


class TokenMasks:
    """A vocabulary as the guides need it: llguidance's form of it, and masks that they share."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        # No control token has a name in there, so that no grammar can ask for one.
        self.vocabulary: llguidance.LLTokenizer = cast("Any", llguidance.LLTokenizer).from_tiktoken(
            encoder={token: rank for rank, token in enumerate(tokenizer.tokens)},
            special_tokens={},
            pattern=PATTERN,
            eos_token=[tokenizer.im_end, tokenizer.eos],
            n_vocab=tokenizer.vocab_size,
            slices=SLICES,
        )
        self.tokens = tokenizer.tokens
        self.num_words = -(-tokenizer.vocab_size // 32)
        self.ordinary = self.mask(range(tokenizer.num_base))
        # Blank space between a thought and its answer, which some checkpoints write and no reader minds.
        self.gap = self.mask(id for id, token in enumerate(self.tokens) if len(token) <= 2 and not token.strip(b" \n"))
        self._spelled = {text: tokenizer.encode(text.decode()) for text in (OPEN, CLOSE)}
        self._ranks = {token: rank for rank, token in enumerate(self.tokens)}
        self._openings: dict[int, Words] = {}
        self._thoughts: dict[int, Words] = {}

    def mask(self, ids: Iterable[int]) -> Words:
        bits = np.zeros(self.num_words * 32, np.uint8)
        bits[list(ids)] = 1
        return np.packbits(bits, bitorder="little").view(np.int32)

    def opening(self, done: int) -> Words:
        """Tokens that go on with an opener of which so many bytes stand there."""
        if done not in self._openings:
            rest = OPEN[done:]
            self._openings[done] = self.mask(
                id
                for id, token in enumerate(self.tokens)
                if rest.startswith(token) or (token.startswith(rest) and CLOSE not in token)
            )
        return self._openings[done]

    def thought(self, done: int) -> Words:
        """Any text, but no token that ends the thought and goes on, where so many bytes of the closer stand there."""
        if done not in self._thoughts:
            tail = CLOSE[:done]
            through = (
                id
                for id, token in enumerate(self.tokens)
                if CLOSE[-1] in token and CLOSE in (tail + token) and not (tail + token).endswith(CLOSE)
            )
            self._thoughts[done] = self.ordinary & ~self.mask(through)
        return self._thoughts[done]

    def spelled(self, text: bytes, done: int) -> list[int]:
        """The rest of the opener or closer: as the tokenizer writes it, unless a token's middle was reached."""
        tokens, at = self._spelled[text], 0
        for index, token in enumerate(tokens):
            if at == done:
                return tokens[index:]
            at += len(self.tokens[token])
        ids: list[int] = []
        while done < len(text):
            longest = next(end for end in range(len(text), done, -1) if text[done:end] in self._ranks)
            ids.append(self._ranks[text[done:longest]])
            done = longest
        return ids


class Guide:
    """One reply on its way. `answer` is its own matcher; None where only the thought's length is watched.

    A reply that may think can begin with a thought instead of the answer. `budget` is how many tokens of thought may
    be written; the closer is forced behind them. Stop tokens are allowed where the grammar may end, and nowhere else.
    """

    def __init__(
        self,
        masks: TokenMasks,
        answer: llguidance.LLMatcher | None,
        stops: frozenset[int],
        *,
        thinks: bool,
        budget: int | None,
    ) -> None:
        self._masks = masks
        self._budget = budget
        self._stops = masks.mask(stop for stop in stops if 0 <= stop < 32 * masks.num_words)
        self._texts = masks.ordinary & ~self._stops
        self._answer = answer
        self._fresh = None if answer is None or not thinks else answer.deep_copy()  # for the answer after a thought
        self._opened: int | None = 0 if thinks else None  # bytes of the opener; None: there is none on its way
        self._answering = True  # whether what was written may be an answer
        self._tail: bytes | None = None  # in a thought, its end
        self._gap = False  # whether blank space may still come before the answer
        self._thought_tokens = 0

    @property
    def finished(self) -> bool:
        """Whether nothing can follow but the end."""
        return self._in_answer and self._answer is not None and self._answer.is_stopped()

    def forced(self) -> list[int]:
        """The tokens that must follow, as the tokenizer writes that text; none where there is a choice."""
        if self._tail is not None:
            if self._budget is None or self._thought_tokens < self._budget:
                return []
            return self._masks.spelled(CLOSE, _overlap(self._tail))
        if self._opened is not None and not self._answering and self._answer is not None:
            return self._masks.spelled(OPEN, self._opened)
        if not self._in_answer or self._answer is None or self._answer.is_stopped():
            return []
        tokens = self._answer.compute_ff_tokens()
        ends = (at for at, token in enumerate(tokens) if token >= len(self._masks.tokens))
        return tokens[: next(ends, len(tokens))]

    def allowed(self) -> Words | None:
        """The mask of what may follow; None where everything may. BadGrammar where nothing may."""
        if self._answer is None:
            return None
        if self._tail is not None:
            return self._masks.thought(_overlap(self._tail)) & ~self._stops
        mask = np.zeros_like(self._texts)
        if self._answering:
            bits = np.frombuffer(self._answer.compute_bitmask(), np.int32)[
                : self._masks.num_words
            ]  # a spare bit behind
            _require_sound(self._answer)
            mask = bits & self._texts
            if self._answer.is_accepting():
                mask |= self._stops
        if self._opened is not None:
            mask |= self._masks.opening(self._opened) & ~self._stops
        if self._gap:
            mask |= self._masks.gap & ~self._stops
        if not mask.any():
            raise BadGrammar("the grammar cannot be followed with this vocabulary: at some place it allows no token")
        return mask

    def consume(self, token: int) -> None:
        """Tell the token that was written; not the one that ends the reply."""
        text = self._masks.tokens[token] if token < len(self._masks.tokens) else b""
        if self._tail is not None:
            self._think(text)
            return
        if self._answering and self._answer is not None:
            has_choice = self._gap or self._opened is not None
            if not has_choice or self._answer.validate_tokens([token]):
                self._answer.consume_token(token)
                _require_sound(self._answer)
            else:
                self._answering = self._gap
        self._gap = False
        if self._opened is not None:
            self._open(text)

    @property
    def _in_answer(self) -> bool:
        return self._tail is None and self._opened is None

    def _open(self, text: bytes) -> None:
        """The opener goes on, is complete, or was none."""
        assert self._opened is not None
        rest = OPEN[self._opened :]
        if text.startswith(rest) and text:
            self._opened, self._answering, self._tail = None, False, b""
            if len(text) > len(rest):
                self._think(text[len(rest) :])
        elif rest.startswith(text) and text:
            self._opened += len(text)
        else:
            self._opened = None

    def _think(self, text: bytes) -> None:
        assert self._tail is not None
        self._thought_tokens += 1
        written = self._tail + text
        if CLOSE not in written:
            self._tail = written[-len(CLOSE) :]
            return
        self._tail, self._answering = None, True
        if self._answer is not None:
            self._answer, self._gap = self._fresh, True


def _overlap(tail: bytes) -> int:
    """How many of the closer's bytes the tail ends with."""
    return next(size for size in range(min(len(tail), len(CLOSE) - 1), -1, -1) if tail.endswith(CLOSE[:size]))


def _require_sound(matcher: llguidance.LLMatcher) -> None:
    if matcher.is_error():
        message = one_line(matcher.get_error()).replace("NoExtensionBias", "it allows no text")
        raise BadGrammar(f"the grammar cannot be used: {message}")
