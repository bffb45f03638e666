"""Predictions that other programs wrote: rows with points, with predicted boxes, or with a model's raw replies."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from ...envs import Point, Refuse, action_points
from ..errors import BadRequest
from .coordinates import Space, space_of, to_px
from .prediction import Failure, Prediction
from .prediction_rows import Row
from .row_matching import four_numbers, match_rows, same_box
from .row_places import (
    PLAIN_BOXES,
    PREDICTED_BOXES,
    Places,
    Refused,
    Reply,
    Said,
    answers_beside_box,
    reply_of,
    said_in,
)
from .sample import BoxAnswer, GroundingSample, Suite
from .screen_sizes import sizes_known

if TYPE_CHECKING:
    from ...agent.dialects import Dialect

Take = Literal["first", "last"]
_MIN_COPIES: Final = 5  # predicted boxes that are all the suite's own are its annotations
MANY: Final = 2**53  # tokens: beyond it a float is no count
_SHARE_COPIES: Final = 0.9  # and so are those of which a few were changed
_OF_ANNOTATIONS: Final = frozenset(("img_size", "image_size", "data_type", "data_source", "ui_type", "box_type"))
_START: Final = re.compile(r"[(\[<{]|(?<![\w(])x1?\s?[=:]", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a foreign file is to be read."""

    dialect: str | None = None  # of raw replies
    coordinates: Space | None = None  # of points; None: recognised where there is one reading
    take: Take = "first"  # of several points in one row


def read_foreign(
    rows: Sequence[Row], suite: Suite, reading: Reading, source: str
) -> tuple[dict[str, Prediction], list[str]]:
    """By the ids of the samples, and in words how they were read. BadRequest where they cannot be.

    Of several points the first counts, as `locate` takes the first action of a reply that has a place or refuses, or
    the last where asked. (-1, -1) is a refusal, as in OSWorld-G's prompts, whatever the numbers count.
    """
    samples, how = match_rows(rows, suite, source)
    notes = [how]
    kept = [(row, sample) for row, sample in zip(rows, samples, strict=True) if sample is not None]
    said = [(row, sample, _said(row, reading)) for row, sample in kept]
    notes += _if_annotations(said, source)
    points = [
        (_taken(told.points, reading.take), sample.size)
        for _, sample, told in said
        if isinstance(told, Places) and told.points and not told.are_px
    ]
    placed = [(point, size) for point, size in points if point != (-1.0, -1.0)]
    harness = all(_of_harness(row) for row, _ in kept) and reading.coordinates is None
    if harness and placed and not all(0 <= number <= 1 for point, _ in placed for number in point):
        space, why = Space.PX, f"coordinates are {Space.PX.words}, as ScreenSpot-Pro's scorer logs them"
    else:
        space, why = space_of(placed, reading.coordinates, source)
    if placed or reading.coordinates is not None:
        notes.append(why)
    in_words = any(isinstance(told, Reply) for *_, told in said)
    if not sizes_known(suite) and (in_words or (placed and space is not Space.PX)):
        counted = "replies, which may count shares," if in_words else space.words
        raise BadRequest(
            f"{source}: {counted} have no place in px, as {suite.name} does not say how large its screenshots are: put "
            "the pictures beside the annotations, or take annotations with sizes"
        )
    if any(isinstance(told, Places) and len(told.points) > 1 for *_, told in said):
        notes.append(f"of several points in a row the {reading.take} counts")
    dialect = _dialect(reading.dialect, [row for row, _, told in said if isinstance(told, Reply)])
    if dialect is not None and in_words:
        notes.append(f"replies were read as {dialect.name}; of several places in a reply the {reading.take} counts")
    predictions = {
        sample.id: _prediction(row, sample, told, space, dialect, reading.take) for row, sample, told in said
    }
    notes += _stored(kept, predictions)
    return predictions, notes


def _said(row: Row, reading: Reading) -> Said:
    told = said_in(row.values, text_first=reading.dialect is not None)
    if told is None:
        raise BadRequest(
            f"{row.where}: no prediction in it (its keys are {', '.join(list(row.values)[:12]) or 'none'}): give a "
            "point as x and y, point, pred or click, a box as bbox, or a reply as raw or response"
        )
    correct = row.values.get("correctness")
    if _of_harness(row) and row.values.get("gt_type") == "negative":  # its log keeps the verdict, not the answer
        return Refused() if correct == "correct" else Places((), problem="no refusal") if correct else told
    return told


def _of_harness(row: Row) -> bool:
    return {"correctness", "pred", "gt_type"} <= row.values.keys()


def _taken(points: tuple[tuple[float, float], ...], take: Take) -> tuple[float, float]:
    return points[0] if take == "first" else points[-1]


def _dialect(name: str | None, replies: list[Row]) -> Dialect | None:
    if name is None and not replies:
        return None
    from ...agent.dialects import DIALECTS

    if name is None:
        raise BadRequest(
            f"{replies[0].where}: the reply has to be read: say how it is written with --dialect, one of "
            f"{', '.join(DIALECTS)}"
        )
    if name not in DIALECTS:
        raise BadRequest(f"--dialect {name!r} is none of {', '.join(DIALECTS)}")
    return DIALECTS[name]


