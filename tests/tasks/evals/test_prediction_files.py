from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moonhand.envs import Point, Size
from moonhand.tasks.errors import BadRequest
from moonhand.tasks.evals.coordinates import Space
from moonhand.tasks.evals.foreign_files import Reading
from moonhand.tasks.evals.prediction import Failure, Prediction
from moonhand.tasks.evals.prediction_files import (
    KEYS,
    line_of,
    prediction_of,
    read_file,
    read_predictions,
    write_predictions,
)
from moonhand.tasks.evals.sample import BoxAnswer, GroundingSample, RefusalAnswer, Suite

WIDE, SMALL = Size(2000, 1000), Size(600, 400)


def suite_of(num: int = 4, size: Size = WIDE) -> Suite:
    """Boxes of 40 x 20 px, one below the other, and nothing to be found in the last sample but one."""
    samples = [
        GroundingSample(
            id=f"row {number}",
            image=Path(f"/there/shot{number}.png"),
            image_name=f"shot{number}.png",
            size=size,
            instruction=f"open {number // 2}",  # two samples ask for the same
            answer=RefusalAnswer() if number == num - 2 else BoxAnswer(10, 20 * number, 50, 20 * number + 20),
        )
        for number in range(num)
    ]
    return Suite(name="four", samples=tuple(samples), files={})


def written(folder: Path, rows: Any, name: str = "theirs.jsonl") -> Path:
    path = folder / name
    lines = "".join(json.dumps(row) + "\n" for row in rows) if name.endswith("l") else json.dumps(rows)
    path.write_text(lines, "utf-8")
    return path


def ids(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"id": f"row {number}", **row} for number, row in enumerate(rows)]


PX = Reading(coordinates=Space.PX)


@settings(max_examples=40, deadline=None)
@given(
    st.text(),
    st.one_of(st.none(), st.builds(Point, *[st.floats(allow_nan=False, allow_infinity=False)] * 2)),
    st.booleans(),
    st.floats(),
)
def test_a_prediction_reads_back_as_it_was_written(
    raw: str, point: Point | None, refused: bool, confidence: float
) -> None:
    one = Prediction(
        id="a/1",
        raw=raw,
        point=None if refused else point,
        refused=refused,
        confidence=confidence,
        generated_tokens=7,
    )
    line = line_of(one)
    assert line.endswith("\n")
    assert line.count("\n") == 1
    assert list(json.loads(line)) == list(KEYS)
    assert "NaN" not in line or "NaN" in raw
    back = prediction_of(line)
    assert (back.raw, back.point, back.refused) == (one.raw, one.point, one.refused)
    assert back.confidence == (confidence if math.isfinite(confidence) else None)
    assert line_of(back) == line


def test_half_a_character_survives_and_whole_px_are_written_as_floats() -> None:
    one = Prediction(id="a", raw="\ud83d", point=Point(5, 0.1 + 0.2))
    assert prediction_of(line_of(one)).raw == "\ud83d"
    assert '"x_px": 5.0, "y_px": 0.30000000000000004' in line_of(one)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"x_px": None}, "both"),
        ({"refused": True}, "one of them"),
        ({"failure": "crashed"}, "one of them"),
        ({"failure": "asleep"}, "asleep"),
        ({"x_px": "5"}, "x_px is a number"),
        ({"id": 5}, "strings"),
        ({"prompt_tokens": 1.5}, "a count"),
    ],
)
def test_a_line_that_contradicts_itself_is_refused(change: dict[str, Any], said: str) -> None:
    row = json.loads(line_of(Prediction(id="a", point=Point(1, 2))))
    with pytest.raises(ValueError, match=said):
        prediction_of(json.dumps({**row, **change}))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 400])
def test_a_number_that_is_none_is_of_the_wrong_format(number: str) -> None:
    line = line_of(Prediction(id="a", point=Point(1, 2))).replace("1.0", number)
    assert prediction_of(line).failure is Failure.WRONG_FORMAT


def test_our_own_file_and_its_folder_read_back(tmp_path: Path) -> None:
    suite = suite_of()
    told = [Prediction(id=sample.id, point=Point(11, 12.5)) for sample in suite.samples[:3]]
    write_predictions(tmp_path / "predictions.jsonl", told)
    for path in (tmp_path, tmp_path / "predictions.jsonl"):
        assert list(read_predictions(path, suite).values()) == told
    with pytest.raises(BadRequest, match="leave --coordinates out"):
        read_file(tmp_path, suite, PX)


