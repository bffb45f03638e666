"""Steps of a script in words, for tables and reports."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from ...agent import describe_step
from .conditions import filled, in_words
from .outcome import StepResult
from .tree import Act, Condition, Do, Expect, Extract, If, Include, Node, Repeat
from .values import NoValue, Value, fill_fields, shortened

LONGEST_JS = 80  # characters of an expression; the script has it whole


def not_begun(node: Node, scope: Mapping[str, Value], number: str, depth: int, first: int) -> StepResult:
    """Of a step that has not begun."""
    return StepResult(
        number=number,
        depth=depth,
        verb=verb_of(node),
        said=node.name or node_in_words(node, scope),
        name=node.name,
        spot=node.spot,
        first=first,
    )


def verb_of(node: Node) -> str:
    """One word."""
    match node.deed:
        case Act(step=step):
            return describe_step(step).partition(" ")[0]
        case deed:
            return type(deed).__name__.lower()


def node_in_words(node: Node, scope: Mapping[str, Value]) -> str:
    """The step in one line, with its variables as far as they are known."""
    with suppress(NoValue):
        match node.deed:
            case Act(step=step):
                return describe_step(fill_fields(step, scope))
            case Expect(condition=condition):
                return f"expect {in_words(filled(condition, scope))}"
            case If(condition=condition):
                return f"if {in_words(filled(condition, scope))}"
            case _:
                pass
    match node.deed:
        case Act(step=step):
            return describe_step(step)
        case Do(goal=goal):
            return f"do {goal}"
        case Expect(condition=condition) | If(condition=condition):
            return f"{verb_of(node)} {in_words(condition)}"
        case Extract() as asked:
            source = asked.of or (shortened(asked.js, LONGEST_JS) if asked.js else repr(asked.question))
            return f"extract {asked.name} from {source}"
        case Repeat(until=Condition() as until):
            return f"repeat until {in_words(until)}"
        case Repeat(each=str(each)) as repeat:
            return f"repeat for each {each}" + (f" of {len(repeat.rows)}" if repeat.rows else "")
        case Repeat(times=times):
            return f"repeat {times} times"
        case Include(script=script):
            return f"include {script.path.name}"
