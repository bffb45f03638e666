from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from moonhand.tasks.console import with_plain_errors
from moonhand.tasks.errors import BadRequest
from moonhand.tasks.evals.compare import Paired, compare_verdicts, differing
from moonhand.tasks.evals.compare_command import compare
from moonhand.tasks.evals.prediction import Outcome
from moonhand.tasks.evals.score_command import reading_of, score_predictions, write_result_folder
from moonhand.tasks.evals.statistics import mcnemar
from moonhand.tasks.evals.verdict_files import Judged
from typer.testing import CliRunner, Result

app = typer.Typer()
app.command()(with_plain_errors(compare))

ROWS = 12
IN = (150, 60)


def compared(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=False, env={"COLUMNS": "160"})


def annotated(path: Path, **change: Any) -> Path:
    """A file of ScreenSpot-v2's, the boxes as left, top, width and height in px."""
    rows = [
        {
            "img_filename": f"{number}.png",
            "img_size": [1000, 800],
            "bbox": [100, 50, 100, 20] if number % 2 else [100, 50, 890, 740],
            "instruction": f"open {number}",
            "data_type": "icon" if number % 3 else "text",
            "data_source": "shop",
            **change,
        }
        for number in range(ROWS)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows))
    return path


def predicted(path: Path, wrong: set[int]) -> Path:
    rows = [{"instruction": f"open {number}", "point": (5, 5) if number in wrong else IN} for number in range(ROWS)]
    path.write_text(json.dumps(rows))
    return path


def folder(path: Path, annotations: Path, wrong: set[int]) -> Path:
    theirs = predicted(path.with_suffix(".json"), wrong)
    scored = score_predictions(
        "screenspot-v2", theirs, annotations=annotations, reading=reading_of(None, "px", "first")
    )
    write_result_folder(path, scored)
    return path


@pytest.fixture(name="annotations")
def web_annotations(tmp_path: Path) -> Path:
    return annotated(tmp_path / "suite" / "screenspot_web_v2.json")


def test_a_run_that_is_not_there_is_told_as_such(tmp_path: Path, annotations: Path) -> None:
    left = compared(folder(tmp_path / "a", annotations, {0}), tmp_path / "nope", "--json")
    assert (left.exit_code, "nope is not there" in json.loads(left.stdout)["error"]) == (2, True)


def test_two_result_folders_are_compared_row_by_row(tmp_path: Path, annotations: Path) -> None:
    a, b = folder(tmp_path / "a", annotations, {0, 1, 2, 3}), folder(tmp_path / "b", annotations, {3, 4})
    told = json.loads(compared(a, b, "--json").stdout)
    assert (told["n"], told["a"]["correct"], told["b"]["correct"]) == (12, 8, 10)
    assert (told["both"], told["only_a"], told["only_b"], told["neither"]) == (7, 1, 3, 1)
    assert told["difference"] == pytest.approx(2 / 12)
    assert told["mcnemar_p"] == mcnemar(1, 3) == 0.625
    assert [each["instruction"] for each in told["right_to_wrong"]] == ["open 4"]
    assert [each["instruction"] for each in told["wrong_to_right"]] == ["open 0", "open 1", "open 2"]
    groups = told["groups"]["ui_type"]
    assert (groups["text"]["only_a"], groups["text"]["only_b"]) == (0, 1)
    assert (groups["icon"]["only_a"], groups["icon"]["only_b"]) == (1, 2)
    assert set(told["manifest"]) == {"scored.file", "scored.sha256"}
    shown = compared(a, b)
    assert shown.stdout == ""
    assert "B - A: +16.67 points; 3 wrong to right, 1 right to wrong, McNemar p = 0.625 (exact)" in shown.stderr
    assert 'scored.file: "a.json" in A, "b.json" in B' in shown.stderr


def test_two_files_of_predictions_are_compared_against_annotations(tmp_path: Path, annotations: Path) -> None:
    a, b = predicted(tmp_path / "a.json", {1}), predicted(tmp_path / "b.json", set())
    flags = ("--suite", "screenspot-v2", "--annotations", annotations, "--coordinates", "px", "--json")
    told = json.loads(compared(a, b, *flags).stdout)
    assert (told["only_a"], told["only_b"], told["manifest"]) == (0, 1, {})
    mixed = json.loads(compared(folder(tmp_path / "c", annotations, {1, 2}), b, *flags).stdout)
    assert (mixed["only_a"], mixed["only_b"]) == (0, 2)
    nameless = compared(a, b, "--json")
    assert nameless.exit_code == 2
    assert "name it with --suite and --annotations" in json.loads(nameless.stdout)["error"]


def test_results_against_other_annotation_files_are_refused(tmp_path: Path, annotations: Path) -> None:
    other = annotated(tmp_path / "later" / "screenspot_web_v2.json", data_source="forum")
    a, b = folder(tmp_path / "a", annotations, set()), folder(tmp_path / "b", other, set())
    told = compared(a, b, "--json")
    assert told.exit_code == 2
    assert "screenspot_web_v2.json differ by SHA-256" in json.loads(told.stdout)["error"]
    judged_anew = compared(a, a, "--annotations", other, "--json")
    assert judged_anew.exit_code == 2


