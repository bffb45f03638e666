import os
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from moonhand.agent import RunConfig, ScriptedPolicy, Step, Trajectory, read_trajectory, run, run_to_end
from moonhand.envs import (
    NOTHING_KNOWN,
    Action,
    AskUser,
    Back,
    Click,
    Effect,
    EnvError,
    Extract,
    Finish,
    Frame,
    PageGone,
    ReplayEnv,
    Risk,
    Surroundings,
    TypeText,
    Wait,
    Zoom,
)

CLICK = Click(x_px=32, y_px=24)  # the middle of a 64x48 screen
MIDDLE = "click(x=0.5, y=0.5)"


def picture(number: int) -> Frame:
    """A 64x48 screen that differs from every other number's."""
    pixels_HW3 = np.full((48, 64, 3), 40, dtype=np.uint8)
    pixels_HW3[:, : number % 64 + 1] = (number % 256, 200, 90)
    return Frame(pixels_HW3)


def screens(count: int) -> list[Frame]:
    return [picture(number) for number in range(count)]


def test_a_scripted_run_performs_and_records_every_action(trajectory: Trajectory) -> None:
    env = ReplayEnv(screens(3), [CLICK, TypeText(text="Ada")])
    policy = ScriptedPolicy([MIDDLE, TypeText(text="Ada"), "finish(answer='ok')"])
    steps = list(run(env, policy, "greet", trajectory))
    assert [step.action for step in steps] == [CLICK, TypeText(text="Ada"), Finish(answer="ok")]
    assert [step.before.sha256 for step in steps] == [picture(number).sha256 for number in (0, 1, 2)]
    assert [step.after and step.after.sha256 for step in steps] == [picture(number).sha256 for number in (1, 2, 2)]
    recording = read_trajectory(trajectory.path)
    assert list(recording.steps) == steps
    assert recording.result == trajectory.result
    assert trajectory.result is not None
    assert (trajectory.result.status, trajectory.result.success, trajectory.result.answer) == ("finished", None, "ok")


def test_each_step_is_on_the_disk_when_it_is_yielded(trajectory: Trajectory) -> None:
    env = ReplayEnv(screens(3), [CLICK, CLICK])
    for step in run(env, ScriptedPolicy([MIDDLE, MIDDLE]), "", trajectory):
        assert read_trajectory(trajectory.path).steps[-1] == step


def test_several_actions_of_one_reply_are_steps_of_one_turn(trajectory: Trajectory) -> None:
    env = ReplayEnv(screens(3), [CLICK, TypeText(text="Ada")])
    steps = list(run(env, ScriptedPolicy([f"{MIDDLE}\nwrite('Ada')"]), "", trajectory))
    assert [(step.index, step.turn) for step in steps] == [(0, 0), (1, 0), (2, 1)]
    assert [step.reply is not None for step in steps] == [True, False, True]
    assert steps[1].before == steps[0].after


def test_a_reply_that_does_not_parse_is_told_to_the_policy(trajectory: Trajectory) -> None:
    told: list[Sequence[Step]] = []

    class Listening(ScriptedPolicy):
        def reply(self, goal: str, frame: Frame, history: Sequence[Step]):
            told.append(history)
            return super().reply(goal, frame, history)

    env = ReplayEnv(screens(2), [CLICK])
    steps = list(run(env, Listening(["I would click it", MIDDLE]), "", trajectory))
    assert steps[0].action is None
    assert steps[0].error is not None
    assert "no action in the reply" in steps[0].error
    assert told[1] == (steps[0],)
    assert [step.error is None for step in steps] == [False, True, True]


def test_too_many_unusable_replies_end_the_run(trajectory: Trajectory) -> None:
    policy = ScriptedPolicy(["?"] * 100)
    result = run_to_end(ReplayEnv(screens(1), []), policy, "", trajectory, RunConfig(max_bad_replies=2))
    assert (result.status, result.steps, result.success) == ("bad_replies", 3, None)
    assert result.error is not None
    assert "no action" in result.error


