"""Who may ask, how much, for how long, and what becomes of replies that nobody waits for any more."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx2
import openai
import pytest
import typer
from moonhand.model import Engine
from moonhand.tasks.serve.command import serve as serve_command
from moonhand.tasks.serve.refusals import Refusal
from moonhand.tasks.serve.wire import read_request
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from served_here import Serve, Served
from typer.testing import CliRunner

START = "import typer; from moonhand.tasks.serve.command import serve; typer.run(serve)"
LONG: dict[str, Any] = {"guided_regex": "[a-z]{1500}"}
ASK: dict[str, Any] = {"model": "nano", "messages": [{"role": "user", "content": "Save"}]}
ENDLESS = ASK | LONG | {"max_tokens": 2000}  # seconds of work
BRIEF = ASK | {"max_tokens": 3}


def client_of(served: Served, key: str = "none") -> openai.OpenAI:
    return openai.OpenAI(base_url=served.url, api_key=key, max_retries=0, timeout=30)


def say(client: openai.OpenAI, body: dict[str, Any]) -> ChatCompletion:
    return client.chat.completions.create(model="nano", messages=body["messages"], extra_body=body)


def wait_until(holds: Callable[[], bool], within_s: float = 10.0) -> None:
    end_s = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end_s, "it never came to that"
        time.sleep(0.01)


def is_idle(served: Served) -> bool:
    counts = served.scheduler.counts()
    return counts.running == counts.waiting == 0 and served.app.state.desk.room.held == 0


def test_nobody_asks_without_the_key(serve: Serve) -> None:
    with serve(api_key="s3cret") as served:
        for key in ("none", "s3cre", "s3cret ."):
            with pytest.raises(openai.AuthenticationError, match="the key is missing or wrong"):
                client_of(served, key).models.list()
        assert [each.id for each in client_of(served, "s3cret").models.list()] == ["nano"]
        root = served.url.removesuffix("/v1")
        assert httpx2.get(f"{root}/healthz").json() == {"status": "ok", "running": 0, "waiting": 0}
        assert httpx2.get(f"{root}/metrics").status_code == 401
        assert not any("s3cret" in line for line in served.lines)


def test_a_web_page_cannot_ask_in_its_visitors_name(served: Served) -> None:
    """By a name of its own that leads here, or with a body that browsers send without asking first."""
    named = httpx2.get(served.url + "/models", headers={"Host": "evil.example"})
    assert (named.status_code, named.json()["error"]["type"]) == (403, "permission_error")
    plain = httpx2.post(
        served.url + "/chat/completions", content=json.dumps(BRIEF), headers={"Content-Type": "text/plain"}
    )
    assert plain.status_code == 415
    assert "access-control-allow-origin" not in plain.headers


def test_a_full_queue_is_told_with_when_to_come_back(serve: Serve) -> None:
    def begin(client: openai.OpenAI) -> openai.Stream[ChatCompletionChunk]:
        return client.chat.completions.create(model="nano", messages=ASK["messages"], stream=True, extra_body=ENDLESS)

    with serve(max_running=1, max_waiting=1) as served, client_of(served) as client, ThreadPoolExecutor(1) as pool:
        running, waiting = begin(client), pool.submit(begin, client)
        wait_until(lambda: served.scheduler.counts().waiting == 1)
        with pytest.raises(openai.RateLimitError, match="ask again later") as caught:
            say(client, BRIEF)
        assert 1 <= int(caught.value.response.headers["retry-after"]) <= 30
        running.close()
        waiting.result().close()
        wait_until(lambda: is_idle(served))
        assert say(client, BRIEF).choices


def test_a_reply_that_takes_too_long_is_given_up(serve: Serve) -> None:
    with serve(timeout_s=0.3) as served, client_of(served) as client:
        with pytest.raises(openai.InternalServerError, match=r"not whole within 0\.3 s") as caught:
            say(client, ENDLESS)
        assert caught.value.status_code == 504
        with pytest.raises(openai.APIError, match=r"not whole within 0\.3 s"):
            list(
                client.chat.completions.create(model="nano", messages=ASK["messages"], stream=True, extra_body=ENDLESS)
            )
        wait_until(lambda: is_idle(served))


def test_a_client_that_leaves_stops_its_reply(serve: Serve) -> None:
    with serve() as served, client_of(served) as client:
        stream = client.chat.completions.create(model="nano", messages=ASK["messages"], stream=True, extra_body=ENDLESS)
        assert next(iter(stream)).id
        assert served.scheduler.counts().running == 1
        stream.close()
        wait_until(lambda: is_idle(served))
        with pytest.raises(openai.APITimeoutError):
            client.with_options(timeout=0.3).chat.completions.create(
                model="nano", messages=ASK["messages"], extra_body=ENDLESS
            )
        wait_until(lambda: is_idle(served))
        assert served.scheduler.counts().cancelled == 2
        wait_until(lambda: sum("status=499" in line for line in served.lines) == 2)


def test_who_does_not_read_holds_nothing_once_the_time_is_over(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moonhand.tasks.serve.chat.LAST_WORDS_S", 0.1)
    body = json.dumps(ENDLESS | {"stream": True}).encode()
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/chat/completions",
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
    }

    async def ask(served: Served) -> None:
        told = [{"type": "http.request", "body": body}]

        async def receive() -> dict[str, Any]:
            return told.pop() if told else await asyncio.Future[dict[str, Any]]()

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body":  # as where the socket takes no more
                await asyncio.Future[None]()

        await asyncio.wait_for(served.app(scope, receive, send), 10)

    with serve(timeout_s=1.5) as served:
        asyncio.run(ask(served))
        wait_until(lambda: is_idle(served))
        assert served.scheduler.counts().cancelled == 1
        assert "status=499" in served.lines[0]


def test_a_reply_on_its_way_is_finished_before_the_server_stops(serve: Serve) -> None:
    with ThreadPoolExecutor(1) as pool:
        with serve() as served:
            reply = pool.submit(say, client_of(served), ENDLESS | {"max_tokens": 80})
            wait_until(lambda: served.scheduler.counts().running == 1)
        assert reply.result().usage is not None
        assert reply.result().choices[0].finish_reason == "length"


def test_a_reply_that_outlasts_the_grace_is_cut_with_a_word(serve: Serve) -> None:
    def read(served: Served) -> str:
        with pytest.raises(openai.APIError) as caught:
            list(
                client_of(served).chat.completions.create(
                    model="nano", messages=ASK["messages"], stream=True, extra_body=ENDLESS
                )
            )
        return str(caught.value)

    with ThreadPoolExecutor(1) as pool:
        with serve(grace_s=0.2) as served:
            said = pool.submit(read, served)
            wait_until(lambda: served.scheduler.counts().running == 1)
        assert "stopped before the reply was whole" in said.result()


def test_a_body_that_is_still_coming_when_the_grace_is_over_is_told_so(serve: Serve) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with ExitStack() as stack:
        with serve(grace_s=0.2) as served:
            port = int(served.url.rpartition(":")[2].removesuffix("/v1"))
            sender = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            sender.sendall(head + b"Content-Length: 100\r\n\r\n{")
            wait_until(lambda: served.app.state.desk.room.held == 1)
        answer = sender.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"shutting_down" in answer


def test_all_requests_together_hold_so_much_and_no_more(serve: Serve) -> None:
    with serve(max_held_bytes=2000) as served, client_of(served) as client:
        with pytest.raises(openai.RateLimitError, match="hold as much memory as they may"):
            say(client, BRIEF | {"user": "x" * 3000})
        assert say(client, BRIEF).choices
        wait_until(lambda: is_idle(served))


def test_what_was_done_stands_in_the_metrics_and_in_the_log(serve: Serve) -> None:
    with serve() as served, client_of(served) as client:
        say(client, BRIEF)
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("gpt-9")
        told = httpx2.get(served.url.removesuffix("v1") + "metrics").text
    for line in (
        'moonhand_requests_total{path="/v1/chat/completions",status="200"} 1.0',
        'moonhand_requests_total{path="other",status="404"} 1.0',
        "moonhand_completion_tokens_total 3.0",
        "moonhand_running 0.0",
        "moonhand_time_to_first_token_seconds_count 1.0",
        "moonhand_request_seconds_count 1.0",
    ):
        assert line in told.splitlines()
    pattern = r"method=POST path=/v1/chat/completions status=200 ms=\d+ id=chatcmpl-\w+ prompt_tokens=\d+ .*"
    assert re.fullmatch(pattern, served.lines[0])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([{"text": "Save"}], "messages.0.content.0.type: Field required"),
        ([{"type": "image_url", "image_url": 5}], "messages.0.content.0.image_url: Input should be a valid dict"),
        (5, "messages.0.content: Input should be a valid string"),
    ],
)
def test_what_is_wrong_in_a_message_is_told_with_its_place(content: Any, said: str) -> None:
    with pytest.raises(Refusal, match=re.escape(said)):
        read_request({"messages": [{"role": "user", "content": content}]}, max_messages=1)


def test_an_address_where_nothing_is_tells_what_there_is(served: Served) -> None:
    answer = httpx2.post(served.url.removesuffix("/v1") + "/chat/completions", json=BRIEF)
    assert answer.status_code == 404
    assert "/v1/chat/completions" in answer.json()["error"]["message"]


def test_a_connection_goes_on_after_a_refusal(served: Served) -> None:
    with httpx2.Client() as client:
        for content in (b"{", json.dumps(BRIEF).encode(), b"[]", json.dumps(BRIEF).encode()):
            answer = client.post(
                served.url + "/chat/completions", content=content, headers={"Content-Type": "application/json"}
            )
            assert answer.status_code == (200 if len(content) > 2 else 400)


def test_what_cannot_be_served_is_said_before_a_model_is_loaded(
    monkeypatch: pytest.MonkeyPatch, served: Served
) -> None:
    app = typer.Typer()
    app.command()(serve_command)
    port = served.url.rpartition(":")[2].removesuffix("/v1")
    for words, code, said in (
        (["--host", "0.0.0.0"], 2, "set a key in MOONHAND_API_KEY"),
        (["--port", port], 3, f"127.0.0.1:{port} cannot be listened on (Address already in use)"),
        (["--model", "openai:http://h/v1#x"], 2, "is served already"),
        (["--api-key", "two\nlines"], 2, "the key must be one line"),
    ):
        ended = CliRunner().invoke(app, [*words, "--json"])
        assert ended.exit_code == code, ended.stderr
        assert said in json.loads(ended.stdout)["error"]
        assert said in " ".join(ended.stderr.split())


@pytest.mark.slow
def test_the_command_says_where_it_is_and_stops_when_it_is_told_to(nano: Engine) -> None:
    command = [sys.executable, "-c", START, "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        told = json.loads(server.stdout.readline())
        assert (told["model"], told["key"]) == ("nano", False)
        client = openai.OpenAI(base_url=told["url"], api_key="none", max_retries=0)
        replies: list[ChatCompletion] = []
        asking = threading.Thread(target=lambda: replies.append(say(client, ENDLESS | {"max_tokens": 300})))
        asking.start()
        time.sleep(0.5)
        server.send_signal(signal.SIGINT)
        asking.join()
        rest, errors = server.communicate(timeout=20)
    assert replies[0].choices[0].finish_reason == "length"
    assert server.returncode == 130
    assert rest == ""
    assert "Traceback" not in errors
    assert "curl http://127.0.0.1:" in errors
    assert "status=200" in errors
