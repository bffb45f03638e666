"""The table of steps: the same cells on a terminal and in a log."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from moonhand.agent import Step, StoredFrame
from moonhand.envs import Click, Effect, Size, TypeText
from moonhand.tasks.live import StepTable, step_cells, step_notes
from rich.console import Console

SEEN = StoredFrame(Path("frame.png"), "0" * 64, Size(640, 480), 1.0, 0.0, 0.0312)
CLICK = Step(
    index=0,
    turn=0,
    before=SEEN,
    after=SEEN,
    action=Click(x_px=320.4, y_px=149),
    instruction="the Email field",
    confidence=0.934,
    effect=Effect(True, "click", True, 0.012, 0.145),
    model_s=0.087,
)
TYPING = Step(index=1, turn=0, before=SEEN, after=SEEN, action=TypeText(text="a [bold] (word)"))
MISREAD = Step(index=2, turn=1, before=SEEN, after=None, action=None, error="no action in the reply: '[red]'")


def test_a_step_is_a_row_of_action_target_point_confidence_and_milliseconds() -> None:
    assert step_cells(CLICK) == ("1", "click", "the Email field", "320,149", "93%", "31", "87", "12", "145")


def test_typed_text_is_shown_as_it_is() -> None:
    assert step_cells(TYPING)[1] == "type 'a [bold] (word)'"


def test_what_happened_on_the_side_is_told_under_the_step() -> None:
    detail = "click (320, 149); blocked: https://evil.example (not on\nthe allow-list); a new \x1b[2Jtab opened"
    blocked = replace(CLICK, effect=Effect(True, detail, True))
    assert step_notes(blocked) == (
        ("yellow", "blocked: https://evil.example (not on the allow-list); a new [2Jtab opened"),
    )
    assert step_notes(replace(CLICK, effect=Effect(True, "click (320, 149); downloaded a.zip (1 bytes)", True))) == (
        ("dim", "downloaded a.zip (1 bytes)"),
    )
    assert step_notes(replace(CLICK, effect=Effect(True, "click (320, 149)", True))) == ()
    for is_terminal in (True, False):
        screen = io.StringIO()
        with StepTable(Console(file=screen, width=160, force_terminal=is_terminal)) as table:
            table.add(blocked)
        assert "blocked: https://evil.example" in screen.getvalue()


def test_a_log_gets_a_line_a_step_and_one_more_for_an_error() -> None:
    log = io.StringIO()
    with StepTable(Console(file=log, width=40)) as table:
        for step in (CLICK, TYPING, MISREAD):
            table.add(step)
    lines = log.getvalue().splitlines()
    assert len(lines) == 5
    assert lines[1].split() == ["1", "click", "the", "Email", "field", "320,149", "93%", "31", "87", "12", "145"]
    assert lines[4].strip() == MISREAD.error


def test_a_step_that_the_model_guessed_is_marked() -> None:
    log, screen = io.StringIO(), io.StringIO()
    for file, is_terminal in ((log, False), (screen, True)):
        with StepTable(Console(file=file, width=160, force_terminal=is_terminal, color_system="standard")) as table:
            table.add(replace(CLICK, confidence=0.35))
            table.add(CLICK)
    assert [line.split()[-1] == "unsure" for line in log.getvalue().splitlines()] == [False, True, False]
    assert "\x1b[33m" in screen.getvalue().split("capture ms")[-1], "yellow"


def test_a_terminal_gets_one_growing_table() -> None:
    screen = io.StringIO()
    with StepTable(Console(file=screen, width=160, force_terminal=True)) as table:
        for step in (CLICK, TYPING, MISREAD):
            table.add(step)
    last = screen.getvalue().split("capture ms")[-1]
    assert "the Email field" in last
    assert "a [bold] (word)" in last
    assert str(MISREAD.error) in last


@pytest.mark.parametrize("terminal", [True, False])
def test_a_question_waits_for_one_line_and_the_table_goes_on(terminal: bool) -> None:
    screen = io.StringIO()
    console = Console(file=screen, width=160, force_terminal=terminal)
    with StepTable(console, keyboard=io.StringIO("  red \n")) as table:
        table.add(CLICK)
        assert table.ask("Which\x1b[2J [bold]?") == "red"
        assert table.ask("And now?") == "", "the input has ended"
        table.add(TYPING)
    shown = screen.getvalue()
    assert "? Which [2J [bold]?" in shown, "no words of a model reach the terminal as commands"
    assert shown.rindex("a [bold] (word)") > shown.rindex("And now?") > shown.index("the Email field")
