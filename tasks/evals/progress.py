"""How a run goes, for people: a live line in a terminal, a plain one now and then elsewhere, or nothing."""

from __future__ import annotations

import time
from collections import Counter

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from .prediction import Prediction
from .sample import GroundingSample
from .statistics import wilson
from .verdict import judge

PLAIN_EVERY_S = 10.0


class RunProgress:
    """A `Watch` that shows done of total, accuracy with its 95 % interval, rows a second, what is left, failures.

    The accuracy is of the rows that are there: the largest pictures come first, so it moves as the run goes on.
    """

    def __init__(self, console: Console | None) -> None:
        """Without a console nothing is shown."""
        self._console = console
        self._bar = (
            Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[told]}"),
                console=console,
            )
            if console is not None and console.is_terminal
            else None
        )
        self._task = None if self._bar is None else self._bar.add_task("asking", total=None, told="")
        self._total = self._done = self._fresh = self._correct = 0
        self._failures = Counter[str]()
        self._began_s = self._plain_s = time.monotonic()

    def __enter__(self) -> RunProgress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def begin(self, done: int, total: int) -> None:
        self._total = total
        self._began_s = self._plain_s = time.monotonic()
        if done and self._console is not None:
            self._console.print(f"going on: {done} of {total} rows are there", highlight=False)

    def row(self, sample: GroundingSample, prediction: Prediction, *, fresh: bool) -> None:
        self._done += 1
        self._fresh += fresh
        self._correct += judge(sample, prediction).correct
        if prediction.failure is not None:
            self._failures[prediction.failure.value] += 1
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self._done, total=self._total, told=self.told())
        elif self._console is not None and fresh:
            now_s = time.monotonic()
            if now_s > self._plain_s + PLAIN_EVERY_S or self._done == self._total:
                self._plain_s = now_s
                self._console.print(f"{self._done}/{self._total}  {self.told()}", highlight=False, soft_wrap=True)

    def told(self) -> str:
        low, high = wilson(self._correct, self._done)
        parts = [f"accuracy {self._correct / self._done:.1%} ({low:.1%} to {high:.1%})"]
        spent_s = time.monotonic() - self._began_s
        if self._fresh and spent_s > 0:
            rate = self._fresh / spent_s
            parts += [f"{rate:.2f} rows/s", f"{span((self._total - self._done) / rate)} left"]
        parts += [f"{count} {name}" for name, count in sorted(self._failures.items())]
        return "  ".join(parts)


def span(seconds: float) -> str:
    """Such as 45 s, 3 min 20 s, 5 h 3 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
