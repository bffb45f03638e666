from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
import threading
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from moonhand.agent import (
    AsyncExpectation,
    AsyncScreen,
    AsyncTarget,
    Expectation,
    LiveTarget,
    NotSeen,
    Screen,
    TargetRefused,
    async_browser,
    async_desktop,
    async_virtual_display,
    browser,
    desktop,
    read_trajectory,
    virtual_display,
)
from moonhand.envs import (
    Action,
    AsyncEnv,
    BrowserConfig,
    BrowserEnv,
    Click,
    DesktopConfig,
    DesktopEnv,
    Drag,
    Env,
    Frame,
    KeyDown,
    NoBrowser,
    Point,
    PressKeys,
    ReplayEnv,
    TypeText,
    VirtualDisplay,
    Wait,
)

if TYPE_CHECKING:
    from moonhand.model import Engine

FRAME = Frame(np.full((48, 64, 3), 128, dtype=np.uint8))
SIGN_UP = Click(x_px=32, y_px=12)


def screen(engine: Engine, out: Path = Path("runs")) -> AsyncScreen:
    return AsyncScreen(Screen(lambda: ReplayEnv([FRAME, FRAME], [SIGN_UP]), model=engine, out=out))


def run(work: Coroutine[Any, Any, None]) -> None:
    """Let it run to its end and see that it leaves no thread behind."""
    before = set(threading.enumerate())
    asyncio.run(work)
    for thread in set(threading.enumerate()) - before:
        thread.join(2)  # asyncio's own, which waits for the driver's process, ends just after that
    assert set(threading.enumerate()) <= before


def parameters(method: Any) -> list[tuple[str, Any, Any]]:
    """Names, kinds and defaults; a target is handed over as the twin that it is."""
    return [(each.name, each.kind, each.default) for each in inspect.signature(method).parameters.values()]


def public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


@pytest.mark.parametrize(
    ("kind", "twin"),
    [(Screen, AsyncScreen), (LiveTarget, AsyncTarget), (Expectation, AsyncExpectation), (Env, AsyncEnv)],
)
def test_the_twin_has_every_method_with_the_same_arguments(kind: type, twin: type) -> None:
    assert public(twin) - public(kind) <= {"call"}
    assert public(kind) <= public(twin)
    for name in public(kind):
        method = inspect.getattr_static(kind, name)
        if inspect.isfunction(method):
            of_twin = inspect.getattr_static(twin, name)
            assert inspect.iscoroutinefunction(of_twin) or name in ("locate", "expect")  # lazy: their uses are awaited
            assert parameters(of_twin) == parameters(method)


def test_the_twins_are_opened_with_the_same_arguments() -> None:
    assert inspect.signature(async_browser).parameters == inspect.signature(browser).parameters
    assert inspect.signature(async_desktop).parameters == inspect.signature(desktop).parameters
    assert inspect.signature(async_virtual_display).parameters == inspect.signature(virtual_display).parameters


def test_screens_that_share_a_model_work_at_the_same_time(taught_engine: Engine, tmp_path: Path) -> None:
    async def work() -> None:
        async with screen(taught_engine, tmp_path) as one, screen(taught_engine, tmp_path) as two:
            target = one.locate("click Sign up")
            assert await target.point() == Point(32, 12)
            result, effect = await asyncio.gather(one.do("click Sign up", max_steps=5), two.click("Sign up"))
            with pytest.raises(TargetRefused):
                await two.click("Nothing")
            with pytest.raises(NotSeen):
                await two.expect("click Nothing").visible(timeout_s=0)
            await two.expect("click Nothing").absent(timeout_s=0)
            assert (await two.expect("click Sign up").visible()).found
        assert (result.status, effect.performed) == ("finished", True)
        with pytest.raises(ValueError, match=r"\Athe screen is not open: use it inside `async with \.\.\.`\Z"):
            await one.frame()
        await one.close()

    run(work())


@pytest.mark.browser
def test_browsers_side_by_side_and_one_whose_page_hangs_are_cancelled_and_closed(chromium: str) -> None:
    config = BrowserConfig(url="data:text/html,<title>a</title><button style='position:fixed;inset:0'>Go")
    hang = "void (document.querySelector('button').onclick = () => { while (true) {} })"

    async def work() -> None:
        async with AsyncEnv(BrowserEnv(config)) as one, AsyncEnv(BrowserEnv(config)) as two:
            frames = await asyncio.gather(one.observe(), two.observe())
            assert frames[0].sha256 == frames[1].sha256
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await one.perform(Wait(seconds_s=30))
            await two.call(lambda env: env.evaluate(hang))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await two.perform(Click(x_px=9, y_px=9))
            started_s = time.monotonic()
        assert time.monotonic() - started_s < config.timeout_s / 2

    run(work())


