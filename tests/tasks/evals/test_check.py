"""Every kind of broken row is named with its file, row and id; nothing is mended; good rows can be kept."""

from __future__ import annotations

import json
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
import typer
from moonhand.envs import MissingTool
from moonhand.tasks.console import with_plain_errors
from moonhand.tasks.errors import BadRequest
from moonhand.tasks.evals.check_command import check
from moonhand.tasks.evals.list_command import list_suites
from moonhand.tasks.evals.suites.open import examine, open_suite
from moonhand.tasks.evals.suites.problems import SHOWN, BadSuite, ProblemKind
from PIL import Image
from typer.testing import CliRunner

Row = dict[str, Any]
GOOD: Row = {"id": "good", "image": "a.png", "img_size": [200, 100], "instruction": "go", "bbox": [10, 10, 60, 40]}
BROKEN: dict[ProblemKind, tuple[Row, str]] = {
    ProblemKind.MISSING_FIELD: ({"bbox": None}, "has no bbox or box"),
    ProblemKind.BAD_FIELD: ({"bbox": [1, 2, 3]}, "bbox has 3 numbers, a box has 4"),
    ProblemKind.NOT_A_NUMBER: ({"bbox": [1, 2, float("nan"), 4]}, "nan"),
    ProblemKind.EMPTY_INSTRUCTION: ({"instruction": "  "}, "there is nothing to ask for"),
    ProblemKind.SWAPPED_CORNERS: ({"bbox": [60, 10, 10, 40]}, "[60, 10, 10, 40] as xyxy_px has its right before left"),
    ProblemKind.ZERO_SIZE: ({"bbox": [10, 10, 10, 40]}, "is 0x30"),
    ProblemKind.OUTSIDE: ({"bbox": [150, 10, 260, 40]}, "reaches 60 px past the edge of 200x100 px"),
    ProblemKind.MISSING_PICTURE: ({"image": "none.png"}, "none.png is nowhere under"),
    ProblemKind.UNREADABLE_PICTURE: ({"image": "broken.png"}, "broken.png: cannot identify image file"),
    ProblemKind.OTHER_SIZE: ({"img_size": [400, 200]}, "the picture is 200x100 px, its row says 400x200"),
    ProblemKind.TWO_PICTURES: ({"image": "twice.png"}, "both bear the name"),
}


def write(folder: Path, rows: list[Row], name: str = "rows.json") -> Path:
    Image.new("RGB", (200, 100)).save(folder / "a.png")
    (folder / "broken.png").write_bytes(b"no picture")
    for place in ("x", "y"):
        (folder / place).mkdir(exist_ok=True)
        Image.new("RGB", (200, 100)).save(folder / place / "twice.png")
    (folder / name).write_text(json.dumps({"boxes": "xyxy_px", "samples": rows}), encoding="utf-8")
    return folder


def run(*words: object) -> tuple[int, str]:
    app = typer.Typer()
    app.command("check")(with_plain_errors(check))
    app.command("list")(with_plain_errors(list_suites))
    left = CliRunner().invoke(app, [str(word) for word in words])
    return left.exit_code, left.stdout


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_row_is_named_and_may_be_left_out(tmp_path: Path, kind: ProblemKind) -> None:
    change, said = BROKEN[kind]
    folder = write(tmp_path, [GOOD, GOOD | {"id": "bad", "instruction": "stop"} | change])
    with pytest.raises(BadSuite) as refused:
        open_suite("own", folder)
    (problem,) = refused.value.problems
    assert (problem.kind, problem.file, problem.row, problem.id) == (kind, "rows.json", 2, "bad")
    assert said in problem.said
    assert f"rows.json, row 2 (bad): {kind.value}: " in str(refused.value)
    suite = open_suite("own", folder, skip_bad=True)
    assert [sample.id for sample in suite.samples] == ["good"]
    assert suite.skipped == ("bad",)
    assert suite.denominator == 2


def test_an_id_that_two_rows_bear_names_the_second(tmp_path: Path) -> None:
    folder = write(tmp_path, [GOOD, GOOD | {"instruction": "stop"}])
    with pytest.raises(BadSuite, match=r"row 2 \(good\): duplicate id: rows\.json, row 1 has the same id"):
        open_suite("own", folder)
    suite = open_suite("own", folder, skip_bad=True)
    assert (len(suite.samples), suite.skipped) == (1, ("good (rows.json, row 2)",))


def test_all_problems_of_a_suite_are_gathered_and_the_first_twenty_shown(tmp_path: Path) -> None:
    rows = [GOOD | {"id": f"bad-{index}", "instruction": "", "bbox": [1]} for index in range(30)]
    with pytest.raises(BadSuite) as refused:
        open_suite("own", write(tmp_path, rows))
    assert len(refused.value.problems) == 60  # a row tells all that is wrong with it
    said = str(refused.value)
    assert said.startswith("own has 60 problems (30 empty instruction, 30 bad field):\n")
    assert said.count("\n  rows.json") == SHOWN
    assert "... and 40 more" in said
    assert "--skip-bad" in said


