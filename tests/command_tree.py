"""Every command with its flags and places, read off the app that runs them: for the reference and for completion."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from types import UnionType
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from typer.main import get_command


@dataclass(frozen=True)
class Flag:
    """An option as a person writes it."""

    names: tuple[str, ...]  # --json; both words of an on/off pair
    help: str
    values: tuple[str, ...]  # where only these are taken
    metavar: str | None  # what stands behind it; None: nothing does
    default: str | None
    envvar: str | None
    is_required: bool
    is_repeatable: bool


@dataclass(frozen=True)
class Place:
    """A word without dashes."""

    name: str
    help: str
    values: tuple[str, ...]
    is_required: bool
    is_repeatable: bool


@dataclass(frozen=True)
class Command:
    """One command, or a group of them."""

    words: tuple[str, ...]  # moonhand eval run
    help: str
    flags: tuple[Flag, ...]
    places: tuple[Place, ...]
    children: tuple[Command, ...]

    def walk(self) -> Iterator[Command]:
        """This one and all below it, each group before its own."""
        yield self
        for child in self.children:
            yield from child.walk()


def read_commands(app: typer.Typer, name: str = "moonhand") -> Command:
    """What `app` takes, in the order its help has; hidden commands and flags are left out."""
    return _command(get_command(app), (name,))


def _command(command: Any, words: tuple[str, ...]) -> Command:
    hints = {} if command.callback is None else typing.get_type_hints(command.callback)
    shown = [one for one in command.params if not getattr(one, "hidden", False)]
    children: Mapping[str, Any] = getattr(command, "commands", {})
    return Command(
        words,
        (command.help or "").strip(),
        tuple(_flag(one, hints.get(one.name)) for one in shown if one.param_type_name == "option"),
        tuple(_place(one, hints.get(one.name)) for one in shown if one.param_type_name == "argument"),
        tuple(_command(child, (*words, name)) for name, child in children.items() if not child.hidden),
    )


def _flag(option: Any, hint: Any) -> Flag:
    values = _literals(hint)
    default = option.default
    takes_none = bool(getattr(option, "is_flag", False))
    shows_default = bool(option.show_default) and isinstance(default, (str, int, float, PurePath)) and default != ""
    return Flag(
        (*option.opts, *option.secondary_opts),
        " ".join((option.help or "").split()),
        values,
        None if takes_none else option.metavar or "|".join(values) or _kind(hint),
        str(default) if shows_default and not isinstance(default, bool) else None,
        option.envvar,
        bool(option.required),
        bool(option.multiple),
    )


def _place(argument: Any, hint: Any) -> Place:
    name = str(argument.metavar or argument.name.upper()).strip("[]").removesuffix("...")
    words = " ".join((argument.help or "").split())
    return Place(name, words, _literals(hint), bool(argument.required), argument.nargs != 1)


def _literals(hint: Any) -> tuple[str, ...]:
    """The words of a Literal, wherever in an optional or a list it stands."""
    if get_origin(hint) is Literal:
        return tuple(map(str, get_args(hint)))
    return tuple(word for part in get_args(hint) for word in _literals(part)) if _is_wrapping(hint) else ()


def _kind(hint: Any) -> str:
    """What a value is where nobody named it: TEXT, N, PATH."""
    if _is_wrapping(hint):
        hint = next((part for part in get_args(hint) if part is not type(None)), str)
        return _kind(hint)
    if isinstance(hint, type) and issubclass(hint, PurePath):
        return "PATH"
    return "N" if hint in (int, float) else "TEXT"


def _is_wrapping(hint: Any) -> bool:
    return get_origin(hint) in (Annotated, UnionType, typing.Union, list)
