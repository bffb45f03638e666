"""`moonhand replay`: a recorded run done again."""

from __future__ import annotations

import sys
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console

from .console import (
    NEEDS_USER,
    OK,
    STOPPED,
    TASK_FAILED,
    DeviceFlag,
    DtypeFlag,
    JsonFlag,
    ModelChoice,
    ModelFlag,
    ProfileFlag,
    QuantizeFlag,
    people,
    plain_errors,
    print_json,
    somebody_at_stdin,
)
from .errors import BadRequest
from .kept_screen import approval_of, left_out, moved_pages, screen_of, with_a_page
from .replay_checks import check_secrets, check_values, check_whole, name_texts, pair
from .replay_flags import (
    AskFlag,
    DamagedFlag,
    KeptApproveFlag,
    KeptDialogsFlag,
    KeptScaleFlag,
    KeptSurfaceFlag,
    ModeFlag,
    NameFlag,
    OutFlag,
    SetFlag,
    SpeedFlag,
    WaitFlag,
)
from .screen_flags import (
    AllowFlag,
    AttachFlag,
    ChromiumFlag,
    DenyFlag,
    DesktopFlag,
    DownloadsFlag,
    GrantFlag,
    HttpAuthFlag,
    MonitorFlag,
    RegionFlag,
    StartFlag,
    StepFlag,
    StorageStateFlag,
    UrlFlag,
    UserDataFlag,
    ViewportFlag,
    VirtualFlag,
    WindowFlag,
    size_of,
)

if TYPE_CHECKING:
    from ..agent import ApprovePolicy, Recording
    from ..agent.replay import ReplayConfig
    from ..agent.replay.ladder import Locate
    from ..envs import Env
    from .open_screen import ScreenChoice

STATUS_CODES = {"finished": OK, "stopped": STOPPED, "needs_user": NEEDS_USER}  # every other status: it was not done


def replay(
    recording: Annotated[Path, typer.Argument(metavar="DIR", help="The trajectory of a run or a demonstration.")],
    mode: ModeFlag = "anchored",
    values: SetFlag = None,
    name: NameFlag = None,
    speed: SpeedFlag = None,
    wait: WaitFlag = 5.0,
    ask: AskFlag = False,
    damaged: DamagedFlag = False,
    model: ModelFlag = "nano",
    device: DeviceFlag = "auto",
    dtype: DtypeFlag = "auto",
    quantize: QuantizeFlag = None,
    profile: ProfileFlag = None,
    out: OutFlag = None,
    as_json: JsonFlag = False,
    url: UrlFlag = None,
    surface: KeptSurfaceFlag = None,
    viewport: ViewportFlag = None,
    scale: KeptScaleFlag = None,
    chromium: ChromiumFlag = None,
    attach: AttachFlag = None,
    user_data: UserDataFlag = None,
    storage_state: StorageStateFlag = None,
    grant: GrantFlag = None,
    http_auth: HttpAuthFlag = None,
    downloads: DownloadsFlag = None,
    dialogs: KeptDialogsFlag = None,
    desktop: DesktopFlag = False,
    monitor: MonitorFlag = "1",
    region: RegionFlag = None,
    window: WindowFlag = None,
    virtual: VirtualFlag = None,
    start: StartFlag = None,
    allow: AllowFlag = None,
    deny: DenyFlag = None,
    approve: KeptApproveFlag = None,
    step: StepFlag = False,
) -> None:
    """Do a recorded run again, without a model: each target is looked for before it is touched.

    It stops at the first step that it cannot verify and says what differs: moved, changed, missing, covered, slow or
    other page. The screen is opened as it was recorded, unless flags say otherwise; programs, profiles, files,
    permissions and passwords are never taken from a recording.
    """
    from ..agent import new_run_folder, read_trajectory
    from .open_screen import check_folder

    with plain_errors(as_json), _told_when_stopped(as_json):
        if step and approve is not None:
            raise BadRequest("--step asks before every action: leave out --approve")
        recorded = read_trajectory(recording)
        if name:
            name_texts(recorded, name, as_json)
        if not damaged:
            check_whole(recorded)
        folder = out or new_run_folder("runs")
        check_folder("--out", folder)
        flags: dict[str, Any] = {
            "url": url,
            "desktop": desktop or None,
            "virtual": None if virtual is None else size_of(virtual, "--virtual"),
            "start": start,
            "monitor": None if monitor == "1" else monitor,
            "region": region,
            "window": window,
            "viewport": None if viewport is None else size_of(viewport, "--viewport"),
            "scale": scale,
            "surface": surface,
            "chromium": chromium,
            "attach": attach,
            "user_data": user_data,
            "storage_state": storage_state,
            "allow": tuple(allow) if allow else None,
            "deny": tuple(deny) if deny else None,
            "grant": tuple(grant) if grant else None,
            "http_auth": http_auth,
            "downloads": downloads or folder / "downloads",
            "dialogs": dialogs,
        }
        given = dict(pair(one, "--set") for one in values or ())
        check_values(recorded, given)
        check_secrets(recorded, given)
        asks_about = "always" if step else approve or approval_of(recorded)
        made_on, asks = with_a_page(recorded, flags), asks_about != "never"
        choice = screen_of(made_on, flags, asks=asks)
        if repeat := left_out(made_on, flags, asks=asks):
            said = f"not taken from the recording; to repeat it, where you trust it: {repeat}"
            people().print(said, style="yellow", highlight=False, markup=False, soft_wrap=True)
        from ..agent.replay import ReplayConfig

        config = ReplayConfig(
            mode=mode,
            speed=speed,
            wait_s=wait,
            values=given,
            pages=moved_pages(made_on, choice.url),
        )
        locate = None if mode != "reground" else _locate(ModelChoice(model, device, dtype, quantize), profile)
        _replay(
            recorded, choice, config, locate, folder=folder, ask=ask, asks_about=asks_about, step=step, as_json=as_json
        )


