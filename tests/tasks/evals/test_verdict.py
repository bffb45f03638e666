from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moonhand.envs import Point, Size
from moonhand.tasks.evals.coordinates import Space
from moonhand.tasks.evals.foreign_files import Reading, read_foreign
from moonhand.tasks.evals.prediction import Failure, Outcome, Prediction
from moonhand.tasks.evals.prediction_rows import Row
from moonhand.tasks.evals.sample import Answer, BoxAnswer, GroundingSample, PolygonAnswer, RefusalAnswer, Suite
from moonhand.tasks.evals.score import missing
from moonhand.tasks.evals.verdict import distance_to, holds, judge
from write_corner_cases import PLACE, cases

CASES: list[dict[str, Any]] = [json.loads(line) for line in PLACE.read_text("ascii").splitlines()]
SQUARE = BoxAnswer(10, 10, 20, 20)


def sample_of(answer: Answer, width_px: int = 100, height_px: int = 100) -> GroundingSample:
    return GroundingSample(id="one", image=None, size=Size(width_px, height_px), instruction="it", answer=answer)


def answer_of(told: dict[str, Any]) -> Answer:
    if "box" in told:
        return BoxAnswer(*told["box"])
    return PolygonAnswer(tuple(Point(*corner) for corner in told["polygon"])) if "polygon" in told else RefusalAnswer()


def test_there_are_more_than_200_corner_cases_and_each_has_its_own_name() -> None:
    assert len(CASES) > 200
    assert len({case["name"] for case in CASES}) == len(CASES)
    assert {case["outcome"] for case in CASES} == {
        "hit", "wrong", "off_screen", "refused", "wrong_format", "missing"
    }  # fmt: skip


def test_the_corner_cases_are_those_that_their_script_writes() -> None:
    assert PLACE.read_text("ascii") == "".join(json.dumps(each) + "\n" for each in cases())


def test_every_corner_case_has_the_verdict_that_was_written_for_it() -> None:
    other: list[str] = []
    for case in CASES:
        sample = sample_of(answer_of(case["answer"]), *case["size"])
        reading = Reading(
            dialect=case.get("dialect"),
            coordinates=Space(case.get("coordinates", "px")),
            take=case.get("take", "first"),
        )
        suite = Suite(name="corner", samples=(sample,), files={})
        prediction = missing(sample)
        if not case["row"].get("nothing"):
            predictions, _ = read_foreign([Row("row", {"id": "one", **case["row"]})], suite, reading, "file")
            prediction = predictions["one"]
        verdict = judge(sample, prediction)
        if (verdict.outcome, verdict.correct) != (case["outcome"], case["correct"]):
            other.append(f"{case['name']}: {verdict.outcome}, {prediction}")
    assert other == []


@pytest.mark.parametrize("failure", Failure)
@pytest.mark.parametrize("answer", [SQUARE, RefusalAnswer()])
def test_a_failure_is_its_own_outcome_and_never_right(failure: Failure, answer: Answer) -> None:
    verdict = judge(sample_of(answer), Prediction(id="one", failure=failure, error="so"))
    assert (verdict.outcome.value, verdict.correct) == (failure.value, False)


@pytest.mark.parametrize(
    "prediction",
    [
        Prediction(id="one"),
        Prediction(id="one", raw="so"),
        Prediction(id="one", error="unreadable"),
        Prediction(id="one", refused=True, error="unreadable"),
        Prediction(id="one", refused=True, point=Point(15, 15)),
    ],
)
@pytest.mark.parametrize("answer", [SQUARE, RefusalAnswer()])
def test_a_reply_of_neither_or_both_is_one_of_the_wrong_format(prediction: Prediction, answer: Answer) -> None:
    verdict = judge(sample_of(answer), prediction)
    assert (verdict.outcome, verdict.correct) == (Outcome.WRONG_FORMAT, False)


@pytest.mark.parametrize(
    ("x_px", "y_px", "away_px"), [(15, 15, 0), (20, 20, 0), (23, 15, 3), (7, 6, 5), (15, 5.5, 4.5), (200, 15, 180)]
)
def test_the_distance_is_to_the_nearest_edge_of_a_box_and_of_the_same_polygon(
    x_px: float, y_px: float, away_px: float
) -> None:
    corners = tuple(Point(*corner) for corner in ((10, 10), (20, 10), (20, 20), (10, 20)))
    for answer in (SQUARE, PolygonAnswer(corners)):
        verdict = judge(sample_of(answer), Prediction(id="one", point=Point(x_px, y_px)))
        assert verdict.distance_px == pytest.approx(away_px, abs=1e-12)
    assert distance_to(RefusalAnswer(), Point(x_px, y_px)) is None


coordinates = st.floats(-50, 150, allow_nan=False)


@settings(max_examples=150, deadline=None)
@given(coordinates, coordinates, coordinates, coordinates, coordinates, coordinates)
def test_a_box_and_the_polygon_of_its_corners_hold_the_same_points(
    x_px: float, y_px: float, a: float, b: float, c: float, d: float
) -> None:
    left, right, top, bottom = min(a, b), max(a, b), min(c, d), max(c, d)
    corners = (Point(left, top), Point(right, top), Point(right, bottom), Point(left, bottom))
    for point in (Point(x_px, y_px), Point(left, y_px), Point(x_px, bottom), corners[2]):
        assert holds(BoxAnswer(left, top, right, bottom), point) == holds(PolygonAnswer(corners), point)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=3, max_size=7), st.integers(0, 6))
def test_neither_the_first_corner_nor_the_direction_of_a_polygon_matters(
    places: list[tuple[int, int]], first: int
) -> None:
    corners = tuple(Point(float(x), float(y)) for x, y in places)
    turned = corners[first % len(corners) :] + corners[: first % len(corners)]
    for x in range(-1, 11):
        point = Point(x + 0.5 * (x % 2), 4.5)
        assert (
            holds(PolygonAnswer(corners), point)
            == holds(PolygonAnswer(turned), point)
            == holds(PolygonAnswer(corners[::-1]), point)
        )


@settings(max_examples=100, deadline=None)
@given(coordinates, coordinates)
def test_a_point_is_right_exactly_where_its_distance_is_0_on_the_screenshot(x_px: float, y_px: float) -> None:
    verdict = judge(sample_of(SQUARE), Prediction(id="one", point=Point(x_px, y_px)))
    assert verdict.distance_px is not None
    assert math.isfinite(verdict.distance_px)
    assert verdict.correct == (verdict.distance_px == 0)
    on_screen = 0 <= x_px <= 100 and 0 <= y_px <= 100
    assert (verdict.outcome is Outcome.OFF_SCREEN) == (not on_screen)
