"""Rows, films and pages made of the bundled runs, read back."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bundled_runs import traj
from moonhand.agent import Recording, Step, Trajectory, read_trajectory
from moonhand.agent.overlay import ACCENT
from moonhand.envs import Click, Element, Size, action_from_json
from moonhand.tasks.exports.caption import captioned, strip_px
from moonhand.tasks.exports.formats import FORMATS
from moonhand.tasks.exports.grounding import box_on, ui_type
from moonhand.tasks.exports.locators import locator_of
from PIL import Image

Bundled = Callable[[str], Recording]


def export(recording: Recording, to: str, out: Path) -> dict[str, Any]:
    result = traj("export", recording.path, "--to", to, "--out", out, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def same_pixels(png: Path | bytes, step: Step) -> bool:
    with Image.open(io.BytesIO(png) if isinstance(png, bytes) else png) as picture:
        return picture.convert("RGB").tobytes() == step.before.read().pixels_HW3.tobytes()


@pytest.mark.parametrize("name", ["signup", "kinds", "window"])
def test_every_step_is_in_the_stepinfo_with_its_action_and_picture(bundled: Bundled, name: str, tmp_path: Path) -> None:
    recording = bundled(name)
    export(recording, "stepinfo", tmp_path / "run.json")
    rows = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))["steps"]
    assert [row["step"] for row in rows] == [step.index for step in recording.steps]
    assert [action_from_json(row["agent_info"]["moonhand"]["action"]) for row in rows] == [
        step.action for step in recording.steps
    ]
    assert all(
        same_pixels(tmp_path / row["obs"]["screenshot"], step)
        for row, step in zip(rows, recording.steps, strict=True)
        if step.index % 5 == 0
    )
    assert rows[-1]["terminated"] is True
    assert rows[-1]["reward"] == 1.0


@pytest.mark.parametrize("name", ["signup", "kinds"])
def test_grounding_rows_have_the_box_around_what_was_clicked(bundled: Bundled, name: str, tmp_path: Path) -> None:
    recording = bundled(name)
    told = export(recording, "grounding", tmp_path / "rows.json")
    rows = json.loads((tmp_path / "rows.json").read_text(encoding="utf-8"))
    assert len(rows) + len(told["left_out"]) == len(recording.steps)
    steps = {f"{name}_{step.index + 1}": step for step in recording.steps}
    for row in rows:
        step = steps[row["id"]]
        left, top, right, bottom = row["bbox"]
        assert left <= row["point"][0] <= right
        assert top <= row["point"][1] <= bottom
        assert row["img_size"] == [step.before.size.width_px, step.before.size.height_px]
        assert (tmp_path / "images" / row["img_filename"]).exists()
    wanted = [step for step in recording.steps if step.error is None and isinstance(step.action, Click)]
    assert len(rows) >= len(wanted) - 2


def test_parquet_has_a_row_for_each_step_and_the_pictures_inside(bundled: Bundled, tmp_path: Path) -> None:
    parquet: Any = pytest.importorskip("pyarrow.parquet", reason="pyarrow is in moonhand[data]")
    recordings = [bundled(name) for name in ("signup", "window")]
    for recording in recordings:
        (tmp_path / "runs").mkdir(exist_ok=True)
        shutil.copytree(recording.path, tmp_path / "runs" / recording.path.name)
    told = export(Recording(tmp_path / "runs", {}, ()), "parquet", tmp_path / "set")
    assert told["runs"] == 2
    table = parquet.read_table(told["files"][0])
    rows: list[dict[str, Any]] = table.to_pylist()
    steps = [step for recording in recordings for step in recording.steps]
    assert [row["index"] for row in rows] == [step.index for step in steps]
    assert [action_from_json(json.loads(row["action"])) for row in rows] == [step.action for step in steps]
    assert same_pixels(rows[3]["image"]["bytes"], steps[3])
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert features["image"] == {"_type": "Image"}
    assert set(features) == set(table.column_names)
    assert "data/train-*.parquet" in (tmp_path / "set" / "README.md").read_text(encoding="utf-8")


def test_a_gif_shows_each_step_and_the_end(bundled: Bundled, tmp_path: Path) -> None:
    recording = bundled("signup")
    export(recording, "gif", tmp_path / "run.gif")
    with Image.open(tmp_path / "run.gif") as film:
        assert getattr(film, "n_frames", 1) == len(recording.steps) + 1
        assert film.size == (460, 420 + strip_px((460, 420)) // 2 * 2)
        film.seek(1)  # a text is typed
        typed, step = np.asarray(film.convert("RGB")).astype(int), recording.steps[1]
        bare = captioned(Image.fromarray(step.before.read().pixels_HW3), "2. type 'Ada Lovelace'", ACCENT)
        assert step.surroundings is not None
        assert step.surroundings.element is not None
        rows, columns = np.nonzero((abs(typed - np.asarray(bare)[: typed.shape[0]]) > 60).any(axis=2))
        box = box_on(step.surroundings.element, step.before.size)
        assert box is not None
        top_px = strip_px((460, 420))
        assert abs(columns.min() - box[0]) <= 4
        assert abs(rows.min() - box[1] - top_px) <= 4, "its own strip is all above the frame"


def test_a_run_that_did_nothing_is_passed_over_among_several(bundled: Bundled, tmp_path: Path) -> None:
    shutil.copytree(bundled("signup").path, tmp_path / "runs" / "signup")
    with Trajectory(tmp_path / "runs" / "empty", goal="nothing") as trajectory:
        trajectory.finish("stopped")
    (tmp_path / "runs" / "broken").mkdir()
    (tmp_path / "runs" / "broken" / "run.json").write_text("{")
    for to, out in (("grounding", "rows.json"), ("agentnet", "rows.jsonl")):
        told = export(Recording(tmp_path / "runs", {}, ()), to, tmp_path / out)
        assert (told["runs"], told["steps"] > 3) == (1, True)
        assert len(told["problems"]) == 2
        assert any("empty holds no step" in problem for problem in told["problems"])
    alone = traj("export", tmp_path / "runs" / "empty", "--to", "grounding", "--out", tmp_path / "x.json")
    assert (alone.exit_code, "holds no step" in alone.stderr) == (2, True)


NEEDED = {"parquet": "pyarrow", "mp4": "av"}


def outside(to: str, tmp_path: Path) -> Path:
    """A place for an export, in a folder of its own. Skips where what the format needs is not installed."""
    if to in NEEDED:
        pytest.importorskip(NEEDED[to])
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / f"run{FORMATS[to].suffix or ''}"


@pytest.mark.parametrize("to", FORMATS)
def test_of_a_run_without_steps_nothing_is_written(to: str, tmp_path: Path) -> None:
    with Trajectory(tmp_path / "empty", goal="nothing") as trajectory:
        trajectory.finish("stopped")
    left = traj("export", tmp_path / "empty", "--to", to, "--out", outside(to, tmp_path), "--json")
    assert (left.exit_code, list((tmp_path / "out").iterdir())) == (2, []), left.stderr


@pytest.mark.parametrize("to", ["agentnet", "grounding", "gif"])
def test_of_a_run_whose_pictures_are_all_missing_nothing_is_written(bundled: Bundled, to: str, tmp_path: Path) -> None:
    shutil.copytree(bundled("signup").path, tmp_path / "run")
    for frame in (tmp_path / "run" / "frames").iterdir():
        frame.unlink()
    left = traj("export", tmp_path / "run", "--to", to, "--out", outside(to, tmp_path))
    assert (left.exit_code, list((tmp_path / "out").iterdir())) == (2, []), left.stderr


def test_of_several_runs_one_without_pictures_is_passed_over(bundled: Bundled, tmp_path: Path) -> None:
    for name in ("whole", "blind"):
        shutil.copytree(bundled("signup").path, tmp_path / "runs" / name)
    shutil.rmtree(tmp_path / "runs" / "blind" / "frames")
    told = export(Recording(tmp_path / "runs", {}, ()), "agentnet", tmp_path / "rows.jsonl")
    assert (told["runs"], len((tmp_path / "rows.jsonl").read_text(encoding="utf-8").splitlines())) == (1, 1)
    assert "blind holds no step with a picture" in told["problems"][-1]


def test_a_folder_that_takes_no_file_is_named(bundled: Bundled) -> None:
    told = traj("export", bundled("signup").path, "--to", "playwright", "--out", "/proc/x.py")
    assert (told.exit_code, "the folder /proc takes no new file" in told.stderr) == (2, True)


def test_people_count_steps_from_1(bundled: Bundled, tmp_path: Path) -> None:
    told = export(bundled("signup"), "playwright", tmp_path / "x.py")
    assert told["steps"] == 8
    assert "# 1. click" in (tmp_path / "x.py").read_text(encoding="utf-8")
    assert "# 0. " not in (tmp_path / "x.py").read_text(encoding="utf-8")
    left_out = export(bundled("signup"), "grounding", tmp_path / "rows.json")["left_out"]
    assert left_out[0].startswith("step 2 (type 'Ada Lovelace')")


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"tag": "input", "name": "Email", "role": "textbox"}, "text"),
        ({"tag": "input", "role": "textbox"}, "icon"),
        ({"name": "Close"}, "icon"),
        ({"name": "Go", "text": "Go"}, "text"),
    ],
)
def test_a_field_with_a_name_is_text_and_a_button_without_words_an_icon(fields: dict[str, Any], kind: str) -> None:
    assert ui_type(element(**fields)) == kind


def test_an_mp4_plays_as_long_as_its_steps_take(bundled: Bundled, tmp_path: Path) -> None:
    av: Any = pytest.importorskip("av", reason="PyAV is in moonhand[video]")
    recording = bundled("signup")
    export(recording, "mp4", tmp_path / "run.mp4")
    with av.open(str(tmp_path / "run.mp4")) as film:
        assert film.streams.video[0].codec_context.name == "h264"
        assert film.duration / 1e6 == pytest.approx(1.2 * len(recording.steps) + 2.4, abs=0.3)


def test_html_is_the_viewers_page(bundled: Bundled, tmp_path: Path) -> None:
    export(bundled("signup"), "html", tmp_path / "run.html")
    assert "<!doctype html>" in (tmp_path / "run.html").read_text(encoding="utf-8")[:200].lower()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere", "--to", "gif", "--out", "x.gif"), "holds no trajectory"),
        (("RUN", "--to", "docx", "--out", "x.docx"), "no format is called"),
        (("RUN", "--to", "gif", "--out", "x.png"), "written as .gif"),
        (("RUN", "--to", "gif", "--out", "no/such/x.gif"), "create its folder first"),
        (("RUN", "--to", "gif", "--out", "RUN/x.gif"), "inside a recorded run"),
        (("WINDOW", "--to", "playwright", "--out", "x.py"), "--to pyautogui"),
        (("RUN", "--to", "gif"), "--out PATH"),
        (("ALL", "--to", "gif", "--out", "x.gif"), "holds no trajectory"),
    ],
)
def test_a_wrong_request_is_told_before_anything_is_written(
    bundled: Bundled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    places = {"RUN": bundled("signup").path, "WINDOW": bundled("window").path, "ALL": bundled("signup").path.parent}
    given = [
        next((word.replace(name, str(path)) for name, path in places.items() if name in word), word) for word in words
    ]
    result = traj("export", *given)
    assert result.exit_code in (2, 3)
    assert said in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_list_names_every_format() -> None:
    told = json.loads(traj("export", "--list", "--json").stdout)["formats"]
    assert list(told) == list(FORMATS)
    assert "agentnet" in traj("export", "--list").stdout


def test_a_run_with_a_damaged_line_and_a_missing_picture_is_exported_without_them(
    bundled: Bundled, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(bundled("signup").path, folder)
    lines = (folder / "steps.jsonl").read_bytes().split(b"\n")
    (folder / "steps.jsonl").write_bytes(b"\n".join([lines[0], b'{"torn', *lines[2:]]))
    read_trajectory(folder).steps[-1].before.path.unlink()
    told = export(read_trajectory(folder), "agentnet", tmp_path / "rows.jsonl")
    assert any("line 2 is not a step" in line for line in told["problems"])
    assert any("picture is missing" in line for line in told["left_out"])
    turns = json.loads((tmp_path / "rows.jsonl").read_text(encoding="utf-8"))["traj"]
    assert len(turns) + len(told["left_out"]) == 8


@pytest.mark.parametrize("to", FORMATS)
def test_a_step_that_a_repair_dropped_is_named_by_every_export(bundled: Bundled, to: str, tmp_path: Path) -> None:
    told = export(without_steps(bundled("signup"), {1, 8}, tmp_path / "run"), to, outside(to, tmp_path))
    assert told["problems"] == ["run: step 2 is missing", "run: step 9 is missing"]


def test_a_step_that_a_repair_dropped_is_named_by_show_and_view(bundled: Bundled, tmp_path: Path) -> None:
    folder = without_steps(bundled("signup"), {1}, tmp_path / "run").path
    assert "step 2 is missing" in traj("show", folder).stderr
    assert json.loads(traj("show", folder, "--json").stdout)["problems"] == ["step 2 is missing"]
    viewed = traj("view", folder, "--out", tmp_path / "run.html", "--json")
    assert json.loads(viewed.stdout)["problems"] == ["step 2 is missing"]


def without_steps(recording: Recording, lost: set[int], folder: Path) -> Recording:
    """A copy whose lines of these steps were damaged, and then dropped by a repair."""
    shutil.copytree(recording.path, folder)
    lines = (folder / "steps.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "steps.jsonl").write_bytes(b"".join(b"x\n" if at in lost else line for at, line in enumerate(lines)))
    assert traj("check", folder, "--repair").exit_code == 1
    return read_trajectory(folder)


def element(**fields: Any) -> Element:
    said: dict[str, Any] = {"tag": "button", "left_px": 10, "top_px": 10, "width_px": 50, "height_px": 20}
    return Element(**said | fields)


@pytest.mark.parametrize(
    ("known", "code"),
    [
        (
            element(role="button", name="Go", selectors=("aria/Go",)),
            "page.get_by_role('button', name='Go', exact=True)",
        ),
        (
            element(role="button", name="Go", selectors=("aria/Go", "#go")),
            "page.get_by_role('button', name='Go', exact=True).or_(page.locator('css=#go'))",
        ),
        (element(selectors=("pierce/#go",)), "page.locator('css=#go')"),
        (element(selectors=("text/Go", "#a > b")), "page.get_by_text('Go', exact=True)"),
        (element(selectors=("#a > b", "xpath//html/body/b")), "page.locator('xpath=/html/body/b')"),
        (
            element(selectors=("#go",), frame=(0, 2)),
            "page.main_frame.child_frames[0].child_frames[2].locator('css=#go')",
        ),
        (element(tag="canvas", selectors=("#board",)), None),
        (element(), None),
        (None, None),
    ],
)
def test_an_element_is_found_by_what_people_know_it_by(known: Element | None, code: str | None) -> None:
    assert locator_of(known) == code


def test_a_box_is_cut_at_the_edges_of_the_picture() -> None:
    assert box_on(element(left_px=-5, width_px=20), Size(100, 100)) == [0, 10, 15, 30]
    assert box_on(element(left_px=200), Size(100, 100)) is None
