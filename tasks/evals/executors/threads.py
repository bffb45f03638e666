"""Many requests to a server under way at once: the workers are threads that share one asker."""

from __future__ import annotations

import time
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from threading import Thread

from ..asker import Asker, AskerSource
from ..sample import GroundingSample
from .pool import Event, Ready, Told, event_of


class ThreadWorker:
    """One thread. It cannot be killed: a killed one is not listened to any more, and ends after its answer."""

    def __init__(self, asker: Asker, slot: int, mouth: SimpleQueue[tuple[ThreadWorker, Event]]) -> None:
        self.alive = True
        self._asker = asker
        self._slot = slot
        self._mouth = mouth
        self._given: SimpleQueue[tuple[GroundingSample, ...] | None] = SimpleQueue()
        Thread(target=self._work, name=self.name, daemon=True).start()

    @property
    def name(self) -> str:
        return f"thread-{self._slot}"

    def give(self, samples: Sequence[GroundingSample]) -> None:
        self._given.put(tuple(samples))

    def kill(self) -> None:
        self.alive = False
        self._given.put(None)

    def _work(self) -> None:
        self._say(Ready(dict(self._asker.facts)))
        while (samples := self._given.get()) is not None:
            for sample in samples:
                if not self.alive:
                    return
                started_s = time.monotonic()
                try:
                    asked = self._asker.ask(sample)
                except Exception as error:  # whatever it is: the driver decides what becomes of the sample
                    self._say(event_of(error))
                    continue
                self._say(Told(asked.prediction, asked.model_s, time.monotonic() - started_s))

    def _say(self, event: Event) -> None:
        if self.alive:
            self._mouth.put((self, event))


class ThreadForce:
    """All threads of one asker, opened here."""

    def __init__(self, source: AskerSource, size: int) -> None:
        self.size = size
        self._asker = source.open(0)
        self._mouth: SimpleQueue[tuple[ThreadWorker, Event]] = SimpleQueue()
        self._workers: list[ThreadWorker] = []

    def start(self, slot: int) -> ThreadWorker:
        worker = ThreadWorker(self._asker, slot, self._mouth)
        self._workers.append(worker)
        return worker

    def hear(self, timeout_s: float) -> list[tuple[ThreadWorker, Event]]:
        heard: list[tuple[ThreadWorker, Event]] = []
        try:
            heard.append(self._mouth.get(timeout=timeout_s))
            while True:
                heard.append(self._mouth.get_nowait())
        except Empty:
            pass
        return heard

    def close(self) -> None:
        for worker in self._workers:
            worker.kill()
        self._asker.close()
