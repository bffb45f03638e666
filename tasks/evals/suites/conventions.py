"""Which convention the boxes of each file of a suite are in: said by somebody, or recognised over the whole file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ....envs import Size
from .boxes import CONTRADICTS, Convention, Four, recognise
from .fields import Draft, RawBox
from .problems import Problem, ProblemKind

ROWS_SHOWN: Final = 5  # of a file that contradict a convention
Sized = tuple[Draft, Size | None]  # a draft with the size of its screenshot, where that is known


@dataclass(frozen=True)
class Chosen:
    """The convention of each file whose rows do not say it themselves, all of it in words, and why some have none."""

    by_file: dict[str, Convention]
    override: Convention | None
    in_words: str
    problems: tuple[Problem, ...] = ()

    def names(self, drafts: Iterable[Draft]) -> str:
        """Of all that these drafts are written in, joined by "+"; of none the one that was asked for, or ""."""
        boxed = (self.of(draft) for draft in drafts if isinstance(draft.answer, RawBox))
        return "+".join(sorted({one for one in boxed if one is not None} or {one for one in (self.override,) if one}))

    def of(self, draft: Draft) -> Convention | None:
        """The convention of a draft's box; None where nobody knows."""
        said = draft.answer.convention if isinstance(draft.answer, RawBox) else None
        return self.override or said or self.by_file.get(draft.row.file)


def choose_conventions(drafts: Sequence[Sized], override: Convention | None) -> Chosen:
    """All files together are looked at first, and each by itself only where that is not clear: copies get mixed."""
    if override is not None:
        return Chosen({}, override, f"{override.value} ({override.in_words}), as was asked for")
    by_file: dict[str, list[Sized]] = {}
    named: dict[Convention, None] = {}
    for draft, size in drafts:
        if isinstance(draft.answer, RawBox):
            if draft.answer.convention is not None:
                named.setdefault(draft.answer.convention)
            else:
                by_file.setdefault(draft.row.file, []).append((draft, size))
    told = [f"{one.value} ({one.in_words}), as the layout or the file says" for one in named]
    if not by_file:
        return Chosen({}, None, "; ".join(told))
    over_all = recognise(_boxes(each for of_file in by_file.values() for each in of_file))
    if len(over_all.conventions) == 1:
        return Chosen(dict.fromkeys(by_file, over_all.conventions[0]), None, "; ".join([*told, over_all.in_words]))
    found: dict[str, Convention] = {}
    problems: list[Problem] = []
    for file, of_file in by_file.items():
        seen = recognise(_boxes(of_file))
        if len(seen.conventions) == 1:
            found[file] = seen.conventions[0]
            told.append(f"{file}: {seen.in_words}")
            continue
        if seen.conventions:
            kind = ProblemKind.TWO_CONVENTIONS
            said = f"its boxes could be {' and '.join(seen.conventions)} alike"
            told_by = "; ".join(filter(None, (_against(one, of_file) for one in seen.conventions)))
            said = f"{said}, but for {told_by}" if told_by else said
        else:
            kind = ProblemKind.NO_CONVENTION
            said = "its boxes are in no known convention"
        said = f"{said} ({seen.in_words}): say which with --boxes"
        problems.append(Problem(file=file, kind=kind, said=said))
    return Chosen(found, None, "; ".join(told), tuple(problems))


def _against(convention: Convention, drafts: Sequence[Sized]) -> str:
    """The rows that contradict a convention which is not ruled out by them."""
    contradicts = CONTRADICTS[convention]
    rows = [
        f"row {draft.row.number} ({draft.id})"
        for draft, size in drafts
        if isinstance(draft.answer, RawBox) and contradicts(draft.answer.numbers, size)
    ]
    more = f" and {len(rows) - ROWS_SHOWN} more" if len(rows) > ROWS_SHOWN else ""
    return f"{', '.join(rows[:ROWS_SHOWN])}{more}, which {convention.value} would make broken" if rows else ""


def _boxes(drafts: Iterable[Sized]) -> list[tuple[Four, Size | None]]:
    return [(draft.answer.numbers, size) for draft, size in drafts if isinstance(draft.answer, RawBox)]
