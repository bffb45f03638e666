"""Whether two parts of two frames show the same, and where in a frame a picture is seen again. numpy alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ...envs import Region
from ...envs.change import where_changed

Pixels = npt.NDArray[np.uint8]
LEVELS = 12  # of 255: antialiasing and colour management differ by less; letters that can be read by more
LEAST_ALIKE = 0.8  # correlation below which a place is not looked at
MOST_PEAKS = 48
FLAT = 2.0  # standard deviation of gray levels below which a picture is found everywhere and nowhere


class Box(NamedTuple):
    """Whole px; right and bottom are excluded."""

    left: int
    top: int
    right: int
    bottom: int

    def moved(self, dx: int, dy: int) -> Box:
        return Box(self.left + dx, self.top + dy, self.right + dx, self.bottom + dy)

    def grown(self, x_px: float, y_px: float) -> Box:
        return Box(int(self.left - x_px), int(self.top - y_px), int(self.right + x_px), int(self.bottom + y_px))

    def within(self, pixels_HW3: Pixels) -> Box:
        """The part that lies on a frame; may be empty."""
        height_px, width_px, _ = pixels_HW3.shape
        return Box(max(self.left, 0), max(self.top, 0), min(self.right, width_px), min(self.bottom, height_px))

    def holds(self, other: Box) -> bool:
        return (
            self.left <= other.left
            and self.top <= other.top
            and self.right >= other.right
            and self.bottom >= other.bottom
        )

    def of(self, pixels_HW3: Pixels) -> Pixels:
        return pixels_HW3[self.top : self.bottom, self.left : self.right]

    def meets(self, other: Box) -> bool:
        """Whether they have a px in common."""
        return max(self.left, other.left) < min(self.right, other.right) and (
            max(self.top, other.top) < min(self.bottom, other.bottom)
        )

    @property
    def area_px(self) -> int:
        return max(self.right - self.left, 0) * max(self.bottom - self.top, 0)


class Place(NamedTuple):
    """Where a picture is seen: px to the right and down of where it was, and the correlation there."""

    dx: int
    dy: int
    score: float


def box_of(region: Region) -> Box:
    """Out to whole px."""
    left, top = int(region.left_px), int(region.top_px)
    return Box(
        left, top, int(np.ceil(region.left_px + region.width_px)), int(np.ceil(region.top_px + region.height_px))
    )


def is_alike(before_HW3: Pixels, after_HW3: Pixels) -> bool:
    """Whether two pictures of one size show the same, but for a text caret or LEVELS of shade."""
    if before_HW3.shape != after_HW3.shape or not before_HW3.size:
        return False
    if np.array_equal(before_HW3, after_HW3):
        return True
    apart_HW3 = np.maximum(before_HW3, after_HW3) - np.minimum(before_HW3, after_HW3)
    if apart_HW3.max() <= LEVELS:
        return True
    return where_changed(before_HW3, after_HW3) == "no_change"


def without(pixels_HW3: Pixels, boxes: Iterable[Box]) -> Pixels:
    """The frame with boxes painted over; itself where there are none."""
    boxes = list(boxes)
    if not boxes:
        return pixels_HW3
    covered_HW3 = pixels_HW3.copy()
    for box in boxes:
        box.within(pixels_HW3).of(covered_HW3)[:] = 128
    return covered_HW3


def places_of(crop_HW3: Pixels, box: Box, frame_HW3: Pixels, *, least: float = LEAST_ALIKE) -> list[Place]:
    """Where a frame shows something like the crop that was at `box` of another one, best first.

    Zero-mean normalised cross-correlation of gray levels over the whole frame. Empty for a crop of one colour.
    """
    scores_HW = correlation(gray(frame_HW3), gray(crop_HW3))
    if scores_HW is None:
        return []
    return [Place(left - box.left, top - box.top, score) for left, top, score in _peaks(scores_HW, crop_HW3, least)]


def gray(pixels_HW3: Pixels) -> npt.NDArray[np.float32]:
    return pixels_HW3 @ np.array([0.299, 0.587, 0.114], np.float32)


def correlation(frame_HW: npt.NDArray[np.float32], crop_HW: npt.NDArray[np.float32]) -> npt.NDArray[np.float32] | None:
    """-1..1 for each place of the crop's left top corner; None where the crop is flat or larger than the frame."""
    (height, width), (rows, columns) = frame_HW.shape, crop_HW.shape
    if rows > height or columns > width or crop_HW.std() < FLAT:
        return None
    centred_HW = crop_HW - crop_HW.mean()
    frame_HW = frame_HW - frame_HW.mean()  # smaller numbers, smaller rounding
    shape = (_fast_length(height), _fast_length(width))
    spectrum = np.fft.rfft2(frame_HW, shape) * np.conj(np.fft.rfft2(centred_HW, shape))
    summed_HW = np.fft.irfft2(spectrum, shape)[: height - rows + 1, : width - columns + 1]
    size = rows * columns
    sums_HW, squares_HW = _window_sums(frame_HW, rows, columns), _window_sums(frame_HW**2, rows, columns)
    spread_HW = np.sqrt(np.maximum(squares_HW - sums_HW**2 / size, size * (FLAT / 4) ** 2))
    return (summed_HW / (spread_HW * np.sqrt((centred_HW**2).sum()))).astype(np.float32)


def _window_sums(values_HW: npt.NDArray[np.floating], rows: int, columns: int) -> npt.NDArray[np.float64]:
    """Of each window of this size, by an integral image."""
    whole = np.zeros((values_HW.shape[0] + 1, values_HW.shape[1] + 1))
    np.cumsum(np.cumsum(values_HW, axis=0, dtype=np.float64), axis=1, out=whole[1:, 1:])
    return whole[rows:, columns:] - whole[:-rows, columns:] - whole[rows:, :-columns] + whole[:-rows, :-columns]


def _fast_length(length: int) -> int:
    """The next number with no prime factor above 5: the transform is slow at large primes."""
    while True:
        rest = length
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return length
        length += 1


def _peaks(scores_HW: npt.NDArray[np.float32], crop_HW3: Pixels, least: float) -> Iterator[tuple[int, int, float]]:
    """Left, top and score of the highest places that are at least half a crop apart, best first."""
    rows, columns = crop_HW3.shape[0] // 2 or 1, crop_HW3.shape[1] // 2 or 1
    scores_HW = scores_HW.copy()
    for _ in range(MOST_PEAKS):
        top, left = divmod(int(scores_HW.argmax()), scores_HW.shape[1])
        score = float(scores_HW[top, left])
        if score < least:
            return
        yield left, top, score
        scores_HW[max(top - rows, 0) : top + rows + 1, max(left - columns, 0) : left + columns + 1] = -1
