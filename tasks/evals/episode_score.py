"""Scores of episodes, by both rules that are in use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .episode_log import EpisodeRow
from .statistics import wilson

RULES: Final[Mapping[str, str]] = {
    "solved": "raw reward = 1: MiniWoB++'s own rule",
    "rewarded": "raw reward > 0: BrowserGym's rule, by which a part of a task counts as much as all of it",
}


@dataclass(frozen=True)
class Share:
    """How many of n episodes met a rule."""

    count: int
    n: int

    @property
    def share(self) -> float:
        return self.count / self.n if self.n else 0.0

    @property
    def ci95(self) -> tuple[float, float]:
        """Wilson's interval: of the share that ever more seeds of the same tasks would show."""
        return wilson(self.count, self.n)

    def to_json(self) -> dict[str, Any]:
        return {"count": self.count, "n": self.n, "share": self.share, "ci95": list(self.ci95)}


@dataclass(frozen=True, kw_only=True)
class TaskScore:
    """Of one task."""

    solved: Share
    rewarded: Share
    mean_raw_reward: float  # -1..1; 0 for an episode that did not end
    mean_steps: float

    def to_json(self) -> dict[str, Any]:
        return {
            "episodes": self.solved.n,
            "solved": self.solved.to_json(),
            "rewarded": self.rewarded.to_json(),
            "mean_raw_reward": self.mean_raw_reward,
            "mean_steps": self.mean_steps,
        }


@dataclass(frozen=True, kw_only=True)
class EpisodesScore:
    """Of a run. Every episode counts, those too that timed out or crashed: as neither solved nor rewarded."""

    tasks: Mapping[str, TaskScore]
    failed: tuple[EpisodeRow, ...]

    def of_all(self, rule: str) -> Share:
        """Of all episodes together."""
        shares = [getattr(task, rule) for task in self.tasks.values()]
        return Share(sum(share.count for share in shares), sum(share.n for share in shares))

    def mean_over_tasks(self, rule: str) -> float:
        """Of the tasks' shares, each task counting alike."""
        return sum(getattr(task, rule).share for task in self.tasks.values()) / len(self.tasks)

    def to_json(self) -> dict[str, Any]:
        both = {
            rule: {"mean_over_tasks": self.mean_over_tasks(rule), **self.of_all(rule).to_json(), "rule": RULES[rule]}
            for rule in RULES
        }
        rewards = [task.mean_raw_reward for task in self.tasks.values()]
        return {
            "num_tasks": len(self.tasks),
            "num_episodes": self.of_all("solved").n,
            **both,
            "mean_raw_reward": sum(rewards) / len(rewards),
            "failures": dict(Counter(row.failure for row in self.failed)),
            "failed": [
                {"task": row.task, "seed": row.seed, "failure": row.failure, "error": row.error} for row in self.failed
            ],
            "tasks": {name: task.to_json() for name, task in self.tasks.items()},
        }


def score_episodes(rows: Sequence[EpisodeRow]) -> EpisodesScore:
    """ValueError where there is none."""
    if not rows:
        raise ValueError("no episode was played")
    by_task: dict[str, list[EpisodeRow]] = {}
    for row in rows:
        by_task.setdefault(row.task, []).append(row)
    return EpisodesScore(
        tasks={task: _of_task(played) for task, played in by_task.items()},
        failed=tuple(row for row in rows if row.failure),
    )


def _of_task(rows: Sequence[EpisodeRow]) -> TaskScore:
    n = len(rows)
    return TaskScore(
        solved=Share(sum(row.solved for row in rows), n),
        rewarded=Share(sum(row.rewarded for row in rows), n),
        mean_raw_reward=sum(row.raw_reward for row in rows) / n,
        mean_steps=sum(row.steps for row in rows) / n,
    )
