"""A person between what a policy wants and what is done."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from moonhand.agent import (
    Approval,
    Decision,
    Instead,
    Request,
    RunConfig,
    ScriptedPolicy,
    Skip,
    Step,
    Stop,
    Trajectory,
    Yes,
    read_trajectory,
    run,
    run_to_end,
)
from moonhand.envs import (
    NOTHING_KNOWN,
    Action,
    AskUser,
    Click,
    Effect,
    Finish,
    Frame,
    PressKeys,
    Risk,
    Surroundings,
    TypeText,
    Wait,
    risks_of,
)
from moonhand.envs.env import nothing_to_do

CLICK = Click(x_px=32, y_px=24)
ENTER = PressKeys(keys=("enter",))
SECRET = TypeText(text="{{secret:shop}}")


@dataclass
class Screen:
    """A plain screen that notes what was done to it."""

    done: list[Action] = field(default_factory=list[Action])
    lies: Callable[[Action], frozenset[Risk]] = risks_of

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(("click", "key", "type", "wait"))

    def observe(self) -> Frame:
        return Frame(np.full((48, 64, 3), len(self.done), dtype=np.uint8))

    def perform(self, action: Action) -> Effect:
        if action.type == "finish":
            return nothing_to_do(action)
        self.done.append(action)
        return Effect(performed=True, detail="", changed=True)

    def risks(self, action: Action) -> frozenset[Risk]:
        return self.lies(action)

    def surroundings(self, action: Action) -> Surroundings:
        return NOTHING_KNOWN

    def close(self) -> None:
        pass


def answers(*decisions: Decision) -> tuple[list[Request], Callable[[Request], Decision]]:
    asked: list[Request] = []

    def ask(request: Request) -> Decision:
        asked.append(request)
        return decisions[len(asked) - 1]

    return asked, ask


def test_only_what_is_sensitive_is_asked_about_and_the_waiting_is_charged_to_nothing_else(
    trajectory: Trajectory,
) -> None:
    def ask(request: Request) -> Decision:
        requests.append(request)
        time.sleep(0.1)
        return Yes()

    requests: list[Request] = []
    screen = Screen()
    steps = list(run(screen, ScriptedPolicy([CLICK, ENTER]), "", trajectory, approve=Approval("sensitive", ask)))
    assert screen.done == [CLICK, ENTER]
    ((request),) = requests
    assert (request.action, request.risks, request.index) == (ENTER, {"submit"}, 1)
    assert request.frame.sha256 == steps[1].before.sha256
    assert request.question == "May this be done: press enter (may submit a form)?"
    assert [step.asked_s >= 0.1 for step in steps] == [False, True, False]
    assert [step.decision for step in steps] == [None, "yes", None]
    assert max(step.act_s + step.settle_s + step.model_s for step in steps) < 0.1
    assert list(read_trajectory(trajectory.path).steps) == steps


def test_what_is_left_out_is_a_step_that_the_policy_hears_of_and_no_bad_reply(trajectory: Trajectory) -> None:
    _, ask = answers(Skip("not today"), *[Skip()] * 9)
    screen = Screen()
    policy = ScriptedPolicy([ENTER] * 10)
    steps = list(run(screen, policy, "", trajectory, RunConfig(max_bad_replies=1), approve=Approval("sensitive", ask)))
    assert steps[0].error == "not approved by the person: not today"
    assert steps[1].error == "not approved by the person: leave it out"
    assert steps[0].after is None
    assert screen.done == []
    assert steps[-1].action == Finish()


def test_another_action_is_performed_in_its_place_and_not_asked_about_again(trajectory: Trajectory) -> None:
    asked, ask = answers(Instead(Click(x_px=1, y_px=2)), Instead(SECRET))
    screen = Screen()
    steps = list(run(screen, ScriptedPolicy([CLICK, CLICK]), "", trajectory, approve=Approval("always", ask)))
    assert screen.done == [Click(x_px=1, y_px=2), SECRET]
    assert [step.action for step in steps[:2]] == screen.done
    assert [step.decision for step in steps] == ["instead", "instead", None], "nobody is asked about finishing"
    assert len(asked) == 2


def test_stop_ends_the_run_before_the_action(trajectory: Trajectory) -> None:
    _, ask = answers(Yes(), Stop())
    screen = Screen()
    result = run_to_end(screen, ScriptedPolicy([CLICK, ENTER]), "", trajectory, approve=Approval("always", ask))
    assert (result.status, result.steps, screen.done) == ("stopped", 2, [CLICK])
    assert read_trajectory(trajectory.path).steps[1].decision == "stop"


def test_what_is_no_decision_or_no_policy_is_an_error_that_says_what_is(trajectory: Trajectory) -> None:
    def ask(request: Request) -> Decision:
        return True  # pyright: ignore[reportReturnType] - as somebody may write it

    with pytest.raises(TypeError, match=r"`ask` gave back True: give Yes\(\)"):
        run_to_end(Screen(), ScriptedPolicy([CLICK]), "", trajectory, approve=Approval("always", ask))
    with pytest.raises(ValueError, match="approve is one of never, sensitive, always, got 'bogus'"):
        Approval("bogus")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("policy", ["sensitive", "always"])
def test_with_nobody_there_the_run_ends_with_the_question_and_nothing_is_done(
    trajectory: Trajectory, policy: str
) -> None:
    screen = Screen()
    result = run_to_end(screen, ScriptedPolicy([SECRET]), "", trajectory, approve=Approval(policy))  # pyright: ignore[reportArgumentType] - one of its words
    assert (result.status, result.steps, screen.done) == ("needs_user", 1, [])
    assert result.answer == (
        "not approved, nobody is there: May this be done: type '{{secret:shop}}' (types a secret)?"
    )


def test_a_page_that_changes_while_somebody_thinks_is_asked_about_again(trajectory: Trajectory) -> None:
    looks: list[frozenset[Risk]] = [frozenset(("submit",)), frozenset(("submit", "leave")), frozenset(("leave",))]
    left = iter(looks)
    asked, ask = answers(Yes(), Yes())
    screen = Screen(lies=lambda action: next(left))
    (step, _) = run(screen, ScriptedPolicy([CLICK]), "", trajectory, approve=Approval("sensitive", ask))
    assert [request.risks for request in asked] == looks[:2]
    assert (step.decision, step.error, screen.done) == ("yes", None, [CLICK])


def test_what_is_refused_in_the_middle_of_a_reply_ends_that_reply(trajectory: Trajectory) -> None:
    _, ask = answers(Skip())
    screen = Screen()
    policy = ScriptedPolicy(["press(keys=['enter'])\nwait(seconds=0)"])
    steps = list(run(screen, policy, "", trajectory, approve=Approval("sensitive", ask)))
    assert [(step.turn, step.decision) for step in steps] == [(0, "skip"), (1, None)]
    assert screen.done == []


def test_never_asks_nothing_and_does_not_even_look(trajectory: Trajectory) -> None:
    def look(action: Action) -> frozenset[Risk]:
        raise AssertionError("nobody wants to know")

    screen = Screen(lies=look)
    result = run_to_end(screen, ScriptedPolicy([SECRET, Wait(seconds_s=0)]), "", trajectory)
    assert (result.status, len(screen.done)) == ("finished", 2)


def test_the_time_a_question_of_the_model_waits_is_told_too(trajectory: Trajectory) -> None:
    def ask(question: str) -> str:
        time.sleep(0.05)
        return "Red"

    steps: list[Step] = list(run(Screen(), ScriptedPolicy([AskUser(question="Which?")]), "", trajectory, ask=ask))
    assert steps[0].asked_s >= 0.05
    assert steps[1].asked_s == 0


def test_a_run_may_be_held_to_one_turn(trajectory: Trajectory) -> None:
    screen = Screen()
    policy = ScriptedPolicy(["wait(seconds=0)\nwait(seconds=0)"] * 3)
    result = run_to_end(screen, policy, "", trajectory, RunConfig(max_turns=1))
    assert (result.status, len(screen.done)) == ("max_steps", 2)
