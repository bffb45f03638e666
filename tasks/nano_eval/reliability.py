"""Does confidence mean how often? Calibration error, and the picture that shows it.

The expected calibration error (Guo et al., 1706.04599) is the mean gap between confidence and accuracy over bins,
weighted by their answers. Bins of equal width are the usual form; bins of equal mass do not hide a crowded end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont

NUM_BINS = 15
Binning = Literal["width", "mass"]
Scored = tuple[float, bool]  # a confidence 0..1, and whether the answer was right

PLOT_PX, MARGIN_PX, CAPTION_PX, ZOOM = 260, 46, 44, 2
INK, GRID, BAR, GAP = (40, 40, 45), (225, 226, 230), (88, 128, 214), (236, 146, 132)


@dataclass(frozen=True)
class Bin:
    """Answers of like confidence."""

    count: int
    confidence: float  # mean
    accuracy: float


def bins_of(answers: Sequence[Scored], *, num_bins: int = NUM_BINS, binning: Binning = "mass") -> list[Bin]:
    """The bins that hold any answer, from the least confident up."""
    ordered = sorted(answers, key=lambda answer: answer[0])
    if binning == "mass":
        parts = [[ordered[at] for at in part] for part in np.array_split(np.arange(len(ordered)), num_bins)]
    else:
        parts: list[list[Scored]] = [[] for _ in range(num_bins)]
        for answer in ordered:
            parts[min(num_bins - 1, int(answer[0] * num_bins))].append(answer)
    return [_bin(part) for part in parts if part]


def calibration_error(answers: Sequence[Scored], *, num_bins: int = NUM_BINS, binning: Binning = "mass") -> float:
    """The expected calibration error, 0..1; 0 where there is no answer."""
    bins = bins_of(answers, num_bins=num_bins, binning=binning)
    return sum(each.count * abs(each.confidence - each.accuracy) for each in bins) / max(1, len(answers))


def draw_reliability(sets: Mapping[str, Sequence[Scored]]) -> Image.Image:
    """A diagram a set, side by side: bars are the accuracy of equal-width bins, red what confidence differs from it.

    A bar's depth of colour is its share of the answers. ValueError where there is no set.
    """
    if not sets:
        raise ValueError("a reliability picture needs answers")
    width_px = len(sets) * (PLOT_PX + MARGIN_PX) + MARGIN_PX // 2
    sheet = Image.new("RGB", (width_px * ZOOM, (PLOT_PX + MARGIN_PX + CAPTION_PX) * ZOOM), "white")
    for number, (name, answers) in enumerate(sets.items()):
        _draw_one(ImageDraw.Draw(sheet), (MARGIN_PX + number * (PLOT_PX + MARGIN_PX)) * ZOOM, name, answers)
    return sheet.resize((sheet.width // ZOOM, sheet.height // ZOOM), Image.Resampling.LANCZOS)


def _draw_one(pen: ImageDraw.ImageDraw, left: int, name: str, answers: Sequence[Scored]) -> None:
    side, top = PLOT_PX * ZOOM, CAPTION_PX * ZOOM
    bottom = top + side
    font = ImageFont.load_default(11 * ZOOM)
    for tenth in range(0, 11, 2):
        at = side * tenth // 10
        pen.line((left, bottom - at, left + side, bottom - at), fill=GRID, width=1)
        pen.text((left - 4 * ZOOM, bottom - at), f"{tenth / 10:g}", INK, font, anchor="rm")
        pen.text((left + at, bottom + 4 * ZOOM), f"{tenth / 10:g}", INK, font, anchor="mt")
    largest = max((each.count for each in bins_of(answers, binning="width")), default=1)
    for each in bins_of(answers, binning="width"):
        at = min(NUM_BINS - 1, int(each.confidence * NUM_BINS))
        x0, x1 = left + side * at // NUM_BINS + 1, left + side * (at + 1) // NUM_BINS - 1
        depth = 0.25 + 0.75 * (each.count / largest) ** 0.5
        accuracy, confidence = (round(bottom - side * value) for value in (each.accuracy, each.confidence))
        pen.rectangle((x0, min(accuracy, bottom - 1), x1, bottom), fill=_paled(BAR, depth))
        pen.rectangle((x0, min(accuracy, confidence), x1, max(accuracy, confidence)), outline=GAP, width=2 * ZOOM)
    pen.line((left, bottom, left + side, top), fill=INK, width=ZOOM)
    pen.rectangle((left, top, left + side, bottom), outline=INK, width=1)
    error = calibration_error(answers, binning="width")
    pen.text((left, 4 * ZOOM), name, INK, ImageFont.load_default(14 * ZOOM))
    pen.text((left, 24 * ZOOM), f"{len(answers)} answers, ECE {error:.3f}", INK, font)
    pen.text((left + side // 2, bottom + 22 * ZOOM), "confidence", INK, font, anchor="mt")


def _bin(answers: Sequence[Scored]) -> Bin:
    confidences, right = zip(*answers, strict=True)
    return Bin(len(answers), float(np.mean(confidences)), float(np.mean(right)))


def _paled(colour: tuple[int, int, int], depth: float) -> tuple[int, int, int]:
    red, green, blue = (round(255 - depth * (255 - value)) for value in colour)
    return red, green, blue
