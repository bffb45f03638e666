"""The pictures of a page: every one once, lossless, most of them as what changed since the one before."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from ...agent import StoredFrame, TrajectoryError

THUMBNAIL_PX = 240  # wide; shown at about half of that
LONGEST_CHAIN = 10  # pictures that stand on one another before a whole one begins again
LARGEST_WEBP_PX = 16383  # a side; larger pictures are kept as PNG
LOSSY_QUALITY = 82  # of those that the budget turns lossy
LARGEST_SHARE = 0.5  # of the changed pixels in their box, up to which the others are left out one by one

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How long an encoder looks for a smaller file: lossless WebP's own `method` and `quality`.

    Of 1280x720 px screens (Pillow 13, one core of a Xeon): method 1, quality 50: 33 KB, 66 ms; 0, 80: 70 KB, 19 ms;
    4, 80: 30 KB, 115 ms; a PNG of level 1: 93 KB.
    """

    method: int
    quality: int


SMALL = Effort(method=1, quality=50)
QUICK = Effort(method=0, quality=80)  # while a run goes on


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture of the page: `data` is laid over `base` at its left top corner, or is all of it where base is None.

    What is transparent in `data` is as in `base`. Without `data`, `problem` says why there is no picture.
    """

    name: str  # the frame's hash
    width_px: int  # of the whole
    height_px: int
    base: str | None = None
    left_px: int = 0
    top_px: int = 0
    data: bytes = field(default=b"", repr=False)  # WebP or PNG
    thumbnail: bytes = field(default=b"", repr=False)  # lossy WebP
    is_lossy: bool = False
    problem: str | None = None


class Packer:
    """Makes pictures of frames, in the order in which they were seen. Holds the pixels of the last one."""

    def __init__(self, effort: Effort = SMALL) -> None:
        self._effort = effort
        self._names: set[str] = set()
        self._last: tuple[str, Pixels] | None = None
        self._chain = 0

    def add(self, stored: StoredFrame) -> Picture | None:
        """The frame as a picture; None where it was added before. A damaged frame is a picture with a `problem`."""
        if stored.sha256 in self._names:
            return None
        self._names.add(stored.sha256)
        size = stored.size
        empty = Picture(name=stored.sha256, width_px=size.width_px, height_px=size.height_px)
        try:
            pixels = stored.read().pixels_HW3
        except (TrajectoryError, ValueError, Image.DecompressionBombError) as error:
            said = str(error).replace(
                f"{stored.path.parent}{os.sep}", ""
            )  # where the folder lay tells a reader nothing
            return replace(empty, problem=f"the frame cannot be shown: {said}")
        height_px, width_px, _ = pixels.shape
        whole = replace(empty, width_px=width_px, height_px=height_px, thumbnail=_thumbnail(pixels))
        last, self._last = self._last, (stored.sha256, pixels)
        self._chain += 1
        if last is not None and last[1].shape == pixels.shape and self._chain < LONGEST_CHAIN:
            left, top, crop = changed_crop(last[1], pixels)
            if crop.shape[0] * crop.shape[1] < 0.9 * height_px * width_px:
                data = encode(crop, self._effort)
                return replace(whole, base=last[0], left_px=left, top_px=top, data=data)
        self._chain = 0
        return replace(whole, data=encode(pixels, self._effort))


def changed_crop(before: Pixels, after: Pixels) -> tuple[int, int, Pixels]:
    """Left, top and the smallest part of `after` that, laid over `before`, makes it `after`; both [H, W, 3].

    The part is RGBA with transparent pixels where much of it did not change, and else RGB. At least one pixel.
    """
    changed_HW = (before != after).any(-1)
    rows, columns = changed_HW.any(1).nonzero()[0], changed_HW.any(0).nonzero()[0]
    if not len(rows):
        return 0, 0, after[:1, :1]
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    crop, is_new = after[top:bottom, left:right], changed_HW[top:bottom, left:right]
    if is_new.mean() > LARGEST_SHARE:
        return left, top, crop
    return left, top, np.dstack([np.where(is_new[..., None], crop, 0), is_new * 255]).astype(np.uint8)


def encode(pixels: Pixels, effort: Effort) -> bytes:
    """Lossless: [H, W, 3] or [H, W, 4] with transparent pixels. WebP, or PNG where WebP has no such size."""
    buffer = io.BytesIO()
    picture = Image.fromarray(pixels)
    if max(picture.size) > LARGEST_WEBP_PX:
        picture.save(buffer, "PNG", compress_level=3)
    else:
        picture.save(buffer, "WEBP", lossless=True, method=effort.method, quality=effort.quality)
    return buffer.getvalue()


def within(pictures: list[Picture], budget_bytes: int) -> list[Picture]:
    """The pictures, those whose data is the largest made lossy, one by one, until all of them fit the budget."""
    fitted = list(pictures)
    over = sum(len(picture.data) + len(picture.thumbnail) for picture in pictures) - budget_bytes
    for at in sorted(range(len(pictures)), key=lambda at: -len(pictures[at].data)):
        if over <= 0:
            break
        picture = pictures[at]
        if not picture.data or max(picture.width_px, picture.height_px) > LARGEST_WEBP_PX:
            continue
        smaller = _lossy(picture.data)
        if len(smaller) < len(picture.data):
            fitted[at] = replace(picture, data=smaller, is_lossy=True)
            over -= len(picture.data) - len(smaller)
    return fitted


def _lossy(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(data)) as picture:
        picture.save(buffer, "WEBP", quality=LOSSY_QUALITY, alpha_quality=100, method=2)
    return buffer.getvalue()


def _thumbnail(pixels: Pixels) -> bytes:
    picture = Image.fromarray(pixels)
    height_px = max(1, min(4 * THUMBNAIL_PX, round(picture.height * THUMBNAIL_PX / picture.width)))
    if picture.width > THUMBNAIL_PX:
        picture = picture.resize((THUMBNAIL_PX, height_px), Image.Resampling.BOX, reducing_gap=2.0)
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=60, method=2)
    return buffer.getvalue()
