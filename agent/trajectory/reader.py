"""A trajectory read back, whatever state its folder is in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from .lines import read_line
from .missing import missing_in_words, missing_steps, promised_steps
from .record import RunResult, Source, Step, Variable
from .run_file import RUN_FILE, STEPS_FILE, read_run

TORN = "the last line is torn (the run was killed while writing it)"


@dataclass(frozen=True)
class Recording:
    """A trajectory read back. `problems` names what was damaged and left out; empty for a whole one.

    `missing` are the indices of steps that were made and are not there.
    """

    path: Path
    run: Mapping[str, Any]
    steps: tuple[Step, ...]
    problems: tuple[str, ...] = field(default=())
    missing: tuple[range, ...] = ()

    @property
    def goal(self) -> str:
        return str(self.run.get("goal", ""))

    @property
    def source(self) -> Source:
        """Who acted; runs from before it was written were all an agent's."""
        return cast(Source, self.run.get("source", "agent"))

    @property
    def variables(self) -> dict[str, Variable]:
        """The texts that a replay may be given other values for, by their names."""
        said = cast(dict[str, dict[str, Any]], self.run.get("variables") or {})
        return {name: Variable(step=int(one["step"]), default=str(one["default"])) for name, one in said.items()}

    @cached_property
    def result(self) -> RunResult | None:
        """None for a run that was killed or is still going."""
        result = self.run.get("result")
        if not isinstance(result, dict):
            return None
        said = cast(dict[str, Any], result)
        return RunResult(
            status=str(said["status"]),
            success=said["success"],
            steps=int(said["steps"]),
            path=self.path,
            answer=str(said.get("answer", "")),
            error=said.get("error"),
        )


def read_trajectory(path: Path | str) -> Recording:
    """Open a trajectory, also one whose run was killed. TrajectoryError if the folder holds none."""
    folder = Path(path)
    run = read_run(folder / RUN_FILE)
    steps: list[Step] = []
    problems: list[str] = []
    try:
        lines = (folder / STEPS_FILE).read_bytes().split(b"\n")
    except FileNotFoundError:  # killed before its first step
        lines = [b""]
        if run.get("status") != "running":
            problems.append(f"{STEPS_FILE} is missing")
    except OSError as error:
        lines, problems = [b""], [f"{STEPS_FILE} cannot be read: {error.strerror}"]
    for number, line in enumerate(lines, start=1):
        is_last = number == len(lines)
        if is_last and not line:
            break
        try:
            step = read_line(line, folder)
        except ValueError as error:
            if is_last:
                problems.append(f"{STEPS_FILE}: {TORN} and was dropped")
            else:
                problems.append(f"{STEPS_FILE} line {number} is not a step and was dropped: {error}")
            continue
        steps.append(step)
        missing = {path.name for stored in (step.before, step.after) if stored for path in stored.missing}
        problems.extend(f"step {step.index + 1}: frame {name} is missing" for name in sorted(missing))
    lost = missing_steps([step.index for step in steps], promised_steps(run))
    problems.extend(map(missing_in_words, lost))
    return Recording(folder, run, tuple(steps), tuple(problems), lost)
