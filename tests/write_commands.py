"""Writes what is known of the commands: docs/commands.md for people, tasks/completion.json for a shell's Tab.

    python tests/write_commands.py

To be run after a command, a flag or a help text has changed; tests/tasks/test_commands.py fails until it was.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from command_tree import Command, Flag, read_commands
from moonhand.agent import PROFILES
from moonhand.agent.dialects import DIALECTS
from moonhand.model.engine import DTYPES
from moonhand.model.presets import PRESETS
from moonhand.model.quantize import BITS
from moonhand.tasks.checkpoint_hub import PUBLISHED
from moonhand.tasks.cli import app
from moonhand.tasks.completion import TABLE
from moonhand.tasks.evals.suites.known import known_suites
from moonhand.tasks.exports.formats import FORMATS
from moonhand.tasks.imports.formats import SOURCES
from moonhand.tasks.model_bench.report import SECTIONS

REFERENCE = Path(__file__).parent.parent / "docs" / "commands.md"
HELP_WIDTH = 70  # of a candidate's help in a shell's list
SUITES = tuple(info.name for info in known_suites())
VALUES: dict[str, tuple[str, ...]] = {  # flag or place, of one command or of all -> words that are offered for it
    "--model": ("nano",),
    "--device": ("auto", "cpu", "cuda"),
    "--dtype": ("auto", *DTYPES),
    "--quantize": tuple(BITS),
    "--profile": tuple(PROFILES),
    "--dialect": tuple(DIALECTS),
    "--coordinates": ("px", "unit", "thousand"),
    "--take": ("first", "last"),
    "--boxes": ("xywh_px", "xyxy_px", "xyxy_01", "xywh_01"),
    "--suite": SUITES,
    "SUITE": SUITES,
    "moonhand train --dialect": ("kimi", "raw"),
    "moonhand parse --to": tuple(DIALECTS),
    "moonhand profiles show NAME|FILE": tuple(PROFILES),
    "moonhand traj export --to": tuple(FORMATS),
    "moonhand traj import --from": tuple(SOURCES),
    "moonhand ask --sample": ("uniform", "scenes"),
    "moonhand model download NAME|REPO": tuple(PUBLISHED),
    "moonhand model inspect DIR": ("nano",),
    "moonhand model quantize --weights": tuple(BITS),
    "moonhand model random --config": tuple(PRESETS),
    "moonhand model bench --config": tuple(PRESETS),
    "moonhand model bench --only": tuple(SECTIONS),
    "moonhand eval generate --layout": ("own", "screenspot-pro"),
    "moonhand eval episodes SUITE": ("miniwob",),
    "moonhand eval episodes --model": ("nano", "oracle", "random"),
}
HEAD = """\
# Commands

Every command with its flags; this page is written by `python tests/write_commands.py` from the commands themselves.
A flag wins over its environment variable, which wins over the default. Exit codes:
[README](../README.md#on-the-command-line).

`moonhand --install-completion` makes Tab complete commands, flags and their values in bash, zsh and fish;
`moonhand --show-completion` prints the script instead.
"""


def table_of(command: Command) -> dict[str, Any]:
    """What tasks/completion.py looks words up in."""
    flags = {
        name: [flag.metavar is not None, *_offered(command, flag)] for flag in command.flags for name in flag.names
    }
    return {
        "help": _short(command.help),
        "flags": {**flags, "--help": [False, "Show this message and exit.", []]},
        "places": [list(_values(command, place.name, place.values)) for place in command.places],
        "commands": {child.words[-1]: table_of(child) for child in command.children},
    }


def reference_of(root: Command) -> str:
    """The page for people."""
    return "\n".join([HEAD, *(line for command in root.walk() if command is not root for line in _section(command))])


def written() -> dict[Path, str]:
    """What each file should hold now."""
    root = read_commands(app)
    table = json.dumps(table_of(root), ensure_ascii=True, separators=(",", ":"), sort_keys=False)
    return {REFERENCE: reference_of(root), TABLE: table + "\n"}


def _offered(command: Command, flag: Flag) -> tuple[str, list[str]]:
    return _short(flag.help), list(_values(command, flag.names[0], flag.values))


def _values(command: Command, name: str, known: tuple[str, ...]) -> tuple[str, ...]:
    return known or VALUES.get(f"{' '.join(command.words)} {name}", VALUES.get(name, ()))


def _short(words: str) -> str:
    """The first sentence, or what of it fits."""
    line = " ".join(words.split("\n\n")[0].split()).partition(". ")[0].rstrip(".")
    return line if len(line) <= HELP_WIDTH else line[: HELP_WIDTH - 3].rstrip() + "..."


def _section(command: Command) -> list[str]:
    usage = " ".join(
        [
            *command.words,
            *([] if not command.flags else ["[FLAGS]"]),
            *(
                ("{}" if place.is_required else "[{}]").format(place.name + ("..." if place.is_repeatable else ""))
                for place in command.places
            ),
            *(["COMMAND"] if command.children else []),
        ]
    )
    title = f"{'##' if len(command.words) == 2 else '###'} {' '.join(command.words)}"
    lines = [title, "", _plain(command.help), "", "```sh", usage, "```", ""]
    rows = [f"- `{place.name}`: {_plain(place.help)}" for place in command.places if place.help]
    rows += [_flag_row(flag) for flag in command.flags]
    rows += [f"- [`{' '.join(child.words)}`](#{'-'.join(child.words)}): {child.help}" for child in command.children]
    return [*lines, *rows, *([""] if rows else [])]


def _flag_row(flag: Flag) -> str:
    written = "`, `".join(flag.names) + (f" {flag.metavar}" if flag.metavar else "")
    notes = ["required"] if flag.is_required else []
    notes += ["repeatable"] if flag.is_repeatable else []
    notes += [f"default `{flag.default}`"] if flag.default else []
    notes += [f"`{flag.envvar}`"] if flag.envvar else []
    return f"- `{written}`: {_plain(flag.help)}" + (f" ({'; '.join(notes)})" if notes else "")


def _plain(words: str) -> str:
    """Help as Markdown that shows the same."""
    parts = words.split("`")
    return "`".join(
        part if place % 2 else part.replace("<", "&lt;").replace("*", r"\*").replace("_", r"\_")
        for place, part in enumerate(parts)
    )


if __name__ == "__main__":
    for path, content in written().items():
        path.write_text(content, encoding="utf-8")
        print(f"{len(content):,} characters written to {path}")
