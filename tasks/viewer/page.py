"""The page itself: a template, a style sheet and scripts in one file, with the run as data that is never HTML."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ...agent import Recording
from ..console import why_not_writable
from ..errors import BadRequest
from .align import align
from .pack import Packer, Picture, within
from .told import as_script_text, run_told, step_told

HERE = Path(__file__).parent
SCRIPTS = (
    "dom.js",
    "pictures.js",
    "frame.js",
    "marks.js",
    "detail.js",
    "strip.js",
    "keys.js",
    "top.js",
    "live.js",
    "main.js",
)
BUDGET_MB = 28.0  # of pictures, in the file
BASE64 = 4 / 3

Progress = Callable[[int, int], None]  # pictures done, of how many


@dataclass(frozen=True, kw_only=True)
class Written:
    """What came of writing a page."""

    path: Path
    num_bytes: int
    num_steps: int
    num_pictures: int
    num_lossy: int  # pictures that the budget made lossy
    problems: tuple[str, ...]  # frames that could not be shown, lines that could not be read
    num_differing: int | None = None  # steps that differ, where there are two runs


def write_page(
    recording: Recording,
    out: Path,
    *,
    other: Recording | None = None,
    budget_mb: float = BUDGET_MB,
    progress: Progress | None = None,
) -> Written:
    """Write the run, or two side by side, as one HTML file. BadRequest where the file cannot be written.

    The pictures together take at most about `budget_mb` of it: they are lossless while that is enough.
    """
    recordings = [recording] if other is None else [recording, other]
    pictures = within(list(_pack(recordings, progress)), int(budget_mb * 1e6 / BASE64))
    unseen = list(dict.fromkeys(picture.problem for picture in pictures if picture.problem))
    problems = [problem for each in recordings for problem in each.problems] + unseen
    data: dict[str, Any] = {
        "runs": [run_told(each) | {"steps": [step_told(step) for step in each.steps]} for each in recordings],
        "pictures": [picture_told(picture) for picture in pictures],
        "pairs": None,
    }
    data["runs"][0]["problems"] += unseen
    num_differing = None
    if other is not None:
        pairs = align(recording.steps, other.steps)
        data["pairs"] = [{"steps": [pair.one, pair.other], "differences": pair.differences} for pair in pairs]
        num_differing = sum(bool(pair.differences) for pair in pairs)
    title = f"{recording.path.resolve().name} - moonhand" if other is None else "two runs - moonhand"
    num_bytes = _write(out, render(title, data, ((each.name, each.data) for each in pictures)))
    return Written(
        path=out,
        num_bytes=num_bytes,
        num_steps=sum(len(each.steps) for each in recordings),
        num_pictures=len(pictures),
        num_lossy=sum(picture.is_lossy for picture in pictures),
        problems=tuple(problems),
        num_differing=num_differing,
    )


def check_place(out: Path) -> None:
    """BadRequest, before any work is done, unless a page can be written there."""
    if out.suffix.lower() not in (".html", ".htm"):
        raise BadRequest(f"{out}: pages are written as .html; name the file {out.stem}.html")
    if out.is_dir() or not out.parent.is_dir():
        raise BadRequest(f"{out} cannot be written: create its folder first, with mkdir -p {out.parent}")
    if (why := why_not_writable(out.parent)) is not None:
        raise BadRequest(f"{out} cannot be written ({why}): name another place with --out")


def render(
    title: str, data: Any, pictures: Iterable[tuple[str, bytes]] = (), *, is_live: bool = False
) -> Iterator[str]:
    """The page in pieces. `data` is for the scripts; each picture stands in an element of its own until it is shown."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    style, script = _asset("viewer.css"), "\n".join(_asset(name) for name in SCRIPTS)
    script = f'"use strict";\n(() => {{\n{script}\n}})();\n'
    environment = Environment(loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("viewer.html").generate(
        title=title,
        style=Markup(style),
        script=Markup(script),
        style_hash=_csp_hash(style),
        script_hash=_csp_hash(script),
        connect="'self'" if is_live else "'none'",
        data=Markup(as_script_text(data)),
        pictures=((name, base64.b64encode(content).decode()) for name, content in pictures if content),
    )


def picture_told(picture: Picture) -> dict[str, Any]:
    """All of a picture but its data."""
    return {
        "name": picture.name,
        "width_px": picture.width_px,
        "height_px": picture.height_px,
        "base": picture.base,
        "left_px": picture.left_px,
        "top_px": picture.top_px,
        "is_lossy": picture.is_lossy,
        "problem": picture.problem,
        "num_bytes": len(picture.data),
        "thumbnail": base64.b64encode(picture.thumbnail).decode(),
    }


def _pack(recordings: Sequence[Recording], progress: Progress | None) -> Iterator[Picture]:
    """Every picture of the runs once, in the order in which they were seen."""
    for_all = Packer()
    frames = [frame for each in recordings for step in each.steps for frame in (step.before, step.after) if frame]
    named = {frame.sha256: frame for frame in frames}
    for done, frame in enumerate(named.values()):
        if progress:
            progress(done, len(named))
        picture = for_all.add(frame)
        if picture is not None:
            yield picture
    if progress:
        progress(len(named), len(named))


def _write(out: Path, pieces: Iterable[str]) -> int:
    """Into a file beside it, which then takes its place; how many bytes it has."""
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(pieces)
        num_bytes = part.stat().st_size
        part.replace(out)
    except OSError as error:
        raise BadRequest(f"{out} cannot be written ({error.strerror}): name another place with --out") from error
    finally:
        with suppress(OSError):
            part.unlink()
    return num_bytes


@cache
def _asset(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _csp_hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
