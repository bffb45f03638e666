"""A recording done again: each target found, touched, and the result told."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress

from ...envs import Env, Finish
from ..approval import NEVER, Approval
from ..errors import TrajectoryError
from ..trajectory import Recording, RunResult, Step, Trajectory
from .config import ReplayConfig
from .divergence import Divergence
from .ladder import Locate
from .person import Ask
from .report import write_report
from .run import Run


def replay(
    recording: Recording,
    env: Env,
    trajectory: Trajectory,
    config: ReplayConfig | None = None,
    *,
    locate: Locate | None = None,
    ask: Ask | None = None,
    approve: Approval | None = None,
) -> Generator[Step, None, RunResult]:
    """Do the recorded actions, yielding each step once it is on the disk; the result is in `trajectory.result` too.

    Status `finished` where all were done, `diverged` at the first whose target is not verified: then nothing was
    touched by that step, and its `error` names the divergence. `locate` brings a model's answer in mode "reground",
    `ask` that of the person at hand to a divergence, `approve` says who is asked before which actions. What was left
    out of the recording (errors, looks, questions) is left out here. TrajectoryError before anything is touched where
    the recording has nothing to replay or lacks a picture, ValueError for a variable it does not have.
    """
    config = config or ReplayConfig()
    run = Run(recording, env, trajectory, config, locate if config.mode == "reground" else None, ask, approve or NEVER)
    divergence: Divergence | None = None
    try:
        for target in run.targets():
            step, divergence = run.take(target)
            yield step
            if trajectory.result is not None or divergence is not None:
                break
        if trajectory.result is not None:
            return trajectory.result
        if divergence is not None:
            return trajectory.finish("diverged", error=str(divergence))
        return trajectory.finish("finished", answer=_answer(recording))
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        if trajectory.result is None:
            trajectory.finish("stopped")
        raise
    except BaseException as error:
        with suppress(TrajectoryError):
            trajectory.finish("error", error=f"{type(error).__name__}: {error}")
        raise
    finally:
        with suppress(TrajectoryError):
            write_report(trajectory.path, config.mode, run.verdicts, divergence)


def replay_to_end(
    recording: Recording,
    env: Env,
    trajectory: Trajectory,
    config: ReplayConfig | None = None,
    *,
    locate: Locate | None = None,
    ask: Ask | None = None,
    approve: Approval | None = None,
) -> RunResult:
    """`replay` for callers who do not watch."""
    for _ in replay(recording, env, trajectory, config, locate=locate, ask=ask, approve=approve):
        pass
    assert trajectory.result is not None  # replay leaves with a result or raises
    return trajectory.result


def _answer(recording: Recording) -> str:
    """What the recorded run said at its end."""
    last = recording.steps[-1].action
    return last.answer if isinstance(last, Finish) else ""
