"""The commands of `moonhand traj`, put together."""

from __future__ import annotations

import typer

from ..console import with_plain_errors
from .bisect_command import bisect
from .check_command import check
from .diff_command import diff
from .export_command import export
from .import_command import import_run
from .list_commands import ls, show
from .redact_command import redact
from .rerun_command import rerun
from .view_command import view

traj_app = typer.Typer(no_args_is_help=True, help="Look at recorded runs, check, compare, export and redact them.")
traj_app.command()(view)
traj_app.command()(with_plain_errors(ls))
traj_app.command()(with_plain_errors(show))
traj_app.command()(with_plain_errors(rerun))
traj_app.command()(with_plain_errors(export))
traj_app.command("import")(with_plain_errors(import_run))
traj_app.command()(with_plain_errors(bisect))
traj_app.command()(with_plain_errors(redact))
traj_app.command()(diff)
traj_app.command()(with_plain_errors(check))
