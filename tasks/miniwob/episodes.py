"""MiniWoB++ tasks as episodes: a page with a seed, a sentence that says what to do, and a reward from the page.

The pages are those of the PyPI package `miniwob` (MIT licence), opened from where it is installed; none of its Python
is run. Training may use the seeds TRAINING_SEEDS of TRAIN_TASKS and nothing else.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...agent import KimiPolicy, Policy, RunConfig, Step, Trajectory, run
from ...agent.profiles import NANO_TASK
from ...envs import Action, BrowserConfig, BrowserEnv, Effect, Frame, Navigate, Risk, Surroundings
from ..errors import BadRequest, TaskError
from .page import DEVICE_SCALE, FLIGHT_SIZE, FLIGHT_WINDOW, PAGE_SIZE, WINDOW_SIZE

if TYPE_CHECKING:
    from ...model import Engine

TRAIN_TASKS: tuple[str, ...] = (
    "click-button",
    "click-button-sequence",
    "click-checkboxes-transfer",
    "click-collapsible",
    "click-color",
    "click-dialog",
    "click-dialog-2",
    "click-link",
    "click-option",
    "click-tab",
    "click-test",
    "click-test-2",
    "click-widget",
    "enter-password",
    "enter-text",
    "focus-text",
    "focus-text-2",
    "grid-coordinate",
    "identify-shape",
    "login-user",
)
UNSEEN_TASKS: tuple[str, ...] = (
    "click-checkboxes",
    "click-checkboxes-large",
    "click-collapsible-2-nodelay",
    "click-shape",
    "click-tab-2-easy",
    "enter-text-2",
    "enter-text-dynamic",
    "login-user-popup",
    "navigate-tree",
    "read-table",
)
TRAINING_SEEDS = range(100_000)
DEVELOPMENT_SEEDS = range(100_000, 1_000_000)
EVALUATION_SEEDS = range(1_000_000, 2_000_000)

MAX_STEPS = 10
NEVER_MS = 2**31 - 1  # the longest timer a page can set: 24 days
PACKAGE = "miniwob"
FLIGHT = "flight."  # how the names of FlightWoB's tasks begin

# The state of a page survives its own reset, so that each episode is a fresh load. After the end the page would show
# its start button, and a click on that a new problem.
START_JS = """
(async () => {
  while (document.readyState !== "complete" || !core.cover_div) await new Promise((go) => setTimeout(go, 5));
  core.EPISODE_MAX_TIME = %d;
  Math.seedrandom(%d);
  core.startEpisodeReal();
  core.startEpisode = () => {};
  for (const id of ["reward-display", "click-canvas"]) document.getElementById(id).style.display = "none";
  while (!WOB_TASK_READY) await new Promise((go) => setTimeout(go, 5));
  await document.fonts.ready;
  const said = core.getUtterance();
  return typeof said === "string" ? said : said.utterance;
})()
"""
STATE_JS = "({done: WOB_DONE_GLOBAL, raw: WOB_RAW_REWARD_GLOBAL})"


@dataclass(frozen=True, kw_only=True)
class EpisodeResult:
    """How one episode went.

    The page's reward is -1..1, and 0 where the episode did not come to its end. `timed_out` says that it was ended for
    the time it took.
    """

    task: str
    seed: int
    utterance: str
    raw_reward: float
    done: bool
    steps: int
    model_s: float
    replies: tuple[str, ...] = ()
    timed_out: bool = False

    @property
    def solved(self) -> bool:
        """The rule of MiniWoB++: the raw reward is 1."""
        return self.raw_reward == 1

    @property
    def rewarded(self) -> bool:
        """The rule of BrowserGym: the raw reward is above 0, so that a part of the task counts."""
        return self.raw_reward > 0

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "solved": self.solved, "rewarded": self.rewarded}


@dataclass(frozen=True)
class Success:
    """Shares of the episodes solved by both rules; over several tasks the mean of the tasks' shares."""

    solved: float
    rewarded: float
    episodes: int


