"""One contract, kept by every environment."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from moonhand.envs import (
    KINDS,
    UNTOUCHING,
    Action,
    BrowserConfig,
    BrowserEnv,
    Click,
    DesktopConfig,
    DesktopEnv,
    Drag,
    Env,
    EnvError,
    Frame,
    KeyDown,
    KeyUp,
    MouseDown,
    Move,
    Point,
    PointOffScreen,
    ReplayEnv,
    Size,
    Surroundings,
    UnsupportedAction,
    VirtualDisplay,
    Wait,
    action_from_json,
    find_chromium,
)
from Xlib.display import Display

RECORDED = (Move(x_px=30, y_px=30), Wait(seconds_s=0.05))
NOT_REACHED = (Click(x_px=5, y_px=5), Drag(path=(Point(5, 5), Point(9, 9))))
FIELDS = {  # what an action of each kind needs
    "click": {"x_px": 5, "y_px": 5},
    "move": {"x_px": 5, "y_px": 5},
    "drag": {"path": [{"x_px": 5, "y_px": 5}, {"x_px": 9, "y_px": 9}]},
    "type": {"text": "x"},
    "key": {"keys": ["x"]},
    "key_down": {"key": "x"},
    "key_up": {"key": "x"},
    "zoom": {"left_px": 0, "top_px": 0, "width_px": 10, "height_px": 10},
    "clipboard_set": {"text": "x"},
    "select_option": {"x_px": 5, "y_px": 5, "option": "x"},
    "upload": {"paths": ["x"]},
    "navigate": {"url": "about:blank"},
    "tab_switch": {"index": 0},
    "open_app": {"name": "x"},
    "extract": {"question": "x"},
    "ask_user": {"question": "x"},
}
STILL = """<title>still</title><script>
  window.down = new Set();
  addEventListener("keydown", (event) => down.add(event.key));
  addEventListener("keyup", (event) => down.delete(event.key));
  addEventListener("mousedown", (event) => down.add(event.button));
  addEventListener("mouseup", (event) => down.delete(event.button));
