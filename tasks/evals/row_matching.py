"""Which sample of a suite a row of a foreign file of predictions answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any, Final, cast

from ..errors import BadRequest
from .prediction_rows import Row
from .row_places import answers_beside_box
from .sample import BoxAnswer, GroundingSample, Suite
from .suites.screenspot_pro import is_log_row, log_id

IDS: Final = ("id", "sample_id", "uid", "question_id")
IMAGES: Final = ("img_path", "img_filename", "image_path", "image", "file_name", "filename", "image_name")
WORDS: Final = ("prompt_to_evaluate", "instruction", "prompt", "question")
BOXES: Final = ("bbox", "gt_bbox", "box", "target")
NEAR_PX: Final = 1.0  # a box that was written in shares and brought back
NAME_CHARS: Final = 1024  # longer is a picture as text
SHOWN: Final = 5  # names in a message


def match_rows(rows: Sequence[Row], suite: Suite, source: str) -> tuple[list[GroundingSample | None], str]:
    """The sample of each row, None for one that the suite left out, and in words how they were found.

    By id; else by instruction with the image's name and box, as far as row and suite have them; else by order, where
    there are as many rows as samples. BadRequest for rows that fit no sample, or several, and for two rows about one
    sample.
    """
    found, how = (
        _by_id(rows, suite, source)
        or _by_log_id(rows, suite)
        or _by_question(rows, suite, source)
        or _by_order(rows, suite, source)
    )
    seen: dict[str, Row] = {}
    twice: dict[str, list[str]] = {}
    for row, sample in zip(rows, found, strict=True):
        if sample is not None and sample.id in seen:
            twice.setdefault(sample.id, [seen[sample.id].where]).append(row.where)
        elif sample is not None:
            seen[sample.id] = row
    if twice:
        told = "; ".join(f"{key} in {' and '.join(places)}" for key, places in list(twice.items())[:SHOWN])
        raise BadRequest(
            f"{source}: {_several(twice, 'sample has', 'samples have')} more than one row: {told}: leave one of each"
        )
    return found, how


Found = tuple[list[GroundingSample | None], str]


def _by_id(rows: Sequence[Row], suite: Suite, source: str) -> Found | None:
    """None where the rows have no ids, or ids of their own while they tell more.

    Ids are of their own where the suite shares none of them, or where a row asks what only another sample asks.
    """
    keys = [_first(row.values, IDS) for row in rows]
    if all(key is None for key in keys):
        return None
    samples = {sample.id: sample for sample in suite.samples}
    skipped = set(suite.skipped)
    if without := [row.where for row, key in zip(rows, keys, strict=True) if key is None]:
        raise BadRequest(f"{source}: {_several(without, 'row has', 'rows have')} no id: {_some(without)}")
    ids = [str(key) for key in keys]
    unknown = [key for key in ids if key not in samples and key not in skipped]
    if unknown:
        if len(unknown) == len(ids) and all(_first(_question(row), WORDS) is not None for row in rows):
            return None
        raise BadRequest(
            f"{source}: {_several(unknown, 'row has an id', 'rows have ids')} that {suite.name} does not know: "
            f"{_some(unknown)}; its ids look like {_some([sample.id for sample in suite.samples][:2])}"
        )
    found = [samples.get(key) for key in ids]
    if crossed := _crossed(rows, found, suite):
        if all(_first(_question(row), WORDS) is not None for row in rows):
            return None
        raise BadRequest(
            f"{source}: {_several(crossed, 'row has', 'rows have')} the id of one sample and the instruction of "
            f"another: {_some(crossed)}: their ids are not those of {suite.name}"
        )
    if crossed := _elsewhere(rows, found, suite):
        if all(_first(_question(row), WORDS) is not None for row in rows):
            return None
        raise BadRequest(
            f"{source}: {_several(crossed, 'row has', 'rows have')} the id of one sample and the picture of another: "
            f"{_some(crossed)}: their ids are not those of {suite.name}"
        )
    return found, "rows were matched by id"


def _crossed(rows: Sequence[Row], found: Sequence[GroundingSample | None], suite: Suite) -> list[str]:
    """Rows whose instruction is not their sample's, and exactly that of another one."""
    asked = {sample.instruction.strip() for sample in suite.samples}
    return [
        f"{row.where} ({_words(row)[:40]!r})"
        for row, sample in zip(rows, found, strict=True)
        if sample is not None and _words(row) in asked and _words(row) != sample.instruction.strip()
    ]


