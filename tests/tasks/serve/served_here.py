"""What the fixtures of this folder give."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from fastapi import FastAPI
from moonhand.model import Engine
from moonhand.model.scheduler import Scheduler


@dataclass(frozen=True)
class Served:
    """`url` is that of the API; `lines` is the log."""

    url: str
    engine: Engine
    scheduler: Scheduler
    app: FastAPI
    lines: list[str]


Serve = Callable[..., AbstractContextManager[Served]]
