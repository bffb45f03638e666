from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from subprocess import run
from typing import Any

import pytest
import typer
from moonhand.envs import Point, Size
from moonhand.tasks.console import with_plain_errors
from moonhand.tasks.evals.prediction import Failure, Outcome, Prediction
from moonhand.tasks.evals.prediction_files import write_predictions
from moonhand.tasks.evals.sample import Answer, BoxAnswer, GroundingSample, PolygonAnswer, RefusalAnswer, Suite
from moonhand.tasks.evals.score import Result, score
from moonhand.tasks.evals.score_command import score_file
from moonhand.tasks.evals.statistics import wilson
from moonhand.tasks.evals.timings import read_timings
from typer.testing import CliRunner
from typer.testing import Result as Told

ANNOTATIONS = "MOONHAND_ANNOTATIONS"  # a folder with screenspot_v2/ and screenspot_pro/
BUTTON = BoxAnswer(10, 10, 30, 20)
HIT, MISS = Point(20, 15), Point(500, 400)

app = typer.Typer()
app.command()(with_plain_errors(score_file))


def scored(*arguments: str | Path) -> Told:
    return CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=False, env={"COLUMNS": "140"})


def sample(name: str, answer: Answer = BUTTON, **groups: str | tuple[str, ...]) -> GroundingSample:
    axes = {axis: (told,) if isinstance(told, str) else told for axis, told in groups.items()}
    return GroundingSample(
        id=name, image=None, size=Size(1000, 800), instruction=f"open {name}", answer=answer, groups=axes
    )


def said(**replies: Point | Failure | None) -> dict[str, Prediction]:
    """None refuses."""
    return {
        name: Prediction(id=name, failure=reply, error="so")
        if isinstance(reply, Failure)
        else Prediction(id=name, point=reply, refused=reply is None)
        for name, reply in replies.items()
    }


def suite_of(*samples: GroundingSample, **told: Any) -> Suite:
    return Suite(name="made", samples=samples, files={"made.json": "00ff"}, **told)


def test_rows_that_are_in_no_cell_leave_no_mean_of_the_cells() -> None:
    rows = [sample(name, platform="web") for name in "ab"]
    assert score(suite_of(*rows, cells=("platform",)), {}).accuracy_macro == 0
    for rest, skipped in (((), ("c",)), ((sample("c"),), ())):
        told = score(suite_of(*rows, *rest, cells=("platform",), skipped=skipped), {})
        assert told.accuracy_macro is None
        assert told.notes == ("no mean of the cells: 1 rows are in none of them",)


def test_every_row_is_in_the_denominator_also_those_nobody_answered_or_could_be_asked() -> None:
    suite = suite_of(*(sample(name) for name in "abcdef"), skipped=("broken",))
    result = score(suite, said(a=HIT, b=MISS, c=Failure.CRASHED, d=Failure.WRONG_FORMAT, e=Point(-1, 15)))
    assert (result.n, result.correct, result.wrong_format) == (7, 1, 1)
    assert {outcome: num for outcome, num in result.outcomes.items() if num} == dict.fromkeys(
        (
            Outcome.HIT,
            Outcome.WRONG,
            Outcome.OFF_SCREEN,
            Outcome.WRONG_FORMAT,
            Outcome.CRASHED,
            Outcome.MISSING,
            Outcome.SKIPPED,
        ),
        1,
    )
    assert sum(result.outcomes.values()) == result.n
    assert result.accuracy == 1 / 7
    assert result.ci95 == wilson(1, 7)
    with pytest.raises(ValueError, match="rows that made has not: z"):
        score(suite, said(z=HIT))


def test_the_macro_average_is_over_the_published_cells_and_differs_from_the_micro_one() -> None:
    rows = [sample("a", kind="icon", where="web"), *(sample(name, kind="text", where="web") for name in "bcd")]
    rows.append(sample("e", kind="text", where="mobile"))
    result = score(suite_of(*rows, cells=("where", "kind")), said(a=MISS, b=HIT, c=HIT, d=MISS, e=HIT))
    assert {name: (cell.n, cell.correct) for name, cell in result.cells.items()} == {
        "mobile / text": (1, 1),
        "web / icon": (1, 0),
        "web / text": (3, 2),
    }
    assert result.accuracy == 3 / 5
    assert result.accuracy_macro == pytest.approx((1 + 0 + 2 / 3) / 3)
    told = result.to_json()
    assert told["macro_over"] == ["where", "kind"]
    assert told["groups"]["kind"]["text"] == {"n": 4, "correct": 3, "accuracy": 0.75, "ci95": list(wilson(3, 4))}
    without = score(suite_of(*rows), said(a=HIT)).to_json()
    assert (without["accuracy_macro"], without["macro_over"], without["cells"]) == (None, [], {})


