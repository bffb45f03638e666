"""One contract, kept by every environment."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager

import numpy as np
import pytest
from moonhand.envs import (
    BrowserConfig,
    BrowserEnv,
    Click,
    DesktopConfig,
    DesktopEnv,
    Drag,
    Env,
    EnvError,
    Finish,
    Frame,
    Move,
    Point,
    PointOffScreen,
    Refuse,
    ReplayEnv,
    Size,
    VirtualDisplay,
    Wait,
)

RECORDED = (Move(x_px=30, y_px=30), Wait(seconds_s=0.05))


KINDS = (
    "replay",
    pytest.param("browser", marks=pytest.mark.browser),
    pytest.param("desktop", marks=pytest.mark.display),
)


@contextmanager
def opened(kind: str, request: pytest.FixtureRequest) -> Generator[Env]:
    match kind:
        case "replay":
            with ReplayEnv([Frame(np.zeros((200, 300, 3), np.uint8))] * 3, RECORDED) as replay:
                yield replay
        case "browser":
            chromium: str = request.getfixturevalue("chromium")
            serve: Callable[[Mapping[str, str]], str] = request.getfixturevalue("serve")
            url = serve({"/": "<title>still</title>"})
            with BrowserEnv(BrowserConfig(url=url, viewport=Size(300, 200), executable=chromium)) as browser:
                yield browser
        case _:
            screen: VirtualDisplay = request.getfixturevalue("virtual_display")
            with DesktopEnv(DesktopConfig(display=screen.display)) as desktop:
                yield desktop


@pytest.fixture(scope="module")
def used_browser(request: pytest.FixtureRequest) -> Generator[Env]:
    with opened("browser", request) as env:
        yield env


class TestEnvContract:
    """What the step loop may take for granted."""

    @pytest.fixture(params=KINDS)
    def env(self, request: pytest.FixtureRequest) -> Generator[Env]:
        """An environment that may have been used before."""
        if request.param == "browser":
            yield request.getfixturevalue("used_browser")
        else:
            with opened(request.param, request) as env:
                yield env

    @pytest.fixture(params=KINDS)
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

    def test_finish_and_refuse_touch_nothing(self, env: Env) -> None:
        before = env.observe()
        for action in (Finish(answer="42"), Refuse(reason="no such button")):
            effect = env.perform(action)
            assert not effect.performed
            assert effect.changed is False
        assert not env.observe().differs_from(before)
        assert env.perform(RECORDED[0]).performed

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
