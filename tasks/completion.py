"""Answers a shell's Tab in some hundredths of a second: from a table, without loading the command line.

The scripts of `moonhand --install-completion` ask by way of the environment, each shell in its own words. The table,
completion.json, is written by tests/write_commands.py: a command is
`{"help", "flags": {NAME: [TAKES, HELP, VALUES]}, "places": [VALUES, ...], "commands": {NAME: command}}`.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ASKS = "_MOONHAND_COMPLETE"
TABLE = Path(__file__).with_name("completion.json")
SHELLS = ("bash", "zsh", "fish")
_MEANS_SOMETHING_IN_ZSH = str.maketrans("", "", "\"'`$\\:")


class Candidate(NamedTuple):
    """A word that may come next."""

    value: str
    help: str = ""


def asked_by(environ: Mapping[str, str]) -> str | None:
    """The shell that asks; None where nobody does, or one that only the command line itself can answer."""
    instruction, _, shell = environ.get(ASKS, "").partition("_")
    return shell if instruction == "complete" and shell in SHELLS else None


def answer(shell: str, environ: Mapping[str, str] = os.environ) -> int:
    """Print what `shell` reads, and give the exit code it looks at."""
    words, start = typed(shell, environ)
    found = complete(words, start, json.loads(TABLE.read_text(encoding="utf-8")))
    if shell == "zsh":
        rows = "\n".join(f'"{one.value}":"{one.help.translate(_MEANS_SOMETHING_IN_ZSH)}"' for one in found)
        sys.stdout.write(f"_arguments '*: :(({rows}))'\n" if rows else "_files\n")
    elif shell == "bash":
        sys.stdout.write("\n".join(one.value for one in found) + "\n")
    elif environ.get("_TYPER_COMPLETE_FISH_ACTION") == "is-args":
        return 0 if found else 1  # 1: fish offers files
    else:
        sys.stdout.write("\n".join(f"{one.value}\t{one.help}" for one in found) + "\n")
    return 0


def typed(shell: str, environ: Mapping[str, str]) -> tuple[list[str], str]:
    """The words before the one that is being written, without the program's name, and what is there of that one."""
    if shell == "bash":
        words = _split(environ.get("COMP_WORDS", ""))
        place = int(environ.get("COMP_CWORD", "0"))
        return words[1:place], words[place] if place < len(words) else ""
    line = environ.get("_TYPER_COMPLETE_ARGS", "")
    words = _split(line)[1:]
    return (words[:-1], words[-1]) if words and not line.endswith(" ") else (words, "")


def complete(words: Sequence[str], start: str, table: Mapping[str, Any]) -> list[Candidate]:
    """What may follow `words` and begins with `start`; nothing where a file or free text is to come."""
    command, place, flag = table, 0, ""  # flag: the one whose value comes next
    for word in words:
        if word == "=" and flag:  # bash takes --flag=value for three words
            continue
        if flag:
            flag = ""
        elif word.startswith("-") and word != "-":
            takes = command["flags"].get(word)
            flag = word if takes and takes[0] else ""
        elif word in command["commands"]:
            command, place = command["commands"][word], 0
        else:
            place += 1
    if flag:
        start = "" if start == "=" else start
        return [Candidate(value) for value in command["flags"][flag][2] if value.startswith(start)]
    name, given, value = start.partition("=")
    if given and name in command["flags"]:
        return [Candidate(f"{name}={one}") for one in command["flags"][name][2] if one.startswith(value)]
    if start.startswith("-"):
        flags = command["flags"].items()
        return [Candidate(name, words) for name, (_, words, _) in flags if name.startswith(start)]
    children = [Candidate(name, child["help"]) for name, child in command["commands"].items()]
    places = command["places"]
    values = [Candidate(one) for one in places[min(place, len(places) - 1)]] if places else []
    return [one for one in (*children, *values) if one.value.startswith(start)]


def _split(line: str) -> list[str]:
    """A shell's words, the last perhaps with a quote that is still open."""
    reader = shlex.shlex(line, posix=True)
    reader.whitespace_split, reader.commenters = True, ""
    words: list[str] = []
    try:
        words.extend(reader)
    except ValueError:
        words.append(reader.token)
    return words