def test_a_row_with_two_tags_of_an_axis_counts_in_both_groups_and_once_in_all() -> None:
    rows = [sample("a", tag=("text", "layout")), sample("b", tag="text")]
    result = score(suite_of(*rows, cells=("tag",)), said(a=HIT, b=MISS))
    assert {name: (each.n, each.correct) for name, each in result.groups["tag"].items()} == {
        "layout": (1, 1),
        "text": (2, 1),
    }
    assert (result.n, result.accuracy_macro) == (2, 0.75)


def test_refusals_are_told_apart_and_the_actionable_rows_have_a_score_of_their_own() -> None:
    nothing = RefusalAnswer()
    rows = [*(sample(name, nothing) for name in "abcd"), *(sample(name) for name in "efg")]
    result = score(suite_of(*rows), said(a=None, b=HIT, c=Point(-5, 3), d=Failure.WRONG_FORMAT, e=None, f=HIT, g=MISS))
    assert result.refusal.to_json() == {
        "n": 4,
        "true_refusals": 1,
        "missed": 2,
        "unreadable": 1,
        "num_targets": 3,
        "false_refusals": 1,
        "true_refusal_rate": 0.25,
        "missed_rate": 0.5,
        "false_refusal_rate": 1 / 3,
        "precision": 0.5,
    }
    assert (result.correct, result.n) == (2, 7)
    assert (result.actionable.correct, result.actionable.n) == (1, 3)


def test_accuracy_by_size_is_over_classes_of_the_target_and_of_the_screenshot() -> None:
    tall = GroundingSample(
        id="c",
        image=None,
        size=Size(1170, 2532),
        instruction="it",
        answer=PolygonAnswer((Point(0, 0), Point(100, 0), Point(0, 100))),
    )
    rows = (sample("a"), sample("b", BoxAnswer(0, 0, 400, 300)), tall, sample("d", RefusalAnswer()))
    result = score(suite_of(*rows), said(a=HIT, b=MISS, c=Point(10, 10), d=None))
    counts = {axis: {name: each.n for name, each in values.items()} for axis, values in result.sizes.items()}
    assert counts == {
        "target_area_px2": {"< 256": 1, "4096 - 16384": 1, ">= 16384": 1},
        "target_aspect": {"1 - 2": 2, "2 - 4": 1},
        "target_share_percent": {"0.01 - 0.03": 1, "0.1 - 0.3": 1, ">= 3": 1},
        "screenshot_megapixels": {"< 1": 3, "2 - 4": 1},
        "screenshot_aspect": {"< 1": 1, "1 - 1.5": 3},
    }
    assert result.sizes["target_area_px2"]["4096 - 16384"].correct == 1


def test_without_the_sizes_of_screenshots_nothing_is_counted_over_them_and_none_is_off_screen(tmp_path: Path) -> None:
    rows = [
        {"img_filename": "a.png", "bbox": [10, 10, 410, 30], "instruction": str(number), "ui_type": "icon"}
        for number in range(3)
    ]
    annotations = tmp_path / "word_macos.json"
    annotations.write_text(json.dumps(rows))
    predictions = tmp_path / "theirs.json"
    predictions.write_text(json.dumps([[3000, 9], [20, 15], [20, 31]]))
    flags = ("screenspot-pro", "--annotations", annotations, "--predictions", predictions, "--json", "--coordinates")
    told = json.loads(scored(*flags, "px").stdout)
    assert (told["correct"], told["outcomes"]["wrong"], told["outcomes"]["off_screen"]) == (1, 2, 0)
    assert set(told["sizes"]) == {"target_area_px2", "target_aspect"}
    assert "the sizes of the screenshots are not known: no point is counted as off-screen" in told["notes"]
    predictions.write_text(json.dumps([[0.5, 0.9], [0.2, 0.15], [0.2, 0.3]]))
    refused = scored(*flags, "unit")
    assert refused.exit_code == 2
    assert "have no place in px, as screenspot-pro does not say how large" in json.loads(refused.stdout)["error"]


