"""Which scripts a command line names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..errors import BadRequest, BadScript
from .read import load_script
from .tree import Script

ENDINGS = (".yaml", ".yml")


def is_script(name: str) -> bool:
    """Whether it names a script or a folder of them, rather than a goal in words."""
    return name.lower().endswith(ENDINGS) or os.path.isdir(name)  # which a goal too long for a name is not


def check_is_goal(goal: str) -> None:
    """BadRequest where it is the name of a file, which was meant for a script."""
    if os.path.isfile(goal):
        raise BadRequest(_no_script(goal))


def script_files(names: Sequence[str]) -> list[Path]:
    """Files as they are given, and those of folders by name, without the ones that begin with `_` or `.`.

    BadRequest for a folder without a script, and for what is neither.
    """
    files: list[Path] = []
    for name in names:
        path = Path(name)
        if path.is_dir():
            found = sorted(
                each for each in path.iterdir() if each.suffix.lower() in ENDINGS and each.name[0] not in "._"
            )
            if not found:
                raise BadRequest(f"{name} holds no script: no .yaml or .yml file whose name does not begin with _")
            files += found
        elif name.lower().endswith(ENDINGS):
            files.append(path)
        elif os.path.isfile(name):
            raise BadRequest(_no_script(name))
        else:
            raise BadRequest(f"{name!r} is no script and no folder of them; put a goal in quotes: 'click A; click B'")
    return list(dict.fromkeys(files))


def _no_script(name: str) -> str:
    return f"{name} is a file whose name does not end in .yaml or .yml: a script's does"


def load_scripts(files: Sequence[Path]) -> list[Script]:
    """All of them. BadScript with what is wrong in each."""
    scripts: list[Script] = []
    problems: list[BadScript] = []
    for path in files:
        try:
            scripts.append(load_script(path))
        except BadScript as error:
            problems.append(error)
    if problems:
        problems[0].args = ("\n".join(map(str, problems)),)
        raise problems[0]
    return scripts


def with_tags(scripts: Sequence[Script], tags: Sequence[str]) -> list[Script]:
    """Those that have any of the tags; all where none is asked for. BadRequest where none is left."""
    if not tags:
        return list(scripts)
    found = [script for script in scripts if set(tags) & set(script.tags)]
    if not found:
        known = ", ".join(sorted({tag for script in scripts for tag in script.tags})) or "none"
        raise BadRequest(f"--tag {' '.join(tags)}: no script has that tag; there are: {known}")
    return found
