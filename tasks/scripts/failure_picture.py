"""What the screen shows when a step has failed, with what was looked for on it, and where it was found."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ...agent import Mark, draw
from ...agent.overlay import FAILED, to_png
from ...envs import Env, EnvError
from .failures import StepFailed
from .values import shortened

LONGEST_LABEL = 120  # characters


def draw_failure(failure: StepFailed, env: Env, path: Path) -> Path | None:
    """Where the picture is; None where there is none to be had."""
    said = failure.said if failure.looked_for is None else f"looked for: {failure.looked_for}"
    mark = Mark(label=shortened(said, LONGEST_LABEL), colour=FAILED)
    if failure.at is not None and failure.confidence is not None:
        label = f"{mark.label} ({failure.confidence:.0%} sure)"
        mark = replace(mark, label=label, x_px=failure.at.x_px, y_px=failure.at.y_px)
    with suppress(EnvError, OSError):
        path.write_bytes(to_png(draw(env.observe(), [mark])))
        return path
    return None
