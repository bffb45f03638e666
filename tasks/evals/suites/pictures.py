"""The screenshots of a suite: where they lie, and how large they are. Only their headers are read."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Final

from PIL import Image

from ....envs import Size

# Folders in which the published suites keep their pictures, beside their annotation files or one folder up.
PICTURE_FOLDERS: Final = ("", "images", "screenspot_imgs", "screenspotv2_image", "screenshots", "imgs")

ANNOTATION_FOLDERS: Final = ("annotations", "benchmark")  # whose suite is the folder above


@dataclass(frozen=True)
class StoredPicture:
    """A picture that was taken out of a Parquet file; `path` is None where pictures are not needed."""

    path: Path | None
    size: Size


class UnreadablePicture(Exception):
    """A picture whose header, or the whole where it was decoded, cannot be read. The message says why."""


class AmbiguousPicture(Exception):
    """Several pictures of the folder bear the name, none of them at a place where it is looked for first."""


class ForeignPicture(Exception):
    """A row's name for its picture leads out of the suite's folder: nothing there is opened."""


class PictureFolder:
    """Finds the pictures of a suite by the names that its rows give them; none at all where there is no folder."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.sizes: dict[Path, Size | UnreadablePicture] = {}
        self.found: dict[tuple[str, Path | None], Path | AmbiguousPicture | ForeignPicture | None] = {}

    def find(self, name: str, beside: Path | None = None) -> Path | None:
        """The picture, or None where there is none. `beside` is the folder of the annotation file.

        It is looked for under its name in PICTURE_FOLDERS of the suite's folder, of `beside` and of the folder above
        that, then without the first folders of its name, then by its last name anywhere below. AmbiguousPicture where
        that means several, ForeignPicture for a name that leads elsewhere and means nothing here. Of the folder above
        `beside` only its folders of pictures are looked into, unless it is the suite's or `beside` is `annotations`.
        Links that lie in these folders are followed.
        """
        key = name, beside
        if key not in self.found:
            self.found[key] = None if self.folder is None else self._find(self.folder, name, beside)
        found = self.found[key]
        if isinstance(found, AmbiguousPicture | ForeignPicture):
            raise found
        return found

    def _find(self, top: Path, name: str, beside: Path | None) -> Path | AmbiguousPicture | ForeignPicture | None:
        roots = _roots(top, beside)
        if Path(name).is_absolute():
            if not any(is_below(Path(name), root) for root in roots):
                return ForeignPicture(f"leads out of the suite's folder {top}: put the picture into it")
            return Path(name) if is_file(Path(name)) else None
        parts = PurePosixPath(name.replace("\\", "/")).parts
        for start in range(len(parts)):
            tail = Path(*parts[start:])
            stays = not tail.is_absolute() and ".." not in tail.parts
            for root in roots:
                if (stays or is_below(root / tail, root)) and is_file(path := root / tail):
                    return path
        anywhere = self._by_last_name.get(parts[-1], ()) if parts else ()
        if len(anywhere) > 1:
            return AmbiguousPicture(f"{anywhere[0]} and {anywhere[1]} both bear the name")
        if not anywhere and ".." in parts:
            return ForeignPicture(f"leads out of the suite's folder {top}, or is not there: put the picture into it")
        return anywhere[0] if anywhere else None

    @cached_property
    def _by_last_name(self) -> dict[str, list[Path]]:
        names: dict[str, list[Path]] = {}
        for path in () if self.folder is None else _files(self.folder):
            names.setdefault(path.name, []).append(path)
        return names

    def size_of(self, path: Path, *, decode: bool = False) -> Size:
        """UnreadablePicture where its header, or with `decode` any part of it, cannot be read."""
        if path not in self.sizes:
            try:
                self.sizes[path] = picture_size(path, decode=decode)
            except UnreadablePicture as error:
                self.sizes[path] = error
        known = self.sizes[path]
        if isinstance(known, UnreadablePicture):
            raise known
        return known


def _roots(top: Path, beside: Path | None) -> tuple[Path, ...]:
    """The folders that names are looked for in, in this order."""
    roots = [top / folder for folder in PICTURE_FOLDERS]
    if beside is not None:
        roots += [beside / folder for folder in PICTURE_FOLDERS]
        whole = beside.name in ANNOTATION_FOLDERS or is_below(beside.parent, top)
        roots += [beside.parent / folder for folder in PICTURE_FOLDERS if folder or whole]
    return tuple(dict.fromkeys(roots))


def is_below(path: Path, folder: Path) -> bool:
    """Whether a path lies in a folder as it is written, `..` taken away: links are not looked at."""
    return Path(os.path.abspath(path)).is_relative_to(os.path.abspath(folder))


def is_file(path: Path) -> bool:
    """False as well for what can be no name of a file, such as one too long."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def picture_size(picture: Path | bytes, *, decode: bool = False) -> Size:
    """The size in a picture's header. UnreadablePicture where there is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(BytesIO(picture) if isinstance(picture, bytes) else picture) as image:
                if decode:
                    image.load()
                return Size(*image.size)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UnreadablePicture(str(error)) from error


def _files(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(place) / name for name in sorted(names))
