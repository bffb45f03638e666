"""`moonhand run` and `moonhand demo`."""

from __future__ import annotations

import re
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console

from .console import (
    NEEDS_USER,
    OK,
    REFUSED,
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
    write_file,
)
from .errors import BadRequest
from .screen_flags import (
    AllowFlag,
    ApproveFlag,
    AttachFlag,
    ChromiumFlag,
    DenyFlag,
    DesktopFlag,
    DialogsFlag,
    DownloadsFlag,
    DryRunFlag,
    GrantFlag,
    HttpAuthFlag,
    MonitorFlag,
    RegionFlag,
    ScaleFlag,
    StartFlag,
    StepFlag,
    StorageStateFlag,
    SurfaceFlag,
    UrlFlag,
    UserDataFlag,
    ViewportFlag,
    VirtualFlag,
    WindowFlag,
    size_of,
    viewport_of,
)
from .script_flags import (
    CheckFlag,
    JunitFlag,
    NoCacheFlag,
    RefreshFlag,
    ReportFlag,
    ScriptFlags,
    SureFlag,
    TagFlag,
    VarFlag,
    VarsFlag,
)

if TYPE_CHECKING:
    from ..agent import ApprovePolicy, RunResult
    from .open_screen import ScreenChoice
    from .scripts import Script

STATUS_CODES = {
    "finished": OK,
    "refused": REFUSED,
    "needs_user": NEEDS_USER,
    "stopped": STOPPED,
    "dry_run": OK,
}  # every other status: the task failed
DEFAULT_MAX_STEPS = 25

OutFlag = Annotated[
    Path | None, typer.Option("--out", help="Folder of the trajectory. (default: a new one under ./runs)")
]
PictureFlag = Annotated[Path | None, typer.Option("--picture", help="Also write a picture of the run: a .png file.")]
WatchFlag = Annotated[bool, typer.Option("--watch", help="Show the run in a browser while it goes on.")]
NoOpenFlag = Annotated[bool, typer.Option("--no-open", help="With --watch: only tell the address.")]
KeepGoingFlag = Annotated[
    bool, typer.Option("--keep-going", help="Go on when the same actions change nothing, again and again.")
]


