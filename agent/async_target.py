"""The twins of `LiveTarget` and `Expectation` for programs that run on asyncio: every use is awaited."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from PIL import Image

from ..envs import Effect, Point
from .expect import Sighting
from .expectation import Expectation
from .live_target import LiveTarget
from .target import Target

T = TypeVar("T")


class InThread(Protocol):
    """Makes a call in the screen's thread."""

    def __call__(self, call: Callable[[], T], /) -> Awaitable[T]: ...


class AsyncTarget:
    """Something named in words: the twin of `LiveTarget`. Every use looks at the screen."""

    def __init__(self, run: InThread, target: LiveTarget) -> None:
        self._run = run
        self._target = target

    async def look(self) -> Target:
        """What the model says now, a refusal included."""
        return await self._run(self._target.look)

    async def point(self) -> Point:
        """In screenshot px. TargetRefused if the model does not see it."""
        return await self._run(lambda: self._target.point)

    async def confidence(self) -> float | None:
        """0..1; None where the reply holds no coordinates."""
        return await self._run(lambda: self._target.confidence)

    async def click(self, *, count: int = 1) -> Effect:
        """Click it, as `LiveTarget.click` does."""
        return await self._run(lambda: self._target.click(count=count))

    async def double_click(self) -> Effect:
        """Click it twice."""
        return await self._run(self._target.double_click)

    async def right_click(self) -> Effect:
        """Click it with the right button."""
        return await self._run(self._target.right_click)

    async def hover(self) -> Effect:
        """Rest the pointer on it."""
        return await self._run(self._target.hover)

    async def type(self, text: str, *, clear: bool = False, submit: bool = False) -> Effect:
        """Click it and type, as `LiveTarget.type` does."""
        return await self._run(lambda: self._target.type(text, clear=clear, submit=submit))

    async def select(self, option: str) -> Effect:
        """Choose an entry of a native list, as `LiveTarget.select` does."""
        return await self._run(lambda: self._target.select(option))

    async def drag_to(self, other: AsyncTarget, *, duration_s: float | None = None) -> Effect:
        """Press on it and let go on another target of the same screen, as `LiveTarget.drag_to` does."""
        return await self._run(lambda: self._target.drag_to(other._target, duration_s=duration_s))

    async def preview(self) -> Image.Image:
        """The screen with a ring where the model points; touches nothing."""
        return await self._run(self._target.preview)


class AsyncExpectation:
    """Something that must be on the screen, or must not: the twin of `Expectation`."""

    def __init__(self, run: InThread, expectation: Expectation) -> None:
        self._run = run
        self._expectation = expectation

    def __bool__(self) -> bool:
        return bool(self._expectation)

    async def visible(self, *, timeout_s: float = 10) -> Sighting:
        """Look until it is there. NotSeen after `timeout_s`; 0 looks once."""
        return await self._run(lambda: self._expectation.visible(timeout_s=timeout_s))

    async def absent(self, *, timeout_s: float = 10) -> Sighting:
        """Look until it is not there. NotSeen after `timeout_s`; 0 looks once."""
        return await self._run(lambda: self._expectation.absent(timeout_s=timeout_s))