def test_a_usable_reply_starts_the_count_again(trajectory: Trajectory) -> None:
    policy = ScriptedPolicy(["?", "?", MIDDLE, "?", "?", MIDDLE])
    result = run_to_end(ReplayEnv(screens(3), [CLICK, CLICK]), policy, "", trajectory, RunConfig(max_bad_replies=2))
    assert result.status == "finished"


def test_an_action_the_screen_cannot_do_is_told_to_the_policy(trajectory: Trajectory) -> None:
    policy = ScriptedPolicy([f"back()\n{MIDDLE}", Click(x_px=999, y_px=1), MIDDLE])
    steps = list(run(ReplayEnv(screens(2), [CLICK]), policy, "", trajectory))
    assert [step.action for step in steps] == [Back(), Click(x_px=999, y_px=1), CLICK, Finish()]
    assert [bool(step.error) for step in steps] == [True, True, False, False]
    assert "outside the 64x48 px screenshot" in str(steps[1].error)
    assert steps[0].after is None


def test_a_run_ends_after_max_steps_also_within_a_reply(trajectory: Trajectory) -> None:
    policy = ScriptedPolicy([MIDDLE, "\n".join([MIDDLE] * 4)])
    result = run_to_end(ReplayEnv(screens(6), [CLICK] * 5), policy, "", trajectory, RunConfig(max_steps=3))
    assert (result.status, result.steps) == ("max_steps", 3)


@pytest.mark.parametrize(
    ("reply", "status", "success"),
    [("finish()", "finished", None), ("finish(status='failure')", "failed", False), ("refuse()", "refused", None)],
)
def test_how_the_policy_ends_a_run_is_its_status(
    trajectory: Trajectory, reply: str, status: str, success: bool | None
) -> None:
    result = run_to_end(ReplayEnv(screens(1), []), ScriptedPolicy([reply]), "", trajectory)
    assert (result.status, result.success, result.steps) == (status, success, 1)


class Slow:
    """A screen whose third action takes long, so that a signal arrives in the middle of it."""

    def __init__(self) -> None:
        self.is_closed = False
        self.num_done = 0

    def __enter__(self) -> "Slow":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(("wait",))

    def observe(self) -> Frame:
        return picture(self.num_done)

    def risks(self, action: Action) -> frozenset[Risk]:
        return frozenset()

    def surroundings(self, action: Action) -> Surroundings:
        return NOTHING_KNOWN

    def perform(self, action: Action) -> Effect:
        self.num_done += 1
        if self.num_done == 3:
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
            time.sleep(5)
        return Effect(performed=True, detail="", changed=True)

    def close(self) -> None:
        self.is_closed = True


def test_ctrl_c_leaves_a_readable_trajectory_and_a_closed_screen(trajectory: Trajectory) -> None:
    env = Slow()
    policy = ScriptedPolicy([Wait(seconds_s=0)] * 10)
    with pytest.raises(KeyboardInterrupt), trajectory, env:
        run_to_end(env, policy, "", trajectory)
    assert env.is_closed
    recording = read_trajectory(trajectory.path)
    assert len(recording.steps) == 2
    assert recording.problems == ()
    assert recording.result is not None
    assert (recording.result.status, recording.result.success, recording.result.steps) == ("stopped", None, 2)


def test_a_watcher_who_walks_away_stops_the_run(trajectory: Trajectory) -> None:
    steps = run(ReplayEnv(screens(3), [CLICK, CLICK]), ScriptedPolicy([MIDDLE] * 2), "", trajectory)
    next(steps)
    steps.close()
    result = read_trajectory(trajectory.path).result
    assert result is not None
    assert (result.status, result.steps) == ("stopped", 1)


def test_a_watcher_who_walks_away_at_the_last_step_leaves_a_finished_run(trajectory: Trajectory) -> None:
    steps = run(ReplayEnv(screens(1), []), ScriptedPolicy([]), "", trajectory)
    next(steps)
    steps.close()
    assert trajectory.result is not None
    assert trajectory.result.status == "finished"


class Crashing(ReplayEnv):
    def perform(self, action: Action) -> Effect:
        raise PageGone("the page closed; open it again")


