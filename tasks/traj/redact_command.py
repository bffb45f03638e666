"""`moonhand traj redact`: something taken out of a recorded run for good."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from ..console import OK, TASK_FAILED, JsonFlag, people, print_json, somebody_at_stdin, typed_line
from ..errors import BadRequest
from .list_commands import RunArgument

if TYPE_CHECKING:
    from ...envs import Region
    from .rewriting import Order, Redacted

FROM_STDIN = "redacted"  # what a value is called by that has no name of its own
_REGION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*,\s*(\d+(?:\.\d+)?)\s*,\s*(\d+(?:\.\d+)?)\s*[,x]\s*(\d+(?:\.\d+)?)\s*")


def redact(
    folder: RunArgument,
    region: Annotated[
        list[str] | None,
        typer.Option("--region", metavar="L,T,W,H", help="Cover this part of the pictures, in their px. Repeatable."),
    ] = None,
    step: Annotated[
        list[int] | None,
        typer.Option("--step", min=1, metavar="N", help="--region only in the pictures of this step. Repeatable."),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option("--text", metavar="REGEX", help="Take out what matches, wherever it stands. Repeatable."),
    ] = None,
    secret: Annotated[
        list[str] | None,
        typer.Option("--secret", metavar="NAME", help="Take out the value of {{secret:NAME}}. Repeatable."),
    ] = None,
    value_from_stdin: Annotated[
        bool,
        typer.Option(
            "--value-from-stdin", help="Take out the line on standard input: of --secret NAME if one is named."
        ),
    ] = False,
    blur: Annotated[
        bool, typer.Option("--blur/--box", help="Fill with the colours around, or with one colour.")
    ] = False,
    ocr: Annotated[
        bool | None,
        typer.Option("--ocr/--no-ocr", help="Read the pictures for words too. (default: if the extra 'ocr' is there)"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Take something out of a recorded run for good: out of its pictures, its texts, and what was made of them.

    The folder is rewritten in one go; what was drawn or exported into it is deleted. Leaves with 1 where nothing of it
    was found.
    """
    from .redact import redact as take_out

    if Path.cwd().is_relative_to(folder.resolve()):
        raise BadRequest(f"the folder {folder} is replaced by a new one: leave it first (cd ..)")
    order = _order(region, step, text, secret, value_from_stdin, blur)
    read = _reader(ocr) if order.hiding else None
    with _bar() as told:
        found = take_out(folder, order, read=read, is_dry=dry_run, told=told)
    if as_json:
        print_json({"path": str(folder), "dry_run": dry_run, "found": found.found, **found.to_json()})
    else:
        _report(found, dry_run)
    raise typer.Exit(OK if found.found else TASK_FAILED)


def _order(
    region: Sequence[str] | None,
    step: Sequence[int] | None,
    text: Sequence[str] | None,
    secret: Sequence[str] | None,
    value_from_stdin: bool,
    blur: bool,
) -> Order:
    """BadRequest where the flags do not go together, name nothing, or name a secret that there is not."""
    from .hiding import Hiding, pattern_of
    from .rewriting import Order

    if not (region or text or secret or value_from_stdin):
        raise BadRequest("what is to go? give --region, --text, --secret or --value-from-stdin")
    if step and not region:
        raise BadRequest("--step goes with --region; words are taken out of all steps")
    values = _values(secret or (), value_from_stdin)
    return Order(
        regions=tuple(map(region_of, region or ())),
        steps=tuple(step or ()),
        hiding=Hiding([pattern_of(each) for each in text or ()], values),
        secret_names=tuple(values),
        num_patterns=len(text or ()),
        style="blur" if blur else "box",
    )


def _values(names: Sequence[str], value_from_stdin: bool) -> dict[str, str]:
    from ...envs.secrets import SHORT, find_secret, variable_of

    if value_from_stdin and len(names) > 1:
        raise BadRequest("--value-from-stdin is the value of one secret: name only one")
    found: dict[str, str] = {}
    for name in names or ((FROM_STDIN,) if value_from_stdin else ()):
        if re.fullmatch(r"[A-Za-z0-9_.-]+", name) is None:
            raise BadRequest(f"--secret {name!r}: a name is made of letters, digits, '_', '.' and '-'")
        value = _from_stdin() if value_from_stdin else find_secret(name)
        if not value:
            raise BadRequest(
                f"there is no secret {name!r} here: set {variable_of(name)}, or give its value with --value-from-stdin"
            )
        if len(value) < SHORT:
            people().print(f"{name} has fewer than {SHORT} characters: only where it stands alone it is found")
        found[name] = value
    return found


def _from_stdin() -> str:
    if somebody_at_stdin():
        return str(typer.prompt("value", hide_input=True, err=True))
    value = typed_line().rstrip("\r\n")
    if not value:
        raise BadRequest("--value-from-stdin: there is no line on standard input")
    return value


def region_of(text: str) -> Region:
    """BadRequest unless it is left, top, width and height in px."""
    from ...envs import Region

    found = _REGION.fullmatch(text)
    if found is None or not float(found[3]) or not float(found[4]):
        raise BadRequest(f"--region {text!r} is not L,T,W,H in px, such as 60,120,300,24")
    return Region(*map(float, found.groups()))


def _reader(ocr: bool | None) -> Callable[[Any], Any] | None:
    """What reads the text in a picture; None where it is not wanted or, unless it was asked for, not installed."""
    from ..nano_eval.ocr import TextReader, require_packages

    needed = ("rapidocr", "onnxruntime")
    if ocr is False or (ocr is None and any(find_spec(name) is None for name in needed)):
        return None
    require_packages(*needed)
    with people().status("loading the text reader"):
        reader = TextReader()
    return lambda frame: reader.read(frame.pixels_HW3)


@contextmanager
def _bar() -> Generator[Callable[[str, int, int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = people()
    progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    task = progress.add_task("", total=None)

    def told(what: str, done: int, total: int) -> None:
        progress.start()  # not before there is progress: what is refused is one line
        progress.update(task, description=what, completed=done, total=total)

    try:
        yield told
    finally:
        if progress.live.is_started:
            progress.stop()


def _report(found: Redacted, dry_run: bool) -> None:
    console = people()

    def say(words: str, style: str | None = None) -> None:
        console.print(words, style=style, highlight=False, markup=False, soft_wrap=True)

    if found.found:
        boxes = f"{found.num_boxes} places in {found.num_frames} pictures"
        would = "would be taken out" if dry_run else "taken out"
        say(f"{would}: {boxes}, {found.num_strings} texts")
        if found.dropped:
            say(f"{'would be deleted' if dry_run else 'deleted'}: {', '.join(found.dropped)}")
    else:
        say("nothing of it was found; the folder is as it was", "yellow")
        if found.dropped:
            say(f"not looked into: {', '.join(found.dropped)}", "yellow")
    for note in found.notes:
        say(f"note: {note}", "yellow")
