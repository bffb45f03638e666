"""The step loop, all of it: observe, reply, parse, approve, perform, record."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Protocol

from ..envs import (
    AskUser,
    Effect,
    Env,
    Extract,
    Finish,
    Frame,
    PointOffScreen,
    Refuse,
    UnsupportedAction,
    Zoom,
    action_points,
    describe,
)
from .approval import NEVER, Approval
from .dialects import Parsed
from .errors import CannotAnswer, ParseError, TrajectoryError
from .fingerprint import fingerprint
from .look import on_screen
from .policy import Answering, Policy, failures_in_a_row, turns_taken
from .stuck import Stuck, stuck
from .trajectory import RunResult, Step, StoredFrame

Ask = Callable[[str], str]  # puts a question to the person at hand and brings the answer


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """When a run that does not end by itself is ended."""

    max_steps: int = 25  # actions and unusable replies together
    max_turns: int | None = None  # replies, usable or not; None: as many as the steps allow
    max_bad_replies: int = 3  # in a row; the next one ends the run
    stop_when_stuck: bool = True  # at the same actions again and again that change nothing on the screen

    def __post_init__(self) -> None:
        if self.max_steps < 1 or self.max_bad_replies < 0 or (self.max_turns is not None and self.max_turns < 1):
            raise ValueError(f"max_steps and max_turns must be >= 1 and max_bad_replies >= 0, got {asdict(self)}")


class Log(Protocol):
    """Where a run is kept: a `Trajectory`, or a part of one. `result` is there once it was finished."""

    @property
    def result(self) -> RunResult | None: ...
    def store(self, frame: Frame) -> StoredFrame: ...
    def append(self, step: Step) -> Step: ...
    def finish(
        self, status: str, *, success: bool | None = None, answer: str = "", error: str | None = None
    ) -> RunResult: ...


def run(
    env: Env,
    policy: Policy,
    goal: str,
    trajectory: Log,
    config: RunConfig | None = None,
    *,
    approve: Approval | None = None,
    ask: Ask | None = None,
) -> Generator[Step, None, RunResult]:
    """Work on the goal, yielding each step once it is on the disk; the result is returned and in `trajectory.result`.

    A reply that does not parse, an action the screen cannot do, a point off the screen and an action that is not
    approved are steps with an `error`: the policy sees them and may do better. `approve` says who is asked before which
    actions; nobody, unless given. `ask` brings the answer of the person at hand to what the policy asks, and to what is
    to be done when it is stuck; without it such a run ends, and a stuck one that has no step left for what they say.
    Ctrl-C and whatever the screen, the model or the disk raise end the run with a result on the disk (`stopped`,
    `error`) and go on to the caller, who owns `env` and closes it.
    """
    config = config or RunConfig()
    history: list[Step] = []
    try:
        frame = env.observe()
        while len(history) < config.max_steps and turns_taken(history) != config.max_turns:
            started_at_s, started_mono_s = time.time(), time.monotonic()
            reply = policy.reply(goal, frame, tuple(history))
            draft = Step(
                index=len(history),
                turn=turns_taken(history),
                before=trajectory.store(frame),
                after=None,
                action=None,
                instruction=reply.instruction,
                reply=reply.text,
                confidence=reply.confidence,
                belief=reply.belief,
                model_s=reply.model_s,
                started_at_s=started_at_s,
                started_mono_s=started_mono_s,
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
                draft = (approve or NEVER).consider(env, replace(draft, action=action), frame)
                draft = draft if draft.error else _performed(draft, env, policy, frame, ask)
                if draft.error is None or draft.asked_s:  # something was done, or time has passed
                    frame = env.observe()
                step = _kept(draft, frame, trajectory)
                history.append(step)
                ending = _ending(step, trajectory)
                yield step
                if ending:
                    return ending
                if step.error:
                    break
                draft = _next_of_the_same_turn(step)
            if sum(step.decision != "skip" for step in failures_in_a_row(history)) > config.max_bad_replies:
                return trajectory.finish("bad_replies", error=history[-1].error)
            trouble = stuck(history) if config.stop_when_stuck else None
            is_room = len(history) + 1 < config.max_steps  # for the question, and for a reply to its answer
            if trouble and trouble.stage == "ask" and ask and is_room:
                history.append(trajectory.append(_asked(history, trouble, ask)))
                yield history[-1]
                frame = env.observe()  # whoever was asked may have touched the screen
            elif trouble and trouble.stage in ("ask", "stop"):
                return trajectory.finish("stuck", error=trouble.said)
        return trajectory.finish("max_steps")
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        if trajectory.result is None:
            trajectory.finish("stopped")
        raise
    except BaseException as error:
        with suppress(TrajectoryError):  # a full disk cannot take the result either; its own error goes on
            trajectory.finish("error", error=f"{type(error).__name__}: {error}")
        raise


def run_to_end(
    env: Env,
    policy: Policy,
    goal: str,
    trajectory: Log,
    config: RunConfig | None = None,
    *,
    approve: Approval | None = None,
    ask: Ask | None = None,
) -> RunResult:
    """`run` for callers who do not watch."""
    for _ in run(env, policy, goal, trajectory, config, approve=approve, ask=ask):
        pass
    assert trajectory.result is not None  # run leaves with a result or raises
    return trajectory.result


def _performed(draft: Step, env: Env, policy: Policy, frame: Frame, ask: Ask | None) -> Step:
    """The step with its effect, or with an `error` where the action cannot be done and nothing was touched."""
    assert draft.action is not None
    action, draft = draft.action, noted(draft, env, frame)
    try:
        return _served(replace(draft, effect=env.perform(action)), policy, frame, ask)
    except (UnsupportedAction, PointOffScreen, CannotAnswer) as error:
        return replace(draft, error=str(error))


def noted(draft: Step, env: Env, frame: Frame) -> Step:
    """The step with what is known of the place of its action, about to be performed on this frame."""
    assert draft.action is not None
    surroundings = env.surroundings(draft.action)
    on_it = [point for point in action_points(draft.action)[:1] if frame.size.holds(point)]
    mark = fingerprint(frame, on_it[0], surroundings.element) if on_it else None
    return replace(draft, surroundings=surroundings, fingerprint=mark)


def _kept(draft: Step, frame: Frame, trajectory: Log) -> Step:
    """The step on the disk, with the frame that it left. A TrajectoryError says what was done all the same."""
    try:
        return trajectory.append(replace(draft, after=None if draft.error else trajectory.store(frame)))
    except TrajectoryError as error:
        if draft.effect is None or not draft.effect.performed:
            raise
        raise TrajectoryError(
            f"{error}. Performed, but not kept: step {draft.index + 1}, {draft.effect.detail}"
        ) from error


def _served(step: Step, policy: Policy, frame: Frame, ask: Ask | None) -> Step:
    """The step, with the answer to what no screen can answer. PointOffScreen or CannotAnswer: it cannot be served."""
    assert step.effect is not None
    match step.action:
        case AskUser(question=question) if ask:
            answer, asked_s = _answer(question, ask)
            return replace(step, effect=replace(step.effect, performed=True, answer=answer), asked_s=asked_s)
        case Extract(question=question):
            if not isinstance(policy, Answering):
                raise CannotAnswer(f"{describe(step.action)}: this policy answers no questions; act, or finish")
            return replace(step, effect=replace(step.effect, performed=True, answer=policy.answer(question, frame)))
        case Zoom(region=region) if on_screen(region, frame.size) is None:
            raise PointOffScreen(f"{describe(step.action)}: that is no part of the {frame.size} px screenshot")
        case _:
            return step


def _asked(history: Sequence[Step], trouble: Stuck, ask: Ask) -> Step:
    """The question that the loop itself puts when a run is stuck, as a step of the turn that it is about."""
    last = next(step for step in reversed(history) if step.after is not None)
    question = AskUser(question=f"{trouble.said}. What should be done?")
    draft = replace(_next_of_the_same_turn(last), index=len(history), action=question, instruction=None)
    answer, asked_s = _answer(question.question, ask)
    effect = Effect(performed=True, detail=describe(question), changed=False, answer=answer)
    return replace(draft, effect=effect, after=last.after, asked_s=asked_s)


def _answer(question: str, ask: Ask) -> tuple[str, float]:
    """What the person says, and how long they took."""
    start_s = time.monotonic()
    return ask(question), time.monotonic() - start_s


def _ending(step: Step, trajectory: Log) -> RunResult | None:
    """The result, on the disk, if this action, or what a person said of it, ends the run."""
    if step.decision in ("stop", "nobody"):
        status = "stopped" if step.decision == "stop" else "needs_user"
        return trajectory.finish(status, answer="" if step.decision == "stop" else str(step.error))
    if step.error:
        return None
    match step.action:
        case Finish(status="success", answer=answer):
            return trajectory.finish("finished", answer=answer)
        case Finish(answer=answer):
            return trajectory.finish("failed", success=False, answer=answer)
        case Refuse(reason=reason):
            return trajectory.finish("refused", answer=reason)
        case AskUser(question=question) if step.effect is None or step.effect.answer is None:
            return trajectory.finish("needs_user", answer=question)
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
        belief=None,
        surroundings=None,
        fingerprint=None,
        risks=frozenset(),
        decision=None,
        asked_s=0.0,
        model_s=0.0,
        started_at_s=time.time(),
        started_mono_s=time.monotonic(),
    )
