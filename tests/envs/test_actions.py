from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moonhand.envs import (
    MODIFIERS,
    NAMED_KEYS,
    Action,
    Back,
    Click,
    Drag,
    Finish,
    Move,
    Navigate,
    Point,
    PressKeys,
    Refuse,
    Scroll,
    TypeText,
    Wait,
    action_from_json,
    action_points,
    action_to_json,
    describe,
)
from pydantic import ValidationError

numbers = st.floats(allow_nan=False, allow_infinity=False)
buttons = st.sampled_from(["left", "right", "middle"])
characters = st.characters(min_codepoint=33, max_codepoint=126)
actions: st.SearchStrategy[Action] = st.one_of(
    st.builds(
        Click,
        x_px=numbers,
        y_px=numbers,
        button=buttons,
        count=st.integers(1, 3),
        modifiers=st.lists(st.sampled_from(MODIFIERS), unique=True).map(tuple),
    ),
    st.builds(Move, x_px=numbers, y_px=numbers),
    st.builds(Drag, path=st.lists(st.builds(Point, numbers, numbers), min_size=2).map(tuple), button=buttons),
    st.builds(Scroll, dx=numbers, dy=numbers),
    st.builds(Scroll, dx=numbers, dy=numbers, x_px=numbers, y_px=numbers),
    st.builds(TypeText, text=st.text(), clear=st.booleans(), submit=st.booleans()),
    st.builds(
        PressKeys,
        keys=st.lists(st.sampled_from(sorted(NAMED_KEYS)) | characters, min_size=1).map(tuple),
        repeat=st.integers(1, 100),
    ),
    st.builds(Wait, seconds_s=st.floats(0, 600)),
    st.builds(Navigate, url=st.text()),
    st.just(Back()),
    st.builds(Finish, status=st.sampled_from(["success", "failure"]), answer=st.text()),
    st.builds(Refuse, reason=st.text()),
)


@given(actions)
def test_every_action_comes_back_from_its_json_text(action: Action) -> None:
    assert action_from_json(json.loads(json.dumps(action_to_json(action)))) == action


@given(actions)
def test_every_action_describes_itself_in_one_short_line(action: Action) -> None:
    words = describe(action)
    assert words
    assert "\n" not in words


@given(st.recursive(st.none() | st.booleans() | numbers | st.text(), lambda inner: st.dictionaries(st.text(), inner)))
def test_any_other_json_is_a_value_error(obj: object) -> None:
    with pytest.raises(ValueError, match="not an action"):
        action_from_json(obj)


@pytest.mark.parametrize(
    ("obj", "named"),
    [
        ({"type": "click", "x_px": 1}, "click.y_px"),
        ({"type": "click", "x_px": 1, "y_px": float("nan")}, "click.y_px"),
        ({"type": "click", "x_px": 1, "y_px": 2, "buttn": "left"}, "click.buttn"),
        ({"type": "click", "x_px": 1, "y_px": 2, "count": 4}, "click.count"),
        ({"type": "drag", "path": [{"x_px": 1, "y_px": 2}]}, "drag.path"),
        ({"type": "scroll", "x_px": 3}, "give both or neither"),
        ({"type": "key", "keys": ["kontrol"]}, "unknown key 'kontrol'"),
        ({"type": "tap"}, "'tap'"),
        ([], "dictionary"),
    ],
)
def test_a_wrong_action_is_refused_with_the_name_of_its_field(obj: object, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        action_from_json(obj)


def test_an_action_cannot_be_changed_and_knows_its_points() -> None:
    click = Click(x_px=3, y_px=4)
    with pytest.raises(ValidationError):
        click.x_px = 5  # pyright: ignore[reportAttributeAccessIssue]
    assert action_points(click) == (Point(3, 4),)
    assert action_points(Drag(path=(Point(1, 2), Point(3, 4)))) == (Point(1, 2), Point(3, 4))
    assert action_points(Scroll(dy=1, x_px=5, y_px=6)) == (Point(5, 6),)
    assert action_points(Scroll(dy=1)) == action_points(TypeText(text="x")) == ()


@pytest.mark.parametrize(
    ("written", "keys"),
    [
        (("Control", "C"), ("ctrl", "c")),
        (("ctrl", "shift", "T"), ("ctrl", "shift", "t")),
        (("Return",), ("enter",)),
        (("ESC",), ("escape",)),
        (("A",), ("A",)),
        ((" ",), ("space",)),
        (("+",), ("+",)),
    ],
)
def test_keys_are_put_in_one_spelling(written: tuple[str, ...], keys: tuple[str, ...]) -> None:
    assert PressKeys(keys=written).keys == keys


def test_a_table_row_says_what_an_action_does() -> None:
    assert describe(Click(x_px=10.4, y_px=20, count=2, modifiers=("ctrl",))) == "ctrl+double click (10, 20)"
    assert describe(TypeText(text="x" * 99, submit=True)) == f"type '{'x' * 37}...', enter"
    assert describe(PressKeys(keys=("ctrl", "z"), repeat=3)) == "press ctrl+z x3"
