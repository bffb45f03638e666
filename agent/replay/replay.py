"""A recording done again: each target found, touched, and the result told."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

from PIL import Image

from ...envs import (
    UNTOUCHING,
    Env,
    Finish,
    Frame,
    Point,
    PointOffScreen,
    Surroundings,
    UnsupportedAction,
    describe,
)
from ...envs.change import where_changed
from ..approval import NEVER, Approval
from ..errors import TrajectoryError
from ..fingerprint import Fingerprint, fingerprint
from ..trajectory import FRAMES_FOLDER, Recording, RunResult, Step, StoredFrame, Trajectory
from ..trajectory.frames import CROP_KEY
from .alike import Box, without
from .divergence import Divergence, Found
from .ladder import Ladder, Locate
from .patch import Patch, write_patches
from .report import Verdict, write_report
from .seek import Seeker
from .target import Target, at_origins
from .variables import field_boxes, values_of, with_text

Mode = Literal["exact", "anchored", "reground"]
Ask = Callable[[str], str]  # puts a question to the person at hand and brings the answer
STALE_S = 0.1  # a look that is older is taken again before anything is touched


@dataclass(frozen=True, kw_only=True)
class ReplayConfig:
    """How a recording is done again.

    exact: each target must be where it was and look as it did. anchored: it is waited for and followed where it moved.
    reground: where that fails, a model is asked for it.
    """

    mode: Mode = "anchored"
    speed: float | None = None  # of the recorded pace; None: exact keeps the pace, the others do not wait
    wait_s: float = 5.0  # the longest wait for a target that is not there yet; exact never waits
    heal_after_s: float = 1.0  # how long its own pixels are waited for before the page's tree and its words count
    reads: bool = True  # words off the screen, where the package rapidocr is installed
    values: Mapping[str, str] = field(default_factory=dict[str, str])  # of variables, by name
    pages: Mapping[str, str] = field(default_factory=dict[str, str])  # recorded origin or page -> where it is now

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise ValueError(f"mode is one of {', '.join(get_args(Mode))}, got {self.mode!r}")
        if self.wait_s < 0 or self.heal_after_s < 0 or (self.speed is not None and self.speed <= 0):
            raise ValueError(f"need wait_s and heal_after_s >= 0 and speed > 0, got {self}")


def replay(
    recording: Recording,
    env: Env,
    trajectory: Trajectory,
    config: ReplayConfig | None = None,
    *,
    locate: Locate | None = None,
    ask: Ask | None = None,
    approve: Approval | None = None,
) -> Generator[Step, None, RunResult]:
    """Do the recorded actions, yielding each step once it is on the disk; the result is in `trajectory.result` too.

    Status `finished` where all were done, `diverged` at the first whose target is not verified: then nothing was
    touched by that step, and its `error` names the divergence. `locate` brings a model's answer in mode "reground",
    `ask` that of the person at hand to a divergence, `approve` says who is asked before which actions. What was left
    out of the recording (errors, looks, questions) is left out here. TrajectoryError before anything is touched where
    the recording has nothing to replay or lacks a picture, ValueError for a variable it does not have.
    """
    config = config or ReplayConfig()
    run = _Run(recording, env, trajectory, config, locate if config.mode == "reground" else None, ask, approve or NEVER)
    divergence: Divergence | None = None
    try:
        for target in run.targets():
            step, divergence = run.take(target)
            yield step
            if trajectory.result is not None or divergence is not None:
                break
        if trajectory.result is not None:
            return trajectory.result
        if divergence is not None:
            return trajectory.finish("diverged", error=str(divergence))
        return trajectory.finish("finished", answer=_answer(recording))
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        if trajectory.result is None:
            trajectory.finish("stopped")
        raise
    except BaseException as error:
        with suppress(TrajectoryError):
            trajectory.finish("error", error=f"{type(error).__name__}: {error}")
        raise
    finally:
        with suppress(TrajectoryError):
            write_report(trajectory.path, config.mode, run.verdicts, divergence)


def replay_to_end(
    recording: Recording,
    env: Env,
    trajectory: Trajectory,
    config: ReplayConfig | None = None,
    *,
    locate: Locate | None = None,
    ask: Ask | None = None,
    approve: Approval | None = None,
) -> RunResult:
    """`replay` for callers who do not watch."""
    for _ in replay(recording, env, trajectory, config, locate=locate, ask=ask, approve=approve):
        pass
    assert trajectory.result is not None  # replay leaves with a result or raises
    return trajectory.result


class _Run:
    def __init__(
        self,
        recording: Recording,
        env: Env,
        trajectory: Trajectory,
        config: ReplayConfig,
        locate: Locate | None,
        ask: Ask | None,
        approve: Approval,
    ) -> None:
        self.verdicts: list[Verdict] = []
        self._recording, self._env, self._trajectory, self._config = recording, env, trajectory, config
        self._ask, self._approve = ask, approve
        self._values = values_of(recording, config.values)
        put = {one.default: config.values.get(name, one.default) for name, one in recording.variables.items()}
        self._ladder = Ladder(env, {old: new for old, new in put.items() if old != new}, locate, config.reads)
        self._seeker = Seeker(
            self._ladder,
            exact=config.mode == "exact",
            wait_s=config.wait_s,
            heal_after_s=config.heal_after_s,
            pages=config.pages,
        )
        self._hidden: list[Box] = []  # where other texts were typed
        self._patches: list[Patch] = []
        self._frames: dict[str, Frame] = {}  # of the recording, the last ones read
        self._shared: set[str] = set()
        self._seen: tuple[Frame, float] | None = None  # the last look, and when
        self._paced: tuple[float, float] | None = None  # when the last step began: then, and now
        self._steps = [step for step in recording.steps if _is_done_again(step)]
        if not self._steps:
            raise TrajectoryError(f"{recording.path} holds no action that could be done again")
        missing = next((step for step in self._steps if not _is_kept(step.before)), None)
        if missing is not None:
            number = missing.index + 1
            raise TrajectoryError(
                f"{recording.path} lacks the picture of step {number}: `moonhand traj check` tells more"
            )

    def targets(self) -> Generator[Target]:
        for step in self._steps:
            assert step.action is not None
            action = at_origins(step.action, self._config.pages)
            if step.index in self._values:
                action = with_text(action, self._values[step.index])
            yield Target(step, action, tuple(self._hidden), self._read)
            if step.index in self._values:
                self._hidden += field_boxes(step)

    def take(self, target: Target) -> tuple[Step, Divergence | None]:
        """One step on the disk, and why it was not performed."""
        self._keep_pace(target.step)
        start_s, started_at_s, started_mono_s = time.perf_counter(), time.time(), time.monotonic()
        frame = self._look()
        look_s = time.perf_counter() - start_s
        sought = self._seeker.seek(target, frame, self._env.observe)
        found, frame = sought.found, sought.frame
        asked_s, skipped = 0.0, False
        if isinstance(found, Divergence) and self._ask is not None:
            asking_s = time.monotonic()
            said = self._ask(
                f"{_number(target.step)}: {found}. Do it here, at X,Y, skip it, or stop? [here/X,Y/skip/stop]"
            )
            asked_s = time.monotonic() - asking_s
            frame = self._env.observe()
            found, skipped = _as_said(said, target, found, frame)
        draft = self._draft(target, frame, started_at_s, started_mono_s)
        if isinstance(found, Divergence):
            error = f"not approved by the person: {found}" if skipped else str(found)
            step = self._trajectory.append(replace(draft, error=error, asked_s=asked_s))
            self._note(target, step, None, "skipped" if skipped else "stopped", found.kind, found.said, sought.waited_s)
            return step, None if skipped else found
        action = target.at(found.points)
        live = found.surroundings or self._env.surroundings(action)
        draft = replace(
            draft,
            action=action,
            surroundings=live,
            fingerprint=_mark(frame, found.points, live),
            asked_s=asked_s,
        )
        draft = self._approve.consider(self._env, draft, frame)
        if draft.error is not None:
            step = self._trajectory.append(draft)
            self._seen = None
            if draft.decision in ("stop", "nobody"):
                status = "stopped" if draft.decision == "stop" else "needs_user"
                self._trajectory.finish(status, answer="" if draft.decision == "stop" else draft.error)
            self._note(target, step, None, "skipped", None, draft.error, sought.waited_s)
            return step, None
        step, divergence = self._perform(target, draft, found)
        verdict = "stopped" if divergence else "healed" if found.kind not in (None, "slow") else "done"
        own_s = time.perf_counter() - start_s - step.act_s - step.settle_s - sought.waited_s - step.asked_s
        self._note(target, step, found, verdict, found.kind, found.said, sought.waited_s, own_s, look_s)
        return step, divergence

    def _perform(self, target: Target, draft: Step, found: Found) -> tuple[Step, Divergence | None]:
        assert draft.action is not None
        try:
            effect = self._env.perform(draft.action)
        except (UnsupportedAction, PointOffScreen) as error:
            self._seen = None
            divergence = Divergence("changed", f"{_number(target.step)} cannot be done: {error}")
            return self._trajectory.append(replace(draft, error=str(divergence))), divergence
        after = self._env.observe()
        self._seen = (after, time.monotonic())
        if found.said:
            effect = replace(effect, detail=f"{effect.detail}; {found.said}")
        self._share(target.step.after, after)
        return self._trajectory.append(replace(draft, effect=effect, after=self._trajectory.store(after))), None

    def _note(
        self,
        target: Target,
        step: Step,
        found: Found | None,
        verdict: str,
        kind: str | None,
        said: str,
        waited_s: float,
        own_s: float = 0.0,
        look_s: float = 0.0,
    ) -> None:
        if verdict == "healed" and found is not None and target.points and step.action is not None:
            patch = Patch(
                number=len(self._patches) + 1,
                recorded=target.step.index,
                step=step.index,
                kind=str(found.kind),
                how=found.how,
                said=found.said,
                before=target.step.action or target.action,
                after=step.action,
            )
            self._patches.append(patch)
            write_patches(self._trajectory.path, self._patches)
        self.verdicts.append(
            Verdict(
                recorded=target.step.index,
                step=step.index,
                verdict=verdict,
                how=None if found is None else found.how,
                kind=kind,
                said=said,
                same_after=self._same_after(target, step),
                waited_s=round(waited_s, 3),
                overhead_s=round(own_s, 4),
            )
        )

    def _same_after(self, target: Target, step: Step) -> bool | None:
        """Whether the screen looks as it did then, as far as that was kept."""
        recorded = target.step.after
        if step.after is None or recorded is None or self._seen is None:
            return None
        if recorded.sha256 == step.after.sha256:
            return True
        if recorded.size != step.after.size or not _is_kept(recorded):
            return False
        hidden = self._hidden + (field_boxes(target.step) if target.step.index in self._values else [])
        then, now = (without(frame.pixels_HW3, hidden) for frame in (self._read(recorded), self._seen[0]))
        return where_changed(then, now) == "no_change"

    def _draft(self, target: Target, frame: Frame, started_at_s: float, started_mono_s: float) -> Step:
        self._share(target.step.before, frame)
        return Step(
            index=self._trajectory.num_steps,
            turn=self._trajectory.num_steps,
            before=self._trajectory.store(frame),
            after=None,
            action=target.action,
            instruction=target.step.instruction,
            started_at_s=started_at_s,
            started_mono_s=started_mono_s,
        )

    def _share(self, recorded: StoredFrame | None, frame: Frame) -> None:
        """Let the picture of the recording stand for this frame where they are the same: it need not be made again."""
        if recorded is None or recorded.sha256 != frame.sha256 or frame.sha256 in self._shared:
            return
        self._shared.add(frame.sha256)
        folder = self._trajectory.path / FRAMES_FOLDER
        with suppress(OSError):  # there already, or on another disk
            for path in _files_of(recorded):
                if not (folder / path.name).exists():
                    os.link(path, folder / path.name)

    def _look(self) -> Frame:
        """The last look, where nothing can have come between."""
        if self._seen is not None and time.monotonic() - self._seen[1] < STALE_S:
            return self._seen[0]
        return self._env.observe()

    def _read(self, stored: StoredFrame) -> Frame:
        if stored.sha256 not in self._frames:
            while len(self._frames) >= 2:
                del self._frames[next(iter(self._frames))]
            self._frames[stored.sha256] = stored.read()
        return self._frames[stored.sha256]

    def _keep_pace(self, step: Step) -> None:
        """Wait until as much time has passed since the last step as in the recording, at the wanted speed."""
        speed = self._config.speed or (1.0 if self._config.mode == "exact" else None)
        then_s = step.started_mono_s or step.started_at_s
        if speed is not None:
            if self._paced is not None:
                wait_s = (then_s - self._paced[0]) / speed - (time.monotonic() - self._paced[1])
                time.sleep(max(wait_s, 0.0))
            self._paced = (then_s, time.monotonic())


def _is_done_again(step: Step) -> bool:
    return step.action is not None and step.error is None and step.action.type not in UNTOUCHING


def _is_kept(stored: StoredFrame) -> bool:
    return not stored.missing


def _files_of(stored: StoredFrame) -> list[Path]:
    """What is needed to read it, the whole frame that a crop stands on first. OSError where it cannot be read."""
    with Image.open(stored.path) as picture:
        said = picture.info.get(CROP_KEY)
    base = [] if said is None else [stored.path.with_name(f"{json.loads(said)['base']}.png")]
    return [*base, stored.path]


def _answer(recording: Recording) -> str:
    """What the recorded run said at its end."""
    last = recording.steps[-1].action
    return last.answer if isinstance(last, Finish) else ""


def _mark(frame: Frame, points: tuple[Point, ...], live: Surroundings) -> Fingerprint | None:
    return fingerprint(frame, points[0], live.element) if points and frame.size.holds(points[0]) else None


def _number(step: Step) -> str:
    assert step.action is not None
    return f"step {step.index + 1}, {describe(step.action)}"


def _as_said(said: str, target: Target, trouble: Divergence, frame: Frame) -> tuple[Found | Divergence, bool]:
    """What a person's answer makes of a divergence, and whether the step is left out. Anything unclear stops."""
    words = said.strip().lower()
    place = re.fullmatch(r"(\d+(?:\.\d+)?)\s*[, ]\s*(\d+(?:\.\d+)?)", words)
    if words in ("here", "h", "do it", "do it here", "y", "yes"):
        return Found(points=target.points, how="person", kind=trouble.kind, said=f"done here as told: {trouble}"), False
    if place is not None and len(target.points) == 1:
        point = Point(float(place[1]), float(place[2]))
        if frame.size.holds(point):
            return Found(points=(point,), how="person", kind=trouble.kind, said=f"done there as told: {trouble}"), False
    return trouble, words in ("skip", "s", "leave it out")
