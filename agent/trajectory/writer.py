"""The writer of a trajectory."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from io import FileIO
from pathlib import Path
from typing import Any, Self

from ...envs import Frame
from ..errors import TrajectoryError
from .disk import DiskTrouble, lock, write_atomically
from .frames import FRAMES_FOLDER, FrameStore, StoredFrame
from .lines import step_to_json
from .record import RunResult, Source, Step, Variable
from .run_file import FORMAT, FORMAT_VERSION, RESERVE_FILE, RUN_FILE, STEPS_FILE, versions

RESERVE_BYTES = 4096  # besides twice what run.json has at first


class Trajectory:
    """The writer. A context manager: left without a result, the run is marked `stopped` or `error`."""

    _is_begun = False  # from here on there may be a file
    result: RunResult | None = None

    def __init__(
        self,
        path: Path | str,
        *,
        goal: str,
        source: Source = "agent",
        policy: Mapping[str, Any] | None = None,
        config: Mapping[str, Any] | None = None,
        env: Mapping[str, Any] | None = None,
        seed: int | None = None,
        prompt_sha256: str | None = None,
        replay_of: str | None = None,
        variables: Mapping[str, Variable] | None = None,
        imported_from: Mapping[str, Any] | None = None,
    ) -> None:
        """Make the folder and write `run.json`. TrajectoryError if it already holds a run or cannot be written.

        `prompt_sha256` is that of the policy's manifest where it is not given, `replay_of` the folder replayed,
        `imported_from` says which other format and file it comes from.
        """
        self.path = Path(path)
        self._num_steps = 0
        self._frames = FrameStore(self.path)
        self._run: dict[str, Any] = {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "source": source,
            "goal": goal,
            "status": "running",
            "started_at_s": time.time(),
            "started_mono_s": time.monotonic(),
            "seed": seed,
            "prompt_sha256": prompt_sha256 or _prompt_sha256(policy),
            "replay_of": replay_of,
            "imported_from": None if imported_from is None else dict(imported_from),
            "variables": {name: asdict(variable) for name, variable in (variables or {}).items()},
            "versions": versions(),
            "policy": dict(policy or {}),
            "config": dict(config or {}),
            "env": dict(env or {}),
            "result": None,
        }
        if (self.path / RUN_FILE).exists() or (self.path / STEPS_FILE).exists():
            raise TrajectoryError(f"{self.path} already holds a run: choose another folder")
        self._steps: FileIO | None = None
        self._pid = os.getpid()
        with self._writing():
            (self.path / FRAMES_FOLDER).mkdir(parents=True, exist_ok=True)
            self._is_begun = True
            self._write_run()  # first: a folder that has steps says whose they are
            room = 2 * (self.path / RUN_FILE).stat().st_size + RESERVE_BYTES
            (self.path / RESERVE_FILE).write_bytes(os.urandom(room))  # which no disk keeps in less
            self._steps = (self.path / STEPS_FILE).open("xb", buffering=0)
            lock(self._steps.fileno())  # until it is closed, however that comes

    def __del__(self) -> None:
        """Stopped where Ctrl-C came before anybody could end it: while it was made, or right after."""
        if not self._is_begun or self.result is not None or self._pid != os.getpid():
            return
        with suppress(Exception):
            if (self.path / RUN_FILE).exists():
                self.finish("stopped")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if self.result is None:
            stopped = error is None or isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit)
            self.finish(
                "stopped" if stopped else "error", error=None if stopped else f"{type(error).__name__}: {error}"
            )
        self.close()

    @property
    def num_steps(self) -> int:
        """How many are on the disk."""
        return self._num_steps

    def store(self, frame: Frame) -> StoredFrame:
        """Put the frame's picture on the disk, unless it is there already."""
        with self._writing():
            return self._frames.store(frame)

    def append(self, step: Step) -> Step:
        """Put the step on the disk before returning. TrajectoryError on a full disk, and the line is taken back."""
        line = json.dumps(step_to_json(step), ensure_ascii=True).encode("ascii") + b"\n"
        steps = self._steps
        assert steps is not None  # else there is no Trajectory
        start = steps.seek(0, os.SEEK_END)
        with self._writing():
            try:
                if steps.write(line) != len(line):
                    raise OSError("only a part of the step was written")
                os.fsync(steps.fileno())
            except OSError:
                steps.truncate(start)
                raise
        self._num_steps += 1
        return step

    def set_variables(self, variables: Mapping[str, Variable]) -> None:
        """Say which texts of the steps a replay may be given other values for, in place of what was said before."""
        self._run["variables"] = {name: asdict(variable) for name, variable in variables.items()}
        with self._writing():
            self._write_run()

    def finish(
        self, status: str, *, success: bool | None = None, answer: str = "", error: str | None = None
    ) -> RunResult:
        """Write the result into `run.json`, in place of an earlier one; no step can follow."""
        self.close()
        result = RunResult(
            status=status, success=success, steps=self._num_steps, path=self.path, answer=answer, error=error
        )
        self._run |= {"status": status, "ended_at_s": time.time()}
        self._run["result"] = result.to_json()
        del self._run["result"]["trajectory"]  # the folder may be moved
        try:
            self.result = result
            self._write_result()
        except (KeyboardInterrupt, SystemExit):  # the end has come already
            self._write_result()
            raise
        return result

    def check(self, success: bool) -> RunResult:
        """Add to the result what somebody found who looked: whether the goal was really reached."""
        if self.result is None:
            raise ValueError("the run has no result yet: finish it before its success is checked")
        return self.finish(self.result.status, success=success, answer=self.result.answer, error=self.result.error)

    def close(self) -> None:
        if self._steps is not None:
            self._steps.close()

    def _write_result(self) -> None:
        with self._writing():
            (self.path / RESERVE_FILE).unlink(missing_ok=True)
            self._write_run()

    def _write_run(self) -> None:
        write_atomically(self.path / RUN_FILE, json.dumps(self._run, indent=2).encode())

    def _writing(self) -> DiskTrouble:
        return DiskTrouble(self.path, self._num_steps)


def _prompt_sha256(policy: Mapping[str, Any] | None) -> str | None:
    prompt = (policy or {}).get("prompt")
    return str(prompt["sha256"]) if isinstance(prompt, Mapping) and "sha256" in prompt else None
