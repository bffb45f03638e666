"""The commands of `moonhand eval`, put together."""

from __future__ import annotations

import typer

from ..console import with_plain_errors
from .check_command import check
from .compare_command import compare
from .episodes_command import episodes
from .generate_command import generate
from .list_command import list_suites
from .report_command import report
from .run_command import run_eval
from .score_command import score_file
from .sweep_command import sweep

eval_app = typer.Typer(no_args_is_help=True, help="Measure a model: suites, scores with intervals, reports.")
eval_app.command("list")(with_plain_errors(list_suites))
eval_app.command()(with_plain_errors(check))
eval_app.command()(with_plain_errors(generate))
eval_app.command("run")(with_plain_errors(run_eval))
eval_app.command("score")(with_plain_errors(score_file))
eval_app.command()(with_plain_errors(compare))
eval_app.command()(with_plain_errors(report))
eval_app.command()(with_plain_errors(sweep))
eval_app.command()(with_plain_errors(episodes))
