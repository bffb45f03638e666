from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moonhand.agent import BadGoal, describe_step, parse_steps
from moonhand.agent.steps import (
    BackStep,
    ClickStep,
    HoverStep,
    KeyStep,
    NavigateStep,
    ScriptStep,
    ScrollStep,
    TypeStep,
    WaitStep,
    grounding_instruction,
    step_actions,
)
from moonhand.envs import Click, Move, Navigate, Point, PressKeys, Scroll, TypeText, Wait

CASES: list[tuple[str, ScriptStep]] = [
    ("click Sign up", ClickStep(target="Sign up")),
    ("Click on the Sign up button.", ClickStep(target="the Sign up button")),
    ('click "Save; continue"', ClickStep(target="Save; continue")),
    ("click Don't show again", ClickStep(target="Don't show again")),
    ("double-click Report", ClickStep(target="Report", count=2)),
    ("right click Report", ClickStep(target="Report", button="right")),
    ("tick I agree to the terms", ClickStep(target="I agree to the terms", verb="tick")),
    ("check Remember me", ClickStep(target="Remember me", verb="tick")),
    ("select Blue", ClickStep(target="Blue")),
    ("open Settings", ClickStep(target="Settings")),
    ("press Create account", ClickStep(target="Create account")),
    ("hover Menu", HoverStep(target="Menu")),
    ('type "Ada Lovelace" into Full name', TypeStep(text="Ada Lovelace", target="Full name")),
    ("type 'it''s; fine' in the Notes field", TypeStep(text="it''s; fine", target="the Notes field")),
    ("type \u201cAda\u201d into \u201cFull name\u201d", TypeStep(text="Ada", target="Full name")),
    ('type "usb hub" into Search and press Enter', TypeStep(text="usb hub", target="Search", submit=True)),
    ('enter "x into y" into Formula', TypeStep(text="x into y", target="Formula")),
    ('fill in Email with "ada@example.com"', TypeStep(text="ada@example.com", target="Email")),
    ("type hello there into Greeting", TypeStep(text="hello there", target="Greeting")),
    ('type "hello"', TypeStep(text="hello")),
    ("press Enter", KeyStep(keys=("enter",))),
    ("press ctrl+a", KeyStep(keys=("ctrl", "a"))),
    ("press the Escape key", KeyStep(keys=("escape",))),
    ("press +", KeyStep(keys=("+",))),
    ("scroll down", ScrollStep(dy=3)),
    ("scroll up 5", ScrollStep(dy=-5)),
    ("scroll right 2 over Table", ScrollStep(dx=2, target="Table")),
    ("wait 2", WaitStep(seconds_s=2)),
    ("wait for 0.5 seconds", WaitStep(seconds_s=0.5)),
    ("go to https://a.example/x?y=1", NavigateStep(url="https://a.example/x?y=1")),
    ("open https://a.example", NavigateStep(url="https://a.example")),
    ("go back", BackStep()),
    ("2. click Next", ClickStep(target="Next")),
    ("- click Next", ClickStep(target="Next")),
]


@pytest.mark.parametrize(("line", "step"), CASES, ids=[line for line, _ in CASES])
def test_a_line_is_read_as_its_step(line: str, step: ScriptStep) -> None:
    assert parse_steps(line) == (step,)


def test_steps_are_parted_by_lines_and_semicolons_outside_quotes() -> None:
    goal = 'type "a; b\nc" into Notes; tick I agree\n\n  press Enter;'
    assert parse_steps(goal) == (
        TypeStep(text="a; b\nc", target="Notes"),
        ClickStep(target="I agree", verb="tick"),
        KeyStep(keys=("enter",)),
    )


@pytest.mark.parametrize(
    "goal", ["", " ; \n", "buy the cheapest one", "click", 'click ""', 'type "x" into ""', "wait a bit"]
)
def test_what_is_no_step_is_refused_and_named(goal: str) -> None:
    with pytest.raises(BadGoal, match="one step a line"):
        parse_steps(goal)


@pytest.mark.parametrize("step", ["press ctrl+zz", "press Control+", "press shift+Entr", "press Alt + F99"])
def test_a_chord_with_a_key_that_is_none_is_no_button_to_click(step: str) -> None:
    with pytest.raises(BadGoal, match="a key that is none"):
        parse_steps(step)


@pytest.mark.parametrize(
    ("step", "instruction"),
    [
        (ClickStep(target="Sign up"), "click Sign up"),
        (ClickStep(target="the Sign up button"), "the Sign up button"),
        (ClickStep(target="I agree", verb="tick"), "tick I agree"),
        (TypeStep(text="x", target="Email"), "the Email field"),
        (TypeStep(text="x", target="the search box"), "the search box"),
        (TypeStep(text="x"), None),
        (KeyStep(keys=("enter",)), None),
    ],
)
def test_only_the_target_is_asked_of_the_model(step: ScriptStep, instruction: str | None) -> None:
    assert grounding_instruction(step) == instruction


def test_a_step_with_its_point_becomes_actions() -> None:
    point = Point(10, 20)
    click = Click(x_px=10, y_px=20)
    assert step_actions(ClickStep(target="a"), point) == (click,)
    assert step_actions(TypeStep(text="t", target="a", submit=True), point) == (click, TypeText(text="t", submit=True))
    assert step_actions(TypeStep(text="t"), None) == (TypeText(text="t"),)
    assert step_actions(HoverStep(target="a"), point) == (Move(x_px=10, y_px=20),)
    assert step_actions(ScrollStep(dy=2), None) == (Scroll(dy=2),)
    assert step_actions(KeyStep(keys=("enter",)), None) == (PressKeys(keys=("enter",)),)
    assert step_actions(WaitStep(seconds_s=1), None) == (Wait(seconds_s=1),)
    assert step_actions(NavigateStep(url="u"), None) == (Navigate(url="u"),)
    with pytest.raises(ValueError, match="needs the point"):
        step_actions(ClickStep(target="a"), None)


@pytest.mark.parametrize(
    "step", [step for _, step in CASES if not (isinstance(step, ClickStep) and ";" in step.target)]
)
def test_a_described_step_is_read_back(step: ScriptStep) -> None:
    assert parse_steps(describe_step(step)) == (step,)


@settings(deadline=None)
@given(
    st.text(max_size=80)
    | st.lists(st.sampled_from(['type "', '" into ', "click ", ";", "\n", "'", "press "])).map("".join)
)
def test_any_goal_is_read_or_is_refused(goal: str) -> None:
    with suppress(BadGoal):
        assert parse_steps(goal)
