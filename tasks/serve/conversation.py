"""The messages of a request as the model's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ...model.chat import Message, Picture, Role
from .config import ServeConfig
from .refusals import Refusal
from .sent_pictures import read_pictures
from .wire import ChatRequest, Part, Turn

_ROLES: dict[str, Role] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}


def conversation(
    request: ChatRequest, config: ServeConfig, hold: Callable[[int], None], *, longest_text: int
) -> list[Message]:
    """Refusal 400 for a part that is neither text nor picture, for a text that cannot fit, and as `read_pictures`."""
    turns = request.messages
    is_open = bool(request.continue_final_message)
    if is_open and (turns[-1].role != "assistant" or request.add_generation_prompt):
        raise Refusal(
            400,
            "continue_final_message goes on with a last message of the assistant, with add_generation_prompt false",
            param="continue_final_message",
        )
    parts = [list(_parts(turn, f"messages.{index}")) for index, turn in enumerate(turns)]
    length = sum(len(part) for each in parts for kind, part in each if kind == "text")
    if length > longest_text:
        raise Refusal(
            400,
            f"the messages have {length} characters, and no more than {longest_text} fit this model's maximum context "
            "length",
            param="messages",
            code="context_length_exceeded",
        )
    pictures = iter(read_pictures([part for each in parts for kind, part in each if kind == "uri"], config, hold))
    return [
        Message(
            _ROLES[turn.role],
            tuple[str | Picture, ...](part if kind == "text" else next(pictures) for kind, part in each),
            open=is_open and index == len(turns) - 1,
        )
        for index, (turn, each) in enumerate(zip(turns, parts, strict=True))
    ]


def _parts(turn: Turn, where: str) -> Iterator[tuple[str, str]]:
    """Each part's kind, "text" or "uri", and what it holds."""
    if turn.tool_calls:
        raise Refusal(400, f"{where}.tool_calls: this model calls no tools", param="messages")
    if isinstance(turn.content, str):
        yield "text", turn.content
        return
    if turn.content is None and turn.role != "assistant":
        raise Refusal(400, f"{where}.content is missing", param="messages")
    content: Sequence[Part] = turn.content or ()
    for index, part in enumerate(content):
        told = f"{where}.content.{index}"
        match part.type:
            case "text" if part.text is not None:
                yield "text", part.text
            case "refusal" if part.refusal is not None:
                yield "text", part.refusal
            case "image_url":
                url = part.image_url.get("url") if isinstance(part.image_url, dict) else part.image_url
                if not isinstance(url, str):
                    raise Refusal(400, f"{told}.image_url.url is missing", param="messages")
                yield "uri", url
            case "text" | "refusal":
                raise Refusal(400, f"{told}.{part.type} is missing", param="messages")
            case _:
                raise Refusal(400, f"{told}: a part is text or image_url, not {part.type[:40]!r}", param="messages")
