"""The face for programs: open a screen, say what to click or type, or give it a goal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Self

from PIL import Image

from ..envs import (
    Action,
    Click,
    Effect,
    Env,
    Frame,
    OriginRules,
    Point,
    PressKeys,
    SecretLookup,
    Size,
    TypeText,
    find_secret,
)
from .approval import Approval, ApprovePolicy, Decision, Request
from .errors import TargetRefused
from .kimi import KimiPolicy, load_engine
from .locate import locate
from .loop import RunConfig, run_to_end
from .manual import ManualRun
from .overlay import draw_target
from .steps import ClickStep, TypeStep, grounding_instruction
from .target import Target
from .trajectory import RunResult, Trajectory, new_run_folder
from .zoom import ZoomConfig

if TYPE_CHECKING:
    from ..envs import Surface
    from ..model import Answering

RUNS = "runs"  # where trajectories go unless told otherwise
NANO_VIEWPORT = Size(480, 440)  # the windows in which nano is at its best
VIEWPORT = Size(1280, 720)


def default_viewport(model: str | Path | Answering) -> Size:
    """How large a page is shown, CSS px, to a model given by its name, its folder or itself."""
    name = str(getattr(model, "name", model))
    return NANO_VIEWPORT if name == "nano" or name.endswith("#nano") else VIEWPORT


def browser(
    url: str = "",
    *,
    model: str | Path | Answering = "nano",
    viewport: tuple[int, int] | None = None,
    device_scale: float = 1.0,
    surface: Surface = "headless",
    executable: str | None = None,
    attach: str | None = None,
    user_data: str | Path | None = None,
    storage_state: str | Path | None = None,
    allow: Sequence[str] = (),
    deny: Sequence[str] = (),
    downloads: str | Path | None = None,
    secrets: SecretLookup = find_secret,
    out: str | Path = RUNS,
    record: bool | str | Path = False,
) -> Screen:
    """A page in a Chromium of its own, or with `attach` in one that runs already, opened by `with`.

    `viewport` is width and height in CSS px; None takes what suits the model (`default_viewport`). `allow` and `deny`
    are patterns of OriginRules, `secrets` gives the value of each {{secret:NAME}}; `record` keeps a trajectory of all
    that is clicked and typed, as in Screen; the rest is as in BrowserConfig.
    """
    size = default_viewport(model) if viewport is None else Size(*viewport)

    def open_page() -> AbstractContextManager[Env]:
        from ..envs import BrowserConfig, BrowserEnv

        return BrowserEnv(
            BrowserConfig(
                url=url,
                viewport=size,
                device_scale=device_scale,
                surface=surface,
                executable=executable,
                attach=attach,
                user_data=None if user_data is None else Path(user_data),
                storage_state=None if storage_state is None else Path(storage_state),
                rules=OriginRules(tuple(allow), tuple(deny)),
                downloads=None if downloads is None else Path(downloads),
                secrets=secrets,
            )
        )

    return Screen(open_page, model=model, out=out, record=record)


def desktop(
    *,
    model: str | Path | Answering = "nano",
    monitor: int | str = 1,
    out: str | Path = RUNS,
    record: bool | str | Path = False,
) -> Screen:
    """One monitor of this machine's desktop, opened by `with`. `record` is as in Screen."""

    def open_desktop() -> AbstractContextManager[Env]:
        from ..envs import DesktopConfig, DesktopEnv

        return DesktopEnv(DesktopConfig(monitor=monitor))

    return Screen(open_desktop, model=model, out=out, record=record)


class Screen:
    """A screen and a model that finds things on it. A context manager; the model is loaded at its first use.

    With `record` every action of click, type, press and perform becomes a step of one trajectory, in that folder or,
    for True, in a new one under `out`; each takes two looks more. `do` keeps one of its own in any case.
    """

    def __init__(
        self,
        open_env: Callable[[], AbstractContextManager[Env]],
        *,
        model: str | Path | Answering = "nano",
        out: str | Path = RUNS,
        record: bool | str | Path = False,
    ) -> None:
        self._open_env = open_env
        self._model = model
        self._out = Path(out)
        self._record = record
        self._manual: ManualRun | None = None
        self._engine: Answering | None = None
        self._env: Env | None = None
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        if self._record is not False:
            self._manual = ManualRun(new_run_folder(self._out) if self._record is True else self._record)
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

    def locate(self, text: str, *, zoom: ZoomConfig | None = None) -> LiveTarget:
        """Something on the screen, named in words; looked for when it is used, and closer where `zoom` says so."""
        return LiveTarget(self, text, zoom)

    def click(self, text: str) -> Effect:
        """Find it and click it. TargetRefused if the model does not see it."""
        return self.locate(grounding_instruction(ClickStep(target=text)) or text).click()

    def type(self, text: str, *, into: str | None = None, clear: bool = False, submit: bool = False) -> Effect:
        """Type, into the named field or into what has the focus; `submit` presses Enter afterwards."""
        if into is not None:
            self.locate(grounding_instruction(TypeStep(text=text, target=into)) or into).click()
        return self.perform(TypeText(text=text, clear=clear, submit=submit))

    def press(self, *keys: str) -> Effect:
        """Press one chord, such as press("ctrl", "a") or press("enter")."""
        return self.perform(PressKeys(keys=keys))

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
        with Trajectory(folder, goal=goal, policy=policy.manifest(), config=told) as trajectory:
            return run_to_end(env, policy, goal, trajectory, config, approve=Approval(asks_about, ask))

    def _perform(self, action: Action, target: Target | None = None) -> Effect:
        """`target`, for the record, is what the model said of the place."""
        if self._manual is None:
            return self.env.perform(action)
        return self._manual.perform(self.env, action, target)


class LiveTarget:
    """Something named in words. Every use looks at the screen; the model is asked again only when that has changed."""

    def __init__(self, screen: Screen, text: str, zoom: ZoomConfig | None = None) -> None:
        self._screen = screen
        self._text = text
        self._zoom = zoom
        self._seen: tuple[Frame, Target] | None = None

    def look(self) -> Target:
        """What the model says now, a refusal included."""
        return self._look()[1]

    @property
    def point(self) -> Point:
        """In screenshot px. TargetRefused if the model does not see it."""
        target = self.look()
        if target.point is None:
            why = target.error or "the model does not see it"
            raise TargetRefused(
                f"{self._text!r}: {why}; name it as the screen writes it, or look with .preview() "
                f"(reply: {target.raw!r})"
            )
        return target.point

    @property
    def confidence(self) -> float | None:
        """0..1; None where the reply holds no coordinates."""
        return self.look().confidence

    def click(self, *, count: int = 1) -> Effect:
        """Click it. TargetRefused if the model does not see it; then nothing is touched."""
        point = self.point
        _, target = self._seen or (None, None)  # what the point is from
        click = Click(x_px=point.x_px, y_px=point.y_px, count=count)
        return self._screen._perform(click, target)  # pyright: ignore[reportPrivateUsage] - they belong together

    def preview(self) -> Image.Image:
        """The screen with a ring where the model points; touches nothing."""
        return draw_target(*self._look())

    def _look(self) -> tuple[Frame, Target]:
        frame = self._screen.frame()
        if self._seen is None or self._seen[0].sha256 != frame.sha256:
            self._seen = (frame, locate(self._screen.engine, frame, self._text, zoom=self._zoom))
        return self._seen
