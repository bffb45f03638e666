"""What every request passes: who may ask, how errors look, and a line of log."""

from __future__ import annotations

import hmac
import json
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .config import ServeConfig
from .metrics import Metrics
from .refusals import ClientGone, Refusal

OPEN_PATHS = ("/healthz",)  # for who has no key
GONE = 499  # in the log alone: nobody is there to be told


class Gate:
    """Around the whole app. `paths` are those that are told in metrics; `say` gets a line for each request."""

    def __init__(
        self,
        app: ASGIApp,
        config: ServeConfig,
        metrics: Metrics,
        paths: frozenset[str],
        say: Callable[[str], None] | None,
    ) -> None:
        self._app, self._config, self._metrics, self._paths, self._say = app, config, metrics, paths, say

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_s = time.perf_counter()
        told: dict[str, Any] = scope.setdefault("state", {}).setdefault("told", {})
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            self._require_allowed(scope)
            await self._app(scope, receive, watched)
        except ClientGone:
            told["gone"] = True
            if not status:  # some answer must be sent, if only to nobody
                await Refusal(GONE, "the client left").response()(scope, receive, watched)
        except Exception as error:
            trouble = _as_refusal(error)
            if trouble.status >= 500 and not isinstance(error, Refusal):
                traceback.print_exc(file=sys.stderr)
            if status:
                raise
            await trouble.response()(scope, receive, watched)
        finally:
            path = scope["path"] if scope["path"] in self._paths else "other"
            self._metrics.answered(path, GONE if told.get("gone") else status)
            if told.pop("gone", False):
                self._metrics.client_gone()
                status = GONE
            if self._say is not None:
                self._say(_line(scope, status, time.perf_counter() - began_s, told))

    def _require_allowed(self, scope: Scope) -> None:
        """Refusal 401 without the key; where there is none, 403 for a page that another name led here."""
        headers = dict(scope["headers"])
        if self._config.api_key is None:
            host = headers.get(b"host", b"").decode("latin-1")
            name = host.rpartition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
            if name.lower() not in self._config.hosts:
                raise Refusal(403, f"the Host header {host[:80]!r} is none of {', '.join(self._config.hosts)}")
            return
        if scope["path"] in OPEN_PATHS:
            return
        kind, _, key = headers.get(b"authorization", b"").partition(b" ")
        if kind.lower() != b"bearer" or not hmac.compare_digest(key.strip(), self._config.api_key.encode()):
            raise Refusal(
                401,
                "the key is missing or wrong: send Authorization: Bearer KEY",
                code="invalid_api_key",
                headers={"WWW-Authenticate": "Bearer"},
            )


def _as_refusal(error: Exception) -> Refusal:
    if isinstance(error, Refusal):
        return error
    if isinstance(error, HTTPException):
        return Refusal(error.status_code, str(error.detail), headers=error.headers)
    return Refusal(500, "an error that nobody expected: the server's log has it", code="internal_error")


def _line(scope: Scope, status: int, took_s: float, told: dict[str, Any]) -> str:
    """name=value, each in quotes where it holds anything but plain characters."""
    fields = {
        "method": scope["method"],
        "path": scope["path"],
        "status": status,
        "ms": round(1000 * took_s),
        **told,
    }
    return " ".join(f"{name}={_quoted(str(value))}" for name, value in fields.items())


def _quoted(value: str) -> str:
    plain = value.isascii() and value.isprintable() and not set(value) & set(' "=')
    return value if plain and value else json.dumps(value[:200])
