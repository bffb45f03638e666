"""What moonhand-nano learns from, whatever drew it: a picture, where its controls and words are, questions about it.

Sources that need a browser write their samples to a folder, one PNG a screen and a line of `samples.jsonl` each, which
is read lazily while training.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import BadRequest
from ..vocabulary import Kind

SAMPLES = "samples.jsonl"

Box = tuple[float, float, float, float]  # left, top, right, bottom, px
Asked = Literal["text", "kind", "label", "position", "icon", "nothing", "read", "list", "task"]


@dataclass(frozen=True)
class Word:
    """One word as drawn, px. `edges_px` are the places between its characters, both ends included."""

    text: str
    box: Box
    edges_px: tuple[float, ...]


@dataclass(frozen=True)
class Control:
    """Something that can be named and clicked. `parts` are all its pixels (a field's label and its input)."""

    kind: Kind
    label: str
    box: Box  # where a click counts
    point: tuple[float, float]  # where to click
    parts: tuple[Box, ...]


@dataclass(frozen=True, eq=False)
class Screen:
    """A picture (uint8 RGB) and everything on it that has a name."""

    pixels_HW3: NDArray[np.uint8] = field(repr=False)
    controls: tuple[Control, ...]
    words: tuple[Word, ...]


@dataclass(frozen=True)
class Question:
    """What is asked about a screen and what to answer.

    Where `reply` is None the answer is a click at `control.point`, or a refusal where `control` is None because nothing
    on the screen matches. Otherwise `reply` is what to say: a text that was read, `write('..')`, `press('enter')`.
    `control` is one of the screen's own objects.
    """

    instruction: str
    control: Control | None
    asked: Asked = "text"
    reply: str | None = None


Sample = tuple[Screen, tuple[Question, ...]]


def save_samples(folder: Path, samples: Iterable[tuple[Screen, Sequence[Question]]]) -> int:
    """Write samples as they come, so that what was written before an interruption is whole; returns how many."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    with (folder / SAMPLES).open("w", encoding="utf-8") as lines:
        for screen, asked in samples:
            name = f"{count:06d}.png"
            Image.fromarray(screen.pixels_HW3).save(folder / name, compress_level=3)
            lines.write(json.dumps({"picture": name, **_described(screen, asked)}) + "\n")
            lines.flush()
            count += 1
    return count


def load_samples(folder: Path) -> SampleFolder:
    """The samples of a folder, each read from disk when it is asked for. BadRequest if there are none."""
    return SampleFolder(folder)


class SampleFolder(Sequence[Sample]):
    """Samples on disk; only the lines stay in memory, a picture is read whenever its sample is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self._lines = (folder / SAMPLES).read_bytes().splitlines()
        except OSError as error:
            raise BadRequest(f"{folder} has no {SAMPLES}") from error

    def __len__(self) -> int:
        return len(self._lines)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> list[Sample]: ...
    def __getitem__(self, index: int | slice) -> Sample | list[Sample]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        try:
            return _sample(self.folder, json.loads(self._lines[index]))
        except (KeyError, TypeError, ValueError, OSError) as error:
            raise BadRequest(f"{self.folder / SAMPLES}, line {index % len(self) + 1}: {error!r}") from error


def _described(screen: Screen, asked: Sequence[Question]) -> dict[str, Any]:
    index = {id(control): number for number, control in enumerate(screen.controls)}
    return {
        "controls": [asdict(control) for control in screen.controls],
        "words": [{"text": w.text, "box": w.box, "edges_px": w.edges_px} for w in screen.words],
        "questions": [
            {"instruction": q.instruction, "control": None if q.control is None else index[id(q.control)],
             "asked": q.asked, "reply": q.reply}
            for q in asked
        ],
    }  # fmt: skip


def _sample(folder: Path, line: dict[str, Any]) -> Sample:
    controls = tuple(
        Control(c["kind"], c["label"], _box(c["box"]), (c["point"][0], c["point"][1]), tuple(map(_box, c["parts"])))
        for c in line["controls"]
    )
    words = tuple(Word(w["text"], _box(w["box"]), tuple(w["edges_px"])) for w in line["words"])
    asked = tuple(
        Question(q["instruction"], None if q["control"] is None else controls[q["control"]], q["asked"], q["reply"])
        for q in line["questions"]
    )
    with Image.open(folder / line["picture"]) as picture:
        pixels_HW3 = np.asarray(picture.convert("RGB"))
    return Screen(pixels_HW3, controls, words), asked


def _box(numbers: Sequence[float]) -> Box:
    left, top, right, bottom = numbers
    return left, top, right, bottom