def run(
    goal: Annotated[
        list[str],
        typer.Argument(metavar="GOAL|SCRIPT.yaml", help="Plain steps parted by ';', or scripts and folders of them."),
    ],
    model: ModelFlag = "nano",
    device: DeviceFlag = "auto",
    dtype: DtypeFlag = "auto",
    quantize: QuantizeFlag = None,
    profile: ProfileFlag = None,
    keep_going: KeepGoingFlag = False,
    max_steps: Annotated[
        int | None,
        typer.Option("--max-steps", min=1, envvar="MOONHAND_MAX_STEPS", help="Actions and unusable replies together."),
    ] = None,
    out: OutFlag = None,
    picture: PictureFlag = None,
    as_json: JsonFlag = False,
    url: UrlFlag = None,
    surface: SurfaceFlag = "headless",
    viewport: ViewportFlag = None,
    scale: ScaleFlag = 1.0,
    chromium: ChromiumFlag = None,
    attach: AttachFlag = None,
    user_data: UserDataFlag = None,
    storage_state: StorageStateFlag = None,
    grant: GrantFlag = None,
    http_auth: HttpAuthFlag = None,
    downloads: DownloadsFlag = None,
    dialogs: DialogsFlag = "dismiss",
    desktop: DesktopFlag = False,
    monitor: MonitorFlag = "1",
    region: RegionFlag = None,
    window: WindowFlag = None,
    virtual: VirtualFlag = None,
    start: StartFlag = None,
    allow: AllowFlag = None,
    deny: DenyFlag = None,
    approve: ApproveFlag = None,
    dry_run: DryRunFlag = False,
    step: StepFlag = False,
    watch: WatchFlag = False,
    no_open: NoOpenFlag = False,
    var: VarFlag = None,
    vars: VarsFlag = None,
    tag: TagFlag = None,
    check: CheckFlag = False,
    no_cache: NoCacheFlag = False,
    refresh: RefreshFlag = False,
    junit: JunitFlag = None,
    report: ReportFlag = None,
    sure: SureFlag = None,
) -> None:
    """Carry out a goal or scripts on a page or a desktop, from its pixels."""
    from ..agent import new_run_folder
    from .open_screen import ScreenChoice, check_folder
    from .scripts.suite import check_is_goal, is_script

    with plain_errors(as_json):
        flags = ScriptFlags(
            var=tuple(var or ()),
            vars=tuple(vars or ()),
            check=check,
            tags=tuple(tag or ()),
            caches=not no_cache,
            refresh=refresh,
            junit=junit,
            report=report,
            sure=sure,
        )
        elsewhere = desktop or virtual is not None or attach is not None

        def screen_of(script: Script | None, folder: Path) -> ScreenChoice:
            check_folder("--out", folder)
            return ScreenChoice(
                url=url or (None if elsewhere or script is None else script.url),
                desktop=desktop,
                virtual=None if virtual is None else size_of(virtual, "--virtual"),
                start=start,
                monitor=monitor,
                region=region,
                window=window,
                viewport=viewport_of(viewport, None if script is None else script.viewport, model),
                scale=scale,
                surface=surface,
                chromium=chromium,
                attach=attach,
                user_data=user_data,
                storage_state=storage_state,
                allow=tuple(allow or ()),
                deny=tuple(deny or ()),
                grant=tuple(grant or ()),
                http_auth=http_auth,
                downloads=downloads or folder / "downloads",
                dialogs=dialogs,
            )

        asked = ModelChoice(model, device, dtype, quantize)
        how = HowToRun(
            profile=profile,
            keep_going=keep_going,
            max_steps=max_steps,
            approve=approve,
            dry_run=dry_run,
            step=step,
            watch=watch,
            opens=not no_open,
        )
        if len(goal) > 1 or is_script(goal[0]):
            from .scripts.command import run_scripts

            run_scripts(goal, screen_of, asked, how, flags, out=out, picture=picture, as_json=as_json)
        check_is_goal(goal[0])
        if flags.given:
            raise BadRequest(f"{' and '.join(flags.given)}: only for scripts, and {goal[0]!r} is a goal in words")
        folder = out or new_run_folder("runs")
        _run(goal[0], screen_of(None, folder), asked, how, folder=folder, picture=picture, as_json=as_json)


