"""What `run.json` holds, and where runs are kept."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from ..errors import TrajectoryError

FORMAT, FORMAT_VERSION = "moonhand-trajectory", 1
READABLE = (1,)  # every version there has been
RUN_FILE, STEPS_FILE = "run.json", "steps.jsonl"
RESERVE_FILE = ".reserve"  # there while a run goes on: its room is for the result, where the disk is full by then
VERSIONED = ("moonhand", "torch", "playwright", "pyautogui", "mss", "numpy", "pillow", "pydantic", "tiktoken")


def read_run(path: Path) -> Mapping[str, Any]:
    """What a `run.json` says. TrajectoryError where it is none, or of a version that is not known."""
    try:
        run: object = json.loads(path.read_bytes())
    except OSError as error:
        said = f"{path.parent} holds no trajectory: {RUN_FILE}: {error.strerror}"
        raise TrajectoryError(f"{said}. `moonhand traj ls` lists those under ./runs") from error
    except ValueError as error:
        raise TrajectoryError(f"{path} is not JSON: {error}") from error
    if not isinstance(run, dict) or cast(dict[str, Any], run).get("format") != FORMAT:
        raise TrajectoryError(f"{path} does not say format {FORMAT!r}: this is not a trajectory")
    said = cast(dict[str, Any], run)
    if said.get("version") not in READABLE:
        raise TrajectoryError(f"{path} has version {said.get('version')}; this moonhand reads version {FORMAT_VERSION}")
    return said


def new_run_folder(root: Path | str) -> Path:
    """A folder name under `root` that is free and sorts by time; nothing is made yet."""
    name = datetime.now(UTC).strftime("%Y-%m-%d_%H-%M-%S")
    folder, number = Path(root) / name, 1
    while folder.exists():
        number += 1
        folder = Path(root) / f"{name}_{number}"
    return folder


def versions() -> dict[str, str]:
    """What a run depends on, for `run.json`; nothing is imported to find out."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in VERSIONED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
