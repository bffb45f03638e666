"""MiniWoB++ as an evaluation: which episodes are played, by whom, and what came of each."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from collections.abc import Container, Generator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, Protocol

from ...agent import KimiPolicy, Policy
from ...agent.profiles import NANO_TASK
from ...envs import BrowserEnv, EnvError, find_chromium
from ..errors import BadRequest, TaskError
from ..miniwob.episodes import (
    DEVELOPMENT_SEEDS,
    EVALUATION_SEEDS,
    FLIGHT,
    MAX_STEPS,
    PACKAGE,
    TRAIN_TASKS,
    TRAINING_SEEDS,
    open_browser,
    pages_folder,
    play_policy,
)
from ..miniwob.oracle import OraclePolicy
from ..miniwob.page import DEVICE_SCALE
from ..miniwob.random_clicker import RandomClicker
from ..miniwob.serving import served_pages
from .episode_log import EpisodeRow, EpisodeTiming, Key
from .prediction import Failure

if TYPE_CHECKING:
    from ...model import Engine

ATTEMPTS: Final = 2  # at an episode whose browser failed: the second in a fresh one
ANSWER_S: Final = 30.0  # the longest wait for one answer of a page


@dataclass(frozen=True, kw_only=True)
class EpisodePlan:
    """Which episodes: of each task those with the seeds from `first_seed` on. ValueError for what cannot be."""

    tasks: tuple[str, ...]
    episodes: int = 5  # of each task
    first_seed: int = EVALUATION_SEEDS.start
    max_steps: int = MAX_STEPS
    limit_s: float = 120.0  # an episode is ended between two steps when it has taken longer

    def __post_init__(self) -> None:
        if not self.tasks or self.episodes < 1 or self.max_steps < 1 or self.first_seed < 0 or not self.limit_s > 0:
            raise ValueError(f"need tasks, and at least one episode, step and second, and a seed >= 0, got {self}")

    @property
    def seeds(self) -> range:
        return range(self.first_seed, self.first_seed + self.episodes)

    @property
    def keys(self) -> tuple[Key, ...]:
        """Every episode, task by task."""
        return tuple((task, seed) for task in self.tasks for seed in self.seeds)

    @property
    def seeds_kept_for(self) -> str:
        """What this project keeps the seeds for: training, development, evaluation, or nothing."""
        ranges = {"training": TRAINING_SEEDS, "development": DEVELOPMENT_SEEDS, "evaluation": EVALUATION_SEEDS}
        held = [name for name, kept in ranges.items() if self.seeds.start < kept.stop and kept.start < self.seeds.stop]
        return " and ".join(held) or "nothing"


class Choose(Protocol):
    """Brings the policy for one episode, whose page will be shown in `env`."""

    def __call__(self, env: BrowserEnv, task: str, seed: int) -> Policy: ...


@dataclass(frozen=True)
class Player:
    """Who plays. `manifest` is what two players that answer alike have in common: no seeds of episodes, no times."""

    name: str
    manifest: Mapping[str, Any]
    choose: Choose


def oracle_player(tasks: tuple[str, ...]) -> Player:
    """The right move from the page's DOM. BadRequest where it does not know a task."""
    unknown = [task for task in tasks if task not in TRAIN_TASKS]
    if unknown:
        raise BadRequest(f"the oracle knows only the tasks of --tasks trained, not {', '.join(unknown)}")
    return Player("oracle", {"kind": "oracle"}, lambda env, task, seed: OraclePolicy(env, task))


def random_player() -> Player:
    """Clicks at random; the points depend on task and seed alone."""
    return Player("random", {"kind": "random"}, lambda env, task, seed: RandomClicker(f"{task} {seed}"))


def model_player(engine: Engine, name: str) -> Player:
    """A model in the step loop: nano as it was taught tasks, others by the prompt profile of their name.

    BadRequest for a model that only finds one thing at a time.
    """
    policy = KimiPolicy(engine, profile=NANO_TASK if name == "nano" else None)
    if not policy.profile.plans:
        raise BadRequest(f"{name}: its prompt profile, {policy.profile.name}, is never given a goal to work on")
    return Player(name, policy.manifest(), lambda env, task, seed: policy)


