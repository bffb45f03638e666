"""What each checkpoint is told: its prompts, its history layout and its limits, as frozen data; pure.

Grounding asks for one place, an agent turn asks for the next action. The fixed sentences are what the checkpoints were
trained or measured with, so they are interface: a changed letter changes the scores, and the hash that runs record.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from ..envs import Action, Frame, describe
from .dialects import write_kimi
from .policy import failures_in_a_row
from .trajectory import Step

Role = Literal["system", "user", "assistant"]

SCREENSPOT_PRO_SYSTEM = (
    "You are a GUI agent. You are given a task and a screenshot of a computer screen. You need to perform a action and "
    "pyautogui code to complete the task. Provide your response in this format:\n\n## Action:\nProvide clear, concise, "
    "and actionable instructions.\n\n## Code:\nGenerate a corresponding Python code snippet using pyautogui that "
    "clicks on the identified UI element using normalized screen coordinates (values between 0 and 1). The script "
    "should dynamically adapt to the current screen resolution by converting the normalized coordinates to actual "
    "pixel positions."
)
AGENT_SYSTEM = (
    "You are a GUI agent. You are given a task and a screenshot of the screen. You need to perform a series of "
    "pyautogui actions to complete the task.\n\n"
    "For each step, provide your response in this format:\n\n"
    "## Thought:\nWhat the screenshot shows, what the last step changed, and what has to come next.\n\n"
    "## Action:\nOne short instruction that names the control to use.\n\n"
    "## Code:\nThe instruction as code. Coordinates are numbers from 0 to 1, relative to the screenshot.\n\n"
    "Finally, output the action as PyAutoGUI code or the following functions:\n"
    '- {"name": "computer.triple_click", "description": "Triple click on the screen", "parameters": {"type": "object", '
    '"properties": {"x": {"type": "number"}, "y": {"type": "number"}}, "required": ["x", "y"]}}\n'
    '- {"name": "computer.wait", "description": "Wait for the screen to change", "parameters": {"type": "object", '
    '"properties": {"seconds": {"type": "number"}}}}\n'
    '- {"name": "computer.terminate", "description": "End the task and report whether it was completed", "parameters": '
    '{"type": "object", "properties": {"status": {"type": "string", "enum": ["success", "failure"]}, '
    '"answer": {"type": "string"}}, "required": ["status"]}}'
)
AGENT_USER = (
    "\n# Task Instruction:\n{instruction}\n\nPlease generate the next move according to the screenshot, task "
    "instruction and previous steps (if provided).\n"
)
FEEDBACK = "\n# Note:\nThe previous reply could not be carried out: {error}\nAnswer in the format above.\n"


@dataclass(frozen=True, kw_only=True)
class PromptProfile:
    """How one checkpoint is asked. `{instruction}` is the only placeholder of the user texts."""

    name: str
    plans: bool  # can be given a goal; else only asked where one thing is
    grounding_system: str | None
    grounding_user: str
    agent_system: str | None = None
    agent_user: str | None = None
    history_steps: int = 10  # earlier steps told at most
    history_frames: int = 3  # pictures shown at most, the current one included
    history_hop: int = 2  # pictures that are dropped at once when there are too many; 1: a sliding window
    history: Literal["turns", "verbs"] = "turns"  # earlier steps as turns with pictures, or one line of their verbs
    temperature: float = 0.0  # of grounding
    agent_temperature: float = 0.0
    max_new_tokens: int = 512

    def __post_init__(self) -> None:
        if "{instruction}" not in self.grounding_user:
            raise ValueError(f"profile {self.name!r}: grounding_user has no {{instruction}}")
        if self.plans and "{instruction}" not in (self.agent_user or ""):
            raise ValueError(f"profile {self.name!r}: it plans, so agent_user needs {{instruction}}")
        if self.history_frames < 1 or self.history_hop < 1 or self.history_steps < 0:
            raise ValueError(
                f"profile {self.name!r}: history_frames and history_hop must be >= 1 and history_steps >= 0"
            )

    @property
    def sha256(self) -> str:
        """Changes with every letter and number of the profile."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Turn:
    """One message: texts and pictures in order."""

    role: Role
    parts: tuple[str | Frame, ...]


NANO = PromptProfile(name="nano", plans=False, grounding_system=None, grounding_user="{instruction}", max_new_tokens=48)
NANO_TASK = PromptProfile(
    name="nano-task",
    plans=True,
    grounding_system=None,
    grounding_user="{instruction}",
    agent_user="task: {instruction}",
    history="verbs",
    max_new_tokens=48,
)
KIMI_INSTRUCT = PromptProfile(
    name="kimi-instruct",
    plans=True,
    grounding_system=None,
    grounding_user=(
        "Please observe the screenshot, please locate the following elements with action and point.<instruction> "
        "{instruction}"
    ),
    agent_system=AGENT_SYSTEM,
    agent_user=AGENT_USER,
    agent_temperature=0.2,
)
KIMI_THINKING_2506 = PromptProfile(
    name="kimi-thinking-2506",
    plans=True,
    grounding_system=SCREENSPOT_PRO_SYSTEM,
    grounding_user="## Task Instruction:\n{instruction}",
    agent_system=AGENT_SYSTEM,
    agent_user=AGENT_USER,
    agent_temperature=0.8,
    max_new_tokens=8192,
)
OPENCUA = PromptProfile(
    name="opencua",
    plans=True,
    grounding_system=AGENT_SYSTEM,
    grounding_user=AGENT_USER,
    agent_system=AGENT_SYSTEM,
    agent_user=AGENT_USER,
    max_new_tokens=2048,
)
PROFILES: dict[str, PromptProfile] = {
    profile.name: profile for profile in (NANO, NANO_TASK, KIMI_INSTRUCT, KIMI_THINKING_2506, OPENCUA)
}