@pytest.mark.parametrize("layout", ["lines", "list", "details", "by id", "points by id"])
def test_rows_are_found_in_lines_lists_and_objects(tmp_path: Path, layout: str) -> None:
    rows = ids([{"point": [number, 5]} for number in range(4)])
    told: Any = {
        "lines": rows,
        "list": rows,
        "details": {"metrics": {"n": 4}, "details": rows},
        "by id": {row["id"]: {"point": row["point"]} for row in rows},
        "points by id": {row["id"]: row["point"] for row in rows},
    }[layout]
    path = written(tmp_path, told, "a.jsonl" if layout == "lines" else "a.json")
    found = read_predictions(path, suite_of(), PX)
    assert [found[f"row {number}"].point for number in range(4)] == [Point(number, 5) for number in range(4)]


def test_bad_json_names_its_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": "row 0", "point": [1, 2]}\n\n{"id": "row 1", "point": [1,\n')
    with pytest.raises(BadRequest, match=r"a\.jsonl:3: not JSON at column \d+"):
        read_predictions(path, suite_of(), PX)
    path.write_text('[\n{"id": "row 0"},\n{"id" "row 1"}\n]')
    with pytest.raises(BadRequest, match=r"a\.jsonl:3: not JSON at column 7"):
        read_predictions(path, suite_of(), PX)
    path.write_text('{"id": "row 0", "point": [1, 2]}\n[1, 2]\n')
    with pytest.raises(BadRequest, match=r"a\.jsonl:2: a row is a JSON object, not list"):
        read_predictions(path, suite_of(), PX)


