"""A scripted run in a process of its own, to which something may be done meanwhile, and what is left after it."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from moonhand.agent import RunConfig, ScriptedPolicy, Trajectory, TrajectoryError, read_trajectory, run_to_end
from moonhand.envs import Action, Effect, Env, EnvError, Frame, Risk, Surroundings
from watching import descendants, own_displays, stale_files, wait_until_alone

CONFIG = RunConfig(max_steps=60, stop_when_stuck=False)
CHILD_LIMIT_S = 40.0
NO_RESULT = "the trajectory has no result"


@dataclass
class Told:
    """What one run of a child came to."""

    code: int
    performed: int
    problems: list[str] = field(default_factory=list[str])
    status: str | None = None
    took_s: float = 0.0
    num_empty_folders: int = 0


class Counted:
    """An environment that writes one byte for each action it has performed."""

    def __init__(self, env: Env, pipe: int) -> None:
        self._env, self._pipe = env, pipe

    @property
    def kinds(self) -> frozenset[str]:
        return self._env.kinds

    def observe(self) -> Frame:
        return self._env.observe()

    def perform(self, action: Action) -> Effect:
        effect = self._env.perform(action)
        os.write(self._pipe, b"p")
        return effect

    def risks(self, action: Action) -> frozenset[Risk]:
        return self._env.risks(action)

    def surroundings(self, action: Action) -> Surroundings:
        return self._env.surroundings(action)

    def close(self) -> None:
        self._env.close()


OpenEnv = Callable[[], AbstractContextManager[Env]]


def in_a_child(
    folder: Path,
    open_env: OpenEnv,
    actions: Iterable[Action],
    *,
    meanwhile: Callable[[int], None] = lambda _: None,
    before: Callable[[], None] = lambda: None,
    known: set[int] | None = None,
) -> Told:
    """A scripted run in a process of its own, as `moonhand run` does it; `meanwhile` may do it harm."""
    known = set(descendants()) if known is None else known
    folder.mkdir(parents=True, exist_ok=True)
    reading, writing = os.pipe()
    started_s = time.monotonic()
    child = os.fork()
    if child == 0:
        os.close(reading)
        code = 1
        try:
            code = _child(folder, open_env, list(actions), writing, before)
        except KeyboardInterrupt:
            code = 130
        finally:
            os._exit(code)
    os.close(writing)
    displays: set[str] = set()
    harm = threading.Thread(target=meanwhile, args=(child,))
    harm.start()
    status: int | None = None
    while status is None:
        ended, waited = os.waitpid(child, os.WNOHANG)
        if ended:
            status = waited
        elif time.monotonic() > started_s + CHILD_LIMIT_S:
            os.kill(child, signal.SIGKILL)
        else:
            displays |= own_displays()
            time.sleep(0.01)
    harm.join()
    took_s = time.monotonic() - started_s
    with os.fdopen(reading, "rb") as pipe:
        performed = len(pipe.read())
    told = Told(code=os.waitstatus_to_exitcode(status), performed=performed, took_s=took_s)
    if left := wait_until_alone(known):
        told.problems.append(f"processes left: {sorted(left.values())}")
        for process_id in left:
            with suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGKILL)
    served = {number for number in displays if not any(owner in known for owner in _owners(number))}
    if stale := stale_files(served):
        told.problems.append(f"files left: {stale}")
    tidy(told)
    check_trajectory(folder / "run", told)
    if told.problems and (said := (folder / "stderr").read_text(errors="replace").strip()):
        told.problems.append(said)
    return told


def _child(folder: Path, open_env: OpenEnv, actions: list[Action], pipe: int, before: Callable[[], None]) -> int:
    with (folder / "stderr").open("w") as said:
        os.dup2(said.fileno(), 2)
    atexit._clear()  # what the parent is to do  # pyright: ignore[reportPrivateUsage] - no other way after a fork
    try:
        try:
            with (
                open_env() as env,
                Trajectory(folder / "run", goal="type, click and drag") as trajectory,
            ):
                before()
                run_to_end(Counted(env, pipe), ScriptedPolicy(actions), "", trajectory, CONFIG)
            return 0
        finally:
            atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage] - os._exit does not
    except KeyboardInterrupt:
        return 130
    except (EnvError, TrajectoryError):
        return 3
    except BaseException:
        traceback.print_exc()
        return 1


def check_trajectory(path: Path, told: Told) -> None:
    """Note what is wrong with what was written of the run."""
    if not (path / "run.json").exists():
        if told.performed:
            told.problems.append(f"no trajectory of {told.performed} actions")
        return
    try:
        recording = read_trajectory(path)
    except Exception as error:
        told.problems.append(f"the trajectory cannot be read: {error!r}")
        return
    if len(recording.steps) < told.performed - 1:
        told.problems.append(f"{told.performed} actions were performed, {len(recording.steps)} are in the trajectory")
    told.status = recording.result.status if recording.result else None
    if told.status is None:
        told.problems.append(NO_RESULT)


def _owners(number: str) -> list[int]:
    with suppress(OSError, ValueError):
        return [int(Path(f"/tmp/.X{number}-lock").read_text())]
    return []


def tidy(told: Told) -> None:
    """Empty the temporary folder, where nothing should be but empty folders of a browser killed at its start."""
    folder = Path(tempfile.gettempdir())
    bare = {path for path in folder.iterdir() if path.is_dir() and not any(map(_is_kept, path.rglob("*")))}
    if strays := [path.name for path in folder.iterdir() if path not in bare]:
        told.problems.append(f"temporary files left: {strays}")
    told.num_empty_folders += len(bare)
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _is_kept(path: Path) -> bool:
    return path.is_symlink() or not path.is_dir()
