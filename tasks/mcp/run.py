"""The tool `run`: a goal or plain steps, carried out in the loop and kept as a trajectory."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import asdict

from ...agent import KimiPolicy, RunConfig, Step, Trajectory, describe_step, new_run_folder, parse_steps, run
from ...agent import RunResult as Ended
from ...agent.kimi import profile_of
from ...envs import describe
from ..approving import printable
from ..run_command import DEFAULT_MAX_STEPS, screen_told
from .act import HOW_TO_FIND, notes_of, why_not
from .arguments import RunArguments
from .calls import Call, Progress
from .results import Reply, RunResult, RunStep, quoted
from .screen import KeptScreen

WORDS_FORM = {
    "type": "object",
    "properties": {"answer": {"type": "string", "title": "Answer"}},
    "required": ["answer"],
}
NEXT = {
    "refused": f"the model does not see what a step names: {HOW_TO_FIND} with act",
    "needs_user": "see the error",
    "bad_replies": "the model's replies could not be used: give plain steps, or do it with act",
    "stuck": "the same actions changed nothing, again and again: look with screenshot, and act",
    "max_steps": "the steps ran out: look with screenshot, and run the rest",
    "stopped": "it was stopped: look with screenshot before anything else",
    "failed": "the model gave up: look with screenshot, and act",
    "error": "see the error: look with screenshot",
}


def run_goal(kept: KeptScreen, given: RunArguments, call: Call) -> Reply:
    """Carry it out, telling each step. BadGoal before anything is touched where the steps are not understood."""
    planned = None if given.steps is None else tuple(step for one in given.steps for step in parse_steps(one))
    if planned is None:
        plans = (kept.profile or profile_of(kept.engine)).plans
        planned = None if plans else parse_steps(given.goal or "")
    env = kept.env
    policy = KimiPolicy(kept.engine, profile=kept.profile, steps=planned, kinds=env.kinds)
    goal = given.goal or "\n".join(map(describe_step, planned or ()))
    config = RunConfig(max_steps=given.max_steps or max(DEFAULT_MAX_STEPS, 3 * len(planned or ())))
    approval = kept.approval(call)
    with Trajectory(
        new_run_folder(kept.runs),
        goal=goal,
        policy=policy.manifest(),
        config=asdict(config) | {"approve": approval.policy},
        env=screen_told(kept.choice),
    ) as trajectory:
        going = run(
            env,
            policy,
            goal,
            trajectory,
            config,
            approve=approval,
            ask=(lambda question: _words(call, question)) if call.can_ask else None,
        )
        steps = watched(going, call)
        result = trajectory.result or trajectory.finish("stopped")
    notes = [note for step in steps for note in notes_of(step)]
    notes += [step.effect.answer for step in steps if step.effect and step.effect.answer]
    told = RunResult(
        status=result.status,  # pyright: ignore[reportArgumentType] - pydantic checks it
        success=result.success,
        steps=[_step(step) for step in steps],
        error=error_of(result, steps, call),
        trajectory=str(result.path),
        from_screen=kept.from_screen(*notes, result.answer if result.status != "needs_user" else ""),
    )
    is_done = told.status == "finished"
    said = f"{told.status}: {number_of(steps)}" + (f"; {told.error}" if told.error else "")
    said += f", kept in {told.trajectory}" + ("" if is_done else f". Next: {NEXT.get(told.status, 'look')}")
    return Reply(words=said + quoted(told.from_screen), data=told, is_error=not is_done)


def error_of(result: Ended, steps: Sequence[Step], call: Call) -> str | None:
    """Why it ended before its end."""
    if result.status == "stopped" and call.has_asked_enough:
        return (
            f"the person was asked {call.most_questions} times, as often as one call may: do the rest in another call"
        )
    if result.status == "needs_user" and steps and result.error is None:
        return why_not(steps[-1])
    return result.error


def watched(going: Generator[Step, None, object], call: Call) -> list[Step]:
    """All steps, each told as it comes; a call that is cancelled ends after the step in hand."""
    steps: list[Step] = []
    for step in going:
        steps.append(step)
        call.tell(Progress(len(steps), words_of(step)))
        if call.is_cancelled:
            going.close()
    return steps


def words_of(step: Step) -> str:
    """For who watches: one line."""
    action = "unreadable reply" if step.action is None else describe(step.action)
    sought = "" if step.instruction is None else f" ({step.instruction})"
    trouble = "" if step.error is None else f": {step.error}"
    return " ".join(printable(f"{action}{sought}{trouble}").split())


def number_of(steps: Sequence[object]) -> str:
    return "1 step" if len(steps) == 1 else f"{len(steps)} steps"


def _words(call: Call, question: str) -> str:
    """What the person at the client says to a question; nothing where they do not."""
    answered = call.ask(printable(question), WORDS_FORM)
    return str(answered.content.get("answer", "")) if answered.action == "accept" else "no answer was given: stop"


def _step(step: Step) -> RunStep:
    return RunStep(
        number=step.index + 1,
        action=None if step.action is None else describe(step.action),
        looked_for=step.instruction,
        confidence=step.confidence,
        changed=None if step.effect is None else step.effect.changed,
        error=why_not(step),
    )
