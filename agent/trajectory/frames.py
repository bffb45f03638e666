"""The pictures of a trajectory: each once, lossless, named by its content.

A frame that differs from a whole one of the run in a small box is kept as that box, with the name of the whole one in
it: `SHA256.crop.png`. No crop stands on another crop, and MOST_CROPS at most on one frame, so that damage stays local.
"""

from __future__ import annotations

import io
import json
import os
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from ...envs import Frame, Size
from ..errors import TrajectoryError
from .disk import write_atomically

FRAMES_FOLDER = "frames"
CROP_ENDING = ".crop.png"
CROP_KEY = "moonhand-crop"  # of the text in a crop: {"base": SHA256, "left_px": ..., "top_px": ...}
SMALLEST_PX = 200 * 200  # frames with fewer pixels are kept whole
LARGEST_SHARE = 0.25  # of a frame that a crop may hold
MOST_CROPS = 16  # on one whole frame
NUM_BASES = 2  # whole frames that a new one is compared with
OUTSIDE = "{} cannot be read as a picture: it lies outside the frame it belongs to"

Box = tuple[int, int, int, int]  # left, top, right, bottom


@dataclass(frozen=True)
class StoredFrame:
    """A frame in a trajectory's folder; `read` brings its pixels back.

    `path` is the file that is named by its content, which may hold no more than what differs from another.
    """

    path: Path
    sha256: str
    size: Size
    scale: float
    captured_at_s: float
    capture_s: float
    origin_pt: tuple[float, float] = (0.0, 0.0)

    def read(self) -> Frame:
        """The frame as it was seen. TrajectoryError where the picture is missing or damaged."""
        pixels_HW3, about = _read_png(self.path)
        if self.path.name.endswith(CROP_ENDING):
            whole_HW3, _ = _read_png(self.path.with_name(f"{_base(about, self.path)}.png"))
            left, top = int(about["left_px"]), int(about["top_px"])
            height, width, _ = pixels_HW3.shape
            pixels, whole_HW3 = pixels_HW3, whole_HW3.copy()
            if whole_HW3[top : top + height, left : left + width].shape != pixels.shape:
                raise TrajectoryError(OUTSIDE.format(self.path))
            whole_HW3[top : top + height, left : left + width] = pixels
            pixels_HW3 = whole_HW3
        return Frame(pixels_HW3, self.scale, self.captured_at_s, self.capture_s, self.origin_pt)

    def check_files(self) -> None:
        """Look at its files without decoding them.

        TrajectoryError where one is missing or damaged, or where they give no picture of this size.
        """
        size, about = _verify_png(self.path)
        if self.path.name.endswith(CROP_ENDING):
            part, (size, _) = size, _verify_png(self.path.with_name(f"{_base(about, self.path)}.png"))
            left, top = int(about["left_px"]), int(about["top_px"])
            right, bottom = left + part.width_px, top + part.height_px
            if min(left, top) < 0 or right > size.width_px or bottom > size.height_px:
                raise TrajectoryError(OUTSIDE.format(self.path))
        if size != self.size:
            raise TrajectoryError(f"{self.path} is {size} px, but its step says {self.size}")

    @property
    def missing(self) -> tuple[Path, ...]:
        """The files that are needed to read it and are not there."""
        if not self.path.exists():
            return (self.path,)
        if not self.path.name.endswith(CROP_ENDING):
            return ()
        try:
            with Image.open(self.path) as picture:
                base = self.path.with_name(f"{_base(_about(picture), self.path)}.png")
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, TrajectoryError):  # `read` tells
            return ()
        return () if base.exists() else (base,)


class FrameStore:
    """Writes frames into a trajectory's folder. OSError where the disk does not take them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FRAMES_FOLDER
        self._stored: dict[str, Path] = {}
        self._bases: deque[_Base] = deque(maxlen=NUM_BASES)

    def store(self, frame: Frame) -> StoredFrame:
        """Put the frame's picture on the disk, unless it is there already."""
        path = self._stored.get(frame.sha256) or self._write(frame)
        self._stored[frame.sha256] = path
        return StoredFrame(
            path, frame.sha256, frame.size, frame.scale, frame.captured_at_s, frame.capture_s, frame.origin_pt
        )

    def _write(self, frame: Frame) -> Path:
        path = stored_path(self._folder, frame.sha256)
        if path.exists():
            if not path.name.endswith(CROP_ENDING):
                self._bases.append(_Base(frame))
            return path
        self._folder.mkdir(parents=True, exist_ok=True)
        found = self._smallest_change(frame)
        if found is None:
            write_atomically(path, frame.to_png())
            self._bases.append(_Base(frame))
        else:
            base, box = found
            path = self._folder / f"{frame.sha256}{CROP_ENDING}"
            write_atomically(path, _crop_png(frame, base.frame, box))
            base.num_crops += 1
        return path

    def _smallest_change(self, frame: Frame) -> tuple[_Base, Box] | None:
        """The whole frame that it differs from least, and where; None where it is to be whole itself."""
        num_px = frame.size.width_px * frame.size.height_px
        fitting = [base for base in self._bases if base.frame.size == frame.size and base.num_crops < MOST_CROPS]
        if num_px < SMALLEST_PX or not fitting:
            return None
        area_px, base, box = min(((_area_px(box), base, box) for base, box in _changes(fitting, frame)), key=_first)
        return (base, box) if area_px <= LARGEST_SHARE * num_px else None


