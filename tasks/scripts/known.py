"""Whether every variable of a script is known, and every secret there, before anything is started."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pydantic import JsonValue

from ...envs import UnsupportedAction, find_secret
from ...envs.secrets import Secrets
from ..errors import BadRequest, BadScript
from .tree import Act, Do, Extract, If, Include, Node, Repeat, Script, Spot, Use
from .values import PATH, NoValue, Value, fill_value, from_environment

Known = dict[str, frozenset[str] | None]  # a name -> the names within it; None: whatever it has
ROUND = "round"  # the number of the round of a `repeat`, from 1


def first_values(script: Script, given: Mapping[str, Value], *, is_run: bool = True) -> dict[str, Value]:
    """What its variables stand for at its start: what is given, else the environment, else its own defaults.

    BadScript for all that is wrong with names: unknown ones, those without a value, secrets that are nowhere. Where it
    is not to be run but only read, the environment, its secrets and required values may lack.
    """
    problems: list[BadScript] = []
    try:
        values = resolved(script, given)
    except NoValue as error:
        raise _problem(script.spot, f"vars: {error}") from error
    for name, value in values.items():
        if value is None and is_run:
            way = f"set {name} in the environment" if name in script.env else f"give --var {name}=VALUE"
            problems.append(_problem(script.spots.get(name, script.spot), f"{name} has no value: {way}"))
    values |= {name: value for name, value in given.items() if name not in values}
    known = known_of(values)
    problems += _of_uses(script.uses, known)
    problems += _of_steps(script.steps, known, is_run=is_run)
    if is_run and not problems:
        problems += _of_secrets(script, [text for text in given.values() if isinstance(text, str)])
    if problems:
        raise BadScript.of_all(problems)
    return values


def resolved(script: Script, given: Mapping[str, Value]) -> dict[str, Value]:
    """The script's own variables: as given, else from the environment, else by default; null: nobody says.

    NoValue where a default names one that does not come before it.
    """
    environment = from_environment(script.env)
    values: dict[str, Value] = {}
    for name in (*script.defaults, *(name for name in script.env if name not in script.defaults)):
        default = script.defaults.get(name)
        if name in given:
            values[name] = given[name]
        else:
            values[name] = environment[name] if name in environment else fill_value(default, values)
    return values


def check_given(scripts: Sequence[Script], given: Iterable[str]) -> None:
    """BadRequest for the name of a --var that none of the scripts has. A file of values may serve others too."""
    names = {name for script in scripts for name in (*script.defaults, *script.env)}
    for script in scripts:
        names |= {
            use.path.partition(".")[0] for use in (*script.uses, *(use for each in script.nodes for use in each.uses))
        }
    for name in given:
        if name not in names:
            known = ", ".join(sorted(names)) or "none"
            raise BadRequest(f"--var {name}: no script has a variable of that name; there are: {known}")


def known_of(values: Mapping[str, Value]) -> Known:
    return {name: frozenset(value) if isinstance(value, dict) else None for name, value in values.items()}


def _of_steps(nodes: Sequence[Node], known: Known, *, is_run: bool) -> Iterator[BadScript]:
    """Reads the steps in their order; `known` grows by what they extract."""
    for node in nodes:
        yield from _of_uses(node.uses, known)
        match node.deed:
            case Extract(name=name):
                known[name] = None
            case If(then=then, otherwise=otherwise):
                yield from _of_steps(then, known, is_run=is_run)
                yield from _of_steps(otherwise, known, is_run=is_run)
            case Repeat() as repeat:
                inner = known | {ROUND: None} | _row(repeat, known)
                yield from _of_steps(repeat.steps, inner, is_run=is_run)
                known |= {name: each for name, each in inner.items() if name not in (ROUND, repeat.each)}
            case Include(script=script, values=values):
                inner = known_of(dict(script.defaults) | dict.fromkeys(script.env))
                for name in values:
                    if name not in inner and not _uses_name(script, name):
                        yield _problem(node.spot, f"with: {script.path.name} has no variable {name!r}")
                inner |= dict.fromkeys(values)
                required = [name for name, default in script.defaults.items() if default is None]
                required += [name for name in script.env if name not in script.defaults]
                for name in required if is_run else ():
                    if name not in values and name not in from_environment(script.env):
                        yield _problem(node.spot, f"{script.path.name} needs a value for {name}: give it in `with:`")
                before = set(inner)
                yield from _of_uses(script.uses, inner)
                yield from _of_steps(script.steps, inner, is_run=is_run)
                known |= {name: each for name, each in inner.items() if name not in before}
            case _:
                pass


def _row(repeat: Repeat, known: Known) -> Known:
    """What a round has in its row: the columns that all rows have."""
    if repeat.each is None:
        return {}
    if isinstance(repeat.rows, str):
        return {repeat.each: None}
    columns = [frozenset(row) if isinstance(row, dict) else None for row in repeat.rows]
    whole: list[frozenset[str]] = [each for each in columns if each is not None]
    return {repeat.each: frozenset.intersection(*whole) if whole and len(whole) == len(columns) else None}


def _of_uses(uses: Sequence[Use], known: Known) -> Iterator[BadScript]:
    for use in uses:
        name, _, inner = use.path.partition(".")
        if PATH.fullmatch(use.path) is None:
            yield _problem(use.spot, f"{use.path!r} is not the name of a variable: letters, digits and _")
        elif name not in known:
            names = ", ".join(sorted(known)) or "none"
            yield _problem(
                use.spot, f"there is no variable {name!r} here (there are: {names}): --var {name}=VALUE gives one"
            )
        elif inner and (parts := known[name]) is not None and inner.partition(".")[0] not in parts:
            yield _problem(use.spot, f"{name!r} has no {inner.partition('.')[0]!r}; it has {', '.join(sorted(parts))}")


def _of_secrets(script: Script, given: Sequence[str]) -> Iterator[BadScript]:
    secrets = Secrets(find_secret)
    texts: list[tuple[str, Spot]] = [(text, script.spot) for text in (*given, *_texts(dict(script.defaults)))]
    for node in script.nodes:
        match node.deed:
            case Act(step=step):
                texts.append((getattr(step, "text", ""), node.spot))
            case Include(values=values):
                texts += [(text, node.spot) for text in _texts(dict(values))]
            case _:
                pass
    for text, spot in texts:
        try:
            secrets.fill(text)
        except UnsupportedAction as error:
            yield _problem(spot, str(error))


def _texts(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


def _uses_name(script: Script, name: str) -> bool:
    uses = (*script.uses, *(use for node in script.steps for use in _all_uses(node)))
    return any(use.path.partition(".")[0] == name for use in uses)


def _all_uses(node: Node) -> Iterator[Use]:
    """Of a step and those within it, but not of an included script, which has names of its own."""
    yield from node.uses
    if not isinstance(node.deed, Include | Do):
        for each in node.inner:
            yield from _all_uses(each)


def _problem(spot: Spot, problem: str) -> BadScript:
    return BadScript(spot.file, spot.line, spot.column, problem)
