"""A run on disk that survives a crash: `run.json`, append-only `steps.jsonl`, and every picture once in `frames/`.

    run.json            what was run, with which model and versions; its result once there is one (replaced atomically)
    steps.jsonl         one step a line, on the disk before the next step begins
    frames/SHA256.png   a frame, named by its content

A kill at any moment leaves a folder that `read_trajectory` opens; at most the step in flight is missing.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self, cast

import numpy as np
from PIL import Image, UnidentifiedImageError

from ..envs import Action, Effect, Frame, Risk, Size, action_from_json, action_to_json
from .errors import TrajectoryError

FORMAT, FORMAT_VERSION = "moonhand-trajectory", 1
RUN_FILE, STEPS_FILE, FRAMES_FOLDER = "run.json", "steps.jsonl", "frames"
VERSIONED = ("moonhand", "torch", "playwright", "pyautogui", "mss", "numpy", "pillow", "pydantic", "tiktoken")


@dataclass(frozen=True)
class StoredFrame:
    """A frame in a trajectory's folder; `read` brings its pixels back."""

    path: Path
    sha256: str
    size: Size
    scale: float
    captured_at_s: float
    capture_s: float
    origin_pt: tuple[float, float] = (0.0, 0.0)

    def read(self) -> Frame:
        """The frame as it was seen. TrajectoryError where the picture is missing or damaged."""
        try:
            with Image.open(self.path) as picture:
                pixels_HW3 = np.asarray(picture.convert("RGB"), dtype=np.uint8)
        except (OSError, UnidentifiedImageError, SyntaxError) as error:
            raise TrajectoryError(f"{self.path} cannot be read as a picture: {error}") from error
        return Frame(pixels_HW3, self.scale, self.captured_at_s, self.capture_s, self.origin_pt)


Decided = Literal["yes", "skip", "instead", "stop", "nobody"]
"""What came of asking whether an action may be performed; "nobody" was there to ask."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One action that was performed, or one reply or action that could not be used (`error` says why).

    A reply with several actions makes several steps of one `turn`; the reply stands in the first of them.
    """

    index: int
    turn: int
    before: StoredFrame
    after: StoredFrame | None  # None where nothing was performed
    action: Action | None  # None where the reply could not be read
    instruction: str | None = None  # what the model was asked to find or said it would do
    reply: str | None = None
    thought: str | None = None
    confidence: float | None = None  # 0..1
    error: str | None = None
    effect: Effect | None = None
    risks: frozenset[Risk] = frozenset()  # of the action as it was proposed; empty where nobody looked
    decision: Decided | None = None  # None where nobody was to be asked
    asked_s: float = 0.0  # how long a person was waited for
    model_s: float = 0.0
    started_at_s: float = 0.0  # seconds since the epoch

    @property
    def capture_s(self) -> float:
        return self.before.capture_s

    @property
    def act_s(self) -> float:
        return self.effect.act_s if self.effect else 0.0

    @property
    def settle_s(self) -> float:
        return self.effect.settle_s if self.effect else 0.0


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """How a run ended.

    `status`: finished | failed (the model gave up) | refused | needs_user (`answer` is what it asks) | bad_replies |
    stuck (the same actions again and again, without effect) | max_steps | stopped | error | dry_run.
    `success` is None until something checked it: that a model says it is done proves nothing.
    """

    status: str
    success: bool | None
    steps: int
    path: Path
    answer: str = ""
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "status": self.status,
            "success": self.success,
            "steps": self.steps,
            "trajectory": str(self.path),
            "answer": self.answer,
            "error": self.error,
        }


