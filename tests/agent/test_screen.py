from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from moonhand.agent import (
    NotSeen,
    Screen,
    TargetRefused,
    TrajectoryError,
    browser,
    default_viewport,
    read_trajectory,
    virtual_display,
)
from moonhand.envs import Action, Click, Frame, Point, PressKeys, ReplayEnv, Size, TypeText, UnsupportedAction

if TYPE_CHECKING:
    from moonhand.model import Engine

FRAME = Frame(np.full((48, 64, 3), 128, dtype=np.uint8))
SIGN_UP = Click(x_px=32, y_px=12)
NAME = Click(x_px=16, y_px=36)


def screen(engine: Engine, actions: list[Action], out: Path = Path("runs")) -> Screen:
    return Screen(lambda: ReplayEnv([FRAME] * (len(actions) + 1), actions), model=engine, out=out)


def test_a_target_is_found_when_it_is_used(taught_engine: Engine) -> None:
    with screen(taught_engine, [SIGN_UP]) as live:
        target = live.locate("click Sign up")
        assert target.point == Point(32, 12)
        assert target.confidence is not None
        assert target.confidence > 0.8
        assert target.click().performed


def test_click_type_and_press_say_what_they_mean(taught_engine: Engine) -> None:
    actions: list[Action] = [SIGN_UP, NAME, TypeText(text="Ada", submit=True), PressKeys(keys=("ctrl", "a"))]
    with screen(taught_engine, actions) as live:
        live.click("Sign up")
        live.type("Ada", into="Name", submit=True)
        live.press("ctrl", "a")
        assert live.frame().sha256 == FRAME.sha256


def test_what_is_not_there_is_not_clicked(taught_engine: Engine) -> None:
    with screen(taught_engine, []) as live, pytest.raises(TargetRefused, match=r"'click Nothing': the model does not"):
        live.click("Nothing")


def test_what_the_model_is_not_sure_of_is_neither_clicked_nor_read(taught_engine: Engine) -> None:
    with Screen(lambda: ReplayEnv([FRAME] * 2, [SIGN_UP]), model=taught_engine, sure=1) as live:
        target = live.locate("click Sign up")
        assert target.confidence is not None
        assert 0.8 < target.confidence < 1
        for touch in (target.click, lambda: live.click("Sign up"), lambda: live.extract(of="click Sign up")):
            with pytest.raises(TargetRefused, match=r"a confidence of 0\.\d\d only, and sure=1 asks for more"):
                touch()
        with pytest.raises(NotSeen, match="not sure enough"):
            live.expect("the Sign up button", by="model").visible(timeout_s=0)
        assert live.locate("click Sign up", sure=0.5).click().performed
    with pytest.raises(ValueError, match="sure must be from 0 to 1, got 50"):
        browser(sure=50)


def test_a_preview_touches_nothing_and_shows_the_point(taught_engine: Engine) -> None:
    with screen(taught_engine, []) as live:
        picture = live.locate("click Sign up").preview()
    assert picture.size == (64, 48)
    assert not np.array_equal(np.asarray(picture), FRAME.pixels_HW3)


def test_do_keeps_a_trajectory(taught_engine: Engine, tmp_path: Path) -> None:
    with screen(taught_engine, [SIGN_UP], tmp_path) as live:
        result = live.do("click Sign up", max_steps=5)
    assert (result.status, result.success) == ("finished", None)
    assert result.path.parent == tmp_path
    recording = read_trajectory(result.path)
    assert recording.run["config"]["max_steps"] == 5
    assert len(recording.steps) == 2


def test_a_screen_is_used_inside_with(taught_engine: Engine) -> None:
    closed = screen(taught_engine, [])
    with pytest.raises(ValueError, match="inside `with"):
        closed.frame()
    with closed:
        assert closed.frame().size == FRAME.size
    with pytest.raises(ValueError, match="inside `with"):
        closed.frame()


def recorded(engine: Engine, actions: list[Action], record: bool | Path, out: Path = Path("runs")) -> Screen:
    return Screen(lambda: ReplayEnv([FRAME] * (len(actions) + 1), actions), model=engine, out=out, record=record)


def test_what_a_program_does_by_itself_is_recorded_where_it_wants_that(taught_engine: Engine, tmp_path: Path) -> None:
    actions: list[Action] = [SIGN_UP, NAME, TypeText(text="Ada"), PressKeys(keys=("ctrl", "a"))]
    with recorded(taught_engine, actions, tmp_path / "manual") as live:
        assert live.recorded_in == tmp_path / "manual"
        live.click("Sign up")
        live.type("Ada", into="Name")
        live.press("ctrl", "a")
        with pytest.raises(UnsupportedAction):
            live.press("b")
    recording = read_trajectory(tmp_path / "manual")
    assert (recording.source, recording.run["status"], recording.problems) == ("manual", "finished", ())
    assert [step.action for step in recording.steps] == [*actions, PressKeys(keys=("b",))]
    clicked, named, typed, _, refused = recording.steps
    assert (clicked.instruction, clicked.reply, named.instruction) == (
        "click Sign up",
        "click(x=0.500, y=0.250)",
        "the Name field",
    )
    assert clicked.confidence is not None
    assert clicked.fingerprint is not None
    assert (typed.instruction, typed.fingerprint) == (None, None)
    assert "the recording ends here" in str(refused.error)
    assert refused.after is None


