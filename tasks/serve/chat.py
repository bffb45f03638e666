"""One chat completion: whole, or as server-sent events."""

from __future__ import annotations

import asyncio
import sys
import time
import traceback
from collections.abc import AsyncIterator, Awaitable
from typing import Any

from fastapi.responses import Response
from orjson import dumps
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from ...model.generation import Generation
from ...model.writing import GeneratedToken
from .answers import Parts, Writer, usage
from .body import parse_json, read_body
from .exchange import Desk, Exchange
from .metrics import Metrics
from .refusals import ClientGone, Refusal, refusal_of
from .wire import ChatRequest, read_request

LAST_WORDS_S = 5.0  # for a client to take the error that ends its stream
IGNORED = "moonhand-ignored"  # header of an answer: fields of the request that changed nothing


class Chat:
    """One chat completion."""

    def __init__(self, desk: Desk, metrics: Metrics, names: tuple[str, ...], request: Request) -> None:
        self._desk, self._metrics, self._names, self._request = desk, metrics, names, request
        self._told: dict[str, Any] = request.scope["state"]["told"]
        self._took_s: float | None = None
        self._exchange = Exchange(
            desk.room,
            asyncio.get_running_loop(),
            lambda: Refusal(
                429,
                "the requests that are being answered hold as much memory as they may: ask again later",
                code="queue_full",
                headers={"Retry-After": str(desk.retry_after_s)},
            ),
        )

    async def answer(self) -> Response:
        """The response, or for a stream one that goes on from the first token. Raises Refusal and ClientGone."""
        is_handed_on = False
        try:
            if self._desk.is_closing:
                raise Refusal(503, "the server is shutting down", code="shutting_down")
            config = self._desk.config
            self._desk.enter(self._exchange)
            coming = read_body(self._request.scope, self._request.receive, config, self._exchange.hold)
            body = await self._exchange.unless_cut(coming)
            asked = read_request(parse_json(body, config), max_messages=config.max_messages)
            del body
            require_served(asked.model, self._names)
            writer = Writer(asked.model or self._names[0], self._desk.engine.tokenizer, bool(asked.logprobs))
            self._told["id"] = writer.id
            headers = {"x-request-id": writer.id} | ({IGNORED: ", ".join(asked.ignored)[:500]} if asked.ignored else {})
            events = self._exchange.events()
            first = await self._while_there(self._first(asked, events), self._request.receive)
            if asked.stream:
                is_handed_on = True
                usage_too = bool(asked.stream_options and asked.stream_options.include_usage)
                return _Stream(self, writer, first, events, headers, usage_too=usage_too)
            reply = first
            if not isinstance(reply, Generation):
                reply = await self._while_there(self._last(events), self._request.receive)
            self.finished(reply)
            return json_response(writer.completion(reply), headers)
        finally:
            if not is_handed_on:
                self.close()

    def close(self) -> None:
        self._desk.done(self._exchange, self._took_s)

    def finished(self, reply: Generation) -> None:
        self._took_s = time.perf_counter() - self._exchange.began_s
        self._metrics.finished(reply, self._took_s)
        told = usage(reply)
        self._told |= {name: told[name] for name in ("prompt_tokens", "completion_tokens")}
        self._told["cached_tokens"] = reply.cached_tokens

    def refusal(self, error: BaseException) -> Refusal:
        """What the client is told; what nobody expected goes to stderr."""
        context_tokens, retry_after_s = self._desk.scheduler.context_tokens, self._desk.retry_after_s
        told = refusal_of(error, context_tokens=context_tokens, retry_after_s=retry_after_s)
        if told.status == 500:
            traceback.print_exception(error, file=sys.stderr)
        return told

    async def while_there(self, work: Awaitable[Any], receive: Receive) -> Any:
        """What comes of it, unless the client leaves (ClientGone) or the time is over (Refusal 504) before."""
        left_s = self._desk.config.timeout_s - (time.perf_counter() - self._exchange.began_s)
        task, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait((task, leaving), timeout=max(0.0, left_s), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            if leaving.done():
                raise ClientGone
            raise Refusal(
                504,
                f"the reply was not whole within {self._desk.config.timeout_s:g} s: ask for fewer tokens, ask less at "
                "once, or start the server with a longer --timeout-s",
                code="timeout",
            )
        finally:
            for each in (task, leaving):
                each.cancel()
            await asyncio.gather(task, leaving, return_exceptions=True)

    async def _while_there(self, work: Awaitable[Any], receive: Receive) -> Any:
        try:
            return await self.while_there(work, receive)
        except ClientGone:
            raise
        except Exception as error:
            raise self.refusal(error) from error

    async def _first(
        self, asked: ChatRequest, events: AsyncIterator[GeneratedToken | Generation]
    ) -> GeneratedToken | Generation:
        await self._desk.take(asked, self._exchange)
        first = await anext(events)
        self._metrics.first_token(time.perf_counter() - self._exchange.began_s)
        return first

    async def _last(self, events: AsyncIterator[GeneratedToken | Generation]) -> Generation:
        async for event in events:
            if isinstance(event, Generation):
                return event
        raise AssertionError("a reply ends with the whole of it")


class _Stream(Response):
    """A reply as server-sent events, from its first token on. An error amid it is an event of its own, the last."""

    def __init__(
        self,
        chat: Chat,
        writer: Writer,
        first: GeneratedToken | Generation,
        events: AsyncIterator[GeneratedToken | Generation],
        headers: dict[str, str],
        *,
        usage_too: bool,
    ) -> None:
        super().__init__(
            None, headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"} | headers,
            media_type="text/event-stream",
        )  # fmt: skip
        self._chat, self._writer, self._first, self._events = chat, writer, first, events
        self._usage_too = usage_too
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await self._chat.while_there(self._send_all(send), receive)
        except ClientGone:
            raise
        except Exception as error:
            self._chat.close()  # before the last words: who does not read them must not hold anything meanwhile
            try:
                async with asyncio.timeout(LAST_WORDS_S):
                    await _send_event(send, dumps(self._chat.refusal(error).body()))
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
            except TimeoutError:
                raise ClientGone from error
        finally:
            self._chat.close()

    async def _send_all(self, send: Send) -> None:
        writer, parts = self._writer, Parts()
        pending: list[GeneratedToken] = []  # with no text to show yet

        async def say(event: GeneratedToken | Generation) -> None:
            if isinstance(event, Generation):
                pieces = list(parts.flush())
                if pieces or (pending and writer.logprobs):
                    await self._send(send, writer.chunk(pieces, pending))
                await self._send(send, writer.closing(event))
                if self._usage_too:
                    await self._send(send, writer.usage_chunk(event))
                self._chat.finished(event)
                return
            pending.append(event)
            if pieces := list(parts.push(event.text)):
                await self._send(send, writer.chunk(pieces, pending))
                pending.clear()

        await self._send(send, writer.opening())
        await say(self._first)
        if not isinstance(self._first, Generation):
            async for event in self._events:
                await say(event)
        await _send_event(send, b"[DONE]")
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, send: Send, chunk: dict[str, Any]) -> None:
        await _send_event(send, dumps(chunk | ({} if chunk.get("usage") or not self._usage_too else {"usage": None})))


async def _send_event(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": b"data: " + data + b"\n\n", "more_body": True})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def require_served(name: str | None, names: tuple[str, ...]) -> None:
    if name is not None and name not in names:
        said = f"the model {name[:80]!r} is not served here, but {', '.join(names)}"
        raise Refusal(404, said, param="model", code="model_not_found")


def json_response(told: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    return Response(dumps(told), 200, headers, "application/json")