@pytest.mark.parametrize(("content", "said"), [("", "empty"), ("  \n", "empty"), ("[]", "no rows"), ("5", "not int")])
def test_a_file_without_predictions_is_refused(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(BadRequest, match=said):
        read_predictions(path, suite_of())
    with pytest.raises(BadRequest, match="cannot be read"):
        read_predictions(tmp_path / "none.json", suite_of())


def test_two_rows_of_one_sample_are_named_with_their_lines(tmp_path: Path) -> None:
    rows = ids([{"point": [1, 2]}] * 3)
    path = written(tmp_path, [*rows, rows[1]])
    with pytest.raises(BadRequest, match=r"1 sample has more than one row: row 1 in .*:2 and .*:4"):
        read_predictions(path, suite_of(), PX)


def test_ids_that_the_suite_does_not_know_are_named_and_so_is_what_its_own_look_like(tmp_path: Path) -> None:
    rows = [*ids([{"point": [1, 2]}]), {"id": "other/7", "point": [1, 2]}]
    with pytest.raises(BadRequest, match="1 row has an id that four does not know: other/7; its ids look like row 0"):
        read_predictions(written(tmp_path, rows), suite_of(), PX)
    with pytest.raises(BadRequest, match="1 row has no id"):
        read_predictions(written(tmp_path, [*rows[:1], {"point": [1, 2]}]), suite_of(), PX)


def test_rows_without_ids_are_matched_by_image_instruction_and_box(tmp_path: Path) -> None:
    rows = [
        {"img_path": f"./imgs/shot{number}.png", "instruction": f"open {number // 2}", "pred": [number, 1]}
        for number in (3, 0, 2, 1)
    ]
    file = read_file(written(tmp_path, rows), suite_of(), PX)
    assert [file.predictions[f"row {number}"].point for number in range(4)] == [Point(n, 1) for n in range(4)]
    assert file.notes[0] == "rows were matched by image, instruction and box"
    in_order = [{"instruction": f"open {number // 2}", "point": [number, 1]} for number in range(4)]
    ordered = read_file(written(tmp_path, in_order), suite_of(), PX)
    assert ordered.predictions["row 2"].point == Point(2, 1)
    assert ordered.notes[0] == "rows were matched by their order, and ask the same"
    by_box = [{"instruction": "open 0", "bbox": [10, 20, 40, 20], "point": [9, 9]}]  # with width and height
    assert set(read_predictions(written(tmp_path, by_box), suite_of(), PX)) == {"row 1"}
    by_share = [{"instruction": "open 0", "bbox": [0.005, 0.02, 0.025, 0.04], "point": [9, 9]}]
    assert set(read_predictions(written(tmp_path, by_share), suite_of(), PX)) == {"row 1"}
    with pytest.raises(BadRequest, match=r"1 row fits no sample .* is it the same version"):
        read_predictions(written(tmp_path, [{**by_box[0], "bbox": [11, 500, 40, 20]}]), suite_of(), PX)
    with pytest.raises(BadRequest, match=r"it fits 2 samples of four, row 0, row 1: give rows their ids"):
        read_predictions(written(tmp_path, [{"instruction": "open 0", "point": [9, 9]}]), suite_of(), PX)


def test_rows_with_nothing_but_points_go_by_order_where_they_are_as_many_and_that_is_said(tmp_path: Path) -> None:
    file = read_file(written(tmp_path, [[number, 5] for number in range(4)], "a.json"), suite_of(), PX)
    assert file.predictions["row 3"].point == Point(3, 5)
    assert "BY THEIR ORDER" in file.notes[0]
    with pytest.raises(BadRequest, match=r"there are 3 of them, and four has 4 samples"):
        read_predictions(written(tmp_path, [[1, 5]] * 3, "a.json"), suite_of(), PX)


@pytest.mark.parametrize(
    ("points", "size", "space"),
    [
        ([[0.2, 0.5], [0.9, 1]], WIDE, Space.UNIT),
        ([[0.2, 0.5], [0, 0]], SMALL, Space.UNIT),
        ([[1500, 300], [20, 30]], WIDE, Space.PX),
        ([[980, 900], [700, 10], [5, 990]], SMALL, Space.THOUSAND),
    ],
)
def test_what_coordinates_count_is_recognised_where_there_is_one_reading(
    tmp_path: Path, points: list[list[float]], size: Size, space: Space
) -> None:
    file = read_file(written(tmp_path, ids([{"point": point} for point in points])), suite_of(size=size))
    assert file.notes[1].startswith(f"coordinates are {space.words}")
    shares = {Space.UNIT: 1, Space.THOUSAND: 1000}
    scale = (size.width_px / shares[space], size.height_px / shares[space]) if space in shares else (1, 1)
    for each, (x, y) in zip(file.predictions.values(), points, strict=True):
        assert each.point is not None
        assert (each.point.x_px, each.point.y_px) == pytest.approx((x * scale[0], y * scale[1]))


@pytest.mark.parametrize(
    ("points", "size"),
    [
        ([[500, 300]], WIDE),  # px or thousandths
        ([[0, 0], [1, 1]], WIDE),  # px or shares
        ([[0.5, 0.5], [3, 3]], WIDE),  # shares, and one that is none
        ([[1700, 20], [2100, 20]], WIDE),  # px, one of them off the screenshot
        ([[580, 20], [590, 20], [600, 20], [700, 300]], SMALL),  # one in four: a poor model's px, or thousandths
        ([[900, 20], [20, 20], [20, 20]], SMALL),  # one off the screenshot is too few to tell
    ],
)
def test_coordinates_with_two_readings_are_refused_until_somebody_says(
    tmp_path: Path, points: list[list[float]], size: Size
) -> None:
    path = written(tmp_path, ids([{"point": point} for point in points]))
    with pytest.raises(BadRequest, match="--coordinates px, unit"):
        read_file(path, suite_of(size=size))
    assert read_file(path, suite_of(size=size), PX).notes[1] == "coordinates are px of the screenshot, as was said"


def test_coordinates_that_cannot_be_what_was_said_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, ids([{"point": [500, 300]}, {"point": [0.5, 0.5]}, {"point": [3, 3]}]))
    with pytest.raises(
        BadRequest, match="--coordinates unit are at most 1, and 2 of 3 points are more than twice that"
    ):
        read_file(path, suite_of(), Reading(coordinates=Space.UNIT))


def test_a_log_in_which_some_replies_are_no_place_still_reads(tmp_path: Path) -> None:
    rows = ids([{"point": [1900, 300]}, {"point": None}, {"point": [-1, -1]}])
    found = read_predictions(written(tmp_path, rows), suite_of())
    assert [(each.point, each.refused, each.failure) for each in found.values()] == [
        (Point(1900, 300), False, None),
        (None, False, Failure.WRONG_FORMAT),
        (None, True, None),
    ]


HARNESS = {"gt_type": "positive", "ui_type": "icon", "raw_response": {"Click BBox ID": "16"}}


