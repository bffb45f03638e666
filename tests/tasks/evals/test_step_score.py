"""AgentNetBench's steps: every rule of the score on rows of our own, and files of predictions from end to end."""

from __future__ import annotations

import json
import math
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from moonhand.envs import Click, Drag, Finish, Move, Point, PressKeys, Refuse, Scroll, Size, TypeText, action_to_json
from moonhand.tasks.errors import BadRequest
from moonhand.tasks.evals.agentnetbench_score import score_agentnetbench
from moonhand.tasks.evals.step_predictions import spellings
from moonhand.tasks.evals.step_score import NEAR, Call, alike, edit_distance, merged, near, score_option, score_step
from moonhand.tasks.evals.step_table import show_steps
from moonhand.tasks.evals.suites.agentnetbench import open_agentnetbench
from moonhand.tasks.evals.suites.problems import BadSuite
from PIL import Image
from rich.console import Console

BOX = (0.2, 0.3, 0.1, 0.05)  # left, top, width, height
CLICK = Call(type="click", point=(0.25, 0.32), boxes=(BOX,))


def click_at(x: float, y: float, type_: str = "click") -> Call:
    return Call(type=type_, point=(x, y))


@pytest.mark.parametrize("point", [(0.2, 0.3), (0.3, 0.35), (0.2, 0.35), (0.21, 0.301)])
def test_a_click_in_a_box_or_on_its_edge_is_all_of_one(point: tuple[float, float]) -> None:
    far = Call(type="click", point=(0.9, 0.9), boxes=((0.5, 0.5, 0.01, 0.01), (0.2, 0.3, 0.1, 0.05 + 1e-12)))
    assert score_option([far], [click_at(*point)]).total == 1


def test_a_click_outside_falls_off_with_the_distance_to_the_true_point_and_not_to_the_box() -> None:
    x, y = 0.25, 0.40
    distance = y - 0.32
    assert score_option([CLICK], [click_at(x, y)]).total == pytest.approx(math.exp(-120 * (distance - NEAR)))


def test_a_distance_is_worth_one_up_to_a_hundredth_times_the_root_of_two_and_less_beyond() -> None:
    assert pytest.approx(0.0141421356) == NEAR
    assert near(0.0) == near(NEAR) == 1
    assert near(NEAR + 0.01) == pytest.approx(math.exp(-1.2))
    assert near(1.0) < 1e-50


@pytest.mark.parametrize("type_", ["doubleClick", "rightClick", "tripleClick", "moveTo", "dragTo"])
def test_other_actions_at_a_point_follow_the_same_rule(type_: str) -> None:
    true = Call(type=type_, point=(0.25, 0.32), boxes=(BOX,))
    assert score_option([true], [click_at(0.29, 0.34, type_)]).total == 1
    assert score_option([true], [click_at(0.29, 0.34)]).total == 0  # another type


def test_the_first_predicted_type_must_occur_among_the_true_ones_or_all_is_nothing() -> None:
    true = [Call(type="moveTo", point=(0.5, 0.5)), Call(type="scroll")]
    assert score_option(true, [click_at(0.5, 0.5), Call(type="scroll")]).total == 0
    assert score_option(true, [Call(type="scroll")]).types == {"moveto": 0, "scroll": 0}  # there, but in another place
    assert score_option(true, [click_at(0.5, 0.5, "moveTo"), Call(type="scroll")]).total == 1
    assert score_option(true, [click_at(0.5, 0.5, "moveTo")]).total == 0.5


def test_what_is_predicted_beyond_the_true_actions_is_ignored_and_nothing_is_worth_nothing() -> None:
    assert score_option([CLICK], [click_at(0.25, 0.32), Call(type="wait")]).total == 1
    assert score_option([CLICK], []).total == 0
    assert score_option([], [click_at(0.25, 0.32)]).total == 0


def test_the_total_is_the_mean_over_types_of_the_mean_over_actions() -> None:
    true = [CLICK, CLICK, Call(type="write", text="abc")]
    found = score_option(true, [click_at(0.25, 0.32), Call(type="wait"), Call(type="write", text="abc")])
    assert found.types == {"click": 0.5, "write": 1.0}
    assert found.total == 0.75


@pytest.mark.parametrize(
    ("true", "said", "worth"),
    [
        ("Hello", " hello ", 1.0),
        ("hello", "hallo", 1.0),  # 1 of 5 letters: 0.8
        ("abcd", "abcx", 0.75 / 0.8),
        ("abcd", "wxyz", 0.0),
        ("", "", 1.0),
        ("abc", "", 0.0),
        ("george orwell\n", "George Orwell", 1.0),  # white space at the ends does not count, line breaks neither
    ],
)
def test_a_text_is_worth_its_likeness_from_four_fifths_on_all_of_one(true: str, said: str, worth: float) -> None:
    assert alike(true, said) == pytest.approx(worth)


def test_the_edit_distance_counts_letters_put_in_taken_out_and_exchanged() -> None:
    assert edit_distance("kitten", "sitting") == 3
    assert edit_distance("", "abc") == edit_distance("abc", "") == 3


