"""The face for programs that run on asyncio: the twin of `Screen`, whose calls are awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Literal, ParamSpec, Self, TypeVar

from ..envs import Action, Effect, Env, Frame
from ..envs.async_env import Worker
from .approval import ApprovePolicy, Decision, Request
from .async_target import AsyncExpectation, AsyncTarget
from .expect import By
from .extract import Extracted
from .openers import browser, desktop, virtual_display
from .screen import Screen
from .trajectory import RunResult
from .zoom import ZoomConfig

if TYPE_CHECKING:
    from ..model import Answering

P = ParamSpec("P")
T = TypeVar("T")


class AsyncScreen:
    """The async twin of a Screen that is not open yet; `async with` opens it.

    Each works in one thread of its own, so several do at once. They may share one engine, given as their `model`: it
    answers one of them after the other. What is cancelled (`asyncio.timeout`) is stopped as Ctrl-C would stop it: the
    trajectory of `do` ends as `stopped`, and after the `async with` no thread or browser stays behind.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._worker = Worker()

    async def __aenter__(self) -> Self:
        try:
            await self._worker.run(self._screen.__enter__)
        except BaseException:
            with suppress(asyncio.CancelledError):
                await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the screen and end its thread; twice is fine."""
        await self._worker.close(self._screen.close)

    @property
    def env(self) -> Env:
        """The environment behind it, whose calls block: make them by `call`. ValueError outside `async with`."""
        return self._screen.env

    @property
    def recorded_in(self) -> Path | None:
        """The folder of the trajectory that `record` asked for; None without."""
        return self._screen.recorded_in

    async def engine(self) -> Answering:
        """The model, loaded at its first use."""
        return await self.call(lambda screen: screen.engine)

    async def call(self, call: Callable[[Screen], T]) -> T:
        """What else a Screen and its environment can do, in their thread."""
        return await self._worker.run(lambda: call(self._screen))

    async def frame(self) -> Frame:
        """What the screen shows now, at native resolution."""
        return await self.call(lambda screen: screen.frame())

    async def perform(self, action: Action) -> Effect:
        """Do one action, in px of the last frame."""
        return await self.call(lambda screen: screen.perform(action))

    def locate(self, text: str, *, zoom: ZoomConfig | None = None, sure: float | None = None) -> AsyncTarget:
        """Something on the screen, named in words; looked for when it is used, as `Screen.locate` does."""
        return AsyncTarget(self._worker.run, self._screen.locate(text, zoom=zoom, sure=sure))

    def expect(self, text: str, *, by: By = "any") -> AsyncExpectation:
        """Something that must be on the screen, or must not: await `.visible()` or `.absent()`, which raise NotSeen."""
        return AsyncExpectation(self._worker.run, self._screen.expect(text, by=by))

    async def extract(self, question: str = "", *, of: str | None = None) -> Extracted:
        """Read a value, as `Screen.extract` does."""
        return await self.call(lambda screen: screen.extract(question, of=of))

    async def click(self, text: str) -> Effect:
        """Find it and click it. TargetRefused if the model does not see it."""
        return await self.call(lambda screen: screen.click(text))

    async def type(self, text: str, *, into: str | None = None, clear: bool = False, submit: bool = False) -> Effect:
        """Type, into the named field or into what has the focus; `submit` presses Enter afterwards."""
        return await self.call(lambda screen: screen.type(text, into=into, clear=clear, submit=submit))

    async def press(self, *keys: str) -> Effect:
        """Press one chord, such as press("ctrl", "a") or press("enter")."""
        return await self.call(lambda screen: screen.press(*keys))

    async def scroll(self, dy: float = 3, *, dx: float = 0, over: str | None = None) -> Effect:
        """Turn the wheel by notches, as `Screen.scroll` does."""
        return await self.call(lambda screen: screen.scroll(dy, dx=dx, over=over))

    async def wait(self, seconds_s: float = 1.0, *, until: Literal["still", "change"] | None = None) -> Effect:
        """Let time pass, as `Screen.wait` does."""
        return await self.call(lambda screen: screen.wait(seconds_s, until=until))

    async def goto(self, url: str) -> Effect:
        """Open an address in the page. Unreachable where nothing answers, UnsupportedAction on a desktop."""
        return await self.call(lambda screen: screen.goto(url))

    async def back(self) -> Effect:
        """Go back to the page before. UnsupportedAction on a desktop."""
        return await self.call(lambda screen: screen.back())

    async def do(
        self,
        goal: str,
        *,
        max_steps: int = 25,
        approve: ApprovePolicy | None = None,
        ask: Callable[[Request], Decision] | None = None,
    ) -> RunResult:
        """Work on a goal, as `Screen.do` does. `ask` is called in the screen's thread."""
        return await self.call(lambda screen: screen.do(goal, max_steps=max_steps, approve=approve, ask=ask))


def _twin(open_screen: Callable[P, Screen], name: str) -> Callable[P, AsyncScreen]:
    @wraps(open_screen)
    def opened(*args: P.args, **kwargs: P.kwargs) -> AsyncScreen:
        return AsyncScreen(open_screen(*args, **kwargs))

    opened.__name__ = opened.__qualname__ = name
    return opened


async_browser = _twin(browser, "async_browser")
async_desktop = _twin(desktop, "async_desktop")
async_virtual_display = _twin(virtual_display, "async_virtual_display")