def test_a_page_that_goes_away_ends_the_run_as_an_error(trajectory: Trajectory) -> None:
    with pytest.raises(EnvError, match="the page closed"):
        run_to_end(Crashing(screens(2), [CLICK]), ScriptedPolicy([MIDDLE]), "", trajectory)
    recording = read_trajectory(trajectory.path)
    assert recording.run["result"]["error"] == "PageGone: the page closed; open it again"
    assert recording.run["status"] == "error"


def test_limits_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="max_steps"):
        RunConfig(max_steps=0)


def test_the_result_names_the_folder(tmp_path: Path) -> None:
    with Trajectory(tmp_path / "here", goal="") as trajectory:
        result = run_to_end(ReplayEnv(screens(1), []), ScriptedPolicy([]), "", trajectory)
    assert result.path == tmp_path / "here"


def test_the_same_click_without_effect_ends_the_run_as_stuck(trajectory: Trajectory) -> None:
    policy = ScriptedPolicy([MIDDLE] * 100)
    result = run_to_end(ReplayEnv([picture(0)] * 101, [CLICK] * 100), policy, "", trajectory, RunConfig(max_steps=100))
    assert (result.status, result.success, result.steps) == ("stuck", None, 5), "nobody is there to be asked"
    assert result.error == (
        "click (32, 24): done again and again, 5 actions in all, and nothing on the screen has changed"
    )


def test_two_clicks_in_turn_without_effect_end_the_run_too(trajectory: Trajectory) -> None:
    other = Click(x_px=3, y_px=3)
    env = ReplayEnv([picture(0)] * 101, [CLICK, other] * 50)
    result = run_to_end(env, ScriptedPolicy([CLICK, other] * 50), "", trajectory, RunConfig(max_steps=100))
    assert (result.status, result.steps) == ("stuck", 8)


def test_somebody_is_asked_once_before_a_stuck_run_is_ended(trajectory: Trajectory) -> None:
    questions: list[str] = []

    def ask(question: str) -> str:
        questions.append(question)
        return "try again"

    env = ReplayEnv([picture(0)] * 101, [CLICK] * 100)
    result = run_to_end(env, ScriptedPolicy([MIDDLE] * 100), "", trajectory, ask=ask)
    assert (result.status, result.steps) == ("stuck", 7)
    assert questions == [
        "click (32, 24): done again and again, 5 actions in all, and nothing on the screen has changed. "
        "What should be done?"
    ]
    steps = read_trajectory(trajectory.path).steps
    assert steps[5].action == AskUser(question=questions[0])
    assert steps[5].effect is not None
    assert steps[5].effect.answer == "try again"
    assert [step.turn for step in steps] == [0, 1, 2, 3, 4, 4, 5], "the question belongs to the turn it is about"


@pytest.mark.parametrize(("max_steps", "steps", "asked"), [(5, 5, 0), (6, 5, 0), (7, 7, 1)])
def test_nobody_is_asked_where_no_step_is_left_for_the_answer(
    trajectory: Trajectory, max_steps: int, steps: int, asked: int
) -> None:
    questions: list[str] = []

    def ask(question: str) -> str:
        questions.append(question)
        return "press Escape instead"

    env = ReplayEnv([picture(0)] * 10, [CLICK] * 9)
    config = RunConfig(max_steps=max_steps)
    result = run_to_end(env, ScriptedPolicy([MIDDLE] * 9), "", trajectory, config, ask=ask)
    assert (result.status, result.steps, len(questions)) == ("stuck", steps, asked)