class Trajectory:
    """The writer. A context manager: left without a result, the run is marked `stopped` or `error`."""

    def __init__(
        self,
        path: Path | str,
        *,
        goal: str,
        policy: Mapping[str, Any] | None = None,
        config: Mapping[str, Any] | None = None,
        env: Mapping[str, Any] | None = None,
    ) -> None:
        """Make the folder and write `run.json`. TrajectoryError if it already holds a run or cannot be written."""
        self.path = Path(path)
        self.result: RunResult | None = None
        self._num_steps = 0
        self._stored: set[str] = set()
        self._run: dict[str, Any] = {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "goal": goal,
            "status": "running",
            "started_at_s": time.time(),
            "versions": versions(),
            "policy": dict(policy or {}),
            "config": dict(config or {}),
            "env": dict(env or {}),
            "result": None,
        }
        if (self.path / RUN_FILE).exists() or (self.path / STEPS_FILE).exists():
            raise TrajectoryError(f"{self.path} already holds a run: choose another folder")
        with self._writing():
            (self.path / FRAMES_FOLDER).mkdir(parents=True, exist_ok=True)
            self._steps = (self.path / STEPS_FILE).open("xb", buffering=0)
            self._write_run()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if self.result is None:
            stopped = error is None or isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit)
            self.finish(
                "stopped" if stopped else "error", error=None if stopped else f"{type(error).__name__}: {error}"
            )
        self.close()

    def store(self, frame: Frame) -> StoredFrame:
        """Put the frame's picture on the disk, unless it is there already."""
        path = self.path / FRAMES_FOLDER / f"{frame.sha256}.png"
        if frame.sha256 not in self._stored:
            with self._writing():
                if not path.exists():
                    _write_atomically(path, frame.to_png())
            self._stored.add(frame.sha256)
        return StoredFrame(
            path, frame.sha256, frame.size, frame.scale, frame.captured_at_s, frame.capture_s, frame.origin_pt
        )

    def append(self, step: Step) -> Step:
        """Put the step on the disk before returning. TrajectoryError on a full disk, and the line is taken back."""
        line = json.dumps(step_to_json(step), ensure_ascii=True).encode("ascii") + b"\n"
        start = self._steps.seek(0, os.SEEK_END)
        with self._writing():
            try:
                if self._steps.write(line) != len(line):
                    raise OSError("only a part of the step was written")
                os.fsync(self._steps.fileno())
            except OSError:
                self._steps.truncate(start)
                raise
        self._num_steps += 1
        return step

    def finish(
        self, status: str, *, success: bool | None = None, answer: str = "", error: str | None = None
    ) -> RunResult:
        """Write the result into `run.json`, in place of an earlier one; no step can follow."""
        self.close()
        self.result = RunResult(
            status=status, success=success, steps=self._num_steps, path=self.path, answer=answer, error=error
        )
        self._run |= {"status": status, "ended_at_s": time.time()}
        self._run["result"] = self.result.to_json()
        del self._run["result"]["trajectory"]  # the folder may be moved
        with self._writing():
            self._write_run()
        return self.result

    def check(self, success: bool) -> RunResult:
        """Add to the result what somebody found who looked: whether the goal was really reached."""
        if self.result is None:
            raise ValueError("the run has no result yet: finish it before its success is checked")
        return self.finish(self.result.status, success=success, answer=self.result.answer, error=self.result.error)

    def close(self) -> None:
        self._steps.close()

    def _write_run(self) -> None:
        _write_atomically(self.path / RUN_FILE, json.dumps(self._run, indent=2).encode())

    def _writing(self) -> _DiskTrouble:
        return _DiskTrouble(self.path, self._num_steps)


@dataclass(frozen=True)
class Recording:
    """A trajectory read back. `problems` names what was damaged and left out; empty for a whole one."""

    path: Path
    run: Mapping[str, Any]
    steps: tuple[Step, ...]
    problems: tuple[str, ...] = field(default=())

    @property
    def goal(self) -> str:
        return str(self.run.get("goal", ""))

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
    run = _read_run(folder / RUN_FILE)
    steps: list[Step] = []
    problems: list[str] = []
    try:
        lines = (folder / STEPS_FILE).read_bytes().split(b"\n")
    except OSError as error:
        lines, problems = [b""], [f"{STEPS_FILE} cannot be read: {error.strerror}"]
    if lines.pop():
        problems.append(f"{STEPS_FILE}: the last line is torn (the run was killed while writing it) and was dropped")
    for number, line in enumerate(lines, start=1):
        try:
            step = step_from_json(json.loads(line), folder)
        except (ValueError, KeyError, TypeError) as error:
            problems.append(f"{STEPS_FILE} line {number} is not a step and was dropped: {error}")
            continue
        steps.append(step)
        missing = {stored.path.name for stored in (step.before, step.after) if stored and not stored.path.exists()}
        problems.extend(f"step {step.index}: frame {name} is missing" for name in sorted(missing))
    return Recording(folder, run, tuple(steps), tuple(problems))


def new_run_folder(root: Path | str) -> Path:
    """A folder name under `root` that is free and sorts by time; nothing is made yet."""
    name = datetime.now(UTC).strftime("%Y-%m-%d_%H-%M-%S")
    folder, number = Path(root) / name, 1
    while folder.exists():
        number += 1
        folder = Path(root) / f"{name}_{number}"
    return folder


