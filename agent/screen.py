"""The face for programs: open a screen, say what to click or type, what must be there, or give it a goal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from ..envs import Action, Back, Effect, Env, Frame, Navigate, PressKeys, Scroll, TypeText, Wait
from .approval import Approval, ApprovePolicy, Decision, Request
from .built import built
from .expect import By
from .expectation import Expectation
from .extract import Extracted, extract
from .kimi import KimiPolicy, load_engine
from .live_target import LiveTarget
from .locate import locate
from .loop import RunConfig, run_to_end
from .manual import ManualRun
from .named import checked_name
from .steps import ClickStep, TypeStep, grounding_instruction
from .sure import checked_sure
from .target import Target
from .trajectory import RunResult, Trajectory, new_run_folder
from .zoom import ZoomConfig

if TYPE_CHECKING:
    from ..model import Answering

RUNS = "runs"  # where trajectories go unless told otherwise


class Screen:
    """A screen and a model that finds things on it. A context manager; the model is loaded at its first use.

    What the model finds with less confidence than `sure`, 0..1, is not touched, read or seen; `do` goes by its own.
    With `record` every action of click, type, press and perform becomes a step of one trajectory, in that folder or,
    for True, in a new one under `out`; each takes two looks more. `do` keeps one of its own in any case.
    """

    def __init__(
        self,
        open_env: Callable[[], AbstractContextManager[Env]],
        *,
        model: str | Path | Answering = "nano",
        sure: float = 0.0,
        out: str | Path = RUNS,
        record: bool | str | Path = False,
        told: Mapping[str, object] | None = None,
    ) -> None:
        """`told` is what its trajectories say of the screen, so that a replay opens the like, as the flags of the
        command line; without it a replay has to be told. ValueError for a `sure` that is no share of one.
        """
        self._open_env = open_env
        self._model = model
        self.sure = checked_sure(sure)
        self._out = Path(out)
        self._record = record
        self.told = dict(told or {})
        self._manual: ManualRun | None = None
        self._engine: Answering | None = None
        self._env: Env | None = None
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        if self._record is not False:
            self._manual = ManualRun(new_run_folder(self._out) if self._record is True else self._record, self.told)
        self._env = self._closing.enter_context(self._open_env())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            if self._manual is not None:
                self._manual.close(error)
        finally:
            self.close()

    def close(self) -> None:
        """Close the screen; twice is fine."""
        manual, self._manual, self._env = self._manual, None, None
        try:
            if manual is not None:
                manual.close()
        finally:
            self._closing.close()

    @property
    def env(self) -> Env:
        """The environment behind it; ValueError outside `with`."""
        if self._env is None:
            raise ValueError("the screen is not open: use it inside `with browser(...) as screen:`")
        return self._env

    @property
    def engine(self) -> Answering:
        """The model, loaded at its first use."""
        if self._engine is None:
            self._engine = load_engine(self._model)
        return self._engine

    def frame(self) -> Frame:
        """What the screen shows now, at native resolution."""
        return self.env.observe()

    @property
    def recorded_in(self) -> Path | None:
        """The folder of the trajectory that `record` asked for; there once something was done. None without."""
        return None if self._manual is None else self._manual.folder

    def perform(self, action: Action) -> Effect:
        """Do one action, in px of the last frame."""
        return self._perform(action)

    def locate(self, text: str, *, zoom: ZoomConfig | None = None, sure: float | None = None) -> LiveTarget:
        """Something on the screen, named in words; looked for when it is used, and closer where `zoom` says so.

        `sure` holds for it in place of the screen's own. ValueError for blank words.
        """
        return LiveTarget(
            checked_name(text, "text"),
            frame=self.frame,
            find=lambda frame, text: locate(self.engine, frame, text, zoom=zoom),
            perform=self._perform,
            sure=self.sure if sure is None else checked_sure(sure),
        )

    def expect(self, text: str, *, by: By = "any") -> Expectation:
        """Something that must be on the screen, or must not: say `.visible()` or `.absent()`, which raise NotSeen.

            screen.expect("Thank you, Ada").visible(timeout_s=10)

        Words are looked for in the text that a page shows, whole words in any case; what that is worth, and what the
        model is asked about, is told in `moonhand.agent.expect`. `by` is "words", "model" or "any", as there.
        """
        return Expectation(self, text, by=by, folder=self._out)

    def extract(self, question: str = "", *, of: str | None = None) -> Extracted:
        """Read a value: with `of`, the name of a thing, from the page at that thing; else the model's answer.

            total = screen.extract(of="Total").value

        The errors are those of `moonhand.agent.extract`: TargetRefused, CannotAnswer, ValueError. What comes back is
        data that the page wrote.
        """
        return extract(self.env, self.engine, question, of=of, sure=self.sure)

    def click(self, text: str) -> Effect:
        """Find it and click it. TargetRefused if the model does not see it."""
        step = ClickStep(target=checked_name(text, "text"))
        return self.locate(grounding_instruction(step) or text).click()

    def type(self, text: str, *, into: str | None = None, clear: bool = False, submit: bool = False) -> Effect:
        """Type, into the named field or into what has the focus.

        `clear` empties the field first, `submit` presses Enter afterwards; {{secret:NAME}} stands for a secret.
        TargetRefused if the model does not see the field.
        """
        typing = built(TypeText, text=text, clear=clear, submit=submit)
        if into is not None:
            step = TypeStep(text=text, target=checked_name(into, "into"))
            self.locate(grounding_instruction(step) or into).click()
        return self.perform(typing)

    def press(self, *keys: str) -> Effect:
        """Press one chord, such as press("ctrl", "a") or press("enter"). ValueError for what is no key."""
        return self.perform(built(PressKeys, keys=keys))

    def scroll(self, dy: float = 3, *, dx: float = 0, over: str | None = None) -> Effect:
        """Turn the wheel: `dy` notches down and `dx` to the right, less than 0 for up and left.

        Over what is named, or over the middle of the screen. TargetRefused if the model does not see it.
        """
        turning = built(Scroll, dx=dx, dy=dy)
        if over is None:
            return self.perform(turning)
        point = self.locate(checked_name(over, "over")).point
        return self.perform(Scroll(dx=dx, dy=dy, x_px=point.x_px, y_px=point.y_px))

    def wait(self, seconds_s: float = 1.0, *, until: Literal["still", "change"] | None = None) -> Effect:
        """Let `seconds_s` pass, 600 at most; with `until`, no longer than the screen takes to be still or to change.

        Actions wait by themselves for what they set off, and `expect` for what is to come: this is for the rest.
        """
        return self.perform(built(Wait, seconds_s=seconds_s, until=until))

    def goto(self, url: str) -> Effect:
        """Open an address in the page. Unreachable where nothing answers, UnsupportedAction on a desktop."""
        return self.perform(built(Navigate, url=url))

    def back(self) -> Effect:
        """Go back to the page before. UnsupportedAction on a desktop."""
        return self.perform(Back())

    def do(
        self,
        goal: str,
        *,
        max_steps: int = 25,
        approve: ApprovePolicy | None = None,
        ask: Callable[[Request], Decision] | None = None,
    ) -> RunResult:
        """Work on a goal and keep a trajectory of it under `out`; `success` stays None until something checks it.

        `ask` is asked before the actions that `approve` says: "never", "sensitive" or "always". None: "never" for plain
        steps, which the caller wrote, and "sensitive" where the model plans. Without `ask` such an action ends the run
        as `needs_user`.
        """
        env, config = self.env, RunConfig(max_steps=max_steps)
        policy = KimiPolicy(self.engine, kinds=env.kinds)
        folder = new_run_folder(self._out)
        asks_about = approve or ("sensitive" if policy.profile.plans else "never")
        told = asdict(config) | {"approve": asks_about}
        with Trajectory(folder, goal=goal, policy=policy.manifest(), config=told, env=self.told) as trajectory:
            return run_to_end(env, policy, goal, trajectory, config, approve=Approval(asks_about, ask))

    def _perform(self, action: Action, target: Target | None = None) -> Effect:
        """`target`, for the record, is what the model said of the place."""
        if self._manual is None:
            return self.env.perform(action)
        return self._manual.perform(self.env, action, target)
