"""Replies of any dialect as JSON or as another dialect, one or a whole file of them: what `moonhand parse` does."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from rich.cells import cell_len

from ..agent import ParseError
from ..agent.dialects import DIALECTS, CannotWrite, Canvas, Dialect, Parsed, whole_canvas
from ..envs import Size, action_to_json
from .errors import BadRequest
from .expansion import Written, write_as
from .sizes import parse_size

EXCERPT_CHARS = 100  # of a line that is shown with an error


@dataclass(frozen=True)
class Reader:
    """How replies are read, and how they are written anew if at all."""

    dialect: Dialect
    size: Size | None  # of the screenshot; None where every line brings its own
    seen: Size | None = None  # what the model was shown, where that is another size
    to: Dialect | None = None
    to_seen: Size | None = None  # what a model of that dialect is shown

    def read(self, text: str, size: Size | None = None, seen: Size | None = None) -> tuple[Parsed, Written | None]:
        """What a reply asks for, and its words in the other dialect. ParseError, CannotWrite, BadRequest."""
        of = size or self.size
        if of is None:
            raise BadRequest("give the size of the screenshot: --size WxH")
        parsed = self.dialect.read(text, _canvas(self.dialect, of, seen or self.seen))
        return parsed, None if self.to is None else write_as(self.to, parsed, _canvas(self.to, of, self.to_seen))


def _canvas(dialect: Dialect, size: Size, seen: Size | None) -> Canvas:
    """BadRequest for a screenshot that models of this dialect cannot be shown."""
    canvas = whole_canvas(size, seen)
    try:
        dialect.extent(canvas)
    except ValueError as error:
        raise BadRequest(f"{dialect.name}: {error}") from error
    return canvas


def named_dialect(name: str | None) -> Dialect:
    """BadRequest for a name that is not known; it lists those that are."""
    if name is None or name not in DIALECTS:
        known = ", ".join(DIALECTS)
        raise BadRequest(f"which dialect? {known}" if name is None else f"no dialect is called {name!r}: {known}")
    return DIALECTS[name]


def parsed_to_json(parsed: Parsed, written: Written | None = None) -> dict[str, Any]:
    """Points are in px of the screenshot; `text` is there where another dialect was asked for.

    `expanded` says which actions `text` has in simpler ones, where there are any.
    """
    obj: dict[str, Any] = {
        "actions": [action_to_json(action) for action in parsed.actions],
        "thought": parsed.thought,
        "instruction": parsed.instruction,
        "observation": parsed.observation,
        "refused": parsed.refused,
    }
    if written is None:
        return obj
    expanded = {"expanded": list(written.expanded)} if written.expanded else {}
    return obj | {"text": written.text} | expanded


def error_to_json(error: Exception) -> dict[str, Any]:
    """`span` is where in the reply the trouble stands, None where it is not the reply's."""
    if isinstance(error, ParseError):
        return {"error": error.message, "span": list(error.span)}
    return {"error": str(error), "span": None}


def read_lines(lines: Iterable[str], reader: Reader) -> Iterator[dict[str, Any]]:
    """One JSON object for each line, in order, an error where a line cannot be read.

    A line is a reply as it is, a JSON text, or an object with `reply` and, where they differ from line to line, `size`
    and `seen` ("WxH" or [W, H]); its `id` comes back.
    """
    for line in lines:
        reply, extra, known = _unwrapped(line.rstrip("\r\n"))
        kept = {"id": extra["id"]} if "id" in extra else {}
        try:
            parsed, written = reader.read(reply, _size_of(extra, "size"), _size_of(extra, "seen"))
        except (ParseError, CannotWrite, BadRequest) as error:
            yield kept | error_to_json(error) if known else _no_reply(error)
        else:
            yield kept | parsed_to_json(parsed, written)


def _unwrapped(line: str) -> tuple[str, Mapping[str, Any], bool]:
    """The reply of a line, what stands beside it, and whether it is sure that the reply is one."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return line, {}, True
    if isinstance(value, str):
        return value, {}, True
    if isinstance(value, dict):
        fields = cast(dict[str, Any], value)
        if isinstance(fields.get("reply"), str):
            return fields["reply"], fields, True
        return line, {}, False  # perhaps a reply of a dialect that is JSON itself
    return line, {}, True


def _no_reply(error: Exception) -> dict[str, Any]:
    told = error_to_json(error)
    return told | {"error": f"an object without `reply`, a text; read as a reply itself: {told['error']}"}


def _size_of(fields: Mapping[str, Any], name: str) -> Size | None:
    value = fields.get(name)
    if value is None:
        return None
    try:
        return parse_size(value if isinstance(value, str) else "{}x{}".format(*value))
    except (ValueError, TypeError, IndexError) as error:
        raise BadRequest(f"{name} must be WxH or [W, H], got {value!r}") from error


def pointed_at(error: ParseError) -> str:
    """The line of the reply that was not understood, and carets under the part that was not."""
    start, end = error.span
    low = error.text.rfind("\n", 0, start) + 1
    high = error.text.find("\n", start)
    high = len(error.text) if high < 0 else high
    low = max(low, start - EXCERPT_CHARS // 2)
    high = min(high, low + EXCERPT_CHARS)
    before, marked = _plain(error.text[low:start]), _plain(error.text[start : min(end, high)])
    rest = _plain(error.text[min(end, high) : high])
    return f"  {before}{marked}{rest}\n  {' ' * cell_len(before)}{'^' * max(1, cell_len(marked))}"


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
