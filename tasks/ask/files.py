"""The command's arguments as inputs: opened, told apart by content, looked through; the pixels are read later."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..console import somebody_at_stdin, standard_input
from ..errors import BadRequest
from .inputs import MAX_PICTURES, MAX_TEXT_BYTES, Input, Kind
from .page_ranges import is_pages
from .pdf_pages import DEFAULT_DPI, open_pdf
from .picture_files import open_picture
from .sampling_times import Sampling
from .sniff import HEAD_BYTES, is_text, sniff
from .video_frames import open_video

MAX_FILES = 256
MAX_BYTES = 512_000_000  # of stdin, a pipe, a picture or a PDF, which are read whole; videos may be larger
STDIN = "-"


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How files are shown that are more than one picture. `pages` is for every PDF that names none itself."""

    pages: str | None = None
    dpi: float = DEFAULT_DPI
    sampling: Sampling = field(default_factory=Sampling)

    def __post_init__(self) -> None:
        if not 10 <= self.dpi <= 1200:
            raise BadRequest(f"--dpi {self.dpi:g} must be 10 to 1200")
        if self.pages is not None and not is_pages(self.pages):
            raise BadRequest(f"--pages {self.pages!r} names no pages: write them as 3, 3-5, 2,4-6 or 7-")


def open_inputs(arguments: Sequence[str], reading: Reading) -> list[Input]:
    """In the order of the arguments. BadRequest for the first that cannot be shown, or where they are too many."""
    if len(arguments) > MAX_FILES:
        raise BadRequest(f"{len(arguments)} files are too many: at most {MAX_FILES} are looked at for one question")
    if arguments.count(STDIN) > 1:
        raise BadRequest("- reads stdin, which can be read once only")
    names = list(_names(arguments))
    inputs: list[Input] = []
    num_pictures = 0
    for argument, name in zip(arguments, names, strict=True):
        inputs.append(_open(argument, name, reading))
        num_pictures += len(inputs[-1].views)
        if num_pictures > MAX_PICTURES:
            raise BadRequest(
                f"with {argument} these are {num_pictures} pictures, pages and frames: at most {MAX_PICTURES} are "
                "shown, so name fewer, or give --pages, --fps or --frames"
            )
    _check_needed({each.kind for each in inputs}, reading)
    return inputs


def _check_needed(kinds: Collection[Kind], reading: Reading) -> None:
    """BadRequest for what is said of pages or of films where there is none."""
    sampling = reading.sampling
    of_pages = [("--pages", reading.pages is not None), ("--dpi", reading.dpi != DEFAULT_DPI)]
    of_films = [
        ("--fps", sampling.fps is not None),
        ("--frames", sampling.frames is not None),
        ("--sample scenes", sampling.at_scenes),
    ]
    for flags, what, is_there in (
        (of_pages, "a PDF", "pdf" in kinds),
        (of_films, "a video, or a picture that moves", bool({"video", "animation"} & set(kinds))),
    ):
        given = [flag for flag, is_given in flags if is_given]
        if given and not is_there:
            raise BadRequest(f"{' and '.join(given)}: for {what}, and there is none among the files: leave that out")


def _names(arguments: Sequence[str]) -> Iterator[str]:
    """What each is called: the name of the file, and where two share it the path as it was given."""
    short = ["stdin" if each == STDIN else _split(each)[0].name for each in arguments]
    counts = Counter(short)
    for argument, name in zip(arguments, short, strict=True):
        yield name if counts[name] == 1 and name else str(_split(argument)[0])


def _open(argument: str, name: str, reading: Reading) -> Input:
    path, pages = (Path(STDIN), None) if argument == STDIN else _split(argument)
    try:
        content = _stream(argument, path)
        head = content[:HEAD_BYTES] if content is not None else _head(path)
        kind = sniff(head, argument if argument == STDIN else str(path))
        if pages is not None and kind != "pdf":
            raise BadRequest(f"{path} is no PDF: only of a PDF pages can be named, as {argument} does")
        if kind == "video":
            return open_video(path if content is None else content, argument, name, reading.sampling)
        if kind == "text":
            _check_length(path.stat().st_size if content is None else len(content), argument)
        if content is None:
            if path.stat().st_size > MAX_BYTES:
                size = f"{path.stat().st_size / 1e6:.0f} MB"
                raise BadRequest(f"{path} has {size}: at most {MAX_BYTES / 1e6:.0f} MB of a picture or a PDF are read")
            content = path.read_bytes()
    except OSError as error:
        raise BadRequest(f"{path} cannot be read: {error.strerror or error}") from error
    match kind:
        case "pdf":
            return open_pdf(content, argument, name, pages or reading.pages, reading.dpi)
        case "picture":
            return open_picture(content, argument, name, reading.sampling)
        case "text":
            return Input(path=argument, name=name, kind="text", text=_decode(content, argument))


def _split(argument: str) -> tuple[Path, str | None]:
    """The path and the pages of `report.pdf:3-5`; a file that is really called so comes first."""
    start, colon, end = argument.rpartition(":")
    if colon and start and is_pages(end) and not os.path.exists(argument):
        return Path(start), end
    return Path(argument), None


def _stream(argument: str, path: Path) -> bytes | None:
    """All that stdin or a pipe has to say; None for a file."""
    if argument == STDIN:
        if somebody_at_stdin():
            raise BadRequest("- reads stdin, and nothing is piped there: moonhand ask ... - < notes.txt")
        content = standard_input().buffer.read(MAX_BYTES + 1)
    else:
        if not os.path.exists(path):  # where pathlib raises for a name too long
            raise BadRequest(f"there is no file {path}")
        if path.is_dir():
            raise BadRequest(f"{path} is a folder: name the files in it, such as {path}/*.png")
        if path.is_file():
            return None
        with path.open("rb") as pipe:
            content = pipe.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise BadRequest(f"{argument} gives more than {MAX_BYTES / 1e6:.0f} MB: save it as a file first")
    return content


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def _check_length(num_bytes: int, name: str) -> None:
    if num_bytes > MAX_TEXT_BYTES:
        raise BadRequest(
            f"{name} is a text of {num_bytes / 1e6:.1f} MB: at most {MAX_TEXT_BYTES / 1e6:.0f} MB are read"
        )


def _decode(content: bytes, name: str) -> str:
    """UTF-8, or UTF-16 by its mark; lines end in \\n."""
    encoding = "utf-8-sig" if not content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-16"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise BadRequest(
            f"{name} begins as a text and is none in {error.encoding.upper()}: byte {error.start} is "
            f"0x{content[error.start]:02x}; convert it first (iconv -t utf-8)"
        ) from error
    if encoding == "utf-8-sig" and not is_text(content):
        raise BadRequest(f"{name} begins as a text and holds control characters further on: it is something else")
    if not text.strip():
        raise BadRequest(f"{name} holds blank space alone")
    return text.replace("\r\n", "\n")
