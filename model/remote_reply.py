"""A chat completion as the `Generation` that an engine here would have made."""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from .chat import THINK_CLOSE, THINK_OPEN, split_thinking
from .errors import NoRemote
from .generation import Generation
from .writing import FinishReason, GeneratedToken

NO_ID = -1  # servers tell texts, not ids
FINISHED: Mapping[str | None, FinishReason] = {"stop": "stop", "eos": "stop", "length": "length", None: "stop"}

_DIGITS = re.compile(r"[0-9]{1,3}")


def read_completion(
    body: object,
    *,
    url: str,
    quote: Callable[[object], str],
    stop: Sequence[str],
    watch: Sequence[str],
    image_tokens: int,
    took_s: float,
) -> Generation:
    """NoRemote where the body is no chat completion, or the server gave the reply up; `quote` is `HttpClient.quoted`.

    A thought comes in the text, or apart as `reasoning_content` or `reasoning`; here it is back in its marks. Without
    log-probabilities, or where they spell another text, there are no `tokens`.
    """
    try:
        return _read(cast("Any", body), url, quote, stop, watch, image_tokens, took_s)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise NoRemote(f"{url} answers with what is no chat completion: {quote(body)}") from error


def _read(
    body: Any,
    url: str,
    quote: Callable[[object], str],
    stop: Sequence[str],
    watch: Sequence[str],
    image_tokens: int,
    took_s: float,
) -> Generation:
    choice: Mapping[str, Any] = body["choices"][0]
    content, thought = parts_of(choice["message"])
    reason: str | None = choice.get("finish_reason")
    if reason not in FINISHED:
        raise NoRemote(f"{url} gave the reply up (finish_reason {quote(reason)!r}): look at the server's log")
    is_open = bool(thought) and not content and reason == "length"
    content = cut_at_stop(content, stop)
    text = content if not thought else f"{THINK_OPEN}{thought}{'' if is_open else THINK_CLOSE}{content}"
    parts = split_thinking(text)
    usage: Mapping[str, Any] = body.get("usage") or {}
    details: Mapping[str, Any] = usage.get("prompt_tokens_details") or {}
    return Generation(
        text=text,
        thinking=parts.thinking,
        answer=parts.answer,
        thought_finished=parts.finished,
        tokens=tokens_of(choice, content, watch),
        finish_reason=FINISHED[reason],
        forced_tokens=0,
        passes=0,
        prompt_tokens=int(usage.get("prompt_tokens") or 0),
        image_tokens=image_tokens,
        cached_tokens=int(details.get("cached_tokens") or 0),
        cached_images=0,
        vision_s=0.0,
        prefill_s=0.0,
        decode_s=took_s,
        counted=usage.get("completion_tokens"),
    )


def empty_generation(image_tokens: int) -> Generation:
    """What is there where nothing was asked."""
    silent = {"choices": [{"message": {}, "finish_reason": "stop"}]}
    return read_completion(silent, url="", quote=str, stop=(), watch=(), image_tokens=image_tokens, took_s=0.0)


def parts_of(message: Mapping[str, Any]) -> tuple[str, str]:
    """The text and the thought of a message, or of a piece of one that is streamed."""
    return message.get("content") or "", message.get("reasoning_content") or message.get("reasoning") or ""


def cut_at_stop(text: str, stop: Sequence[str]) -> str:
    """Before the first of the stop texts, should the server leave it there."""
    return text[: min((at for at in map(text.find, stop) if at >= 0), default=len(text))]


def tokens_of(choice: Mapping[str, Any], content: str, watch: Sequence[str] = ()) -> tuple[GeneratedToken, ...]:
    """The tokens that spell the content; none where the server tells none, or other ones.

    A token that ends the turn, or of a thought that comes apart, is left out. A thought may spell the content too, and
    comes before it: the last place where a token begins it counts.
    """
    entries: list[Mapping[str, Any]] = (choice.get("logprobs") or {}).get("content") or []
    if not entries or not content:
        return ()
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    texts = [decoder.decode(_bytes(entry)) for entry in entries]
    whole, starts = "".join(texts), [0, *accumulate(map(len, texts))][:-1]
    start = max((at for at in starts if whole.startswith(content, at)), default=whole.rfind(content))
    if start < 0:
        return ()
    end = start + len(content)
    return tuple(
        GeneratedToken(NO_ID, text[max(0, start - at) : end - at], logprob, numbers_of(entry), watched_in(entry, watch))
        for entry, text, at in zip(entries, texts, starts, strict=True)
        if start < at + len(text) and at < end
        if (logprob := entry.get("logprob")) is None or math.isfinite(logprob)
    )


def numbers_of(entry: Mapping[str, Any]) -> npt.NDArray[np.float32] | None:
    """Of a number: the probabilities of 0.000 to 0.999 behind "0.", [1000], from those that the server lists.

    What it does not list is spread over all, so that it counts as doubt: the more it lists, the nearer this comes to
    what an engine here shows. None where no number of three digits is listed: the vocabulary may split them.
    """
    listed = _listed(entry)
    found = {text: share for text, share in listed.items() if _DIGITS.fullmatch(text)}
    if not _DIGITS.fullmatch(str(entry.get("token"))) or not any(len(text) == 3 for text in found) or len(found) < 2:
        return None
    numbers_C = np.full(1000, max(0.0, 1 - sum(listed.values())) / 1000, np.float64)
    for text, share in found.items():
        numbers_C[int(text.ljust(3, "0"))] += share
    return (numbers_C / numbers_C.sum()).astype(np.float32)


def watched_in(entry: Mapping[str, Any], watch: Sequence[str]) -> tuple[float, ...]:
    """The probabilities that these texts begin here, of what the server lists; 0 for one that is not listed."""
    if not entry.get("top_logprobs"):
        return ()
    listed = _listed(entry)
    return tuple(sum(share for text, share in listed.items() if text and wanted.startswith(text)) for wanted in watch)


def _listed(entry: Mapping[str, Any]) -> dict[str, float]:
    """Each listed token with its probability, the chosen one too."""
    entries: list[Mapping[str, Any]] = [*(entry.get("top_logprobs") or []), entry]
    return {str(each["token"]): math.exp(each["logprob"]) for each in entries if each.get("logprob") is not None}


def _bytes(entry: Mapping[str, Any]) -> bytes:
    told = entry.get("bytes")
    return bytes(cast("list[int]", told)) if isinstance(told, list) else str(entry.get("token", "")).encode()