def test_bad_json_is_named_by_line_and_column(tmp_path: Path) -> None:
    write(tmp_path, [GOOD])
    path = tmp_path / "rows.json"
    path.write_text('[\n{"id": "a",\n "bbox": [1, 2 3]}]', encoding="utf-8")
    with pytest.raises(BadSuite, match=r"rows\.json: bad file: line 3, column 16: Expecting ',' delimiter"):
        open_suite("own", tmp_path, skip_bad=True)  # a whole file cannot be left out
    path.unlink()
    good = json.dumps(GOOD)
    (tmp_path / "rows.jsonl").write_text(f'{{"boxes": "xyxy_px"}}\n{good}\n{{"id": "cut\n[1]\n', encoding="utf-8")
    with pytest.raises(BadSuite) as refused:
        open_suite("own", tmp_path)
    assert [(problem.kind, problem.row) for problem in refused.value.problems] == [
        (ProblemKind.BAD_JSON, 3), (ProblemKind.BAD_JSON, 4)
    ]  # fmt: skip
    assert "line 3, column 8" in refused.value.problems[0].said
    assert open_suite("own", tmp_path, skip_bad=True).skipped == ("rows.jsonl, row 3", "rows.jsonl, row 4")


def test_a_wrong_convention_shows_in_the_rows_that_contradict_it(tmp_path: Path) -> None:
    rows = [GOOD | {"id": str(left), "instruction": str(left), "bbox": [left, 80, 20, 10]} for left in (120, 140, 160)]
    write(tmp_path, rows)
    broken = examine("own", tmp_path).broken
    assert [problem.kind for problem in broken] == [ProblemKind.SWAPPED_CORNERS] * 3
    assert not examine("own", tmp_path, boxes="xywh_px").broken


