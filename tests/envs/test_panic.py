"""The person at the screen stops a run with their own hands, whatever it is doing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import pytest
from moonhand.envs import (
    Action,
    Click,
    DesktopConfig,
    DesktopEnv,
    Drag,
    KeyDown,
    MouseDown,
    Move,
    Point,
    PressKeys,
    TypeText,
    VirtualDisplay,
    Wait,
)
from moonhand.envs.clipboard import XClipboard
from moonhand.envs.hands import XTestHands
from moonhand.envs.panic import EVERY_S
from Xlib.display import Display

pytestmark = pytest.mark.display

FAR = (Point(300, 200), Point(700, 550))

PanicHands = Callable[[XTestHands], None]


def shoves_the_pointer(hands: XTestHands) -> None:
    hands.move(0, 0)


def holds_the_panic_keys(hands: XTestHands) -> None:
    for key in ("ctrl", "alt", "escape"):
        hands.press(key, is_button=False)


def pushes_against_us(hands: XTestHands) -> None:
    for _ in range(200):
        x_pt, y_pt = hands.pointer()
        hands.move(max(0, x_pt - 20), max(0, y_pt - 20))
        time.sleep(0.008)


def num_held(screen: VirtualDisplay) -> int:
    connection: Any = Display(screen.display)
    try:
        buttons = connection.screen().root.query_pointer().mask & 0x1F00
        return sum(byte.bit_count() for byte in connection.query_keymap()) + buttons.bit_count()
    finally:
        connection.close()


@contextmanager
def person(screen: VirtualDisplay, does: PanicHands) -> Generator[None]:
    """Somebody who does that in a moment, and lets go at the end."""
    hands = XTestHands(screen.display)
    timer = threading.Timer(0.4, does, (hands,))
    timer.start()
    try:
        yield
    finally:
        timer.join()
        for key in ("ctrl", "alt", "escape") if does is holds_the_panic_keys else ():
            hands.release(key, is_button=False)
        hands.close()


@pytest.mark.parametrize(
    ("does", "action"),
    [
        (shoves_the_pointer, TypeText(text="nobody takes it", via="paste")),
        (holds_the_panic_keys, Wait(seconds_s=60)),
        (pushes_against_us, Drag(path=FAR, duration_s=60)),
    ],
)
def test_the_person_stops_a_run(virtual_display: VirtualDisplay, does: PanicHands, action: Action) -> None:
    XClipboard(virtual_display.display).write("kept")
    with DesktopEnv(DesktopConfig(display=virtual_display.display, panic_stop=True)) as env:
        env.perform(KeyDown(key="shift"))
        env.perform(MouseDown(x_px=700, y_px=550))
        assert num_held(virtual_display) == 2
        start_s = time.monotonic()
        with person(virtual_display, does), pytest.raises(KeyboardInterrupt):
            env.perform(action)
        assert time.monotonic() - start_s < 10
        assert num_held(virtual_display) == 0
        with pytest.raises(KeyboardInterrupt, match="stopped by hand"):
            env.perform(Move(x_px=5, y_px=5))
    assert XClipboard(virtual_display.display).read() == "kept"
    hands = XTestHands(virtual_display.display)
    hands.move(400, 300)
    hands.close()


@pytest.mark.parametrize("action", [TypeText(text="x" * 9999), Wait(seconds_s=60), Drag(path=FAR, duration_s=60)])
def test_a_run_in_another_thread_is_stopped_amid_its_action(virtual_display: VirtualDisplay, action: Action) -> None:
    def work() -> None:
        with DesktopEnv(DesktopConfig(display=virtual_display.display, panic_stop=True)) as env:
            try:
                env.perform(KeyDown(key="shift"))
                env.perform(action)
            except KeyboardInterrupt as stop:
                stopped.append(str(stop))

    stopped: list[str] = []
    start_s = time.monotonic()
    with person(virtual_display, holds_the_panic_keys):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(10)
    assert time.monotonic() - start_s < 3
    assert stopped == ["stopped by hand: ctrl+alt+escape was pressed"]
    assert num_held(virtual_display) == 0


def test_what_we_do_ourselves_stops_nothing_and_watching_costs_next_to_nothing(virtual_display: VirtualDisplay) -> None:
    def watchers() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name == "moonhand panic stop"]

    with DesktopEnv(DesktopConfig(display=virtual_display.display)):
        assert watchers() == [], "nobody sits before a display that is named"
    with DesktopEnv(DesktopConfig(display=virtual_display.display, panic_stop=True, settle_s=0)) as env:
        (watcher,) = watchers()
        assert watcher.ident is not None
        clock = time.pthread_getcpuclockid(watcher.ident)
        start_s, start_cpu_s = time.monotonic(), time.clock_gettime(clock)
        env.perform(Move(x_px=5, y_px=5))
        env.perform(Click(x_px=0, y_px=0))
        env.perform(Wait(seconds_s=0.3))
        env.perform(PressKeys(keys=("ctrl", "alt", "escape"), hold_s=0.3))
        env.perform(Move(x_px=400, y_px=300))
        env.perform(Wait(seconds_s=0.3))
        used_s, took_s = time.clock_gettime(clock) - start_cpu_s, time.monotonic() - start_s
        assert used_s < 0.003 * (took_s / EVERY_S + 1), f"{used_s:.3f} s of a core for {took_s / EVERY_S:.0f} looks"
    assert watchers() == []


def test_a_key_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown key 'panic'"):
        DesktopConfig(panic_keys=("ctrl", "panic"))
