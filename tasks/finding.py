"""What the doctor finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Group = Literal["machine", "page", "desktop", "model", "extra"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `mend` is a shell command, None where nothing needs mending."""

    group: Group
    name: str
    ok: bool
    needed: bool  # False: only some commands need it, `detail` says which
    detail: str
    mend: str | None = None
    took_s: float = 0.0
