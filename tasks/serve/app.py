"""The server as an ASGI app: models, chat completions, health and metrics."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version as installed
from typing import Any

from fastapi import FastAPI
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import Request

from ...model.scheduler import Scheduler
from .chat import Chat, json_response, require_served
from .config import ServeConfig
from .exchange import Desk
from .gate import Gate
from .metrics import CONTENT_TYPE, Metrics
from .refusals import Refusal

CHAT, MODELS, HEALTH, METRICS, VERSION = "/v1/chat/completions", "/v1/models", "/healthz", "/metrics", "/version"


def make_app(
    scheduler: Scheduler, config: ServeConfig | None = None, say: Callable[[str], None] | None = None
) -> FastAPI:
    """Over a scheduler that is left open; `say` gets a line of log for each request. `app.state.desk` is its `Desk`."""
    config = config or ServeConfig()
    desk, metrics = Desk(scheduler, config), Metrics(scheduler.counts)
    names = tuple(dict.fromkeys((*config.names, scheduler.engine.name)))
    paths = frozenset((CHAT, MODELS, HEALTH, VERSION, METRICS))
    started = int(time.time())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        yield
        desk.close()

    app = FastAPI(title="moonhand", openapi_url=None, docs_url=None, redoc_url=None, lifespan=lifespan)
    app.state.desk = desk

    def card(name: str) -> dict[str, Any]:
        return {
            "id": name,
            "object": "model",
            "created": started,
            "owned_by": "moonhand",
            "root": scheduler.engine.name,
            "max_model_len": scheduler.context_tokens,
        }

    async def models(_: Request) -> Response:
        return json_response({"object": "list", "data": [card(name) for name in names]})

    async def model(request: Request) -> Response:
        require_served(name := request.path_params["name"], names)
        return json_response(card(name))

    async def health(_: Request) -> Response:
        if desk.is_closing:
            raise Refusal(503, "the server is shutting down", code="shutting_down")
        counts = scheduler.counts()
        return json_response({"status": "ok", "running": counts.running, "waiting": counts.waiting})

    async def version(_: Request) -> Response:
        return json_response({"version": installed("moonhand"), "server": "moonhand"})

    async def told(_: Request) -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    async def chat(request: Request) -> Response:
        return await Chat(desk, metrics, names, request).answer()

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        said = str(error.detail)
        if error.status_code == 404:
            said = f"nothing is at {request.url.path[:80]}: there are {', '.join((CHAT, *sorted(paths - {CHAT})))}"
        return Refusal(error.status_code, said, headers=error.headers).response()

    for path, asked, method in (
        (MODELS, models, "GET"),
        (MODELS + "/{name:path}", model, "GET"),
        (HEALTH, health, "GET"),
        (VERSION, version, "GET"),
        (METRICS, told, "GET"),
        (CHAT, chat, "POST"),
    ):
        app.add_api_route(path, asked, methods=[method], response_model=None)
    app.add_exception_handler(HTTPException, refused)
    app.add_middleware(Gate, config=config, metrics=metrics, paths=paths, say=say)
    return app
