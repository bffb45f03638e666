"""Other programs' recordings as trajectories: read whole, damaged, and made to do harm."""

from __future__ import annotations

import base64
import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bundled_runs import BUNDLED, traj
from moonhand.agent import Recording, read_trajectory
from moonhand.envs import Action, Click, Finish, PressKeys, Scroll, SelectOption, TypeText, action_points
from PIL import Image
from typer.testing import Result

TRACE = BUNDLED / "trace.zip"


def picture(width_px: int = 200, height_px: int = 100, mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (width_px, height_px), "teal" if mode == "RGB" else 1).save(buffer, format="PNG")
    return buffer.getvalue()


def read(*words: str | Path, out: Path) -> tuple[Recording, dict[str, Any]]:
    result = traj("import", *words, "--out", out, "--json")
    assert result.exit_code == 0, result.stderr
    recording = read_trajectory(out)
    assert recording.problems == ()
    return recording, json.loads(result.stdout)


def actions(recording: Recording) -> list[Action | None]:
    return [step.action for step in recording.steps]


@pytest.mark.parametrize("name", ["kinds", "window"])
def test_agentnet_rows_come_back_as_the_same_actions(
    name: str, bundled: Callable[[str], Recording], tmp_path: Path
) -> None:
    before, rows = bundled(name), tmp_path / "rows.jsonl"
    told = json.loads(traj("export", before.path, "--to", "agentnet", "--out", rows, "--json").stdout)
    after, _ = read(rows, out=tmp_path / "run")
    assert (after.goal, after.source) == (before.goal, "agent")
    assert after.run["imported_from"]["format"] == "agentnet"
    assert after.result is not None
    assert after.result.success is True
    left_out = {int(line.split()[1]) for line in told["left_out"]}
    kept = [step for step in before.steps if step.index + 1 not in left_out]
    plain = [step for step in kept if not any(_said(step.action) in note for note in told["notes"])]
    found = {step.turn: step for step in reversed(after.steps)}
    for turn, step in enumerate(kept):
        same = found[turn]
        assert same.before.read().sha256 == step.before.read().sha256
        if step in plain and step.action is not None and same.action is not None:
            assert same.action.type == step.action.type
            for one, other in zip(action_points(same.action), action_points(step.action), strict=True):
                assert abs(one.x_px - other.x_px) <= 0.1
                assert abs(one.y_px - other.y_px) <= 0.1


def _said(action: Action | None) -> str:
    from moonhand.envs import describe

    return "" if action is None else f"{describe(action)} is written as"


