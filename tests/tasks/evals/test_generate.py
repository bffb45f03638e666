"""A generated suite: the same bytes for the same seed, sound in either layout, gone on with after an interruption."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from moonhand.envs import Size
from moonhand.tasks.console import with_plain_errors
from moonhand.tasks.errors import BadRequest
from moonhand.tasks.evals.generate import PARTIAL, generate_suite
from moonhand.tasks.evals.generate_command import generate
from moonhand.tasks.evals.sample import BoxAnswer, RefusalAnswer
from moonhand.tasks.evals.suites.open import examine, open_suite
from moonhand.tasks.screens.synthetic import FONT_FAMILIES, FONT_FOLDER, FONT_PACKAGES
from typer.testing import CliRunner

pytestmark = pytest.mark.skipif(
    any(not (FONT_FOLDER / file).exists() for family in FONT_FAMILIES for file in family),
    reason=f"the fonts of the drawn screens are not installed: apt-get install {' '.join(FONT_PACKAGES)}",
)
SMALL = Size(360, 320)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_seed_gives_the_same_bytes_and_another_other_screens(tmp_path: Path) -> None:
    for name, seed in (("first", 3), ("again", 3), ("other", 4)):
        generate_suite(tmp_path / name, 7, seed, SMALL)
    first = contents(tmp_path / "first")
    assert first == contents(tmp_path / "again")
    assert set(first) & set(contents(tmp_path / "other"))
    assert all(first[name] != content for name, content in contents(tmp_path / "other").items() if name in first)


def test_a_suite_has_several_sizes_questions_a_screen_and_some_about_what_is_not_there(tmp_path: Path) -> None:
    counts: list[int] = []
    made = generate_suite(tmp_path, 30, 0, on_rows=counts.append)
    assert (made.num_rows, counts[-1]) == (30, 30)
    examined = examine("generated", tmp_path)
    assert not examined.problems
    samples = examined.suite.samples
    assert made.num_screens == len({sample.image for sample in samples}) < 30
    assert len({sample.size for sample in samples}) == 6
    refused = [sample for sample in samples if isinstance(sample.answer, RefusalAnswer)]
    assert 1 <= len(refused) == made.num_refusals <= 15
    assert {sample.groups["ui_type"] for sample in refused} == {("none",)}
    for axis, values in {"application": {"forms", "screens"}, "ui_type": {"text", "icon", "none"}}.items():
        assert {sample.groups[axis][0] for sample in samples} == values
    on_one: set[tuple[Path | None, BoxAnswer]] = {
        (sample.image, sample.answer) for sample in samples if isinstance(sample.answer, BoxAnswer)
    }
    assert len(on_one) == len(samples) - len(refused)  # no control is asked for twice


def test_the_layout_of_screenspot_pro_is_read_as_that(tmp_path: Path) -> None:
    generate_suite(tmp_path / "pro", 12, 1, SMALL, "screenspot-pro")
    generate_suite(tmp_path / "own", 12, 1, SMALL)
    pro = {sample.id: sample for sample in open_suite("screenspot-pro", tmp_path / "pro").samples}
    own = open_suite("generated", tmp_path / "own").samples
    assert len(pro) == len(own)
    for sample in own:
        assert (sample.answer, sample.instruction) == (pro[sample.id].answer, pro[sample.id].instruction)
    assert {path.name for path in (tmp_path / "pro" / "annotations").iterdir()} == {"forms.json", "screens.json"}


def test_an_interrupted_call_goes_on_where_it_stopped(tmp_path: Path) -> None:
    generate_suite(tmp_path / "whole", 20, 5, SMALL)

    def stop(count: int) -> None:
        if count > 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate_suite(tmp_path / "cut", 20, 5, SMALL, on_rows=stop)
    with (tmp_path / "cut" / PARTIAL).open("a", encoding="utf-8") as lines:
        lines.write('[{"id": "half a li')
    with pytest.raises(BadRequest, match="holds a part of another suite"):
        generate_suite(tmp_path / "cut", 20, 6, SMALL)
    made = generate_suite(tmp_path / "cut", 20, 5, SMALL)
    assert 0 < made.num_drawn < made.num_screens
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")
    assert generate_suite(tmp_path / "cut", 20, 5, SMALL).num_drawn == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"n": 0}, "at least 1 question, got 0"),
        ({"size_px": Size(100, 800)}, "from 200 to 4096 px a side, got 100x800"),
        ({"layout": "coco"}, "--layout 'coco' is not one of own, screenspot-pro"),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_anything_is_written(
    tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadRequest, match=said):
        generate_suite(tmp_path / "new", **options)
    assert not (tmp_path / "new").exists()


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("", encoding="utf-8")
    with pytest.raises(BadRequest, match=r"holds other files, such as thesis\.tex"):
        generate_suite(tmp_path, 3)
    generate_suite(tmp_path / "one", 3, 0, SMALL)
    with pytest.raises(BadRequest, match="holds another suite"):
        generate_suite(tmp_path / "one", 3, 1, SMALL)


def test_the_command_says_what_it_drew(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(with_plain_errors(generate))
    words = [str(tmp_path / "suite"), "--n", "6", "--size", "360x320", "--json"]
    left = CliRunner().invoke(app, words)
    assert left.exit_code == 0
    told = json.loads(left.stdout)
    assert (told["rows"], told["suite"], told["drawn"]) == (6, "generated", told["screens"])
    assert CliRunner().invoke(app, [*words[:-1], "--size", "big"]).exit_code == 2