@dataclass(eq=False)
class _Base:
    """A frame that is on the disk as a whole."""

    frame: Frame
    num_crops: int = 0


def stored_path(folder: Path, sha256: str) -> Path:
    """The file of a frame in the folder of frames: its crop where there is only that."""
    whole, cropped = folder / f"{sha256}.png", folder / f"{sha256}{CROP_ENDING}"
    return cropped if not whole.exists() and cropped.exists() else whole


def share(stored: StoredFrame, folder: Path) -> None:
    """Let the picture of another trajectory stand in this one's folder too, where the disk can: it need not be made
    again. Nothing is done where it cannot, or where the picture is damaged.
    """
    needed = [stored.path]
    with suppress(OSError, SyntaxError, ValueError, Image.DecompressionBombError, TrajectoryError):
        if stored.path.name.endswith(CROP_ENDING):
            with Image.open(stored.path) as picture:
                needed.insert(0, stored.path.with_name(f"{_base(_about(picture), stored.path)}.png"))
        for path in needed:
            if not (folder / FRAMES_FOLDER / path.name).exists():
                os.link(path, folder / FRAMES_FOLDER / path.name)


def stored_to_json(stored: StoredFrame) -> dict[str, Any]:
    return {
        "sha256": stored.sha256,
        "width_px": stored.size.width_px,
        "height_px": stored.size.height_px,
        "scale": stored.scale,
        "captured_at_s": stored.captured_at_s,
        "capture_s": stored.capture_s,
        "origin_pt": list(stored.origin_pt),
    }


def stored_from_json(obj: dict[str, Any], folder: Path) -> StoredFrame:
    sha256 = str(obj["sha256"])
    if not sha256.isalnum():
        raise ValueError(f"{sha256!r} is not a hash")
    x_pt, y_pt = obj.get("origin_pt", (0, 0))
    return StoredFrame(
        stored_path(folder / FRAMES_FOLDER, sha256),
        sha256,
        Size(int(obj["width_px"]), int(obj["height_px"])),
        float(obj["scale"]),
        float(obj["captured_at_s"]),
        float(obj["capture_s"]),
        (float(x_pt), float(y_pt)),
    )


def _changes(bases: list[_Base], frame: Frame) -> list[tuple[_Base, Box]]:
    return [(base, _changed_box(base.frame, frame)) for base in bases]


def _changed_box(one: Frame, other: Frame) -> Box:
    """Everything that differs between two frames of one size; a single pixel where nothing does."""
    differs_HC = one.pixels_HW3.reshape(one.size.height_px, -1) != other.pixels_HW3.reshape(one.size.height_px, -1)
    rows = np.flatnonzero(differs_HC.any(axis=1))
    if not len(rows):
        return 0, 0, 1, 1
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    columns = np.flatnonzero(differs_HC[top:bottom].any(axis=0)) // 3
    return int(columns[0]), top, int(columns[-1]) + 1, bottom


def _area_px(box: Box) -> int:
    left, top, right, bottom = box
    return (right - left) * (bottom - top)


def _first(found: tuple[int, _Base, Box]) -> int:
    return found[0]


def _crop_png(frame: Frame, base: Frame, box: Box) -> bytes:
    left, top, right, bottom = box
    about, buffer = PngInfo(), io.BytesIO()
    about.add_text(CROP_KEY, json.dumps({"base": base.sha256, "left_px": left, "top_px": top}))
    picture = Image.fromarray(np.ascontiguousarray(frame.pixels_HW3[top:bottom, left:right]))
    picture.save(buffer, format="PNG", compress_level=6, pnginfo=about)
    return buffer.getvalue()


def _read_png(path: Path) -> tuple[np.ndarray[Any, np.dtype[np.uint8]], dict[str, Any]]:
    """Its pixels, uint8 [height, width, 3], and what is said in a crop. TrajectoryError where it is damaged."""
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("RGB"), dtype=np.uint8), _about(picture)
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise TrajectoryError(f"{path} cannot be read as a picture: {error}") from error


def _verify_png(path: Path) -> tuple[Size, dict[str, Any]]:
    """The size in its header, and what is said in a crop. TrajectoryError where its checksums are wrong."""
    try:
        with Image.open(path) as picture:
            size, about = Size(*picture.size), _about(picture)
            picture.verify()
            return size, about
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise TrajectoryError(f"{path} cannot be read as a picture: {error}") from error


def _about(picture: Image.Image) -> dict[str, Any]:
    said: object = json.loads(picture.info.get(CROP_KEY, "{}"))
    return said if isinstance(said, dict) else {}


def _base(about: dict[str, Any], path: Path) -> str:
    base = str(about.get("base", ""))
    if not base.isalnum() or not isinstance(about.get("left_px"), int) or not isinstance(about.get("top_px"), int):
        raise TrajectoryError(f"{path} cannot be read as a picture: it does not say what it is a part of")
    return base