def test_results_judged_with_boxes_read_another_way_are_refused(tmp_path: Path) -> None:
    annotations = annotated(tmp_path / "suite" / "screenspot_web_v2.json", bbox=[100, 50, 200, 90])
    for way in ("xywh_px", "xyxy_px"):
        scored = score_predictions(
            "screenspot-v2",
            predicted(tmp_path / "p.json", {1}),
            annotations=annotations,
            reading=reading_of(None, "px", "first"),
            boxes=way,
        )
        write_result_folder(tmp_path / way, scored)
    told = compared(tmp_path / "xywh_px", tmp_path / "xyxy_px", "--json")
    assert told.exit_code == 2
    said = json.loads(told.stdout)["error"]
    assert "A was judged with boxes as xywh_px, B as xyxy_px: the targets differ" in said
    (tmp_path / "xywh_px" / "verdicts.jsonl").unlink()  # judged anew, the boxes are read as they were
    anew = compared(tmp_path / "xywh_px", tmp_path / "xywh_px", "--annotations", annotations, "--json")
    assert json.loads(anew.stdout)["both"] == ROWS - 1


def test_a_folder_without_verdicts_is_judged_anew_where_annotations_are_given(
    tmp_path: Path, annotations: Path
) -> None:
    a, b = folder(tmp_path / "a", annotations, {1}), folder(tmp_path / "b", annotations, {2})
    (b / "verdicts.jsonl").unlink()
    told = compared(a, b)
    assert told.exit_code == 2
    assert "give --annotations DIR, and its predictions are judged anew" in told.stderr.replace("\n", " ")
    assert json.loads(compared(a, b, "--annotations", annotations, "--json").stdout)["only_b"] == 1


def test_runs_of_the_first_samples_alone_are_compared_over_those(tmp_path: Path, annotations: Path) -> None:
    a, b = folder(tmp_path / "a", annotations, {1}), folder(tmp_path / "b", annotations, {2, 9})
    for path in (a, b):
        (path / "verdicts.jsonl").unlink()
        manifest = json.loads((path / "manifest.json").read_text())
        manifest["suite"]["limit"] = 5
        (path / "manifest.json").write_text(json.dumps(manifest))
        lines = (path / "predictions.jsonl").read_text().splitlines(keepends=True)
        (path / "predictions.jsonl").write_text("".join(lines[:5]))
    told = json.loads(compared(a, b, "--annotations", annotations, "--json").stdout)
    assert (told["n"], told["only_a"], told["only_b"]) == (5, 1, 1)


def test_a_whole_and_a_limited_run_are_compared_over_what_both_were_asked(tmp_path: Path, annotations: Path) -> None:
    a, b = folder(tmp_path / "a", annotations, {1, 7}), folder(tmp_path / "b", annotations, {2})
    manifest = json.loads((b / "manifest.json").read_text())
    manifest["suite"] |= {"limit": 5, "samples": 5}
    (b / "manifest.json").write_text(json.dumps(manifest))
    for name in ("predictions.jsonl", "verdicts.jsonl"):
        lines = (b / name).read_text().splitlines(keepends=True)
        (b / name).write_text("".join(lines[:5]))
    for flags in ((), ("--annotations", annotations)):
        refused = compared(a, b, *flags, "--json")
        assert refused.exit_code == 2
        assert "A has 12 rows and B has 5" in (said := json.loads(refused.stdout)["error"])
        assert "--common" in said
        told = json.loads(compared(a, b, *flags, "--common", "--json").stdout)
        assert (told["n"], told["only_a"], told["only_b"]) == (5, 1, 1)
        assert told["common"] == {"n": 5, "only_a": 7, "only_b": 0}
    assert "over the 5 rows that both were asked: 7 more of A and 0 more of B" in compared(a, b, "--common").stderr


def test_a_page_goes_over_a_page_and_over_nothing_else(tmp_path: Path, annotations: Path) -> None:
    a, page = folder(tmp_path / "a", annotations, {1}), tmp_path / "page.html"
    assert [compared(a, a, "--html", page, "--json").exit_code for _ in range(2)] == [0, 0]
    for kept in (annotations, tmp_path / "theirs.html"):
        before = kept.read_bytes() if kept.exists() else b"<!doctype html><title>mine</title>"
        kept.write_bytes(before)
        refused = compared(a, a, "--html", kept, "--json")
        assert (refused.exit_code, kept.read_bytes()) == (2, before)
        assert "is no page of moonhand's: it is kept" in json.loads(refused.stdout)["error"]


def test_many_changed_rows_are_cut_for_people_unless_all_are_asked_for(tmp_path: Path, annotations: Path) -> None:
    from moonhand.tasks.evals import compare_command

    assert compare_command.SHOWN > ROWS
    a, b = folder(tmp_path / "a", annotations, set()), folder(tmp_path / "b", annotations, set(range(ROWS)))
    assert compared(a, b, "--all").stderr.count("open ") == ROWS


def row(name: str, correct: bool) -> Judged:
    outcome = Outcome.HIT if correct else Outcome.WRONG
    return Judged(id=name, outcome=outcome, correct=correct, instruction=name, groups={})


def test_results_of_other_rows_are_refused_and_named() -> None:
    a = {name: row(name, True) for name in "abc"}
    b = {name: row(name, True) for name in "ab"}
    with pytest.raises(BadRequest, match=r"A has 3 rows and B has 2, not the same ones \(1 only in A: c\)"):
        compare_verdicts(a, b)
    assert compare_verdicts(a, dict(reversed(list(a.items())))).paired == Paired(3, 0, 0, 0)


def test_manifests_are_compared_key_by_key() -> None:
    a = {"model": {"name": "nano", "dtype": "bfloat16"}, "seed": 1, "zoom": {}}
    b = {"model": {"name": "nano", "dtype": "float32"}, "seed": 1, "votes": 3}
    assert differing(a, b) == {"model.dtype": ("bfloat16", "float32"), "zoom": ({}, None), "votes": (None, 3)}


def test_nothing_to_compare_is_no_difference() -> None:
    told = compare_verdicts({}, {}).to_json()
    assert (told["n"], told["difference"], told["mcnemar_p"]) == (0, 0.0, 1.0)
