"""All that is counted over the verdicts of a suite: one place for every figure that a person or program is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .prediction import Failure, Outcome, Prediction, Verdict
from .sample import GroundingSample, RefusalAnswer, Suite
from .screen_sizes import sizes_known
from .statistics import quantile, wilson
from .tally import Tally, by_cell, by_group, by_size, tally
from .timings import Timing
from .verdict import judge


@dataclass(frozen=True, kw_only=True)
class RefusalScore:
    """Refusing, of a suite in which some rows have no target. `missed` rows were given a point all the same."""

    n: int  # rows without a target
    true_refusals: int
    missed: int  # a point, on the screenshot or off it
    unreadable: int  # neither: no reply, or one that could not be read
    num_targets: int  # rows with a target
    false_refusals: int  # of those

    def to_json(self) -> dict[str, Any]:
        """With the rates; null where there is nothing to divide by."""
        refused = self.true_refusals + self.false_refusals
        return {
            "n": self.n,
            "true_refusals": self.true_refusals,
            "missed": self.missed,
            "unreadable": self.unreadable,
            "num_targets": self.num_targets,
            "false_refusals": self.false_refusals,
            "true_refusal_rate": _rate(self.true_refusals, self.n),
            "missed_rate": _rate(self.missed, self.n),
            "false_refusal_rate": _rate(self.false_refusals, self.num_targets),
            "precision": _rate(self.true_refusals, refused),
        }


@dataclass(frozen=True, kw_only=True)
class Result:
    """The scores of one set of predictions.

    `n` counts every row of the suite: those without a prediction, and the broken ones that were left out, too. Groups,
    cells and classes of size hold the rows that could be asked.
    """

    suite: str
    convention: str  # how the suite's boxes were written
    files: Mapping[str, str]  # the annotation files, and their SHA-256
    n: int
    correct: int
    accuracy_macro: float | None  # the mean of the cells; None where there are none, or a row is in none of them
    macro_over: tuple[str, ...]  # the axes of the cells
    cells: Mapping[str, Tally]
    outcomes: Mapping[Outcome, int]  # every outcome, also those that nothing had
    refusal: RefusalScore
    actionable: Tally  # the rows with a target alone
    groups: Mapping[str, Mapping[str, Tally]]
    sizes: Mapping[str, Mapping[str, Tally]]
    distances_px: tuple[float, ...]  # sorted: of the points to targets' edges, 0 inside
    timings: tuple[Timing, ...] = ()
    prompt_tokens: tuple[int, ...] = ()
    generated_tokens: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()  # in words, of how the predictions were read
    verdicts: tuple[Verdict, ...] = field(default=(), repr=False)  # in the order of the suite; not in the JSON

    @property
    def accuracy(self) -> float:
        """Over all rows, each counting once."""
        return self.correct / self.n if self.n else 0.0

    @property
    def ci95(self) -> tuple[float, float]:
        """Of the accuracy, by Wilson."""
        return wilson(self.correct, self.n)

    @property
    def wrong_format(self) -> int:
        return self.outcomes[Outcome.WRONG_FORMAT]

    def to_json(self) -> dict[str, Any]:
        return {
            "suite": self.suite,
            "n": self.n,
            "correct": self.correct,
            "accuracy": self.accuracy,
            "accuracy_macro": self.accuracy_macro,
            "macro_over": list(self.macro_over),
            "ci95": list(self.ci95),
            "wrong_format": self.wrong_format,
            "outcomes": {outcome.value: num for outcome, num in self.outcomes.items()},
            "refusal": self.refusal.to_json(),
            "actionable": self.actionable.to_json(),
            "groups": _tallies(self.groups),
            "cells": {name: cell.to_json() for name, cell in self.cells.items()},
            "sizes": _tallies(self.sizes),
            "distance_px": {
                "all": _quantiles(self.distances_px),
                "misses": _quantiles([away_px for away_px in self.distances_px if away_px > 0]),
            },
            "latency": _latency(self.timings),
            "tokens": {
                "prompt": _quantiles(sorted(self.prompt_tokens), total=True),
                "generated": _quantiles(sorted(self.generated_tokens), total=True),
            },
            "notes": list(self.notes),
            "convention": self.convention,
            "files": dict(self.files),
        }


def score(
    suite: Suite,
    predictions: Mapping[str, Prediction],
    timings: Mapping[str, Timing] | None = None,
    notes: Iterable[str] = (),
) -> Result:
    """Judge every row of the suite and count. A row without a prediction is MISSING; ValueError for an unknown id.

    A prediction for a row that was left out is not looked at: the row is SKIPPED, and never right. Where the sizes of
    the screenshots are not known nothing is counted over them, and no point beyond them is OFF_SCREEN: it is WRONG.
    """
    ids = {sample.id for sample in suite.samples}
    if unknown := sorted(predictions.keys() - ids - set(suite.skipped)):
        raise ValueError(f"predictions of rows that {suite.name} has not: {', '.join(unknown[:5])}")
    replies = [predictions.get(sample.id) or missing(sample) for sample in suite.samples]
    verdicts = [judge(sample, reply) for sample, reply in zip(suite.samples, replies, strict=True)]
    screens, told = sizes_known(suite), list(notes)
    if not screens:
        verdicts = [_without_screen(verdict) for verdict in verdicts]
        told.append("the sizes of the screenshots are not known: no point is counted as off-screen")
    if suite.drawn:
        told.append("the screens were drawn by `moonhand eval generate`: the layout is published, the data are not")
    counted = [(sample, verdict.correct) for sample, verdict in zip(suite.samples, verdicts, strict=True)]
    outcomes = Counter(verdict.outcome for verdict in verdicts)
    outcomes[Outcome.SKIPPED] += len(suite.skipped)
    cells = by_cell(counted, suite.cells) if suite.cells else {}
    astray = len(suite.skipped) + sum(not sample.groups.keys() >= set(suite.cells) for sample in suite.samples)
    if cells and astray:
        told.append(f"no mean of the cells: {astray} rows are in none of them")
    spent = timings or {}
    return Result(
        suite=suite.name,
        convention=suite.convention,
        files=suite.files,
        n=suite.denominator,
        correct=sum(verdict.correct for verdict in verdicts),
        accuracy_macro=sum(cell.accuracy for cell in cells.values()) / len(cells) if cells and not astray else None,
        macro_over=suite.cells,
        cells=cells,
        outcomes={outcome: outcomes[outcome] for outcome in Outcome},
        refusal=_refusals(suite.samples, verdicts),
        actionable=tally(right for sample, right in counted if not isinstance(sample.answer, RefusalAnswer)),
        groups=by_group(counted),
        sizes=by_size(counted, screens=screens),
        distances_px=tuple(sorted(each.distance_px for each in verdicts if each.distance_px is not None)),
        timings=tuple(spent[sample.id] for sample in suite.samples if sample.id in spent),
        prompt_tokens=tuple(reply.prompt_tokens for reply in replies if reply.prompt_tokens is not None),
        generated_tokens=tuple(reply.generated_tokens for reply in replies if reply.generated_tokens is not None),
        notes=tuple(told),
        verdicts=tuple(verdicts),
    )


def missing(sample: GroundingSample) -> Prediction:
    """What stands for a row that nobody answered."""
    return Prediction(id=sample.id, failure=Failure.MISSING, error="no prediction")


def _without_screen(verdict: Verdict) -> Verdict:
    return replace(verdict, outcome=Outcome.WRONG) if verdict.outcome is Outcome.OFF_SCREEN else verdict


def _refusals(samples: Sequence[GroundingSample], verdicts: Sequence[Verdict]) -> RefusalScore:
    found = Counter(
        (isinstance(sample.answer, RefusalAnswer), verdict.outcome)
        for sample, verdict in zip(samples, verdicts, strict=True)
    )
    n = sum(num for (nothing_there, _), num in found.items() if nothing_there)
    true_refusals = found[True, Outcome.REFUSED]
    given = found[True, Outcome.WRONG] + found[True, Outcome.OFF_SCREEN]
    return RefusalScore(
        n=n,
        true_refusals=true_refusals,
        missed=given,
        unreadable=n - true_refusals - given,
        num_targets=len(samples) - n,
        false_refusals=found[False, Outcome.REFUSED],
    )


def _rate(part: int, of: int) -> float | None:
    return part / of if of else None


def _tallies(groups: Mapping[str, Mapping[str, Tally]]) -> dict[str, dict[str, Any]]:
    return {axis: {value: each.to_json() for value, each in values.items()} for axis, values in groups.items()}


def _quantiles(values: Sequence[float], *, total: bool = False) -> dict[str, Any]:
    """Of sorted values; null where there are none."""
    shares = {"median": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "max": 1.0}
    told: dict[str, Any] = {"n": len(values)}
    told |= {name: quantile(values, share) if values else None for name, share in shares.items()}
    if total:
        told["sum"] = sum(values)
    return told


def _latency(timings: Sequence[Timing]) -> dict[str, Any]:
    model_s = sorted(each.model_s for each in timings if each.model_s is not None)
    wait_s = sorted(each.wait_s for each in timings if each.wait_s is not None)
    return {
        "n": len(timings),
        "model_s": _quantiles(model_s, total=True),
        "wait_s": _quantiles(wait_s, total=True),
        "attempts": sum(each.attempts for each in timings),
    }
