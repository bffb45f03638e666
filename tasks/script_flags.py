"""The flags of `moonhand run` that are about scripts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

SCRIPTS = "Scripts"

VarFlag = Annotated[
    list[str] | None,
    typer.Option("--var", metavar="NAME=VALUE", help="A variable of the script; repeatable.", rich_help_panel=SCRIPTS),
]
VarsFlag = Annotated[
    list[Path] | None,
    typer.Option("--vars", help="Variables from a .yaml, .json or .env file; repeatable.", rich_help_panel=SCRIPTS),
]
CheckFlag = Annotated[
    bool, typer.Option("--check", help="Only read the scripts and all they include.", rich_help_panel=SCRIPTS)
]
TagFlag = Annotated[
    list[str] | None, typer.Option("--tag", help="Only scripts with this tag; repeatable.", rich_help_panel=SCRIPTS)
]
NoCacheFlag = Annotated[
    bool,
    typer.Option("--no-cache", help="Ask the model for everything, and remember nothing.", rich_help_panel=SCRIPTS),
]
RefreshFlag = Annotated[
    bool,
    typer.Option("--refresh", help="Ask the model for everything, and remember it anew.", rich_help_panel=SCRIPTS),
]
JunitFlag = Annotated[
    Path | None, typer.Option("--junit", help="Write what came of it as JUnit XML.", rich_help_panel=SCRIPTS)
]
ReportFlag = Annotated[
    Path | None, typer.Option("--report", help="Write what came of it as one .html page.", rich_help_panel=SCRIPTS)
]

SureFlag = Annotated[
    float | None,
    typer.Option(
        "--sure",
        metavar="P",
        min=0,
        max=1,
        help="Touch nothing that the model finds with less confidence.",
        rich_help_panel=SCRIPTS,
    ),
]


@dataclass(frozen=True, kw_only=True)
class ScriptFlags:
    """As they were given."""

    var: tuple[str, ...] = ()
    vars: tuple[Path, ...] = ()
    check: bool = False
    tags: tuple[str, ...] = ()
    caches: bool = True
    refresh: bool = False
    junit: Path | None = None
    report: Path | None = None
    sure: float | None = None  # 0..1

    @property
    def given(self) -> list[str]:
        """Those that a goal in words has no use for."""
        told = {
            "--var": self.var,
            "--vars": self.vars,
            "--check": self.check,
            "--tag": self.tags,
            "--no-cache": not self.caches,
            "--refresh": self.refresh,
            "--junit": self.junit,
            "--report": self.report,
            "--sure": self.sure is not None,
        }
        return [flag for flag, value in told.items() if value]
