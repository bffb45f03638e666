"""What a script file says, checked: its steps as a tree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import JsonValue

from ...agent.steps import ScriptStep
from ...envs import Size
from .values import Value

OnFailure = Literal["screenshot", "none"]
LONGEST_LOOP = 1000  # rounds, whatever a script says
LOOKS = 20  # rounds of `until`, unless the script says otherwise
EXPECT_S = 10.0  # how long an `expect` waits, unless it says otherwise


@dataclass(frozen=True)
class Spot:
    """Where something stands in a file; line and column from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Use:
    """A variable's name where a text of the script uses it."""

    path: str
    spot: Spot


@dataclass(frozen=True)
class Check:
    """Something the page itself must say once the steps are done: the value of a JavaScript expression."""

    js: str
    equals: JsonValue


@dataclass(frozen=True, kw_only=True)
class Condition:
    """Something that holds or does not; one of `see`, `url`, `title`, `js` and `var` is there."""

    see: str | None = None
    by: Literal["words", "model", "any"] = "any"  # what tells whether `see` is seen
    url: str | None = None  # in the address: a part of it, or /a regular expression/
    title: str | None = None  # the same of the page's title, or the window's
    js: str | None = None
    var: str | None = None
    equals: JsonValue = None
    has_equals: bool = False  # else what `js` or `var` is must be true, or not empty
    absent: bool = False  # it must not hold
    timeout_s: float | None = None  # how long it is waited for; None: as the step has it


@dataclass(frozen=True)
class Act:
    """Something done to the screen."""

    step: ScriptStep


@dataclass(frozen=True)
class Do:
    """A goal for a model that plans; `acts` where its words are plain steps, which any model finds."""

    goal: str
    acts: tuple[Node, ...] = ()


@dataclass(frozen=True)
class Expect:
    condition: Condition


@dataclass(frozen=True, kw_only=True)
class Extract:
    """Read something off the screen into a variable."""

    name: str
    question: str = ""
    of: str | None = None
    js: str | None = None


@dataclass(frozen=True)
class If:
    condition: Condition
    then: tuple[Node, ...]
    otherwise: tuple[Node, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Repeat:
    """One of `times`, `until` and `each` is there. Never more rounds than `at_most`."""

    steps: tuple[Node, ...]
    times: int | str | None = None  # a text holds variables
    until: Condition | None = None  # looked at before each round
    each: str | None = None  # the variable that holds the row
    rows: tuple[Value, ...] | str = ()  # a text names a variable that holds them
    at_most: int


@dataclass(frozen=True)
class Include:
    """Another script, with values of its own variables."""

    script: Script
    values: Mapping[str, Value] = field(default_factory=dict[str, Value])


Deed = Act | Do | Expect | Extract | If | Repeat | Include


@dataclass(frozen=True, kw_only=True)
class Node:
    """A step of a script, and how it is carried out."""

    deed: Deed
    spot: Spot
    uses: tuple[Use, ...] = ()  # of its own texts, without those of steps within it
    name: str | None = None
    retries: int = 0  # further tries
    timeout_s: float | None = None  # for all tries together
    optional: bool = False  # a failure is told, and does not count
    continue_on_error: bool = False  # the steps after it are carried out, and the script has failed
    cached: bool = True
    sure: float | None = None  # 0..1: what is found with less confidence is not touched; None: as what is around it

    @property
    def inner(self) -> tuple[Node, ...]:
        """Steps within it, those of an included script too."""
        match self.deed:
            case If(then=then, otherwise=otherwise):
                return (*then, *otherwise)
            case Repeat(steps=steps):
                return steps
            case Include(script=script):
                return script.steps
            case Do(acts=acts):
                return acts
            case _:
                return ()


@dataclass(frozen=True, kw_only=True)
class Script:
    """A script file. `defaults` are its own variables, null where a value must be given."""

    name: str
    path: Path
    steps: tuple[Node, ...]
    sha256: str = ""  # of the file
    url: str | None = None
    viewport: Size | None = None
    tags: tuple[str, ...] = ()
    defaults: Mapping[str, Value] = field(default_factory=dict[str, Value])
    env: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    retries: int = 0
    timeout_s: float | None = None
    on_failure: OnFailure = "screenshot"
    sure: float | None = None  # of its steps
    uses: tuple[Use, ...] = ()  # of all but its steps
    spot: Spot = Spot("script", 1, 1)
    spots: Mapping[str, Spot] = field(default_factory=dict[str, Spot])  # of its variables, by name

    @property
    def nodes(self) -> Iterator[Node]:
        """All steps, those within others after them."""
        return _within(self.steps)

    @property
    def acts(self) -> tuple[ScriptStep, ...]:
        """What it does to the screen, each once, wherever it stands."""
        return tuple(node.deed.step for node in self.nodes if isinstance(node.deed, Act))


def _within(nodes: tuple[Node, ...]) -> Iterator[Node]:
    for node in nodes:
        yield node
        yield from _within(node.inner)