LIMIT_2506 = 16384  # patches a picture; the other published checkpoints have 4096
SMALL_VOCABULARY = 100_000  # the published tokenizer has 163,840 entries


def profile_for(name: str, *, in_token_limit: int, vocab_size: int) -> PromptProfile:
    """The profile of a checkpoint: by words in its name, else by what its configuration gives away."""
    words = name.lower()
    if "opencua" in words:
        return OPENCUA
    if "2506" in words:
        return KIMI_THINKING_2506
    if "instruct" in words:
        return KIMI_INSTRUCT
    if "nano" in words or vocab_size < SMALL_VOCABULARY:
        return NANO
    return KIMI_THINKING_2506 if in_token_limit >= LIMIT_2506 else KIMI_INSTRUCT


def named_profile(name: str) -> PromptProfile:
    """The profile somebody asked for by name; ValueError lists the names there are."""
    if name not in PROFILES:
        raise ValueError(f"no prompt profile is called {name!r}: choose one of {', '.join(PROFILES)}")
    return PROFILES[name]


def grounding_turns(profile: PromptProfile, frame: Frame, instruction: str) -> tuple[Turn, ...]:
    """Ask where one thing is."""
    user = Turn("user", (frame, profile.grounding_user.replace("{instruction}", instruction)))
    return (user,) if profile.grounding_system is None else (Turn("system", (profile.grounding_system,)), user)


def agent_turns(profile: PromptProfile, frame: Frame, goal: str, history: Sequence[Step]) -> tuple[Turn, ...]:
    """Ask for the next action: earlier steps as assistant turns, their last pictures as user turns, then the task.

    Pictures of earlier steps are read from the trajectory. Failures since the last success become a note at the end.
    What a step adds stands behind what the step before was asked, up to its picture, so that an engine can keep its
    work: only where `_window` hops do two pictures have to be read again instead of one.
    """
    if profile.agent_user is None:
        raise ValueError(f"profile {profile.name!r} cannot plan: give it plain steps")
    if profile.history == "verbs":
        return (Turn("user", (frame, task_text(profile, goal, done_verbs(history)))),)
    done = _turns_done(history)
    first_told, first_shown = _window(profile, len(done))
    unseen, shown = done[first_told:first_shown], done[first_shown:]
    turns = [Turn("system", (profile.agent_system,))] if profile.agent_system else []
    if unseen:
        turns.append(Turn("assistant", ("\n".join(_past(number, steps) for number, steps in unseen),)))
    for number, steps in shown:
        turns.append(Turn("user", (steps[0].before.read(),)))
        turns.append(Turn("assistant", (_past(number, steps),)))
    text = profile.agent_user.replace("{instruction}", goal)
    failures = failures_in_a_row(history)
    if failures:
        text += FEEDBACK.replace("{error}", str(failures[-1].error))
    return (*turns, Turn("user", (frame, text)))


def task_text(profile: PromptProfile, goal: str, done: Sequence[str]) -> str:
    """What a profile that is told verbs reads beside the picture: the task, and what was done so far if anything."""
    assert profile.agent_user is not None
    text = profile.agent_user.replace("{instruction}", goal)
    return f"{text}\ndone: {', '.join(done)}" if done else text


def done_verbs(history: Sequence[Step]) -> tuple[str, ...]:
    """The names that the actions performed so far have in a reply, oldest first."""
    return tuple(verb(step.action) for step in history if step.action is not None and not step.error)


def verb(action: Action) -> str:
    """What an action is called in a reply: click, write, press."""
    return write_kimi(action, lambda x_px, y_px: (x_px, y_px)).partition("(")[0]


def _turns_done(history: Sequence[Step]) -> list[tuple[int, list[Step]]]:
    """The turns that did something, numbered from 1."""
    by_turn: dict[int, list[Step]] = {}
    for step in history:
        if step.action is not None and not step.error:
            by_turn.setdefault(step.turn, []).append(step)
    return list(enumerate(by_turn.values(), start=1))


def _window(profile: PromptProfile, num_done: int) -> tuple[int, int]:
    """Of so many turns done: from which on they are told, and from which on their pictures are shown.

    The checkpoints were trained with a window that slides by one turn a step, which puts other text before every
    picture at every step. Here pictures gather up to `history_frames`, never more than was trained with, and then
    `history_hop` leave at once. With 3 and 2 the model sees 3 and 2 in turn: always one earlier picture with what was
    done there. A hop of 3 would never read a picture twice, but forget them all each time. Steps leave the text only
    together with pictures, which stand behind it.
    """
    num_frames = min(profile.history_frames - 1, profile.history_steps)  # of earlier turns
    hop = min(profile.history_hop, num_frames + 1)
    hops = max(0, -(-(num_done - num_frames) // hop))
    return max(0, hops * hop + num_frames - profile.history_steps), hops * hop


def _past(number: int, steps: list[Step]) -> str:
    said = steps[0].instruction or "; ".join(describe(step.action) for step in steps if step.action is not None)
    return f"# Step {number}:\n## Action:\n{said}\n"
