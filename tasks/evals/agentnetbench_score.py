"""Scores of predicted steps: of AgentNetBench's, or of any suite of steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...envs import Size
from ..errors import BadRequest
from .statistics import wilson
from .step_predictions import StepPrediction, read_step_predictions, spellings
from .step_score import OptionScore, score_step
from .suites.agentnetbench import AgentStep, open_agentnetbench


@dataclass(frozen=True, kw_only=True)
class StepVerdict:
    """What became of a step. `option` is the list of true actions that fits best: 0 is what was done."""

    step: AgentStep
    outcome: str  # "scored", "wrong_format", "missing"
    score: OptionScore
    option: int = 0


def score_agentnetbench(annotations: Path, predictions: Path, *, dialect: str = "opencua") -> dict[str, Any]:
    """The scores of a file of predictions; see `read_step_predictions` for its lines.

    Every step of the suite counts: one without a prediction, or with a reply that cannot be read, is 0, also in the
    figures of its action types (the published scorer leaves such steps out of those). BadSuite, and BadRequest for a
    prediction of a step that there is not.
    """
    suite = open_agentnetbench(annotations)
    found = read_step_predictions(predictions, _sizes(suite.steps), dialect=dialect)
    unknown = sorted(found.keys() - {step.id for step in suite.steps})
    if unknown:
        told = ", ".join(unknown[:5]) + (", ..." if len(unknown) > 5 else "")
        raise BadRequest(f"{predictions}: {len(unknown)} of the predictions are of no step of {annotations}: {told}")
    return {"suite": suite.name, **summary(score_steps(suite.steps, found)), "files": dict(suite.files)}


def score_steps(steps: Sequence[AgentStep], predictions: Mapping[str, StepPrediction]) -> tuple[StepVerdict, ...]:
    """A verdict for every step, in order."""
    return tuple(_verdict(step, predictions.get(step.id)) for step in steps)


def _verdict(step: AgentStep, prediction: StepPrediction | None) -> StepVerdict:
    if prediction is None or prediction.error is not None:
        nothing, _ = score_step(step.options[:1], ())
        return StepVerdict(step=step, outcome="missing" if prediction is None else "wrong_format", score=nothing)
    scores = [score_step(step.options, calls) for calls in spellings(prediction.actions, prediction.size)]
    score, option = max(scores, key=lambda scored: scored[0].total)
    return StepVerdict(step=step, outcome="scored", score=score, option=option)


def summary(verdicts: Sequence[StepVerdict]) -> dict[str, Any]:
    """Plain JSON values. `score` is the mean over all steps, as published; `full` are the steps that got all of 1.

    `groups` has the mean over the steps with a true action of that type, of what the actions of the type got.
    """
    n = len(verdicts)
    full = sum(verdict.score.total == 1.0 for verdict in verdicts)
    by_task: dict[str, list[float]] = {}
    by_type: dict[str, list[float]] = {}
    for verdict in verdicts:
        by_task.setdefault(verdict.step.task, []).append(verdict.score.total)
        for type_, worth in verdict.score.types.items():
            by_type.setdefault(type_, []).append(worth)
    outcomes = Counter(verdict.outcome for verdict in verdicts)
    return {
        "n": n,
        "score": _mean([verdict.score.total for verdict in verdicts]),
        "score_macro": _mean([_mean(worths) for worths in by_task.values()]),  # over tasks
        "full": {"count": full, "share": full / n if n else 0.0, "ci95": list(wilson(full, n))},
        "tasks": len(by_task),
        "wrong_format": outcomes["wrong_format"],
        "outcomes": {name: outcomes[name] for name in ("scored", "wrong_format", "missing")},
        "alternatives": sum(verdict.option > 0 for verdict in verdicts),  # steps where one fitted better
        "groups": {
            "action_type": {type_: {"n": len(found), "score": _mean(found)} for type_, found in sorted(by_type.items())}
        },
    }


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers) if numbers else 0.0


def _sizes(steps: Sequence[AgentStep]) -> dict[str, Size]:
    """Of the screenshots that are there; their headers are read, not their pixels."""
    from .suites.pictures import UnreadablePicture, picture_size

    sizes: dict[str, Size] = {}
    for step in steps:
        if step.image is not None:
            try:
                sizes[step.id] = picture_size(step.image)
            except UnreadablePicture:
                continue  # asked for where a prediction needs it
    return sizes
