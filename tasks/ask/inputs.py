"""What a question is about: texts, and views that are pictures once they are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from ...envs import EnvError

Kind = Literal["text", "picture", "pdf", "video", "animation"]
Pixels: TypeAlias = npt.NDArray[np.uint8]

MAX_PICTURES = 256  # of one question: as many as the published checkpoints were served with
MAX_PICTURE_PX = 89_478_485  # of one picture, by its header: where Pillow begins to warn of bombs
MAX_TEXT_BYTES = 16_000_000  # of one text: several times what 131,072 tokens hold


class MissingExtra(EnvError):
    """A package that is installed with an extra is not there."""


@dataclass(frozen=True, kw_only=True)
class View:
    """One picture of an input, as large as it is to be read."""

    width_px: int
    height_px: int
    page: int | None = None  # from 1
    at_s: Fraction | None = None  # in its film, from the first frame on

    @property
    def timestamp(self) -> str:
        """HH:MM:SS.mmm, as the family writes it before a part of a film; empty for what is in none."""
        if self.at_s is None:
            return ""
        seconds, ms = divmod(floor(self.at_s * 1000), 1000)
        return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{ms:03d}"


Read: TypeAlias = Callable[[Sequence[View]], Sequence[Pixels]]


def read_nothing(views: Sequence[View]) -> Sequence[Pixels]:
    return ()


@dataclass(frozen=True, kw_only=True)
class Input:
    """One argument, looked through. `read` gives the pixels of some of its views, each of the view's size."""

    path: str  # as it was given
    name: str  # what it is called in the prompt
    kind: Kind
    text: str = ""
    views: tuple[View, ...] = ()
    total: int | None = None  # pages or frames there are
    dpi: float | None = None  # of pages
    notes: tuple[str, ...] = ()  # what people should know of how it is shown
    read: Read = field(default=read_nothing, repr=False)


def parts_of(inputs: Sequence[Input]) -> list[str | View]:
    """What stands in the prompt before the question, in the order of the arguments.

    Pictures alone come without a word, as the published examples have them; pages and texts are named, and so is
    everything where kinds are mixed. Every frame comes behind its timestamp.
    """
    only_pictures = all(each.kind == "picture" for each in inputs)
    parts: list[str | View] = []
    for each in inputs:
        if each.kind == "text":
            parts.append(f"{each.name}:\n{each.text.strip()}\n\n")
        elif each.kind == "pdf":
            for view in each.views:
                parts += [f"{each.name}, page {view.page}:", view]
        else:
            if not only_pictures and len(inputs) > 1:
                parts.append(f"{each.name}:")
            for view in each.views:
                parts += [view.timestamp, view] if view.timestamp else [view]
    return parts
