import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from moonhand.agent import PROFILES, Step, Trajectory, named_profile, profile_for
from moonhand.agent.prompts import AGENT_SYSTEM, SCREENSPOT_PRO_SYSTEM, Turn, agent_turns, grounding_turns
from moonhand.envs import Click, Effect, Frame


def picture(number: int) -> Frame:
    return Frame(np.full((4, 6, 3), number, dtype=np.uint8))


@pytest.mark.parametrize(
    ("name", "limit", "vocabulary", "profile"),
    [
        ("nano", 1024, 900, "nano"),
        ("my-run-7", 1024, 900, "nano"),
        ("Kimi-VL-A3B-Instruct", 4096, 163840, "kimi-instruct"),
        ("Kimi-VL-A3B-Thinking-2506", 16384, 163840, "kimi-thinking-2506"),
        ("OpenCUA-A3B", 4096, 163840, "opencua"),
        ("download", 16384, 163840, "kimi-thinking-2506"),
        ("download", 4096, 163840, "kimi-instruct"),
    ],
)
def test_a_checkpoint_gets_its_profile(name: str, limit: int, vocabulary: int, profile: str) -> None:
    assert profile_for(name, in_token_limit=limit, vocab_size=vocabulary).name == profile


def test_an_unknown_profile_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ValueError, match="kimi-instruct, kimi-thinking-2506, opencua"):
        named_profile("gpt")


def test_nano_is_asked_with_the_picture_and_the_instruction_alone() -> None:
    frame = picture(1)
    (turn,) = grounding_turns(PROFILES["nano"], frame, "click Sign up")
    assert (turn.role, turn.parts) == ("user", (frame, "click Sign up"))


def test_the_published_prompts_are_kept_to_the_letter() -> None:
    """These are what the checkpoints were measured with; a change of a letter is a change of the benchmark."""
    frame = picture(1)
    (turn,) = grounding_turns(PROFILES["kimi-instruct"], frame, "the OK button")
    assert turn.parts[1] == (
        "Please observe the screenshot, please locate the following elements with action and point."
        "<instruction> the OK button"
    )
    system, user = grounding_turns(PROFILES["kimi-thinking-2506"], frame, "the OK button")
    assert system.parts == (SCREENSPOT_PRO_SYSTEM,)
    assert SCREENSPOT_PRO_SYSTEM.startswith("You are a GUI agent. You are given a task and a screenshot of a computer")
    assert SCREENSPOT_PRO_SYSTEM.endswith("by converting the normalized coordinates to actual pixel positions.")
    assert user.parts == (frame, "## Task Instruction:\nthe OK button")


def test_braces_in_an_instruction_are_left_alone() -> None:
    (turn,) = grounding_turns(PROFILES["nano"], picture(1), "click {instruction} {0}")
    assert turn.parts[1] == "click {instruction} {0}"


def history(trajectory: Trajectory, count: int) -> list[Step]:
    return [
        Step(
            index=number,
            turn=number,
            before=trajectory.store(picture(number)),
            after=trajectory.store(picture(number + 1)),
            action=Click(x_px=number, y_px=0),
            instruction=f"Click thing {number}." if number % 2 else None,
            effect=Effect(performed=True, detail="", changed=True),
        )
        for number in range(count)
    ]


def test_history_tells_at_most_ten_steps_and_shows_at_most_three_pictures(trajectory: Trajectory) -> None:
    turns = agent_turns(PROFILES["opencua"], picture(12), "sign up", history(trajectory, 12))
    assert [turn.role for turn in turns] == ["system", "assistant", "user", "assistant", "user", "assistant", "user"]
    assert turns[0].parts == (AGENT_SYSTEM,)
    told = str(turns[1].parts[0])
    assert told.startswith("# Step 3:\n## Action:\nclick (2, 0)\n\n# Step 4:\n## Action:\nClick thing 3.\n")
    assert told.count("# Step") == 8
    assert turns[5].parts == ("# Step 12:\n## Action:\nClick thing 11.\n",)
    shown = [part.sha256 for turn in turns for part in turn.parts if isinstance(part, Frame)]
    assert shown == [picture(number).sha256 for number in (10, 11, 12)]
    assert turns[-1].parts[1] == (
        "\n# Task Instruction:\nsign up\n\nPlease generate the next move according to the screenshot, task instruction "
        "and previous steps (if provided).\n"
    )


