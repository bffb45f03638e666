"""What a person's hands do, case by case, and the actions that come of it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from moonhand.agent.human import Deed, Reducer, reduced
from moonhand.agent.human.thinning import MOST_POINTS, thinned
from moonhand.envs import (
    Action,
    AnswerDialog,
    Back,
    Click,
    CloseTab,
    Drag,
    Forward,
    KeyDown,
    KeyUp,
    MouseDown,
    MouseUp,
    Move,
    Navigate,
    NewTab,
    Point,
    PressKeys,
    Reload,
    Scroll,
    SelectOption,
    SwitchTab,
    TypeText,
    Upload,
)
from moonhand.envs.raw_events import (
    DialogAnswered,
    FilesChosen,
    KeyPressed,
    KeyReleased,
    Navigated,
    OptionChosen,
    PointerDown,
    PointerMoved,
    PointerUp,
    RawEvent,
    ScreenChanged,
    SecretTyped,
    TabClosed,
    TabOpened,
    TabSwitched,
    TextArrived,
    WheelTurned,
)

NAMED = {"enter", "backspace", "tab", "escape", "f5", "f6", "left", "right", "down", "delete"}


def press(at_s: float, x_px: float = 100, y_px: float = 50, held_s: float = 0.08, **more: Any) -> list[RawEvent]:
    place: dict[str, Any] = {"x_px": x_px, "y_px": y_px, **more}
    return [PointerDown(at_s=at_s, **place), PointerUp(at_s=at_s + held_s, **place)]


def drag(at_s: float, *places: tuple[float, float], **more: Any) -> list[RawEvent]:
    (x_px, y_px), *others = places
    moves: list[RawEvent] = [
        PointerMoved(at_s=at_s + 0.05 * number, x_px=x_px, y_px=y_px)
        for number, (x_px, y_px) in enumerate(others, start=1)
    ]
    x_end, y_end = places[-1]
    end_s = at_s + 0.05 * len(places)
    return [
        PointerDown(at_s=at_s, x_px=x_px, y_px=y_px, **more),
        *moves,
        PointerUp(at_s=end_s, x_px=x_end, y_px=y_end, **more),
    ]


def keys(at_s: float, *names: str, gap_s: float = 0.1) -> list[RawEvent]:
    """Characters, named keys, and chords such as "ctrl+a"."""
    events: list[RawEvent] = []
    for name in names:
        *held, key = name.split("+") if len(name) > 1 and "+" in name else [name]
        is_text = not held and key not in NAMED
        modifiers: Any = tuple(held)
        events += [KeyPressed(at_s=at_s, key=one) for one in held]
        events.append(KeyPressed(at_s=at_s, key=key, text=key if is_text else "", modifiers=modifiers))
        events += [KeyReleased(at_s=at_s + 0.02, key=one) for one in reversed(held)]
        at_s += gap_s
    return events


def rest(at_s: float, x_px: float, y_px: float, changes: bool = True) -> list[RawEvent]:
    events: list[RawEvent] = [PointerMoved(at_s=at_s, x_px=x_px, y_px=y_px)]
    return [*events, ScreenChanged(at_s=at_s + 0.1)] if changes else events


def wheel(at_s: float, dy: float, x_px: float = 60, **more: Any) -> RawEvent:
    return WheelTurned(at_s=at_s, x_px=x_px, y_px=50, dy=dy, **more)


def on_list(at_s: float, y_px: float = 50) -> list[RawEvent]:
    return press(at_s, y_px=y_px, list_id="a")


def chosen(at_s: float, option: str = "Beta") -> RawEvent:
    return OptionChosen(at_s=at_s, x_px=100, y_px=50, option=option, list_id="a")


def click(x_px: float = 100, y_px: float = 50, **more: Any) -> Click:
    return Click(x_px=x_px, y_px=y_px, **more)


def keyed(*names: str, repeat: int = 1) -> PressKeys:
    return PressKeys(keys=names, repeat=repeat)


LIST = SelectOption(x_px=100, y_px=50, option="Beta")
WORD = keys(1, *"word")

# name: (events, [(action, when it began)])
CASES: dict[str, tuple[Sequence[RawEvent], Sequence[tuple[Action, float]]]] = {
    "a click": (press(1), [(click(), 1)]),
    "the first thing done is kept": (press(0.0), [(click(), 0.0)]),
    "a double click": ([*press(1), *press(1.2)], [(click(count=2), 1)]),
    "a triple click": ([*press(1), *press(1.2), *press(1.4)], [(click(count=3), 1)]),
    "a fourth click begins another": (
        [*press(1), *press(1.2), *press(1.4), *press(1.6)],
        [(click(count=3), 1), (click(), 1.6)],
    ),
    "a second press in time whose release is late": ([*press(1), *press(1.45, held_s=0.4)], [(click(count=2), 1)]),
    "two slow clicks": ([*press(1), *press(1.7)], [(click(), 1), (click(), 1.7)]),
    "two quick clicks at two places": ([*press(1), *press(1.2, 130)], [(click(), 1), (click(130), 1.2)]),
    "a quick click with each button": (
        [*press(1), *press(1.2, button="right")],
        [(click(), 1), (click(button="right"), 1.2)],
    ),
    "a hand that trembles": (drag(1, (100, 50), (102, 51), (103, 50)), [(click(), 1)]),
    "clicks with modifiers": (
        [KeyPressed(at_s=0.9, key="ctrl"), *press(1, modifiers=("ctrl",)), KeyReleased(at_s=1.3, key="ctrl")],
        [(click(modifiers=("ctrl",)), 1)],
    ),
    "a long press": (
        press(1, held_s=0.8),
        [(MouseDown(x_px=100, y_px=50), 1), (MouseUp(x_px=100, y_px=50), 1.8)],
    ),
    "a press whose release nobody told": ([PointerDown(at_s=1, x_px=5, y_px=6)], [(click(5, 6), 1)]),
    "such a press, and another": ([PointerDown(at_s=1, x_px=5, y_px=6), *press(3)], [(click(5, 6), 1), (click(), 3)]),
    "a release from before": ([PointerUp(at_s=1, x_px=5, y_px=6), *press(2)], [(click(), 2)]),
    "a drag": (
        drag(1, (10, 10), (20, 10), (30, 10), (40, 10)),
        [(Drag(path=(Point(10, 10), Point(40, 10)), duration_s=0.2), 1)],
    ),
    "a drag around a corner, and back to where it began": (
        drag(1, (10, 10), (60, 10), (60, 60), (10, 10), button="right"),
        [(Drag(path=(Point(10, 10), Point(60, 10), Point(60, 60), Point(10, 10)), duration_s=0.2, button="right"), 1)],
    ),
    "a drag right after a click": (
        [*press(1, 10, 10), *drag(1.2, (10, 10), (90, 10))],
        [(click(10, 10), 1), (Drag(path=(Point(10, 10), Point(90, 10)), duration_s=0.1), 1.2)],
    ),
    "a drag with a modifier": (
        drag(1, (10, 10), (90, 10), modifiers=("shift",)),
        [(Drag(path=(Point(10, 10), Point(90, 10)), duration_s=0.1, modifiers=("shift",)), 1)],
    ),
    "a drag that a key interrupts": (
        [
            PointerDown(at_s=1, x_px=10, y_px=10),
            PointerMoved(at_s=1.2, x_px=90, y_px=10),
            *keys(1.5, "escape"),
            PointerUp(at_s=2, x_px=90, y_px=10),
        ],
        [(MouseDown(x_px=10, y_px=10), 1), (keyed("escape"), 1.5), (MouseUp(x_px=90, y_px=10), 2)],
    ),
    "typed words": (keys(1, *"two words"), [(TypeText(text="two words"), 1)]),
    "a mistyped word": (keys(1, *"teh", "backspace", "backspace", *"he"), [(TypeText(text="the"), 1)]),
    "typed and taken back": (keys(1, "a", "backspace"), []),
    "more taken back than was typed": (
        keys(1, "a", "backspace", "backspace", "backspace"),
        [(keyed("backspace", repeat=2), 1.2)],
    ),
    "enter after typing submits": (keys(1, *"word", "enter"), [(TypeText(text="word", submit=True), 1)]),
    "enter alone": (keys(1, "enter"), [(keyed("enter"), 1)]),
    "enter, twice": (keys(1, *"a", "enter", "enter"), [(TypeText(text="a", submit=True), 1), (keyed("enter"), 1.2)]),
    "shift and enter": (
        keys(1, *"a", "shift+enter", *"b"),
        [(TypeText(text="a"), 1), (keyed("shift", "enter"), 1.1), (TypeText(text="b"), 1.2)],
    ),
    "capital letters": (
        [
            KeyPressed(at_s=1, key="shift"),
            KeyPressed(at_s=1.1, key="A", text="A", modifiers=("shift",)),
            KeyReleased(at_s=1.2, key="shift"),
            *keys(1.3, "b"),
        ],
        [(TypeText(text="Ab"), 1.1)],
    ),
    "a pause parts what is typed": (
        [*WORD, *keys(6, *"more")],
        [(TypeText(text="word"), 1), (TypeText(text="more"), 6)],
    ),
    "another field": (
        [*WORD, *keys(1.6, "tab"), *keys(1.8, *"next")],
        [(TypeText(text="word"), 1), (keyed("tab"), 1.6), (TypeText(text="next"), 1.8)],
    ),
    "a click between words": (
        [*WORD, *press(1.6), *keys(2.2, *"x")],
        [(TypeText(text="word"), 1), (click(), 1.6), (TypeText(text="x"), 2.2)],
    ),
    "an input method": (
        [*keys(1, "a"), TextArrived(at_s=1.5, text="\u6f22\u5b57"), *keys(1.7, "enter")],
        [(TypeText(text="a\u6f22\u5b57", submit=True), 1)],
    ),
    "a composed character taken back": (
        [TextArrived(at_s=1, text="\u6f22\u5b57"), *keys(1.2, "backspace")],
        [(TypeText(text="\u6f22"), 1)],
    ),
    "a paste": (
        [*keys(1, "ctrl+v"), TextArrived(at_s=1.05, text="a b", how="pasted"), *keys(1.5, "enter")],
        [(TypeText(text="a b", via="paste", submit=True), 1)],
    ),
    "a paste from the menu, and typing on": (
        [TextArrived(at_s=1, text="a", how="pasted"), *keys(1.3, "b")],
        [(TypeText(text="a", via="paste"), 1), (TypeText(text="b"), 1.3)],
    ),
    "a paste that brought no text": (keys(1, "ctrl+v"), [(keyed("ctrl", "v"), 1)]),
    "a suggestion taken": (
        [*keys(1, *"Be"), TextArrived(at_s=2, text="Berlin", how="replaced")],
        [(TypeText(text="Be"), 1), (TypeText(text="Berlin", clear=True), 2)],
    ),
    "a password": (
        [
            SecretTyped(at_s=1, name="pin"),
            SecretTyped(at_s=1.2, name="pin"),
            SecretTyped(at_s=9, name="pin"),
            *keys(9.5, "enter"),
        ],
        [(TypeText(text="{{secret:pin}}", submit=True), 1)],
    ),
    "a password over another": (
        [SecretTyped(at_s=1, name="pin", clear=True)],
        [(TypeText(text="{{secret:pin}}", clear=True), 1)],
    ),
    "a pasted password": (
        [*keys(1, "ctrl+v"), SecretTyped(at_s=1.1, name="pin")],
        [(TypeText(text="{{secret:pin}}"), 1)],
    ),
    "two passwords": (
        [SecretTyped(at_s=1, name="new"), *keys(2, "tab"), SecretTyped(at_s=3, name="again")],
        [(TypeText(text="{{secret:new}}"), 1), (keyed("tab"), 2), (TypeText(text="{{secret:again}}"), 3)],
    ),
    "a chord": (keys(1, "ctrl+a"), [(keyed("ctrl", "a"), 1)]),
    "a chord of three": (keys(1, "ctrl+shift+p"), [(keyed("ctrl", "shift", "p"), 1)]),
    "the same chord again": (keys(1, "ctrl+z", "ctrl+z", "ctrl+z"), [(keyed("ctrl", "z", repeat=3), 1)]),
    "the same key later": (keys(1, "down", "down", gap_s=1), [(keyed("down"), 1), (keyed("down"), 2)]),
    "a key held down": (
        keys(1, *["down"] * 150, gap_s=0.03),
        [(keyed("down", repeat=100), 1), (keyed("down", repeat=50), 4)],
    ),
    "a shortcut of the page": ([KeyPressed(at_s=1, key="?", modifiers=("shift",))], [(keyed("?"), 1)]),
    "shift and tab": (keys(1, "shift+tab"), [(keyed("shift", "tab"), 1)]),
    "a modifier alone": ([KeyPressed(at_s=1, key="meta"), KeyReleased(at_s=1.1, key="meta")], [(keyed("meta"), 1)]),
    "two modifiers alone": (
        [
            KeyPressed(at_s=1, key="ctrl"),
            KeyPressed(at_s=1.1, key="shift", modifiers=("ctrl",)),
            KeyReleased(at_s=1.2, key="shift"),
            KeyReleased(at_s=1.3, key="ctrl"),
        ],
        [(keyed("ctrl", "shift"), 1.1)],
    ),
    "shift alone": ([KeyPressed(at_s=1, key="shift"), KeyReleased(at_s=1.1, key="shift")], []),
    "turns of the wheel": ([wheel(1, 1), wheel(1.1, 1), wheel(1.3, 2)], [(Scroll(dy=4, x_px=60, y_px=50), 1)]),
    "down and up again": (
        [wheel(1, 1), wheel(1.1, -2)],
        [(Scroll(dy=1, x_px=60, y_px=50), 1), (Scroll(dy=-2, x_px=60, y_px=50), 1.1)],
    ),
    "turns with a pause": (
        [wheel(1, 1), wheel(2, 1)],
        [(Scroll(dy=1, x_px=60, y_px=50), 1), (Scroll(dy=1, x_px=60, y_px=50), 2)],
    ),
    "turns over two places": (
        [wheel(1, 1), wheel(1.1, 1, x_px=300)],
        [(Scroll(dy=1, x_px=60, y_px=50), 1), (Scroll(dy=1, x_px=300, y_px=50), 1.1)],
    ),
    "px of a touchpad": (
        [wheel(1, 12.5, unit="px"), wheel(1.02, 7.5, unit="px")],
        [(Scroll(dy=20, x_px=60, y_px=50, unit="px"), 1)],
    ),
    "the wheel with ctrl": (
        [wheel(1, 1, modifiers=("ctrl",)), wheel(1.2, 1, modifiers=("ctrl",))],
        [(KeyDown(key="ctrl"), 1), (Scroll(dy=2, x_px=60, y_px=50), 1), (KeyUp(key="ctrl"), 1.2)],
    ),
    "an option by two clicks": ([*on_list(1), *on_list(9, 90), chosen(9.1)], [(LIST, 1)]),
    "an option by one press": (
        [
            PointerDown(at_s=1, x_px=100, y_px=50, list_id="a"),
            chosen(1.5),
            PointerUp(at_s=1.5, x_px=100, y_px=90, list_id="a"),
        ],
        [(LIST, 1)],
    ),
    "an option by keys": (
        [
            KeyPressed(at_s=1, key="down", list_id="a"),
            chosen(1.1, "Alpha"),
            KeyPressed(at_s=1.4, key="down", list_id="a"),
            chosen(1.5),
        ],
        [(LIST, 1)],
    ),
    "a list that is only looked at": ([*on_list(1), *keys(2, "escape")], [(click(), 1), (keyed("escape"), 2)]),
    "an option and then a click": ([*on_list(1), chosen(1.5), *press(2, 300)], [(LIST, 1), (click(300), 2)]),
    "a date from a pop-up": (
        [*press(1), chosen(3, "2026-11-22")],
        [(click(), 1), (SelectOption(x_px=100, y_px=50, option="2026-11-22"), 3)],
    ),
    "files": (
        [*press(1), FilesChosen(at_s=4, paths=("a.png",))],
        [(click(), 1), (Upload(paths=("a.png",)), 4)],
    ),
    "an address typed": ([Navigated(at_s=5, url="http://a/", how="typed")], [(Navigate(url="http://a/"), 5)]),
    "an address typed after its keys": (
        [*keys(1, "ctrl+l"), Navigated(at_s=5, url="http://a/", how="typed")],
        [(Navigate(url="http://a/"), 5)],
    ),
    "the keys of the address bar, and no address": (
        [*keys(1, "ctrl+l"), *press(5)],
        [(keyed("ctrl", "l"), 1), (click(), 5)],
    ),
    "a page that a click leads to": ([*press(1), Navigated(at_s=1.2, url="http://a/", how="link")], [(click(), 1)]),
    "a page that enter leads to": (
        [*WORD, *keys(1.5, "enter"), Navigated(at_s=1.7, url="http://a/", how="link")],
        [(TypeText(text="word", submit=True), 1)],
    ),
    "back, by the button of the browser": (
        [*press(1), Navigated(at_s=5, url="http://a/", how="back")],
        [(click(), 1), (Back(), 5)],
    ),
    "back, twice at once": ([Navigated(at_s=5, url="http://a/", how="back", steps=2)], [(Back(), 5), (Back(), 5)]),
    "back, by keys": ([*keys(1, "alt+left"), Navigated(at_s=1.2, url="http://a/", how="back")], [(Back(), 1)]),
    "back, by a button of the page": ([*press(1), Navigated(at_s=1.2, url="http://a/", how="back")], [(click(), 1)]),
    "back, soon after a link": (
        [*press(1), Navigated(at_s=1.2, url="http://a/", how="link"), Navigated(at_s=1.8, url="http://b/", how="back")],
        [(click(), 1), (Back(), 1.8)],
    ),
    "forward": ([Navigated(at_s=5, url="http://a/", how="forward")], [(Forward(), 5)]),
    "reload, by keys": ([*keys(1, "f5"), Navigated(at_s=1.3, url="http://a/", how="reload")], [(Reload(), 1)]),
    "reload, by the button of the browser": ([Navigated(at_s=5, url="http://a/", how="reload")], [(Reload(), 5)]),
    "keys that reload nothing": (keys(1, "f5"), [(keyed("f5"), 1)]),
    "a tab, and what was done there": (
        [TabOpened(at_s=1), Navigated(at_s=3, url="http://a/", how="typed", view=1), *press(5, view=1)],
        [(NewTab(), 1), (Navigate(url="http://a/"), 3), (click(), 5)],
    ),
    "a tab that a link opens": ([*press(1), TabOpened(at_s=1.1, by_page=True)], [(click(), 1)]),
    "another tab": ([TabSwitched(at_s=2, index=0), *press(2)], [(SwitchTab(index=0), 2), (click(), 2)]),
    "a tab that is closed": ([TabClosed(at_s=2, index=1)], [(CloseTab(index=1), 2)]),
    "a tab that closes itself": ([*press(1), TabClosed(at_s=1.3, index=1)], [(click(), 1)]),
    "a dialog": (
        [*press(1), DialogAnswered(at_s=3, accept=True, text="x")],
        [(click(), 1), (AnswerDialog(text="x"), 3)],
    ),
    "a menu that opens when hovered over": (
        [*rest(1, 20, 20), *rest(2, 20, 80), *rest(3, 90, 80, changes=False), *press(3.1, 90, 80)],
        [(Move(x_px=20, y_px=20), 1), (Move(x_px=20, y_px=80), 2), (click(90, 80), 3.1)],
    ),
    "a pointer that only rests": (
        [*rest(1, 20, 20, changes=False), *rest(2, 90, 80), *press(2.1, 90, 80)],
        [(click(90, 80), 2.1)],
    ),
    "what changes after a click is no hover": (
        [*rest(1, 20, 20, changes=False), *press(1.5, 20, 20), ScreenChanged(at_s=1.7), *press(4)],
        [(click(20, 20), 1.5), (click(), 4)],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_hands_do_becomes_actions(name: str) -> None:
    events, wanted = CASES[name]
    assert [(deed.action, round(deed.began_s, 3)) for deed in reduced(events)] == [
        (action, round(began_s, 3)) for action, began_s in wanted
    ]


@pytest.mark.parametrize("name", CASES)
def test_actions_come_as_soon_as_nothing_changes_them_and_are_the_same(name: str) -> None:
    events, _ = CASES[name]
    reducer, deeds = Reducer(), list[Deed]()
    for event in events:
        deeds += reducer.tick(event.at_s)  # as while one waits for the next event
        deeds += reducer.feed(event)
        assert all(began_s <= event.at_s for began_s in reducer.may_begin_s)
    deeds += reducer.tick(events[-1].at_s + 10)
    assert (*deeds, *reducer.finish()) == reduced(events)


def test_ctrl_c_in_the_terminal_that_ends_a_recording_is_no_part_of_it() -> None:
    reducer = Reducer()
    deeds = [deed for event in [*keys(1, *"ls"), *keys(2, "ctrl+c")] for deed in reducer.feed(event)]
    assert [deed.action for deed in [*deeds, *reducer.finish(without=("ctrl", "c"))]] == [TypeText(text="ls")]


def test_actions_keep_their_own_times_whatever_lies_between_them() -> None:
    times_s = [1.0, 1.9, 2.45, 60.0, 61.5]
    deeds = reduced([event for at_s in times_s for event in press(at_s, x_px=10 * at_s)])
    assert [deed.began_s for deed in deeds] == times_s
    assert all(0 < deed.ended_s - deed.began_s < 0.1 for deed in deeds)


def test_a_long_way_of_the_pointer_keeps_its_form_with_few_points() -> None:
    chance = random.Random(7)
    path = [Point(x, 100 + chance.random() * 90) for x in range(1000)]
    short = thinned(path, 2.0)
    assert (short[0], short[-1]) == (path[0], path[-1])
    assert 2 < len(short) <= MOST_POINTS
    assert thinned([Point(5, 5), Point(5, 5)], 2.0) == (Point(5, 5), Point(5, 5))