def _prediction(
    row: Row, sample: GroundingSample, told: Said, space: Space, dialect: Dialect | None, take: Take
) -> Prediction:
    raw, values = reply_of(row.values), row.values
    if raw is None:
        told_by = values.get("raw_response")
        raw = "" if told_by is None else json.dumps(told_by, ensure_ascii=False)
    tokens = {key: count_of(values.get(key)) for key in ("prompt_tokens", "generated_tokens")}
    point, refused, problem = None, False, None
    match told:
        case Refused():
            refused = True
        case Reply(text) if dialect is not None:
            point, refused, problem = read_reply(text, sample, dialect, take)
        case Places(points, are_px, problem) if points:
            point, problem = None, None
            x, y = _taken(points, take)
            if (x, y) == (-1.0, -1.0):
                refused = True
            else:
                try:
                    point = to_px(x, y, Space.PX if are_px else space, sample.size)
                except ValueError as error:
                    problem = str(error)
        case Places(_, _, problem):
            problem = problem or "there is no place"
        case _:
            problem = "there is no place"
    failed = point is None and not refused
    return Prediction(
        id=sample.id,
        raw=raw,
        point=point,
        refused=refused,
        failure=Failure.WRONG_FORMAT if failed else None,
        error=problem if failed else None,
        prompt_tokens=tokens["prompt_tokens"],
        generated_tokens=tokens["generated_tokens"],
    )


def read_reply(
    text: str, sample: GroundingSample, dialect: Dialect, take: Take = "first"
) -> tuple[Point | None, bool, str | None]:
    """The place that a raw reply names, whether it refuses, and else why it has neither.

    The first action with a place or a refusal counts, and of it the first point, as in `locate`; or the last of both.
    """
    from ...agent import ParseError
    from ...agent.dialects import whole_canvas

    canvas = whole_canvas(sample.size)
    try:
        actions = _actions(text, dialect, take, canvas)
    except (ParseError, ValueError) as error:
        return None, False, str(error)
    for action in actions if take == "first" else reversed(actions):
        if isinstance(action, Refuse):
            return None, True, None
        if points := action_points(action):
            return _end(points, take), False, None
    return None, False, "the reply names no place"


def _end(points: tuple[Point, ...], take: Take) -> Point:
    return points[0] if take == "first" else points[-1]


def _actions(text: str, dialect: Dialect, take: Take, canvas: Any) -> Sequence[Any]:
    """`screenspot-pro` reads one answer, the first: for the last the end of the text is read, from ever earlier on."""
    from ...agent import ParseError

    if take == "last" and dialect.name == "screenspot-pro":
        starts = [found.start() for found in _START.finditer(text)]
        for start in reversed(starts):
            if text[:start].rstrip(" ,\n")[-1:] in set(")([]"):  # the rest of a box, or of a nested list
                continue
            try:
                return dialect.read(text[start:], canvas).actions
            except ParseError:
                continue
    return dialect.read(text, canvas).actions


def _if_annotations(said: Sequence[tuple[Row, GroundingSample, Said]], source: str) -> list[str]:
    """A word where every row predicts the target's own box: that scores 100 %.

    BadRequest for an annotation file, and where a `bbox` or `box` that stands for the prediction is the target's, in
    whatever convention: a prediction is called `pred_bbox`.
    """
    plain = [_plain_is_own(row, sample) for row, sample, _ in said if isinstance(sample.answer, BoxAnswer)]
    if len(plain) >= _MIN_COPIES and sum(plain) >= _SHARE_COPIES * len(plain):
        raise BadRequest(
            f"{source}: the bbox of {sum(plain)} of {len(plain)} rows is the target's own, and they have no other "
            "answer that is known here: these are no predictions. Name a point `point`, a predicted box `pred_bbox`"
        )
    for row, sample, told in said:
        answer = sample.answer
        if not isinstance(told, Places) or not isinstance(answer, BoxAnswer) or answers_beside_box(row.values):
            return []
        middle = ((answer.left_px + answer.right_px) / 2, (answer.top_px + answer.bottom_px) / 2)
        if told.points != (middle,):
            return []
    if len(said) < _MIN_COPIES:
        return []
    if all(_OF_ANNOTATIONS & row.values.keys() for row, *_ in said):
        raise BadRequest(f"{source}: every box in it is the suite's own: these are its annotations, not predictions")
    return ["every box predicted is the suite's own: if these are its annotations, the score says nothing"]


def _plain_is_own(row: Row, sample: GroundingSample) -> bool:
    """Whether the row's answer is the box of its sample, under a name that annotations have for it too."""
    if answers_beside_box(row.values) or not row.values.keys().isdisjoint(PREDICTED_BOXES):
        return False
    box = four_numbers(next((row.values[key] for key in PLAIN_BOXES if key in row.values), None))
    return box is not None and same_box(box, sample)


def _stored(kept: Sequence[tuple[Row, GroundingSample]], predictions: dict[str, Prediction]) -> list[str]:
    """Whether the verdicts that a scorer wrote beside its points are those of its points."""
    from .verdict import judge

    stored = [(sample, row.values.get("correctness")) for row, sample in kept]
    if not stored or any(told not in ("correct", "wrong", "wrong_format") for _, told in stored):
        return []
    ours = [judge(sample, predictions[sample.id]).correct for sample, _ in stored]
    num_stored = sum(told == "correct" for _, told in stored)
    other = sum((told == "correct") != mine for (_, told), mine in zip(stored, ours, strict=True))
    if not other:
        return []
    return [
        f"the file calls {num_stored} rows correct, and its points are in {sum(ours)} targets: {other} rows differ, as "
        "points do that were rounded before they were written"
    ]


def count_of(value: Any) -> int | None:
    """Of tokens; None for what is no count."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MANY else None
