"""Whether a person lets an action be performed: when they are asked, what they are shown, and what they may say."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, get_args

from ..envs import UNTOUCHING, Action, Env, Frame, Risk, describe, in_words
from .trajectory import Step

ApprovePolicy = Literal["never", "sensitive", "always"]


@dataclass(frozen=True, kw_only=True)
class Request:
    """An action that somebody is asked about. Its points are in px of `frame`; secrets stand in it by their names."""

    action: Action
    risks: frozenset[Risk]
    frame: Frame
    instruction: str | None  # what the model was asked to find or said it would do
    thought: str | None
    confidence: float | None  # 0..1
    index: int  # of the step

    @property
    def question(self) -> str:
        """In one sentence."""
        sought = "" if self.instruction is None else f" for {self.instruction!r}"
        return f"May this be done: {describe(self.action)}{sought}" + (
            f" ({in_words(self.risks)})?" if self.risks else "?"
        )


@dataclass(frozen=True)
class Yes:
    """Perform it."""


@dataclass(frozen=True)
class Skip:
    """Leave it out and go on; the model is told what was said."""

    said: str = ""


@dataclass(frozen=True)
class Stop:
    """End the run."""


@dataclass(frozen=True)
class Instead:
    """Perform another action in its place; nobody is asked about that again."""

    action: Action


Decision = Yes | Skip | Stop | Instead


@dataclass(frozen=True)
class Approval:
    """When somebody is asked before an action is performed, and who.

    "sensitive" asks about actions with a risk that the screen knows of, "always" about all that touch the screen. With
    nobody to ask (`ask` is None) such an action is not performed, and ends the run as `needs_user`.
    """

    policy: ApprovePolicy = "sensitive"
    ask: Callable[[Request], Decision] | None = None

    def __post_init__(self) -> None:
        if self.policy not in get_args(ApprovePolicy):
            raise ValueError(f"approve is one of {', '.join(get_args(ApprovePolicy))}, got {self.policy!r}")

    def consider(self, env: Env, draft: Step, frame: Frame) -> Step:
        """The step as it is to be performed, after asking where need be; with an `error` where it is not to be."""
        proposed = draft.action
        if proposed is None or self.policy == "never" or proposed.type in UNTOUCHING:
            return draft
        accepted: frozenset[Risk] | None = None
        while True:
            # The page may have changed while somebody thought about it: what is new is asked about again.
            draft = replace(draft, risks=env.risks(proposed))
            is_asked = self.policy == "always" or bool(draft.risks)
            if not is_asked or (accepted is not None and draft.risks <= accepted):
                return draft
            request = _request(draft, proposed, frame)
            if self.ask is None:
                return replace(draft, decision="nobody", error=f"not approved, nobody is there: {request.question}")
            start_s = time.monotonic()
            said = self.ask(request)
            draft = replace(draft, asked_s=draft.asked_s + time.monotonic() - start_s)
            match said:
                case Yes():
                    draft, accepted = replace(draft, decision="yes"), draft.risks
                case Instead(action=action):
                    is_same = action.type == proposed.type  # but for its place or its text
                    instruction = draft.instruction if is_same else None
                    return replace(draft, action=action, decision="instead", instruction=instruction)
                case Skip(said=words):
                    words = words or "leave it out"
                    return replace(draft, decision="skip", error=f"not approved by the person: {words}")
                case Stop():
                    return replace(draft, decision="stop", error="not approved by the person, who ends the run")
                case other:  # pyright: ignore[reportUnnecessaryComparison]
                    raise TypeError(f'`ask` gave back {other!r}: give Yes(), Skip("why"), Instead(action) or Stop()')


NEVER = Approval("never")


def _request(draft: Step, action: Action, frame: Frame) -> Request:
    return Request(
        action=action,
        risks=draft.risks,
        frame=frame,
        instruction=draft.instruction,
        thought=draft.thought,
        confidence=draft.confidence,
        index=draft.index,
    )