@pytest.mark.parametrize(("behind", "does"), [("wait(seconds=0)", [CLICK, Wait(seconds_s=0)]), ("back()", [CLICK])])
def test_a_reply_with_a_wait_or_a_failure_behind_its_click_is_asked_about_too(
    trajectory: Trajectory, behind: str, does: list[Action]
) -> None:
    env = ReplayEnv([picture(0)] * 19, does * (18 // len(does)))
    result = run_to_end(env, ScriptedPolicy([f"{MIDDLE}\n{behind}"] * 9), "", trajectory, ask=lambda question: "no")
    assert result.status == "stuck"
    steps = read_trajectory(trajectory.path).steps
    (asked,) = [step for step in steps if isinstance(step.action, AskUser)]
    assert (asked.turn, asked.error, asked.reply) == (4, None, None)
    assert [step.index for step in steps] == list(range(len(steps)))
    assert asked.effect is not None
    assert asked.effect.answer == "no"


def test_waiting_for_a_screen_that_stays_as_it_is_is_never_stuck(trajectory: Trajectory) -> None:
    waits: list[Action] = [Wait(seconds_s=0)] * 20
    result = run_to_end(ReplayEnv([picture(0)] * 21, waits), ScriptedPolicy(waits), "", trajectory)
    assert (result.status, result.steps) == ("finished", 21)


def test_a_screen_that_changes_is_never_stuck(trajectory: Trajectory) -> None:
    env = ReplayEnv(screens(21), [CLICK] * 20)
    result = run_to_end(env, ScriptedPolicy([MIDDLE] * 20), "", trajectory)
    assert (result.status, result.steps) == ("finished", 21)


def test_going_on_when_stuck_is_a_choice(trajectory: Trajectory) -> None:
    config = RunConfig(max_steps=12, stop_when_stuck=False)
    env = ReplayEnv([picture(0)] * 21, [CLICK] * 20)
    assert run_to_end(env, ScriptedPolicy([MIDDLE] * 20), "", trajectory, config).status == "max_steps"


def test_an_answer_of_the_user_is_the_effect_of_asking(trajectory: Trajectory) -> None:
    told: list[Sequence[Step]] = []

    class Listening(ScriptedPolicy):
        def reply(self, goal: str, frame: Frame, history: Sequence[Step]):
            told.append(history)
            return super().reply(goal, frame, history)

    policy = Listening([AskUser(question="Which colour?")])
    result = run_to_end(ReplayEnv(screens(1), []), policy, "", trajectory, ask=lambda question: f"{question} Red")
    assert result.status == "finished"
    effect = told[1][0].effect
    assert effect is not None
    assert (effect.performed, effect.answer, effect.act_s) == (True, "Which colour? Red", 0.0), "waiting costs nothing"


def test_a_question_with_nobody_there_ends_the_run_with_it(trajectory: Trajectory) -> None:
    policy = ScriptedPolicy([AskUser(question="Which colour?"), MIDDLE])
    result = run_to_end(ReplayEnv(screens(1), []), policy, "", trajectory)
    assert (result.status, result.success, result.answer, result.steps) == ("needs_user", None, "Which colour?", 1)
    assert read_trajectory(trajectory.path).result == result


class Knowing(ScriptedPolicy):
    def answer(self, question: str, frame: Frame) -> str:
        return f"{frame.size}: 42"


def test_a_question_about_the_screen_is_answered_by_the_policy(trajectory: Trajectory) -> None:
    policy = Knowing([Extract(question="How many?")])
    (step, _) = run(ReplayEnv(screens(1), []), policy, "", trajectory)
    assert step.effect is not None
    assert step.effect.answer == "64x48: 42"


def test_a_policy_that_answers_no_questions_is_told_so(trajectory: Trajectory) -> None:
    steps = list(run(ReplayEnv(screens(1), []), ScriptedPolicy([Extract(question="How many?")]), "", trajectory))
    assert [step.error for step in steps] == [
        "read off 'How many?': this policy answers no questions; act, or finish",
        None,
    ]


def test_zooming_beside_the_screen_is_told_and_on_it_does_nothing(trajectory: Trajectory) -> None:
    beside = Zoom(left_px=64, top_px=0, width_px=10, height_px=10)
    policy = ScriptedPolicy([beside, Zoom(left_px=60, top_px=0, width_px=10, height_px=10)])
    first, second, _ = run(ReplayEnv(screens(1), []), policy, "", trajectory)
    assert "no part of the 64x48 px screenshot" in str(first.error)
    assert second.error is None