def parts_of(turns: Sequence[Turn]) -> list[str]:
    """What an engine reads, in order: openings of turns, texts, pictures; every turn ends."""
    return [
        each
        for turn in turns
        for each in (turn.role, *(part if isinstance(part, str) else part.sha256 for part in turn.parts), "end")
    ]


def agreeing(before: Sequence[str], after: Sequence[str]) -> int:
    return next((n for n, (one, other) in enumerate(zip(before, after, strict=False)) if one != other), len(before))


def test_a_prompt_goes_on_behind_the_last_picture_of_the_one_before(trajectory: Trajectory) -> None:
    steps = history(trajectory, 16)
    frames = [picture(number).sha256 for number in range(17)]
    asked = [agent_turns(PROFILES["opencua"], picture(done), "sign up", steps[:done]) for done in range(17)]
    kept: list[int] = []
    for before, after in pairwise(parts_of(turns) for turns in asked):
        common = agreeing(before, after)
        pictures = [each for each in before if each in frames]
        kept.append(sum(each in frames for each in before[:common]))
        assert not kept[-1] or before[common - 1] == pictures[-1]
    assert kept == [1, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2], "0: the window hops"


@pytest.mark.parametrize(
    ("frames", "hop", "shown"),
    [
        (3, 2, [1, 2, 3, 2, 3, 2, 3, 2]),
        (3, 1, [1, 2, 3, 3, 3, 3, 3, 3]),
        (3, 9, [1, 2, 3, 1, 2, 3, 1, 2]),
        (1, 2, [1, 1, 1, 1, 1, 1, 1, 1]),
        (6, 3, [1, 2, 3, 4, 5, 6, 4, 5]),
    ],
)
def test_pictures_gather_and_leave_in_hops(trajectory: Trajectory, frames: int, hop: int, shown: list[int]) -> None:
    profile = replace(PROFILES["opencua"], history_frames=frames, history_hop=hop, history_steps=5)
    for done, number in enumerate(shown):
        turns = agent_turns(profile, picture(done), "sign up", history(trajectory, done))
        pictures = [part.sha256 for turn in turns for part in turn.parts if isinstance(part, Frame)]
        assert pictures == [picture(each).sha256 for each in range(done + 1 - number, done + 1)]
        told = re.findall(r"# Step (\d+):", "".join(parts_of(turns)))
        assert told == [str(each) for each in range(done - len(told) + 1, done + 1)]
        assert min(done, 5 - hop + 1) <= len(told) <= 5


@pytest.mark.parametrize("steps", [0, 1])
def test_no_more_pictures_are_shown_than_steps_are_told(trajectory: Trajectory, steps: int) -> None:
    profile = replace(PROFILES["opencua"], history_steps=steps)
    for done in range(6):
        turns = agent_turns(profile, picture(done), "sign up", history(trajectory, done))
        assert sum(isinstance(part, Frame) for turn in turns for part in turn.parts) <= steps + 1
        assert "".join(parts_of(turns)).count("# Step ") <= steps


def test_the_first_turn_has_no_history(trajectory: Trajectory) -> None:
    turns = agent_turns(PROFILES["kimi-instruct"], picture(0), "sign up", [])
    assert [turn.role for turn in turns] == ["system", "user"]


def test_a_failure_becomes_a_note_and_not_a_step(trajectory: Trajectory) -> None:
    steps = history(trajectory, 2)
    failed = replace(steps[1], action=None, effect=None, after=None, error="x=1.2 lies outside 0..1")
    turns = agent_turns(PROFILES["opencua"], picture(2), "sign up", [steps[0], failed])
    assert [turn.role for turn in turns] == ["system", "user", "assistant", "user"]
    assert "x=1.2 lies outside 0..1" in str(turns[-1].parts[1])


def test_every_letter_and_number_of_a_profile_is_in_its_hash() -> None:
    profile = PROFILES["opencua"]
    changes = [
        replace(profile, history_steps=9),
        replace(profile, history_hop=1),
        replace(profile, agent_user="{instruction}!"),
    ]
    assert len({each.sha256 for each in (profile, *changes)}) == 4
    assert replace(profile).sha256 == profile.sha256


def test_a_profile_without_a_place_for_the_instruction_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="grounding_user"):
        replace(PROFILES["nano"], grounding_user="where?")
    with pytest.raises(ValueError, match="agent_user"):
        replace(PROFILES["nano"], plans=True)
    with pytest.raises(ValueError, match="cannot plan"):
        agent_turns(PROFILES["nano"], picture(0), "sign up", [])