def pages_folder() -> Path:
    """The folder of the task pages; BadRequest where the package is not installed."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise BadRequest(f"the MiniWoB++ pages are not installed: run `pip install {PACKAGE}`")
    return Path(next(iter(spec.submodule_search_locations))) / "html" / "miniwob"


@contextmanager
def open_browser(
    *, executable: str | None = None, settle_s: float = 2.0, timeout_s: float = 30.0, flight: bool = False
) -> Generator[BrowserEnv]:
    """A window for tasks, one for any number of episodes: FlightWoB's has another size.

    A page that gives no answer for `timeout_s` is an EnvError.
    """
    config = BrowserConfig(
        url="about:blank",
        viewport=FLIGHT_WINDOW if flight else WINDOW_SIZE,
        device_scale=DEVICE_SCALE,
        executable=executable,
        settle_s=settle_s,
        timeout_s=timeout_s,
    )
    with BrowserEnv(config) as env:
        yield env


class Episode:
    """One task with one seed, on the page and as an environment that nothing reaches once the episode is over."""

    def __init__(self, env: BrowserEnv, task: str, seed: int, *, site: str | None = None) -> None:
        """Load the page and let it set the problem. BadRequest if there is no such task.

        `site` is where `serving.served_pages` serves the pages: FlightWoB's need it, all others are opened as files.
        """
        address = _address(task, site)
        self.task, self.seed = task, seed
        self._env, self._size = env, FLIGHT_SIZE if task.startswith(FLIGHT) else PAGE_SIZE
        env.perform(Navigate(url=address))
        self.utterance: str = env.evaluate(START_JS % (NEVER_MS, seed))

    @property
    def kinds(self) -> frozenset[str]:
        return self._env.kinds

    def observe(self) -> Frame:
        """The task's part of the window: 320x420 px, of FlightWoB 750x1334."""
        frame = self._env.observe()
        height_px, width_px = (int(side * DEVICE_SCALE) for side in (self._size.height_px, self._size.width_px))
        return Frame(frame.pixels_HW3[:height_px, :width_px], frame.scale, frame.captured_at_s, frame.capture_s)

    def perform(self, action: Action) -> Effect:
        # To ask the page first has a second use: input sent right after a capture can still meet a window whose device
        # scale is not restored yet, and lands at half its coordinates.
        if self.outcome()[0]:
            return Effect(performed=False, detail="the episode is over", changed=False, change="no_change")
        return self._env.perform(action)

    def risks(self, action: Action) -> frozenset[Risk]:
        return self._env.risks(action)

    def surroundings(self, action: Action) -> Surroundings:
        return self._env.surroundings(action)

    def close(self) -> None:
        """The browser belongs to whoever opened it."""

    def outcome(self) -> tuple[bool, float]:
        """Whether the episode is over, and its raw reward."""
        state: Mapping[str, Any] = self._env.evaluate(STATE_JS)
        return bool(state["done"]), float(state["raw"])


def _address(task: str, site: str | None) -> str:
    if task.startswith(FLIGHT):
        path = pages_folder().parent / "flight" / task.removeprefix(FLIGHT) / "wrapper.html"
    else:
        path = pages_folder() / f"{task}.html"
    if not path.is_file():
        raise BadRequest(f"MiniWoB++ has no task {task!r}: its pages are in {pages_folder()}")
    if not task.startswith(FLIGHT):
        return path.as_uri()
    if site is None:
        raise BadRequest(f"{task} does not run from a file: serve the pages, and give their address as site")
    return f"{site}/{path.relative_to(pages_folder().parent).as_posix()}"


def play(
    engine: Engine, task: str, seed: int, *, env: BrowserEnv | None = None, folder: Path | None = None
) -> EpisodeResult:
    """Let a model do one task through the step loop: a fresh page, at most MAX_STEPS actions.

    `env` is a browser of `open_browser`, for many episodes in one; `folder` keeps the trajectory, which else is
    thrown away.
    """
    return play_policy(KimiPolicy(engine, profile=NANO_TASK), task, seed, env=env, folder=folder)


def play_policy(
    policy: Policy,
    task: str,
    seed: int,
    *,
    env: BrowserEnv | None = None,
    folder: Path | None = None,
    site: str | None = None,
    max_steps: int = MAX_STEPS,
    limit_s: float | None = None,
) -> EpisodeResult:
    """`play` for anything that answers. Between two steps it ends where `limit_s` is over; `site` as in `Episode`."""
    with ExitStack() as stack:
        if env is None:
            env = stack.enter_context(open_browser(flight=task.startswith(FLIGHT)))
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "run"
        end_s = None if limit_s is None else time.monotonic() + limit_s
        episode = Episode(env, task, seed, site=site)
        config = RunConfig(max_steps=max_steps, stop_when_stuck=False)  # the episode counts actions, whatever they do
        about = {"task": task, "seed": seed}
        trajectory = Trajectory(
            folder, goal=episode.utterance, policy=policy.manifest(), config=asdict(config), env=about
        )
        steps: list[Step] = []
        is_late = False
        for step in stack.enter_context(closing(run(episode, policy, episode.utterance, trajectory, config))):
            steps.append(step)
            is_late = end_s is not None and time.monotonic() > end_s
            if is_late or episode.outcome()[0]:
                break
        done, raw_reward = episode.outcome()
    return EpisodeResult(
        task=task,
        seed=seed,
        utterance=episode.utterance,
        raw_reward=raw_reward,
        done=done,
        steps=len(steps),
        model_s=sum(step.model_s for step in steps),
        replies=tuple(step.reply for step in steps if step.reply is not None),
        timed_out=is_late and not done,
    )


def success(results: list[EpisodeResult]) -> Success:
    """The mean over tasks of each task's share of episodes solved."""
    tasks = sorted({result.task for result in results})
    if not tasks:
        raise TaskError("no episode was played")
    shares = [[result for result in results if result.task == task] for task in tasks]
    return Success(
        solved=sum(sum(each.solved for each in share) / len(share) for share in shares) / len(shares),
        rewarded=sum(sum(each.rewarded for each in share) / len(share) for share in shares) / len(shares),
        episodes=len(results),
    )
