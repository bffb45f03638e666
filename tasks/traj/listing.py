"""The recorded runs in a folder, each in a few words."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...agent import Recording, TrajectoryError, read_trajectory
from ...agent.trajectory import RUN_FILE, STEPS_FILE

DEEPEST = 4  # folders below the root in which runs are looked for


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A run as a row. Where the folder cannot be opened, `broken` says why and the rest is empty."""

    path: Path
    started_at_s: float | None  # seconds since the epoch
    goal: str = ""
    source: str = ""
    status: str = "broken"
    success: bool | None = None
    num_steps: int = 0
    time_s: float | None = None  # from the start to the end, or to the last step of a run that was killed
    num_bytes: int = 0  # of all files in the folder
    problems: tuple[str, ...] = ()
    broken: str | None = None

    def to_json(self) -> dict[str, Any]:
        named = {"num_steps": "steps", "num_bytes": "bytes"}
        return {named.get(key, key): value for key, value in asdict(self).items()} | {"path": str(self.path)}


def list_runs(root: Path) -> list[Listed]:
    """All runs in a folder and below, the newest first, those without a time last. TrajectoryError for no folder."""
    if not root.is_dir():
        raise TrajectoryError(f"there is no folder {root}: name the one that runs are kept in")
    return sorted(map(listed, _folders(root)), key=lambda run: (-(run.started_at_s or 0), str(run.path)))


def listed(folder: Path) -> Listed:
    """One run as a row."""
    num_bytes = sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
    try:
        recording = read_trajectory(folder)
    except TrajectoryError as error:
        return Listed(path=folder, started_at_s=_written_at_s(folder), num_bytes=num_bytes, broken=str(error))
    run, result = recording.run, recording.result
    return Listed(
        path=folder,
        started_at_s=_number(run.get("started_at_s")),
        goal=recording.goal,
        source=str(run.get("source", "agent")),
        status=str(run.get("status", "")),
        success=None if result is None else result.success,
        num_steps=len(recording.steps),
        time_s=run_time_s(recording),
        num_bytes=num_bytes,
        problems=recording.problems,
    )


def run_time_s(recording: Recording) -> float | None:
    """From the start of a run to its end, or to its last step where it was killed; None where neither is known."""
    started_s, ended_s = (_number(recording.run.get(name)) for name in ("started_at_s", "ended_at_s"))
    if ended_s is None and recording.steps:
        ended_s = recording.steps[-1].started_at_s
    return None if started_s is None or ended_s is None else max(0.0, ended_s - started_s)


def as_one_line(runs: list[Listed], root: Path) -> dict[str, Any]:
    """For programs."""
    return json.loads(json.dumps({"root": str(root), "runs": [run.to_json() for run in runs]}))


def _folders(root: Path) -> Iterator[Path]:
    """Folders that hold a run, or what is left of one; nothing is looked for within them."""
    for folder, names, files in os.walk(root):
        if RUN_FILE in files or STEPS_FILE in files:
            names.clear()
            yield Path(folder)
            continue
        too_deep = len(Path(folder).relative_to(root).parts) >= DEEPEST
        names[:] = [] if too_deep else sorted(name for name in names if not name.startswith("."))


def _written_at_s(folder: Path) -> float | None:
    for name in (RUN_FILE, STEPS_FILE):
        if (folder / name).exists():
            return (folder / name).stat().st_mtime
    return None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
