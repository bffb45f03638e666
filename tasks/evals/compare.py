"""Two sets of predictions for the same rows: how far apart they are, how sure that is, and which rows changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from ..errors import BadRequest
from .prediction import Outcome
from .statistics import mcnemar
from .tally import Tally
from .verdict_files import Judged


@dataclass(frozen=True)
class Paired:
    """How often both, one alone, and neither were right."""

    both: int
    only_a: int
    only_b: int
    neither: int

    @property
    def n(self) -> int:
        return self.both + self.only_a + self.only_b + self.neither

    @property
    def a(self) -> Tally:
        return Tally(self.n, self.both + self.only_a)

    @property
    def b(self) -> Tally:
        return Tally(self.n, self.both + self.only_b)

    @property
    def difference(self) -> float:
        """B's accuracy less A's."""
        return (self.only_b - self.only_a) / self.n if self.n else 0.0

    @property
    def p(self) -> float:
        """Of the exact McNemar test."""
        return mcnemar(self.only_a, self.only_b)

    def to_json(self) -> dict[str, Any]:
        return {
            "n": self.n,
            "a": self.a.to_json(),
            "b": self.b.to_json(),
            "difference": self.difference,
            "mcnemar_p": self.p,
            "both": self.both,
            "only_a": self.only_a,
            "only_b": self.only_b,
            "neither": self.neither,
        }


@dataclass(frozen=True)
class Change:
    """A row that one of the two got right."""

    a: Judged
    b: Judged

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.a.id,
            "instruction": self.a.instruction,
            "a": self.a.outcome.value,
            "b": self.b.outcome.value,
            "groups": {axis: list(values) for axis, values in self.a.groups.items()},
        }


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Of A with B; `differing` holds what their manifests say otherwise, as the values of A and B, None for nothing."""

    paired: Paired
    groups: Mapping[str, Mapping[str, Paired]]
    right_to_wrong: tuple[Change, ...]
    wrong_to_right: tuple[Change, ...]
    differing: Mapping[str, tuple[Any, Any]]

    def to_json(self) -> dict[str, Any]:
        return {
            **self.paired.to_json(),
            "right_to_wrong": [change.to_json() for change in self.right_to_wrong],
            "wrong_to_right": [change.to_json() for change in self.wrong_to_right],
            "groups": {
                axis: {name: each.to_json() for name, each in values.items()} for axis, values in self.groups.items()
            },
            "manifest": {key: {"a": a, "b": b} for key, (a, b) in self.differing.items()},
        }


def compare_verdicts(
    a: Mapping[str, Judged],
    b: Mapping[str, Judged],
    manifests: tuple[Mapping[str, Any], Mapping[str, Any]] = ({}, {}),
) -> Comparison:
    """Row by row, in A's order. BadRequest where the two are not about the same rows."""
    if a.keys() != b.keys():
        only_a, only_b = [key for key in a if key not in b], [key for key in b if key not in a]
        told = "; ".join(
            f"{len(keys)} only in {name}: {', '.join(keys[:3])}"
            for name, keys in (("A", only_a), ("B", only_b))
            if keys
        )
        raise BadRequest(
            f"A has {len(a)} rows and B has {len(b)}, not the same ones ({told}): score both on all of them, or give "
            "--common, to compare the rows that both were asked"
        )
    changes = [Change(row, b[key]) for key, row in a.items()]
    named: dict[str, dict[str, list[Change]]] = {}
    for change in changes:
        for axis, values in change.a.groups.items():
            for value in dict.fromkeys(values):
                named.setdefault(axis, {}).setdefault(value, []).append(change)
    return Comparison(
        paired=_paired(changes),
        groups={axis: {name: _paired(values[name]) for name in sorted(values)} for axis, values in named.items()},
        right_to_wrong=tuple(each for each in changes if each.a.correct and not each.b.correct),
        wrong_to_right=tuple(each for each in changes if each.b.correct and not each.a.correct),
        differing=differing(*manifests),
    )


def in_common(a: Mapping[str, Judged], b: Mapping[str, Judged]) -> tuple[dict[str, Judged], dict[str, Judged]]:
    """The rows that both were asked: none that one has not, or left out. BadRequest where there are none."""
    asked = [key for key, row in a.items() if key in b and Outcome.SKIPPED not in (row.outcome, b[key].outcome)]
    if not asked:
        raise BadRequest("--common: there is no row that both A and B were asked")
    return {key: a[key] for key in asked}, {key: b[key] for key in asked}


def check_same_suite(a: Mapping[str, Any], b: Mapping[str, Any]) -> None:
    """BadRequest where two manifests are of other suites, of other annotation files, or of other targets in them."""
    ours, theirs = _suite_in(a), _suite_in(b)
    if ours.get("name") != theirs.get("name"):
        raise BadRequest(f"A is of {ours.get('name')} and B of {theirs.get('name')}: only one suite can be compared")
    files: tuple[dict[str, str], dict[str, str]] = (ours.get("files") or {}, theirs.get("files") or {})
    if sorted(files[0].values()) == sorted(files[1].values()):
        boxes = ours.get("boxes") or "", theirs.get("boxes") or ""
        if all(boxes) and boxes[0] != boxes[1]:
            raise BadRequest(
                f"A was judged with boxes as {boxes[0]}, B as {boxes[1]}: the targets differ. Score both with the same "
                "--boxes"
            )
        return
    names = sorted({*files[0], *files[1]})
    other = [name for name in names if files[0].get(name) != files[1].get(name)]
    raise BadRequest(
        f"A and B were scored against other annotation files of {ours.get('name')}: {', '.join(other[:5])} differ by "
        "SHA-256. Score both against the same files"
    )


def differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The keys in which two manifests differ, as in "model.dtype"; None where one has not got it."""
    one, other = dict(_flat(a)), dict(_flat(b))
    return {
        key: (one.get(key), other.get(key))
        for key in dict.fromkeys((*one, *other))
        if json.dumps(one.get(key), sort_keys=True) != json.dumps(other.get(key), sort_keys=True)
    }


def _paired(changes: Iterable[Change]) -> Paired:
    counts = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
    for change in changes:
        counts[change.a.correct, change.b.correct] += 1
    return Paired(*counts.values())


def _suite_in(manifest: Mapping[str, Any]) -> dict[str, Any]:
    suite = manifest.get("suite")
    if not isinstance(suite, dict):
        raise BadRequest("a manifest does not say which suite it is of: score the predictions anew, with --out")
    return cast(dict[str, Any], suite)


def _flat(told: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in told.items():
        if isinstance(value, dict) and value:
            yield from _flat(cast(dict[str, Any], value), f"{prefix}{key}.")
        else:
            yield prefix + key, value
