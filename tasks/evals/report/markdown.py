"""The report as Markdown: the tables, for a pull request or a model card."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..prediction import Outcome
from .page import model_name
from .words import (
    EXPECTED,
    flat,
    interval,
    no_macro,
    number,
    outcome_name,
    percent,
    seconds,
    sizes_heading,
    sizes_scale,
)

Json = Mapping[str, Any]


def report_markdown(report: Json) -> str:
    """Every figure in it is one of the report's; text of models and suites is escaped."""
    result, suite = report["result"], report["suite"]
    parts = [
        f"# {_plain(suite['name'])}: {_plain(model_name(report['manifest']))}",
        f"**Accuracy {percent(result['accuracy'])}** (micro; 95 % Wilson interval {interval(result['ci95'])} %): "
        f"{result['correct']:,} right of {result['n']:,} samples, each counting once.",
        _macro(result),
        f"The denominator is all {suite['samples']:,} samples that were read and {suite['skipped']:,} skipped rows; "
        f"{result['refusal']['n']:,} of them have no target. What has no reply, or none that can be read, is wrong.",
    ]
    if result["outcomes"]["missing"] or suite["skipped"]:
        unasked = f"{result['outcomes']['missing']:,} samples without a prediction, {suite['skipped']:,} rows skipped"
        parts.append(f"**Not a whole run:** {unasked}; all of them count as wrong.")
    parts += [f"- {_plain(note)}" for note in result["notes"]]
    parts += ["## Outcomes", _outcomes(report)]
    if suite["skipped"]:
        parts.append(
            f"The {suite['skipped']:,} skipped rows are in none of the tables below: they hold the samples that could "
            "be asked."
        )
    if result["cells"] and len(result["macro_over"]) > 1:
        parts += [f"## {_plain(' x '.join(result['macro_over']))}", _tallies(result["cells"])]
    for axis, classes in result["groups"].items():
        parts += [f"## {_plain(axis)}", _tallies(classes)]
    for axis, classes in result["sizes"].items():
        parts += [f"## {sizes_heading(axis)}", _tallies(classes, sizes_scale(axis))]
    if report["confidence"] is not None:
        parts += ["## Confidence", _confidence(report["confidence"])]
    if told := _spent(result):
        parts += ["## Time and tokens", told]
    if report["published"]:
        rows = [
            (_plain(each["model"]), percent(each["accuracy"]), _plain(each["source"])) for each in report["published"]
        ]
        parts += [
            "## Published figures",
            "Stated by others for the same suite; their prompts, denominators and scorers are their own, and none of "
            "it was measured here.",
            _table(("model", "accuracy", "source"), rows),
        ]
    if report["manifest"]:
        rows = [(_plain(name), _plain(value)) for name, value in flat(report["manifest"])]
        parts += ["## Manifest", _table(("", ""), rows, right=())]
    return "\n\n".join(parts) + "\n"


def _macro(result: Json) -> str:
    if result["accuracy_macro"] is None:
        return f"There is no macro average: {_plain(no_macro(result))}."
    over = _plain(" x ".join(result["macro_over"]))
    return f"**Macro {percent(result['accuracy_macro'])}**: the mean of {len(result['cells'])} cells of {over}."


def _outcomes(report: Json) -> str:
    seen = [outcome.value for outcome in Outcome if report["result"]["outcomes"][outcome.value]]
    rows = [
        (EXPECTED[name], *(f"{counts.get(outcome, 0):,}" for outcome in seen), f"{sum(counts.values()):,}")
        for name, counts in report["expected"].items()
    ]
    return _table(("expected", *map(outcome_name, seen), "in all"), rows)


def _tallies(classes: Mapping[str, Json], name: str = "") -> str:
    rows = [
        (_plain(value), f"{each['n']:,}", f"{each['correct']:,}", percent(each["accuracy"]), interval(each["ci95"]))
        for value, each in classes.items()
    ]
    return _table((name, "n", "right", "accuracy", "95 %"), rows)


def _confidence(told: Json) -> str:
    rows = [
        (
            f"{each['from']:.1f} - {each['to']:.1f}",
            f"{each['n']:,}",
            percent(each["confidence"]),
            percent(each["accuracy"]),
        )
        for each in told["bins"]
    ]
    said = f"Expected calibration error {told['ece']:.3f} over {told['n']:,} answers, in bins of equal width."
    return f"{said}\n\n{_table(('confidence', 'n', 'mean', 'accuracy'), rows)}"


def _spent(result: Json) -> str:
    rows: list[tuple[str, ...]] = []
    for name, told, said in (
        ("model time", result["latency"]["model_s"], seconds),
        ("prompt tokens", result["tokens"]["prompt"], number),
        ("generated tokens", result["tokens"]["generated"], number),
    ):
        if told["n"]:
            rows.append((name, f"{told['n']:,}", *(said(told[key]) for key in ("median", "p90", "p95", "max", "sum"))))
    return _table(("", "n", "median", "90 %", "95 %", "most", "in all"), rows) if rows else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] | None = None) -> str:
    marks = ["---:" if (at if right is None else at in right) else "---" for at in range(len(head))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, marks, *rows))


def _plain(text: str) -> str:
    """As Markdown that shows as it is, in one line."""
    text = " ".join(text.encode("utf-8", "replace").decode("utf-8").split())
    for mark in "\\`*_[]<>|#~":
        text = text.replace(mark, f"\\{mark}" if mark not in "<>" else {"<": "&lt;", ">": "&gt;"}[mark])
    return text
