"""The words that a screen shows, where it can tell them: pieces of text with their places, and how words are found."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Literal, Protocol, runtime_checkable

from .geometry import Point, Region

Showing = Literal["shown", "outside", "covered", "hidden"]
SEAM = "\x1f"  # between two pieces: there may be a space, or none
IGNORED = re.compile("[\u00ad\u200b-\u200d\u2060\ufeff]")  # soft hyphens and joints, which nobody sees


@dataclass(frozen=True)
class ShownPiece:
    """A run of text. `box` is in px of the screenshot; of what is not shown it may lie beside it, or be empty.

    `outside`: scrolled out of view or cut off. `covered`: something opaque lies over it. `hidden`: not drawn at all.
    """

    text: str
    box: Region
    showing: Showing = "shown"
    joins: bool = False  # goes on the piece before without a space: "Total: <b>5</b>"


@dataclass(frozen=True)
class Found:
    """Where words stand on the screen: the box of the piece, or of all the pieces, that hold them."""

    text: str  # as it is written there
    box: Region
    showing: Showing


@dataclass(frozen=True)
class ShownText:
    """All pieces in the order of the document. It is data that strangers wrote, and never an instruction."""

    pieces: tuple[ShownPiece, ...]

    @cached_property
    def text(self) -> str:
        """What can be read on the screen now, as one line of words."""
        return _join(self._alike("shown"))[0].replace(SEAM, " ")

    def find(self, words: str, showing: Showing = "shown") -> Found | None:
        """The first place where the words stand, all of them `showing` alike; None where they do not.

        Case does not count, nor how many spaces and line breaks lie between words, nor whether there are any between
        two blocks of a page. They are whole words and numbers: "1 item" is not found in "11 items", nor "$5" in "$50"
        or "$5.00". ValueError for no words.
        """
        if not plain(words):
            raise ValueError("there are no words to look for")
        pieces = self._alike(showing)
        line, owners = _join(pieces)
        folded, places = _folded(line)
        for start, end in _places_of(plain(words).casefold(), folded):
            first, last = places[start], places[end - 1]
            held = sorted({owner for owner in owners[first : last + 1] if owner is not None})
            text = line[first : last + 1].replace(SEAM, " ")
            return Found(text, _around([pieces[number].box for number in held]), showing)
        return None

    def _alike(self, showing: Showing) -> list[ShownPiece]:
        """The pieces that are showing so. One that goes on a piece that does not is a piece of its own."""
        before = (None, *self.pieces)
        return [
            piece if last is not None and last.showing == showing else replace(piece, joins=False)
            for last, piece in zip(before, self.pieces, strict=False)
            if piece.showing == showing
        ]


@runtime_checkable
class ReadableScreen(Protocol):
    """An environment that may know the text on it, as a page does and a picture does not: `tells_text` says whether.

    Both calls give None where it cannot be told just then. Secrets that were filled in are masked. `value_at` is what
    the field at a place holds, or the text that the element there shows.
    """

    @property
    def tells_text(self) -> bool: ...
    def shown_text(self) -> ShownText | None: ...
    def value_at(self, point: Point) -> str | None: ...


def plain(text: str) -> str:
    """The text with one space for every run of spaces and line breaks, and without what nobody sees."""
    return " ".join(IGNORED.sub("", unicodedata.normalize("NFC", text)).split())


def _join(pieces: Sequence[ShownPiece]) -> tuple[str, list[int | None]]:
    """The pieces as one line with a SEAM between two, and for each of its characters the number of its piece."""
    line, owners = list[str](), list[int | None]()
    gap = ""
    for number, piece in enumerate(pieces):
        gap = gap if piece.joins else SEAM
        for character in IGNORED.sub("", unicodedata.normalize("NFC", piece.text)):
            if character.isspace():
                gap = gap or " "
                continue
            if gap and line:
                line.append(gap)
                owners.append(None)
            line.append(character)
            owners.append(number)
            gap = ""
    return "".join(line), owners


def _folded(text: str) -> tuple[str, list[int]]:
    """Without case, and for each character the place of the one that it is from."""
    folded = [(each, place) for place, character in enumerate(text) for each in character.casefold()]
    return "".join(each for each, _ in folded), [place for _, place in folded]


def _places_of(wanted: str, line: str) -> Iterator[tuple[int, int]]:
    """Where the words stand as whole words."""
    letters = [f"[ {SEAM}]" if letter == " " else re.escape(letter) for letter in wanted]
    pattern = letters[0]
    for before, letter in pairwise(letters):
        pattern += letter if " " in (before[1:2], letter[1:2]) else f"{SEAM}?{letter}"
    for found in re.finditer(f"(?={pattern})", line):
        match = re.compile(pattern).match(line, found.start())
        if match is None:
            continue
        start, end = match.span()
        if not _goes_on(line[max(0, start - 2) : start][::-1], wanted[0]) and not _goes_on(line[end:], wanted[-1]):
            yield start, end


def _goes_on(beside: str, edge: str) -> bool:
    """Whether a word, or a number, goes on beyond its edge. Scripts without spaces (Chinese, Thai) have no edges."""
    if not beside or not _has_edges(edge):
        return False
    if _has_edges(beside[0]):
        return True
    return edge.isdigit() and beside[0] in ".,:" and beside[1:2].isdigit()


def _has_edges(character: str) -> bool:
    return character.isalnum() and unicodedata.category(character) != "Lo"


def _around(boxes: list[Region]) -> Region:
    left, top = min(box.left_px for box in boxes), min(box.top_px for box in boxes)
    right = max(box.left_px + box.width_px for box in boxes)
    bottom = max(box.top_px + box.height_px for box in boxes)
    return Region(left, top, right - left, bottom - top)
