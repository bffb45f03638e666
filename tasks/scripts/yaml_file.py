"""YAML as values that know where they stand: every error about a file names its line and column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from ..errors import BadScript

Place = tuple[str | int, ...]  # the path to a value in the file: ("steps", 0, "click")
Mark = tuple[int, int]  # line and column, both from 1
OPENED = ("while parsing a flow ", "while scanning a quoted ")  # what PyYAML says of brackets and quotes
KEY = "\0key"  # ends the place of a key itself, whose value may stand on another line


@dataclass(frozen=True, eq=False)
class YamlFile:
    """A file's values, and the mark of each. `name` is what errors call it."""

    name: str
    data: object
    marks: Mapping[Place, Mark]

    def mark(self, place: Place) -> Mark:
        """Of the place, or of the nearest thing around it that the file has."""
        for length in range(len(place), -1, -1):
            if place[:length] in self.marks:
                return self.marks[place[:length]]
        return (1, 1)

    def error(self, place: Place, problem: str) -> BadScript:
        return BadScript(self.name, *self.mark(place), problem)


def read_text(path: Path) -> str:
    """BadScript where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadScript(str(path), 1, 1, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadScript(str(path), 1, 1, "is not UTF-8 text") from error


def read_yaml(text: str, name: str) -> YamlFile:
    """BadScript for what is not YAML, and for a key said twice or an alias, which YAML would let pass."""
    try:
        root, data = _compose(text)
        marks = {} if root is None else dict(_marks(root, ()))
    except yaml.MarkedYAMLError as error:
        raise _bad_yaml(name, error) from error
    except (yaml.YAMLError, ValueError) as error:  # an unprintable character; a date such as 2020-99-99
        raise BadScript(name, 1, 1, f"not YAML: {error}") from error
    except RecursionError as error:
        raise BadScript(name, 1, 1, "not a script: nested too deeply") from error
    return YamlFile(name, data, marks)


def _bad_yaml(name: str, error: yaml.MarkedYAMLError) -> BadScript:
    """Where it is wrong; of a bracket or a quote that is not closed on its line, where it was opened."""
    mark, begun, problem = error.problem_mark or error.context_mark, error.context_mark, error.problem or str(error)
    if mark is None:
        return BadScript(name, 1, 1, problem)
    context = str(error.context or "")
    if begun is not None and begun.line < mark.line and context.startswith(OPENED):
        what = context.removeprefix("while parsing a ").removeprefix("while scanning a ")
        problem = f"this {what} is not closed: {problem} (line {mark.line + 1}, column {mark.column + 1})"
        mark = begun
    return BadScript(name, mark.line + 1, mark.column + 1, problem)


def _compose(text: str) -> tuple[yaml.Node | None, object]:
    """The document as nodes, which know their places, and as values."""
    loader: Any = yaml.SafeLoader(text)
    while loader.check_event():
        event = loader.get_event()
        if isinstance(event, yaml.AliasEvent):  # a few lines of aliases can stand for gigabytes, or for themselves
            raise yaml.MarkedYAMLError(
                problem="aliases (*name) are not read: write it out", problem_mark=event.start_mark
            )
    loader = yaml.SafeLoader(text)
    root: yaml.Node | None = loader.get_single_node()
    return root, None if root is None else loader.construct_document(root)


def _marks(node: yaml.Node, place: Place) -> Iterator[tuple[Place, Mark]]:
    yield place, (node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key_node, value_node in cast(list[tuple[yaml.Node, yaml.Node]], node.value):
            key = str(cast(object, key_node.value))
            if key in seen:
                raise yaml.MarkedYAMLError(problem=f"{key!r} is said twice", problem_mark=key_node.start_mark)
            seen.add(key)
            yield (*place, key, KEY), (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            yield from _marks(value_node, (*place, key))
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(cast(list[yaml.Node], node.value)):
            yield from _marks(item, (*place, index))