def manifest_of(plan: EpisodePlan, player: Player, executable: str | None = None) -> dict[str, Any]:
    """What decides how the episodes go; plain JSON values. `executable` is the Chromium, where one was named."""
    return {
        "suite": "miniwob",
        "pages": {"package": PACKAGE, "version": version(PACKAGE), "sha256": pages_sha256()},
        "tasks": list(plan.tasks),
        "episodes": plan.episodes,
        "first_seed": plan.first_seed,
        "max_steps": plan.max_steps,
        "limit_s": plan.limit_s,
        "device_scale": DEVICE_SCALE,
        "browser": browser_version(executable),
        "player": dict(player.manifest),
        "moonhand": version("moonhand"),
    }


def browser_version(executable: str | None = None) -> str | None:
    """What the Chromium that will be opened calls itself; None where it does not tell, as on Windows."""
    path = find_chromium(executable)
    if path is None or sys.platform == "win32":  # there the question opens a window
        return None
    with suppress(OSError, subprocess.TimeoutExpired):
        told = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=ANSWER_S, check=False)
        return told.stdout.strip() or None
    return None


def pages_sha256() -> str:
    """Of the names and the bytes of all files beside the pages: whether two machines have the same tasks."""
    folder = pages_folder().parent
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def play_episodes(
    plan: EpisodePlan, player: Player, *, done: Container[Key] = (), executable: str | None = None
) -> Generator[tuple[EpisodeRow, EpisodeTiming]]:
    """Play what is not done, each episode on a fresh page, in one browser; FlightWoB's in another, after the rest.

    A page that gives no answer, or whose browser is gone, is tried once more in a fresh one; then the episode has
    crashed. A browser that cannot be opened at all is an EnvError.
    """
    left = [key for key in plan.keys if key not in done]
    flights = [key for key in left if key[0].startswith(FLIGHT)]
    others = [key for key in left if not key[0].startswith(FLIGHT)]
    with _Window(plan, executable, None) as window:
        for task, seed in others:
            yield _tried(window, task, seed, plan, player)
    if flights:
        with served_pages() as site, _Window(plan, executable, site) as window:
            for task, seed in flights:
                yield _tried(window, task, seed, plan, player)


class _Window(ExitStack):
    """A browser that is opened when it is asked for, and another after it was dropped."""

    def __init__(self, plan: EpisodePlan, executable: str | None, site: str | None) -> None:
        super().__init__()
        self.site = site
        self._executable, self._timeout_s = executable, min(ANSWER_S, plan.limit_s)
        self._env: BrowserEnv | None = None

    def open(self) -> BrowserEnv:
        if self._env is None:
            flight = self.site is not None
            opening = open_browser(executable=self._executable, timeout_s=self._timeout_s, flight=flight)
            self._env = self.enter_context(opening)
        return self._env

    def drop(self) -> None:
        self._env = None
        self.close()


def _tried(
    window: _Window, task: str, seed: int, plan: EpisodePlan, player: Player
) -> tuple[EpisodeRow, EpisodeTiming]:
    start_s = time.perf_counter()
    row, model_s, attempts = None, 0.0, 0
    while row is None:
        env, attempts = window.open(), attempts + 1
        try:
            row, model_s = _played(env, task, seed, plan, player, window.site)
        except EnvError as error:
            window.drop()
            row = _crashed(task, seed, error) if attempts == ATTEMPTS else None
    wall_s = time.perf_counter() - start_s
    return row, EpisodeTiming(task=task, seed=seed, model_s=model_s, wall_s=wall_s, attempts=attempts)


def _played(
    env: BrowserEnv, task: str, seed: int, plan: EpisodePlan, player: Player, site: str | None
) -> tuple[EpisodeRow, float]:
    policy = player.choose(env, task, seed)
    try:
        result = play_policy(policy, task, seed, env=env, site=site, max_steps=plan.max_steps, limit_s=plan.limit_s)
    except TaskError as error:  # an oracle that does not understand the page
        return _crashed(task, seed, error), 0.0
    late = f"{plan.limit_s:g} s are over" if result.timed_out else None
    row = EpisodeRow(
        task=task,
        seed=seed,
        solved=result.solved,
        rewarded=result.rewarded,
        raw_reward=result.raw_reward,
        done=result.done,
        steps=result.steps,
        utterance=result.utterance,
        failure=Failure.TIMED_OUT.value if result.timed_out else None,
        error=late,
        replies=result.replies,
    )
    return row, result.model_s


def _crashed(task: str, seed: int, error: Exception) -> EpisodeRow:
    return EpisodeRow(
        task=task,
        seed=seed,
        solved=False,
        rewarded=False,
        raw_reward=0.0,
        done=False,
        steps=0,
        utterance=None,
        failure=Failure.CRASHED.value,
        error=f"{type(error).__name__}: {error}",
    )
