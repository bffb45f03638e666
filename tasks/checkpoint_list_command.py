"""`moonhand model list`: the checkpoints on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from .console import JsonFlag, asked_to_see, print_json
from .errors import BadRequest


def list_models(
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="[DIR]...", help="Folders to look into as well.", show_default=False)
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """The checkpoints that are here: nano, what was downloaded, and Kimi-VLs in the Hugging Face cache."""
    from .checkpoint_folders import find_checkpoints, models_folder

    for folder in folders or ():
        if not folder.is_dir():
            raise BadRequest(f"{folder} is no folder: name one that holds checkpoints")
    found = find_checkpoints(tuple(folders or ()), _hub_cache())
    if as_json:
        print_json({"models": [each.to_json() for each in found], "downloads": str(models_folder())})
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "parameters", "kind", "on disk", "from", "--model"):
        table.add_column(heading, justify="right" if heading in ("parameters", "on disk") else "left", overflow="fold")
    for each in found:
        count = "" if each.parameters is None else f"{each.parameters / 1e6:,.0f} M"
        size = f"{each.size_bytes / 1e9:.2f} GB"
        where = "nano" if each.source == "package" else str(each.folder)
        table.add_row(each.name, count, each.kind or each.problem or "", size, each.source, where)
    asked_to_see().print(table)


def _hub_cache() -> Path | None:
    """Where huggingface_hub keeps repositories, by its own rules."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface"
    folder = Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub").expanduser()
    return folder if folder.is_dir() else None
