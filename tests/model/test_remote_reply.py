"""What a server says is read or refused, and its address holds no secret."""

from __future__ import annotations

from typing import Any, cast

import pytest
from moonhand.model import NoRemote
from moonhand.model.remote_address import RemoteAddress
from moonhand.model.remote_http import retry_after
from moonhand.model.remote_model import recognise
from moonhand.model.remote_reply import read_completion


def completion(content: str | None, reason: str | None = "stop", **more: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"content": content} | more, "finish_reason": reason}], "usage": None}


def read(body: object, stop: tuple[str, ...] = ()) -> Any:
    return read_completion(body, url="http://there", quote=str, stop=stop, watch=(), image_tokens=0, took_s=0.0)


def test_a_completion_is_read_or_refused() -> None:
    whole = read(completion("\u25c1think\u25b7so\u25c1/think\u25b7click"))
    assert (whole.thinking, whole.answer) == ("so", "click")
    cut = read(completion(None, "length", reasoning="so and"))
    assert (cut.thinking, cut.answer, cut.thought_finished) == ("so and", "", False)
    assert read(completion("click##more"), ("##",)).text == "click"
    assert read(completion("x", None)).finish_reason == "stop"
    with pytest.raises(NoRemote, match=r"gave the reply up \(finish_reason 'content_filter'\)"):
        read(completion("", "content_filter"))
    for body in ({}, [], None, {"choices": []}, {"choices": [{"message": None}]}, completion(cast("Any", ["x"]))):
        with pytest.raises(NoRemote, match="what is no chat completion"):
            read(body)


def test_characters_split_over_tokens_come_whole() -> None:
    body = completion("\u20ac5")
    entries = [{"token": "?", "logprob": -1.0, "bytes": [part]} for part in "\u20ac5".encode()]
    body["choices"][0]["logprobs"] = {"content": entries}
    assert "".join(token.text for token in read(body).tokens) == "\u20ac5"
    body["choices"][0]["logprobs"] = {"content": entries[:2]}
    assert read(body).tokens == ()


def test_a_thought_that_spells_the_answer_lends_it_no_confidence() -> None:
    texts = [
        "I",
        " will ",
        "Click",
        "(0.",
        "111",
        ")",
        " no",
        "\u25c1/think\u25b7",
        "Click",
        "(0.",
        "111",
        ")",
        "<|im_end|>",
    ]
    logprobs = [-0.1, -0.1, -5.0, -5.0, -5.0, -5.0, -0.1, -0.1, -0.01, -0.01, -0.02, -0.01, -0.3]
    body = completion("Click(0.111)", reasoning_content="I will Click(0.111) no")
    entries = [{"token": text, "logprob": logprob} for text, logprob in zip(texts, logprobs, strict=True)]
    body["choices"][0]["logprobs"] = {"content": entries}
    tokens = read(body).tokens
    assert [token.text for token in tokens] == ["Click", "(0.", "111", ")"]
    assert [token.logprob for token in tokens] == [-0.01, -0.01, -0.02, -0.01]
    body["choices"][0] |= {"message": {"content": "end"}, "logprobs": {"content": [{"token": "end"}, entries[-1]]}}
    assert [token.text for token in read(body).tokens] == ["end"], "not what the mark of the turn's end spells"


def test_addresses_are_taken_apart_and_hold_no_secret() -> None:
    assert RemoteAddress.parse("openai:http://host:8000#a/b") == RemoteAddress("http://host:8000/v1", "a/b")
    assert RemoteAddress.parse("openai:https://host/api/v3/") == RemoteAddress("https://host/api/v3", None)
    for text in ("openai:", "openai:host:8000/v1#x", "openai:ftp://host", "openai:http://host:port/v1"):
        with pytest.raises(
            NoRemote, match="is no address of a server: give --model as openai:http://localhost:8000/v1#"
        ):
            RemoteAddress.parse(text)
    for text in ("openai:http://me:hidden@host/v1", "openai:http://host/v1?key=hidden"):
        with pytest.raises(NoRemote, match="MOONHAND_API_KEY") as caught:
            RemoteAddress.parse(text)
        assert "hidden" not in str(caught.value)


def test_a_servers_wait_is_seconds_or_a_date() -> None:
    assert (retry_after(None), retry_after("2.5"), retry_after("soon")) == (0.0, 2.5, 0.0)
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0


def test_a_model_is_known_by_its_name_or_by_what_it_was_loaded_from() -> None:
    assert recognise("moonshotai/Kimi-VL-A3B-Thinking-2506", None, None).config.image.in_token_limit == 16384
    assert recognise("Kimi-VL-A3B-Thinking", None, None).config.image.in_token_limit == 4096
    known = recognise("gui", "/models/xlangai/OpenCUA-A3B/", 32768)
    assert (known.name, known.doubt) == ("/models/xlangai/OpenCUA-A3B/", None)
    assert known.config.text.max_position_embeddings == 32768
    unknown = recognise("gui", None, None)
    assert unknown.doubt is not None
    assert unknown.doubt.startswith("'gui' is none of the models known here")