def test_several_tasks_become_several_runs_and_damaged_lines_are_told(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(picture())
    task = {"task_id": "../../t 1", "instruction": "press", "task_completed": False}
    turns = [
        {"index": 0, "image": "a.png", "value": {"code": "pyautogui.click(x=0.5, y=0.5)", "action": "Press it"}},
        {"index": 1, "image": "../../etc/passwd", "value": {"code": "pyautogui.press('enter')"}},
        {"index": 2, "image": "a.png", "value": {"code": "os.system('x')"}},
        {"index": 3, "image": "a.png", "value": {"code": "computer.terminate(status='failure')"}},
        {"index": 4, "image": "a.png", "value": {"code": "pyautogui.click(x=1.5, y=0.5)"}},
    ]
    lines = [
        json.dumps(task | {"traj": turns}),
        "{torn",
        json.dumps({"other": 1}),
        json.dumps(task | {"traj": turns[:1]}),
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines), encoding="utf-8")
    result = traj("import", tmp_path / "rows.jsonl", "--out", tmp_path / "runs", "--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert [Path(run["path"]).parent for run in told["runs"]] == [tmp_path / "runs"] * 2
    said = "\n".join(told["problems"])
    for part in ("line 2 is no task", "line 3 is no task", "there is no 'passwd'", "cannot be read", "no picture"):
        assert part in said, part
    recording = read_trajectory(told["runs"][0]["path"])
    assert (recording.source, recording.goal) == ("human", "press")
    assert actions(recording)[:4] == [
        Click(x_px=100, y_px=50),
        PressKeys(keys=("enter",)),
        None,
        Finish(status="failure"),
    ]
    assert [step.error is None for step in recording.steps] == [True, True, False, True, False]
    assert recording.result is not None
    assert recording.result.status == "failed"
    assert recording.result.success is False


def test_a_playwright_trace_becomes_its_calls_and_its_film(tmp_path: Path) -> None:
    recording, told = read(TRACE, out=tmp_path / "run")
    assert recording.goal == "one of each call"
    kinds = [None if action is None else action.type for action in actions(recording)]
    assert kinds == [
        *("navigate", "click", "type", "select_option", "click", "click", "move", "scroll", "key", "type", "upload"),
        *("move", "reload", "navigate", "back", None, "wait"),
    ]
    assert actions(recording)[1:4] == [
        Click(x_px=180, y_px=25), TypeText(text="Ada", clear=True), SelectOption(x_px=300, y_px=25, option="Large"),
    ]  # fmt: skip
    assert actions(recording)[5] == Click(x_px=60, y_px=25, count=2)
    assert len({step.before.sha256 for step in recording.steps}) > 5
    assert "Timeout" in str(recording.steps[15].error)
    assert any("title 1" in line for line in told["problems"])
    first = recording.steps[1].surroundings
    assert first is not None
    assert str(first.url).endswith("kinds.html")


def _trace(path: Path, change: Callable[[list[dict[str, Any]]], object], extra: dict[str, bytes] | None = None) -> Path:
    with zipfile.ZipFile(TRACE) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        events = [json.loads(line) for line in old.read("trace.trace").splitlines()]
        change(events)
        new.writestr("trace.trace", "\n".join(json.dumps(event) if event else "{torn" for event in events))
        for name in old.namelist():
            if name.startswith("screencast/"):
                new.writestr(name, old.read(name))
        for name, content in (extra or {}).items():
            new.writestr(name, content)
    return path


def test_a_trace_of_version_9_is_read_and_one_of_the_future_refused(tmp_path: Path) -> None:
    def older(events: list[dict[str, Any]]) -> None:
        events[0]["version"] = 9

    def newer(events: list[dict[str, Any]]) -> None:
        events[0]["version"] = 99

    recording, _ = read(_trace(tmp_path / "older.zip", older), out=tmp_path / "run")
    assert len(recording.steps) == 17
    refused = traj("import", _trace(tmp_path / "newer.zip", newer), "--out", tmp_path / "no")
    assert refused.exit_code == 2
    assert "version 99" in refused.stderr
    assert not (tmp_path / "no").exists()


def test_a_damaged_trace_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    def damage(events: list[dict[str, Any]]) -> None:
        films = [event for event in events if event["type"] == "screencast-frame"]
        for film in films[: len(films) // 2]:
            film["file"] = "screencast/gone.jpeg"
        films[-1]["file"] = "../../../etc/passwd"
        events[4] = {}

    recording, told = read(_trace(tmp_path / "trace.zip", damage), out=tmp_path / "run")
    assert len(recording.steps) >= 15
    assert any("cannot be read and was left out" in line for line in told["problems"])
    assert any("gone.jpeg" in line for line in told["problems"])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("../evil.txt", b"x", "leads out of it"),
        ("/etc/evil", b"x", "leads out of it"),
        ("resources/bomb", b"\0" * 30_000_000, "unpacks 30000000 bytes"),
    ],
)
def test_a_zip_made_to_do_harm_is_refused(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    bad = _trace(tmp_path / "trace.zip", lambda events: None, {name: content})
    result: Result = traj("import", bad, "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert said in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["trace.zip"]


def test_a_picture_larger_than_a_screen_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture(9000, 9000, "1"))
    row = {"instruction": "x", "traj": [{"image": "a.png", "value": {"code": "pyautogui.click(x=0.5, y=0.5)"}}]}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row), encoding="utf-8")
    recording, told = read(tmp_path / "rows.jsonl", out=tmp_path / "run")
    assert any("9000x9000" in line for line in told["problems"])
    assert str(recording.steps[0].before.size) == "1920x1080"


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(picture())
    folder = tmp_path / "given"
    folder.mkdir()
    (folder / "a.png").symlink_to(tmp_path / "secret.png")
    row = {"instruction": "x", "traj": [{"image": "a.png", "value": {"code": "pyautogui.click(x=0.5, y=0.5)"}}]}
    (folder / "rows.jsonl").write_text(json.dumps(row), encoding="utf-8")
    _, told = read(folder / "rows.jsonl", out=tmp_path / "run")
    assert any("leads out of" in line for line in told["problems"])