def versions() -> dict[str, str]:
    """What a run depends on, for `run.json`; nothing is imported to find out."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in VERSIONED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def step_to_json(step: Step) -> dict[str, Any]:
    """The step as plain JSON values."""
    return {
        "index": step.index,
        "turn": step.turn,
        "started_at_s": step.started_at_s,
        "instruction": step.instruction,
        "reply": step.reply,
        "thought": step.thought,
        "action": None if step.action is None else action_to_json(step.action),
        "confidence": step.confidence,
        "error": step.error,
        "effect": None if step.effect is None else asdict(step.effect),
        "risks": sorted(step.risks),
        "decision": step.decision,
        "asked_s": step.asked_s,
        "model_s": step.model_s,
        "before": _stored_to_json(step.before),
        "after": None if step.after is None else _stored_to_json(step.after),
    }


def step_from_json(obj: dict[str, Any], folder: Path) -> Step:
    """The step that `step_to_json` wrote. KeyError, TypeError or ValueError for anything else."""
    effect, action, after = obj["effect"], obj["action"], obj["after"]
    return Step(
        index=int(obj["index"]),
        turn=int(obj["turn"]),
        started_at_s=float(obj["started_at_s"]),
        instruction=obj["instruction"],
        reply=obj["reply"],
        thought=obj["thought"],
        action=None if action is None else action_from_json(action),
        confidence=obj["confidence"],
        error=obj["error"],
        effect=None if effect is None else Effect(**effect | {"waited_for": tuple(effect.get("waited_for", ()))}),
        risks=frozenset(obj.get("risks", ())),
        decision=obj.get("decision"),
        asked_s=float(obj.get("asked_s", 0)),
        model_s=float(obj["model_s"]),
        before=_stored_from_json(obj["before"], folder),
        after=None if after is None else _stored_from_json(after, folder),
    )


def _stored_to_json(stored: StoredFrame) -> dict[str, Any]:
    return {
        "sha256": stored.sha256,
        "width_px": stored.size.width_px,
        "height_px": stored.size.height_px,
        "scale": stored.scale,
        "captured_at_s": stored.captured_at_s,
        "capture_s": stored.capture_s,
        "origin_pt": stored.origin_pt,
    }


def _stored_from_json(obj: dict[str, Any], folder: Path) -> StoredFrame:
    sha256 = str(obj["sha256"])
    if not sha256.isalnum():
        raise ValueError(f"{sha256!r} is not a hash")
    path = folder / FRAMES_FOLDER / f"{sha256}.png"
    size = Size(int(obj["width_px"]), int(obj["height_px"]))
    x_pt, y_pt = obj.get("origin_pt", (0, 0))
    return StoredFrame(
        path,
        sha256,
        size,
        float(obj["scale"]),
        float(obj["captured_at_s"]),
        float(obj["capture_s"]),
        (float(x_pt), float(y_pt)),
    )


def _read_run(path: Path) -> Mapping[str, Any]:
    try:
        run: object = json.loads(path.read_bytes())
    except OSError as error:
        raise TrajectoryError(f"{path.parent} holds no trajectory: {RUN_FILE}: {error.strerror}") from error
    except ValueError as error:
        raise TrajectoryError(f"{path} is not JSON: {error}") from error
    if not isinstance(run, dict) or cast(dict[str, Any], run).get("format") != FORMAT:
        raise TrajectoryError(f"{path} does not say format {FORMAT!r}: this is not a trajectory")
    said = cast(dict[str, Any], run)
    if said.get("version") != FORMAT_VERSION:
        raise TrajectoryError(f"{path} has version {said.get('version')}; this moonhand reads version {FORMAT_VERSION}")
    return said


def _write_atomically(path: Path, content: bytes) -> None:
    """A reader sees the old file or the new one, never a part; after a power cut too."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        draft.unlink(missing_ok=True)


@dataclass(frozen=True)
class _DiskTrouble:
    """Turns an OSError while writing into one clear TrajectoryError."""

    path: Path
    num_steps: int

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise TrajectoryError(
                f"the trajectory in {self.path} cannot be written: {error.strerror or error}; "
                f"free some space or choose another folder; the {self.num_steps} steps written so far stay readable"
            ) from error
