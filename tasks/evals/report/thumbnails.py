"""Pictures of a gallery: the part of a screenshot around target and point, small and lossy."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .rows import Row

if TYPE_CHECKING:
    from PIL.Image import Image

WIDTH_PX, HEIGHT_PX = 640, 400  # of a picture at most; shown at about half of that
AROUND = 2.2  # the part shown is so many times as large as what it is shown for, and never less than LEAST_PX
LEAST_PX = 320  # wide
QUALITIES = (72, 55, 38, 24)  # of JPEG: the first that fits


@dataclass(frozen=True, kw_only=True)
class Crop:
    """A part of a screenshot, in its whole px."""

    left_px: int
    top_px: int
    width_px: int
    height_px: int


def crop_for(row: Row) -> Crop:
    """Around the target and the point; the whole screenshot where there is neither, or they lie far apart."""
    size, box = row.sample.size, row.box
    point = row.prediction.point
    xs = [x for x in (box and box.left_px, box and box.right_px, point and point.x_px) if x is not None]
    ys = [y for y in (box and box.top_px, box and box.bottom_px, point and point.y_px) if y is not None]
    whole = Crop(left_px=0, top_px=0, width_px=size.width_px, height_px=size.height_px)
    if not xs:
        return whole
    xs, ys = [_clamped(x, size.width_px) for x in xs], [_clamped(y, size.height_px) for y in ys]
    width = max(LEAST_PX, AROUND * (max(xs) - min(xs)), AROUND * (max(ys) - min(ys)) * WIDTH_PX / HEIGHT_PX)
    height = width * HEIGHT_PX / WIDTH_PX
    if width >= 0.8 * size.width_px or height >= 0.8 * size.height_px:
        return whole
    left = _clamped((max(xs) + min(xs) - width) / 2, size.width_px - width)
    top = _clamped((max(ys) + min(ys) - height) / 2, size.height_px - height)
    return Crop(left_px=int(left), top_px=int(top), width_px=int(width), height_px=int(height))


def thumbnail(picture: Image, crop: Crop, max_bytes: int) -> bytes:
    """The part as a JPEG of at most so many bytes, or of the worst quality there is."""
    from PIL import Image as Images

    box = (crop.left_px, crop.top_px, crop.left_px + crop.width_px, crop.top_px + crop.height_px)
    part = picture.crop(box).convert("RGB")
    part.thumbnail((WIDTH_PX, HEIGHT_PX), Images.Resampling.LANCZOS)
    data = b""
    for quality in QUALITIES:
        buffer = io.BytesIO()
        part.save(buffer, format="JPEG", quality=quality, optimize=True)
        data = buffer.getvalue()
        if len(data) <= max_bytes:
            break
    return data


def _clamped(value: float, high: float) -> float:
    return min(max(value, 0.0), max(high, 0.0))
