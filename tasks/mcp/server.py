"""The protocol's side of the tools, on the low-level server of the MCP SDK: our own schemas, errors and words."""

from __future__ import annotations

import base64
import secrets
from importlib.metadata import version as package_version
from typing import Any

import anyio
import mcp_types as types
from mcp.server import Server
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from ..errors import BadRequest
from .arguments import parse, schema_of
from .calls import ASK_S, Answered, Call, Desk, Progress, Question
from .results import Reply, wrong
from .screen import KeptScreen
from .tools import INSTRUCTIONS, TOOLS, Tool, do

Context = ServerRequestContext[dict[str, Any]]
QUESTION = "question"  # its key, where a result asks it
MOST_ROUNDS = 9  # in which a call is asked anew with an answer; the SDKs' clients give up after ten


def make_server(kept: KeptScreen, desk: Desk) -> Server[dict[str, Any]]:
    """A server of the five tools. Calls are put on the desk; `kept` is touched by nobody else."""
    waiting: dict[str, Call] = {}  # by what the client is to bring back with the answer
    tools = {tool.name: tool for tool in TOOLS}

    async def list_tools(ctx: Context, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_told(tool) for tool in TOOLS])

    async def call_tool(
        ctx: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        tool = tools.get(params.name)
        if tool is None:
            raise MCPError(types.INVALID_PARAMS, f"no tool {params.name!r}: there are {', '.join(tools)}")
        if params.request_state is not None:
            call = waiting.pop(params.request_state, None)
            if call is None or call.tool != tool.name:
                return _result(wrong("that question is open no longer: call the tool again"))
            call.answer(_answered((params.input_responses or {}).get(QUESTION)))
        else:
            try:
                given = parse(tool.arguments, params.arguments or {})
            except BadRequest as error:
                return _result(wrong(f"{tool.name}: {error}"))
            call = Call(
                tool.name,
                lambda call: do(tool, kept, given, call),
                can_ask=_can_ask(ctx),
                most_questions=MOST_ROUNDS if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS else None,
            )
            desk.submit(call)
        return await _follow(call, ctx, waiting)

    return Server(
        "moonhand",
        version=package_version("moonhand"),
        title="moonhand: sees and touches a screen",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        get_tool_input_schema=lambda name: schema_of(tools[name].arguments) if name in tools else None,
    )


async def _follow(
    call: Call, ctx: Context, waiting: dict[str, Call]
) -> types.CallToolResult | types.InputRequiredResult:
    """Until its reply, or its next question where the protocol wants that as a result. A lost client cancels it."""
    try:
        while True:
            match await call.next():
                case Progress(steps=steps, words=words):
                    await ctx.session.report_progress(steps, None, words)
                case Question() as question if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS:
                    for ticket in [ticket for ticket, one in waiting.items() if one.is_done]:
                        del waiting[ticket]
                    ticket = secrets.token_urlsafe(32)
                    waiting[ticket] = call
                    form = types.ElicitRequestFormParams(message=question.message, requested_schema=question.schema)
                    return types.InputRequiredResult(
                        input_requests={QUESTION: types.ElicitRequest(params=form)}, request_state=ticket
                    )
                case Question() as question:
                    call.answer(await _elicit(question, ctx))
                case Reply() as reply:
                    return _result(reply)
    except anyio.get_cancelled_exc_class():
        call.cancel()
        raise


async def _elicit(question: Question, ctx: Context) -> Answered:
    with anyio.move_on_after(ASK_S):
        try:
            said = await ctx.session.elicit_form(question.message, question.schema, ctx.request_id)
        except (MCPError, ValidationError):  # it cannot, or its answer is none
            return Answered("decline")
        return _answered(said)
    return Answered("cancel")


def _answered(said: object) -> Answered:
    """An answer that is none counts as a form that was dismissed."""
    if not isinstance(said, types.ElicitResult):
        return Answered("cancel")
    return Answered(said.action, dict(said.content or {}))


def _can_ask(ctx: Context) -> bool:
    """Whether the client puts forms before a person; one that does not say which kinds means forms."""
    capabilities = ctx.session.client_capabilities
    elicits = None if capabilities is None else capabilities.elicitation
    return elicits is not None and (elicits.form is not None or elicits.url is None)


def _result(reply: Reply) -> types.CallToolResult:
    content: list[types.ContentBlock] = [types.TextContent(type="text", text=reply.words)]
    if reply.picture is not None:
        data = base64.b64encode(reply.picture).decode("ascii")
        content.append(types.ImageContent(type="image", data=data, mime_type="image/png"))
    data = None if reply.data is None else reply.data.model_dump(mode="json")
    return types.CallToolResult(content=content, structured_content=data, is_error=reply.is_error)


def _told(tool: Tool[Any]) -> types.Tool:
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=schema_of(tool.arguments),
        output_schema=schema_of(tool.result, "serialization"),
        annotations=types.ToolAnnotations(
            read_only_hint=tool.only_looks,
            destructive_hint=not tool.only_looks,
            idempotent_hint=tool.only_looks,
            open_world_hint=True,
        ),
    )
