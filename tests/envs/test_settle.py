from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from moonhand.envs import Point, Region, VirtualDisplay
from moonhand.envs.capture import ScreenCapture
from moonhand.envs.change import where_changed
from moonhand.envs.env import Pixels
from moonhand.envs.settle import find_moving, settle_pixels, wait_until_changed
from Xlib.display import Display


def one_colour(value: int) -> Pixels:
    return np.full((80, 120, 3), value, np.uint8)


def test_a_still_screen_is_left_after_the_quiet_time() -> None:
    start_s = time.perf_counter()
    settled, last_HW3 = settle_pixels(lambda: one_colour(7), quiet_s=0.05, limit_s=5)
    assert (settled, last_HW3[0, 0, 0]) == ((True, (), 0, ()), 7)
    assert 0.05 <= time.perf_counter() - start_s < 1


def test_a_screen_that_stops_moving_is_seen_in_its_last_state() -> None:
    count = itertools.count()
    settled, last_HW3 = settle_pixels(lambda: one_colour(min(next(count), 5)), quiet_s=0.1, limit_s=5)
    assert (settled.is_still, settled.waited_for, last_HW3[0, 0, 0]) == (True, ("changes",), 5)


def test_a_screen_that_never_stops_is_left_at_the_limit_and_told() -> None:
    count = itertools.count()
    start_s = time.perf_counter()
    settled, _ = settle_pixels(lambda: one_colour(next(count) % 256), quiet_s=0.1, limit_s=0.2)
    assert (settled.is_still, settled.waited_for, settled.num_moving) == (False, ("changes",), 0)
    assert 0.2 <= time.perf_counter() - start_s < 1


def test_looks_that_take_longer_than_the_quiet_time_do_not_make_a_moving_screen_still() -> None:
    count = itertools.count()

    def grab() -> Pixels:
        time.sleep(0.06)
        return one_colour(next(count) % 256)

    settled, _ = settle_pixels(grab, quiet_s=0.05, limit_s=0.5)
    assert (settled.is_still, settled.waited_for) == (False, ("changes",))


def test_a_screen_that_did_not_move_is_still_even_where_the_limit_is_short() -> None:
    assert settle_pixels(lambda: one_colour(0), quiet_s=5, limit_s=0)[0].is_still


def test_what_moves_for_long_is_taken_for_endless() -> None:
    count = itertools.count()
    settled, _ = settle_pixels(lambda: one_colour(next(count) % 256), quiet_s=0.1, limit_s=5, endless_s=0.3)
    assert (settled.is_still, settled.num_moving, settled.moving) == (True, 1, ())


def test_another_size_is_a_change_and_then_the_screen_to_watch() -> None:
    count = itertools.count()
    grab = lambda: one_colour(0)[: 80 if next(count) < 3 else 40]  # noqa: E731  it is called often
    settled, last_HW3 = settle_pixels(grab, np.ones((2, 3), np.bool_), quiet_s=0.4, limit_s=5)
    assert (settled.is_still, settled.waited_for, len(last_HW3)) == (True, ("changes",), 40)


def test_a_change_is_waited_for_no_longer_than_it_takes() -> None:
    count, before_HW3 = itertools.count(), one_colour(0)
    start_s = time.perf_counter()
    assert wait_until_changed(lambda: one_colour(next(count) // 5), before_HW3, limit_s=5)
    assert 0.05 <= time.perf_counter() - start_s < 1
    assert not wait_until_changed(lambda: before_HW3, before_HW3, limit_s=0.05)


class Board:
    """A white window over the whole display on which threads of ours draw."""

    def __init__(self, screen: VirtualDisplay) -> None:
        self._display: Any = Display(screen.display)
        root = self._display.screen().root
        self._window = root.create_window(
            0, 0, 800, 600, 0, self._display.screen().root_depth, background_pixel=0xFFFFFF, override_redirect=True
        )
        self._window.map()
        self._pen = self._window.create_gc(foreground=0)
        self._lock = threading.Lock()
        self.draw(0xFFFFFF, 0, 0, 800, 600)

    def draw(self, colour: int, left: int, top: int, width: int, height: int) -> None:
        with self._lock:
            self._pen.change(foreground=colour)
            self._window.fill_rectangle(self._pen, left, top, width, height)
            self._display.sync()

    @contextmanager
    def drawing(self, draw: Callable[[int], object], *, every_s: float, times: int = 10_000) -> Generator[None]:
        """Draw in the background, until the body ends or so many times."""
        is_over = threading.Event()

        def work() -> None:
            for count in range(times):
                draw(count)
                if is_over.wait(every_s):
                    return

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def close(self) -> None:
        self._window.destroy()
        self._display.close()


@pytest.fixture
def board(virtual_display: VirtualDisplay) -> Generator[Board]:
    shown = Board(virtual_display)
    yield shown
    shown.close()


@pytest.fixture
def grab(virtual_display: VirtualDisplay, board: Board) -> Generator[Callable[[], Pixels]]:
    with ScreenCapture(display=virtual_display.display) as capture:
        while not (capture.grab() == 255).all():
            time.sleep(0.01)
        yield capture.grab


@pytest.mark.display
def test_a_real_screen_is_waited_for_while_it_slides_and_not_while_something_spins_or_blinks(
    board: Board, grab: Callable[[], Pixels]
) -> None:
    def spin(count: int) -> None:
        board.draw(count * 7919 % 0xFFFFFF, 420, 300, 30, 30)

    def slide(count: int) -> None:
        board.draw(0xFF0000, 20 + 5 * count, 20, 5, 40)

    def blink(count: int) -> None:
        board.draw(0 if count % 2 else 0xFFFFFF, 300, 200, 2, 18)

    before_HW3 = grab()
    assert find_moving(grab, before_HW3) is None
    with board.drawing(blink, every_s=0.03):
        settled, _ = settle_pixels(grab, quiet_s=0.1, limit_s=5)
        assert settled == (True, (), 0, ())
    with board.drawing(spin, every_s=0.01):
        time.sleep(0.02)
        before_HW3 = grab()
        while (moving := find_moving(grab, before_HW3)) is None:
            pass
        start_s = time.perf_counter()
        with board.drawing(slide, every_s=0.02, times=20):
            settled, after_HW3 = settle_pixels(grab, moving, quiet_s=0.5, limit_s=5)
        assert (after_HW3[40, 115] == (255, 0, 0)).all()  # the last of them
        assert 0.4 <= time.perf_counter() - start_s < 4
    assert (settled.is_still, settled.waited_for, settled.num_moving) == (True, ("changes",), 1)
    assert settled.moving == (Region(360, 240, 160, 160),)
    assert where_changed(before_HW3, after_HW3, [Point(400, 500)], moving=settled.moving) == "changed_far"
    after_HW3 = after_HW3.copy()
    after_HW3[20:60, 20:120] = before_HW3[20:60, 20:120]
    assert where_changed(before_HW3, after_HW3, [Point(400, 500)], moving=settled.moving) == "no_change"
