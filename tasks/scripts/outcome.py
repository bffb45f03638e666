"""What came of a script, step by step."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import JsonValue

from ...agent import RunResult
from ..live import UNSURE
from .hands import How
from .tree import Script, Spot
from .values import Value

Status = Literal["passed", "failed", "tolerated", "not reached"]
"""tolerated: it failed, and is optional. not reached: the run ended before it, or in the midst of it."""


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """One step as it was carried out; a step of a loop once for each round."""

    number: str  # "4.2.1": step 4, its second round, the first step there
    depth: int  # how many steps it lies within
    verb: str
    said: str  # what it does, in words
    spot: Spot
    name: str | None = None
    status: Status = "not reached"
    how: How | None = None  # what found its place or told whether it holds
    confidence: float | None = None  # 0..1, of a model in what it found; None where none told it
    found: str = ""  # what was found, in words
    error: str | None = None
    picture: Path | None = None  # of the screen when it failed
    took_s: float = 0.0
    num_tries: int = 0
    first: int = 0  # the trajectory's steps that belong to it, those within it included
    num_steps: int = 0

    @property
    def is_unsure(self) -> bool:
        """Found by a model that gave it less than an even chance of being right."""
        return self.confidence is not None and self.confidence < UNSURE

    def to_json(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "name": self.name,
            "verb": self.verb,
            "said": self.said,
            "file": self.spot.file,
            "line": self.spot.line,
            "status": self.status,
            "how": self.how,
            "confidence": None if self.confidence is None else round(self.confidence, 4),
            "unsure": self.is_unsure,
            "found": self.found,
            "error": self.error,
            "picture": None if self.picture is None else str(self.picture),
            "took_s": round(self.took_s, 3),
            "tries": self.num_tries,
            "trajectory_steps": [self.first, self.first + self.num_steps],
        }


@dataclass(frozen=True)
class CheckResult:
    """What the page said when it was asked, against what the script expects."""

    js: str
    equals: JsonValue
    found: JsonValue
    ok: bool
    error: str | None = None

    @property
    def trouble(self) -> str:
        """What is wrong, of one that does not hold."""
        found = self.error or f"it is {json.dumps(self.found, ensure_ascii=False)}"
        return f"check {self.js}: expected {json.dumps(self.equals, ensure_ascii=False)}, and {found}"

    def to_json(self) -> dict[str, JsonValue]:
        return {"js": self.js, "equals": self.equals, "found": self.found, "ok": self.ok, "error": self.error}


@dataclass(frozen=True, kw_only=True)
class CacheUse:
    """What was found without a model, and with one."""

    folder: Path | None  # None: no cache
    num_found: int = 0  # things found where an earlier run found them
    num_asked: int = 0  # things that the model was asked for
    num_calls: int = 0  # replies that the model gave in all
    num_kept: int = 0  # things written for the next run; 0: nothing was new, or the run failed

    def to_json(self) -> dict[str, Any]:
        return {
            "folder": None if self.folder is None else str(self.folder),
            "found": self.num_found,
            "asked": self.num_asked,
            "model_calls": self.num_calls,
            "kept": self.num_kept,
        }


@dataclass(frozen=True, kw_only=True)
class ScriptOutcome:
    """How one script ended. `result` is None where no screen could be opened for it."""

    script: Script
    result: RunResult | None
    steps: Sequence[StepResult] = ()
    checks: tuple[CheckResult, ...] = ()
    variables: Mapping[str, Value]  # read off the screen
    cache: CacheUse
    took_s: float = 0.0
    started_at_s: float = 0.0  # since the epoch
    num_tries: int = 1
    trouble: Exception | None = None  # of the screen, the model or the disk, which ended it

    @property
    def is_passed(self) -> bool:
        result = self.result
        ended_well = result is not None and result.status in ("finished", "dry_run") and result.success is not False
        return self.trouble is None and ended_well

    @property
    def error(self) -> str | None:
        """Why it did not pass, in one line."""
        if self.trouble is not None:
            return str(self.trouble)
        if self.result is None or self.is_passed:
            return None
        wrong = next((check for check in self.checks if not check.ok), None)
        failed = f"{self.script.path}: {wrong.trouble}" if wrong is not None else None
        return self.result.error or self.result.answer or failed or self.result.status

    def to_json(self) -> dict[str, Any]:
        """As a run without a script tells of itself, and more."""
        nothing = {
            "status": "error",
            "success": None,
            "steps": 0,
            "trajectory": None,
            "answer": "",
            "error": self.error,
        }
        return (nothing if self.result is None else self.result.to_json()) | {
            "checks": [check.to_json() for check in self.checks],
            "script": {"name": self.script.name, "file": str(self.script.path)},
            "script_steps": [step.to_json() for step in self.steps],
            "variables": dict(self.variables),
            "cache": self.cache.to_json(),
            "took_s": round(self.took_s, 3),
            "tries": self.num_tries,
        }
