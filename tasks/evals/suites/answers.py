"""From a row's numbers to the answer in px, or to what is wrong with it."""

from __future__ import annotations

from math import ceil
from typing import assert_never

from ....envs import Point, Size
from ..sample import Answer, BoxAnswer, PolygonAnswer, RefusalAnswer
from .boxes import SLACK_PX, Convention
from .fields import Draft, RawBox, RawPolygon
from .problems import Problem, ProblemKind


def answer_of(draft: Draft, convention: Convention | None, size: Size | None) -> tuple[Answer | None, list[Problem]]:
    """The answer, None where there is none to be had, and what is to be said of it.

    `size` is the screenshot's, None where it is not known; then nothing says whether a box reaches past its edges.
    """
    match draft.answer:
        case None:
            return RefusalAnswer(), []
        case RawBox():
            return _box(draft, draft.answer, convention, size)
        case RawPolygon():
            return _polygon(draft, draft.answer, size)
        case _:
            assert_never(draft.answer)


def _box(
    draft: Draft, raw: RawBox, convention: Convention | None, size: Size | None
) -> tuple[Answer | None, list[Problem]]:
    if convention is None:
        return None, []  # which the whole file's problem says
    if convention.is_shares and size is None:
        return None, [_problem(draft, ProblemKind.NO_SIZE, "its box is in shares of a picture whose size nobody says")]
    left, top, right, bottom = convention.corners_px(raw.numbers, size)
    shown = f"{_four(*raw.numbers)} as {convention.value}"
    if right < left or bottom < top:
        what = "right before left" if right < left else "bottom above top"
        return None, [_problem(draft, ProblemKind.SWAPPED_CORNERS, f"the box {shown} has its {what}")]
    if left == right or top == bottom:
        return None, [_problem(draft, ProblemKind.ZERO_SIZE, f"the box {shown} is {right - left:g}x{bottom - top:g}")]
    past_px = _past_px(size, (left, right), (top, bottom))
    problems: list[Problem] = []
    if past_px > 0:
        kind = ProblemKind.OUTSIDE if past_px > SLACK_PX else ProblemKind.PAST_EDGE
        said = f"the box {shown} reaches {past_px:g} px past the edge of {_screenshot(size)}"
        problems = [_problem(draft, kind, said)]
    answer = BoxAnswer(left, top, right, bottom)
    return (None if past_px > SLACK_PX else answer), problems


def _polygon(draft: Draft, raw: RawPolygon, size: Size | None) -> tuple[Answer | None, list[Problem]]:
    if raw.is_shares and size is None:
        said = "its polygon is in shares of a picture whose size nobody says"
        return None, [_problem(draft, ProblemKind.NO_SIZE, said)]
    corners = raw.corners
    if raw.is_shares and size is not None:
        corners = tuple(Point(corner.x_px * size.width_px, corner.y_px * size.height_px) for corner in corners)
    across, down = [corner.x_px for corner in corners], [corner.y_px for corner in corners]
    if min(across) == max(across) or min(down) == max(down):
        return None, [_problem(draft, ProblemKind.ZERO_SIZE, f"the {len(corners)} corners lie on one line")]
    past_px = _past_px(size, (min(across), max(across)), (min(down), max(down)))
    if past_px > SLACK_PX:
        said = f"the polygon reaches {past_px:g} px past the edge of {_screenshot(size)}"
        return None, [_problem(draft, ProblemKind.OUTSIDE, said)]
    said = f"the polygon reaches {past_px:g} px past the edge of {_screenshot(size)}"
    return PolygonAnswer(corners), [_problem(draft, ProblemKind.PAST_EDGE, said)] if past_px > 0 else []


def least_size(draft: Draft, answer: Answer) -> Size:
    """The least screenshot that has room for an answer, and for the point that the draft is known to reach."""
    points = [Point(1, 1)]
    match answer:
        case BoxAnswer():
            points.append(Point(answer.right_px, answer.bottom_px))
        case PolygonAnswer():
            points.extend(answer.corners)
        case RefusalAnswer():
            pass
        case _:
            assert_never(answer)
    if draft.reaches_px is not None:
        points.append(draft.reaches_px)
    return Size(max(1, *(ceil(point.x_px) for point in points)), max(1, *(ceil(point.y_px) for point in points)))


def _past_px(size: Size | None, across: tuple[float, float], down: tuple[float, float]) -> float:
    """How far something reaches past the nearest edge that it crosses the most; 0 where it stays inside."""
    past = [-across[0], -down[0]]
    if size is not None:
        past += [across[1] - size.width_px, down[1] - size.height_px]
    return max(0.0, *past)


def _screenshot(size: Size | None) -> str:
    return "the screenshot" if size is None else f"{size} px"


def _problem(draft: Draft, kind: ProblemKind, said: str) -> Problem:
    return draft.row.problem(kind, said, draft.id)


def _four(*numbers: float) -> str:
    return f"[{', '.join(f'{number:g}' for number in numbers)}]"
