"""A request's body: read piece by piece up to a limit, then parsed as JSON that cannot blow up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import orjson
from starlette.types import Receive, Scope

from .config import ServeConfig
from .refusals import ClientGone, Refusal

_DRAINED = 4  # times the limit that is thrown away, so that who sends too much can still read the answer
_DRAIN_S = 5.0


async def read_body(scope: Scope, receive: Receive, config: ServeConfig, hold: Callable[[int], None]) -> bytes:
    """The whole body. `hold` is told of the bytes before they are kept, and may raise.

    Refusal 415 for another content type than JSON, 413 over the limit, 408 where it does not arrive in time;
    ClientGone where nobody is there any more.
    """
    headers = {name.lower(): value for name, value in scope["headers"]}
    kind = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
    if kind != b"application/json":  # also what keeps a web page from sending one without being asked
        raise Refusal(415, f"the body is JSON: send Content-Type: application/json, not {_shown(kind)!r}")
    announced = headers.get(b"content-length", b"0")
    too_large = Refusal(
        413,
        f"the body is larger than the {config.max_body_bytes / 1e6:.1f} MB that are taken: send fewer or smaller "
        "pictures, or start the server with a larger --max-body-mb",
        code="body_too_large",
        headers={"Connection": "close"},
    )
    try:
        async with asyncio.timeout(config.body_s):
            if announced.isdigit() and int(announced[:20]) > config.max_body_bytes:
                await _drain(receive, config)
                raise too_large
            body = bytearray()
            while True:
                piece, more = await _next(receive)
                if len(body) + len(piece) > config.max_body_bytes:
                    body.clear()
                    if more:
                        await _drain(receive, config)
                    raise too_large
                hold(len(piece))
                body += piece
                if not more:
                    return bytes(body)
    except TimeoutError:
        raise Refusal(
            408, f"the body did not arrive within {config.body_s:g} s", headers={"Connection": "close"}
        ) from None


def parse_json(body: bytes, config: ServeConfig) -> dict[str, Any]:
    """The object that a body holds. Refusal 400 for what is no JSON object, too deep, or of too many values."""
    if not body.strip():
        raise Refusal(400, "the body is empty: send a JSON object with model and messages")
    if body.count(b",") + body.count(b"[") + body.count(b"{") > config.max_values:
        raise Refusal(400, f"the JSON has more than {config.max_values} values")
    try:
        found: object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refusal(400, f"the body is no JSON that can be read: {error}", code="invalid_json") from error
    if not isinstance(found, dict):
        raise Refusal(400, f"the body must be a JSON object, got {type(found).__name__}", code="invalid_json")
    level: list[object] = [cast("object", found)]
    for _ in range(config.max_depth):
        level = [each for value in level for each in _inside(value) if isinstance(each, dict | list)]
        if not level:
            return cast("dict[str, Any]", found)
    raise Refusal(400, f"the JSON is nested deeper than {config.max_depth} levels", code="invalid_json")


def _inside(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(cast("dict[str, object]", value).values())
    return cast("list[object]", value) if isinstance(value, list) else []


async def _next(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message.get("body", b""), message.get("more_body", False)


async def _drain(receive: Receive, config: ServeConfig) -> None:
    """Throw away what still comes, up to a limit: a connection that is cut amid sending loses its answer."""
    left = _DRAINED * config.max_body_bytes
    try:
        async with asyncio.timeout(min(_DRAIN_S, config.body_s)):
            more = True
            while more and left > 0:
                piece, more = await _next(receive)
                left -= len(piece)
    except TimeoutError:
        return


def _shown(text: bytes) -> str:
    return text[:80].decode("ascii", "replace")
