"""Recorded runs as lessons: each turn becomes what the model would be asked again, with the reply it is to give."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...agent import PromptProfile, Recording, Step, StoredFrame, TrajectoryError, read_trajectory, write_kimi
from ...agent.prompts import Turn, agent_turns, grounding_turns
from ...agent.trajectory import RUN_FILE
from ...envs import Action, Click, Frame, Refuse, action_points, describe
from ..errors import BadRequest

if TYPE_CHECKING:
    from ...model import KimiVLConfig, Tokenizer
    from ...model.replies import ReplyBatch, ReplySample

DIALECTS = ("kimi", "raw")
LAST_PLACE = 0.999  # the largest number that is taught; 1.000 would begin with another digit


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """One turn of a run. With `goal` the next action is asked for, with `instruction` only where one thing is."""

    source: Path  # the trajectory's folder
    turn: int
    frame: StoredFrame
    reply: str
    goal: str | None = None
    history: tuple[Step, ...] = ()
    instruction: str | None = None

    def turns(self, profile: PromptProfile) -> tuple[Turn, ...]:
        """The prompt, laid out as when the model acts. TrajectoryError where a picture cannot be read."""
        if self.goal is not None:
            return agent_turns(profile, self.frame.read(), self.goal, self.history)
        assert self.instruction is not None
        return grounding_turns(profile, self.frame.read(), self.instruction)


@dataclass(frozen=True)
class Lessons:
    """What there is to learn, run by run, and how much was left out for which reason."""

    by_run: tuple[tuple[Lesson, ...], ...]
    left_out: Counter[str]

    def __len__(self) -> int:
        return sum(map(len, self.by_run))

    def split(self, held_out: float, seed: int) -> tuple[tuple[Lesson, ...], tuple[Lesson, ...]]:
        """Lessons to learn from and lessons to be judged by, of different runs; a single run is never split."""
        runs = list(self.by_run)
        random.Random(f"split-{seed}").shuffle(runs)
        num_held = min(len(runs) - 1, max(1, round(held_out * len(runs)))) if held_out > 0 else 0
        kept, held = runs[num_held:], runs[:num_held]
        return tuple(x for run in kept for x in run), tuple(x for run in held for x in run)


def find_runs(folders: Sequence[Path]) -> list[Path]:
    """The trajectories among the folders and below them, in order. BadRequest for a folder without any."""
    found: list[Path] = []
    for folder in folders:
        runs = sorted(path.parent for path in folder.rglob(RUN_FILE)) if folder.is_dir() else []
        if not runs:
            raise BadRequest(f"{folder} holds no recorded run (a folder with {RUN_FILE}): make one with moonhand run")
        found += runs
    return list(dict.fromkeys(found))


def read_lessons(
    runs: Iterable[Path], profile: PromptProfile, *, dialect: str = "kimi", with_failed: bool = False
) -> Lessons:
    """What runs teach to a checkpoint with this profile. `dialect` kimi: the actions done, as calls; raw: the replies.

    Left out are turns that failed, turns without anything to find where the profile only finds, and, unless
    `with_failed`, runs that were checked and found wanting. TrajectoryError for a folder that holds no run, BadRequest
    where nothing is left.
    """
    if dialect not in DIALECTS:
        raise BadRequest(f"replies can be taught as {' or '.join(DIALECTS)}, not as {dialect!r}")
    by_run: list[tuple[Lesson, ...]] = []
    left_out: Counter[str] = Counter()
    for path in runs:
        recording = read_trajectory(path)
        if not with_failed and recording.result is not None and recording.result.success is False:
            left_out["runs that did not reach their goal"] += 1
            continue
        if lessons := tuple(_lessons(recording, profile, dialect, left_out)):
            by_run.append(lessons)
    found = Lessons(tuple(by_run), left_out)
    if not found:
        why = "; ".join(f"{number} {reason}" for reason, number in left_out.items()) or "they have no steps"
        raise BadRequest(f"the recorded runs hold nothing to learn for profile {profile.name!r}: {why}")
    return found


def check_lessons(lessons: Iterable[Lesson], profile: PromptProfile, tokenizer: Tokenizer, config: KimiVLConfig) -> int:
    """The most tokens a lesson can take, from the pictures' headers alone: as if no part of a picture were blank.

    BadRequest naming the run and turn with a picture that is missing, damaged or too large, or that is too long.
    """
    from ...model import ModelError
    from ...model.replies import count_tokens

    whole = replace(config, image=replace(config.image, blank_levels=None))
    longest = 0
    checked: set[Path] = set()
    for lesson in lessons:
        try:
            for stored in (lesson.frame, *(step.before for step in lesson.history)):
                if stored.path not in checked:
                    _check_picture(stored)
                    checked.add(stored.path)
            blank = replace(
                lesson,
                frame=_blank(lesson.frame),
                history=tuple(replace(step, before=_blank(step.before)) for step in lesson.history),
            )
            longest = max(longest, count_tokens(sample_of(blank, profile), tokenizer, whole))
        except ModelError as error:
            raise BadRequest(f"{lesson.source}, turn {lesson.turn}: {error}") from error
    return longest


def sample_of(lesson: Lesson, profile: PromptProfile) -> ReplySample:
    """The lesson as messages for the model."""
    from ...model import Message, Picture
    from ...model.replies import ReplySample

    return ReplySample(
        tuple(
            Message(
                turn.role, tuple(part if isinstance(part, str) else Picture(part.pixels_HW3) for part in turn.parts)
            )
            for turn in lesson.turns(profile)
        ),
        lesson.reply,
    )


class LessonBatches:
    """Batch number i of `num_batches`: every lesson once an epoch, in an order that the seed and the epoch decide."""

    def __init__(
        self,
        lessons: Sequence[Lesson],
        profile: PromptProfile,
        config: KimiVLConfig,
        tokenizer_folder: Path,
        *,
        size: int,
        num_batches: int,
        seed: int | None,
    ) -> None:
        """`seed` None keeps the lessons' own order."""
        self.lessons = tuple(lessons)
        self.profile = profile
        self.config = config
        self.tokenizer_folder = tokenizer_folder
        self.size = size
        self.num_batches = num_batches
        self.seed = seed

    def __len__(self) -> int:
        return self.num_batches

    def __getitem__(self, index: int) -> ReplyBatch:
        from ...model.replies import collate

        places = range(index * self.size, (index + 1) * self.size)
        if self.seed is None:
            places = places[: max(0, len(self.lessons) - places.start)]
        samples = [sample_of(self.lessons[self._lesson_at(place)], self.profile) for place in places]
        return collate(samples, self._tokenizer, self.config)

    def _lesson_at(self, place: int) -> int:
        epoch, position = divmod(place, len(self.lessons))
        order = list(range(len(self.lessons)))
        if self.seed is not None:
            random.Random(f"{self.seed}-{epoch}").shuffle(order)
        return order[position]

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        """Made in the worker: it does not travel between processes."""
        from ...model import Tokenizer

        return Tokenizer.load(self.tokenizer_folder)