def _replay(
    recorded: Recording,
    choice: ScreenChoice,
    config: ReplayConfig,
    locate: Locate | None,
    *,
    folder: Path,
    ask: bool,
    asks_about: ApprovePolicy,
    step: bool,
    as_json: bool,
) -> NoReturn:
    from ..agent import Approval, Trajectory
    from ..agent.replay import read_patches, read_report
    from ..agent.replay import replay as replayed
    from .approving import Asker
    from .live import StepTable
    from .run import stops_until_heard
    from .run_command import screen_told

    console = people()
    for problem in recorded.problems:
        console.print(f"the recording is damaged: {problem}", style="yellow", highlight=False, markup=False)
    if (folder / "run.json").exists():
        raise BadRequest(f"{folder} already holds a run: choose another folder")
    with _opened(choice) as env:
        trajectory = Trajectory(
            folder,
            goal=recorded.goal,
            source="replay",
            replay_of=str(recorded.path.absolute()),
            config=asdict(config) | {"approve": asks_about},
            env=screen_told(choice),
            variables=recorded.variables,
        )
        with plain_errors():
            try:
                with trajectory, StepTable(console) as table:
                    is_somebody_there = step or somebody_at_stdin()
                    asker = Asker(console, folder / "place.png", table.paused) if is_somebody_there else None
                    steps = replayed(
                        recorded,
                        env,
                        trajectory,
                        config,
                        locate=locate,
                        ask=table.ask if ask else None,
                        approve=Approval(asks_about, asker),
                    )
                    try:
                        with stops_until_heard():
                            for one in steps:
                                table.add(one)
                    except KeyboardInterrupt:
                        steps.close()
                        if trajectory.result is None:
                            trajectory.finish("stopped")
            finally:
                if sys.exception() is not None and trajectory.result is not None and as_json:
                    print_json(trajectory.result.to_json())
    result = trajectory.result
    assert result is not None  # the replay leaves with one or raises
    patches, report = read_patches(folder), read_report(folder)
    others = [one["recorded"] + 1 for one in report["steps"] if one["same_after"] is False]
    if as_json:
        told = {"mode": config.mode, "divergence": report["divergence"], "healed": [one.to_json() for one in patches]}
        print_json(result.to_json() | told | {"differs_after": others, "replayed": report["steps"]})
    _say(console, folder, result.status, result.error, report, len(patches))
    if others and result.status == "finished":
        after = f"step {others[0]}" if len(others) == 1 else f"steps {', '.join(map(str, others))}"
        said = (
            f"after {after} the screen was not the one recorded: `moonhand traj view {recorded.path} {folder}` shows it"
        )
        console.print(said, style="yellow", highlight=False, markup=False, soft_wrap=True)
    raise typer.Exit(STATUS_CODES.get(result.status, TASK_FAILED))


@contextmanager
def _told_when_stopped(as_json: bool) -> Generator[None]:
    """In JSON too, where Ctrl-C comes before there is a trajectory that could tell."""
    try:
        yield
    except KeyboardInterrupt:
        if as_json:
            told = {"status": "stopped", "success": None, "steps": 0, "trajectory": None, "answer": "", "error": None}
            people().print("stopped")
            print_json(told)
            raise typer.Exit(STOPPED) from None
        raise


@contextmanager
def _opened(choice: ScreenChoice) -> Generator[Env]:
    from ..envs import Unreachable
    from .open_screen import open_screen

    with ExitStack() as stack:
        try:
            env = stack.enter_context(open_screen(choice))
        except Unreachable as error:
            raise Unreachable(f"{error}; --url says where the recorded page is now") from error
        yield env


def _say(
    console: Console, folder: Path, status: str, error: str | None, report: Mapping[str, Any], num_healed: int
) -> None:
    done = sum(one["verdict"] in ("done", "healed") for one in report["steps"])
    steps = "1 step" if done == 1 else f"{done} steps"
    healed = f", {num_healed} healed: `moonhand traj diff {folder}` shows them" if num_healed else ""
    console.print(f"{status}: {steps} done{healed}", highlight=False, markup=False, soft_wrap=True)
    for line in (error, f"trajectory: {folder}"):
        if line:
            console.print(line, highlight=False, markup=False, soft_wrap=True)


def _locate(model: ModelChoice, profile: str | None) -> Locate:
    from ..agent import find_profile, locate

    asked = None if profile is None else find_profile(profile)
    engine = model.load()
    return lambda frame, instruction: locate(engine, frame, instruction, asked)
