"""Rows of strangers' files are matched to what they ask; targets are no predictions; broken rows are passed over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from moonhand.envs import Point, Size
from moonhand.tasks.errors import BadRequest
from moonhand.tasks.evals.coordinates import Space
from moonhand.tasks.evals.foreign_files import Reading
from moonhand.tasks.evals.prediction_files import read_file
from moonhand.tasks.evals.sample import BoxAnswer, GroundingSample, Suite
from moonhand.tasks.evals.suites.open import open_suite
from PIL import Image

NUM = 20
SIZE = Size(1000, 800)
PX = Reading(coordinates=Space.PX)
Row = dict[str, Any]


def suite_of() -> Suite:
    samples = tuple(
        GroundingSample(
            id=str(n),
            image=None,
            size=SIZE,
            instruction=f"click {n}",
            answer=BoxAnswer(n * 20, n * 10, n * 20 + 60, n * 10 + 30),
        )
        for n in range(NUM)
    )
    return Suite(name="own", samples=samples, files={})


def written(folder: Path, rows: list[Row]) -> Path:
    path = folder / "theirs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def middle(n: int) -> list[int]:
    return [n * 20 + 30, n * 10 + 15]


def test_rows_that_count_themselves_in_another_order_are_matched_by_what_they_ask(tmp_path: Path) -> None:
    rows: list[Row] = [
        {"id": n, "instruction": f"click {NUM - 1 - n}", "point": middle(NUM - 1 - n)} for n in range(NUM)
    ]
    file = read_file(written(tmp_path, rows), suite_of(), PX)
    assert [file.predictions[str(n)].point for n in range(NUM)] == [Point(*middle(n)) for n in range(NUM)]
    assert file.notes[0] == "rows were matched by image, instruction and box"
    del rows[3]["instruction"]
    with pytest.raises(BadRequest, match=r"19 rows have the id of one sample and the instruction of another: .*:1"):
        read_file(written(tmp_path, rows), suite_of(), PX)


def test_ids_count_where_the_words_beside_them_are_those_of_no_other_sample(tmp_path: Path) -> None:
    rows = [{"id": n, "prompt": f"Where is: click {n}?", "point": middle(n)} for n in range(NUM)]
    assert read_file(written(tmp_path, rows), suite_of(), PX).notes[0] == "rows were matched by id"


@pytest.mark.parametrize("how", ["corners", "size", "shares", "share size"])
@pytest.mark.parametrize("key", ["bbox", "box"])
def test_the_targets_own_boxes_are_no_predictions_however_they_are_written(tmp_path: Path, key: str, how: str) -> None:
    rows: list[Row] = []
    for n in range(NUM):
        left, top, right, bottom = n * 20, n * 10, n * 20 + 60, n * 10 + 30
        box: list[float] = [left, top, 60, 30] if "size" in how else [left, top, right, bottom]
        if "share" in how:
            box = [each / (SIZE.width_px, SIZE.height_px)[at % 2] for at, each in enumerate(box)]
        rows.append({"id": str(n), key: box, "their_point": [1, 1]})
    rows[0][key] = [5, 5, 6, 6]
    with pytest.raises(BadRequest, match="the bbox of 19 of 20 rows is the target's own"):
        read_file(written(tmp_path, rows), suite_of(), PX)
    known = [{**row, "point": middle(n)} for n, row in enumerate(rows)]
    assert len(read_file(written(tmp_path, known), suite_of(), PX).predictions) == NUM
    said = [{"id": row["id"], "pred_bbox": row[key]} for row in rows]
    assert len(read_file(written(tmp_path, said), suite_of(), PX).predictions) == NUM


def test_px_of_which_a_tenth_are_off_a_small_picture_are_not_taken_for_thousandths(tmp_path: Path) -> None:
    samples = tuple(
        GroundingSample(id=str(n), image=None, size=Size(400, 300), instruction="go", answer=BoxAnswer(0, 0, 9, 9))
        for n in range(40)
    )
    suite = Suite(name="own", samples=samples, files={})
    rows: list[Row] = [{"id": str(n), "point": [n * 6, n * 4] if n % 13 else [500, 100]} for n in range(40)]
    with pytest.raises(BadRequest, match=r"4 of 40 points are off .*--coordinates px, unit"):
        read_file(written(tmp_path, rows), suite)
    for n in range(0, 40, 3):
        rows[n]["point"] = [900, 800]
    assert "thousandths" in read_file(written(tmp_path, rows), suite).notes[1]


def opened(folder: Path) -> Suite:
    """Rows 2 and 4 of six are broken; the last asks what row 4 asks."""
    folder.mkdir()
    Image.new("RGB", (200, 100)).save(folder / "a.png")
    rows: list[Row] = [
        {"id": f"r{n}", "image": "a.png", "instruction": f"click {n}", "bbox": [10 * n, 10, 10 * n + 9, 30]}
        for n in range(6)
    ]
    rows[2]["bbox"] = [60, 40, 10, 10]
    rows[4]["bbox"] = [1, 2, 3]
    rows[5]["instruction"] = "click 4"
    (folder / "rows.json").write_text(json.dumps({"boxes": "xyxy_px", "samples": rows}), encoding="utf-8")
    return open_suite("own", folder, skip_bad=True)


@pytest.mark.parametrize("by", ["id", "question", "order", "question in another order", "good rows alone"])
def test_rows_about_samples_that_were_left_out_are_matched_and_passed_over(tmp_path: Path, by: str) -> None:
    suite = opened(tmp_path / "suite")
    assert suite.skipped == ("r2", "r4")
    assert [None if sample is None else sample.id for sample in suite.rows] == ["r0", "r1", None, "r3", None, "r5"]
    rows: list[Row] = [{"instruction": f"click {min(n, 4)}", "point": [n, 7]} for n in range(6)]
    if by == "id":
        rows = [{"id": f"r{n}", "point": row["point"]} for n, row in enumerate(rows)]
    elif by == "order":
        rows = [{"point": row["point"]} for row in rows]
    elif by == "question in another order":
        rows = [rows[5], *rows[:5]]
    elif by == "good rows alone":
        rows = [{"point": [n, 7]} for n in (0, 1, 3, 5)]
    found = read_file(written(tmp_path, rows), suite, PX).predictions
    assert {key: each.point for key, each in found.items()} == {f"r{n}": Point(n, 7) for n in (0, 1, 3, 5)}


def test_a_row_that_asks_what_no_row_of_the_suite_does_is_refused_with_broken_rows_too(tmp_path: Path) -> None:
    suite = opened(tmp_path / "suite")
    rows: list[Row] = [{"instruction": words, "point": [1, 1]} for words in ("click 0", "fly", "click 2")]
    with pytest.raises(BadRequest, match=r"1 row fits no sample of own .*'fly'"):
        read_file(written(tmp_path, rows), suite, PX)


def pictured(folder: Path) -> Suite:
    """Annotations without their pictures; all ask the same, of pictures in two folders that share their names."""
    rows: list[Row] = [
        {"img_filename": f"{place}/{n}.png", "img_size": [1000, 800], "instruction": "close", "bbox": [n, 9, n + 9, 30]}
        for place in ("mac", "windows")
        for n in range(3)
    ]
    (folder / "rows.json").write_text(json.dumps({"boxes": "xyxy_px", "samples": rows}), encoding="utf-8")
    return open_suite("own", folder / "rows.json", needs_images=False)


def test_a_row_is_of_the_picture_that_it_names_where_no_picture_is_there(tmp_path: Path) -> None:
    suite = pictured(tmp_path)
    assert [sample.image for sample in suite.samples] == [None] * 6
    rows: list[Row] = [
        {"img_filename": f"shots\\{sample.image_name}", "instruction": "close", "point": [n, 5]}
        for n, sample in enumerate(suite.samples)
    ]
    for shuffled in (rows[::-1], rows[3:] + rows[:3]):
        found = read_file(written(tmp_path, shuffled), suite, PX).predictions
        assert [found[sample.id].point for sample in suite.samples] == [Point(n, 5) for n in range(6)]
    other: list[Row] = [{**row, "img_filename": f"mac/{n + 7}.png"} for n, row in enumerate(rows)]
    with pytest.raises(BadRequest, match="6 rows fit no sample of own by image"):
        read_file(written(tmp_path, other), suite, PX)


def test_ids_and_order_do_not_count_where_rows_name_the_pictures_of_other_samples(tmp_path: Path) -> None:
    suite = pictured(tmp_path)
    turned = (*suite.samples[1:], suite.samples[0])
    rows: list[Row] = [
        {"id": sample.id, "image": other.image_name, "point": [1, 1]}
        for sample, other in zip(suite.samples, turned, strict=True)
    ]
    with pytest.raises(
        BadRequest, match=r"6 rows have the id of one sample and the picture of another: .*:1 \(1.png\)"
    ):
        read_file(written(tmp_path, rows), suite, PX)
    with pytest.raises(BadRequest, match=r"in the order of own 6 rows name another sample's picture"):
        read_file(written(tmp_path, [{"image": row["image"], "point": [1, 1]} for row in rows]), suite, PX)
