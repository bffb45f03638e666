"""Is a trajectory whole? And what can be done where it is not."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from ..errors import TrajectoryError
from .disk import DiskTrouble, is_written, write_atomically
from .frames import CROP_ENDING, CROP_KEY, FRAMES_FOLDER, StoredFrame
from .lines import read_line
from .missing import missing_in_words, missing_steps, promised_steps
from .reader import TORN
from .record import Step
from .run_file import FORMAT, FORMAT_VERSION, READABLE, RESERVE_FILE, RUN_FILE, STEPS_FILE, read_run

DAMAGED = ".damaged"

ProblemKind = Literal["run", "torn", "line", "order", "steps_lost", "frame_missing", "frame_damaged", "leftover"]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something that is wrong with a folder. `where` is a file in it; `said` is for people."""

    kind: ProblemKind
    where: str
    said: str

    @property
    def is_mended_by_repair(self) -> bool:
        """What is lost stays lost."""
        return self.kind in ("run", "torn", "line", "leftover")


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What was found in a folder; `repaired` is what was done about it, in words."""

    path: Path
    num_steps: int  # that can be read
    num_frames: int  # that they name and that can be read
    problems: tuple[Problem, ...]
    repaired: tuple[str, ...] = ()

    @property
    def is_sound(self) -> bool:
        """What a killed run leaves beside its record is in nobody's way."""
        return all(problem.kind == "leftover" for problem in self.problems)

    def to_json(self) -> dict[str, Any]:
        return {
            "path": str(self.path),
            "sound": self.is_sound,
            "steps": self.num_steps,
            "frames": self.num_frames,
            "problems": [{"kind": one.kind, "where": one.where, "said": one.said} for one in self.problems],
            "repaired": list(self.repaired),
        }


def check_trajectory(folder: Path | str) -> Checked:
    """Read all of it, every picture too. TrajectoryError for a folder that holds no trajectory at all."""
    folder = Path(folder)
    if not (folder / RUN_FILE).exists() and not (folder / STEPS_FILE).exists():
        raise TrajectoryError(f"{folder} holds no trajectory: neither {RUN_FILE} nor {STEPS_FILE} is there")
    problems: list[Problem] = []
    run: dict[str, Any] = {}
    try:
        run = dict(read_run(folder / RUN_FILE))
    except TrajectoryError as error:
        problems.append(Problem(kind="run", where=RUN_FILE, said=str(error)))
    steps = list[Step]()
    for number, said in _read_steps(folder, is_running=run.get("status") == "running"):
        if isinstance(said, Problem):
            problems.append(said)
        else:
            if steps and said.index <= steps[-1].index:
                where, last = f"{STEPS_FILE} line {number}", steps[-1].index
                problems.append(
                    Problem(kind="order", where=where, said=f"step {said.index + 1} comes after step {last + 1}")
                )
            steps.append(said)
    problems += _lost(steps, promised_steps(run))
    num_frames, of_frames = _check_frames(steps)
    problems += [*of_frames, *_leftovers(folder)]
    return Checked(path=folder, num_steps=len(steps), num_frames=num_frames, problems=tuple(problems))


def repair_trajectory(folder: Path | str) -> Checked:
    """Drop what cannot be read, and nothing else, then check again.

    A file that is changed stays beside the new one, with `.damaged` behind its name. What nobody can bring back, such
    as a missing frame, is left as a problem. TrajectoryError where the run still goes on, or the folder cannot be
    written.
    """
    folder = Path(folder)
    if is_written(folder / STEPS_FILE):
        raise TrajectoryError(f"the run in {folder} still goes on: repair it when it has ended")
    found = check_trajectory(folder)
    kinds, done = {problem.kind for problem in found.problems}, list[str]()
    with DiskTrouble(folder, found.num_steps):
        if "run" in kinds:
            _forbid_newer(folder / RUN_FILE)
            kept = _set_aside(folder / RUN_FILE)
            write_atomically(folder / RUN_FILE, json.dumps(_run_anew(folder), indent=2).encode())
            done.append(f"{RUN_FILE} was written anew, without what the old one said of the run{kept}")
        if kinds & {"torn", "line"}:
            lines = [line for line in (folder / STEPS_FILE).read_bytes().split(b"\n") if _is_step(line, folder)]
            kept = _set_aside(folder / STEPS_FILE)
            write_atomically(folder / STEPS_FILE, b"".join(line + b"\n" for line in lines))
            dropped = sum(problem.kind in ("torn", "line") for problem in found.problems)
            done.append(f"{dropped} line{'s' * (dropped > 1)} of {STEPS_FILE} dropped{kept}")
        for problem in found.problems:
            if problem.kind == "leftover":
                (folder / problem.where).unlink(missing_ok=True)
                done.append(f"{problem.where} removed: {problem.said}")
    again = check_trajectory(folder)
    return Checked(
        path=folder,
        num_steps=again.num_steps,
        num_frames=again.num_frames,
        problems=again.problems,
        repaired=tuple(done),
    )


def _read_steps(folder: Path, *, is_running: bool) -> Iterator[tuple[int, Step | Problem]]:
    try:
        lines = (folder / STEPS_FILE).read_bytes().split(b"\n")
    except OSError as error:
        if not is_running or not isinstance(error, FileNotFoundError):  # it may have been killed before its first step
            said = f"it cannot be read: {error.strerror}"
            yield 0, Problem(kind="steps_lost", where=STEPS_FILE, said=said)
        return
    for number, line in enumerate(lines, start=1):
        is_last = number == len(lines)
        if is_last and not line:
            return
        try:
            yield number, read_line(line, folder)
        except ValueError as error:
            where, said = f"{STEPS_FILE} line {number}", TORN if is_last else f"it is not a step: {error}"
            yield number, Problem(kind="torn" if is_last else "line", where=where, said=said)


