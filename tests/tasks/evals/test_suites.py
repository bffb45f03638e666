"""Every published layout, written here in small, is read as what it is, and the real annotation files as they are."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from moonhand.envs import Point, Size
from moonhand.tasks.errors import BadRequest
from moonhand.tasks.evals.sample import BoxAnswer, PolygonAnswer, RefusalAnswer
from moonhand.tasks.evals.suites.known import known_suites
from moonhand.tasks.evals.suites.open import open_suite
from moonhand.tasks.evals.suites.problems import BadSuite, ProblemKind
from moonhand.tasks.evals.suites.screenspot_pro import suite_of_log
from PIL import Image

SIZE = (200, 100)
PLATFORMS = ("mobile", "desktop", "web")
ANNOTATIONS = "MOONHAND_ANNOTATIONS"  # a folder with screenspot_v2/ and screenspot_pro/

Row = dict[str, Any]


def picture(path: Path, size: tuple[int, int] = SIZE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (9, 90, 200)).save(path)
    return path


def write(path: Path, rows: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    return path


def corners(count: int, size: tuple[int, int] = SIZE, seed: int = 1) -> list[tuple[int, int, int, int]]:
    """Boxes all over a picture: some at its far edge, where other readings fall off it."""
    rng = Random(seed)
    boxes = [(size[0] - 30, size[1] - 20, size[0] - 4, size[1] - 2)]
    for _ in range(count - 1):
        left, top = rng.randrange(0, size[0] - 60), rng.randrange(0, size[1] - 40)
        boxes.append((left, top, left + rng.randrange(8, 60), top + rng.randrange(8, 40)))
    return boxes


def written(box: tuple[int, int, int, int], convention: str) -> list[float]:
    left, top, right, bottom = box
    if convention == "xywh_px":
        return [left, top, right - left, bottom - top]
    if convention == "xyxy_01":
        return [left / SIZE[0], top / SIZE[1], right / SIZE[0], bottom / SIZE[1]]
    return [left, top, right, bottom]


def screenspot(folder: Path, convention: str, ending: str = "_v2", with_size: bool = False) -> Path:
    for platform in PLATFORMS:
        prefix = "pc" if platform == "desktop" else platform
        rows: list[Row] = [
            {"img_filename": f"{prefix}_{index}.png", "bbox": written(box, convention), "instruction": f"open {index}",
             "data_type": ("text", "icon")[index % 2], "data_source": "shop"}
            | ({"img_size": list(SIZE)} if with_size else {})
            for index, box in enumerate(corners(8, seed=len(platform)))
        ]  # fmt: skip
        write(folder / f"screenspot_{platform}{ending}.json", rows)
        for row in rows:
            picture(folder / "screenspotv2_image" / row["img_filename"])
    return folder


def boxes_of(name: str, folder: Path, **options: Any) -> list[tuple[float, ...]]:
    answers = [sample.answer for sample in open_suite(name, folder, **options).samples]
    return [(a.left_px, a.top_px, a.right_px, a.bottom_px) for a in answers if isinstance(a, BoxAnswer)]


@pytest.mark.parametrize("convention", ["xywh_px", "xyxy_px", "xyxy_01"])
def test_the_three_conventions_of_screenspot_v2_are_told_apart_over_the_whole_file(
    tmp_path: Path, convention: str
) -> None:
    folder = screenspot(tmp_path, convention)
    suite = open_suite("screenspot-v2", folder)
    assert suite.convention.startswith(f"{convention} (")
    assert "recognised over 24 boxes" in suite.convention
    found = boxes_of("screenspot-v2", folder)
    wanted = [box for platform in PLATFORMS for box in corners(8, seed=len(platform))]
    assert [pytest.approx(box) for box in wanted] == found
    assert suite.cells == ("platform", "ui_type")
    assert list(suite.files) == [f"screenspot_{platform}_v2.json" for platform in PLATFORMS]


def test_the_platform_is_the_files_whatever_the_source_of_a_row(tmp_path: Path) -> None:
    suite = open_suite("screenspot-v2", screenspot(tmp_path, "xywh_px"))
    assert Counter(sample.groups["platform"][0] for sample in suite.samples) == dict.fromkeys(PLATFORMS, 8)
    assert {sample.groups["source"] for sample in suite.samples} == {("shop",)}
    first = suite.samples[0]
    assert first.id == "mobile/1"
    assert first.image == tmp_path / "screenspotv2_image" / "mobile_0.png"
    assert first.size == Size(*SIZE)


def test_the_first_screenspot_is_read_without_pictures_and_sizes(tmp_path: Path) -> None:
    folder = screenspot(tmp_path / "made", "xywh_px", ending="")
    for path in (folder / "screenspotv2_image").iterdir():
        path.unlink()
    with pytest.raises(BadSuite, match="24 problems"):
        open_suite("screenspot", folder)
    suite = open_suite("screenspot", folder, needs_images=False)
    assert len(suite.samples) == 24
    assert {sample.image for sample in suite.samples} == {None}
    assert suite.samples[0].size == Size(SIZE[0] - 4, SIZE[1] - 2)  # the least that has room for the box
    assert "24 rows have neither a picture nor a size" in suite.convention


def test_boxes_that_two_conventions_admit_are_refused_until_somebody_says_which(tmp_path: Path) -> None:
    rows = [{"img_filename": "a.png", "bbox": [10, 10, 30, 30], "instruction": "go"}]
    picture(tmp_path / "a.png")
    write(tmp_path / "own.json", rows)
    with pytest.raises(BadSuite, match=r"could be xywh_px and xyxy_px alike.*--boxes") as refused:
        open_suite("own", tmp_path, skip_bad=True)
    assert [problem.kind for problem in refused.value.problems] == [ProblemKind.TWO_CONVENTIONS]
    assert boxes_of("own", tmp_path, boxes="xyxy_px") == [(10, 10, 30, 30)]
    assert boxes_of("own", tmp_path, boxes="xywh_px") == [(10, 10, 40, 40)]
    with pytest.raises(BadRequest, match="--boxes 'px' is not one of xywh_px, xyxy_px, xyxy_01, xywh_01"):
        open_suite("own", tmp_path, boxes="px")


def test_boxes_that_no_convention_admits_are_refused(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    boxes = [[150, 90, 100, 40], [30, 90, 10, 20], [900, 20, 950, 40]]
    rows = [{"img_filename": "a.png", "bbox": box, "instruction": f"go {box}"} for box in boxes]
    write(tmp_path / "own.json", rows)
    with pytest.raises(BadSuite, match="in no known convention") as refused:
        open_suite("own", tmp_path)
    assert refused.value.problems[0].kind == ProblemKind.NO_CONVENTION


def test_screenspot_pro_is_read_in_english_in_chinese_and_as_nothing_there(tmp_path: Path) -> None:
    row: Row = {
        "id": "word_macos_0", "img_filename": "word_mac/shot.png", "bbox": [20, 30, 60, 40], "instruction": "Bold",
        "instruction_cn": "\u7c97\u4f53", "img_size": list(SIZE), "platform": "macos", "application": "word",
        "ui_type": "icon", "group": "Office",
    }  # fmt: skip
    write(tmp_path / "annotations" / "word_macos.json", [row, row | {"id": "word_macos_1", "gt_type": "negative"}])
    picture(tmp_path / "images" / "word_mac" / "shot.png")
    english = open_suite("screenspot-pro", tmp_path)
    first, second = english.samples
    assert (first.id, first.instruction, first.answer) == ("word_macos_0", "Bold", BoxAnswer(20, 30, 60, 40))
    assert first.groups == {
        "group": ("Office",), "ui_type": ("icon",), "application": ("word",), "platform": ("macos",)
    }  # fmt: skip
    assert isinstance(second.answer, RefusalAnswer)
    assert open_suite("screenspot-pro-cn", tmp_path).samples[0].instruction == "\u7c97\u4f53"
    negative = open_suite("screenspot-pro-negative", tmp_path)
    assert {type(sample.answer) for sample in negative.samples} == {RefusalAnswer}


def test_a_log_of_predictions_is_a_suite_of_what_was_asked(tmp_path: Path) -> None:
    row: Row = {
        "img_path": "./ScreenSpot-Pro/images/word_mac/shot.png", "group": "Office", "platform": "macos", "lang": "en",
        "application": "word", "instruction_style": "instruction", "prompt_to_evaluate": "Bold", "gt_type": "positive",
        "ui_type": "icon", "task_filename": "word_macos", "pred": [150, 12], "bbox": [20, 30, 60, 40], "idx": 7,
    }  # fmt: skip
    rows = [row, row | {"idx": 8, "lang": "cn"}, row | {"idx": 9, "gt_type": "negative", "bbox": None, "pred": None}]
    suite = suite_of_log(rows)
    assert [sample.id for sample in suite.samples] == [
        "word_macos/7", "word_macos/8/cn/instruction/positive", "word_macos/9/en/instruction/negative"
    ]  # fmt: skip
    assert {sample.size for sample in suite.samples} == {Size(150, 40)}  # room for the box and what was predicted
    assert isinstance(suite.samples[2].answer, RefusalAnswer)
    picture(tmp_path / "images" / "word_mac" / "shot.png")
    assert {sample.size for sample in suite_of_log(rows, folder=tmp_path).samples} == {Size(*SIZE)}
    with pytest.raises(BadSuite, match=r"log, row 1 \(word_macos/7\): missing field: has no bbox"):
        suite_of_log([row | {"bbox": None}])


@pytest.mark.parametrize("lines", [False, True])
def test_a_log_opens_as_screenspot_pro(tmp_path: Path, lines: bool) -> None:
    row = {"img_path": "images/a.png", "prompt_to_evaluate": "Bold", "bbox": [1, 2, 3, 4], "task_filename": "word"}
    rows = [row, row | {"prompt_to_evaluate": "Save"}]
    text = "\n".join(map(json.dumps, rows)) if lines else json.dumps({"metrics": {}, "details": rows}, indent=1)
    (tmp_path / "log.json").write_text(text, encoding="utf-8")
    suite = open_suite("screenspot-pro", tmp_path / "log.json")
    assert [sample.id for sample in suite.samples] == ["word/0", "word/1"]


def osworld_rows() -> list[Row]:
    def row(name: str, box_type: str, box: list[float]) -> Row:
        return {
            "id": name, "image_path": "shot.png", "image_size": list(SIZE), "instruction": f"the {name}",
            "box_type": box_type, "box_coordinates": box, "GUI_types": ["Button", "Icon"],
        }  # fmt: skip

    return [
        row("a-0", "bbox", [150, 40, 50, 20.5]),
        row("a-1", "polygon", [0, 0, 20, 0, 20, 30]),
        row("a-2", "polygon", [5, 6, 25, 16]),
        row("a-3", "refusal", [-1, -1, -1, -1]),
    ]


def test_osworld_g_has_boxes_polygons_refusals_and_several_categories(tmp_path: Path) -> None:
    benchmark = tmp_path / "benchmark"
    write(benchmark / "OSWorld-G.json", osworld_rows())
    write(benchmark / "OSWorld-G_refined.json", [row | {"instruction": "longer"} for row in osworld_rows()])
    classified = {"text_matching": [{"id": "a-0"}, {"id": "a-1"}], "element_recognition": [{"id": "a-0"}]}
    write(benchmark / "classification_result.json", {"classified": classified})
    picture(benchmark / "images" / "shot.png")
    suite = open_suite("osworld-g", tmp_path)
    assert [sample.answer for sample in suite.samples] == [
        BoxAnswer(150, 40, 200, 60.5),
        PolygonAnswer((Point(0, 0), Point(20, 0), Point(20, 30))),
        BoxAnswer(5, 6, 25, 16),  # four numbers of a polygon are two corners
        RefusalAnswer(),
    ]
    assert suite.samples[0].groups["category"] == ("text_matching", "element_recognition")
    assert suite.samples[0].groups["gui_type"] == ("Button", "Icon")
    assert set(suite.files) == {"benchmark/OSWorld-G.json", "classification_result.json"}
    assert {sample.instruction for sample in open_suite("osworld-g-refined", tmp_path).samples} == {"longer"}


def test_own_rows_may_have_polygons_refusals_axes_of_their_own_and_a_convention_in_the_file(tmp_path: Path) -> None:
    picture(tmp_path / "shots" / "a.png")
    picture(tmp_path / "images" / "b.png")
    rows: list[Row] = [
        {"id": "one", "image": "shots/a.png", "instruction": "go", "bbox": [10, 10, 20, 10], "platform": "web",
         "groups": {"team": ["red", "blue"], "level": 3}},
        {"image": "b.png", "instruction": "corner", "polygon": [[0, 0], [20, 0], [20, 30]], "platform": "mobile"},
        {"image": "b.png", "instruction": "the moon", "refusal": True},
    ]  # fmt: skip
    write(tmp_path / "rows.json", {"boxes": "xywh_px", "samples": rows})
    (tmp_path / "lines").mkdir()
    lines = [{"boxes": "xywh_px"}, *rows]
    (tmp_path / "lines" / "rows.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
    picture(tmp_path / "lines" / "b.png")
    picture(tmp_path / "lines" / "shots" / "a.png")
    suite = open_suite("own", tmp_path)
    assert [sample.id for sample in suite.samples] == ["one", "rows/2", "rows/3"]
    assert suite.samples[0].answer == BoxAnswer(10, 10, 30, 20)
    assert suite.samples[0].groups == {"platform": ("web",), "team": ("red", "blue"), "level": ("3",)}
    assert [type(sample.answer) for sample in suite.samples[1:]] == [PolygonAnswer, RefusalAnswer]
    as_lines = open_suite("own", tmp_path / "lines")
    assert [sample.answer for sample in as_lines.samples] == [sample.answer for sample in suite.samples]


def parquet(path: Path, rows: Sequence[Row]) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    tables = pytest.importorskip("pyarrow.parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    tables.write_table(pyarrow.Table.from_pylist(list(rows)), path)


def test_pictures_in_parquet_files_go_to_the_cache_once(tmp_path: Path) -> None:
    content = picture(tmp_path / "a.png").read_bytes()
    rows = [
        {"file_name": f"{prefix}_{index}.png", "bbox": written(box, "xyxy_01"), "instruction": f"open {index}",
         "data_type": "text", "data_source": "shop", "image": {"bytes": content, "path": f"{prefix}_{index}.png"}}
        for prefix in ("mobile", "pc", "web") for index, box in enumerate(corners(4))
    ]  # fmt: skip
    parquet(tmp_path / "hub" / "data" / "test-00000-of-00001.parquet", rows)
    suite = open_suite("screenspot", tmp_path / "hub", cache=tmp_path / "cache")
    assert suite.convention.startswith("xyxy_01")
    assert Counter(sample.groups["platform"][0] for sample in suite.samples) == dict.fromkeys(PLATFORMS, 4)
    (stored,) = (tmp_path / "cache").iterdir()
    assert {sample.image for sample in suite.samples} == {stored}
    assert stored.read_bytes() == content
    assert [pytest.approx(box) for box in corners(4)] == boxes_of("screenspot", tmp_path / "hub", cache=tmp_path)[:4]
    alone = open_suite("screenspot", tmp_path / "hub", needs_images=False, cache=tmp_path / "none")
    assert alone.samples[0].size == Size(*SIZE)
    assert not (tmp_path / "none").exists()


def test_parquet_copies_of_the_other_suites_are_read_too(tmp_path: Path) -> None:
    content = picture(tmp_path / "a.png").read_bytes()
    pro = [
        {"id": f"word_{index}", "bbox": list(box), "instruction": f"Bold {index}", "img_size": list(SIZE),
         "image": {"bytes": content, "path": None}, "ui_type": "icon", "group": "Office"}
        for index, box in enumerate(corners(5))
    ]  # fmt: skip
    parquet(tmp_path / "pro" / "data" / "train.parquet", pro)
    assert boxes_of("screenspot-pro", tmp_path / "pro", cache=tmp_path / "cache") == corners(5)
    shares = [row | {"bbox": written(box, "xyxy_01")} for row, box in zip(pro, corners(5), strict=True)]
    parquet(tmp_path / "shares" / "train.parquet", shares)
    assert boxes_of("screenspot-pro", tmp_path / "shares", cache=tmp_path / "cache")[1:] == [
        pytest.approx(box) for box in corners(5)[1:]
    ]
    osworld = [row | {"image": {"bytes": content, "path": "shot.png"}} for row in osworld_rows()]
    parquet(tmp_path / "os" / "test.parquet", osworld)
    suite = open_suite("osworld-g", tmp_path / "os", cache=tmp_path / "cache")
    assert [type(sample.answer) for sample in suite.samples] == [BoxAnswer, PolygonAnswer, BoxAnswer, RefusalAnswer]


def test_a_path_in_a_parquet_file_is_a_picture_beside_it(tmp_path: Path) -> None:
    shot = picture(tmp_path / "images" / "web_1.png")
    parquet(tmp_path / "own.parquet", [{"image": "web_1.png", "bbox": [9, 9, 50, 50], "instruction": "go"}])
    (sample,) = open_suite("own", tmp_path, boxes="xyxy_px").samples
    assert sample.image == shot


def test_a_part_of_the_three_files_is_asked_for_by_the_file_itself(tmp_path: Path) -> None:
    folder = screenspot(tmp_path, "xyxy_px")
    (folder / "screenspot_desktop_v2.json").unlink()
    with pytest.raises(BadRequest, match=r"has no screenspot_desktop_v2\.json: for a part .* give the file itself"):
        open_suite("screenspot-v2", folder)
    assert len(open_suite("screenspot-v2", folder / "screenspot_web_v2.json").samples) == 8


def test_what_is_not_there_is_said_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="there is no suite 'screenspot-v3': it is one of generated, screenspot"):
        open_suite("screenspot-v3", tmp_path)
    with pytest.raises(BadRequest, match="miniwob has no rows of single clicks, it asks for episodes"):
        open_suite("miniwob", tmp_path)
    with pytest.raises(BadRequest, match="is not there: `moonhand eval list` says where osworld-g comes from"):
        open_suite("osworld-g", tmp_path / "none")
    with pytest.raises(BadRequest, match=r"has no files of osworld-g: it is read from OSWorld-G\.json"):
        open_suite("osworld-g", tmp_path)


def test_the_list_names_every_suite_once() -> None:
    names = [info.name for info in known_suites()]
    assert len(set(names)) == len(names)
    wanted = {
        "generated", "screenspot", "screenspot-v2", "screenspot-pro", "osworld-g", "osworld-g-refined", "agentnetbench",
        "miniwob", "own",
    }  # fmt: skip
    assert wanted <= set(names)


@pytest.fixture
def published() -> Path:
    folder = os.environ.get(ANNOTATIONS)
    if not folder:
        pytest.skip(f"set {ANNOTATIONS} to a folder with the published annotation files")
    return Path(folder)


def test_the_published_screenspot_v2_files_give_1272_samples(published: Path) -> None:
    suite = open_suite("screenspot-v2", published / "screenspot_v2", needs_images=False)
    assert len(suite.samples) == 1272
    assert Counter(sample.groups["platform"][0] for sample in suite.samples) == {
        "mobile": 501, "desktop": 334, "web": 437
    }  # fmt: skip
    assert Counter(sample.groups["ui_type"][0] for sample in suite.samples) == {"text": 718, "icon": 554}
    assert suite.convention.startswith("xyxy_px")
    with pytest.raises(BadSuite, match="1272 problems"):
        open_suite("screenspot-v2", published / "screenspot_v2")


def test_the_published_log_of_screenspot_pro_gives_1581_samples(published: Path) -> None:
    path = next((published / "screenspot_pro").glob("*.json"))
    suite = open_suite("screenspot-pro", path, needs_images=False)
    assert len(suite.samples) == 1581
    assert len({sample.id for sample in suite.samples}) == 1581
    assert Counter(sample.groups["ui_type"][0] for sample in suite.samples) == {"text": 977, "icon": 604}


@pytest.mark.parametrize("convention", ["xywh_px", "xyxy_01"])
def test_the_published_boxes_of_screenspot_v2_are_recognised_in_the_other_conventions(
    published: Path, tmp_path: Path, convention: str
) -> None:
    for path in (published / "screenspot_v2").glob("*.json"):
        rows: list[Row] = json.loads(path.read_text(encoding="utf-8"))
        for row in rows:
            (left, top, right, bottom), (width, height) = row["bbox"], row["img_size"]
            shares = [left / width, top / height, right / width, bottom / height]
            row["bbox"] = shares if convention == "xyxy_01" else [left, top, right - left, bottom - top]
        write(tmp_path / path.name, rows)
    assert open_suite("screenspot-v2", tmp_path, needs_images=False).convention.startswith(f"{convention} (")
    wanted = boxes_of("screenspot-v2", published / "screenspot_v2", needs_images=False)
    assert boxes_of("screenspot-v2", tmp_path, needs_images=False) == [pytest.approx(box) for box in wanted]


@pytest.mark.parametrize("name", ["screenspot-v2", "screenspot-pro", "osworld-g", "own"])
def test_a_sample_keeps_the_name_of_its_picture_where_that_is_not_there(tmp_path: Path, name: str) -> None:
    row = {"image_path" if name == "osworld-g" else "img_filename": "far/a.png", "img_size": [200, 100], "id": "a"}
    row |= {"instruction": "go", "bbox": [10, 10, 60, 40], "box_type": "bbox", "ui_type": "icon", "group": "web"}
    path = tmp_path / "screenspot_web_v2.json"
    path.write_text(json.dumps([row]), encoding="utf-8")
    boxes = "xyxy_px" if name in ("own", "screenspot-v2") else None
    (sample,) = open_suite(name, path, needs_images=False, boxes=boxes).samples
    assert (sample.image, sample.image_name) == (None, "far/a.png")
