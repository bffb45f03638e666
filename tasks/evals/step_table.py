"""Scores of steps, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table


def show_steps(told: Mapping[str, Any], console: Console) -> None:
    """Print what `score_agentnetbench` found."""
    table = Table(title=f"{told['suite']}: mean score of {told['n']} steps in {told['tasks']} tasks")
    table.add_column("action", no_wrap=True)
    table.add_column("steps", justify="right")
    table.add_column("score", justify="right")
    for name, group in told["groups"]["action_type"].items():
        table.add_row(name, str(group["n"]), f"{group['score']:.1%}")
    table.add_section()
    table.add_row("all steps", str(told["n"]), f"{told['score']:.1%}")
    table.add_row("mean over tasks", str(told["tasks"]), f"{told['score_macro']:.1%}")
    console.print(table)
    low, high = told["full"]["ci95"]
    counts = f"{told['full']['count']} steps got all of 1: {told['full']['share']:.1%} ({low:.1%} to {high:.1%})"
    failed = f"{told['wrong_format']} replies could not be read, {told['outcomes']['missing']} are missing"
    console.print(f"{counts}; {failed}; an alternative fitted better {told['alternatives']} times", highlight=False)
