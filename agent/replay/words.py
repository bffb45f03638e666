"""The words on a screen, read by the package `rapidocr` (extra `ocr`) where it is installed."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from .alike import Box, Pixels

SURE = 0.9  # of the reader


class Line(NamedTuple):
    text: str  # lower case, single spaces
    box: Box


Reader = Callable[[Pixels], list[Line]]


def load_reader() -> Reader | None:
    """None where the packages are not installed. Takes a second, and reads a frame in about one."""
    if find_spec("rapidocr") is None or find_spec("onnxruntime") is None:
        return None
    engine: Any = import_module("rapidocr").RapidOCR(params={"Global.log_level": "error", "Global.use_cls": False})

    def read(pixels_HW3: Pixels) -> list[Line]:
        found = engine(np.ascontiguousarray(pixels_HW3[:, :, ::-1]))
        if found.boxes is None or found.txts is None:
            return []
        lines: list[Line] = []
        for corners, text, sure in zip(found.boxes, found.txts, found.scores, strict=True):
            (left, top), (right, bottom) = np.min(corners, 0).tolist(), np.max(corners, 0).tolist()
            if sure >= SURE:
                lines.append(Line(folded(str(text)), Box(int(left), int(top), int(right) + 1, int(bottom) + 1)))
        return lines

    return read


def folded(text: str) -> str:
    return " ".join(text.lower().split())


def only_line(lines: list[Line], text: str) -> Line | None:
    """The line that says just this; None where none does, or more than one."""
    found = [line for line in lines if line.text == folded(text)]
    return found[0] if len(found) == 1 else None