def _elsewhere(rows: Sequence[Row], found: Sequence[GroundingSample | None], suite: Suite) -> list[str]:
    """Rows that name a picture which is not their sample's, and is another one's."""
    names = {_tail(sample.image_name)[0] for sample in suite.samples if sample.image_name}
    told: list[str] = []
    for row, sample in zip(rows, found, strict=True):
        name = _picture(row)
        if sample is not None and name is not None and _tail(name)[0] in names and not _on_picture(name, [sample]):
            told.append(f"{row.where} ({_tail(name)[0]})")
    return told


def _by_log_id(rows: Sequence[Row], suite: Suite) -> Found | None:
    """Of a suite that was read from such a log: each row is its sample's, and asks the same of the same box."""
    if not all(is_log_row(row.values) for row in rows):
        return None
    samples = {sample.id: sample for sample in suite.samples}
    found = [samples.get(log_id(row.values, number)) for number, row in enumerate(rows)]
    for row, sample in zip(rows, found, strict=True):
        if sample is None or not _asks(row, sample):
            return None
    return list(found), "rows were matched by task and number, and ask the same"


def _by_question(rows: Sequence[Row], suite: Suite, source: str) -> Found | None:
    """None where the rows have no instruction."""
    if any(_first(_question(row), WORDS) is None for row in rows):
        return None
    asked: dict[str, list[GroundingSample]] = defaultdict(list)
    for sample in suite.samples:
        asked[sample.instruction.strip()].append(sample)
    for whole in (suite.samples, suite.rows):
        if len(rows) == len(whole) and all(
            sample is None or any(each.id == sample.id for each in _fits(row, asked.get(_words(row), [])))
            for row, sample in zip(rows, whole, strict=True)
        ):
            return list(whole), "rows were matched by their order, and ask the same"
    left_out = {row.instruction for row in suite.left_out} if suite.skipped else set[str]()
    found: list[GroundingSample | None] = []
    unknown: list[str] = []
    taken: set[str] = set()
    for row in rows:
        fits = _fits(row, asked.get(_words(row), []))
        if len(fits) > 1 and len({(each.answer, each.size) for each in fits}) == 1:
            fits = [each for each in fits if each.id not in taken][:1] or fits[:1]  # one verdict, whichever it is
        if len(fits) > 1:
            raise BadRequest(
                f"{row.where}: it fits {len(fits)} samples of {suite.name}, {_some([each.id for each in fits])}: give "
                "rows their ids"
            )
        if _words(row) in left_out and all(each.id in taken for each in fits):
            found.append(None)
        elif fits:
            found.append(fits[0])
            taken.add(fits[0].id)
        else:
            unknown.append(f"{row.where} ({_words(row)[:40]!r})")
    if unknown:
        raise BadRequest(
            f"{source}: {_several(unknown, 'row fits', 'rows fit')} no sample of {suite.name} by image, instruction "
            f"and box: {_some(unknown)}: is it the same version of the suite?"
        )
    return found, "rows were matched by image, instruction and box"


def _by_order(rows: Sequence[Row], suite: Suite, source: str) -> Found:
    """By lmms-eval's `doc_id` where it counts the rows, else as they stand."""
    whole = next((each for each in (suite.samples, suite.rows) if len(each) == len(rows)), None)
    if whole is None:
        raise BadRequest(
            f"{source}: its rows have neither an id nor an instruction, and can be matched by order alone: but there "
            f"are {len(rows)} of them, and {suite.name} has {len(suite.samples)} samples. Give each row the id of its "
            "sample"
        )
    numbers = [row.values.get("doc_id") for row in rows]
    if all(isinstance(number, int) for number in numbers) and set(numbers) == set(range(len(rows))):
        return [whole[cast(int, number)] for number in numbers], "rows were matched BY THEIR ORDER, of doc_id"
    if elsewhere := _elsewhere(rows, whole, suite):
        raise BadRequest(
            f"{source}: its rows have neither an id nor an instruction, and in the order of {suite.name} "
            f"{_several(elsewhere, 'row names', 'rows name')} another sample's picture: {_some(elsewhere)}. Give each "
            "row the id of its sample"
        )
    return list(whole), "rows have neither ids nor instructions: they were matched BY THEIR ORDER"


