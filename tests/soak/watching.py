"""What a long run leaves behind: memory, processes, threads, file descriptors and files, sampled and judged."""

from __future__ import annotations

import ctypes
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import combinations
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
MIB = 1024


@dataclass(frozen=True, kw_only=True)
class Sample:
    """At one moment: of this process, and of all it started ("tree")."""

    num_actions: int
    own_mib: float  # proportional set size
    tree_mib: float
    processes: int
    threads: int  # of this process
    tree_threads: int
    descriptors: int  # of this process
    temp_files: int  # in the folder for temporary files


@dataclass(frozen=True, kw_only=True)
class Growth:
    """How much one value grew over the whole of the samples, by their robust slope."""

    name: str
    first: float
    last: float
    growth: float
    limit: float

    @property
    def is_leak(self) -> bool:
        return self.growth > self.limit


def adopt_orphans() -> None:
    """What our programs leave behind becomes our child, and so can be seen."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants() -> dict[int, str]:
    """The processes under this one by their id, with their names, but for those that are dead."""
    parents: dict[int, tuple[int, str, str]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                name, _, rest = (entry / "stat").read_text(errors="replace").partition("(")[2].rpartition(")")
            except OSError:
                continue
            state, parent = rest.split()[:2]
            parents[int(entry.name)] = (int(parent), name, state)
    found: dict[int, str] = {}
    todo = [os.getpid()]
    while todo:
        above = todo.pop()
        for process_id, (parent, name, state) in parents.items():
            if parent == above and state != "Z":
                found[process_id] = name
                todo.append(process_id)
    return found


def wait_until_alone(known: set[int], limit_s: float = 5.0) -> dict[int, str]:
    """What is left, after some time to end, beside the known processes."""
    deadline_s = time.monotonic() + limit_s
    while True:
        left = {process_id: name for process_id, name in descendants().items() if process_id not in known}
        if not left or time.monotonic() > deadline_s:
            return left
        time.sleep(0.02)


def own_displays() -> set[str]:
    """The numbers of the X displays that processes under this one serve."""
    below = descendants()
    return {
        lock.name.removeprefix(".X").removesuffix("-lock")
        for lock in Path("/tmp").glob(".X*-lock")
        if _owner(lock) in below
    }


def stale_files(displays: set[str]) -> list[str]:
    """Locks and sockets that stayed behind of these displays; another program may have taken the number since."""
    stale: list[str] = []
    for number in sorted(displays):
        lock, socket = Path(f"/tmp/.X{number}-lock"), Path(f"/tmp/.X11-unix/X{number}")
        owner = _owner(lock)
        if owner is None or not Path(f"/proc/{owner}").exists():
            stale.extend(str(path) for path in (lock, socket) if path.exists())
    return stale


def _owner(lock: Path) -> int | None:
    try:
        return int(lock.read_text().strip())
    except (OSError, ValueError):
        return None


def sample(num_actions: int, temp: Path) -> Sample:
    below = descendants()
    return Sample(
        num_actions=num_actions,
        own_mib=_pss_mib(os.getpid()),
        tree_mib=sum(map(_pss_mib, below)),
        processes=len(below),
        threads=_num_threads(os.getpid()),
        tree_threads=sum(map(_num_threads, below)),
        descriptors=len(os.listdir("/proc/self/fd")),
        temp_files=sum(len(files) + len(folders) for _, folders, files in os.walk(temp)),
    )


def judge(samples: Sequence[Sample], limits: dict[str, float]) -> list[Growth]:
    """The growth of every value that has a limit. The first quarter of the samples is the warming up.

    The slope is the median of the slopes between all pairs of samples (Theil and Sen), which one outlier in four does
    not move; it counts only if the last third lies above the first third by as much.
    """
    kept = samples[len(samples) // 4 :]
    if len(kept) < 4:
        raise ValueError(f"{len(samples)} samples are too few to tell a slope: take at least 6")
    found: list[Growth] = []
    for field in fields(Sample):
        if field.name not in limits:
            continue
        values = [(each.num_actions, float(getattr(each, field.name))) for each in kept]
        slope = statistics.median((y1 - y0) / (x1 - x0) for (x0, y0), (x1, y1) in combinations(values, 2) if x1 != x0)
        third = max(1, len(values) // 3)
        first = statistics.median(value for _, value in values[:third])
        last = statistics.median(value for _, value in values[-third:])
        growth = min(slope * (values[-1][0] - values[0][0]), 1.5 * (last - first))  # a line's thirds lie 2/3 apart
        found.append(Growth(name=field.name, first=first, last=last, growth=growth, limit=limits[field.name]))
    return found


def _pss_mib(process_id: int) -> float:
    try:
        lines = Path(f"/proc/{process_id}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / MIB for line in lines if line.startswith("Pss:")), 0.0)


def _num_threads(process_id: int) -> int:
    try:
        return len(os.listdir(f"/proc/{process_id}/task"))
    except OSError:
        return 0
