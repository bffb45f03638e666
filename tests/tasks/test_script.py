"""Scripts: what they may say, and where they are wrong."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moonhand.agent.steps import (
    BackStep,
    ClickStep,
    HoverStep,
    KeyStep,
    NavigateStep,
    ScrollStep,
    TypeStep,
    WaitStep,
)
from moonhand.envs import Size
from moonhand.tasks.errors import BadScript
from moonhand.tasks.scripts import Check, load_script, parse_script
from moonhand.tasks.scripts.conditions import same_json
from moonhand.tasks.sizes import parse_size

EVERY_VERB = """
url: https://shop.example
viewport: 800x600
steps:
  - click: "Sign up"
  - double_click: Name
  - right_click: Menu
  - tick: I agree
  - hover: Help
  - type: { into: Email, text: "a@b.c", clear: true, submit: true }
  - type: { text: "42" }
  - key: ctrl+a
  - key: "+"
  - scroll: { dy: 3, over: the list }
  - wait: 1
  - navigate: https://shop.example/cart
  - back: true
check:
  - { js: window.n, equals: [1, {a: null}] }
  - { js: document.title, equals: Shop }
"""


def test_every_verb_becomes_its_step() -> None:
    script = parse_script(EVERY_VERB, source="shop.yaml")
    assert script.name == "shop"
    assert script.url == "https://shop.example"
    assert script.viewport == Size(800, 600)
    assert script.acts == (
        ClickStep(target="Sign up"),
        ClickStep(target="Name", count=2),
        ClickStep(target="Menu", button="right"),
        ClickStep(target="I agree", verb="tick"),
        HoverStep(target="Help"),
        TypeStep(text="a@b.c", target="Email", clear=True, submit=True),
        TypeStep(text="42"),
        KeyStep(keys=("ctrl", "a")),
        KeyStep(keys=("+",)),
        ScrollStep(dy=3.0, target="the list"),
        WaitStep(seconds_s=1.0),
        NavigateStep(url="https://shop.example/cart"),
        BackStep(),
    )
    assert script.checks == (Check("window.n", [1, {"a": None}]), Check("document.title", "Shop"))


@pytest.mark.parametrize(
    ("text", "line", "column", "named"),
    [
        ("", 1, 1, "steps"),
        ("just words", 1, 1, "steps"),
        ("steps: []", 1, 8, "steps"),
        ("steps:\n  - click: 3", 2, 12, "put it in quotes"),
        ("steps:\n  - click: ''", 2, 12, "steps.0.click"),
        ("steps:\n  - click: a\n    hover: b", 2, 5, "click and hover"),
        ("steps:\n  - {}", 2, 5, "none"),
        ("steps:\n  - cilck: a", 2, 5, "'cilck'"),
        ("steps:\n  - type: { into: a }", 2, 11, "steps.0.type.text is missing"),
        ("steps:\n  - key: ctrl+zz", 2, 10, "'zz'"),
        ("steps:\n  - wait: -1", 2, 11, "steps.0.wait"),
        ("steps:\n  - wait: soon", 2, 11, "steps.0.wait"),
        ("steps:\n  - click: a\n  click: b", 3, 3, "expected"),
        ("steps: [{wait: 1, wait: 2}]", 1, 19, "'wait' is said twice"),
        ("steps: [{wait: 1}]\nviewport: big", 2, 11, "WIDTHxHEIGHT"),
        ("steps: [{wait: 1}]\nurls: x", 2, 1, "'urls'"),
        ("steps: [{wait: 1}]\ncheck: {js: a}", 2, 8, "check.equals is missing"),
        ("steps: [{wait: 1}]\ncheck:\n  - {js: a, equals: 2020-01-01}", 3, 21, "JSON"),
        ("steps: [{wait: 1}]\ncheck:", 2, 7, "mapping"),
        ("steps: &a [*a]", 1, 12, "aliases"),
        ("steps: !!python/object:os.system {}", 1, 8, "tag"),
        ("steps: [{wait: 1}]\n---\nsteps: [{wait: 1}]", 2, 1, "document"),
        ("\0", 1, 1, "not YAML"),
        ("[" * 700 + "]" * 700, 1, 1, "too deeply"),
    ],
)
def test_an_error_names_file_line_and_column(text: str, line: int, column: int, named: str) -> None:
    with pytest.raises(BadScript) as caught:
        parse_script(text, source="s.yaml")
    assert str(caught.value).startswith("s.yaml:")
    assert (caught.value.line, caught.value.column) == (line, column), str(caught.value)
    assert named in caught.value.problem


def test_a_file_that_cannot_be_read_is_a_bad_script(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"steps: [{click: caf\xe9}]")
    for name in ("absent.yaml", "latin.yaml", "."):
        with pytest.raises(BadScript):
            load_script(tmp_path / name)


@given(st.text())
def test_any_text_is_a_script_or_a_bad_script(text: str) -> None:
    with suppress(BadScript):
        assert parse_script(text).steps


@given(st.text(alphabet="stepclik:-[]{}\n '\"*&!|>0.~", max_size=40))
def test_any_text_that_looks_like_yaml_is_a_script_or_a_bad_script(text: str) -> None:
    with suppress(BadScript):
        assert parse_script("steps:\n" + text).steps


@pytest.mark.parametrize("text", ["", "0x5", "640", "640x", "x480", "-1x5", "640x480x3", "999999x9", "a640x480"])
def test_what_is_not_a_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="WIDTHxHEIGHT"):
        parse_size(text)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, 1.0, True),
        (1, True, False),
        ({"a": [1, None]}, {"a": [1, None]}, True),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": 1}, {"a": True}, False),
        ([1], [1, 2], False),
        ("1", 1, False),
        (None, False, False),
    ],
)
def test_values_are_compared_as_json_has_them(one: object, other: object, same: bool) -> None:
    assert same_json(one, other) is same
