"""How the target of an action is known again: its pixels, and hashes of them that forgive small differences."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..envs import Element, Frame, Point

AROUND = (96, 48)  # CSS px or OS points around a place of which no element is known
SMALLEST = (32, 24)  # what a small element, such as a checkbox, is grown to
LARGEST = (320, 160)  # what is kept of a large one, around the point


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """A crop of the frame before an action, around its first point. All px are of that frame."""

    x_px: float  # the point
    y_px: float
    left_px: int  # the crop: always within the frame, and never empty
    top_px: int
    width_px: int
    height_px: int
    sha256: str  # of the crop's size and pixels
    phash: str  # perceptual: the signs of 64 low frequencies, 16 hex digits
    ahash: str | None = None  # coarser: which of 8x8 places are lighter than the mean, 16 hex digits

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of the crop."""
        return self.left_px, self.top_px, self.left_px + self.width_px, self.top_px + self.height_px


def fingerprint(frame: Frame, point: Point, element: Element | None = None) -> Fingerprint:
    """Of the element's box where it holds the point, else of AROUND the point. ValueError for a point off the frame."""
    if not frame.size.holds(point):
        raise ValueError(f"({point.x_px:g}, {point.y_px:g}) px lies outside the {frame.size} px frame")
    left, top, right, bottom = _crop_box(frame, point, element)
    crop_HW3 = frame.pixels_HW3[top:bottom, left:right]
    return Fingerprint(
        x_px=point.x_px,
        y_px=point.y_px,
        left_px=left,
        top_px=top,
        width_px=right - left,
        height_px=bottom - top,
        sha256=pixels_sha256(crop_HW3),
        phash=perceptual_hash(crop_HW3),
        ahash=average_hash(crop_HW3),
    )


def pixels_sha256(pixels_HW3: npt.NDArray[np.uint8]) -> str:
    """Hex digest of size and pixels: that of a Frame which shows just these."""
    height_px, width_px, _ = pixels_HW3.shape
    digest = hashlib.sha256(f"{width_px}x{height_px}".encode())
    digest.update(np.ascontiguousarray(pixels_HW3).data)
    return digest.hexdigest()


def perceptual_hash(pixels_HW3: npt.NDArray[np.uint8]) -> str:
    """16 hex digits: which of the 8x8 lowest frequencies of a 32x32 gray version are above their median."""
    gray = _gray(pixels_HW3, 32)
    low = (_cosines() @ gray @ _cosines().T).round(3)  # equal pictures differ by no rounding
    return _hex(low > np.median(low))


def average_hash(pixels_HW3: npt.NDArray[np.uint8]) -> str:
    """16 hex digits: which places of an 8x8 gray version are lighter than their mean."""
    gray = _gray(pixels_HW3, 8)
    return _hex(gray > gray.mean())


def bits_apart(one: str, other: str) -> int:
    """How many of the 64 bits of two hashes differ: under 10 or so for the same control in another shade."""
    return (int(one, 16) ^ int(other, 16)).bit_count()


def fingerprint_from_json(obj: dict[str, Any]) -> Fingerprint:
    """What `dataclasses.asdict` made of one. KeyError or ValueError for anything else; unknown keys are left out."""
    return Fingerprint(
        x_px=float(obj["x_px"]),
        y_px=float(obj["y_px"]),
        left_px=int(obj["left_px"]),
        top_px=int(obj["top_px"]),
        width_px=int(obj["width_px"]),
        height_px=int(obj["height_px"]),
        sha256=str(obj["sha256"]),
        phash=str(obj["phash"]),
        ahash=obj.get("ahash"),
    )


def _crop_box(frame: Frame, point: Point, element: Element | None) -> tuple[int, int, int, int]:
    """Left, top, right, bottom in whole px, within the frame and with the point in it."""
    scale, size = frame.scale, frame.size
    left, top = point.x_px - AROUND[0] * scale / 2, point.y_px - AROUND[1] * scale / 2
    right, bottom = left + AROUND[0] * scale, top + AROUND[1] * scale
    if element is not None and _holds(element, point):
        left, right = _span(element.left_px, element.width_px, point.x_px, SMALLEST[0] * scale, LARGEST[0] * scale)
        top, bottom = _span(element.top_px, element.height_px, point.y_px, SMALLEST[1] * scale, LARGEST[1] * scale)
    x_px, y_px = int(point.x_px), int(point.y_px)
    return (
        min(max(round(left), 0), x_px),
        min(max(round(top), 0), y_px),
        max(min(round(right), size.width_px), x_px + 1),
        max(min(round(bottom), size.height_px), y_px + 1),
    )


def _holds(element: Element, point: Point) -> bool:
    return (
        element.left_px <= point.x_px <= element.left_px + element.width_px
        and element.top_px <= point.y_px <= element.top_px + element.height_px
    )


def _span(
    start_px: float, length_px: float, at_px: float, smallest_px: float, largest_px: float
) -> tuple[float, float]:
    """The element's own extent, grown around its middle or cut around the point."""
    if length_px > largest_px:
        low = min(max(at_px - largest_px / 2, start_px), start_px + length_px - largest_px)
        return low, low + largest_px
    grown_px = max(smallest_px - length_px, 0) / 2
    return start_px - grown_px, start_px + length_px + grown_px


def _gray(pixels_HW3: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.float64]:
    picture = Image.fromarray(np.ascontiguousarray(pixels_HW3)).convert("L")
    return np.asarray(picture.resize((side, side), Image.Resampling.BOX), dtype=np.float64)


def _hex(bits: npt.NDArray[np.bool_]) -> str:
    return np.packbits(bits.ravel()).tobytes().hex()


@cache
def _cosines() -> npt.NDArray[np.float64]:
    """The first 8 rows of the type II discrete cosine transform of 32 values."""
    frequency, place = np.arange(8)[:, None], np.arange(32)[None, :]
    return np.cos(np.pi * frequency * (2 * place + 1) / 64)
