"""Paired measurement: contenders take turns, every sample is kept, and what else the machine did stands beside them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

Call = Callable[[], "float | None"]  # the seconds it measured itself, or None: the whole call counts
Clock = Callable[[], float]


@dataclass(frozen=True)
class Samples:
    """The times of one contender in seconds, in the order taken; `warmup` came before them and does not count."""

    seconds: tuple[float, ...]
    warmup: tuple[float, ...] = ()

    @property
    def median_s(self) -> float:
        return median(self.seconds)

    @property
    def p10_s(self) -> float:
        return quantile(self.seconds, 0.1)

    @property
    def p90_s(self) -> float:
        return quantile(self.seconds, 0.9)

    def to_json(self) -> dict[str, Any]:
        return {
            "median_s": _round(self.median_s),
            "p10_s": _round(self.p10_s),
            "p90_s": _round(self.p90_s),
            "samples": len(self.seconds),
            "seconds": [_round(second) for second in self.seconds],
            "warmup_s": [_round(second) for second in self.warmup],
        }


@dataclass(frozen=True)
class Paired:
    """Samples of contenders that took turns; `others_cores` is how many cores other processes used meanwhile."""

    samples: Mapping[str, Samples]
    others_cores: float | None = None  # None where the system does not say
    tried: Mapping[str, float] = field(default_factory=dict[str, float])  # seconds of what was to choose from

    def ratio(self, ours: str, other: str) -> float:
        """How many times faster `ours` is: the other's median over ours."""
        return self.samples[other].median_s / self.samples[ours].median_s

    def ratio_spread(self, ours: str, other: str) -> tuple[float, float]:
        """The 10th and 90th percentile of the ratio, round by round."""
        pairs = zip(self.samples[other].seconds, self.samples[ours].seconds, strict=True)
        ratios = [theirs / own for theirs, own in pairs]
        return quantile(ratios, 0.1), quantile(ratios, 0.9)


def interleave(
    contenders: Mapping[str, Call],
    *,
    rounds: int = 11,
    warmup: int = 1,
    budget_s: float = 20.0,
    min_rounds: int = 3,
    clock: Clock = time.perf_counter,
) -> Paired:
    """Call all contenders in turn (A B A B ...), so that what slows the machine for a while slows them alike.

    Ends after `rounds`, or when `budget_s` is spent and `min_rounds` are done. Nothing is thrown away.
    """
    if not contenders:
        raise ValueError("there is nothing to measure")
    if rounds < 1 or min_rounds < 1:
        raise ValueError(f"rounds and min_rounds must be >= 1, got {rounds} and {min_rounds}")
    before: dict[str, list[float]] = {name: [] for name in contenders}
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    with Watch() as watch:
        for _ in range(warmup):
            for name, call in contenders.items():
                before[name].append(timed(call, clock))
        started_s = clock()
        for done in range(rounds):
            if done >= min_rounds and clock() - started_s > budget_s:
                break
            for name, call in contenders.items():
                taken[name].append(timed(call, clock))
    samples = {name: Samples(tuple(taken[name]), tuple(before[name])) for name in contenders}
    return Paired(samples, watch.others_cores)


def ours_and_best(
    ours: Call,
    others: Mapping[str, Call],
    *,
    rounds: int = 11,
    budget_s: float = 20.0,
    clock: Clock = time.perf_counter,
) -> tuple[Paired, str | None]:
    """`ours` in turns with the fastest of `others`, and its name.

    Each of the others runs once to warm up; those within twice the fastest of these times run again, and the fastest
    of these second times is chosen. What was tried is in `tried`.
    """
    first = {name: timed(call, clock) for name, call in others.items()}
    near = [name for name, seconds in first.items() if seconds <= 2 * min(first.values())]
    second = {name: timed(others[name], clock) for name in near} if len(near) > 1 else {}
    best = min(near, key=lambda name: second.get(name, 0.0)) if near else None
    contenders = {"ours": ours} | ({"peer": others[best]} if best is not None else {})
    timed(ours, clock)
    paired = interleave(contenders, rounds=rounds, warmup=0, budget_s=budget_s, clock=clock)
    return replace(paired, tried=first | second), best


def timed(call: Call, clock: Clock = time.perf_counter) -> float:
    """Seconds of one call: what it says itself, else from start to end."""
    started_s = clock()
    own_s = call()
    return clock() - started_s if own_s is None else own_s


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of them lie, linear between neighbours."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


class Watch:
    """Within a `with`: how many cores all other processes kept busy, on average."""

    others_cores: float | None = None

    def __enter__(self) -> Watch:
        self._before = (_busy_s(), time.process_time(), time.perf_counter())
        return self

    def __exit__(self, *_: object) -> None:
        busy_s, own_s, now_s = _busy_s(), time.process_time(), time.perf_counter()
        if busy_s is not None and self._before[0] is not None and now_s - self._before[2] > 0.1:
            others_s = (busy_s - self._before[0]) - (own_s - self._before[1])
            self.others_cores = max(0.0, others_s) / (now_s - self._before[2])


def memory_bytes(field: str = "VmHWM") -> int | None:
    """Resident memory of this process: VmHWM its peak, VmRSS now; None where /proc does not say."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    found = next((line for line in lines if line.startswith(f"{field}:")), None)
    return None if found is None else int(found.split()[1]) * 1024


def load_average() -> tuple[float, float, float] | None:
    """The machine's load over 1, 5 and 15 minutes, this program's own included."""
    try:
        return os.getloadavg()
    except OSError:
        return None


def _busy_s() -> float | None:
    """Core seconds all processes have worked since the machine started."""
    try:
        fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
        user, nice, system, _idle, _iowait, irq, softirq, steal = (int(value) for value in fields[:8])
        return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError):
        return None


def _round(value: float) -> float:
    """Six significant digits: what a clock is good for."""
    return float(f"{value:.6g}")