def test_keys_are_a_set_under_their_one_name_and_all_or_nothing() -> None:
    true = [Call(type="hotkey", keys=("ctrl", "F"))]
    assert score_option(true, [Call(type="hotkey", keys=("f", "Control"))]).total == 1
    assert score_option(true, [Call(type="hotkey", keys=("ctrl", "shift", "f"))]).total == 0
    assert score_option(true, [Call(type="press", keys=("f",))]).total == 0
    assert score_option([Call(type="press", keys=("return",))], [Call(type="press", keys=("enter",))]).total == 1


def test_scrolling_counts_whatever_its_direction_and_a_type_without_a_rule_is_left_out() -> None:
    assert score_option([Call(type="scroll")], [Call(type="scroll")]).total == 1
    assert score_option([Call(type="hscroll")], [Call(type="hscroll")]).total == 0
    true = [Call(type="moveTo", point=(0.5, 0.5)), Call(type="hscroll")]
    assert score_option(true, [click_at(0.5, 0.5, "moveTo"), Call(type="hscroll")]).types == {"moveto": 1}


def test_the_end_is_right_with_the_same_status_alone() -> None:
    true = [Call(type="terminate", status="success")]
    assert score_option(true, [Call(type="terminate", status="success")]).total == 1
    assert score_option(true, [Call(type="terminate", status="failure")]).total == 0
    assert score_option(true, [click_at(0.5, 0.5)]).total == 0
    assert score_option([CLICK], true).total == 0


def test_a_text_and_a_lone_enter_after_it_are_one_action_on_both_sides() -> None:
    enter, write = Call(type="press", keys=("enter",)), Call(type="write", text="abc")
    assert merged([write, enter, enter]) == (Call(type="write", text="abc\n"), enter)
    assert score_option([write, enter], [Call(type="write", text="abc\n")]).total == 1
    assert score_option([write], [write, enter]).total == 1
    assert score_option([write, Call(type="hotkey", keys=("ctrl", "enter"))], [write]).total == 0.5


def test_a_step_gets_the_best_of_its_options_and_the_first_of_equal_ones() -> None:
    other = Call(type="click", point=(0.8, 0.8))
    score, option = score_step([[CLICK], [other]], [click_at(0.8, 0.8)])
    assert (score.total, option) == (1, 1)
    assert score_step([[CLICK], [CLICK]], [click_at(0.25, 0.32)])[1] == 0


def test_our_actions_have_pyautoguis_names_and_shares_of_the_screenshot() -> None:
    size = Size(200, 100)
    drag = Drag(path=(Point(0, 0), Point(20, 20), Point(100, 50)))
    actions = [
        Click(x_px=50, y_px=50, count=2),
        Click(x_px=50, y_px=50, button="right"),
        drag,
        TypeText(text="a", submit=True),
        PressKeys(keys=("enter",)),
        PressKeys(keys=("ctrl", "c")),
        Finish(status="failure"),
        Refuse(),
    ]
    (calls,) = spellings(actions, size)
    assert [call.type for call in calls] == [
        *("doubleClick", "rightClick", "moveTo", "dragTo", "write", "press", "hotkey", "terminate", "terminate")
    ]
    assert [call.point for call in calls[:4]] == [(0.25, 0.5), (0.25, 0.5), (0.0, 0.0), (0.5, 0.5)]
    assert (calls[4].text, calls[7].status, calls[8].status) == ("a\n", "failure", "failure")
    over, alone = spellings([Scroll(x_px=20, y_px=20, dy=3)], size)
    assert [call.type for call in over] == ["moveTo", "scroll"]
    assert [call.type for call in alone] == ["scroll"]
    assert [call.type for call in spellings([Move(x_px=1, y_px=1), Scroll(dx=3)], size)[0]] == ["moveTo", "hscroll"]


def true_click(x: float, y: float) -> dict[str, Any]:
    return {"type": "click", "params": {"position": {"x": x, "y": y}}, "metadata": {"bboxes": []}}


def write_suite(folder: Path, *, steps: list[dict[str, Any]]) -> Path:
    folder.mkdir()
    (folder / "t1.json").write_text(json.dumps({"task_id": "t1", "high_level_task_description": "go", "steps": steps}))
    return folder


def step(number: int, *actions: dict[str, Any], **more: Any) -> dict[str, Any]:
    said = {"inner_monologue": {"low_level_instruction": f"do {number}"}}
    return {"step_num": number, "image": f"{number}.png", "ground_truth_actions": list(actions), **said, **more}


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    write = {"type": "write", "params": {"text": "tea\n"}, "metadata": {}}
    folder = write_suite(
        tmp_path / "bench",
        steps=[
            step(1, true_click(0.5, 0.5), alternative_options=[[true_click(0.9, 0.1)]]),
            step(2, write),
            step(4, {"type": "terminate", "params": {"status": "success"}, "metadata": {}}),
            step(5, true_click(0.1, 0.1)),
            step(6, true_click(0.1, 0.1)),
        ],
    )
    (folder / "images").mkdir()
    Image.new("RGB", (200, 100)).save(folder / "images" / "2.png")
    return folder