def _lessons(recording: Recording, profile: PromptProfile, dialect: str, left_out: Counter[str]) -> Iterable[Lesson]:
    steps = recording.steps
    for turn, group in groupby(steps, key=lambda step: step.turn):
        taken = list(group)
        first = taken[0]
        actions = [step.action for step in taken if step.action is not None]
        if any(step.error for step in taken) or not actions:
            left_out["turns that failed"] += 1
            continue
        found = None if profile.plans else _found(actions)
        if not profile.plans and (first.instruction is None or found is None):
            left_out["turns with nothing to find"] += 1
            continue
        reply = first.reply if dialect == "raw" else _written(first, [found] if found else actions, profile)
        if reply is None:
            left_out["turns without a reply"] += 1
            continue
        yield Lesson(
            source=recording.path,
            turn=turn,
            frame=first.before,
            reply=reply,
            goal=recording.goal if profile.plans else None,
            history=tuple(step for step in steps if step.index < first.index) if profile.plans else (),
            instruction=None if profile.plans else first.instruction,
        )


def _found(actions: Sequence[Action]) -> Action | None:
    """What a model that only finds things says to get these actions: a click on their first point, or a refusal."""
    if isinstance(actions[0], Refuse):
        return Refuse()
    point = next((point for action in actions for point in action_points(action)), None)
    return None if point is None else Click(x_px=point.x_px, y_px=point.y_px)


def _written(first: Step, actions: Sequence[Action], profile: PromptProfile) -> str:
    """The actions as calls, in the sections that the profile asks for."""
    size = first.before.size

    def to_norm(x_px: float, y_px: float) -> tuple[float, float]:
        return min(x_px / size.width_px, LAST_PLACE), min(y_px / size.height_px, LAST_PLACE)

    calls = "\n".join(write_kimi(action, to_norm) for action in actions)
    asked = (profile.agent_system if profile.plans else profile.grounding_system) or ""
    if "## Code" not in asked:
        return calls
    thought = f"## Thought:\n{first.thought}\n\n" if first.thought and "## Thought" in asked else ""
    said = first.instruction or "; ".join(map(describe, actions))
    return f"{thought}## Action:\n{said}\n\n## Code:\n```python\n{calls}\n```"


class _Blank(StoredFrame):
    """A picture of the same size without the reading: counting tokens needs no more."""

    def read(self) -> Frame:
        return Frame(np.zeros((self.size.height_px, self.size.width_px, 3), np.uint8))


def _blank(stored: StoredFrame) -> _Blank:
    return _Blank(stored.path, stored.sha256, stored.size, stored.scale, stored.captured_at_s, stored.capture_s)


def _check_picture(stored: StoredFrame) -> None:
    try:
        stored.check_files()
    except TrajectoryError as error:
        raise BadRequest(f"{error}; leave this run out") from error