def test_distances_latency_and_tokens_are_told_as_quantiles(tmp_path: Path) -> None:
    rows = [sample(name) for name in "abc"]
    replies = said(a=HIT, b=Point(30, 23), c=Point(34, 23))
    lines = [{"id": name, "model_s": 2.0 * at, "wait_s": 0.0, "attempts": 1, "worker": "w"} for at, name in
             enumerate("abc")]  # fmt: skip
    path = tmp_path / "timings.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in [{**lines[0], "model_s": 99}, *lines]) + '{"id": "b"')
    told = score(suite_of(*rows), replies, read_timings(path)).to_json()
    assert told["distance_px"]["all"]["median"] == 3
    assert told["distance_px"]["misses"] == {"n": 2, "median": 4, "p75": 4.5, "p90": 4.8, "p95": 4.9, "max": 5}
    assert (told["latency"]["n"], told["latency"]["model_s"]["median"], told["latency"]["model_s"]["sum"]) == (3, 2, 6)
    assert told["tokens"]["prompt"] == {
        "n": 0, "median": None, "p75": None, "p90": None, "p95": None, "max": None, "sum": 0
    }  # fmt: skip


def test_the_json_has_all_that_programs_rely_on_and_no_number_that_is_none() -> None:
    for suite, replies in ((suite_of(), {}), (suite_of(sample("a", kind="icon"), cells=("kind",)), said(a=HIT))):
        told = json.loads(json.dumps(score(suite, replies).to_json(), allow_nan=False))
        keys = {"n", "correct", "accuracy", "accuracy_macro", "ci95", "wrong_format", "outcomes", "groups", "refusal"}
        assert keys <= told.keys()
        assert set(told["outcomes"]) == {outcome.value for outcome in Outcome}


@pytest.fixture(scope="module")
def log() -> Path:
    folder = os.environ.get(ANNOTATIONS)
    if not folder:
        pytest.skip(f"set {ANNOTATIONS} to a folder with the published annotation files")
    return Path(folder) / "screenspot_pro" / "logs_sspro_omniv2.json"


def test_of_the_published_rows_5_turn_right_by_rounding_their_points(log: Path) -> None:
    told = scored("screenspot-pro", "--predictions", log, "--json")
    found = json.loads(told.stdout)
    stored = sum(json.loads(line)["correctness"] == "correct" for line in log.read_text("utf-8").splitlines())
    assert (found["n"], stored, found["correct"]) == (1581, 625, 630)
    assert found["accuracy"] == 630 / 1581
    assert {name: (each["n"], each["correct"]) for name, each in found["groups"]["ui_type"].items()} == {
        "icon": (604, 70),
        "text": (977, 560),
    }
    assert sum(each["n"] for each in found["groups"]["group"].values()) == 1581
    assert any("calls 625 rows correct, and its points are in 630 targets: 5 rows differ" in n for n in found["notes"])


def test_a_point_is_judged_unrounded_where_rounding_would_change_the_verdict() -> None:
    rows = [sample(name) for name in "abcd"]
    points = dict(zip("abcd", (Point(30.4, 15), Point(9.6, 15), Point(30, 20.49), Point(29.6, 19.9)), strict=True))
    rounded = {name: Point(round(point.x_px), round(point.y_px)) for name, point in points.items()}
    assert score(suite_of(*rows), said(**points)).correct == 1
    assert score(suite_of(*rows), said(**rounded)).correct == 4


def annotated(folder: Path) -> Path:
    """ScreenSpot-v2 in small: two rows a platform, with boxes as left, top, width and height in px."""
    folder.mkdir()
    for platform in ("mobile", "desktop", "web"):
        rows = [
            {
                "img_filename": f"{platform}_{number}.png",
                "img_size": [1000, 800],
                "bbox": [100 * number, 50, 100, 20],
                "instruction": f"open {platform} {number}",
                "data_type": "icon" if number == 9 else "text",
                "data_source": "shop",
            }
            for number in (1, 9)
        ]
        (folder / f"screenspot_{platform}_v2.json").write_text(json.dumps(rows))
    return folder


