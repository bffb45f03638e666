"""`moonhand record`: a person shows how it is done, and a trajectory is kept of it."""

from __future__ import annotations

import logging
import os
import re
import signal
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console

from ..envs import EnvError
from .console import JsonFlag, people, plain_errors, print_json
from .errors import BadRequest
from .screen_flags import (
    DESKTOP,
    PAGE,
    ChromiumFlag,
    MonitorFlag,
    RegionFlag,
    ScaleFlag,
    StorageStateFlag,
    UserDataFlag,
    ViewportFlag,
    WindowFlag,
    viewport_of,
)

if TYPE_CHECKING:
    from ..agent import RunResult, Step, Trajectory
    from ..agent.human import Demonstration, Recorder
    from ..envs.raw_events import Heard
    from .open_screen import ScreenChoice

STOP_KEYS = ("ctrl", "alt", "escape")
CTRL_C = ("ctrl", "c")  # which a terminal on the same desktop was given
LAST_S = 3.0  # the longest wait for the screen to become still after the last action
SAME_S = 1.0  # signals closer together are one
HEADINGS = ("#", "at", "action", "on", "screen")
WIDTHS = (3, 7, 44, 34, 8)
CHANGES = {"changed_near": "changed", "changed_far": "changed", "still_moving": "moving"}

SurfaceFlag = Annotated[
    Literal["window", "kiosk"],
    typer.Option("--surface", help="window: on this display; kiosk: on an X display of its own.", rich_help_panel=PAGE),
]
DesktopFlag = Annotated[
    bool, typer.Option("--desktop", help="Show it on this machine's desktop (X11).", rich_help_panel=DESKTOP)
]


def record(
    url: Annotated[str | None, typer.Option("--url", help="Show it on this page.", rich_help_panel=PAGE)] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the trajectory. (default: a new one under ./runs)")
    ] = None,
    goal: Annotated[str, typer.Option("--goal", help="What is shown, in words.")] = "",
    as_json: JsonFlag = False,
    surface: SurfaceFlag = "window",
    viewport: ViewportFlag = None,
    scale: ScaleFlag = 1.0,
    chromium: ChromiumFlag = None,
    user_data: UserDataFlag = None,
    storage_state: StorageStateFlag = None,
    desktop: DesktopFlag = False,
    monitor: MonitorFlag = "1",
    region: RegionFlag = None,
    window: WindowFlag = None,
) -> None:
    """Watch a person do it, and keep every action with the frame before it.

    Ctrl-C or ctrl+alt+escape ends it: that is how a recording is meant to end, so the exit code is 0 then.
    """
    from ..agent import Trajectory, new_run_folder
    from ..agent.human import Demonstration
    from .open_screen import ScreenChoice, check_folder
    from .run_command import screen_told

    with plain_errors(as_json):
        folder = out or new_run_folder("runs")
        if (folder / "run.json").exists():
            raise BadRequest(f"{folder} already holds a run: choose another folder")
        if (url is not None) == desktop:
            said = "not both" if desktop else "got neither"
            raise BadRequest(f"choose what is recorded: --url URL for a page, or --desktop; {said}")
        check_folder("--out", folder)
        of_page: dict[str, Any] = {"surface": surface, "downloads": folder / "downloads", "dialogs": "ask"}
        choice = ScreenChoice(
            url=url,
            desktop=desktop,
            monitor=monitor,
            region=region,
            window=window,
            viewport=viewport_of(viewport, None, None),
            scale=scale,
            chromium=chromium,
            user_data=user_data,
            storage_state=storage_state,
            **(of_page if url is not None else {}),
        )
        about = goal or f"a demonstration on {screen_told(choice)['url'] or 'the desktop'}"
        console = people()
        with _handlers_kept(), ExitStack() as stack:
            recorder = stack.enter_context(_open_recorder(choice))
            stop = _heard_signals()
            trajectory = stack.enter_context(
                Trajectory(folder, goal=about, source="human", env=screen_told(choice), config={"stop_keys": STOP_KEYS})
            )
            demonstration = Demonstration(trajectory, stop_keys=STOP_KEYS, secrets=_known_secrets())
            _greet(console, choice, recorder, folder)
            result = _watch(recorder, demonstration, trajectory, console, stop)
            stack.close()
            _report(result, console, recorder)
            if as_json:
                print_json(result.to_json())


def _watch(
    recorder: Recorder, demonstration: Demonstration, trajectory: Trajectory, console: Console, stop: list[float]
) -> RunResult:
    """Until somebody ends it; however that is, what was done until then is on the disk."""
    began_s = time.monotonic()

    def show(steps: list[Step]) -> None:
        for step in steps:
            _print_row(console, row_of(step, began_s))

    _print_row(console, HEADINGS)
    while not demonstration.is_over and not stop:
        show(demonstration.take(_hear(recorder, stop)))
    demonstration.stop(without=CTRL_C if stop else ())
    end_s = time.monotonic() + LAST_S
    while not demonstration.is_complete and time.monotonic() < end_s:
        heard = _hear(recorder, stop)
        show(demonstration.take(heard))
        if heard.is_over:
            break
    show(demonstration.finish())
    return trajectory.finish("finished")