</script>"""


def sample(kind: str) -> Action:
    return action_from_json({"type": kind, **FIELDS.get(kind, {})})


def held(env: Env, request: pytest.FixtureRequest) -> int:
    """How many keys and buttons are down, as the page or the X server sees it."""
    if isinstance(env, BrowserEnv):
        return env.evaluate("down.size")
    screen: VirtualDisplay = request.getfixturevalue("virtual_display")
    connection = Display(screen.display)
    try:
        buttons = connection.screen().root.query_pointer().mask & 0x1F00
        return sum(byte.bit_count() for byte in connection.query_keymap()) + buttons.bit_count()
    finally:
        connection.close()


def wait_until_held(env: Env, request: pytest.FixtureRequest, number: int) -> None:
    """Real input reaches a page of a kiosk when its turn comes."""
    deadline_s = time.monotonic() + 10
    while (now := held(env, request)) != number:
        assert time.monotonic() < deadline_s, f"{now} are held, not {number}"


KIOSK = (pytest.mark.browser, pytest.mark.display)
SCREENS = (
    "replay",
    pytest.param("browser", marks=pytest.mark.browser),
    pytest.param("desktop", marks=pytest.mark.display),
    pytest.param("kiosk", marks=KIOSK),
)


@contextmanager
def opened(kind: str, request: pytest.FixtureRequest) -> Generator[Env]:
    match kind:
        case "replay":
            frame = Frame(np.zeros((200, 300, 3), np.uint8))
            with ReplayEnv([frame] * 5, RECORDED + NOT_REACHED) as replay:
                yield replay
        case "browser" | "kiosk":
            chromium: str = request.getfixturevalue("chromium")
            serve: Callable[[Mapping[str, str]], str] = request.getfixturevalue("serve")
            url, size = serve({"/": STILL}), Size(300, 200)
            config = BrowserConfig(url=url, viewport=size, executable=chromium)
            if kind == "kiosk":
                config = replace(config, surface="kiosk", executable=find_chromium(headless=False))
            with BrowserEnv(config) as browser:
                yield browser
        case _:
            screen: VirtualDisplay = request.getfixturevalue("virtual_display")
            with DesktopEnv(DesktopConfig(display=screen.display)) as desktop:
                yield desktop


@pytest.fixture(scope="module")
def used_browser(request: pytest.FixtureRequest) -> Generator[Env]:
    with opened("browser", request) as env:
        yield env


@pytest.fixture(scope="module")
def used_kiosk(request: pytest.FixtureRequest) -> Generator[Env]:
    with opened("kiosk", request) as env:
        yield env


class TestEnvContract:
    """What the step loop may take for granted."""

    @pytest.fixture(params=SCREENS)
    def env(self, request: pytest.FixtureRequest) -> Generator[Env]:
        """An environment that may have been used before."""
        if request.param in ("browser", "kiosk"):
            yield request.getfixturevalue(f"used_{request.param}")
        else:
            with opened(request.param, request) as env:
                yield env

    @pytest.fixture(params=(*SCREENS[:-1], pytest.param("kiosk", marks=(*KIOSK, pytest.mark.slow))))  # a browser too
    def fresh(self, request: pytest.FixtureRequest) -> Generator[Env]:
        """An environment that nobody has looked at or closed."""
        with opened(request.param, request) as env:
            yield env

    def test_a_frame_is_a_native_read_only_picture_with_its_time(self, env: Env) -> None:
        first, second = env.observe(), env.observe()
        assert first.pixels_HW3.dtype == np.uint8
        assert first.pixels_HW3.shape == (first.size.height_px, first.size.width_px, 3)
        assert not first.pixels_HW3.flags.writeable
        assert first.size == second.size
        assert first.captured_at_s <= second.captured_at_s
        assert first.capture_s >= 0
        assert first.scale > 0
        assert not second.differs_from(first)

    def test_an_action_is_performed_and_told(self, env: Env) -> None:
        env.observe()
        for action, words in zip(RECORDED, ("move to (30, 30)", "wait 0.05 s"), strict=True):
            effect = env.perform(action)
            assert effect.performed
            assert effect.detail == words
            assert effect.changed is False
            assert effect.act_s >= 0
            assert effect.settle_s >= 0

    def test_what_touches_nothing_is_accepted_and_does_nothing(self, env: Env) -> None:
        before = env.observe()
        for kind in sorted(UNTOUCHING):
            effect = env.perform(sample(kind))
            assert not effect.performed
            assert effect.changed is False
            assert effect.change == "no_change"
        assert not env.observe().differs_from(before)
        assert env.perform(RECORDED[0]).performed

    def test_what_lies_at_a_place_may_be_asked_of_every_action_and_touches_nothing(self, env: Env) -> None:
        before = env.observe()
        for kind in sorted(KINDS):
            assert isinstance(env.surroundings(sample(kind)), Surroundings)
        assert not env.observe().differs_from(before)

    def test_every_kind_it_does_not_have_is_refused_and_nothing_is_touched(self, env: Env) -> None:
        assert env.kinds <= KINDS - UNTOUCHING
        before = env.observe()
        others = sorted(KINDS - UNTOUCHING - env.kinds)
        assert others
        for kind in others:
            with pytest.raises(UnsupportedAction, match=r"this screen cannot do that; it can do .*move, "):
                env.perform(sample(kind))
        assert not env.observe().differs_from(before)
        assert env.perform(RECORDED[0]).performed

    @pytest.mark.parametrize("env", SCREENS[1:], indirect=True)
    def test_what_is_held_stays_so_over_refusals_and_is_let_go_after_an_error_and_on_close(
        self, env: Env, request: pytest.FixtureRequest
    ) -> None:
        env.observe()
        env.perform(Move(x_px=150, y_px=100))
        env.perform(KeyDown(key="shift"))
        env.perform(MouseDown())
        env.perform(RECORDED[1])
        with pytest.raises(PointOffScreen):
            env.perform(Move(x_px=100_000, y_px=5))
        wait_until_held(env, request, 2)
        with pytest.raises(UnsupportedAction, match=r"no (file|program)"):
            env.perform(sample("upload" if isinstance(env, BrowserEnv) else "open_app"))
        wait_until_held(env, request, 0)
        env.perform(KeyDown(key="ctrl"))
        wait_until_held(env, request, 1)
        if isinstance(env, BrowserEnv):  # whose page would end with it
            env.perform(KeyUp(key="ctrl"))
        else:
            env.close()
        wait_until_held(env, request, 0)

    def test_a_point_off_the_frame_is_refused_and_nothing_is_touched(self, env: Env) -> None:
        size = env.observe().size
        beyond = (Point(size.width_px, 5), Point(5, size.height_px), Point(-1, 5), Point(5, -0.5))
        for point in beyond:
            with pytest.raises(PointOffScreen, match="last observed frame"):
                env.perform(Click(x_px=point.x_px, y_px=point.y_px))
            with pytest.raises(PointOffScreen):
                env.perform(Drag(path=(Point(5, 5), point)))
        assert env.perform(RECORDED[0]).performed

    def test_before_the_first_look_points_are_checked_and_after_the_last_it_says_that_it_is_closed(
        self, fresh: Env
    ) -> None:
        with pytest.raises(PointOffScreen):
            fresh.perform(Move(x_px=100_000, y_px=5))
        fresh.close()
        fresh.close()
        with pytest.raises(EnvError, match=r"open|closed"):
            fresh.observe()
        with pytest.raises(EnvError, match=r"open|closed"):
            fresh.perform(RECORDED[0])
