"""Workers that may hang or die: chunks go to whoever is idle, and what a lost worker had is asked again elsewhere.

At most one chunk a worker is under way, so nothing piles up anywhere, however many workers there are.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from ....envs import EnvError
from ..plan import Chunk
from ..prediction import Prediction
from ..sample import GroundingSample
from .answered import Answered, Limits, crashed, timed_out

HEARD_S = 0.1  # between two looks at the clock
START_S = 900.0  # until a worker has loaded its model
MAX_STARTS = 3  # in a row that come to nothing


class WorkersDie(EnvError):
    """Workers die before they have answered anything."""


@dataclass(frozen=True)
class Ready:
    """A worker has loaded its model, and this is what it found."""

    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Told:
    """The next sample's reply, and the seconds from taking it up to having it."""

    prediction: Prediction
    model_s: float
    took_s: float


@dataclass(frozen=True)
class Raised:
    """The asker raised for the next sample; the worker goes on."""

    error: str


@dataclass(frozen=True)
class Died:
    why: str


@dataclass(frozen=True)
class CannotOpen:
    """Every worker would fail with this: there is no use in another."""

    error: Exception


Event: TypeAlias = Ready | Told | Raised | Died | CannotOpen


class Worker(Protocol):
    """Answers the samples it is given in their order, one event each."""

    @property
    def name(self) -> str: ...
    def give(self, samples: Sequence[GroundingSample]) -> None: ...
    def kill(self) -> None: ...


class Force(Protocol):
    """Where workers come from."""

    @property
    def size(self) -> int: ...
    def start(self, slot: int) -> Worker: ...
    def hear(self, timeout_s: float) -> Sequence[tuple[Worker, Event]]:
        """What workers have said, in order; nothing once the time is over. Killed workers say no more."""
        ...

    def close(self) -> None:
        """Nothing stays behind."""
        ...


@dataclass(eq=False)
class _Desk:
    """A worker, and what lies before it."""

    slot: int
    worker: Worker
    ready: bool = False
    since_s: float = field(default_factory=time.monotonic)  # of the last sign of life
    left: deque[GroundingSample] = field(default_factory=lambda: deque[GroundingSample]())


class PoolExecutor:
    """`open_force` starts what workers need, such as a cluster, and is called once there is something to ask."""

    def __init__(
        self, open_force: Callable[[], Force], limits: Limits, check: Callable[[Mapping[str, Any]], None]
    ) -> None:
        self._open_force = open_force
        self._limits = limits
        self._check = check

    def answers(self, chunks: Sequence[Chunk], stop: Callable[[], bool]) -> Generator[Answered]:
        if not chunks or stop():
            return
        force = self._open_force()
        try:
            yield from _Shift(force, chunks, self._limits, self._check).work(stop)
        finally:
            force.close()


class _Shift:
    def __init__(
        self, force: Force, chunks: Sequence[Chunk], limits: Limits, check: Callable[[Mapping[str, Any]], None]
    ) -> None:
        self._force = force
        self._limits = limits
        self._check = check
        self._waiting = deque(chunks)
        self._tries = Counter[str]()
        self._starts_in_vain = 0
        self._desks: list[_Desk] = []

    def work(self, stop: Callable[[], bool]) -> Generator[Answered]:
        for slot in range(min(self._force.size, len(self._waiting))):
            self._desks.append(_Desk(slot, self._force.start(slot)))
        while self._waiting or any(desk.left for desk in self._desks):
            for desk in self._desks:
                if desk.ready and not desk.left and self._waiting:
                    self._give(desk)
            if stop():
                return
            for worker, event in self._force.hear(HEARD_S):
                desk = next((desk for desk in self._desks if desk.worker is worker), None)
                if desk is not None:
                    yield from self._heard(desk, event)
            for desk in tuple(self._desks):
                yield from self._look_at_the_clock(desk)

    def _give(self, desk: _Desk) -> None:
        desk.left.extend(self._waiting.popleft())
        desk.since_s = time.monotonic()
        desk.worker.give(tuple(desk.left))

    def _heard(self, desk: _Desk, event: Event) -> Generator[Answered]:
        waited_s = time.monotonic() - desk.since_s
        desk.since_s = time.monotonic()
        match event:
            case Ready(facts):
                self._check(facts)
                desk.ready = True
            case Told(prediction, model_s):
                self._starts_in_vain = 0
                sample = desk.left.popleft()
                yield Answered(
                    prediction=prediction,
                    model_s=model_s,
                    wait_s=max(0.0, waited_s - model_s),
                    attempts=self._tries[sample.id] + 1,
                    worker=desk.worker.name,
                )
            case Raised(error):
                sample = desk.left.popleft()
                yield from self._try_again(sample, crashed(sample.id, error), desk.worker.name)
            case Died(why):
                yield from self._replace(desk, why)
            case CannotOpen(error):
                raise error

    def _look_at_the_clock(self, desk: _Desk) -> Generator[Answered]:
        quiet_s = time.monotonic() - desk.since_s
        if not desk.ready:
            if quiet_s > START_S:
                yield from self._replace(desk, f"it has loaded no model within {START_S:.0f} s")
        elif desk.left and self._limits.timeout_s is not None and quiet_s > self._limits.timeout_s:
            yield from self._replace(desk, None)

    def _replace(self, desk: _Desk, why: str | None) -> Generator[Answered]:
        """`why` is None where the sample in flight took too long."""
        desk.worker.kill()
        self._desks.remove(desk)
        if not desk.ready:
            self._starts_in_vain += 1
            if self._starts_in_vain >= MAX_STARTS:
                raise WorkersDie(
                    f"{MAX_STARTS} workers in a row died before they had loaded the model, the last: {why}. Try "
                    "--executor inline, which shows what happens, or fewer --workers where memory runs out"
                )
        elif desk.left:
            sample = desk.left.popleft()
            if desk.left:
                self._waiting.appendleft(tuple(desk.left))
            given_up = timed_out(sample.id, self._limits) if why is None else crashed(sample.id, why)
            yield from self._try_again(sample, given_up, desk.worker.name)
        if self._waiting or any(other.left for other in self._desks):
            self._desks.append(_Desk(desk.slot, self._force.start(desk.slot)))

    def _try_again(self, sample: GroundingSample, given_up: Prediction, worker: str) -> Generator[Answered]:
        self._tries[sample.id] += 1
        if self._tries[sample.id] <= self._limits.retries:
            self._waiting.appendleft((sample,))
            return
        attempts = self._tries[sample.id]
        yield Answered(prediction=given_up, model_s=None, wait_s=None, attempts=attempts, worker=worker)
