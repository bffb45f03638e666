"""Drafts become samples: their pictures found, the convention of their boxes recognised, everything compared.

Nothing is mended on the way. A box whose corners are swapped, of no size, or off the picture is said to be so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ....envs import Size
from ..sample import Answer, GroundingSample, LeftOut, Suite
from .answers import answer_of, least_size
from .boxes import Convention
from .conventions import choose_conventions
from .fields import Draft
from .pictures import AmbiguousPicture, ForeignPicture, PictureFolder, UnreadablePicture
from .problems import Problem, ProblemKind
from .rows import RowFile

IMAGE_KEYS = ("img_filename", "file_name", "image_path", "image")
SIZES_UNKNOWN = (
    "{count} rows have neither a picture nor a size: each of their screenshots is taken for the least that has room "
    "for all its answers"
)


@dataclass(frozen=True, kw_only=True)
class Material:
    """What a reader made of a folder's files. `problems` are of rows that made no draft, and of the folder."""

    name: str
    files: Sequence[RowFile]
    drafts: Sequence[Draft]
    problems: Sequence[Problem] = ()
    cells: tuple[str, ...] = ()
    extra_files: Mapping[str, str] = field(default_factory=dict[str, str])  # read besides: name to SHA-256


@dataclass(frozen=True, kw_only=True)
class Examined:
    """What a folder holds: the suite of its good rows, and everything that is wrong, notes among it."""

    suite: Suite
    problems: tuple[Problem, ...] = ()

    @property
    def broken(self) -> tuple[Problem, ...]:
        """The problems that are no notes."""
        return tuple(problem for problem in self.problems if not problem.is_note)


@dataclass(frozen=True, kw_only=True)
class _Found:
    """The picture of a draft, and its size: the row's or, where that says none, the header's."""

    path: Path | None = None
    size: Size | None = None
    problems: tuple[Problem, ...] = ()


def assemble(
    material: Material, pictures: PictureFolder, *, needs_images: bool, decode: bool, boxes: Convention | None
) -> Examined:
    """Check everything. `boxes` overrules what the files say and what would be recognised; `decode` reads pictures
    whole."""
    drafts = material.drafts
    found = [_find(draft, pictures, needs_images, decode) for draft in drafts]
    chosen = choose_conventions([(draft, each.size) for draft, each in zip(drafts, found, strict=True)], boxes)
    problems = [*(problem for file in material.files for problem in file.problems), *material.problems]
    problems += chosen.problems
    answers: list[Answer | None] = []
    for draft, each in zip(drafts, found, strict=True):
        answer, wrong = answer_of(draft, chosen.of(draft), each.size)
        problems += [*each.problems, *wrong]
        answers.append(None if each.problems else answer)
    twice = _said_twice(drafts)
    problems += twice
    broken = {(problem.file, problem.row) for problem in problems if not problem.is_note}
    sizes, num_unknown = _sizes(drafts, found, answers)
    samples = tuple(
        GroundingSample(
            id=draft.id,
            image=each.path,
            size=size,
            instruction=draft.instruction,
            answer=answer,
            groups=draft.groups,
            image_name=_image_name(draft),
        )
        for draft, each, answer, size in zip(drafts, found, answers, sizes, strict=True)
        if answer is not None and size is not None and (draft.row.file, draft.row.number) not in broken
    )
    order = {file.name: index for index, file in enumerate(material.files)}
    in_order = sorted(problems, key=lambda problem: (order.get(problem.file, -1), problem.row or 0))
    words = [chosen.in_words, *([SIZES_UNKNOWN.format(count=num_unknown)] if num_unknown else [])]
    suite = Suite(
        name=material.name,
        samples=samples,
        files={file.name: file.sha256 for file in material.files} | dict(material.extra_files),
        boxes=chosen.names(drafts),
        convention="; ".join(filter(None, words)),
        skipped=_skipped(in_order, {sample.id for sample in samples}),
        left_out=_left_out(material, in_order),
        cells=material.cells,
    )
    return Examined(suite=suite, problems=tuple(in_order))


