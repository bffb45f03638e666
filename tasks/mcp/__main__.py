"""`python -m moonhand.tasks.mcp`: the command `moonhand mcp` alone."""

from __future__ import annotations

import typer

from ..console import stopping_on_signals
from .command import mcp

if __name__ == "__main__":
    with stopping_on_signals():
        typer.run(mcp)
