from __future__ import annotations

import numpy as np
import pytest
from moonhand.envs import Click, Finish, Frame, PressKeys, ReplayEnv, TypeText, UnsupportedAction

FRAMES = [Frame(np.full((30, 40, 3), value, np.uint8)) for value in (0, 0, 9)]
ACTIONS = [Click(x_px=3, y_px=4), TypeText(text="a")]


def test_the_recorded_actions_lead_through_the_recorded_frames() -> None:
    with ReplayEnv(FRAMES, [*ACTIONS, Finish()]) as env:
        assert env.observe() is FRAMES[0]
        assert [env.perform(action).changed for action in ACTIONS] == [False, True]
        assert env.observe() is FRAMES[2]


def test_another_action_than_the_recorded_one_is_refused_and_changes_nothing() -> None:
    env = ReplayEnv(FRAMES, ACTIONS)
    with pytest.raises(UnsupportedAction, match=r"step 1 of the recording is click \(3, 4\)"):
        env.perform(PressKeys(keys=("a",)))
    assert env.observe() is FRAMES[0]
    for action in ACTIONS:
        env.perform(action)
    with pytest.raises(UnsupportedAction, match="ends here, after 2 actions"):
        env.perform(ACTIONS[0])


def test_frames_and_actions_that_do_not_pair_are_refused() -> None:
    with pytest.raises(ValueError, match="need 3 frames"):
        ReplayEnv(FRAMES[:1], ACTIONS)
    with pytest.raises(ValueError, match="before the last action"):
        ReplayEnv(FRAMES, [Finish(), *ACTIONS])