@pytest.mark.browser
def test_the_next_call_does_not_wait_for_the_pauses_of_one_that_was_cancelled(chromium: str) -> None:
    held = "held = new Set(); onkeydown = e => held.add(e.key); onkeyup = e => held.delete(e.key)"
    actions: list[Action] = [
        Wait(seconds_s=60),
        Wait(seconds_s=60, until="change"),
        PressKeys(keys=("shift", "a"), hold_s=60),
        Drag(path=(Point(9, 9), Point(90, 90)), duration_s=60),
    ]

    async def work() -> None:
        page = f"data:text/html,<p>a<script>{held}</script>"
        async with AsyncEnv(BrowserEnv(BrowserConfig(url=page))) as env:
            await env.observe()
            for action in actions:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.5):
                        await env.perform(action)
                started_s = time.monotonic()
                assert await env.call(lambda browser: browser.evaluate("held.size")) == 0
                assert time.monotonic() - started_s < 30
                assert (await env.perform(Wait(seconds_s=0.35))).act_s >= 0.35

    run(work())


@pytest.mark.browser
def test_a_goal_that_was_cancelled_does_nothing_more(chromium: str, taught_engine: Engine, tmp_path: Path) -> None:
    async def work() -> None:
        async with async_browser("data:text/html,<input autofocus>", model=taught_engine, out=tmp_path) as live:
            await live.frame()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await live.do("wait 20")
            started_s = time.monotonic()
            await live.frame()
            assert time.monotonic() - started_s < 2

    run(work())
    (folder,) = tmp_path.iterdir()
    result = read_trajectory(folder).result
    assert result is not None
    assert result.status == "stopped"


CANCELLED_AT_ITS_FIRST_CALL = """
import asyncio, sys
from moonhand.agent import async_browser

async def main():
    async with async_browser("data:text/html,<label>Email <input value=ada>", out=sys.argv[1]) as live:
        doing = asyncio.ensure_future(live.do('click Email; type "LATE"'))
        while "torch" not in sys.modules:
            await asyncio.sleep(0.01)
        doing.cancel()
        assert not hasattr(sys.modules["torch"], "compile")  # it is being imported
        print((await live.extract(of="Email")).value)

asyncio.run(main())
"""


@pytest.mark.browser
def test_a_first_call_that_is_cancelled_while_torch_is_imported_leaves_a_model_that_can_be_asked(
    chromium: str, tmp_path: Path
) -> None:
    program = [sys.executable, "-c", CANCELLED_AT_ITS_FIRST_CALL, str(tmp_path)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "ada\n"), done.stderr


@pytest.mark.display
def test_what_is_cancelled_on_a_desktop_is_stopped_and_its_keys_are_let_go(
    virtual_display: VirtualDisplay,
) -> None:
    import Xlib.display

    config = DesktopConfig(display=virtual_display.display, key_gap_s=0.02)

    async def work() -> None:
        async with AsyncEnv(DesktopEnv(config)) as env:
            await env.perform(KeyDown(key="shift"))
            started_s = time.monotonic()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await env.perform(TypeText(text="x" * 2000))
            await env.observe()  # comes after what was stopped
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await env.perform(Wait(seconds_s=45))
        assert time.monotonic() - started_s < 10

    run(work())
    connection = Xlib.display.Display(virtual_display.display)
    assert not any(connection.query_keymap())
    connection.close()


def test_a_run_that_is_cancelled_ends_as_stopped(taught_engine: Engine, tmp_path: Path) -> None:
    class Slow(ReplayEnv):
        def observe(self) -> Frame:
            for _ in range(3000):
                time.sleep(0.01)
            return super().observe()

    async def work() -> None:
        async with AsyncScreen(Screen(lambda: Slow([FRAME], []), model=taught_engine, out=tmp_path)) as slow:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await slow.do("click Sign up")

    run(work())
    (folder,) = tmp_path.iterdir()
    result = read_trajectory(folder).result
    assert result is not None
    assert result.status == "stopped"


def test_an_environment_that_does_not_open_leaves_no_thread() -> None:
    async def work() -> None:
        with pytest.raises(NoBrowser):
            async with AsyncEnv(BrowserEnv(BrowserConfig(executable="/nowhere/chromium"))):
                pass

    run(work())


def test_what_is_no_key_is_one_line_here_too(taught_engine: Engine) -> None:
    async def work() -> None:
        async with screen(taught_engine) as live:
            with pytest.raises(ValueError, match=r"\Akeys: unknown key 'foo': [^\n]+\Z") as raised:
                await live.press("ctrl", "foo")
            assert type(raised.value) is ValueError

    run(work())
