"""A report reads its suite as the result did: the same boxes, the same broken rows, and drawn where it was drawn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from moonhand.envs import Point
from moonhand.tasks.errors import BadRequest
from moonhand.tasks.evals.prediction import Outcome, Prediction
from moonhand.tasks.evals.prediction_files import read_file, write_predictions
from moonhand.tasks.evals.report.opening import suite_of_run
from moonhand.tasks.evals.report.write import write_report
from moonhand.tasks.evals.score import Result, score
from moonhand.tasks.evals.score_command import reading_of, score_predictions, suite_manifest, write_result_folder
from moonhand.tasks.evals.suites.open import open_suite
from PIL import Image

NUM = 6
Row = dict[str, Any]


def annotated(folder: Path, rows: list[Row], name: str = "rows.json", **header: Any) -> Path:
    folder.mkdir()
    Image.new("RGB", (800, 600)).save(folder / "a.png")
    whole = [{"id": f"r{n}", "image": "a.png", "instruction": f"c{n}", **row} for n, row in enumerate(rows)]
    (folder / name).write_text(json.dumps({**header, "samples": whole}), encoding="utf-8")
    return folder


def scored(tmp_path: Path, suite: Path, name: str = "own", **how: Any) -> Path:
    theirs = tmp_path / "theirs.json"
    theirs.write_text(json.dumps([{"id": f"r{n}", "x_px": 0.28 * 800, "y_px": 0.28 * 600} for n in range(NUM)]))
    done = score_predictions(name, theirs, annotations=suite, reading=reading_of(None, None, "first"), **how)
    write_result_folder(tmp_path / "out", done)
    return tmp_path / "out"


def edit_manifest(folder: Path, **change: Any) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["suite"].update(change)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_the_report_has_the_boxes_that_the_result_was_judged_with(tmp_path: Path) -> None:
    suite = annotated(tmp_path / "suite", [{"bbox": [0.1, 0.1, 0.2 + n / 100, 0.2]} for n in range(NUM)])
    out = scored(tmp_path, suite, boxes="xywh_01")  # recognised would be xyxy_01, and every point outside
    result = json.loads((out / "result.json").read_text())
    assert result["manifest"]["suite"]["boxes"] == "xywh_01"
    assert result["correct"] == NUM
    report = write_report(out, suite_of_run(out, suite)).report
    assert report["result"]["correct"] == NUM


def test_a_report_over_other_broken_rows_or_boxes_than_the_result_is_refused(tmp_path: Path) -> None:
    rows: list[Row] = [{"bbox": [600 + n, 500, 700 + n, 590]} for n in range(NUM)]
    suite = annotated(tmp_path / "suite", [*rows[:-1], {"bbox": [700, 500, 600, 590]}], boxes="xyxy_px")
    out = scored(tmp_path, suite, skip_bad=True)
    assert suite_of_run(out, suite).skipped == ("r5",)
    edit_manifest(out, skipped=[])
    with pytest.raises(BadRequest, match=r"left 0 broken rows out, and 1 of .* `moonhand eval check own"):
        suite_of_run(out, suite)
    edit_manifest(out, skipped=["r5"], boxes="xywh_px+xyxy_px")
    with pytest.raises(BadRequest, match=r"judged with boxes as xywh_px\+xyxy_px, and in .* they are xyxy_px"):
        suite_of_run(out, suite)


def test_a_row_that_a_run_left_out_for_want_of_its_picture_is_left_out_of_the_report(tmp_path: Path) -> None:
    rows: list[Row] = [{"bbox": [n, 5, 9 + n, 9]} for n in range(NUM)]
    rows[2] |= {"image": "gone.png", "img_size": [800, 600]}
    suite = annotated(tmp_path / "suite", rows, boxes="xyxy_px")
    out = scored(tmp_path, suite)
    assert suite_of_run(out, suite).skipped == ()
    asked = open_suite("own", suite, skip_bad=True)  # as a run opens it
    edit_manifest(out, **suite_manifest(asked))
    assert suite_of_run(out, suite).skipped == ("r2",)


def test_no_published_figure_stands_beside_a_drawn_suite(tmp_path: Path) -> None:
    rows: list[Row] = [{"bbox": [n, 5, 9 + n, 9], "ui_type": "icon", "group": "a"} for n in range(NUM)]
    suite = annotated(tmp_path / "suite", rows)
    out = scored(tmp_path, suite, "screenspot-pro")
    assert write_report(out, suite_of_run(out, suite)).report["published"]
    (suite / "rows.json").rename(tmp_path / "rows.json")
    (suite / "annotations").mkdir()
    (tmp_path / "rows.json").rename(suite / "annotations" / "rows.json")
    (suite / "suite.json").write_text(json.dumps({"made_by": "moonhand eval generate"}))
    (tmp_path / "drawn").mkdir()
    out = scored(tmp_path / "drawn", suite, "screenspot-pro")
    opened = suite_of_run(out, suite)
    assert opened.drawn
    report = write_report(out, opened).report
    assert report["published"] == []
    assert any("the data are not" in note for note in report["result"]["notes"])
    assert read_file(out, opened).predictions


def ran(out: Path, suite: Path, num: int | None = None) -> tuple[Path, Result]:
    """What `eval run --skip-bad` leaves of the first `num` samples, up to what a model says."""
    asked = open_suite("own", suite, skip_bad=True).first(num)
    replies = [Prediction(id=each.id, point=Point(3, 6)) for each in asked.samples]
    out.mkdir()
    write_predictions(out / "predictions.jsonl", replies)
    manifest = {"suite": {**suite_manifest(asked), "limit": num}}
    (out / "manifest.json").write_text(json.dumps(manifest))
    return out, score(asked, {each.id: each for each in replies})


def rescored(folder: Path, suite: Path) -> Result:
    return score_predictions("own", folder, annotations=suite, reading=reading_of(None, None, "first")).result


def told(result: Result) -> dict[str, Any]:
    return {key: value for key, value in result.to_json().items() if key not in ("notes", "latency")}


def test_a_run_without_its_broken_rows_is_scored_as_it_was(tmp_path: Path) -> None:
    rows: list[Row] = [{"bbox": [n, 5, 9 + n, 9], "img_size": [800, 600], "platform": "web"} for n in range(NUM)]
    rows[1] |= {"bbox": [9, 5, 1, 9]}
    rows[2] |= {"image": "gone.png", "refusal": True}
    suite = annotated(tmp_path / "suite", rows, boxes="xyxy_px")
    out, result = ran(tmp_path / "out", suite)
    assert (result.n, result.outcomes[Outcome.SKIPPED]) == (6, 2)
    assert told(rescored(out, suite)) == told(result)
    assert told(rescored(out / "predictions.jsonl", suite)) == told(result)
    (suite / "a.png").unlink()  # the run's rows count, not the pictures that are there now
    assert told(rescored(out, suite)) == told(result)
    assert [sample is None for sample in suite_of_run(out, suite).rows] == [False, True, True, False, False, False]


def test_a_run_of_the_first_samples_is_scored_over_those_that_it_asked(tmp_path: Path) -> None:
    rows: list[Row] = [{"bbox": [n, 5, 9 + n, 9], "img_size": [800, 600]} for n in range(NUM)]
    rows[1] |= {"image": "gone.png"}
    suite = annotated(tmp_path / "suite", rows, boxes="xyxy_px")
    out, result = ran(tmp_path / "out", suite, 3)
    again = rescored(out, suite)
    assert told(again) == told(result)
    assert (again.n, again.outcomes[Outcome.MISSING]) == (3, 0)
    assert "the run was of the first 3 samples that can be asked (--limit 3): those alone are scored" in again.notes
    done = score_predictions("own", out, annotations=suite, reading=reading_of(None, None, "first"))
    write_result_folder(tmp_path / "again", done)
    assert len(suite_of_run(tmp_path / "again", suite).samples) == 3


def test_a_run_is_scored_with_the_boxes_that_it_was_judged_with(tmp_path: Path) -> None:
    suite = annotated(tmp_path / "suite", [{"bbox": [0.1, 0.1, 0.2 + n / 100, 0.2]} for n in range(NUM)])
    out = scored(tmp_path, suite, boxes="xywh_01")  # recognised would be xyxy_01, and every point outside
    assert rescored(out, suite).correct == NUM
