"""What is looked at before a recording is replayed, and the names of its variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from .console import OK, people, print_json
from .errors import BadRequest

if TYPE_CHECKING:
    from ..agent import Recording


def name_texts(recorded: Recording, names: list[str], as_json: bool) -> NoReturn:
    from ..agent.replay import name_variable

    told: dict[str, Any] = {}
    taken = {name: variable.step + 1 for name, variable in recorded.variables.items()}
    for one in names:
        number, name = pair(one, "--name", "STEP=NAME such as 3=email")
        if not number.isdecimal() or int(number) < 1:
            raise BadRequest(f"--name {one}: give the step by its number, as in 3=email")
        if taken.setdefault(name, int(number)) != int(number):
            raise BadRequest(f"--name {one}: {name} is the text of step {taken[name]} already: take another name")
        try:
            variable = name_variable(recorded, name, int(number) - 1)
        except ValueError as error:
            raise BadRequest(f"--name {one}: {error}") from error
        told[name] = asdict(variable)
        people().print(
            f"{name}: the text of step {number}, {variable.default!r} unless --set {name}=TEXT says otherwise",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    if as_json:
        print_json({"variables": told})
    raise typer.Exit(OK)


def check_whole(recorded: Recording) -> None:
    """TrajectoryError where steps or pictures are missing: the rest, done alone, may do what nobody has shown."""
    from ..agent import TrajectoryError

    if recorded.problems:
        raise TrajectoryError(
            f"the recording is damaged: {recorded.problems[0]}: `moonhand traj check {recorded.path}` says more, and "
            "--damaged replays what can be read"
        )


def check_secrets(recorded: Recording, given: Mapping[str, str]) -> None:
    """BadRequest where a secret that will be typed has no value here."""
    from ..envs import TypeText, UnsupportedAction, find_secret
    from ..envs.secrets import Secrets

    texts = [step.action.text for step in recorded.steps if isinstance(step.action, TypeText)]
    try:
        Secrets(find_secret).fill("\n".join([*texts, *given.values()]))
    except UnsupportedAction as error:
        raise BadRequest(f"the recording types a secret: {error}") from error


def check_values(recorded: Recording, given: Mapping[str, str]) -> None:
    """BadRequest for a variable that the recording does not have."""
    from ..agent.replay import values_of

    try:
        values_of(recorded, given)
    except ValueError as error:
        raise BadRequest(f"--set: {error}") from error


def pair(text: str, flag: str, form: str = "NAME=TEXT") -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name.strip() or not equals:
        raise BadRequest(f"{flag} {text!r} is not {form}")
    return name.strip(), value