def test_a_suite_is_read_with_its_options_and_the_pictures_that_are_there(suite: Path) -> None:
    opened = open_agentnetbench(suite)
    assert [each.id for each in opened.steps] == ["t1/1", "t1/2", "t1/4", "t1/5", "t1/6"]
    assert (opened.steps[0].instruction, opened.steps[0].goal) == ("do 1", "go")
    assert [len(each.options) for each in opened.steps] == [2, 1, 1, 1, 1]
    assert [each.image is not None for each in opened.steps] == [False, True, False, False, False]
    assert len(opened.files["t1.json"]) == 64


def test_a_file_of_replies_and_of_actions_is_scored_and_every_step_counts(suite: Path, tmp_path: Path) -> None:
    lines: list[dict[str, Any]] = [
        {"id": "t1/1", "raw": "```python\npyautogui.click(x=0.9, y=0.1)\n```"},
        {"id": "t1/2", "actions": [action_to_json(TypeText(text="tea", submit=True))]},
        {"id": "t1/4", "raw": "pyautogui.click(x=100, y=50)", "dialect": "pyautogui", "size": [200, 100]},
        {"id": "t1/5", "raw": "I would rather not"},
    ]
    path = tmp_path / "predictions.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = score_agentnetbench(suite, path)
    assert (found["n"], found["score"], found["score_macro"]) == (5, 0.4, 0.4)
    assert found["outcomes"] == {"scored": 3, "wrong_format": 1, "missing": 1}
    assert found["alternatives"] == 1
    assert found["full"]["count"] == 2
    assert found["groups"]["action_type"] == {
        "click": {"n": 3, "score": pytest.approx(1 / 3)},
        "terminate": {"n": 1, "score": 0},
        "write": {"n": 1, "score": 1},
    }
    json.dumps(found, allow_nan=False)
    told = StringIO()
    show_steps(found, Console(file=told, width=100))
    assert "1 replies could not be read, 1 are missing; an alternative fitted better 1 times" in " ".join(
        told.getvalue().split()
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"id": "t1/1"}, "neither `actions` nor `raw`"),
        ({"raw": "x"}, "no id"),
        ({"id": "t1/9", "raw": "x"}, "of no step"),
        ({"id": "t1/1", "raw": "x", "dialect": "klingon"}, "no dialect is called 'klingon'"),
        ({"id": "t1/1", "raw": "pyautogui.click(1, 1)", "dialect": "pyautogui"}, "give its `size`"),
        ({"id": "t1/1", "actions": [{"type": "dance"}], "size": [9, 9]}, "not an action"),
        ({"id": "t1/2", "raw": "x", "size": [0]}, None),  # its screenshot is there and says the size
    ],
)
def test_a_line_that_is_no_prediction_is_named(
    suite: Path, tmp_path: Path, line: dict[str, Any], said: str | None
) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_text(json.dumps(line) + "\n")
    if said is None:
        assert score_agentnetbench(suite, path)["wrong_format"] == 1
        return
    with pytest.raises(BadRequest, match=said):
        score_agentnetbench(suite, path)


def test_rows_that_cannot_be_judged_are_all_named_at_once(tmp_path: Path) -> None:
    nowhere = {"type": "click", "params": {}, "metadata": {}}
    odd = {**true_click(0.1, 0.1), "metadata": {"bboxes": [{"rel_bbox": [0.1, 0.2]}]}}
    folder = write_suite(tmp_path / "bad", steps=[step(1, nowhere), step(2), step(3, odd), step(3, true_click(0, 0))])
    with pytest.raises(BadSuite) as caught:
        open_agentnetbench(folder)
    said = [(problem.row, problem.said) for problem in caught.value.problems]
    assert [row for row, _ in said] == [1, 2, 3]
    assert "no position" in said[0][1]
    assert "nothing can be right" in said[1][1]
    assert "not 4 numbers" in said[2][1]
    with pytest.raises(BadSuite, match=r"no \*\.json"):
        open_agentnetbench(tmp_path)


def test_a_number_too_long_for_a_float_and_a_picture_elsewhere_are_problems_of_their_rows(tmp_path: Path) -> None:
    far, good = true_click(10**400, 0.1), true_click(0.1, 0.1)
    (tmp_path / "private.png").write_bytes(b"")
    steps = [step(1, far), step(2, good, image="../../private.png"), step(3, good, image=str(tmp_path / "private.png"))]
    with pytest.raises(BadSuite) as caught:
        open_agentnetbench(write_suite(tmp_path / "bad", steps=steps))
    said = [(problem.row, problem.said) for problem in caught.value.problems]
    assert [row for row, _ in said] == [1, 2, 3]
    assert said[0][1].startswith("position of click is [1000")
    assert said[0][1].endswith("..., not 2 numbers")
    assert all("leads out of the suite's folder" in each for _, each in said[1:])
