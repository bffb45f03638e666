"""A sweep: what a grid means, who is on the front, and a real one over a small model that goes on where it was."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import typer
from moonhand.envs import Point, Size
from moonhand.tasks.console import with_plain_errors
from moonhand.tasks.errors import BadRequest
from moonhand.tasks.evals.engine_source import EngineSource
from moonhand.tasks.evals.prediction import Prediction
from moonhand.tasks.evals.report.sweep_labels import Spot, labels
from moonhand.tasks.evals.report.sweep_page import accuracy_range, cost_scale, sweep_plot, write_sweep
from moonhand.tasks.evals.sample import BoxAnswer, GroundingSample, Suite
from moonhand.tasks.evals.score import Result, score
from moonhand.tasks.evals.sweep import Cell, CellResult, against, cells_of, front, parse_grid, source_of, sweep_json
from moonhand.tasks.evals.sweep_command import sweep
from moonhand.tasks.evals.timings import Timing
from PIL import Image
from typer.testing import CliRunner


def test_a_grid_is_every_combination() -> None:
    cells = cells_of(parse_grid(["quantize=none,int8", "grammar=on,off"]))
    assert [cell.name for cell in cells] == [
        "quantize=none,grammar=on",
        "quantize=none,grammar=off",
        "quantize=int8,grammar=on",
        "quantize=int8,grammar=off",
    ]


def test_cells_that_would_be_asked_alike_are_one() -> None:
    cells = cells_of(parse_grid(["zoom=off,on", "votes=1,3,5"]))
    assert [cell.name for cell in cells] == ["zoom=off", "zoom=on,votes=1", "zoom=on,votes=3", "zoom=on,votes=5"]


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        (["zoom"], "a knob and its values"),
        (["zoom="], "a knob and its values"),
        (["zoom=yes"], "one of on, off"),
        (["colour=red"], "no knob 'colour'"),
        (["zoom=on", "zoom=off"], "given before"),
        (["votes=3"], "--grid zoom=on"),
        (["zoom=on", "votes=0"], "whole number"),
        (["patch-limit=many"], "whole number"),
        (["quantize=int2"], "none, int8, int4"),
    ],
)
def test_a_grid_that_makes_no_sense_is_refused_in_words(grid: list[str], said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        parse_grid(grid)
    with pytest.raises(BadRequest, match="nothing to sweep"):
        cells_of({})
    with pytest.raises(BadRequest, match="at most 200"):
        cells_of({"patch-limit": tuple(str(number) for number in range(1, 300))})


def test_two_profiles_never_share_a_folder() -> None:
    with pytest.raises(BadRequest, match="share a folder"):
        cells_of(parse_grid(["profile=a/b.toml,a-b.toml"]))


def test_settings_reach_the_model() -> None:
    settings = {"zoom": "on", "votes": "5", "patch-limit": "900", "grammar": "off", "quantize": "none"}
    source = source_of(Cell(settings), EngineSource(model="nano", quantize="int8", seed=3))
    assert source.zoom is not None
    assert (source.zoom.crops, source.zoom.vote) == (5, True)
    assert source.quantize is None
    assert source.profile is not None
    assert (source.profile.name, source.profile.constrained) == ("nano", False)
    told = source.manifest()
    assert told["model"]["image_processor"]["in_token_limit"] == 900
    assert told["decoding"] == source_of(Cell({"grammar": "off"}), EngineSource(seed=3)).manifest()["decoding"]
    full, half = (EngineSource(patch_limit=limit).image_tokens(Size(1920, 1080)) for limit in (1024, 512))
    assert half < full <= 1024
    alone = source_of(Cell({"zoom": "on", "votes": "1"}), EngineSource())
    assert alone.zoom is not None
    assert not alone.zoom.vote


def result(right: Sequence[bool], model_s: float | None) -> Result:
    box, size = BoxAnswer(0, 0, 10, 10), Size(100, 100)
    samples = tuple(
        GroundingSample(id=str(number), image=None, size=size, instruction="x", answer=box)
        for number in range(len(right))
    )
    predictions = {
        str(number): Prediction(id=str(number), point=Point(5, 5) if hit else Point(50, 50))
        for number, hit in enumerate(right)
    }
    times = {} if model_s is None else {each.id: Timing(id=each.id, model_s=model_s) for each in samples}
    return score(Suite(name="mine", samples=samples, files={}), predictions, times)


def made(*cells: tuple[int, float | None]) -> list[CellResult]:
    """So many right of 20, at so many seconds each."""
    results = [result([number < right for number in range(20)], cost_s) for right, cost_s in cells]
    return [
        CellResult(cell=Cell({"votes": str(number)}), result=each, against_first=against(results[0], each))
        for number, each in enumerate(results)
    ]


def test_the_front_holds_what_no_other_beats() -> None:
    results = made((10, 1.0), (9, 2.0), (14, 3.0), (14, 4.0), (6, 0.5), (20, None), (5, 0.5))
    assert front(results) == (4, 0, 2)
    told = sweep_json("mine", results)
    assert told["front"] == ["votes=4", "votes=0", "votes=2"]
    assert [each["on_front"] for each in told["cells"]] == [True, False, True, False, True, False, False]
    assert [each["difference"] for each in told["cells"]][2] == pytest.approx(0.2)
    assert told["cells"][2]["mcnemar_p"] == pytest.approx(2 * 0.5**4)


def test_the_plot_table_and_page_say_the_same(tmp_path: Path) -> None:
    told = sweep_json("a <b>suite", made((10, 0.1), (9, 2.0), (14, 3.0), (3, None)))
    page = write_sweep(told, tmp_path / "new")
    assert json.loads((tmp_path / "new" / "sweep.json").read_text()) == told
    drawn = ElementTree.fromstring((tmp_path / "new" / "sweep.svg").read_text())
    circles = [each for each in drawn.iter() if each.tag.endswith("circle")]
    assert sorted(each.attrib["class"] for each in circles) == ["best", "best", "dot"]
    with Image.open(tmp_path / "new" / "sweep.png") as picture:
        assert picture.size == (960, 520)
        assert len(np.unique(np.asarray(picture.convert("L")))) > 10
    text, html = (tmp_path / "new" / "sweep.md").read_text(), page.read_text()
    for share in ("50.0\u00a0%", "45.0\u00a0%", "70.0\u00a0%", "15.0\u00a0%"):
        assert share in text
        assert share in html
    assert "a &lt;b&gt;suite" in html
    assert "<b>suite" not in html


def test_the_first_slow_sample_does_not_decide_what_a_cell_costs() -> None:
    slow = result([True] * 5, 0.1)
    timings = (replace(slow.timings[0], model_s=9.0), *slow.timings[1:])
    cell = CellResult(cell=Cell({}), result=replace(slow, timings=timings), against_first=against(slow, slow))
    assert cell.cost_s == pytest.approx(0.1)


def test_the_front_lies_on_top_and_labels_hide_nothing() -> None:
    told = sweep_json("mine", made((10, 1.0), *[(10, 1.0 + 0.001 * number) for number in range(1, 9)], (2, 5.0)))
    drawn = ElementTree.fromstring(sweep_plot(told))
    circles = [each.attrib["class"] for each in drawn.iter("circle")]
    assert circles[-1] == "best"
    assert len(circles) == 10
    numbers = [each.text for each in drawn.iter("text") if each.attrib["class"] == "said"]
    assert {"1", "10"} <= set(numbers)
    assert len(numbers) < 10
    boxes = [label.box for label in labels([Spot(n, 100 + 9.0 * n, 50, on_front=n == 3) for n in range(12)])]
    assert len(boxes) > 2
    for number, one in enumerate(boxes):
        for other in boxes[:number]:
            assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


def test_scales_hold_what_they_show() -> None:
    (low, high), ticks, is_log = cost_scale([0.02, 4.0])
    assert is_log
    assert low < 0.02 < 4.0 < high
    assert all(low <= tick.at <= high for tick in ticks)
    assert not cost_scale([1.0, 2.0])[2]
    assert accuracy_range([{"ci95": [0.31, 0.42]}, {"ci95": [0.37, 0.81]}]) == pytest.approx((0.3, 0.9))


@pytest.fixture
def suite_folder(tmp_path: Path) -> Path:
    """Four questions about pictures of 80x60 px; two targets hold the middle."""
    folder = tmp_path / "suite"
    folder.mkdir()
    rows: list[dict[str, Any]] = []
    for number in range(4):
        Image.new("RGB", (80, 60), (20 * number, 90, 200)).save(folder / f"{number}.png")
        box = [30, 20, 50, 40] if number % 2 else [2, 2, 20, 12]
        rows.append({"id": str(number), "image": f"{number}.png", "instruction": f"thing {number}", "bbox": box})
    (folder / "suite.json").write_text(json.dumps({"boxes": "xyxy_px", "samples": rows}))
    return folder


def test_a_sweep_runs_every_cell_and_goes_on_where_it_was(
    suite_folder: Path, middle_checkpoint: Path, tmp_path: Path
) -> None:
    app = typer.Typer()
    app.command()(with_plain_errors(sweep))
    out = tmp_path / "out"
    arguments = [
        *("own", "--data", str(suite_folder), "--model", str(middle_checkpoint), "--device", "cpu"),
        *("--dtype", "float32", "--grid", "patch-limit=own,8", "--grid", "grammar=off,on", "--out", str(out), "--json"),
    ]
    first = CliRunner().invoke(app, arguments)
    assert first.exit_code == 0, first.output
    told = json.loads(first.stdout)
    assert [(each["n"], each["correct"]) for each in told["cells"]] == [(4, 2)] * 4
    folders = sorted(path.name for path in out.iterdir() if path.is_dir())
    assert folders == sorted(each["name"] for each in told["cells"])
    limits = {
        json.loads((out / name / "manifest.json").read_text())["model"]["image_processor"]["in_token_limit"]
        for name in folders
    }
    assert limits == {8, 16}
    before = {path: path.read_bytes() for path in out.glob("*/*.jsonl")}
    cut = out / folders[0] / "predictions.jsonl"
    cut.write_bytes(b"".join(before[cut].splitlines(keepends=True)[:2]))
    again = CliRunner().invoke(app, arguments)
    assert again.exit_code == 0, again.output
    assert {path: path.read_bytes() for path in before if path.name == "predictions.jsonl"} == {
        path: content for path, content in before.items() if path.name == "predictions.jsonl"
    }
    lines = {path.parent.name: len(path.read_text().splitlines()) for path in before if path.name == "timings.jsonl"}
    assert lines == dict.fromkeys(folders, 4) | {folders[0]: 6}


def test_a_sweep_that_is_stopped_says_what_is_kept(suite_folder: Path, middle_checkpoint: Path, tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(with_plain_errors(sweep))
    out = tmp_path / "out"

    def stop_after_a_row() -> None:
        while not any(path.stat().st_size for path in out.glob("*/predictions.jsonl")):
            time.sleep(0.001)
        os.kill(os.getpid(), signal.SIGINT)

    watcher = threading.Thread(target=stop_after_a_row, daemon=True)
    watcher.start()
    limits = ",".join(str(limit) for limit in range(4, 16))
    arguments = [
        *("own", "--data", str(suite_folder), "--model", str(middle_checkpoint), "--device", "cpu"),
        *("--dtype", "float32", "--grid", f"patch-limit={limits}", "--out", str(out), "--json"),
    ]
    left = CliRunner().invoke(app, arguments)
    watcher.join(timeout=10)
    assert left.exit_code == 130
    rows = sum(len(path.read_text().splitlines()) for path in out.glob("*/predictions.jsonl"))
    assert json.loads(left.stdout) == {"stopped": True, "done": rows, "total": 48, "out": str(out)}
    assert f"stopped: {rows} of 48 rows are in {out}; to go on: moonhand" in left.stderr.replace("\n", " ")


def test_a_profile_that_there_is_not_is_refused_before_any_work(suite_folder: Path, tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(with_plain_errors(sweep))
    out = tmp_path / "out"
    arguments = ["own", "--data", str(suite_folder), "--grid", "profile=nano,nobody", "--out", str(out)]
    told = CliRunner().invoke(app, arguments)
    assert told.exit_code == 2
    assert not out.exists()
