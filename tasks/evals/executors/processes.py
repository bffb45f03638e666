"""Worker processes of this machine, each with a model of its own; they die with the driver, and it can kill them."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import connection, get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import cast

from ..asker import AskerSource
from ..sample import GroundingSample
from .answered import words_of
from .pool import CannotOpen, Died, Event, Ready, Told, event_of

NAMES = {"OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"}
STOPS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class ProcessWorker:
    """One process, in a session of its own: Ctrl-C in the terminal is for the driver."""

    def __init__(self, source: AskerSource, slot: int) -> None:
        context = get_context("spawn")  # threads of torch do not survive a fork
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(source, slot, theirs), name=f"moonhand-eval-{slot}")
        with _held_back():
            self._process.start()
        theirs.close()
        self._slot = slot

    @property
    def name(self) -> str:
        return f"process-{self._slot}"

    @property
    def process(self) -> BaseProcess:
        return self._process

    def give(self, samples: Sequence[GroundingSample]) -> None:
        with suppress(OSError):  # it is dead: it will be heard
            self.pipe.send(tuple(samples))

    def end(self) -> None:
        """Kill it, with whatever it has started; nobody waits for that."""
        if self._process.pid is not None and self._process.is_alive():
            if hasattr(os, "killpg"):
                with suppress(OSError):
                    os.killpg(self._process.pid, signal.SIGKILL)
            self._process.kill()

    def kill(self) -> None:
        """End it, and wait until it is gone."""
        self.end()
        self._process.join()
        self.pipe.close()

    def listen(self) -> Event:
        """One event, of a pipe that has something to say."""
        try:
            return cast(Event, self.pipe.recv())
        except (EOFError, OSError, pickle.UnpicklingError):  # the last: it died in the middle of a word
            return Died(self.why_dead())

    def why_dead(self) -> str:
        self._process.join(1)
        code = self._process.exitcode
        if code is None or code >= 0:
            return f"the worker ended with code {code}"
        return f"the worker was killed by signal {-code}"


class ProcessForce:
    """Workers by their number; `size` of them share this machine."""

    def __init__(self, source: AskerSource, size: int) -> None:
        self.size = size
        self._source = source
        self._workers: list[ProcessWorker] = []

    def start(self, slot: int) -> ProcessWorker:
        before = {name: os.environ.get(name) for name in NAMES}
        os.environ.update(dict.fromkeys(NAMES, str(self._source.threads)))  # read when a library is loaded, not later
        try:
            worker = ProcessWorker(self._source, slot)
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
        self._workers.append(worker)
        return worker

    def hear(self, timeout_s: float) -> list[tuple[ProcessWorker, Event]]:
        self._workers = [worker for worker in self._workers if not worker.pipe.closed]
        pipes: list[object] = [worker.pipe for worker in self._workers]
        ready = connection.wait([*pipes, *(worker.process.sentinel for worker in self._workers)], timeout_s)  # pyright: ignore[reportArgumentType]
        heard: list[tuple[ProcessWorker, Event]] = []
        for worker in self._workers:
            if worker.pipe in ready:
                heard.append((worker, worker.listen()))
            elif worker.process.sentinel in ready and not worker.pipe.poll():
                heard.append((worker, Died(worker.why_dead())))  # its children may hold the pipe open
        return heard

    def close(self) -> None:
        """All are ended before one is waited for: Ctrl-C while this goes on leaves none at work."""
        left = [worker for worker in self._workers if not worker.pipe.closed]
        for worker in left:
            worker.end()
        for worker in left:
            worker.kill()
        self._workers.clear()


@contextmanager
def _held_back() -> Generator[None]:
    """Signals that end a program wait; a process that is started meanwhile hears none before `_let_through`."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # which else is started with the process, and lets them through
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _let_through() -> None:
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)


def _work(source: AskerSource, slot: int, pipe: Connection) -> None:
    """What a worker does all its life."""
    if hasattr(os, "setsid"):
        os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _let_through()
    threading.Thread(target=_die_with_parent, daemon=True).start()
    with suppress(EOFError, ConnectionError):  # the driver has closed its end
        _answer(source, slot, pipe)


def _answer(source: AskerSource, slot: int, pipe: Connection) -> None:
    """Until the pipe is closed, or there is nobody to ask."""
    try:
        asker = source.open(slot)
    except Exception as error:
        pipe.send(CannotOpen(_sendable(error)))
        return
    pipe.send(Ready(dict(asker.facts)))
    while True:
        for sample in cast("tuple[GroundingSample, ...]", pipe.recv()):
            started_s = time.monotonic()
            try:
                asked = asker.ask(sample)
            except Exception as error:  # whatever it is: the driver decides what becomes of the sample
                event = event_of(error)
                pipe.send(CannotOpen(_sendable(event.error)) if isinstance(event, CannotOpen) else event)
                continue
            pipe.send(Told(asked.prediction, asked.model_s, time.monotonic() - started_s))


def _die_with_parent() -> None:
    """However the driver ends, also by a signal that it cannot hear: a worker without one would wait for ever."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
    if hasattr(os, "killpg"):
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


def _sendable(error: Exception) -> Exception:
    """As it is, where it can be read on the other side."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(words_of(error))
    return error
