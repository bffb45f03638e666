"""What a report is made of: every sample with its prediction, its verdict and its time, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..prediction import Prediction, Verdict
from ..sample import BoxAnswer, GroundingSample, PolygonAnswer, RefusalAnswer, Suite
from ..score import Result, missing


@dataclass(frozen=True, kw_only=True)
class Row:
    """One sample and what became of it. `model_s` is None where nobody took the time."""

    sample: GroundingSample
    prediction: Prediction
    verdict: Verdict
    model_s: float | None = None

    @property
    def expects_refusal(self) -> bool:
        return isinstance(self.sample.answer, RefusalAnswer)

    @property
    def box(self) -> BoxAnswer | None:
        """Around the answer, in px; None where a refusal is right."""
        match self.sample.answer:
            case BoxAnswer():
                return self.sample.answer
            case PolygonAnswer(corners):
                xs, ys = [corner.x_px for corner in corners], [corner.y_px for corner in corners]
                return BoxAnswer(min(xs), min(ys), max(xs), max(ys))
            case RefusalAnswer():
                return None


def rows_of(suite: Suite, predictions: Mapping[str, Prediction], result: Result) -> list[Row]:
    """In the order of the suite, with the verdicts of the result."""
    model_s = {timing.id: timing.model_s for timing in result.timings}
    return [
        Row(
            sample=sample,
            prediction=predictions.get(sample.id) or missing(sample),
            verdict=verdict,
            model_s=model_s.get(sample.id),
        )
        for sample, verdict in zip(suite.samples, result.verdicts, strict=True)
    ]
