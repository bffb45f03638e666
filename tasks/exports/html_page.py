"""A run as one HTML page: the viewer, in a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...agent import Recording
from .exported import Exported, check_steps, only_one


def write_html(recordings: Sequence[Recording], out: Path) -> Exported:
    """What `moonhand traj view --out` writes."""
    from ..viewer.page import write_page

    recording = only_one(recordings, "a page")
    check_steps(recordings)
    written = write_page(recording, out)
    return Exported(files=(written.path,), num_steps=written.num_steps, notes=written.problems)
