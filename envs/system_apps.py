"""Programs of macOS and of Windows, by the names their users know."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from .actions import OpenApp
from .errors import UnsupportedAction
from .wording import describe

START_LIMIT_S = 10.0  # how long the system may take to find a program


def open_system_app(action: OpenApp) -> str:
    """Bring it to the front or start it; what came of it. UnsupportedAction where there is no program of that name."""
    return open_on_mac(action) if sys.platform == "darwin" else open_on_windows(action)


def open_on_mac(action: OpenApp) -> str:
    """By `open -a`, which does nothing where there is no such program."""
    command = ["open", "-a", action.name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=START_LIMIT_S, check=False)
    if done.returncode:
        raise UnsupportedAction(f"{describe(action)}: {done.stderr.strip() or 'no program of that name'}")
    return "it is in front"


def open_on_windows(action: OpenApp) -> str:
    """As `start` does, but without a shell that would read the name."""
    start: Any = getattr(os, "startfile")  # noqa: B009 (Windows alone has it)
    try:
        start(action.name)
    except OSError as error:
        raise UnsupportedAction(f"{describe(action)}: {error.strerror or 'no program of that name'}") from error
    return "it was started"
