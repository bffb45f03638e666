"""The flags that say which screen a command looks at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ..envs import Size
from .errors import BadRequest

PAGE, DESKTOP, SAFETY = "A page", "A desktop", "Safety"  # the panels of --help

UrlFlag = Annotated[str | None, typer.Option("--url", help="Work on this page.", rich_help_panel=PAGE)]
SurfaceFlag = Annotated[
    Literal["headless", "window", "kiosk"],
    typer.Option(
        "--surface",
        help="headless; window: on this display; kiosk: on an X display of its own, fastest, with native pop-ups.",
        rich_help_panel=PAGE,
    ),
]
ViewportFlag = Annotated[
    str | None,
    typer.Option(
        "--viewport",
        metavar="WxH",
        help="Size of the page in CSS px. (default: 480x440 for nano, else 1280x720)",
        rich_help_panel=PAGE,
    ),
]
ScaleFlag = Annotated[
    float, typer.Option("--scale", min=0.25, max=8, help="Device px per CSS px.", rich_help_panel=PAGE)
]
ChromiumFlag = Annotated[
    str | None,
    typer.Option(
        "--chromium",
        envvar="MOONHAND_CHROMIUM",
        help="The Chromium to start: a path or a name.",
        rich_help_panel=PAGE,
    ),
]
AttachFlag = Annotated[
    str | None,
    typer.Option(
        "--attach",
        metavar="ADDRESS",
        help="Work in a Chromium that runs already with --remote-debugging-port, such as http://127.0.0.1:9222.",
        rich_help_panel=PAGE,
    ),
]
UserDataFlag = Annotated[
    Path | None,
    typer.Option("--user-data", metavar="DIR", help="Folder of a browser profile that persists.", rich_help_panel=PAGE),
]
StorageStateFlag = Annotated[
    Path | None,
    typer.Option(
        "--storage-state", metavar="FILE", help="Cookies and local storage to begin with.", rich_help_panel=PAGE
    ),
]
GrantFlag = Annotated[
    list[str] | None,
    typer.Option(
        "--grant", metavar="PERMISSION", help="Grant pages a permission: geolocation, ...", rich_help_panel=PAGE
    ),
]
HttpAuthFlag = Annotated[
    str | None,
    typer.Option(
        "--http-auth",
        metavar="USER:PASSWORD",
        help="For servers that ask; the password may be {{secret:NAME}}.",
        rich_help_panel=PAGE,
    ),
]
DownloadsFlag = Annotated[
    Path | None,
    typer.Option(
        "--downloads", metavar="DIR", help="Where downloads go. (default: in the run's folder)", rich_help_panel=PAGE
    ),
]
DialogsFlag = Annotated[
    Literal["dismiss", "accept", "ask"],
    typer.Option(
        "--dialogs", help="Answer to confirm() and prompt(); ask: the model answers them.", rich_help_panel=PAGE
    ),
]
DesktopFlag = Annotated[
    bool,
    typer.Option(
        "--desktop",
        help="Work on this machine's desktop. Shove the pointer into its top left corner, or hold ctrl+alt+escape, "
        "to stop.",
        rich_help_panel=DESKTOP,
    ),
]
VirtualFlag = Annotated[
    str | None,
    typer.Option("--virtual", metavar="WxH", help="Work on a virtual display of this size.", rich_help_panel=DESKTOP),
]
StartFlag = Annotated[
    str | None,
    typer.Option(
        "--start", metavar="COMMAND", help="With --virtual: the program to start on it.", rich_help_panel=DESKTOP
    ),
]
MonitorFlag = Annotated[
    str,
    typer.Option(
        "--monitor",
        metavar="N|NAME",
        help="Which monitor, from left to right; 0 is all together.",
        rich_help_panel=DESKTOP,
    ),
]
RegionFlag = Annotated[
    str | None,
    typer.Option(
        "--region", metavar="X,Y,WxH", help="Only this part of the desktop, in OS points.", rich_help_panel=DESKTOP
    ),
]
WindowFlag = Annotated[
    str | None,
    typer.Option(
        "--window", metavar="TITLE", help="Only the window with this in its title (X11).", rich_help_panel=DESKTOP
    ),
]
AllowFlag = Annotated[
    list[str] | None,
    typer.Option(
        "--allow",
        metavar="ORIGIN",
        help="Pages may come from here alone: shop.example, *.shop.example, http://localhost:8000. Repeatable.",
        rich_help_panel=SAFETY,
    ),
]
DenyFlag = Annotated[
    list[str] | None,
    typer.Option("--deny", metavar="ORIGIN", help="Pages may not come from here. Repeatable.", rich_help_panel=SAFETY),
]
ApproveFlag = Annotated[
    Literal["never", "sensitive", "always"] | None,
    typer.Option(
        "--approve",
        help="Ask before an action: sensitive ones submit, type secrets, download, upload, leave the site, press "
        "shell-like keys. (default: never for plain steps, sensitive where the model plans)",
        rich_help_panel=SAFETY,
    ),
]
DryRunFlag = Annotated[
    bool,
    typer.Option("--dry-run", help="Perform nothing: draw what would be done.", rich_help_panel=SAFETY),
]
StepFlag = Annotated[
    bool,
    typer.Option("--step", help="Ask before every action: yes, edit, skip, zoom, quit.", rich_help_panel=SAFETY),
]


def viewport_of(flag: str | None, of_script: Size | None, model: str | None) -> Size:
    """The flag, else what the script says, else what suits the model."""
    from ..agent import default_viewport

    if flag is not None:
        return size_of(flag, "--viewport")
    return of_script or default_viewport(model or "")


def size_of(text: str, flag: str) -> Size:
    """'1280x720' as a size; BadRequest for anything else."""
    from .sizes import parse_size

    try:
        return parse_size(text)
    except ValueError as error:
        raise BadRequest(f"{flag}: {error}") from error
