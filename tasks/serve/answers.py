"""Replies as the objects of OpenAI's chat completions, whole and in pieces."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from ...model.chat import THINK_CLOSE, THINK_OPEN
from ...model.generation import Generation
from ...model.tokenizer import Tokenizer
from ...model.writing import GeneratedToken


class Piece(NamedTuple):
    """Some of a reply's text."""

    kind: Literal["content", "reasoning"]
    text: str


class Parts:
    """Tells a thought from the answer as the reply comes; what may be the beginning of a mark waits.

    A thought stands between its marks, the first of them alone; blank space behind either mark is left out.
    """

    def __init__(self) -> None:
        self._held = ""
        self._mark: str | None = THINK_OPEN  # what is looked for; None: no more
        self._kind: Literal["content", "reasoning"] = "content"
        self._at_start = False  # behind a mark, with nothing said yet

    @property
    def is_thinking(self) -> bool:
        return self._kind == "reasoning"

    def push(self, text: str) -> Iterator[Piece]:
        self._held += text
        while self._mark is not None and (at := self._held.find(self._mark)) >= 0:
            yield from self._say(self._held[:at])
            self._held = self._held[at + len(self._mark) :]
            self._kind, self._mark = ("reasoning", THINK_CLOSE) if self._mark == THINK_OPEN else ("content", None)
            self._at_start = True
        mark = self._mark or ""
        keep = next((size for size in range(len(mark) - 1, 0, -1) if self._held.endswith(mark[:size])), 0)
        said, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        yield from self._say(said)

    def flush(self) -> Iterator[Piece]:
        """What is left, once nothing can follow."""
        said, self._held = self._held, ""
        yield from self._say(said)

    def _say(self, text: str) -> Iterator[Piece]:
        text = text.lstrip() if self._at_start else text
        if text:
            self._at_start = False
            yield Piece(self._kind, text)


@dataclass(frozen=True)
class Writer:
    """Writes one reply, with the log-probabilities of its tokens and of their alternatives where they are wanted."""

    model: str
    tokenizer: Tokenizer
    logprobs: bool = False
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def completion(self, reply: Generation) -> dict[str, Any]:
        """The whole."""
        parts = Parts()
        pieces = [*parts.push(reply.text), *parts.flush()]
        content = "".join(piece.text for piece in pieces if piece.kind == "content")
        reasoning = "".join(piece.text for piece in pieces if piece.kind == "reasoning") or None
        message: dict[str, Any] = {
            "role": "assistant",
            "content": content or (None if reasoning else ""),
            "refusal": None,
        }
        if reasoning is not None:
            message |= {"reasoning": reasoning, "reasoning_content": reasoning}
        choice = {
            "index": 0,
            "message": message,
            "logprobs": self._logprobs(reply.tokens),
            "finish_reason": reply.finish_reason,
        }
        return self._object("chat.completion", [choice]) | {"usage": usage(reply)}

    def opening(self) -> dict[str, Any]:
        return self._chunk({"role": "assistant", "content": ""}, None, None)

    def chunk(self, pieces: Sequence[Piece], tokens: Sequence[GeneratedToken]) -> dict[str, Any]:
        """Some more of the reply, with the tokens that spell it or are held back for now."""
        delta: dict[str, Any] = {}
        for piece in pieces:
            for name in ("content",) if piece.kind == "content" else ("reasoning", "reasoning_content"):
                delta[name] = delta.get(name, "") + piece.text
        return self._chunk(delta, self._logprobs(tokens), None)

    def closing(self, reply: Generation) -> dict[str, Any]:
        return self._chunk({}, None, reply.finish_reason)

    def usage_chunk(self, reply: Generation) -> dict[str, Any]:
        return self._object("chat.completion.chunk", []) | {"usage": usage(reply)}

    def _chunk(self, delta: dict[str, Any], logprobs: Any, finish_reason: str | None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}
        return self._object("chat.completion.chunk", [choice])

    def _object(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model, "choices": choices}

    def _logprobs(self, tokens: Sequence[GeneratedToken]) -> dict[str, Any] | None:
        """A token that a grammar forced was certain: nothing else could stand there, and the model was not asked."""
        if not self.logprobs:
            return None
        entries = [
            self._entry(token.id, token.logprob or 0.0) | {"top_logprobs": [self._entry(*each) for each in token.top]}
            for token in tokens
        ]
        return {"content": entries, "refusal": None}

    def _entry(self, token: int, logprob: float) -> dict[str, Any]:
        spelled = self.tokenizer.decode_bytes([token], show_control=True)
        return {"token": spelled.decode("utf-8", "replace"), "logprob": logprob, "bytes": list(spelled)}


def usage(reply: Generation) -> dict[str, Any]:
    """Tokens of the prompt and of the reply."""
    parts, reasoning_tokens = Parts(), 0
    for token in reply.tokens:
        list(parts.push(token.text))
        reasoning_tokens += parts.is_thinking
    return {
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.num_tokens,
        "total_tokens": reply.prompt_tokens + reply.num_tokens,
        "prompt_tokens_details": {"cached_tokens": reply.cached_tokens, "image_tokens": reply.image_tokens},
        "completion_tokens_details": {"reasoning_tokens": reasoning_tokens},
    }