def _hear(recorder: Recorder, stop: list[float]) -> Heard:
    """What has to be stopped anyway is over, not broken: a signal may go to the browser too, as from a terminal."""
    from ..envs.raw_events import Heard

    try:
        return recorder.hear()
    except EnvError:
        if not stop:
            raise
    with suppress(EnvError):
        return recorder.hear()  # what was left
    return Heard(is_over=True)


def _heard_signals() -> list[float]:
    """A list that is empty until Ctrl-C, SIGTERM or SIGHUP; the second Ctrl-C ends the program at once.

    Signals within SAME_S are one.
    """
    heard: list[float] = []

    def note(signum: int, frame: FrameType | None) -> None:
        now_s = time.monotonic()
        if heard and now_s - heard[-1] < SAME_S:
            return
        heard.append(now_s)
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # Playwright's driver may have heard it too, and left
        if len(heard) > 1:
            raise KeyboardInterrupt

    for signum in _signums():
        if signal.getsignal(signum) != signal.SIG_IGN:
            signal.signal(signum, note)
    return heard


@contextmanager
def _handlers_kept() -> Generator[None]:
    """Of signals: after the block they are those of before."""
    former = {signum: signal.getsignal(signum) for signum in _signums()}
    try:
        yield
    finally:
        for signum, handler in former.items():
            signal.signal(signum, handler)


def _signums() -> list[int]:
    return [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def _open_recorder(choice: ScreenChoice) -> Generator[Recorder]:
    """NoDisplay, NoBrowser and the like come out of it."""
    if choice.desktop:
        from ..envs.capture import check_display

        check_display(None)
        from ..envs.desktop_recorder import DesktopRecorder

        with DesktopRecorder(choice.desktop_config()) as of_desktop:
            yield of_desktop
        return
    from ..envs import NoDisplay
    from ..envs.page_recorder import PageRecorder

    with ExitStack() as stack:
        try:
            of_page = stack.enter_context(PageRecorder(choice.browser_config()))
        except NoDisplay as error:
            if choice.surface == "kiosk":
                raise
            raise NoDisplay(
                "the browser window needs a display: log in to a desktop, set DISPLAY, or give --surface kiosk, which "
                "brings a display of its own"
            ) from error
        yield of_page


def _known_secrets() -> dict[str, str]:
    """The values in the environment, by the names that {{secret:NAME}} knows them by."""
    from ..envs.secrets import VARIABLE

    named = {name.removeprefix(VARIABLE): value for name, value in os.environ.items() if name.startswith(VARIABLE)}
    return {name.lower(): value for name, value in named.items() if name and value}


def _greet(console: Console, choice: ScreenChoice, recorder: Recorder, folder: Path) -> None:
    where = "on the desktop" if choice.desktop else "in the browser window"
    lines = [
        f"Recording to {folder}. Do it {where} now: every action appears below once it is recognised.",
        f"To stop: {'+'.join(STOP_KEYS)}, or Ctrl-C here" + ("." if choice.desktop else ", or close the window."),
        "All keys are recorded, those of passwords too: of a desktop nobody tells what its fields are for."
        if choice.desktop
        else "Passwords are recorded as {{secret:NAME}}, never as text.",
    ]
    if choice.surface == "kiosk":
        lines.append(f"The browser is on the X display {getattr(recorder, 'display', '')}.")
    for line in lines:
        _say(console, line)


def _report(result: RunResult, console: Console, recorder: Recorder) -> None:
    if outside := getattr(recorder, "num_outside", 0):
        _say(console, f"{outside} clicks outside of what was recorded are left out; --monitor 0 records all monitors")
    _say(console, f"{result.status}: {'1 step' if result.steps == 1 else f'{result.steps} steps'}")
    if names := _secret_names(result.path):
        from ..envs.secrets import variable_of

        _say(console, f"a replay needs {', '.join(map(variable_of, names))} in the environment, or in the keyring")
    _say(console, f"trajectory: {result.path}")


def _secret_names(folder: Path) -> list[str]:
    """Of the secrets that a recording types."""
    text = (folder / "steps.jsonl").read_text(encoding="utf-8")
    return sorted(set(re.findall(r"\{\{secret:([A-Za-z0-9_.-]+)\}\}", text)))


def row_of(step: Step, began_s: float) -> tuple[str, ...]:
    """One step as a row under HEADINGS; `at` counts seconds since the recording began."""
    from ..envs import describe
    from .approving import printable

    action = "" if step.action is None else describe(step.action)
    element = step.surroundings.element if step.surroundings else None
    on = "" if element is None else f"{element.role or element.tag} {element.name}"
    change = CHANGES.get((step.effect.change if step.effect else None) or "", "")
    cells = (str(step.index + 1), f"{step.started_mono_s - began_s:.1f} s", action, on, change)
    return tuple(" ".join(printable(cell).split()) for cell in cells)


def _print_row(console: Console, cells: tuple[str, ...]) -> None:
    fitted = [
        cell if len(cell) <= width else f"{cell[: width - 3]}..." for cell, width in zip(cells, WIDTHS, strict=True)
    ]
    is_number = (True, True, False, False, False)
    padded = (
        cell.rjust(width) if right else cell.ljust(width)
        for cell, width, right in zip(fitted, WIDTHS, is_number, strict=True)
    )
    _say(console, " ".join(padded).rstrip())


def _say(console: Console, line: str) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)