def test_a_log_of_screenspot_pros_scorer_is_px_and_its_own_verdicts_are_checked(tmp_path: Path) -> None:
    suite = suite_of()
    rows: list[dict[str, Any]] = [
        {"img_path": "shot0.png", "prompt_to_evaluate": "open 0", "pred": [50, 20], "correctness": "wrong"},
        {"img_path": "shot1.png", "prompt_to_evaluate": "open 0", "pred": None, "correctness": "wrong_format"},
        {"img_path": "shot3.png", "prompt_to_evaluate": "open 1", "pred": [20, 70], "correctness": "correct"},
        {"img_path": "shot2.png", "prompt_to_evaluate": "open 1", "pred": None, "correctness": "correct"},
    ]
    rows = [{**HARNESS, **row} for row in rows]
    rows[3]["gt_type"] = "negative"  # such a log keeps the verdict alone
    for told, name in ((rows, "log.jsonl"), ({"metrics": {}, "details": rows}, "log.json")):
        file = read_file(written(tmp_path, told, name), suite)
        assert [each.refused for each in file.predictions.values()] == [False, False, False, True]
        assert file.predictions["row 1"].failure is Failure.WRONG_FORMAT
        assert json.loads(file.predictions["row 0"].raw) == {"Click BBox ID": "16"}
        assert "as ScreenSpot-Pro's scorer logs them" in file.notes[1]
        assert file.notes[2].startswith("the file calls 2 rows correct, and its points are in 3 targets: 1 rows differ")


def test_a_sample_log_of_lmms_eval_is_read_through_a_dialect(tmp_path: Path) -> None:
    rows = [
        {
            "doc_id": number,
            "doc": {"image_path": f"shot{number}.png", "instruction": f"open {number // 2}"},
            "target": "",
            "resps": [[f"at (0.015, 0.0{2 * number + 1})"]],
            "filtered_resps": [f"at (0.015, 0.0{2 * number + 1})"],
        }
        for number in (1, 0)
    ]
    path = written(tmp_path, rows)
    with pytest.raises(BadRequest, match="say how it is written with --dialect, one of kimi"):
        read_predictions(path, suite_of())
    file = read_file(path, suite_of(), Reading(dialect="screenspot-pro"))
    assert file.predictions["row 1"].point == Point(30, 30)
    assert file.predictions["row 0"].raw == "at (0.015, 0.01)"
    assert file.notes[-1] == "replies were read as screenspot-pro; of several places in a reply the first counts"
    bare = [{"doc_id": number, "filtered_resps": [f"(0.1, 0.{number})"]} for number in (2, 0, 3, 1)]
    by_doc = read_file(written(tmp_path, bare), suite_of(), Reading(dialect="screenspot-pro"))
    assert by_doc.predictions["row 3"].raw == "(0.1, 0.3)"
    assert by_doc.notes[0] == "rows were matched BY THEIR ORDER, of doc_id"


def test_a_file_of_the_targets_themselves_is_no_prediction(tmp_path: Path) -> None:
    suite = suite_of(8)
    boxes = [sample for sample in suite.samples if isinstance(sample.answer, BoxAnswer)]
    rows = [
        {
            "id": each.id,
            "pred_bbox": [each.answer.left_px, each.answer.top_px, each.answer.right_px, each.answer.bottom_px],
        }
        for each in boxes
        if isinstance(each.answer, BoxAnswer)
    ]
    assert "every box predicted is the suite's own" in read_file(written(tmp_path, rows), suite, PX).notes[1]
    with pytest.raises(BadRequest, match="these are its annotations, not predictions"):
        read_predictions(written(tmp_path, [{**row, "ui_type": "icon"} for row in rows]), suite, PX)
    oracle = [{**row, "bbox": row["pred_bbox"], "ui_type": "icon", "point": [30, 20]} for row in rows]
    assert len(read_predictions(written(tmp_path, oracle), suite, PX)) == len(rows)


def test_a_row_without_any_prediction_says_which_keys_it_has(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r":1: no prediction in it \(its keys are id, colour\)"):
        read_predictions(written(tmp_path, [{"id": "row 0", "colour": "red"}, {"id": "row 1"}]), suite_of())


def test_rows_of_samples_that_were_left_out_are_no_error(tmp_path: Path) -> None:
    suite = Suite(name="four", samples=suite_of().samples[:2], files={}, skipped=("row 2",))
    found = read_predictions(written(tmp_path, ids([{"point": [1500, 3]}] * 3)), suite)
    assert set(found) == {"row 0", "row 1"}
