"""A key goes to the server that it is for, into the request's header, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager

import numpy as np
import pytest
from moonhand.model import (
    HttpConfig,
    Message,
    NoRemote,
    Picture,
    RemoteConfig,
    RemoteEngine,
    SamplingConfig,
    open_remote,
)
from moonhand.model.remote_address import RemoteAddress
from moonhand.model.remote_http import HttpClient, key_for
from served_nano import Behaviour, serving

KEY = "sk-of/nobody+else"
NAME = "kimi-vl-a3b-instruct"
ONCE = RemoteConfig(http=HttpConfig(connect_s=2, reply_s=20, attempts=1))
ASK = [Message("user", (Picture(np.full((28, 28, 3), 90, np.uint8)), "Save"))]


@pytest.fixture(autouse=True)
def only_this_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOONHAND_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def ok(_: Mapping[str, str]) -> tuple[int, object]:
    choice = {"message": {"content": "ok"}, "finish_reason": "stop"}
    return 200, {"choices": [choice], "usage": {"prompt_tokens": 1101}}


@contextmanager
def remote(how: Behaviour) -> Generator[RemoteEngine]:
    with serving(None, how) as url:
        engine = open_remote(f"openai:{url}", ONCE, say=lambda _: None)
        try:
            yield engine
        finally:
            engine.close()


def test_a_key_goes_into_the_header_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    how = Behaviour(names=(NAME,), key=KEY, canned=ok)
    with remote(how) as engine:
        assert engine.generate(ASK, SamplingConfig(max_new_tokens=1)).text == "ok"
        assert KEY not in json.dumps([engine.manifest(), how.bodies])
        assert KEY not in repr(vars(engine))
    monkeypatch.setenv("MOONHAND_API_KEY", f"{KEY}-wrong")
    with pytest.raises(NoRemote, match="wants a key, and it was refused") as caught, remote(how):
        pass
    assert KEY not in str(caught.value)
    monkeypatch.delenv("MOONHAND_API_KEY")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    missing = r"missing \(401\): set MOONHAND_API_KEY \(OPENAI_API_KEY is sent to https://api\.openai\.com alone\)$"
    with pytest.raises(NoRemote, match=missing), remote(how):
        pass


REPEATED = (  # with what is told for TOLD
    (200, {"headers": {"Authorization": "TOLD"}}),
    (200, {"choices": [{"message": {"content": ""}, "finish_reason": "TOLD"}]}),
    (400, {"error": {"message": f"{'x' * 283} TOLD"}}),
    (404, {"detail": '{"authorization": "TOLD"}'}),
    (503, ["TOLD"]),
)


@pytest.mark.parametrize(("status", "answer"), REPEATED)
def test_a_key_that_a_server_repeats_stands_in_no_error(status: int, answer: object) -> None:
    """Nor a part of it, where what the server said is cut; nor as JSON in JSON spells it."""
    spelled = KEY.replace("/", r"\\\/").replace("+", r"\\u002B")

    def repeating(headers: Mapping[str, str]) -> tuple[int, object]:
        assert headers["authorization"] == f"Bearer {KEY}"
        return status, json.loads(json.dumps(answer).replace("TOLD", f"Bearer {spelled}"))

    how = Behaviour(names=(NAME,), canned=ok)
    with remote(how) as engine:
        how.canned = repeating
        with pytest.raises(NoRemote, match=r"Bearer \*\*\*") as caught:
            engine.generate(ASK)
        assert "sk-" not in str(caught.value)
        assert "nobody" not in str(caught.value)
    with pytest.raises(NoRemote) as caught, remote(how):
        pass
    assert "sk-" not in str(caught.value)


def test_a_key_is_hidden_before_the_text_is_cut() -> None:
    client = HttpClient(RemoteAddress("http://there/v1"), ONCE.http)
    for most in range(40):
        assert "sk" not in client.quoted(f"<html> you sent\nBearer {KEY} here", most)
    client.close()


def test_openais_key_is_sent_to_openai_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai")
    somebody, openai = RemoteAddress("http://gpu1:8000/v1"), RemoteAddress.parse("openai:https://API.openai.com#gpt")
    assert (key_for(somebody), key_for(openai)) == (KEY, KEY)
    monkeypatch.delenv("MOONHAND_API_KEY")
    assert key_for(openai) == "sk-openai"
    for url in ("http://api.openai.com/v1", "https://api.openai.com.example/v1", "https://openai.com/v1", somebody.url):
        assert key_for(RemoteAddress(url)) is None, url


def test_a_key_that_no_header_can_hold_is_told_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("sk-one\nsk-two", "sk-\u0441\u0435\u043a"):
        monkeypatch.setenv("MOONHAND_API_KEY", key)
        with pytest.raises(NoRemote, match=r"^MOONHAND_API_KEY holds what no key may") as caught:
            key_for(RemoteAddress("http://there/v1"))
        assert "sk-" not in str(caught.value)


NO_COMPLETIONS = ({"object": "list"}, {"choices": []}, {"choices": [{"message": {"content": 5}}]}, [], "ok")


@pytest.mark.parametrize("answer", NO_COMPLETIONS)
def test_an_answer_that_is_no_completion_is_told_when_a_server_is_opened(answer: object) -> None:
    how = Behaviour(names=(NAME,), canned=lambda _: (200, answer))
    with pytest.raises(NoRemote, match="answers with what is no chat completion: "), remote(how):
        pass
