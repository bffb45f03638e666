"""What nano is compared with: read all text of a screenshot, then take the place most like what was asked for.

The reader is the package `rapidocr` (extra `ocr`; Apache-2.0) with the models inside its wheel, on the CPU: nothing is
downloaded. Places are whole lines and runs of words within a line, whose boxes are in proportion to their characters.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...envs import Point, Region
from ..errors import BadRequest

LEAST_ALIKE = 0.5  # below this share of common characters nothing on the screen is taken to be meant


@dataclass(frozen=True)
class Line:
    """A line of text as read, and its box in px."""

    text: str
    box: Region


def require_packages(*names: str) -> None:
    """BadRequest, with the command that mends it, where one of these cannot be imported."""
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise BadRequest(f"{' and '.join(missing)} not installed: run `pip install {' '.join(names)}`")


class TextReader:
    """An OCR engine, loaded once."""

    def __init__(self) -> None:
        """BadRequest where the packages are not installed."""
        require_packages("rapidocr", "onnxruntime")
        # Screens are upright: leaving out the model that turns lines makes the reader faster.
        quiet = {"Global.log_level": "error", "Global.use_cls": False}
        self._engine: Any = import_module("rapidocr").RapidOCR(params=quiet)
        self.read(np.full((64, 256, 3), 255, np.uint8))  # its models load with the first picture

    def read(self, pixels_HW3: NDArray[np.uint8]) -> list[Line]:
        """All lines of a uint8 RGB picture."""
        found = self._engine(np.ascontiguousarray(pixels_HW3[:, :, ::-1]))
        if found.boxes is None or found.txts is None:
            return []
        lines: list[Line] = []
        for corners, text in zip(found.boxes, found.txts, strict=True):
            (left_px, top_px), (right_px, bottom_px) = np.min(corners, 0).tolist(), np.max(corners, 0).tolist()
            lines.append(Line(str(text), Region(left_px, top_px, right_px - left_px, bottom_px - top_px)))
        return lines


@dataclass(frozen=True, kw_only=True)
class Found:
    """Where a text was found and how alike it was; no point where nothing was alike enough."""

    point: Point | None
    alike: float
    match_s: float


def find_text(lines: Sequence[Line], wanted: str) -> Found:
    """The middle of the place most like `wanted`, whatever the case of its letters; the first of equals."""
    started_s = time.perf_counter()
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(_folded(wanted))
    best, alike = None, 0.0
    for text, box in _places(lines, len(wanted.split())):
        matcher.set_seq1(_folded(text))
        if matcher.real_quick_ratio() <= alike or matcher.quick_ratio() <= alike:
            continue
        ratio = matcher.ratio()
        if ratio > alike:
            best, alike = box, ratio
    point = None
    if best is not None and alike >= LEAST_ALIKE:
        point = Point(best.left_px + best.width_px / 2, best.top_px + best.height_px / 2)
    return Found(point=point, alike=alike, match_s=time.perf_counter() - started_s)


def _places(lines: Sequence[Line], num_words: int) -> Iterator[tuple[str, Region]]:
    """Every line, and every run of so many words within one."""
    for line in lines:
        yield line.text, line.box
        words = line.text.split()
        if len(words) <= num_words:
            continue
        starts: list[int] = []
        at = 0
        for word in words:
            starts.append(line.text.index(word, at))
            at = starts[-1] + len(word)
        for first in range(len(words) - num_words + 1):
            last = first + num_words - 1
            start, end = starts[first], starts[last] + len(words[last])
            character_px = line.box.width_px / len(line.text)
            left_px, width_px = line.box.left_px + start * character_px, (end - start) * character_px
            yield line.text[start:end], Region(left_px, line.box.top_px, width_px, line.box.height_px)


def _folded(text: str) -> str:
    return " ".join(text.lower().split())
