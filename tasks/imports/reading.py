"""Files of strangers, read with limits: nothing outside of what was named, nothing larger than a recording is."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, cast

import numpy as np
from PIL import Image, UnidentifiedImageError

from ...envs import Frame
from ..errors import BadRequest

Json = dict[str, Any]
MAX_JSON_BYTES = 512 * 2**20
MAX_LINE_BYTES = 32 * 2**20
MAX_PICTURE_BYTES = 64 * 2**20
MAX_PICTURE_PX = 64_000_000  # 8k screens have 33 million
MAX_ENTRIES = 100_000  # of a zip
MAX_RATIO = 1000  # unpacked to packed, of an entry above a MiB: text has at most a tenth of that


class BadPicture(ValueError):
    """A picture is missing, too large, damaged or somewhere else than it may be; the message says which."""


def read_json(path: Path) -> object:
    """BadRequest for a file that cannot be read, is too large or is not JSON."""
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise BadRequest(f"{path} has {path.stat().st_size} bytes: at most {MAX_JSON_BYTES} are read")
        return json.loads(path.read_bytes())
    except OSError as error:
        raise BadRequest(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"{path} is not JSON: {error}") from error


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Numbered from 1, empty ones left out; one that is too long comes cut, and is then no JSON. BadRequest."""
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(MAX_LINE_BYTES):
                number += 1
                while not line.endswith(b"\n") and (rest := file.readline(MAX_LINE_BYTES)):
                    line = line[:1000]
                    if rest.endswith(b"\n"):
                        break
                if line.strip():
                    yield number, line
    except OSError as error:
        raise BadRequest(f"{path} cannot be read: {error.strerror}") from error


def json_object(line: bytes) -> Json:
    """ValueError for anything but an object."""
    try:
        said: object = json.loads(line)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(said, dict):
        raise ValueError("not an object")
    return cast(Json, said)


def as_object(value: object) -> Json:
    """The value where it is an object, else an empty one."""
    return cast(Json, value) if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """The value where it is a list, else an empty one."""
    return cast(list[Any], value) if isinstance(value, list) else []


def text_of(value: object) -> str | None:
    """The value where it is a text that is not empty."""
    return value if isinstance(value, str) and value.strip() else None


def picture_beside(folders: tuple[Path, ...], name: str) -> Frame:
    """The picture of that name in one of the folders. BadPicture; a name never leads out of its folder."""
    if not name or PurePosixPath(name).is_absolute() or PureWindowsPath(name).is_absolute():
        raise BadPicture(f"{name!r} is no name of a file beside the recording")
    for folder in folders:
        path = folder / name
        try:
            if not path.is_file():
                continue
            if not path.resolve().is_relative_to(folder.resolve()):
                raise BadPicture(f"{name!r} leads out of {folder}")
            if path.stat().st_size > MAX_PICTURE_BYTES:
                raise BadPicture(f"{name!r} has {path.stat().st_size} bytes")
            return picture_of(path.read_bytes(), name)
        except OSError as error:
            raise BadPicture(f"{name!r} cannot be read: {error.strerror}") from error
    if ".." in PurePosixPath(name).parts:
        raise BadPicture(f"{name!r} leads out of the recording's folder")
    raise BadPicture(f"there is no {name!r} beside the recording")


def picture_of(content: bytes, name: str, scale: float = 1.0) -> Frame:
    """BadPicture where it is none, or larger than a screen can be."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=("PNG", "JPEG", "WEBP", "BMP", "GIF")) as image:
                if image.width * image.height > MAX_PICTURE_PX:
                    raise BadPicture(f"{name!r} is {image.width}x{image.height} px")
                return Frame(np.asarray(image.convert("RGB"), dtype=np.uint8), scale, 0.0)
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError, EOFError) as error:
        raise BadPicture(str(error) if isinstance(error, BadPicture) else f"{name!r}: {error}") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadPicture(f"{name!r} is too large to be a screenshot") from error


class Zip:
    """A zip whose entries are read into memory by name, each with a limit; nothing is unpacked."""

    def __init__(self, path: Path) -> None:
        """BadRequest for what is no zip, or one that is made to do harm."""
        try:
            self._zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile, ValueError) as error:
            raise BadRequest(f"{path} is not a zip that can be read: {error}") from error
        entries = self._zip.infolist()
        if len(entries) > MAX_ENTRIES:
            raise BadRequest(f"{path} has {len(entries)} entries: at most {MAX_ENTRIES} are read")
        for entry in entries:
            parts = PurePosixPath(entry.filename.replace("\\", "/"))
            if parts.is_absolute() or ".." in parts.parts or PureWindowsPath(entry.filename).drive:
                raise BadRequest(f"{path} has an entry that leads out of it, {entry.filename!r}: it is not read")
            if entry.file_size > 2**20 and entry.file_size > MAX_RATIO * max(entry.compress_size, 1):
                raise BadRequest(f"{path}: {entry.filename!r} unpacks {entry.file_size} bytes from a few: not read")
        self.path = path
        self.names = frozenset(entry.filename for entry in entries)

    def read(self, name: str, limit: int) -> bytes:
        """ValueError where it is missing, damaged or larger than the limit, whatever its header says."""
        try:
            with self._zip.open(name) as file:
                content = file.read(limit + 1)
        except (KeyError, OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
            raise ValueError(f"{name!r}: {error}") from error
        except Exception as error:  # zlib and lzma have errors of their own
            if type(error).__name__ not in ("error", "LZMAError"):
                raise
            raise ValueError(f"{name!r} is damaged: {error}") from error
        if len(content) > limit:
            raise ValueError(f"{name!r} has more than {limit} bytes")
        return content

    def close(self) -> None:
        self._zip.close()