def history(**old: Any) -> dict[str, Any]:
    """As browser-use 0.13 writes it."""
    element: dict[str, Any] = {
        "node_name": "BUTTON",
        "attributes": {"id": "go"},
        "x_path": "html/body/button",
        "ax_name": "Go",
    }
    element["bounds"] = {"x": 10, "y": 20, "width": 40, "height": 20}
    state = {"url": "http://x.test/", "title": "X", "tabs": [], "screenshot_path": "screenshots/step_1.png"}
    words = {"thinking": "It is there.", "next_goal": "press Go", "memory": "", "evaluation_previous_goal": ""}
    calls = [
        {"click": {"index": 3}},
        {"input": {"index": 3, "text": "Ada", "clear": True}},
        {"find_text": {"text": "a"}},
    ]
    calls += [{"scroll": {"down": False, "pages": 0.5}}, {"send_keys": {"keys": "Control+a"}}]
    done = [{"done": {"text": "all done", "success": True}}]
    fine: dict[str, Any] = {"error": None, "extracted_content": "ok"}
    results = [fine | {"metadata": {"click_x": 33, "click_y": 31}}, *([fine] * 4)]
    times = {"step_start_time": 1000.5, "step_end_time": 1001.0, "step_number": 1}
    return {
        "history": [
            {
                "model_output": words | {"action": calls},
                "result": results,
                "state": state | {"interacted_element": [element, element, None, None, None]},
                "metadata": times,
            },
            {
                "model_output": words | {"action": done},
                "result": [{"is_done": True, "success": True, "extracted_content": "all done"}],
                "state": state | {"interacted_element": [None], "screenshot_path": None},
            },
        ]
    } | old


def test_a_browser_use_history_becomes_clicks_on_what_it_touched(tmp_path: Path) -> None:
    (tmp_path / "screenshots").mkdir()
    (tmp_path / "screenshots" / "step_1.png").write_bytes(picture())
    (tmp_path / "history.json").write_text(json.dumps(history(), indent=2), encoding="utf-8")
    recording, told = read(tmp_path / "history.json", "--goal", "press Go", out=tmp_path / "run")
    assert recording.goal == "press Go"
    assert actions(recording) == [
        Click(x_px=33, y_px=31),
        Click(x_px=30, y_px=30),
        TypeText(text="Ada", clear=True),
        None,
        Scroll(dy=-0.5, unit="page"),
        PressKeys(keys=("ctrl", "a")),
        Finish(answer="all done"),
    ]
    first = recording.steps[0]
    assert (first.thought, first.instruction, first.started_at_s) == ("It is there.", "press Go", 1000.5)
    assert first.surroundings is not None
    assert first.surroundings.element is not None
    assert first.surroundings.element.selectors == ("#go", "xpath//html/body/button")
    assert any("find_text" in line for line in told["problems"])
    assert recording.result is not None
    assert (recording.result.status, recording.result.success) == ("finished", True)


def test_an_older_browser_use_history_has_its_words_deeper_and_its_pictures_inside(tmp_path: Path) -> None:
    entry = {
        "model_output": {
            "current_state": {"next_goal": "go", "memory": "m"},
            "action": [{"go_to_url": {"url": "http://x/"}}],
        },
        "result": [{"is_done": False}],
        "state": {
            "url": "about:blank",
            "screenshot": base64.b64encode(picture()).decode(),
            "interacted_element": [None],
        },
    }
    (tmp_path / "h.json").write_text(json.dumps({"history": [entry, {"model_output": None}, 7]}), encoding="utf-8")
    recording, _ = read(tmp_path / "h.json", out=tmp_path / "run")
    assert recording.steps[0].instruction == "go"
    assert str(recording.steps[0].before.size) == "200x100"
    assert [step.error is None for step in recording.steps] == [True, False, False]


