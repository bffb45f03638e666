"""`moonhand parse`: replies of GUI models as actions, and from one dialect into another."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .console import OK, USAGE, JsonFlag, people, print_json, standard_input
from .errors import BadRequest

if TYPE_CHECKING:
    from ..agent.dialects import Parsed
    from ..envs import Size
    from .replies import Reader


def parse(
    text: Annotated[str | None, typer.Argument(help="The reply; - reads it from stdin.")] = None,
    dialect: Annotated[str | None, typer.Option("--dialect", help="How it is written: see --list.")] = None,
    size: Annotated[str | None, typer.Option("--size", metavar="WxH", help="Size of the screenshot, in px.")] = None,
    seen: Annotated[
        str | None, typer.Option("--seen", metavar="WxH", help="Size of the picture the model saw, where it differs.")
    ] = None,
    to_seen: Annotated[
        str | None,
        typer.Option("--to-seen", metavar="WxH", help="Size of the picture that a model of --to is shown."),
    ] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="DIALECT", help="Write it anew in this dialect.")] = None,
    lines: Annotated[
        Path | None,
        typer.Option("--lines", metavar="FILE", help="Read a reply a line, or JSONL; print a JSON object a line."),
    ] = None,
    show_list: Annotated[bool, typer.Option("--list", help="Show the dialects and leave.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Read what a GUI model wrote: actions with points in px, or the same in another dialect.

    Exit code 2 where a reply cannot be read.
    """
    from .replies import Reader, named_dialect

    if show_list:
        _list(as_json)
        return
    reader = Reader(
        named_dialect(dialect),
        _size(size, "--size"),
        _size(seen, "--seen"),
        None if to is None else named_dialect(to),
        _size(to_seen, "--to-seen"),
    )
    if to is None and to_seen is not None:
        raise BadRequest("--to-seen is the picture of --to DIALECT: name one")
    if (text is None) == (lines is None):
        raise BadRequest("give one reply (- reads stdin), or --lines FILE")
    raise typer.Exit(_parse_one(text, reader, as_json) if lines is None else _parse_lines(lines, reader))


def _parse_one(text: str | None, reader: Reader, as_json: bool) -> int:
    from ..agent import ParseError
    from ..agent.dialects import CannotWrite
    from .replies import error_to_json, parsed_to_json, pointed_at

    try:
        parsed, written = reader.read(standard_input().read() if text is None or text == "-" else text)
    except (ParseError, CannotWrite) as error:
        if as_json:
            typer.echo(json.dumps(error_to_json(error)))
        message = error.message if isinstance(error, ParseError) else str(error)
        people().print(f"error: {message}", style="red", highlight=False, markup=False, soft_wrap=True)
        if isinstance(error, ParseError):
            people().print(pointed_at(error), highlight=False, markup=False, soft_wrap=True)
        return USAGE
    if as_json:
        typer.echo(json.dumps(parsed_to_json(parsed, written)))  # in ASCII: a reply may hold half a character
    elif written is not None:
        typer.echo(written.text)
        for told in written.expanded:
            people().print(f"note: {told}", highlight=False, markup=False, soft_wrap=True)
    else:
        _show(parsed)
    return OK


def _parse_lines(path: Path, reader: Reader) -> int:
    from .replies import read_lines

    num_read = num_bad = 0
    with ExitStack() as stack:
        try:
            source = (
                standard_input()
                if str(path) == "-"
                else stack.enter_context(path.open(encoding="utf-8", errors="surrogateescape"))
            )
        except OSError as error:
            raise BadRequest(f"{path} cannot be read: {error.strerror}") from error
        for obj in read_lines(source, reader):
            num_read += 1
            num_bad += "error" in obj
            typer.echo(json.dumps(obj))
    people().print(f"{num_read} replies, {num_bad} of them could not be read" if num_bad else f"{num_read} replies")
    return USAGE if num_bad else OK


def _show(parsed: Parsed) -> None:
    from ..envs import describe

    table = Table(box=None, pad_edge=False, show_header=False)
    for name, words in (("observed", parsed.observation), ("thought", parsed.thought), ("meant", parsed.instruction)):
        if words:
            table.add_row(f"[dim]{name}", escape(words))
    for action in parsed.actions:
        table.add_row(f"[bold]{action.type}", escape(describe(action)))
    Console().print(table)


def _list(as_json: bool) -> None:
    from ..agent.dialects import DIALECTS

    if as_json:
        told = {
            name: {"about": each.about, "space": each.space, "kinds": sorted(each.kinds)}
            for name, each in DIALECTS.items()
        }
        print_json({"dialects": told})
        return
    table = Table("dialect", "whose", "its numbers count", "kinds", box=None, pad_edge=False)
    for name, each in DIALECTS.items():
        table.add_row(f"[bold]{name}", escape(each.about), escape(each.space), str(len(each.kinds)))
    Console().print(table)


def _size(text: str | None, flag: str) -> Size | None:
    from .sizes import parse_size

    try:
        return None if text is None else parse_size(text)
    except ValueError as error:
        raise BadRequest(f"{flag}: {error}") from error
