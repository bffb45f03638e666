"""One after the other, in this process and thread: nothing to start, and nothing that could end an answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

from ..asker import Asker, AskerSource, NobodyAnswers, TookTooLong
from ..plan import Chunk
from ..sample import GroundingSample
from .answered import Answered, Limits, crashed, timed_out, too_late, words_of


class InlineExecutor:
    """An answer that comes after its time is a time-out, as elsewhere; one that never comes holds all up."""

    def __init__(self, source: AskerSource, limits: Limits, check: Callable[[Mapping[str, Any]], None]) -> None:
        """`check` raises for facts that contradict the manifest."""
        self._source = source
        self._limits = limits
        self._check = check

    def answers(self, chunks: Sequence[Chunk], stop: Callable[[], bool]) -> Generator[Answered]:
        if not chunks or stop():
            return
        asker = self._source.open(0)
        try:
            self._check(asker.facts)
            for chunk in chunks:
                for sample in chunk:
                    if stop():
                        return
                    yield self._ask(asker, sample)
        finally:
            asker.close()

    def _ask(self, asker: Asker, sample: GroundingSample) -> Answered:
        last = crashed(sample.id, "")
        for attempt in range(1, self._limits.retries + 2):
            started_s = time.monotonic()
            try:
                asked = asker.ask(sample)
            except NobodyAnswers as error:
                raise error.error from error
            except TookTooLong as error:
                last = timed_out(sample.id, str(error))
                continue
            except Exception as error:  # whatever it is: a row that says so, and the next sample
                last = crashed(sample.id, words_of(error))
                continue
            took_s = time.monotonic() - started_s
            if self._limits.timeout_s is not None and took_s > self._limits.timeout_s:
                last = timed_out(sample.id, too_late(self._limits))
                continue
            return Answered(
                prediction=asked.prediction,
                model_s=asked.model_s,
                wait_s=max(0.0, took_s - asked.model_s),
                attempts=attempt,
                worker="inline",
            )
        return Answered(prediction=last, model_s=None, wait_s=None, attempts=self._limits.retries + 1, worker="inline")
