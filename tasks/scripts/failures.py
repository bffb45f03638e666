"""How a step can fail, and how a run can end before its last step."""

from __future__ import annotations

from ...envs import Point


class StepFailed(Exception):
    """A step was not done, or what it expects is not so.

    `status` is that of the run where this ends it. `is_final`: another try makes no sense. `looked_for` stands on the
    picture of the failure, at the point that `at` names where there is one, found with that `confidence`. `is_told`: a
    step within it has told it.
    """

    def __init__(
        self,
        said: str,
        *,
        status: str = "failed",
        looked_for: str | None = None,
        is_final: bool = False,
        at: Point | None = None,
        confidence: float | None = None,
    ) -> None:
        super().__init__(said)
        self.said, self.status, self.looked_for, self.is_final = said, status, looked_for, is_final
        self.at, self.confidence = at, confidence
        self.is_told = False


class Ended(Exception):
    """The person at hand ends the run, or there is nobody to ask: `stopped` or `needs_user`."""

    def __init__(self, status: str, answer: str) -> None:
        super().__init__(answer)
        self.status, self.answer = status, answer


def unsure(target: str, confidence: float, sure: float, at: Point | None) -> StepFailed:
    """Of a target that was found, and not surely enough to be touched."""
    said = (
        f"{target!r} was found with {confidence:.0%} only, and sure: {sure:g} asks for more: "
        "name it as the screen writes it, or lower it"
    )
    return StepFailed(said, looked_for=target, at=at, confidence=confidence)
