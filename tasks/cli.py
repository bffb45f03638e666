"""The command line. It alone reads flags and the environment, prints, and picks classes.

Exit codes: 0 ok, 1 the task failed, 2 usage, 3 environment, 4 model, 5 refused, 6 a person is needed, 130 stopped,
143 stopped by SIGTERM, 129 by SIGHUP (the terminal was closed).
"""

from __future__ import annotations

from importlib.metadata import version as package_version
from pathlib import Path
from typing import Annotated

import typer

from .ask.command import ask
from .console import (
    REFUSED,
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
    stopping_on_signals,
    with_plain_errors,
    write_file,
)
from .doctor_command import doctor
from .errors import BadRequest
from .evals.commands import eval_app
from .mcp.command import mcp
from .model_commands import model_app
from .parse_command import parse
from .profile_commands import profiles_app
from .record_command import record
from .replay_command import replay
from .run_command import demo, run
from .screen_flags import (
    ChromiumFlag,
    MonitorFlag,
    RegionFlag,
    ScaleFlag,
    SurfaceFlag,
    ViewportFlag,
    WindowFlag,
    viewport_of,
)
from .serve.command import serve
from .training.command import train
from .traj.commands import traj_app
from .welcome import welcome

app = typer.Typer(pretty_exceptions_enable=False)
app.add_typer(model_app, name="model")
app.add_typer(profiles_app, name="profiles")
app.add_typer(traj_app, name="traj")
app.add_typer(eval_app, name="eval")


def main() -> None:
    """The `moonhand` command. SIGTERM and SIGHUP stop it as Ctrl-C does."""
    with stopping_on_signals():
        app()


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(package_version("moonhand"))
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and leave.")
    ] = False,
) -> None:
    """GUI automation with the model inside: a screenshot goes in, a click comes out."""
    if context.invoked_subcommand is None:
        welcome()


@app.command()
def shot(
    out: Annotated[Path, typer.Argument(metavar="OUT.png", help="Where the picture goes.")],
    url: Annotated[str | None, typer.Option("--url", help="Capture this page instead of the desktop.")] = None,
    surface: SurfaceFlag = "headless",
    viewport: ViewportFlag = None,
    scale: ScaleFlag = 1.0,
    chromium: ChromiumFlag = None,
    monitor: MonitorFlag = "1",
    region: RegionFlag = None,
    window: WindowFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Capture a monitor or a page at native resolution."""
    from .open_screen import ScreenChoice, open_screen
    from .pictures import check_writable

    with plain_errors(as_json):
        check_writable(out)
        choice = ScreenChoice(
            url=url,
            desktop=url is None,
            monitor=monitor,
            region=region,
            window=window,
            surface=surface,
            viewport=viewport_of(viewport, None, model=None),
            scale=scale,
            chromium=chromium,
        )
        with open_screen(choice) as env:
            frame = env.observe()
        write_file(out, frame.to_png())
        if as_json:
            print_json({"path": str(out), "width_px": frame.size.width_px, "height_px": frame.size.height_px})
        else:
            people().print(f"{frame.size} px written to {out}", highlight=False, markup=False, soft_wrap=True)


@app.command()
def ground(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="A screenshot.")],
    instruction: Annotated[str, typer.Argument(help='What to find, such as "click Sign up" or "the Email field".')],
    model: ModelFlag = "nano",
    device: DeviceFlag = "auto",
    dtype: DtypeFlag = "auto",
    quantize: QuantizeFlag = None,
    profile: ProfileFlag = None,
    zoom: Annotated[
        bool, typer.Option("--zoom", help="Where the model is not sure, look again at parts in native resolution.")
    ] = False,
    crops: Annotated[
        int | None, typer.Option("--crops", min=1, help="With --zoom: parts looked at in each round. (default: 3)")
    ] = None,
    zoom_below: Annotated[
        float | None, typer.Option("--zoom-below", min=0, max=1, help="With --zoom: when. (default: the model's own)")
    ] = None,
    refuse_below: Annotated[
        float | None, typer.Option("--refuse-below", min=0, max=1, help="With --zoom: give up. (default: the model's)")
    ] = None,
    overlay: Annotated[
        Path | None, typer.Option("--overlay", help="Draw point, box, heat map and zoom path: a .png file.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Find one thing on a screenshot."""
    from ..agent import ZoomConfig, find_profile, locate
    from ..agent.overlay import draw_grounding, to_png
    from .pictures import check_writable, read_frame

    with plain_errors(as_json):
        if not instruction.strip():
            raise BadRequest("the instruction is empty: say what to find")
        frame = read_frame(image)
        if overlay is not None:
            check_writable(overlay)
        asked = None if profile is None else find_profile(profile)
        if not zoom and not (crops is None and zoom_below is None and refuse_below is None):
            raise BadRequest("--crops, --zoom-below and --refuse-below say how to zoom: give --zoom too")
        closer = (
            ZoomConfig(below=zoom_below, refuse_below=refuse_below, crops=crops or ZoomConfig.crops) if zoom else None
        )
        target = locate(ModelChoice(model, device, dtype, quantize).load(), frame, instruction, asked, closer)
        if overlay is not None:
            write_file(overlay, to_png(draw_grounding(frame, target)))
        if as_json:
            print_json(target.to_json())
        elif target.point is not None:
            sure = "" if target.confidence is None else f"  confidence {target.confidence:.0%}"
            typer.echo(f"x={target.point.x_px:.1f} y={target.point.y_px:.1f} px of {target.size}{sure}")
        else:
            said = f"no point: {target.error or 'the model does not see it'}"
            people().print(said, highlight=False, markup=False, soft_wrap=True)
        if target.refused:
            raise typer.Exit(REFUSED)
        if target.point is None:
            raise typer.Exit(TASK_FAILED)


app.command()(doctor)
app.command()(ask)
app.command()(run)
app.command()(record)
app.command()(replay)
app.command()(demo)
app.command()(serve)
app.command()(mcp)
app.command()(with_plain_errors(train))
app.command()(with_plain_errors(parse))
