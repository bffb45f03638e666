"""Clients of `moonhand mcp`: the SDK's own, talking to a server in this process or in one of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import mcp_types as types
from mcp import Client
from mcp.client import ClientRequestContext
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.server import Server
from moonhand.tasks.console import ModelChoice
from moonhand.tasks.mcp.calls import Desk
from moonhand.tasks.mcp.screen import KeptScreen
from moonhand.tasks.mcp.server import make_server
from moonhand.tasks.mcp.transports import PATH, Serve, listen, over_http, serving

T = TypeVar("T")
PATIENCE_S = 60.0

Scenario = Callable[[Client], Awaitable[T]]


class Person:
    """At the client: gives the same answer to every form, and remembers what was asked."""

    def __init__(self, action: str, **content: Any) -> None:
        self.asked: list[str] = []
        self._answer = types.ElicitResult.model_validate({"action": action, "content": content or None})

    async def __call__(self, context: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:
        self.asked.append(params.message)
        return self._answer


def in_process(kept: KeptScreen, scenario: Scenario[T], *, mode: str = "auto", person: Person | None = None) -> T:
    """What the scenario brings, with a client in another thread; the screen's work is done in this one."""
    desk = Desk()
    server = make_server(kept, desk)

    async def talk() -> T:
        async with Client(server, mode=mode, elicitation_callback=person) as client:
            return await asyncio.wait_for(scenario(client), PATIENCE_S)

    return _beside(desk, talk)


def over_loopback(kept: KeptScreen, scenario: Scenario[T], *, mode: str, person: Person | None) -> T:
    """As `in_process`, over HTTP."""
    listener = listen("127.0.0.1", 0)

    async def talk() -> T:
        transport = streamable_http_client(f"http://127.0.0.1:{listener.getsockname()[1]}{PATH}")
        async with Client(transport, mode=mode, elicitation_callback=person) as client:
            return await scenario(client)

    return over(kept, lambda server: over_http(server, listener, None), talk)


def over(kept: KeptScreen, serve: Callable[[Server[dict[str, Any]]], Serve], talk: Callable[[], Awaitable[T]]) -> T:
    """What `talk` brings, with the server behind a transport."""
    desk = Desk()
    with serving(serve(make_server(kept, desk)), desk):
        return _beside(desk, talk)


def _beside(desk: Desk, talk: Callable[[], Awaitable[T]]) -> T:
    async def main() -> T:
        return await asyncio.wait_for(talk(), PATIENCE_S)

    def work() -> T:
        try:
            return asyncio.run(main())
        finally:
            desk.leave()

    with ThreadPoolExecutor(1) as pool:
        talking = pool.submit(work)
        desk.work()
        return talking.result(PATIENCE_S)


def started(*arguments: str | Path, **environ: str) -> StdioServerParameters:
    """`moonhand mcp` as a client starts it."""
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "moonhand.tasks.mcp", *map(str, arguments)],
        env={**os.environ, "OMP_NUM_THREADS": "1", **environ},
    )


@contextmanager
def kept_screen(choice: Any, runs: Path, policy: Any = "sensitive", model: str = "nano") -> Generator[KeptScreen]:
    kept = KeptScreen(choice, ModelChoice(model), None, runs, policy)
    try:
        yield kept
    finally:
        kept.close()


def words(result: types.CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if isinstance(block, types.TextContent))
