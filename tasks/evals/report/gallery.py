"""Which failures a page shows, and how: the place in the screenshot, the target, the point, and what was said."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ...errors import BadRequest
from ..prediction import Outcome
from ..sample import BoxAnswer, PolygonAnswer
from .rows import Row
from .thumbnails import Crop, crop_for, thumbnail

GALLERY: Final = 120  # failures at most, unless the user says otherwise
PICTURES_BYTES: Final = 8_000_000  # of all pictures together; a third more as text in the page
LARGEST_BYTES: Final = 60_000  # of one
LONGEST_RAW, LONGEST_INSTRUCTION = 6_000, 1_000  # characters shown
UNTOLD: Final = (Outcome.MISSING, Outcome.SKIPPED)  # there is least to see

Heat = Callable[[Row, Path], bytes | None]  # the whole screenshot as a heat map, PNG; None where there is none


@dataclass(frozen=True, kw_only=True)
class Card:
    """One failure. Coordinates are px of the screenshot; a crop that is all of it and no picture make a schematic."""

    number: int  # in the order of the suite
    id: str
    instruction: str
    raw: str
    error: str | None
    outcome: str
    expected: str  # "target" or "refusal"
    width_px: int
    height_px: int
    crop: Crop
    picture: str | None  # a data URI
    corners: tuple[tuple[float, float], ...]  # of the answer
    point: tuple[float, float] | None
    distance_px: float | None
    confidence: float | None
    model_s: float | None
    groups: tuple[tuple[str, str], ...]  # axis and value
    heat: str | None = field(default=None, repr=False)  # a data URI

    @property
    def unit(self) -> float:
        """Of the crop's px: one 320th of its width."""
        return self.crop.width_px / 320

    @property
    def link(self) -> tuple[float, float, float, float] | None:
        """From the point to the nearest place of the box around the answer."""
        if self.point is None or not self.corners:
            return None
        x, y = self.point
        xs, ys = [corner[0] for corner in self.corners], [corner[1] for corner in self.corners]
        return x, y, min(max(x, min(xs)), max(xs)), min(max(y, min(ys)), max(ys))

    @property
    def middle(self) -> tuple[float, float]:
        xs, ys = [corner[0] for corner in self.corners], [corner[1] for corner in self.corners]
        return (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2

    @property
    def is_small(self) -> bool:
        """Whether the target would hardly be seen without a ring around it."""
        if not self.corners:
            return False
        xs, ys = [corner[0] for corner in self.corners], [corner[1] for corner in self.corners]
        return max(max(xs) - min(xs), max(ys) - min(ys)) < 14 * self.unit


def choose(rows: Sequence[Row], limit: int) -> list[int]:
    """Indices of at most `limit` failures, in the order of the suite.

    Where there are more, they are taken from each outcome in turn, so that the rare ones are seen, and within one by
    the SHA-256 of the sample's id: the same for any run of the same suite, and no better or worse than the others.
    """
    by_outcome: dict[Outcome, list[int]] = {}
    for number, row in enumerate(rows):
        if not row.verdict.correct:
            by_outcome.setdefault(row.verdict.outcome, []).append(number)
    for numbers in by_outcome.values():
        numbers.sort(key=lambda number: hashlib.sha256(rows[number].sample.id.encode("utf-8", "replace")).digest())
    chosen: list[int] = []
    for wanted in ([each for each in Outcome if each not in UNTOLD], UNTOLD):
        queues = [by_outcome[outcome] for outcome in wanted if outcome in by_outcome]
        for turn in range(max((len(queue) for queue in queues), default=0)):
            chosen += [queue[turn] for queue in queues if turn < len(queue)]
    return sorted(chosen[: max(0, limit)])


def cards(rows: Sequence[Row], limit: int, heat: Heat | None = None) -> Iterator[Card]:
    """The chosen failures, with pictures where the suite has its images; a broken picture makes a schematic."""
    chosen = choose(rows, limit)
    share = 0.5 if heat else 1.0
    max_bytes = int(min(LARGEST_BYTES, share * PICTURES_BYTES / max(1, len(chosen))))
    for number in chosen:
        yield _card(number, rows[number], max_bytes, heat)


def _card(number: int, row: Row, max_bytes: int, heat: Heat | None) -> Card:
    sample, prediction = row.sample, row.prediction
    crop, picture, heated = crop_for(row), None, None
    if sample.image is not None:
        with suppress(BadRequest):
            picture = _picture(sample.image, crop, max_bytes)
        if heat is not None and picture is not None and (png := heat(row, sample.image)) is not None:
            heated = _heated(png, crop, max_bytes)
    if picture is None:
        crop = Crop(left_px=0, top_px=0, width_px=sample.size.width_px, height_px=sample.size.height_px)
    distance_px = row.verdict.distance_px
    return Card(
        number=number,
        id=sample.id,
        instruction=_cut(sample.instruction, LONGEST_INSTRUCTION),
        raw=_cut(prediction.raw, LONGEST_RAW),
        error=prediction.error and _cut(prediction.error, LONGEST_INSTRUCTION),
        outcome=row.verdict.outcome.value,
        expected="refusal" if row.expects_refusal else "target",
        width_px=sample.size.width_px,
        height_px=sample.size.height_px,
        crop=crop,
        picture=picture,
        heat=heated,
        corners=_corners(row),
        point=None if prediction.point is None else (prediction.point.x_px, prediction.point.y_px),
        distance_px=distance_px if distance_px is None or math.isfinite(distance_px) else None,
        confidence=prediction.confidence,
        model_s=row.model_s,
        groups=tuple((axis, value) for axis, values in sample.groups.items() for value in values),
    )


def _picture(path: Path, crop: Crop, max_bytes: int) -> str:
    from PIL import Image

    from ...pictures import read_frame

    return _uri(thumbnail(Image.fromarray(read_frame(path).pixels_HW3), crop, max_bytes))


def _heated(png: bytes, crop: Crop, max_bytes: int) -> str:
    import io

    from PIL import Image

    return _uri(thumbnail(Image.open(io.BytesIO(png)), crop, max_bytes))


def _uri(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def _corners(row: Row) -> tuple[tuple[float, float], ...]:
    match row.sample.answer:
        case BoxAnswer(left, top, right, bottom):
            return (left, top), (right, top), (right, bottom), (left, bottom)
        case PolygonAnswer(corners):
            return tuple((corner.x_px, corner.y_px) for corner in corners)
        case _:
            return ()


def _cut(text: str, longest: int) -> str:
    """Half characters, which no page may hold, are shown as question marks."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    return text if len(text) <= longest else f"{text[:longest]} ... ({len(text) - longest:,} characters more)"
