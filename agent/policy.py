"""Who decides what to do next: the protocol, and a scripted one that ships for tests, demos and replays."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from ..envs import Action, Finish, Frame, describe
from .dialects import DIALECTS, Parsed, whole_canvas
from .steps import ScriptStep
from .trajectory import Step


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a policy answered, before it is read as actions."""

    text: str
    actions: tuple[Action, ...] | None = None  # where nothing is left to read in the text
    instruction: str | None = None  # what was looked for, where the policy finds one thing at a time
    step: ScriptStep | None = None  # the plain step that the text answers, if any
    confidence: float | None = None  # 0..1
    belief: Mapping[str, Any] | None = None  # where the place may be, as `Belief.to_json` tells it
    model_s: float = 0.0


class Policy(Protocol):
    """Looks at a screen and says what to do.

    `reply` gets every earlier step, those with an `error` included, and keeps no state of its own between calls.
    `read` raises ParseError for a reply that cannot be used; the loop then asks again. `manifest` is what a reader of
    the trajectory must know to believe it: model, prompts, settings; plain JSON values.
    """

    def reply(self, goal: str, frame: Frame, history: Sequence[Step]) -> Reply: ...
    def read(self, reply: Reply, frame: Frame) -> Parsed: ...
    def manifest(self) -> Mapping[str, Any]: ...


@runtime_checkable
class Answering(Protocol):
    """A policy that can also say what a screen shows. CannotAnswer where it cannot after all."""

    def answer(self, question: str, frame: Frame) -> str: ...


class ScriptedPolicy:
    """Gives out replies written beforehand, whatever the screen shows: texts in the Kimi dialect, or actions.

    The n-th turn gets the n-th reply; after the last it finishes.
    """

    def __init__(self, replies: Iterable[str | Action], *, delay_s: float = 0.0) -> None:
        self._replies = tuple(replies)
        self._delay_s = delay_s

    def reply(self, goal: str, frame: Frame, history: Sequence[Step]) -> Reply:
        turn = turns_taken(history)
        time.sleep(self._delay_s)
        said = self._replies[turn] if turn < len(self._replies) else Finish()
        if isinstance(said, str):
            return Reply(text=said, model_s=self._delay_s)
        return Reply(text=describe(said), actions=(said,), model_s=self._delay_s)

    def read(self, reply: Reply, frame: Frame) -> Parsed:
        """Coordinates of a text are 0..1 of the frame."""
        if reply.actions is not None:
            return Parsed(reply.actions)
        return DIALECTS["kimi"].read(reply.text, whole_canvas(frame.size))

    def manifest(self) -> Mapping[str, Any]:
        return {"kind": "scripted", "replies": len(self._replies)}


def turns_taken(history: Sequence[Step]) -> int:
    """How many replies were given, usable or not."""
    return history[-1].turn + 1 if history else 0


def turns_done(history: Sequence[Step]) -> int:
    """How many replies were carried out from their first action to their last, or left out as a person wished."""
    failed = {step.turn for step in history if step.error and step.decision != "skip"}
    return len({step.turn for step in history} - failed)


def failures_in_a_row(history: Sequence[Step]) -> tuple[Step, ...]:
    """The last steps, back to the last one without an error."""
    failures: list[Step] = []
    for step in reversed(history):
        if not step.error:
            break
        failures.append(step)
    return tuple(reversed(failures))
