"""The flags of `moonhand replay`; those of its screen are as recorded unless they are given."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from .screen_flags import SAFETY

ModeFlag = Annotated[
    Literal["exact", "anchored", "reground"],
    typer.Option(
        "--mode",
        help="exact: all must be where it was, at the recorded pace; anchored: targets are waited for, and followed "
        "where they moved; reground: and a model is asked where that fails.",
    ),
]
SetFlag = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=TEXT", help="Another text for a variable. Repeatable.")
]
NameFlag = Annotated[
    list[str] | None,
    typer.Option("--name", metavar="STEP=NAME", help="Make the text that a step types a variable, and leave."),
]
SpeedFlag = Annotated[
    float | None,
    typer.Option("--speed", min=0.01, help="Of the recorded pace. (default: 1 for exact; the others do not wait)"),
]
WaitFlag = Annotated[
    float,
    typer.Option("--wait", min=0, help="Seconds that a target which is not there yet is waited for; not in exact."),
]
AskFlag = Annotated[
    bool, typer.Option("--ask", help="Ask what to do where a step cannot be verified: do it, skip it, or stop.")
]
KeptScaleFlag = Annotated[
    float | None, typer.Option("--scale", min=0.25, max=8, help="Device px per CSS px. (default: as recorded)")
]
KeptSurfaceFlag = Annotated[
    Literal["headless", "window", "kiosk"] | None,
    typer.Option("--surface", help="headless, window or kiosk. (default: as recorded)"),
]
KeptDialogsFlag = Annotated[
    Literal["dismiss", "accept", "ask"] | None,
    typer.Option("--dialogs", help="Answer to confirm() and prompt(). (default: as recorded)"),
]
KeptApproveFlag = Annotated[
    Literal["never", "sensitive", "always"] | None,
    typer.Option(
        "--approve",
        help="Ask before an action, as in `moonhand run`. (default: as recorded)",
        rich_help_panel=SAFETY,
    ),
]
DamagedFlag = Annotated[
    bool, typer.Option("--damaged", help="Replay what can be read of a recording that is not whole.")
]
OutFlag = Annotated[
    Path | None, typer.Option("--out", help="Folder of the replay's own trajectory. (default: a new one under ./runs)")
]
