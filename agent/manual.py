"""A trajectory of what a program does by itself, call by call: no model in the loop, the same record."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..envs import Action, Effect, Env, EnvError
from .errors import TrajectoryError
from .loop import noted
from .target import Target
from .trajectory import RUN_FILE, Step, Trajectory


class ManualRun:
    """Performs actions and keeps a step of each, with the screen as it was right before and after.

    The folder is made with the first action. TrajectoryError if it holds a run already or cannot be written.
    """

    def __init__(self, folder: Path | str, told: Mapping[str, object] | None = None) -> None:
        """`told` is what the record says of the screen, as the flags of the command line."""
        self.folder, self._told = Path(folder), dict(told or {})
        if (self.folder / RUN_FILE).exists():
            raise TrajectoryError(f"{folder} already holds a run: choose another folder")
        self._trajectory: Trajectory | None = None

    def perform(self, env: Env, action: Action, target: Target | None = None) -> Effect:
        """Do it. `target` is what the model said of the place. What the screen refuses is a step with an error, too."""
        if self._trajectory is None:
            self._trajectory = Trajectory(
                self.folder, goal="", source="manual", policy={"kind": "manual"}, env=self._told
            )
        trajectory, frame = self._trajectory, env.observe()
        draft = Step(
            index=trajectory.num_steps,
            turn=trajectory.num_steps,
            before=trajectory.store(frame),
            after=None,
            action=action,
            started_at_s=time.time(),
            started_mono_s=time.monotonic(),
        )
        if target is not None:
            belief = None if target.refused or target.belief is None else target.belief.to_json()
            draft = replace(
                draft,
                instruction=target.instruction,
                reply=target.raw,
                confidence=target.confidence,
                belief=belief,
                model_s=target.model_s,
            )
        draft = noted(draft, env, frame)
        try:
            effect = env.perform(action)
        except EnvError as error:
            trajectory.append(replace(draft, error=str(error)))
            raise
        trajectory.append(replace(draft, effect=effect, after=trajectory.store(env.observe())))
        return effect

    def close(self, error: BaseException | None = None) -> None:
        """Say how it ended; twice is fine."""
        if self._trajectory is None or self._trajectory.result is not None:
            return
        if error is None:
            self._trajectory.finish("finished")
        else:
            self._trajectory.__exit__(type(error), error, None)
