"""All figures of a report, as plain JSON: the page, the Markdown and `report.json` show these and none of their own."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ...finite import finite
from ..prediction import Outcome
from ..sample import Suite
from ..score import Result
from ..statistics import quantile
from ..tally import Tally
from .published import published_json
from .rows import Row

FORMAT: Final = "moonhand-report-1"
WITHIN_PX: Final = (0, 5, 10, 20, 50, 100, 200, 500, 1000)
NUM_BINS: Final = 10  # of confidence
SHARES: Final = tuple(tenths / 10 for tenths in range(1, 11))  # of the surest answers


def summarise(suite: Suite, rows: Sequence[Row], result: Result, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The score's own JSON is in it as it is."""
    told = {
        "format": FORMAT,
        "suite": {
            "name": suite.name,
            "samples": len(suite.samples),
            "skipped": len(suite.skipped),
            "denominator": suite.denominator,
        },
        "result": result.to_json(),
        "expected": _expected(suite, rows),
        "within_px": _within(suite, rows),
        "confidence": _confidence(rows),
        "seconds": _histogram(sorted(row.model_s for row in rows if row.model_s is not None)),
        "published": [] if suite.drawn else published_json(suite.name),
        "manifest": dict(manifest),
    }
    return {key: finite(value) for key, value in told.items()}


def _expected(suite: Suite, rows: Sequence[Row]) -> dict[str, dict[str, int]]:
    """What was right against what was said: samples of each outcome, apart for targets, refusals and broken rows."""
    found: dict[str, Counter[str]] = {"target": Counter(), "refusal": Counter(), "broken_row": Counter()}
    for row in rows:
        found["refusal" if row.expects_refusal else "target"][row.verdict.outcome] += 1
    found["broken_row"][Outcome.SKIPPED] = len(suite.skipped)
    return {
        name: {outcome.value: counts[outcome] for outcome in Outcome if counts[outcome]}
        for name, counts in found.items()
        if counts.total()
    }


def _within(suite: Suite, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """How many samples with a target have a point on the screenshot so near to its edge; 0 px is a hit.

    Broken rows count as samples with a target.
    """
    targets = [row.verdict for row in rows if not row.expects_refusal]
    if not targets:
        return []
    away_px = [each.distance_px for each in targets if each.outcome in (Outcome.HIT, Outcome.WRONG)]
    n = len(targets) + len(suite.skipped)
    near = [sum(distance is not None and distance <= px for distance in away_px) for px in WITHIN_PX]
    return [{"px": px, **Tally(n, count).to_json()} for px, count in zip(WITHIN_PX, near, strict=True)]


def _confidence(rows: Sequence[Row]) -> dict[str, Any] | None:
    """Bins of equal width, and the expected calibration error over them; None where no reply has a confidence.

    The error is the mean gap between confidence and accuracy, weighted by answers (Guo et al., arXiv 1706.04599).
    """
    known = [
        (row.prediction.confidence, row.verdict.correct)
        for row in rows
        if row.prediction.confidence is not None and math.isfinite(row.prediction.confidence)
    ]
    if not known:
        return None
    parts: list[list[tuple[float, bool]]] = [[] for _ in range(NUM_BINS)]
    for confidence, correct in known:
        parts[min(NUM_BINS - 1, max(0, int(confidence * NUM_BINS)))].append((confidence, correct))
    bins = [
        {
            "from": number / NUM_BINS,
            "to": (number + 1) / NUM_BINS,
            "confidence": math.fsum(confidence for confidence, _ in part) / len(part),
            **_tally(part).to_json(),
        }
        for number, part in enumerate(parts)
        if part
    ]
    gaps = math.fsum(each["n"] * abs(each["confidence"] - each["accuracy"]) for each in bins)
    mean = math.fsum(confidence for confidence, _ in known) / len(known)
    return {"n": len(known), "mean": mean, "ece": gaps / len(known), "bins": bins, "surest": _surest(known)}


def _surest(known: Sequence[tuple[float, bool]]) -> list[dict[str, Any]]:
    """Accuracy of the surest share of the answers: what is gained where the unsure ones are passed on."""
    ordered = sorted(known, key=lambda each: -each[0])
    parts = [(share, ordered[: math.ceil(round(len(ordered) * share, 6))]) for share in SHARES]
    return [{"share": share, "least": part[-1][0], **_tally(part).to_json()} for share, part in parts]


def _tally(part: Sequence[tuple[float, bool]]) -> Tally:
    return Tally(len(part), sum(correct for _, correct in part))


def _histogram(times_s: Sequence[float]) -> list[dict[str, float]] | None:
    """Of sorted model seconds: bins of equal width up to the 95th percentile, the last also with all beyond."""
    if not times_s:
        return None
    high = max(quantile(times_s, 0.95), 1e-6)
    count = min(24, max(4, round(math.sqrt(len(times_s)))))
    width = high / count
    held = Counter(min(count - 1, int(value / width)) for value in times_s)
    return [{"from_s": n * width, "to_s": (n + 1) * width, "n": held[n]} for n in range(count)]