def test_a_program_that_fails_leaves_a_record_that_says_so(taught_engine: Engine, tmp_path: Path) -> None:
    live = recorded(taught_engine, [SIGN_UP], True, tmp_path)

    def program() -> float:
        with live:
            live.click("Sign up")
            return 1 / 0

    with pytest.raises(ZeroDivisionError):
        program()
    (folder,) = tmp_path.iterdir()
    result = read_trajectory(folder).result
    assert result is not None
    assert (result.status, result.error) == ("error", "ZeroDivisionError: division by zero")
    with pytest.raises(TrajectoryError, match="already holds a run"), recorded(taught_engine, [], folder):
        pass


def test_nothing_is_written_for_a_screen_on_which_nothing_was_done(taught_engine: Engine, tmp_path: Path) -> None:
    with recorded(taught_engine, [], tmp_path / "run") as live:
        live.frame()
    assert not (tmp_path / "run").exists()


@pytest.mark.browser
def test_a_real_page_is_clicked_and_typed_into(taught_folder: Path, chromium: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        "<style>* { margin: 0 } input, button { position: absolute; width: 200px; height: 40px }</style>"
        "<button style='left: 100px; top: 55px' onclick='document.title += this.id' id=up>Sign up</button>"
        "<input style='left: 0; top: 205px' id=name>"
    )
    with browser(page.as_uri(), model=taught_folder, viewport="400x300", executable=chromium, out=tmp_path) as live:
        result = live.do('type "Ada" into Name; click Sign up')
        evaluate = getattr(live.env, "evaluate")  # noqa: B009 - only pages can be asked
        assert evaluate("[document.getElementById('name').value, document.title]") == ["Ada", "up"]
    assert result.status == "finished"


def test_nano_is_shown_the_largest_window_it_was_trained_on_and_others_a_usual_one() -> None:
    assert default_viewport("nano") == Size(480, 440)
    assert default_viewport(Path("checkpoints/Kimi-VL-A3B-Instruct")) == Size(1280, 720)


@pytest.mark.display
def test_a_display_is_as_large_as_is_written(taught_engine: Engine) -> None:
    with virtual_display("320x240", model=taught_engine) as live:
        assert live.frame().size == Size(320, 240)


@pytest.mark.parametrize("size", ["800", "800*600", "0x600", (0, 600)])
def test_a_size_that_is_none_is_refused_before_anything_opens(size: Any) -> None:
    with pytest.raises(ValueError, match=r"^a size (is written WIDTHxHEIGHT|needs at least)"):
        virtual_display(size)
    with pytest.raises(ValueError, match=r"^a size (is written WIDTHxHEIGHT|needs at least)"):
        browser(viewport=size)


NUMBER: Any = 5
WRONG: list[tuple[Callable[[Screen], object], str]] = [
    (lambda live: live.press("ctrl", "foo"), r"keys: unknown key 'foo': use one character or one of [\w, ]+"),
    (lambda live: live.press(), r"keys: .* at least 1 item .*, got \(\)"),
    (lambda live: live.scroll(float("nan")), r"dy: .* finite number, got nan"),
    (lambda live: live.type(NUMBER, into="Name"), r"text: .* valid string, got 5"),
    (lambda live: live.wait(9999), r"seconds_s: .* 600, got 9999"),
    (lambda live: live.goto(NUMBER), r"url: .* valid string, got 5"),
    (lambda live: live.locate("click Sign up").click(count=9), r"count: .* 3, got 9"),
    (lambda live: live.locate("click Sign up").type(NUMBER), r"text: .* valid string, got 5"),
    (lambda live: live.click(""), r"text: '' names nothing: say what to look for on the screen"),
    (lambda live: live.locate(" \n"), r"text: ' \\n' names nothing: .*"),
    (lambda live: live.type("x", into=""), r"into: '' names nothing: .*"),
    (lambda live: live.scroll(over=" "), r"over: ' ' names nothing: .*"),
    (lambda live: live.extract("What is it?", of=" "), r"of: ' ' names nothing: .*"),
]


@pytest.mark.parametrize(("use", "said"), WRONG)
def test_what_no_action_can_be_made_of_is_one_line_and_touches_nothing(
    taught_engine: Engine, use: Callable[[Screen], object], said: str
) -> None:
    with screen(taught_engine, []) as live, pytest.raises(ValueError) as raised:  # noqa: PT011
        use(live)
    assert type(raised.value) is ValueError
    assert re.fullmatch(said, str(raised.value))
