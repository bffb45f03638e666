"""Rows of the Parquet files that Hugging Face's `datasets` writes, their pictures put into a folder of ours.

A picture is a column `image`: a struct of its file's bytes and its path, the bytes alone, or a path. The bytes go to
CACHE/<first 32 hex digits of their SHA-256>.png (or .jpg ...) once, so that what asks a model has a file to open, and
two suites of the same pictures share them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, Final, cast

import platformdirs
from PIL import Image

from ....envs import MissingTool
from ...errors import BadRequest
from .pictures import StoredPicture, UnreadablePicture, picture_size
from .problems import Problem, ProblemKind
from .rows import Row, RowFile

INSTALL: Final = "pyarrow is not installed: pip install 'moonhand[data]'"
PICTURE: Final = "image"
GROUP: Final = 32  # rows whose pictures are in memory at once


def picture_cache() -> Path:
    """Where pictures out of Parquet files are kept unless somebody says where."""
    return Path(platformdirs.user_cache_dir("moonhand")) / "suite_pictures"


def read_parquet_file(path: Path, name: str, *, cache: Path | None, needs_images: bool) -> RowFile:
    """The rows of a Parquet file. Pictures are taken out only where `needs_images`. MissingTool without pyarrow."""
    try:
        from pyarrow import ArrowException, parquet  # pyright: ignore[reportMissingTypeStubs] it has none
    except ImportError as error:
        raise MissingTool(f"{path} is a Parquet file: {INSTALL}") from error
    sha256 = ""
    rows: list[Row] = []
    problems: list[Problem] = []
    try:
        with path.open("rb") as opened:
            sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
        with parquet.ParquetFile(path) as file:
            for number, fields in enumerate(_fields(file), start=1):
                try:
                    picture, fields = _without_picture(fields, cache, needs_images)
                except UnreadablePicture as error:
                    said = f"the picture in the row cannot be read: {error}"
                    kind = ProblemKind.UNREADABLE_PICTURE
                    problems.append(Problem(file=name, row=number, id=_id(fields), kind=kind, said=said))
                    continue
                rows.append(Row(file=name, number=number, fields=fields, picture=picture))
    except (OSError, ArrowException) as error:
        problems.append(Problem(file=name, kind=ProblemKind.BAD_FILE, said=f"cannot be read: {error}"))
    return RowFile(name=name, sha256=sha256, rows=tuple(rows), problems=tuple(problems))


def _fields(file: Any) -> Iterator[dict[str, Any]]:
    for batch in file.iter_batches(batch_size=GROUP):
        yield from batch.to_pylist()


def _id(fields: Mapping[str, Any]) -> str | None:
    return fields["id"] if isinstance(fields.get("id"), str) else None


def _without_picture(
    fields: dict[str, Any], cache: Path | None, needs_images: bool
) -> tuple[StoredPicture | None, dict[str, Any]]:
    """The picture, and the row with what is left of it: a name where the file gives one."""
    held: Any = fields.get(PICTURE)
    content, name = held, None
    if isinstance(held, dict):
        struct = cast(dict[str, Any], held)
        content, name = struct.get("bytes"), struct.get("path")
    if not isinstance(content, bytes):
        return None, fields | ({PICTURE: name} if isinstance(name, str) else {})
    size = picture_size(content)
    path = _stored(content, cache or picture_cache()) if needs_images else None
    return StoredPicture(path, size), fields | {PICTURE: name if isinstance(name, str) else None}


def _stored(content: bytes, cache: Path) -> Path:
    with Image.open(BytesIO(content)) as image:
        suffix = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}.get(image.format or "", "img")
    path = cache / f"{hashlib.sha256(content).hexdigest()[:32]}.{suffix}"
    if path.is_file() and path.stat().st_size == len(content):
        return path
    try:
        cache.mkdir(parents=True, exist_ok=True)
        being_written = path.with_name(f".{path.name}.{os.getpid()}")
        being_written.write_bytes(content)
        being_written.replace(path)
    except OSError as error:
        raise BadRequest(f"the pictures of the suite cannot be kept in {cache}: {error.strerror}") from error
    return path
