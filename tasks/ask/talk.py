"""One answer: asked of the engine, told piece by piece, and what is left of it when somebody stops it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ...model import Engine, Generation, Message, RemoteEngine, SamplingConfig

Part = Literal["thinking", "answer"]
Tell = Callable[[Part, str], None]


@dataclass(frozen=True, kw_only=True)
class Said:
    """A reply, whole or stopped. Counts are None where a server that streams tells none; times are seconds."""

    text: str
    thinking: str | None
    answer: str
    thought_finished: bool
    finish_reason: Literal["stop", "length", "stopped"]
    prompt_tokens: int | None
    completion_tokens: int | None
    image_tokens: int | None
    cached_tokens: int | None
    timings: dict[str, float]

    def usage(self) -> dict[str, int | None]:
        both = (self.prompt_tokens, self.completion_tokens)
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": None if None in both else sum(each or 0 for each in both),
            "image_tokens": self.image_tokens,
            "cached_tokens": self.cached_tokens,
        }


def ask(
    engine: Engine | RemoteEngine, messages: Sequence[Message], sampling: SamplingConfig, tell: Tell | None
) -> Said:
    """Ctrl-C ends the reply where it is. A server is asked for the whole reply at once where nobody is told."""
    from ...model import Engine

    started_s = time.perf_counter()
    if isinstance(engine, Engine):
        return _ask_here(engine, messages, sampling, tell, started_s)
    if tell is None:
        return _said(engine.generate(messages, sampling), started_s, first_s=None)
    return _streamed(engine, messages, sampling, tell, started_s)


def _ask_here(
    engine: Engine, messages: Sequence[Message], sampling: SamplingConfig, tell: Tell | None, started_s: float
) -> Said:
    from ...model.generation import Replies

    replies = Replies(engine, [messages], sampling)
    first_s, stopped = None, False
    try:
        splitter = Splitter()
        for _, token in replies:
            first_s = first_s or time.perf_counter() - started_s
            if tell is not None:
                for part in splitter.push(token.text):
                    tell(*part)
        if tell is not None:
            for part in splitter.rest():
                tell(*part)
    except KeyboardInterrupt:
        stopped = True
    return _said(replies.generation(0), started_s, first_s, stopped=stopped)


def _streamed(
    engine: RemoteEngine, messages: Sequence[Message], sampling: SamplingConfig, tell: Tell, started_s: float
) -> Said:
    """Of a server, whose stream tells no counts: as many pieces as tokens were allowed are taken for all of them."""
    from ...model import split_thinking

    splitter, texts, first_s, stopped = Splitter(), list[str](), None, False
    try:
        for token in engine.stream(messages, sampling):
            first_s = first_s or time.perf_counter() - started_s
            texts.append(token.text)
            for part in splitter.push(token.text):
                tell(*part)
        for part in splitter.rest():
            tell(*part)
    except KeyboardInterrupt:
        stopped = True
    text = "".join(texts)
    parts = split_thinking(text)
    timings = {"first_token_s": first_s or 0.0, "total_s": time.perf_counter() - started_s}
    return Said(
        text=text,
        thinking=parts.thinking,
        answer=parts.answer,
        thought_finished=parts.finished,
        finish_reason="stopped" if stopped else "length" if len(texts) >= sampling.max_new_tokens else "stop",
        prompt_tokens=None,
        completion_tokens=None,
        image_tokens=None,
        cached_tokens=None,
        timings=timings,
    )


def _said(generation: Generation, started_s: float, first_s: float | None, *, stopped: bool = False) -> Said:
    timings = {"vision_s": generation.vision_s, "prefill_s": generation.prefill_s, "decode_s": generation.decode_s}
    if first_s is not None:
        timings["first_token_s"] = first_s
    timings["total_s"] = time.perf_counter() - started_s
    return Said(
        text=generation.text,
        thinking=generation.thinking,
        answer=generation.answer,
        thought_finished=generation.thought_finished,
        finish_reason="stopped" if stopped else generation.finish_reason,
        prompt_tokens=generation.prompt_tokens,
        completion_tokens=generation.num_tokens,
        image_tokens=generation.image_tokens,
        cached_tokens=generation.cached_tokens,
        timings=timings,
    )


class Splitter:
    """Thought and answer told apart while they come; what may be the beginning of a mark is held back.

    Together the parts are those of `split_thinking`, but for blank space at their ends.
    """

    def __init__(self) -> None:
        from ...model.chat import THINK_CLOSE, THINK_OPEN

        self._marks: list[tuple[str, Part]] = [(THINK_OPEN, "thinking"), (THINK_CLOSE, "answer")]
        self._part: Part = "answer"
        self._held = ""
        self._begun = {"thinking": False, "answer": False}

    def push(self, text: str) -> Iterator[tuple[Part, str]]:
        self._held += text
        while self._marks:
            mark, following = self._marks[0]
            before, found, after = self._held.partition(mark)
            if not found:
                break
            yield from self._tell(before)
            self._held, self._part = after, following
            self._marks.pop(0)
        keep = self._beginning_of_mark()
        tellable, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        yield from self._tell(tellable)

    def rest(self) -> Iterator[tuple[Part, str]]:
        """What was held back, once nothing follows."""
        held, self._held = self._held, ""
        yield from self._tell(held)

    def _beginning_of_mark(self) -> int:
        if not self._marks:
            return 0
        mark = self._marks[0][0]
        sizes = range(min(len(mark) - 1, len(self._held)), 0, -1)
        return next((size for size in sizes if self._held.endswith(mark[:size])), 0)

    def _tell(self, text: str) -> Iterator[tuple[Part, str]]:
        if not self._begun[self._part]:
            text = text.lstrip()
        if text:
            self._begun[self._part] = True
            yield self._part, text
