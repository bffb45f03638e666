"""An environment for programs that run on asyncio: its blocking calls are made in a thread of their own."""

from __future__ import annotations

import asyncio
import ctypes
import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, nullcontext, suppress
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

from .actions import Action
from .env import Effect, Env, Frame
from .risk import Risk
from .surroundings import Surroundings

PATIENCE_S = 0.5  # for a stopped call to end by itself before the environment is closed under it
CLOSE_LIMIT_S = 30.0

T = TypeVar("T")


class OpenedByWith(Env, Protocol):
    """An environment that `with` opens and closes: all of ours."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> object: ...


E = TypeVar("E", bound=OpenedByWith)


class Worker:
    """One thread, in which blocking calls are made one after the other and awaited.

    A call whose await is cancelled is stopped as Ctrl-C would stop it: by a KeyboardInterrupt at its next line of
    Python, or at the end of what is `unstopped`. Nobody waits for that; the next call comes after it.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="moonhand-async")
        self._lock = threading.Lock()
        self._running: Future[Any] | None = None
        self._thread_id: int | None = None  # while what is running may be stopped
        self._is_spared = self._is_late = False  # whether nothing stops it now, and something was to
        self._closed: Future[None] = Future()
        self._closer: threading.Thread | None = None

    async def run(self, call: Callable[[], T]) -> T:
        """Its result. ValueError once the worker is closed."""
        if self._closer is not None:
            raise ValueError("the screen is not open: use it inside `async with ...`")
        done: Future[T] = Future()
        self._thread.submit(self._do, call, done)
        try:
            return await asyncio.wrap_future(done)
        except asyncio.CancelledError:
            self._stop(done)
            raise

    async def close(self, close: Callable[[], None]) -> None:
        """Stop what is under way, call `close`, which may be called twice, and end the thread; even when cancelled."""
        if self._closer is None:
            self._closer = threading.Thread(target=self._shut, args=(close,), name="moonhand-closing")
            self._closer.start()
        await asyncio.shield(asyncio.wrap_future(self._closed))
        self._closer.join()

    @contextmanager
    def spared(self) -> Generator[None]:
        """Put off what stops the call until the end of this; for its thread."""
        with self._lock:
            self._is_spared = True
        try:
            yield
        finally:
            with self._lock:
                is_late = self._is_late
                self._is_spared = self._is_late = False
            if is_late:
                raise KeyboardInterrupt

    def _do(self, call: Callable[[], T], done: Future[T]) -> None:
        if not done.set_running_or_notify_cancel():
            return
        try:
            with self._lock:
                self._running, self._thread_id = done, threading.get_ident()
                self._is_spared = self._is_late = False
            _of_thread.worker = self
            try:
                result = call()
            finally:
                with self._lock:
                    self._thread_id = None
                    _raise_in(threading.get_ident(), None)  # what was to be raised and has not been is not, any more
        except BaseException as error:
            done.set_exception(error)
        else:
            done.set_result(result)

    def _stop(self, done: Future[Any]) -> None:
        with self._lock:
            if self._running is done and self._thread_id is not None:
                thread_id, self._thread_id = self._thread_id, None  # once is enough
                if self._is_spared:
                    self._is_late = True
                else:
                    _raise_in(thread_id, KeyboardInterrupt)

    def _shut(self, close: Callable[[], None]) -> None:
        try:
            if (running := self._running) is not None:
                self._stop(running)
                if not wait([running], PATIENCE_S).done:
                    close()  # a page that does not answer lets go of the call only with the end of its browser
            closing = self._thread.submit(close)
            is_over = bool(wait([closing], CLOSE_LIMIT_S).done)
            self._thread.shutdown(wait=is_over)
            if is_over:
                closing.result()
        except BaseException as error:
            self._closed.set_exception(error)
        else:
            self._closed.set_result(None)


_of_thread = threading.local()  # `worker`, in the thread of one


@contextmanager
def unstopped() -> Generator[None]:
    """Keep a cancellation from stopping this part of a call in a Worker; it stops the call at the end of the part.

    For imports of native libraries. One that a KeyboardInterrupt cuts short cannot be made again in the same process:
    torch registers its operators at its first import, and refuses to do so twice. Does nothing in other threads.
    """
    worker: Worker | None = getattr(_of_thread, "worker", None)
    with nullcontext() if worker is None else worker.spared():
        yield


def _raise_in(thread_id: int, error: type[BaseException] | None) -> None:
    raised = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), raised)


class AsyncEnv(Generic[E]):
    """The async twin of an environment that is not open yet; `async with` opens it.

        async with AsyncEnv(BrowserEnv(config)) as env:
            frame = await env.observe()

    All its calls are made in one thread of its own, one after the other, so several environments work at once. A call
    that is cancelled (`asyncio.timeout`) is stopped as Ctrl-C would stop it: keys it held are let go, the environment
    can be closed, and no thread stays behind. Signals reach only the main thread, so a program on a desktop that is to
    let go of keys on SIGTERM turns the signal into a cancellation (`loop.add_signal_handler`).
    """

    def __init__(self, env: E) -> None:
        self._env = env
        self._worker = Worker()

    async def __aenter__(self) -> Self:
        try:
            await self._worker.run(self._env.__enter__)
        except BaseException:
            with suppress(asyncio.CancelledError):
                await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def kinds(self) -> frozenset[str]:
        """The actions it can do, by their `type`."""
        return self._env.kinds

    async def observe(self) -> Frame:
        """What the screen shows now."""
        return await self._worker.run(self._env.observe)

    async def perform(self, action: Action) -> Effect:
        """Do it, and wait until the screen is still. The errors are those of the environment."""
        return await self._worker.run(lambda: self._env.perform(action))

    async def risks(self, action: Action) -> frozenset[Risk]:
        """What a person would want to be asked about before it is performed."""
        return await self._worker.run(lambda: self._env.risks(action))

    async def surroundings(self, action: Action) -> Surroundings:
        """What lies at its place before it is performed."""
        return await self._worker.run(lambda: self._env.surroundings(action))

    async def call(self, call: Callable[[E], T]) -> T:
        """What else the environment can do: `await env.call(lambda browser: browser.evaluate("document.title"))`."""
        return await self._worker.run(lambda: call(self._env))

    async def close(self) -> None:
        """Close the environment and end its thread; may be called twice."""
        await self._worker.close(self._env.close)