def test_the_command_scores_a_file_of_points_and_writes_a_result_folder(tmp_path: Path) -> None:
    annotations = annotated(tmp_path / "suite")
    rows = [
        {"instruction": f"open {platform} {number}", "point": [100 * number + 50, y]}
        for platform, y in (("mobile", 60), ("desktop", 70), ("web", 71))
        for number in (1, 9)
    ]
    predictions = tmp_path / "theirs.json"
    predictions.write_text(json.dumps(rows))
    flags = ("screenspot-v2", "--annotations", annotations, "--predictions", predictions, "--coordinates", "px")
    told = scored(*flags, "--out", tmp_path / "out", "--verdicts", tmp_path / "verdicts.jsonl", "--json")
    assert told.exit_code == 0, told.stderr
    found = json.loads(told.stdout)
    assert (found["n"], found["correct"], found["macro_over"]) == (6, 4, ["platform", "ui_type"])
    assert found["groups"]["platform"]["web"]["correct"] == 0
    assert found["predictions"]["file"] == "theirs.json"
    verdicts = [json.loads(line) for line in (tmp_path / "verdicts.jsonl").read_text().splitlines()]
    assert [verdict["correct"] for verdict in verdicts].count(True) == 4
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "manifest.json",
        "predictions.jsonl",
        "result.json",
        "verdicts.jsonl",
    ]
    again = scored("screenspot-v2", "--annotations", annotations, "--predictions", tmp_path / "out", "--json")
    assert json.loads(again.stdout)["correct"] == 4
    twice = scored(*flags, "--out", tmp_path / "out")
    assert (twice.exit_code, "has a manifest.json already" in twice.stderr) == (2, True)
    shown = scored(*flags)
    assert shown.stderr == ""
    assert "4 of 6 right: 66.67 %" in shown.stdout
    assert "as the mean of the 6 cells of platform x ui_type" in shown.stdout


def test_verdicts_go_over_verdicts_and_over_nothing_else(tmp_path: Path) -> None:
    annotations, predictions = annotated(tmp_path / "suite"), tmp_path / "theirs.json"
    predictions.write_text(json.dumps([{"instruction": "open web 1", "point": [150, 60]}]))
    flags = ("screenspot-v2", "--annotations", annotations, "--predictions", predictions, "--coordinates", "px")
    for _ in range(2):
        assert scored(*flags, "--verdicts", tmp_path / "verdicts.jsonl", "--json").exit_code == 0
    write_predictions(tmp_path / "predictions.jsonl", [Prediction(id="web/1", point=HIT)])
    for kept in (predictions, annotations / "screenspot_web_v2.json", tmp_path / "predictions.jsonl"):
        before = kept.read_bytes()
        refused = scored(*flags, "--verdicts", kept, "--json")
        assert (refused.exit_code, kept.read_bytes()) == (2, before)
        assert "holds no verdicts: it is kept" in json.loads(refused.stdout)["error"]


@pytest.mark.parametrize(
    ("flags", "said_so"),
    [
        (("--take", "middle"), "--take 'middle' is neither first nor last"),
        (("--coordinates", "cm"), "--coordinates 'cm' is none of px, unit, thousand"),
        (("--dialect", "latin"), "--dialect 'latin' is none of kimi"),
        ((), "--annotations DIR: where are the targets of screenspot-pro?"),
    ],
)
def test_flags_that_say_nothing_known_are_refused_before_anything_is_read(
    tmp_path: Path, flags: tuple[str, ...], said_so: str
) -> None:
    told = scored("screenspot-pro", "--predictions", tmp_path / "none.json", *flags, "--json")
    assert told.exit_code == 2
    assert said_so in json.loads(told.stdout)["error"]


def test_scoring_loads_no_model_and_no_torch(tmp_path: Path) -> None:
    annotations = annotated(tmp_path / "suite")
    write_predictions(tmp_path / "predictions.jsonl", [])
    code = (
        "import sys; from pathlib import Path\n"
        "from moonhand.tasks.evals import score_command, compare_command\n"
        "from moonhand.tasks.evals.foreign_files import Reading\n"
        f"path = Path({str(tmp_path / 'theirs.json')!r}); path.write_text('[\"click(x=0.1, y=0.1)\"]')\n"
        f"annotations = Path({str(annotations / 'screenspot_web_v2.json')!r})\n"
        'path.write_text(\'["click(x=0.15, y=0.07)", "click(x=0.1, y=0.1)"]\')\n'
        "scored = score_command.score_predictions('screenspot-v2', path, annotations=annotations,"
        " reading=Reading(dialect='kimi'))\n"
        "assert (scored.result.n, scored.result.correct) == (2, 1), scored.result\n"
        "assert not {'torch', 'transformers', 'ray', 'pyarrow', 'playwright'} & sys.modules.keys()\n"
    )
    done = run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_result_cannot_be_changed() -> None:
    result: Result = score(suite_of(sample("a")), said(a=HIT))
    with pytest.raises(AttributeError):
        result.correct = 2  # pyright: ignore[reportAttributeAccessIssue]
    assert isinstance(result.groups, Mapping)
