"""The bundled runs, and `moonhand traj`."""

from __future__ import annotations

from pathlib import Path

from moonhand.tasks.cli import app
from typer.testing import CliRunner, Result

BUNDLED = Path(__file__).parent.parent.parent / "trajectories"


def traj(*words: str | Path) -> Result:
    """`moonhand traj ...`"""
    return CliRunner().invoke(app, ["traj", *map(str, words)], catch_exceptions=False, env={"COLUMNS": "160"})
