"""Errors as OpenAI's clients read them: a status, and an object with message, type, param and code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi.responses import Response
from orjson import dumps

from ...model.errors import BadGrammar, BadImage, Cancelled, ContextTooLong, ModelError, QueueFull

_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
SHORTER = "send fewer pictures or less text, or lower max_completion_tokens (or max_tokens)"
_SHOWN = 2000  # characters at most of what is told


class Refusal(Exception):
    """A request that gets no reply, and why. Its text is for whoever sent it."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.param = param
        self.code = code
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        kind = _TYPES.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")
        text = str(self).encode("utf-8", "replace").decode()
        text = text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
        return {"error": {"message": text, "type": kind, "param": self.param, "code": self.code}}

    def response(self) -> Response:
        return Response(dumps(self.body()), self.status, self.headers, "application/json")


class ClientGone(Exception):
    """Whoever asked is not there any more."""


def refusal_of(error: BaseException, *, context_tokens: int, retry_after_s: int) -> Refusal:
    """What a client is told of an error of the model's."""
    match error:
        case Refusal():
            return error
        case QueueFull():
            return Refusal(429, str(error), code="queue_full", headers={"Retry-After": str(retry_after_s)})
        case ContextTooLong():
            said = f"this model's maximum context length is {context_tokens} tokens: {error.problem}: {SHORTER}"
            return Refusal(400, said, param="messages", code="context_length_exceeded")
        case BadImage():
            return Refusal(400, str(error), param="messages", code="invalid_image")
        case BadGrammar():
            return Refusal(400, str(error), code="invalid_grammar")
        case Cancelled():
            return Refusal(503, "the server is shutting down: ask again later", code="shutting_down")
        case ModelError():
            return Refusal(500, f"the model could not answer: {error}", code="model_error")
        case ValueError():
            return Refusal(400, str(error))
        case _:
            return Refusal(500, "an error that nobody expected: the server's log has it", code="internal_error")
