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
from ....model.errors import ModelError
from ...errors import TaskError
from ..asker import NobodyAnswers, TookTooLong
from ..plan import Chunk
from ..prediction import Prediction
from ..sample import GroundingSample
from .answered import Answered, Limits, crashed, timed_out, too_late, words_of

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
    """The asker raised for the next sample; the worker goes on. A `sick` one may raise for every other from now on."""

    error: str
    sick: bool


@dataclass(frozen=True)
class Late:
    """The asker waited in vain for the next sample's reply; the worker goes on."""

    error: str


@dataclass(frozen=True)
class Died:
    why: str


@dataclass(frozen=True)
class CannotOpen:
    """Every worker would fail with this, now or with every sample: there is no use in another."""

    error: Exception


Event: TypeAlias = Ready | Told | Raised | Late | Died | CannotOpen


def event_of(error: Exception) -> Event:
    """What a worker says of an error over a sample. One that was expected is about the sample, or about a server."""
    match error:
        case NobodyAnswers():
            return CannotOpen(error.error)
        case TookTooLong():
            return Late(str(error))
        case _:
            return Raised(words_of(error), sick=not isinstance(error, TaskError | EnvError | ModelError))


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
    first: Chunk = ()  # what it is to be given before anything else
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
        while self._waiting or self._has_work():
            for desk in self._desks:
                if desk.ready and not desk.left and (desk.first or self._waiting):
                    self._give(desk)
            if stop():
                return
            heard = self._force.hear(HEARD_S)
            while heard:  # all that was said before the clock is looked at: it may be this process that was held up
                for worker, event in heard:
                    desk = next((desk for desk in self._desks if desk.worker is worker), None)
                    if desk is not None:
                        yield from self._heard(desk, event)
                heard = self._force.hear(0)
            late = [(desk, why) for desk in self._desks if (why := self._why_late(desk)) is not None]
            for desk, why in late:
                yield from self._replace(desk, why, in_time=not desk.ready)

    def _has_work(self) -> bool:
        return any(desk.left or desk.first for desk in self._desks)

    def _give(self, desk: _Desk) -> None:
        desk.left.extend(desk.first or self._waiting.popleft())
        desk.first = ()
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
            case Raised(error, sick=True):
                yield from self._replace(desk, error, sick=True)
            case Raised(error):
                sample = desk.left.popleft()
                yield from self._try_again(sample, crashed(sample.id, error), desk.worker.name)
            case Late(error):
                sample = desk.left.popleft()
                yield from self._try_again(sample, timed_out(sample.id, error), desk.worker.name)
            case Died(why):
                yield from self._replace(desk, why)
            case CannotOpen(error):
                raise error

    def _why_late(self, desk: _Desk) -> str | None:
        quiet_s = time.monotonic() - desk.since_s
        if not desk.ready:
            return f"it has loaded no model within {START_S:.0f} s" if quiet_s > START_S else None
        over = desk.left and self._limits.timeout_s is not None and quiet_s > self._limits.timeout_s
        return too_late(self._limits) if over else None

    def _replace(self, desk: _Desk, why: str, *, in_time: bool = True, sick: bool = False) -> Generator[Answered]:
        """By a worker afresh. Not `in_time`: the sample in flight took too long. After a `sick` one that sample is for
        the fresh worker: others may be as sick."""
        first = desk.first
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
            given_up = crashed(sample.id, why) if in_time else timed_out(sample.id, why)
            yield from self._try_again(sample, given_up, desk.worker.name)
            if sick and self._waiting and self._waiting[0] == (sample,):
                first = self._waiting.popleft()
        if first or self._waiting or self._has_work():
            self._desks.append(_Desk(desk.slot, self._force.start(desk.slot), first=first))

    def _try_again(self, sample: GroundingSample, given_up: Prediction, worker: str) -> Generator[Answered]:
        self._tries[sample.id] += 1
        if self._tries[sample.id] <= self._limits.retries:
            self._waiting.appendleft((sample,))
            return
        attempts = self._tries[sample.id]
        yield Answered(prediction=given_up, model_s=None, wait_s=None, attempts=attempts, worker=worker)