def _find(draft: Draft, pictures: PictureFolder, needs_images: bool, decode: bool) -> _Found:
    if (stored := draft.row.picture) is not None:
        problems = _other_size(draft, stored.size)
        if decode and stored.path is not None:
            try:
                pictures.size_of(stored.path, decode=True)
            except UnreadablePicture as error:
                problems += (draft.row.problem(ProblemKind.UNREADABLE_PICTURE, str(error), draft.id),)
        return _Found(path=stored.path, size=draft.size or stored.size, problems=problems)
    if draft.picture is None:
        wrong = draft.row.problem(ProblemKind.MISSING_PICTURE, "holds no picture and names none", draft.id)
        return _Found(size=draft.size, problems=(wrong,) if needs_images else ())
    name = draft.picture if len(draft.picture) <= 120 else f"...{draft.picture[-117:]}"
    try:
        path = pictures.find(draft.picture, draft.beside)
        if path is not None:
            seen = pictures.size_of(path, decode=decode)
            return _Found(path=path, size=draft.size or seen, problems=_other_size(draft, seen))
        kind, said = ProblemKind.MISSING_PICTURE, f"{name} is nowhere under {pictures.folder}"
    except ForeignPicture as error:
        kind, said = ProblemKind.FOREIGN_PICTURE, f"{name} {error}"
    except AmbiguousPicture as error:
        kind, said = ProblemKind.TWO_PICTURES, f"{name}: {error}"
    except UnreadablePicture as error:
        kind, said = ProblemKind.UNREADABLE_PICTURE, f"{name}: {error}"
    return _Found(size=draft.size, problems=(draft.row.problem(kind, said, draft.id),) if needs_images else ())


def _image_name(draft: Draft) -> str:
    """As the row has it; a row that holds its picture may name it too."""
    names = (draft.picture, *(draft.row.fields.get(key) for key in IMAGE_KEYS))
    return next((name for name in names if isinstance(name, str) and name), "")


def _other_size(draft: Draft, seen: Size) -> tuple[Problem, ...]:
    if draft.size in (None, seen):
        return ()
    said = f"the picture is {seen} px, its row says {draft.size}"
    return (draft.row.problem(ProblemKind.OTHER_SIZE, said, draft.id),)


def _said_twice(drafts: Sequence[Draft]) -> list[Problem]:
    problems: list[Problem] = []
    ids: dict[str, Draft] = {}
    asked: dict[tuple[str | None, str], Draft] = {}
    for draft in drafts:
        first = ids.setdefault(draft.id, draft)
        if first is not draft:
            said = f"{first.row.file}, row {first.row.number} has the same id"
            problems.append(draft.row.problem(ProblemKind.DUPLICATE_ID, said, draft.id))
        first = asked.setdefault((draft.picture, draft.instruction), draft)
        if first is not draft and draft.picture is not None:
            said = f"{first.row.file}, row {first.row.number} asks {draft.instruction!r} of the same picture"
            problems.append(draft.row.problem(ProblemKind.SAME_QUESTION, said, draft.id))
    return problems


def _sizes(
    drafts: Sequence[Draft], found: Sequence[_Found], answers: Sequence[Answer | None]
) -> tuple[list[Size | None], int]:
    """The size of each draft's screenshot, and how many are not known: those have room for all that is on them."""
    rooms: dict[str, Size] = {}
    unknown = 0
    for draft, each, answer in zip(drafts, found, answers, strict=True):
        if each.size is None and answer is not None:
            unknown += 1
            room, least = rooms.get(draft.picture or draft.id, Size(1, 1)), least_size(draft, answer)
            grown = Size(max(room.width_px, least.width_px), max(room.height_px, least.height_px))
            rooms[draft.picture or draft.id] = grown
    sizes = [each.size or rooms.get(draft.picture or draft.id) for draft, each in zip(drafts, found, strict=True)]
    return sizes, unknown


def _skipped(problems: Iterable[Problem], good: set[str]) -> tuple[str, ...]:
    """The ids of the broken rows; one that another row has too, or a row without any, is named by its place."""
    rows: dict[tuple[str, int], str] = {}
    taken = set(good)
    for problem in problems:
        if problem.row is None or problem.is_note or (problem.file, problem.row) in rows:
            continue
        place = f"{problem.file}, row {problem.row}"
        name = place if problem.id is None else f"{problem.id} ({place})" if problem.id in taken else problem.id
        taken.add(name)
        rows[problem.file, problem.row] = name
    return tuple(rows.values())


def _left_out(material: Material, problems: Iterable[Problem]) -> tuple[LeftOut, ...]:
    """Where the broken rows stand among all rows, and what they ask."""
    broken = {(each.file, each.row) for each in problems if each.row is not None and not each.is_note}
    asked = {(draft.row.file, draft.row.number): draft.instruction for draft in material.drafts}
    found: list[LeftOut] = []
    before = 0
    for file in material.files:
        raw = {row.number: row.fields.get("instruction") for row in file.rows}
        numbers = sorted({*raw, *(row for name, row in broken if name == file.name)})
        for place, number in enumerate(numbers, start=before):
            if (file.name, number) in broken:
                words = asked.get((file.name, number), raw.get(number))
                found.append(LeftOut(place=place, instruction=words.strip() if isinstance(words, str) else ""))
        before += len(numbers)
    return tuple(found)
