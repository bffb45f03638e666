"""What holds for every dialect: what is written is read back, and what its grammar allows can be read."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import llguidance
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moonhand.agent.dialects import DIALECTS, CannotWrite, Canvas, Dialect, Parsed, whole_canvas
from moonhand.agent.dialects.dialect import Ruler
from moonhand.envs import (
    KINDS,
    MODIFIERS,
    NAMED_KEYS,
    Action,
    AnswerDialog,
    AskUser,
    Back,
    Click,
    CloseTab,
    Drag,
    Extract,
    Finish,
    Forward,
    GetClipboard,
    KeyDown,
    KeyUp,
    MouseDown,
    MouseUp,
    Move,
    Navigate,
    NewTab,
    OpenApp,
    Point,
    PressKeys,
    Refuse,
    Reload,
    Scroll,
    SelectOption,
    SetClipboard,
    Size,
    SwitchTab,
    TypeText,
    Upload,
    Wait,
    Zoom,
    action_points,
)

CANVASES = {
    "full hd": whole_canvas(Size(1920, 1080)),
    "shown smaller": whole_canvas(Size(2560, 1440), seen=Size(1204, 676)),
    "nano": whole_canvas(Size(480, 440)),
}
SETTINGS = settings(max_examples=12, deadline=None)

texts = st.text(max_size=30) | st.sampled_from(
    ['it\'s "done"', "c:\\new\\table", "a\nb\tc", "\\", "'", "```", "</tool_call>", "{}", "\u25c1/think\u25b7", "100%"]
)
keys = st.sampled_from(sorted(NAMED_KEYS)) | st.characters(codec="ascii", categories=("L", "N", "P", "S"))
buttons = st.sampled_from(["left", "right", "middle"])
modifiers = st.lists(st.sampled_from(MODIFIERS), max_size=2, unique=True).map(tuple)
amounts = st.integers(-20, 20).map(float)
seconds = st.integers(0, 60).map(float)


def placed(
    kind: Callable[..., Action], at: st.SearchStrategy[dict[str, float]], **rest: st.SearchStrategy[Any]
) -> st.SearchStrategy[Action]:
    def build(at: dict[str, Any], **how: Any) -> Action:
        return kind(**at, **how)

    return st.builds(build, at, **rest)


def region(left_px: float, top_px: float, right_px: float, bottom_px: float) -> Zoom:
    width_px, height_px = round(right_px - left_px, 6), round(bottom_px - top_px, 6)
    return Zoom(left_px=left_px, top_px=top_px, width_px=width_px, height_px=height_px)


@cache
def actions(points: st.SearchStrategy[Point]) -> dict[str, st.SearchStrategy[Action]]:
    """Each kind of action, plain or with all it may have, at such points."""
    place = points.map(lambda point: {"x_px": point.x_px, "y_px": point.y_px})
    maybe = place | st.just(dict[str, float]())
    turned = st.fixed_dictionaries({}, optional={"dx": amounts, "dy": amounts})
    corners = st.tuples(points, points).filter(lambda two: two[0].x_px < two[1].x_px and two[0].y_px < two[1].y_px)
    paths = st.lists(points, min_size=2, max_size=4).map(tuple)
    chords = st.lists(keys, min_size=1, max_size=3).map(tuple)
    vias = st.sampled_from(["auto", "keys", "paste"])
    return {
        "click": placed(Click, place)
        | placed(Click, place, button=buttons, count=st.integers(1, 3), modifiers=modifiers),
        "move": placed(Move, place),
        "drag": st.builds(Drag, path=st.tuples(points, points))
        | st.builds(Drag, path=paths, button=buttons, modifiers=modifiers),
        "mouse_down": placed(MouseDown, maybe, button=buttons),
        "mouse_up": placed(MouseUp, maybe, button=buttons),
        "scroll": placed(Scroll, st.tuples(maybe, turned).map(lambda two: two[0] | two[1]))
        | placed(Scroll, maybe, dy=amounts, unit=st.sampled_from(["px", "page"]))
        | placed(Scroll, maybe, dy=st.sampled_from([-5.0, 5.0])),  # all that UI-TARS can say
        "type": st.builds(TypeText, text=texts)
        | st.builds(TypeText, text=texts, clear=st.booleans(), submit=st.booleans(), via=vias),
        "key": st.builds(PressKeys, keys=chords)
        | st.builds(PressKeys, keys=chords, repeat=st.integers(1, 9), hold_s=seconds),
        "key_down": st.builds(KeyDown, key=keys),
        "key_up": st.builds(KeyUp, key=keys),
        "wait": st.builds(Wait, seconds_s=seconds | st.just(5.0))
        | st.builds(Wait, seconds_s=seconds, until=st.sampled_from(["still", "change"])),
        "zoom": corners.map(lambda two: region(two[0].x_px, two[0].y_px, two[1].x_px, two[1].y_px)),
        "clipboard_get": st.just(GetClipboard()),
        "clipboard_set": st.builds(SetClipboard, text=texts),
        "select_option": placed(SelectOption, place, option=texts),
        "upload": placed(Upload, maybe, paths=st.lists(texts, min_size=1, max_size=3).map(tuple)),
        "navigate": st.builds(Navigate, url=texts),
        "back": st.just(Back()),
        "forward": st.just(Forward()),
        "reload": st.just(Reload()),
        "tab_new": st.builds(NewTab, url=texts),
        "tab_switch": st.builds(SwitchTab, index=st.integers(-1, 20)),
        "tab_close": st.builds(CloseTab, index=st.none() | st.integers(-1, 20)),
        "dialog": st.builds(AnswerDialog, accept=st.booleans(), text=texts),
        "open_app": st.builds(OpenApp, name=texts),
        "extract": st.builds(Extract, question=texts),
        "ask_user": st.builds(AskUser, question=texts),
        "finish": st.builds(Finish, status=st.sampled_from(["success", "failure"]), answer=texts | st.just("")),
        "refuse": st.builds(Refuse, reason=texts | st.just("")),
    }


def step(dialect: Dialect, canvas: Canvas) -> tuple[float, float]:
    """The smallest difference that the dialect can spell, in screenshot px."""
    width, height = dialect.extent(canvas)
    unit = 0.001 if width == 1 else 1.0
    return canvas.size.width_px / width * unit, canvas.size.height_px / height * unit


def spelt_points(dialect: Dialect, canvas: Canvas) -> st.SearchStrategy[Point]:
    """Points that the dialect spells without rounding."""
    return _spelt_points(dialect.name, canvas)


@cache
def _spelt_points(name: str, canvas: Canvas) -> st.SearchStrategy[Point]:
    dialect = DIALECTS[name]
    width, height = dialect.extent(canvas)
    ruler = Ruler(canvas, width, height)
    scale = 1000 if width == 1 else 1

    def side(limit: float) -> st.SearchStrategy[float]:
        return st.integers(0, round(limit * scale) - 1).map(lambda number: number / scale)

    return st.tuples(side(width), side(height)).map(lambda place: Point(*ruler.to_px(*place)))


@cache
def any_points(canvas: Canvas, margin_px: float = 1) -> st.SearchStrategy[Point]:
    """Points up to so far from the right and lower edges."""
    size = canvas.size
    return st.builds(Point, st.floats(0, size.width_px - margin_px), st.floats(0, size.height_px - margin_px))


NEARLY_ANOTHER = "opencua-qwen2.5"  # which differs from "opencua" by its numbers; all of its kinds are tried together
EVERY = [
    pytest.param(name, kind, marks=pytest.mark.slow) if name == NEARLY_ANOTHER else (name, kind)
    for name, dialect in DIALECTS.items()
    for kind in sorted(dialect.kinds)
]


def test_the_strategies_cover_every_kind() -> None:
    assert actions(any_points(CANVASES["nano"])).keys() == KINDS


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_says_who_it_is(name: str) -> None:
    dialect = DIALECTS[name]
    assert dialect.name == name
    assert dialect.about
    assert "\n" not in dialect.about
    assert dialect.kinds <= KINDS


AT: dict[str, Any] = {"x_px": 0, "y_px": 0}
PLAIN: tuple[Action, ...] = (
    *(Click(**AT), Move(**AT), Drag(path=(Point(0, 0), Point(0, 0))), MouseDown(**AT), MouseDown(), MouseUp(**AT)),
    *(MouseUp(), Scroll(dy=5, **AT), Scroll(dy=300, unit="px", **AT), TypeText(text="a"), PressKeys(keys=("enter",))),
    *(
        KeyDown(key="shift"),
        KeyUp(key="shift"),
        *(Wait(seconds_s=each) for each in (1, 2, 5)),
        region(0, 0, 240, 220),
        GetClipboard(),
    ),
    *(SetClipboard(text="a"), SelectOption(option="a", **AT), Upload(paths=("a",)), Navigate(url="https://a.example/")),
    *(Back(), Forward(), Reload(), NewTab(), SwitchTab(index=0), CloseTab(), AnswerDialog(), OpenApp(name="a")),
    *(Extract(question="a"), AskUser(question="a"), Finish(), Finish(answer="a"), Refuse(), Refuse(reason="a")),
)


@pytest.mark.parametrize("name", DIALECTS)
def test_every_kind_of_a_dialect_has_words(name: str) -> None:
    dialect, canvas = DIALECTS[name], CANVASES["nano"]
    written: set[str] = set()
    for action in PLAIN:
        try:
            text = dialect.write(Parsed((action,)), canvas)
        except CannotWrite:
            continue
        assert dialect.read(text, canvas).actions == (action,)
        written.add(action.type)
    assert written == dialect.kinds


@pytest.mark.parametrize(("name", "kind"), EVERY)
@SETTINGS
@given(data=st.data())
def test_what_is_written_is_read_back(name: str, kind: str, data: st.DataObject) -> None:
    dialect = DIALECTS[name]
    canvas = CANVASES[data.draw(st.sampled_from(sorted(CANVASES)))]
    parsed = Parsed((data.draw(actions(spelt_points(dialect, canvas))[kind]),))
    try:
        text = dialect.write(parsed, canvas)
    except CannotWrite:
        return
    assert dialect.read(text, canvas) == parsed


@pytest.mark.parametrize("name", DIALECTS)
@SETTINGS
@given(data=st.data())
def test_any_point_comes_back_within_half_of_what_the_dialect_can_spell(name: str, data: st.DataObject) -> None:
    dialect = DIALECTS[name]
    canvas = CANVASES[data.draw(st.sampled_from(sorted(CANVASES)))]
    kind = data.draw(st.sampled_from(sorted(dialect.kinds & {"click", "move", "drag", "mouse_down", "scroll"})))
    step_x_px, step_y_px = step(dialect, canvas)
    action = data.draw(actions(any_points(canvas, max(1, step_x_px, step_y_px)))[kind])
    try:
        (back,) = dialect.read(dialect.write(Parsed((action,)), canvas), canvas).actions
    except CannotWrite:
        return
    for was, came in zip(action_points(action), action_points(back), strict=True):
        assert canvas.size.holds(came)
        assert abs(was.x_px - came.x_px) <= step_x_px / 2 + 1e-5
        assert abs(was.y_px - came.y_px) <= step_y_px / 2 + 1e-5


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("at", [(5000, 10), (-1, 10), (10, 441), (-0.5, 10)])
def test_a_point_off_the_screenshot_is_not_written(name: str, at: tuple[float, float]) -> None:
    x_px, y_px = at
    place = re.escape(f"({x_px:g}, {y_px:g})")
    actions: list[Action] = [Click(x_px=x_px, y_px=y_px), Drag(path=(Point(10, 10), Point(x_px, y_px)))]
    for action in actions:
        if action.type in DIALECTS[name].kinds:
            with pytest.raises(CannotWrite, match=f"the point {place} lies off the screenshot of 480x440 px"):
                DIALECTS[name].write(Parsed((action,)), CANVASES["nano"])


@pytest.mark.parametrize("name", DIALECTS)
@SETTINGS
@given(data=st.data())
def test_several_actions_and_a_thought_are_read_back(name: str, data: st.DataObject) -> None:
    dialect = DIALECTS[name]
    canvas = CANVASES["full hd"]
    kinds = actions(spelt_points(dialect, canvas))
    chosen = data.draw(st.lists(st.sampled_from(sorted(dialect.kinds)), min_size=1, max_size=3))
    words = st.none() | st.text(" abcdeF.,!?'\n", min_size=1).map(str.strip).map(lambda text: text or None)
    parsed = Parsed(tuple(data.draw(kinds[kind]) for kind in chosen), data.draw(words), data.draw(words))
    try:
        text = dialect.write(parsed, canvas)
    except CannotWrite:
        return
    assert dialect.read(text, canvas) == parsed


def drawn(grammar: str, rng: random.Random) -> str:
    """A string of the grammar, byte by byte; what ends a text or the whole is taken rather often."""
    matcher = llguidance.LLMatcher(TOKENIZER, grammar)
    assert not matcher.get_error(), matcher.get_error()
    content = bytearray()
    while not matcher.is_stopped():
        allowed = list(_bits(matcher.compute_bitmask()))
        closing = [token for token in allowed if token in CLOSING]
        token = rng.choice(closing if closing and rng.random() < 0.3 else allowed)
        assert matcher.consume_token(token), matcher.get_error()
        if token < 256:
            content.append(token)
    assert matcher.is_accepting() or matcher.stop_reason() != "Error", matcher.stop_reason()
    return content.decode()


def _bits(mask: bytes) -> Iterator[int]:
    for at, byte in enumerate(mask):
        while byte:
            low = byte & -byte
            yield at * 8 + low.bit_length() - 1
            byte ^= low


TOKENIZER = llguidance.LLTokenizer("byte")
CLOSING = {*b"'\"\n)]}", TOKENIZER.eos_token}


@pytest.mark.parametrize(("name", "kind"), EVERY)
def test_what_the_grammar_allows_is_read(name: str, kind: str) -> None:
    dialect, canvas = DIALECTS[name], CANVASES["shown smaller"]
    grammar = dialect.grammar(canvas, frozenset((kind,)))
    rng = random.Random(f"{name} {kind}")
    for _ in range(5):
        text = drawn(grammar, rng)
        assert dialect.read(text, canvas).actions, text


@pytest.mark.parametrize("name", DIALECTS)
def test_the_grammar_of_all_kinds_draws_what_is_read(name: str) -> None:
    dialect, canvas = DIALECTS[name], CANVASES["full hd"]
    rng = random.Random(name)
    grammar = dialect.grammar(canvas, KINDS)
    for _ in range(10):
        text = drawn(grammar, rng)
        assert dialect.read(text, canvas).actions, text


@pytest.mark.parametrize("name", DIALECTS)
def test_the_grammar_of_no_kind_that_is_known_is_refused(name: str) -> None:
    with pytest.raises(CannotWrite):
        DIALECTS[name].grammar(CANVASES["nano"], frozenset())
    unknown = KINDS - DIALECTS[name].kinds
    if unknown:
        with pytest.raises(CannotWrite):
            DIALECTS[name].grammar(CANVASES["nano"], unknown)