def test_an_osworld_run_has_the_screen_before_each_action(tmp_path: Path) -> None:
    for number, width_px in enumerate((200, 201, 202, 203)):
        (tmp_path / f"step_{number}.png").write_bytes(picture(width_px))
    rows: list[Any] = [
        {"step_num": 1, "action": "pyautogui.click(100, 50)", "response": "I click", "screenshot_file": "step_1.png"},
        {
            "step_num": 2,
            "action": {"action_type": "TYPING", "parameters": {"text": "a"}},
            "screenshot_file": "step_2.png",
        },
        {
            "step_num": 2,
            "action": {"action_type": "SCROLL", "parameters": {"dx": 0, "dy": -3}},
            "screenshot_file": "/x.png",
        },
        {"Error": "Time limit exceeded"},
        {"step_num": 3, "action": "import subprocess; subprocess.run('x')", "screenshot_file": "step_3.png"},
        {"step_num": 4, "action": "FAIL", "action_timestamp": "20251122@101500", "screenshot_file": "step_3.png"},
    ]
    text = "\n".join(json.dumps(row) for row in rows)
    (tmp_path / "traj.jsonl").write_text(text, encoding="utf-8")
    (tmp_path / "result.txt").write_text("1.0\n", encoding="utf-8")
    recording, told = read(tmp_path / "traj.jsonl", out=tmp_path / "run")
    assert actions(recording) == [
        Click(x_px=100, y_px=50), TypeText(text="a"), Scroll(dy=3), None, Finish(status="failure"),
    ]  # fmt: skip
    assert [step.before.size.width_px for step in recording.steps] == [200, 201, 202, 202, 203]
    assert recording.steps[0].reply == "I click"
    assert any("Time limit" in line for line in told["problems"])
    assert recording.result is not None
    assert recording.result.success is True


@pytest.mark.parametrize(
    ("name", "content", "words", "said"),
    [
        ("a.json", b"[1, 2]", (), "say which with --from"),
        ("a.json", b"{}", ("--from", "browser-use"), "no `history`"),
        ("a.zip", b"PK\x03\x04rubbish", (), "not a zip that can be read"),
        ("a.jsonl", b'{"traj": []}\n', (), "holds no step"),
        ("a.jsonl", b"", ("--from", "osworld"), "holds no step"),
        ("a.jsonl", b"[" * 100_000, ("--from", "agentnet"), "holds no run"),
        ("a.json", b"{}", ("--from", "word"), "no format is called"),
        ("a.json", b'{"history": []}', (), "holds no step"),
    ],
)
def test_what_cannot_be_imported_is_told_and_leaves_nothing(
    name: str, content: bytes, words: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    result = traj("import", tmp_path / name, *words, "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert said in result.stderr
    assert not (tmp_path / "run").exists()


def test_an_import_never_writes_into_a_folder_that_has_something(tmp_path: Path) -> None:
    shutil.copy(TRACE, tmp_path / "trace.zip")
    result = traj("import", tmp_path / "trace.zip", "--out", tmp_path)
    assert result.exit_code == 2
    assert "name a new or empty folder" in result.stderr


def test_an_imported_page_says_how_large_it_was_and_its_end_looks_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "screenshots").mkdir()
    (tmp_path / "screenshots" / "step_1.png").write_bytes(picture())
    (tmp_path / "history.json").write_text(json.dumps(history()), encoding="utf-8")
    recording, _ = read(tmp_path / "history.json", out=tmp_path / "run")
    env = recording.run["env"]
    assert (env["viewport"], env["desktop"]) == ({"width_px": 200, "height_px": 100}, False)
    assert recording.steps[0].surroundings is not None
    assert env["url"] == recording.steps[0].surroundings.url is not None
    assert recording.steps[-1].action == Finish(answer="all done")
    assert recording.steps[-1].instruction is None


def test_a_file_of_another_format_is_told_as_such(tmp_path: Path) -> None:
    row = {"instruction": "x", "traj": [{"image": "a.png", "value": {"code": "pyautogui.click(x=0.5, y=0.5)"}}]}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row), encoding="utf-8")
    result = traj("import", tmp_path / "rows.jsonl", "--from", "osworld", "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert f"{tmp_path / 'rows.jsonl'} holds no run that --from osworld reads" in result.stderr
    assert "it looks like --from agentnet" in result.stderr
    assert f"{tmp_path.name}: " not in result.stderr
