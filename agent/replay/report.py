"""What a replay found, step by step, beside its trajectory."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import TrajectoryError
from ..trajectory.disk import DiskTrouble, write_atomically
from .divergence import Divergence

REPORT_FILE = "replay.json"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How one recorded step went. `verdict`: done | healed | stopped | skipped (by the person asked)."""

    recorded: int  # index of the step in the recording
    step: int  # and in the replay
    verdict: str
    how: str | None = None
    kind: str | None = None
    said: str = ""
    same_after: bool | None = None  # whether the screen then looked as recorded; None: nobody could tell
    waited_s: float = 0.0
    overhead_s: float = 0.0  # all but acting, settling and waiting


def write_report(folder: Path, mode: str, verdicts: list[Verdict], divergence: Divergence | None) -> None:
    told = {
        "mode": mode,
        "divergence": None if divergence is None else asdict(divergence),
        "steps": [asdict(verdict) for verdict in verdicts],
    }
    with DiskTrouble(folder, len(verdicts)):
        write_atomically(folder / REPORT_FILE, json.dumps(told, indent=2).encode())


def read_report(folder: Path) -> dict[str, Any]:
    """TrajectoryError where the folder holds no replay."""
    try:
        return json.loads((folder / REPORT_FILE).read_bytes())
    except OSError as error:
        raise TrajectoryError(f"{folder} holds no replay: {REPORT_FILE}: {error.strerror}") from error
    except ValueError as error:
        raise TrajectoryError(f"{folder / REPORT_FILE} is not JSON: {error}") from error
