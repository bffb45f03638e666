"""The one screen of a server: opened at the first call that needs it, and kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...agent import (
    Approval,
    ApprovePolicy,
    Decision,
    Request,
    Skip,
    Step,
    Stop,
    Target,
    Trajectory,
    Yes,
    new_run_folder,
)
from ...agent.loop import noted
from ...envs import (
    Action,
    DialogOpen,
    Env,
    EnvError,
    Frame,
    Navigate,
    NewTab,
    NoDisplay,
    OriginRules,
    PageGone,
    PointOffScreen,
    UnsupportedAction,
    Wait,
)
from ..approving import printable
from ..console import ModelChoice
from ..open_screen import ScreenChoice, open_screen
from ..run_command import screen_told
from .calls import Answered, Call
from .results import FromScreen

if TYPE_CHECKING:
    from ...agent import PromptProfile

ALLOW_FORM = {
    "type": "object",
    "properties": {
        "allow": {"type": "boolean", "title": "Allow it", "description": "Yes performs it; no leaves it out."}
    },
    "required": ["allow"],
}


class KeptScreen:
    """The screen, the model that looks at it and the trajectory of single acts. All of it in one thread.

    `runs` is the folder of trajectories, which is made when the first of them is.
    """

    def __init__(
        self, choice: ScreenChoice, model: ModelChoice, profile: PromptProfile | None, runs: Path, policy: ApprovePolicy
    ) -> None:
        self.choice, self.runs, self.profile = choice, runs.absolute(), profile
        self._model = model
        self._policy: ApprovePolicy = policy
        self._opened = ExitStack()
        self._env: Env | None = None
        self._engine: Any = None
        self._acts: Trajectory | None = None

    @property
    def env(self) -> Env:
        if self._env is None:
            self._env = self._opened.enter_context(open_screen(self.choice))
        return self._env

    @property
    def engine(self) -> Any:
        if self._engine is None:
            self._engine = self._model.load()
        return self._engine

    @property
    def acts(self) -> Trajectory:
        """Of all single acts of the session, in one folder."""
        if self._acts is None:
            self._acts = Trajectory(
                new_run_folder(self.runs),
                goal="",
                source="manual",
                policy={"kind": "mcp"},
                config={"approve": self._policy},
                env=screen_told(self.choice),
            )
        return self._acts

    def let_go(self, error: EnvError) -> bool:
        """Close the screen where this error says that it is gone: the next call opens another. Whether it was."""
        is_gone = isinstance(error, PageGone | NoDisplay) and self._env is not None
        if is_gone:
            self._close_screen()
        return is_gone

    def close(self) -> None:
        """Let go of keys, close the screen and end the trajectory; twice is fine."""
        acts, self._acts = self._acts, None
        try:
            self._close_screen()
        finally:
            if acts is not None and acts.result is None:
                acts.finish("finished")

    def approval(self, call: Call) -> Approval:
        return Approval(self._policy, asking(call) if call.can_ask else None)

    def from_screen(self, *notes: str) -> FromScreen:
        """Where the screen is now, and what it says."""
        place = self.env.surroundings(Wait())
        said = (*notes, "" if place.dialog is None else f"open: {place.dialog}")
        return FromScreen(url=place.url, title=place.title, notes=[note for note in said if note])

    def perform(self, action: Action, frame: Frame, call: Call, target: Target | None = None) -> Step:
        """Do one action, after asking where need be, and keep it; the step has an `error` where it was not done.

        `frame` is the last one observed. Other errors of the screen are raised.
        """
        env, acts = self.env, self.acts
        draft = Step(
            index=acts.num_steps,
            turn=acts.num_steps,
            before=acts.store(frame),
            after=None,
            action=action,
            started_at_s=time.time(),
            started_mono_s=time.monotonic(),
        )
        if target is not None:
            draft = replace(
                draft,
                instruction=target.instruction,
                reply=target.raw,
                confidence=target.confidence,
                belief=None if target.refused or target.belief is None else target.belief.to_json(),
                model_s=target.model_s,
            )
        if not self._is_ruled_out(action):  # the screen refuses that itself, in its own words
            draft = self.approval(call).consider(env, draft, frame)
        if draft.error is None:
            draft = noted(draft, env, frame)
            try:
                draft = replace(draft, effect=env.perform(action))
            except EnvError as error:
                draft = replace(draft, error=str(error))
                is_told = isinstance(error, UnsupportedAction | PointOffScreen) and not isinstance(error, DialogOpen)
                if not is_told:
                    acts.append(draft)
                    raise
        return acts.append(draft if draft.error else replace(draft, after=acts.store(env.observe())))

    def _is_ruled_out(self, action: Action) -> bool:
        """Whether the allow- or deny-list stands against an address, so that nobody need be asked about it."""
        rules = OriginRules(self.choice.allow, self.choice.deny)
        return isinstance(action, Navigate | NewTab) and bool(action.url) and rules.why_not(action.url) is not None

    def _close_screen(self) -> None:
        self._env = None
        self._opened.close()


def asking(call: Call) -> Callable[[Request], Decision]:
    """Asks the person at the client whether an action may be done."""

    def ask(request: Request) -> Decision:
        return decision_of(call.ask(printable(request.question), ALLOW_FORM))

    return ask


def decision_of(answered: Answered) -> Decision:
    """A form that is dismissed, or that nobody answers, ends the run."""
    if answered.action == "accept" and answered.content.get("allow") is True:
        return Yes()
    return Stop() if answered.action == "cancel" else Skip()