def _question(row: Row) -> dict[str, Any]:
    """Where the row tells what was asked: itself, or lmms-eval's `doc`."""
    doc = row.values.get("doc")
    return cast(dict[str, Any], doc) if isinstance(doc, dict) else row.values


def _words(row: Row) -> str:
    """What the row was asked."""
    return str(_first(_question(row), WORDS)).strip()


def _asks(row: Row, sample: GroundingSample) -> bool:
    return _words(row) == sample.instruction.strip() and bool(_fits(row, [sample]))


def _fits(row: Row, fits: list[GroundingSample]) -> list[GroundingSample]:
    """Those of the samples on that image and with that box: a box that none of them has fits none."""
    question = _question(row)
    with_box = "doc" in row.values or answers_beside_box(row.values)
    name = _picture(row)
    if name is not None:
        fits = _on_picture(name, fits)
    numbers = four_numbers(_first(question, BOXES)) if with_box else None
    if numbers is not None:
        fits = [each for each in fits if not isinstance(each.answer, BoxAnswer) or same_box(numbers, each)]
    return fits


def _picture(row: Row) -> str | None:
    """The name of the row's picture; not its bytes as text."""
    image = _first(_question(row), IMAGES)
    return image if isinstance(image, str) and 0 < len(image) <= NAME_CHARS else None


def _on_picture(name: str, samples: list[GroundingSample]) -> list[GroundingSample]:
    """Those whose picture bears the name: of several in other folders those with most folders in common."""
    tail = _tail(name)
    unnamed = [each for each in samples if not each.image_name]
    common = {each.id: _num_common(tail, _tail(each.image_name)) for each in samples if each.image_name}
    most = max(common.values(), default=0)
    return [each for each in samples if most and common.get(each.id) == most] + unnamed


def _tail(name: str) -> tuple[str, ...]:
    """The parts of a path, its last one first."""
    return PurePosixPath(name.replace("\\", "/")).parts[::-1] or ("",)


def _num_common(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def same_box(box: tuple[float, float, float, float], sample: GroundingSample) -> bool:
    """In any way that boxes of suites are written: corners, or corner with width and height; px or shares."""
    answer, a, b, c, d = sample.answer, *box
    if not isinstance(answer, BoxAnswer):
        return False
    width_px, height_px = sample.size.width_px, sample.size.height_px
    ours = (answer.left_px, answer.top_px, answer.right_px, answer.bottom_px)
    for left, top, right, bottom in ((a, b, c, d), (a, b, a + c, b + d)):
        for x_px, y_px in ((1, 1), (width_px, height_px)):
            theirs = (left * x_px, top * y_px, right * x_px, bottom * y_px)
            if all(abs(one - other) <= NEAR_PX for one, other in zip(ours, theirs, strict=True)):
                return True
    return False


def four_numbers(box: Any) -> tuple[float, float, float, float] | None:
    """Of a box that is written as a list; None for anything else."""
    if isinstance(box, list) and len(cast(list[Any], box)) == 4:
        a, b, c, d = cast(list[Any], box)
        if all(isinstance(each, int | float) for each in (a, b, c, d)):
            return a, b, c, d
    return None


def _first(values: dict[str, Any], keys: Iterable[str]) -> Any:
    return next((values[key] for key in keys if values.get(key) is not None), None)


def _several(things: Iterable[object], one: str, more: str) -> str:
    num = len(list(things))
    return f"1 {one}" if num == 1 else f"{num} {more}"


def _some(names: Sequence[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