def _lost(steps: list[Step], promised: int | None) -> Iterator[Problem]:
    missing = missing_steps([step.index for step in steps], promised)
    if missing:
        counts = f"{promised} steps were made, {len(steps)} can be read: " if (promised or 0) > len(steps) else ""
        said = counts + ", ".join(map(missing_in_words, missing))
        yield Problem(kind="steps_lost", where=STEPS_FILE, said=said)


def _check_frames(steps: list[Step]) -> tuple[int, list[Problem]]:
    """How many frames are whole, and what is wrong with the others: each file once, with its first step."""
    first: dict[str, tuple[StoredFrame, int]] = {}
    for step in steps:
        for stored in (step.before, step.after):
            if stored is not None:
                first.setdefault(stored.sha256, (stored, step.index + 1))
    looked: dict[Path, _Fault | None] = {}
    needing: dict[_Fault, list[tuple[StoredFrame, int]]] = {}
    for stored, number in first.values():
        base = _base_of(stored)
        fault = None if base is None else _fault(base, looked)
        fault = fault or _fault(stored, looked)
        if fault is not None:
            needing.setdefault(fault, []).append((stored, number))
    problems = [_problem(fault, frames) for fault, frames in needing.items()]
    return len(first) - sum(map(len, needing.values())), problems


@dataclass(frozen=True)
class _Fault:
    """What is wrong with one file of a picture."""

    path: Path
    is_missing: bool
    said: str


def _fault(stored: StoredFrame, looked: dict[Path, _Fault | None]) -> _Fault | None:
    """Each file is looked at once."""
    path = stored.path
    if path not in looked:
        if not path.exists():
            looked[path] = _Fault(path, True, f"{FRAMES_FOLDER}/{path.name} is missing")
        else:
            try:
                is_whole = stored.read().sha256 == stored.sha256
                said = "its pixels are not those that were recorded"
            except TrajectoryError as error:
                is_whole, said = False, str(error)
            looked[path] = None if is_whole else _Fault(path, False, said)
    return looked[path]


def _base_of(stored: StoredFrame) -> StoredFrame | None:
    """The whole frame that a crop is a part of; None for a whole one, and for a crop that does not say."""
    if not stored.path.name.endswith(CROP_ENDING):
        return None
    try:
        with Image.open(stored.path) as picture:
            base: object = json.loads(picture.info.get(CROP_KEY, "{}")).get("base")
    except (OSError, SyntaxError, ValueError, AttributeError, Image.DecompressionBombError):
        return None
    if not isinstance(base, str) or not base.isalnum():
        return None
    return replace(stored, path=stored.path.with_name(f"{base}.png"), sha256=base)


def _problem(fault: _Fault, frames: list[tuple[StoredFrame, int]]) -> Problem:
    number = min(number for _, number in frames)
    others = sum(stored.path != fault.path for stored, _ in frames)
    said = f"{fault.said}{',' if fault.is_missing else ';'} first needed by step {number}"
    if others:
        said += f"; {others} more picture{'s stand' if others > 1 else ' stands'} on it"
    kind = "frame_missing" if fault.is_missing else "frame_damaged"
    return Problem(kind=kind, where=f"{FRAMES_FOLDER}/{fault.path.name}", said=said)


def _leftovers(folder: Path) -> Iterator[Problem]:
    """Drafts of files whose writer was killed, and the room that it kept for its result."""
    if (folder / RESERVE_FILE).exists() and not is_written(folder / STEPS_FILE):
        yield Problem(kind="leftover", where=RESERVE_FILE, said="room for the result of a run that was killed")
    for path in sorted([*folder.glob(".*"), *(folder / FRAMES_FOLDER).glob(".*")]):
        name, _, number = path.name.rpartition(".")
        if name.endswith((".png", ".json", ".jsonl")) and number.isdecimal() and not _is_alive(int(number)):
            where = path.relative_to(folder).as_posix()
            yield Problem(kind="leftover", where=where, said="half written by a run that was killed")


def _is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # it is somebody else's
        pass
    return True


def _is_step(line: bytes, folder: Path) -> bool:
    with suppress(ValueError):
        read_line(line, folder)
        return True
    return False


def _forbid_newer(path: Path) -> None:
    """TrajectoryError for a run of a version that is not known: nothing is wrong with it."""
    with suppress(OSError, ValueError):
        said: object = json.loads(path.read_bytes())
        if isinstance(said, dict) and said.get("format") == FORMAT and said.get("version") not in READABLE:
            version = said.get("version")
            raise TrajectoryError(f"{path} has version {version}, which this moonhand cannot read, let alone repair")


def _set_aside(path: Path) -> str:
    """Keep a file as it was; in words, where."""
    if not path.exists():
        return ""
    kept, number = path.with_name(path.name + DAMAGED), 1
    while kept.exists():
        number += 1
        kept = path.with_name(f"{path.name}{DAMAGED}_{number}")
    write_atomically(kept, path.read_bytes())
    return f"; the old one is {kept.name}"


def _run_anew(folder: Path) -> dict[str, Any]:
    """What can still be said of a run whose `run.json` is gone."""
    first = next((said for _, said in _read_steps(folder, is_running=True) if isinstance(said, Step)), None)
    return {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "source": "agent",
        "goal": "",
        "status": "running",
        "started_at_s": 0.0 if first is None else first.started_at_s,
        "versions": {},
        "policy": {},
        "config": {},
        "env": {},
        "result": None,
    }