def test_a_few_boxes_that_contradict_the_rest_of_their_file_are_broken_themselves(tmp_path: Path) -> None:
    rows = [
        GOOD | {"id": str(n), "instruction": str(n), "bbox": [100 + n % 50, 60, 150 + n % 50, 90]} for n in range(120)
    ]
    rows[7]["bbox"] = [150, 90, 100, 60]
    write(tmp_path, rows)
    (tmp_path / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
    examined = examine("own", tmp_path)
    assert [(problem.kind, problem.row) for problem in examined.broken] == [(ProblemKind.SWAPPED_CORNERS, 8)]
    assert "recognised over 120 boxes, which 1 contradict" in examined.suite.convention


@pytest.mark.parametrize("with_sizes", [True, False])
def test_one_broken_row_does_not_turn_the_convention_of_a_whole_file(tmp_path: Path, with_sizes: bool) -> None:
    """Boxes that two conventions admit, but for one row with swapped corners: it is named and rules nothing out."""
    rows = [
        {"id": str(n), "image": "a.png", "instruction": str(n), "bbox": [n % 60, n % 30, n % 60 + 30, n % 30 + 20]}
        for n in range(200)
    ]
    rows[120]["bbox"] = [50, 40, 30, 10]
    write(tmp_path, [])
    (tmp_path / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
    if not with_sizes:
        (tmp_path / "a.png").unlink()
    examined = examine("own", tmp_path, needs_images=with_sizes)
    (problem,) = examined.broken
    assert problem.kind == ProblemKind.TWO_CONVENTIONS
    assert "but for row 121 (120), which xyxy_px would make broken" in problem.said
    assert "xyxy_px is contradicted by 1 of 200" in problem.said
    told = examine("own", tmp_path, needs_images=with_sizes, boxes="xyxy_px")
    assert [(each.kind, each.row) for each in told.broken] == [(ProblemKind.SWAPPED_CORNERS, 121)]
    assert told.suite.boxes == "xyxy_px"


@pytest.mark.parametrize("way", ["../private/me.png", "x/../../private/me.png", "private/me.png", "absolute"])
def test_no_picture_outside_the_suites_folder_is_opened(tmp_path: Path, way: str) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / "suite").mkdir()
    Image.new("RGB", (200, 100)).save(tmp_path / "private" / "me.png")
    name = str(tmp_path / "private" / "me.png") if way == "absolute" else way
    folder = write(tmp_path / "suite", [GOOD | {"image": name}])
    (problem,) = examine("own", folder).broken
    inside = way == "private/me.png"
    assert problem.kind == (ProblemKind.MISSING_PICTURE if inside else ProblemKind.FOREIGN_PICTURE)
    assert inside or "leads out of the suite's folder" in problem.said
    own = str(folder / "a.png")
    assert not examine("own", write(folder, [GOOD | {"image": own}])).broken  # an absolute name that stays inside


def test_pictures_beside_the_folder_of_the_annotations_are_found(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    (tmp_path / "images").mkdir()
    folder = write(tmp_path / "rows", [GOOD | {"image": "images/b.png"}])
    Image.new("RGB", (200, 100)).save(tmp_path / "images" / "b.png")
    assert examine("own", folder).suite.samples[0].image == tmp_path / "images" / "b.png"


def test_a_picture_whose_header_says_ten_thousand_million_pixels_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path, [GOOD | {"img_size": None}])
    header = b"IHDR" + struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    (folder / "a.png").write_bytes(start + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT")))
    for decode in (False, True):
        (problem,) = examine("own", folder, decode=decode).broken
        assert problem.kind == ProblemKind.UNREADABLE_PICTURE
        assert "a.png: Image size (10000000000 pixels) exceeds limit" in problem.said
    assert run("check", "own", "--data", folder)[0] == 1


def test_a_box_a_pixel_past_the_edge_and_a_question_asked_twice_are_notes(tmp_path: Path) -> None:
    folder = write(tmp_path, [GOOD | {"bbox": [100, 10, 201, 40]}, GOOD | {"id": "again"}])
    assert len(open_suite("own", folder).samples) == 2
    assert [problem.kind for problem in examine("own", folder).problems] == [
        ProblemKind.PAST_EDGE, ProblemKind.SAME_QUESTION
    ]  # fmt: skip


def test_a_cut_off_picture_is_seen_where_pictures_are_decoded(tmp_path: Path) -> None:
    folder = write(tmp_path, [GOOD])
    Image.effect_noise((200, 100), 90).save(folder / "a.png")
    (folder / "a.png").write_bytes((folder / "a.png").read_bytes()[:2000])
    assert not examine("own", folder).broken
    assert [problem.kind for problem in examine("own", folder, decode=True).broken] == [ProblemKind.UNREADABLE_PICTURE]


def test_a_parquet_file_that_is_none_and_one_without_pyarrow_are_said_to_be_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rows.parquet").write_bytes(b"PAR1 is not enough")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        MissingTool, match=r"is a Parquet file: pyarrow is not installed: pip install 'moonhand\[data\]'"
    ):
        open_suite("own", tmp_path)
    monkeypatch.undo()
    pytest.importorskip("pyarrow")
    with pytest.raises(BadSuite, match=r"rows\.parquet: bad file: cannot be read"):
        open_suite("own", tmp_path)


def test_a_suite_of_none_but_broken_rows_is_not_run(tmp_path: Path) -> None:
    folder = write(tmp_path, [GOOD | {"instruction": ""}])
    with pytest.raises(BadRequest, match="has no row of own that can be asked"):
        open_suite("own", folder, skip_bad=True)
    (folder / "rows.json").write_text("[]", encoding="utf-8")
    with pytest.raises(BadSuite, match="has no rows"):
        open_suite("own", folder)


def test_the_command_tells_people_a_table_and_programs_everything(tmp_path: Path) -> None:
    folder = write(tmp_path, [GOOD, GOOD | {"id": "bad", "bbox": [60, 10, 10, 40]}])
    code, said = run("check", "own", "--data", folder)
    assert code == 1
    assert "swapped corners" in said
    assert "is not sound: 2 rows, 1 can be asked, 1 cannot" in said
    code, said = run("check", "own", "--data", folder, "--json")
    told = json.loads(said)
    assert code == 1
    assert (told["sound"], told["rows"], told["good"], told["broken"], told["skipped"]) == (False, 2, 1, 1, ["bad"])
    broken, note = told["problems"]
    assert (broken["file"], broken["row"], broken["id"], broken["kind"]) == ("rows.json", 2, "bad", "swapped corners")
    assert (note["kind"], note["note"]) == ("same question", True)
    write(folder, [GOOD])
    assert run("check", "own", "--data", folder)[0] == 0
    assert run("check", "owned", "--data", folder, "--json")[0] == 2


def test_the_list_is_a_table_and_json() -> None:
    code, said = run("list")
    assert code == 0
    assert "1,581" in said
    told = json.loads(run("list", "--json")[1])["suites"]
    assert {info["name"]: info["rows"] for info in told}["screenspot-v2"] == 1272


def test_hints_name_the_command_that_works_and_repeat_its_flags(tmp_path: Path) -> None:
    folder = write(tmp_path, [GOOD | {"bbox": [60, 10, 10, 40]}])
    with pytest.raises(BadSuite, match=r"moonhand eval check own --data .* --boxes xyxy_px --no-images` tells all"):
        open_suite("own", folder, boxes="xyxy_px", needs_images=False)
    with pytest.raises(BadRequest, match="`moonhand eval episodes miniwob`"):
        open_suite("miniwob", folder)
    with pytest.raises(BadRequest, match="`moonhand eval score agentnetbench --annotations DIR --predictions FILE`"):
        open_suite("agentnetbench", folder)


def test_a_folder_without_pictures_is_summed_up_first_and_no_images_is_named(tmp_path: Path) -> None:
    rows = [GOOD | {"id": f"r{n}", "image": f"gone{n}.png", "instruction": f"go {n}"} for n in range(3)]
    code, told = run("check", "own", "--data", write(tmp_path, [*rows, rows[0]]))
    assert code == 1
    assert told.startswith("6 remarks: 4 missing picture, 1 duplicate id, 1 same question\n")
    assert "every picture is missing: --no-images checks the annotations alone" in told
    assert json.loads(run("check", "own", "--data", tmp_path, "--json")[1])["kinds"]["missing picture"] == 4
