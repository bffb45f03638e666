"""Whether an answer is right: the one rule by which every score, report and comparison here counts.

A point is right inside the target's box or polygon or on its edge, as it was given and never rounded: of the 1,581 rows
of ScreenSpot-Pro that OmniParser's authors publish, 5 turn from wrong to right once their points are rounded to px.
That the edges of a box belong to it is what the scorers of ScreenSpot, ScreenSpot-Pro, UI-Vision, ShowDown, lmms-eval
and VLMEvalKit agree on. Where they part, docs/scoring.md says who differs.
"""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise
from typing import assert_never

from ...envs import Point, Size
from .prediction import Outcome, Prediction, Verdict
from .sample import Answer, BoxAnswer, GroundingSample, PolygonAnswer, RefusalAnswer


def judge(sample: GroundingSample, prediction: Prediction) -> Verdict:
    """What became of a sample.

    * A failure is its outcome, and never right. A reply with neither a point nor a refusal, or with both, is one of
      WRONG_FORMAT.
    * A refusal is right where nothing on the screenshot matches, and only there. Nothing else is right there: not a
      reply that cannot be read, and no point.
    * A point off the screenshot is OFF_SCREEN and never right, even in a box that reaches out there: nobody can click
      on it. The screenshot's far edges, x = width and y = height, belong to it as a box's edges do: 1.0 of a model that
      answers in shares is one.
    * Any other point is a HIT inside the answer and on its edge, else WRONG.
    """
    if prediction.failure is not None:
        return Verdict(id=sample.id, outcome=Outcome(prediction.failure.value), correct=False)
    point, told = prediction.point, prediction.error is None
    if not told or (point is None) == (not prediction.refused):
        return Verdict(id=sample.id, outcome=Outcome.WRONG_FORMAT, correct=False)
    if point is None:
        return Verdict(id=sample.id, outcome=Outcome.REFUSED, correct=isinstance(sample.answer, RefusalAnswer))
    distance_px = distance_to(sample.answer, point)
    if not on_screen(sample.size, point):
        return Verdict(id=sample.id, outcome=Outcome.OFF_SCREEN, correct=False, distance_px=distance_px)
    hit = holds(sample.answer, point)
    outcome = Outcome.HIT if hit else Outcome.WRONG
    return Verdict(id=sample.id, outcome=outcome, correct=hit, distance_px=distance_px)


def on_screen(size: Size, point: Point) -> bool:
    """Whether the point is on the screenshot; all four edges belong to it."""
    return 0 <= point.x_px <= size.width_px and 0 <= point.y_px <= size.height_px


def holds(answer: Answer, point: Point) -> bool:
    """Whether the point lies in the answer or on its edge. Nothing lies in a refusal."""
    match answer:
        case BoxAnswer():
            return answer.left_px <= point.x_px <= answer.right_px and answer.top_px <= point.y_px <= answer.bottom_px
        case PolygonAnswer():
            return _in_polygon(answer.corners, point)
        case RefusalAnswer():
            return False
        case _:
            assert_never(answer)


def distance_to(answer: Answer, point: Point) -> float | None:
    """From the point to the nearest edge, in px; 0 inside; None for a refusal."""
    match answer:
        case BoxAnswer():
            dx_px = max(answer.left_px - point.x_px, 0.0, point.x_px - answer.right_px)
            dy_px = max(answer.top_px - point.y_px, 0.0, point.y_px - answer.bottom_px)
            return math.hypot(dx_px, dy_px)
        case PolygonAnswer():
            if _in_polygon(answer.corners, point):
                return 0.0
            corners = answer.corners
            return min(_to_segment(point, a, b) for a, b in pairwise((*corners, corners[0])))
        case RefusalAnswer():
            return None
        case _:
            assert_never(answer)


def _in_polygon(corners: tuple[Point, ...], point: Point) -> bool:
    """By the even-odd rule, and a point on a side or a corner is inside. In exact arithmetic: no tolerance anywhere.

    A ray to the right crosses a side where the side's ends lie on both sides of it; an end on the ray counts as above
    it, so that a corner is crossed once.
    """
    x, y = Fraction(point.x_px), Fraction(point.y_px)
    exact = [(Fraction(corner.x_px), Fraction(corner.y_px)) for corner in corners]
    inside = False
    for (ax, ay), (bx, by) in pairwise((*exact, exact[0])):
        turn = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
        if turn == 0 and min(ax, bx) <= x <= max(ax, bx) and min(ay, by) <= y <= max(ay, by):
            return True
        if (ay > y) != (by > y) and (turn > 0) == (by > ay):
            inside = not inside
    return inside


def _to_segment(point: Point, a: Point, b: Point) -> float:
    dx_px, dy_px = b.x_px - a.x_px, b.y_px - a.y_px
    length2 = dx_px * dx_px + dy_px * dy_px
    along = 0.0 if length2 == 0 else ((point.x_px - a.x_px) * dx_px + (point.y_px - a.y_px) * dy_px) / length2
    along = min(max(along, 0.0), 1.0)
    return math.hypot(point.x_px - a.x_px - along * dx_px, point.y_px - a.y_px - along * dy_px)
