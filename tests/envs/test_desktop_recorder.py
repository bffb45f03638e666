"""What DesktopRecorder hears of real input, by XTEST and xdotool, on a real X display."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Generator
from itertools import pairwise

import pytest
from moonhand.envs import DesktopConfig, NoDisplay, Region, VirtualDisplay
from moonhand.envs.desktop_recorder import DesktopRecorder
from moonhand.envs.raw_events import (
    KeyPressed,
    KeyReleased,
    Look,
    PointerDown,
    PointerMoved,
    PointerUp,
    RawEvent,
    ScreenChanged,
    WheelTurned,
)
from moonhand.envs.x_text import DeadKeys, character_of

pytestmark = pytest.mark.display

Doing = Callable[..., None]


@pytest.fixture
def xdotool(virtual_display: VirtualDisplay) -> Doing:
    if shutil.which("xdotool") is None:
        pytest.fail("these tests need xdotool: apt-get install -y xdotool")

    def do(*words: str) -> None:
        subprocess.run(["xdotool", *words], env=virtual_display.environ(), check=True, timeout=20)

    return do


@pytest.fixture(scope="module")
def recorder(virtual_display: VirtualDisplay) -> Generator[DesktopRecorder]:
    config = DesktopConfig(display=virtual_display.display, region=Region(100, 50, 400, 300))
    with DesktopRecorder(config) as opened:
        yield opened


def heard(recorder: DesktopRecorder, count: int, limit_s: float = 5.0) -> list[RawEvent]:
    """So many events but those of the pointer on its way, and a little longer."""
    events: list[RawEvent] = []
    end_s = time.monotonic() + limit_s
    while len(events) < count and time.monotonic() < end_s:
        events += _telling(recorder)
    return events + _telling(recorder) + _telling(recorder)


def _telling(recorder: DesktopRecorder) -> list[RawEvent]:
    return [each for each in recorder.hear().events if not isinstance(each, PointerMoved | ScreenChanged)]


def test_clicks_and_the_wheel_are_told_in_px_of_the_frame_with_their_times(
    recorder: DesktopRecorder, xdotool: Doing
) -> None:
    before_s = time.monotonic()
    xdotool("mousemove", "150", "80", "click", "1", "keydown", "ctrl", "click", "3", "keyup", "ctrl", "click", "5")
    events = heard(recorder, 7)
    after_s = time.monotonic()
    downs = [each for each in events if isinstance(each, PointerDown)]
    assert [(each.x_px, each.y_px, each.button, each.modifiers) for each in downs] == [
        (50, 30, "left", ()),
        (50, 30, "right", ("ctrl",)),
    ]
    assert sum(isinstance(each, PointerUp) for each in events) == 2
    assert [(each.dx, each.dy) for each in events if isinstance(each, WheelTurned)] == [(0, 1)]
    times_s = [each.at_s for each in events]
    assert times_s == sorted(times_s)
    assert before_s - 0.05 <= times_s[0] <= times_s[-1] <= after_s


def test_keys_are_told_with_the_text_they_type(recorder: DesktopRecorder, xdotool: Doing) -> None:
    xdotool("type", "--delay", "5", "aB!")
    xdotool("key", "Return", "ctrl+shift+p", "Left")
    pressed = [
        each for each in heard(recorder, 12) if isinstance(each, KeyPressed) and each.key not in ("shift", "ctrl")
    ]
    assert [(each.key, each.text, each.modifiers) for each in pressed] == [
        ("a", "a", ()),
        ("B", "B", ("shift",)),
        ("!", "!", ("shift",)),
        ("enter", "", ()),
        ("P", "", ("ctrl", "shift")),
        ("left", "", ()),
    ]


def test_a_modifier_is_told_both_ways(recorder: DesktopRecorder, xdotool: Doing) -> None:
    xdotool("key", "alt")
    assert [(type(each), each.key) for each in heard(recorder, 2) if isinstance(each, KeyPressed | KeyReleased)] == [
        (KeyPressed, "alt"),
        (KeyReleased, "alt"),
    ]


def test_what_is_done_outside_is_counted_and_not_told(recorder: DesktopRecorder, xdotool: Doing) -> None:
    xdotool("mousemove", "20", "20", "click", "1")
    assert [each for each in heard(recorder, 1, 0.5) if isinstance(each, PointerDown | PointerUp)] == []
    assert recorder.num_outside == 1


def test_accents_wait_for_their_letters(
    virtual_display: VirtualDisplay, recorder: DesktopRecorder, xdotool: Doing
) -> None:
    layout = ["setxkbmap", "-layout"]
    try:
        subprocess.run([*layout, "de"], env=virtual_display.environ(), check=True, timeout=10)
        xdotool("key", "dead_acute", "e")
        xdotool("key", "dead_circumflex", "space", "udiaeresis")
        pressed = [each for each in heard(recorder, 3) if isinstance(each, KeyPressed)]
    finally:
        subprocess.run([*layout, "us"], env=virtual_display.environ(), check=True, timeout=10)
    assert [each.text for each in pressed] == ["\u00e9", "^", "\u00fc"]


def test_looks_are_whole_and_in_order(recorder: DesktopRecorder) -> None:
    looks: list[Look] = [look for _ in range(3) for look in recorder.hear().looks]
    assert [look.frame.size.width_px for look in looks] == [400] * 3
    assert all(one.ended_s <= other.began_s for one, other in pairwise(looks))


@pytest.mark.parametrize(
    ("keysym", "text"),
    [(0x61, "a"), (0xE9, "\u00e9"), (0x6C1, "\u0430"), (0x6A3, "\u0451"), (0x7E1, "\u03b1"), (0x7F2, "\u03c3"),
     (0x1B1, "\u0105"), (0xCE0, "\u05d0"), (0x20AC, "\u20ac"), (0x1006F22, "\u6f22"), (0xFFB7, "7"), (0xFFAB, "+"),
     (0xFF0D, ""), (0xFFE1, ""), (0xFE51, "")],
)  # fmt: skip
def test_a_keysym_is_its_character(keysym: int, text: str) -> None:
    assert character_of(keysym) == text


def test_an_accent_twice_is_the_accent_and_one_that_fits_no_letter_types_nothing() -> None:
    dead = DeadKeys()
    assert dead.takes(0xFE51)
    assert not dead.takes(0xFE51)
    assert dead.text(0xFE51) == "'"
    assert dead.takes(0xFE51)
    assert dead.text(0x71) == ""
    assert dead.text(0x71) == "q"


def test_a_missing_display_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(NoDisplay, match=r"DISPLAY|Wayland"), DesktopRecorder(DesktopConfig()):
        pass