def demo(
    model: ModelFlag = "nano",
    device: DeviceFlag = "auto",
    dtype: DtypeFlag = "auto",
    quantize: QuantizeFlag = None,
    surface: SurfaceFlag = "headless",
    chromium: ChromiumFlag = None,
    out: OutFlag = None,
    picture: PictureFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Fill in and submit the bundled sign-up form from its pixels, then ask the page what it received."""
    from .demo import DEMO_FOLDER, DEMO_PAGE, DEMO_SCRIPT, serve_folder
    from .open_screen import ScreenChoice
    from .scripts import load_script
    from .scripts.command import run_loaded

    with plain_errors(as_json), serve_folder(DEMO_FOLDER) as address:

        def screen_of(script: Script, folder: Path) -> ScreenChoice:
            return ScreenChoice(
                url=address + DEMO_PAGE,
                viewport=viewport_of(None, script.viewport, model),
                surface=surface,
                chromium=chromium,
            )

        run_loaded(
            [load_script(DEMO_SCRIPT)],
            {},
            screen_of,
            ModelChoice(model, device, dtype, quantize),
            HowToRun(),
            ScriptFlags(caches=False),  # what is shown is how a model finds things
            out=out,
            picture=picture,
            as_json=as_json,
            draws=True,
        )


@dataclass(frozen=True, kw_only=True)
class HowToRun:
    """How a run is asked and when it is ended, as the flags say it."""

    profile: str | None = None
    keep_going: bool = False
    max_steps: int | None = None
    approve: ApprovePolicy | None = None
    dry_run: bool = False
    step: bool = False
    watch: bool = False
    opens: bool = True

    def policy(self, *, plans: bool) -> ApprovePolicy:
        """Plain steps are what the person wrote; what a model plans, nobody has read."""
        if self.dry_run:
            return "never"
        if self.step:
            return "always"
        return self.approve or ("sensitive" if plans else "never")


def _run(
    goal: str,
    choice: ScreenChoice,
    model: ModelChoice,
    how: HowToRun,
    *,
    folder: Path,
    picture: Path | None,
    as_json: bool,
) -> NoReturn:
    """Check everything that can be checked before work starts, carry the goal out, report, and leave.

    It is for a model that plans, or else made of plain steps.
    """
    from ..agent import Approval, KimiPolicy, RunConfig, Trajectory, find_profile, parse_steps
    from ..agent.kimi import profile_of
    from ..agent.overlay import to_png
    from ..envs import DryRunEnv
    from .approving import Asker
    from .live import StepTable
    from .open_screen import open_screen
    from .pictures import check_writable
    from .run import carry_out, picture_of_dry_run, picture_of_run
    from .viewer.live import watched

    if picture is not None:
        check_writable(picture)
    if how.step and (how.dry_run or how.approve is not None):
        raise BadRequest("--step asks before every action: leave out --approve and --dry-run")
    console = people()
    profile = None if how.profile is None else find_profile(how.profile)
    engine = model.load()
    plans = (profile or profile_of(engine)).plans
    planned = None if plans else parse_steps(goal)
    config = RunConfig(
        max_steps=how.max_steps or max(DEFAULT_MAX_STEPS, 3 * len(planned or ())),
        max_turns=1 if how.dry_run and plans else None,
        stop_when_stuck=not how.keep_going,
    )
    if (folder / "run.json").exists():
        raise BadRequest(f"{folder} already holds a run: choose another folder")
    with open_screen(choice) as env:
        policy = KimiPolicy(engine, profile=profile, kinds=env.kinds)
        asks_about = how.policy(plans=plans)
        trajectory = Trajectory(
            folder,
            goal=goal,
            policy=policy.manifest(),
            config=asdict(config) | {"approve": asks_about},
            env=screen_told(choice),
        )
        with plain_errors():  # in JSON, the result says how it ended
            try:
                with (
                    trajectory,
                    StepTable(console) as table,
                    watched(folder, table.add, console, is_wanted=how.watch, opens=how.opens) as watch,
                ):
                    is_somebody_there = somebody_at_stdin() and not how.dry_run
                    asker = Asker(console, folder / "place.png", table.paused)
                    outcome = carry_out(
                        DryRunEnv(env) if how.dry_run else env,
                        policy,
                        goal,
                        trajectory,
                        config,
                        watch=watch,
                        approve=Approval(asks_about, asker if is_somebody_there or how.step else None),
                        ask=table.ask if is_somebody_there else None,
                    )
            finally:
                if sys.exception() is not None and trajectory.result is not None:
                    console.print(f"trajectory: {folder}", highlight=False, markup=False, soft_wrap=True)
                    if as_json:
                        print_json(trajectory.result.to_json())
    drawn = picture or (folder / "run.png" if how.dry_run else None)
    if drawn is not None and outcome.result.steps:
        write_file(drawn, to_png(picture_of_dry_run(folder) if how.dry_run else picture_of_run(folder)))
    if as_json:
        print_json(outcome.to_json())
    _report(outcome.result, console, drawn)
    raise typer.Exit(exit_code(outcome.result))


def screen_told(choice: ScreenChoice) -> dict[str, Any]:
    """The screen for `run.json`, without a password."""
    from ..envs import without_password

    told = asdict(choice)
    user, colon, password = (choice.http_auth or "").partition(":")
    if password and not _is_placeholder(password):
        told["http_auth"] = f"{user}{colon}***"
    for name in ("url", "attach"):
        told[name] = told[name] and without_password(told[name])
    return {name: str(value) if isinstance(value, Path) else value for name, value in told.items()}


def _is_placeholder(text: str) -> bool:
    return re.fullmatch(r"\{\{secret:[^{}]+\}\}", text) is not None


def exit_code(result: RunResult) -> int:
    """What was checked counts; without a check, how the run ended."""
    if result.status == "finished" and result.success is False:
        return TASK_FAILED
    return OK if result.success else STATUS_CODES.get(result.status, TASK_FAILED)


def _report(result: RunResult, console: Console, drawn: Path | None) -> None:
    steps = "1 step" if result.steps == 1 else f"{result.steps} steps"
    console.print(f"{result.status}: {steps}", highlight=False)
    for line in (result.error, result.answer, f"trajectory: {result.path}", drawn and f"picture:    {drawn}"):
        if line:
            console.print(str(line), highlight=False, markup=False, soft_wrap=True)
