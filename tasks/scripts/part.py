"""A part of a trajectory, which a goal within a script works on as if it were all of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ...agent import RunResult, Step, StoredFrame, Trajectory
from ...envs import Finish, Frame


class Part:
    """Steps are numbered on from those before, and told; a `finish` ends the part, not the trajectory."""

    def __init__(self, whole: Trajectory, turn: int, told: Callable[[Step], None]) -> None:
        """`turn` is the number of its first reply."""
        self.result: RunResult | None = None
        self.turn = turn
        self._whole, self._first_turn, self._told = whole, turn, told

    def store(self, frame: Frame) -> StoredFrame:
        return self._whole.store(frame)

    def append(self, step: Step) -> Step:
        """Gives back the step as the part numbers it."""
        self.turn = self._first_turn + step.turn + 1
        if not isinstance(step.action, Finish):
            kept = replace(step, index=self._whole.num_steps, turn=self._first_turn + step.turn)
            self._told(self._whole.append(kept))
        return step

    def finish(
        self, status: str, *, success: bool | None = None, answer: str = "", error: str | None = None
    ) -> RunResult:
        self.result = RunResult(
            status=status,
            success=success,
            steps=self._whole.num_steps,
            path=self._whole.path,
            answer=answer,
            error=error,
        )
        return self.result
