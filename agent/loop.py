"""The step loop, all of it: observe, reply, parse, perform, record."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace

from ..envs import Action, Env, Finish, PointOffScreen, Refuse, UnsupportedAction
from .dialects import Parsed
from .errors import ParseError, TrajectoryError
from .policy import Policy, failures_in_a_row
from .trajectory import RunResult, Step, Trajectory


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """When a run that does not end by itself is ended."""

    max_steps: int = 25  # actions and unusable replies together
    max_bad_replies: int = 3  # in a row; the next one ends the run

    def __post_init__(self) -> None:
        if self.max_steps < 1 or self.max_bad_replies < 0:
            raise ValueError(f"max_steps must be >= 1 and max_bad_replies >= 0, got {asdict(self)}")


def run(
    env: Env, policy: Policy, goal: str, trajectory: Trajectory, config: RunConfig | None = None
) -> Generator[Step, None, RunResult]:
    """Work on the goal, yielding each step once it is on the disk; the result is returned and in `trajectory.result`.

    A reply that does not parse, an action the screen cannot do and a point off the screen are steps with an `error`:
    the policy sees them and may do better. Ctrl-C and whatever the screen, the model or the disk raise end the run with
    a result on the disk (`stopped`, `error`) and go on to the caller, who owns `env` and closes it.
    """
    config = config or RunConfig()
    history: list[Step] = []
    try:
        frame = env.observe()
        while len(history) < config.max_steps:
            started_at_s = time.time()
            reply = policy.reply(goal, frame, tuple(history))
            draft = Step(
                index=len(history),
                turn=history[-1].turn + 1 if history else 0,
                before=trajectory.store(frame),
                after=None,
                action=None,
                instruction=reply.instruction,
                reply=reply.text,
                confidence=reply.confidence,
                model_s=reply.model_s,
                started_at_s=started_at_s,
            )
            try:
                parsed = policy.read(reply, frame)
            except ParseError as error:
                history.append(trajectory.append(replace(draft, error=str(error))))
                yield history[-1]
                frame = env.observe()  # time has passed since the last look
                parsed = Parsed(())
            draft = replace(draft, thought=parsed.thought, instruction=parsed.instruction or reply.instruction)
            for action in parsed.actions[: config.max_steps - len(history)]:
                draft = replace(draft, action=action)
                try:
                    effect = env.perform(action)
                except (UnsupportedAction, PointOffScreen) as error:
                    history.append(trajectory.append(replace(draft, error=str(error))))
                    yield history[-1]
                    break
                frame = env.observe()
                step = trajectory.append(replace(draft, effect=effect, after=trajectory.store(frame)))
                history.append(step)
                ending = _ending(action, trajectory)
                yield step
                if ending:
                    return ending
                draft = _next_of_the_same_turn(step)
            if len(failures_in_a_row(history)) > config.max_bad_replies:
                return trajectory.finish("bad_replies", error=history[-1].error)
        return trajectory.finish("max_steps")
    except (KeyboardInterrupt, GeneratorExit):
        if trajectory.result is None:
            trajectory.finish("stopped")
        raise
    except BaseException as error:
        with suppress(TrajectoryError):  # a full disk cannot take the result either; its own error goes on
            trajectory.finish("error", error=f"{type(error).__name__}: {error}")
        raise


def run_to_end(
    env: Env, policy: Policy, goal: str, trajectory: Trajectory, config: RunConfig | None = None
) -> RunResult:
    """`run` for callers who do not watch."""
    for _ in run(env, policy, goal, trajectory, config):
        pass
    assert trajectory.result is not None  # run leaves with a result or raises
    return trajectory.result


def _ending(action: Action, trajectory: Trajectory) -> RunResult | None:
    """The result, on the disk, if this action ends the run."""
    match action:
        case Finish(status="success"):
            return trajectory.finish("finished", answer=action.answer)
        case Finish():
            return trajectory.finish("failed", success=False, answer=action.answer)
        case Refuse():
            return trajectory.finish("refused", answer=action.reason)
        case _:
            return None


def _next_of_the_same_turn(step: Step) -> Step:
    """A draft of the step after this one; the reply and its cost are told once, by the first step of the turn."""
    assert step.after is not None
    return replace(
        step,
        index=step.index + 1,
        before=step.after,
        after=None,
        effect=None,
        reply=None,
        thought=None,
        confidence=None,
        model_s=0.0,
        started_at_s=time.time(),
    )
