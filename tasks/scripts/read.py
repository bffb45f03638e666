"""Script files read: every error with its file, line and column, before anything is started."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from ...agent import BadGoal, parse_steps
from ...agent.steps import ScriptStep
from ..errors import BadRequest, BadScript
from ..sizes import parse_size
from .deeds import act_of, condition_of
from .document import (
    PLAIN,
    ConditionDocument,
    ExtractDocument,
    RepeatDocument,
    ScriptDocument,
    StepDocument,
)
from .tree import (
    LONGEST_LOOP,
    LOOKS,
    Act,
    Check,
    Deed,
    Do,
    Expect,
    Extract,
    If,
    Include,
    Node,
    Repeat,
    Script,
    Spot,
    Use,
)
from .values import Value, has_secret, names_in, read_rows
from .yaml_file import KEY, Place, YamlFile, read_text, read_yaml

ONLY_TYPED = "a secret stands for what is typed, and for nothing else: write it in the text of `type`"
INNER = ("then", "else", "steps")  # keys of a step that hold steps


def load_script(path: Path) -> Script:
    """Read a script file and all that it includes. BadScript names the file, line and column of whatever is wrong."""
    return _Reader((path.resolve(),)).read(read_text(path), str(path), path)


def parse_script(text: str, *, source: str = "script") -> Script:
    """Check a script's text; `source` is what errors call it. What it includes lies beside that."""
    return _Reader(()).read(text, source, Path(source))


class _Reader:
    """Reads one file. `chain` are the files that are being read, this one last."""

    def __init__(self, chain: tuple[Path, ...]) -> None:
        self._chain = chain
        self._problems: list[BadScript] = []

    def read(self, text: str, name: str, path: Path) -> Script:
        self._file, self._path = read_yaml(text, name), path
        data = self._file.data
        if not isinstance(data, dict):
            raise self._file.error((), "a script is a mapping with `steps:`, such as steps: [{click: Sign up}]")
        try:
            document = ScriptDocument.model_validate(data)
        except ValidationError as error:
            raise BadScript.of_all(list(_told(self._file, cast(dict[str, Any], data), error))) from error
        steps = self._steps(document.steps, ("steps",))
        script = Script(
            name=document.name or path.stem,
            path=path,
            steps=steps,
            sha256=hashlib.sha256(text.encode()).hexdigest(),
            url=document.url,
            viewport=None if document.viewport is None else parse_size(document.viewport),
            tags=tuple(document.tags),
            defaults=document.values,
            env=tuple(document.env),
            checks=tuple(Check(check.js, check.equals) for check in document.check),
            retries=document.retries,
            timeout_s=document.timeout_s,
            on_failure=document.on_failure,
            sure=document.sure,
            uses=tuple(self._uses(("url",), document.url)) + tuple(self._uses(("check",), data.get("check"))),
            spot=self._spot(("steps",)),
            spots={name: self._spot(("env", index)) for index, name in enumerate(document.env)}
            | {name: self._spot(("vars", name, KEY)) for name in document.values},
        )
        if self._problems:
            raise BadScript.of_all(self._problems)
        return script

    def _steps(self, documents: Sequence[StepDocument], place: Place) -> tuple[Node, ...]:
        nodes: list[Node] = []
        for index, document in enumerate(documents):
            try:
                nodes.extend(self._nodes(document, (*place, index)))
            except BadScript as error:
                self._problems.append(error)
        return tuple(nodes)

    def _nodes(self, document: StepDocument, place: Place) -> Iterator[Node]:
        (verb,) = document.said
        uses = tuple(self._uses(place, self._at(place)))
        if verb == PLAIN:
            for step in self._plain(str(document.plain), place):
                yield Node(deed=Act(step), spot=self._spot(place), uses=uses)
            return
        yield Node(
            deed=self._deed(document, verb, place),
            spot=self._spot(place),
            uses=uses,
            name=document.name,
            retries=document.retries,
            timeout_s=document.timeout_s,
            optional=document.optional,
            continue_on_error=document.continue_on_error,
            cached=document.cache,
            sure=document.sure,
        )

    def _deed(self, document: StepDocument, verb: str, place: Place) -> Deed:
        match document:
            case StepDocument(do=str(goal)):
                try:
                    plain = parse_steps(goal)
                except BadGoal:
                    return Do(goal)
                spot = self._spot(place)
                self._check_secrets(plain, place)
                return Do(goal, tuple(Node(deed=Act(step), spot=spot, cached=document.cache) for step in plain))
            case StepDocument(expect=ConditionDocument() as condition):
                return Expect(condition_of(condition))
            case StepDocument(extract=ExtractDocument() as asked):
                return Extract(name=asked.name, question=asked.question or "", of=asked.of, js=asked.js)
            case StepDocument(condition=ConditionDocument() as condition):
                then = self._steps(document.then or [], (*place, "then"))
                return If(condition_of(condition), then, self._steps(document.otherwise or [], (*place, "else")))
            case StepDocument(repeat=RepeatDocument() as repeat):
                return self._repeat(repeat, self._steps(document.steps or [], (*place, "steps")), place)
            case StepDocument(include=str(name)):
                return Include(self._included(name, (*place, "include")), document.values or {})
            case _:
                return Act(act_of(document))

    def _repeat(self, document: RepeatDocument, steps: tuple[Node, ...], place: Place) -> Repeat:
        rows: tuple[Value, ...] | str = ()
        if document.csv is not None:
            try:
                rows = tuple(read_rows(self._path.parent / document.csv))
            except BadRequest as error:
                raise self._file.error((*place, "repeat", "csv"), str(error)) from error
        elif document.rows is not None:
            rows = document.rows if isinstance(document.rows, str) else tuple(document.rows)
        if isinstance(rows, str) and "{{" not in rows:
            raise self._file.error((*place, "repeat", "in"), f"in: a list, or a variable such as '{{{{{rows}}}}}'")
        at_most = document.at_most or (LOOKS if document.until is not None else LONGEST_LOOP)
        if len(rows) > at_most and not isinstance(rows, str):
            raise self._file.error((*place, "repeat"), f"{len(rows)} rows, and at_most is {at_most}")
        return Repeat(
            steps=steps,
            times=document.times,
            until=None if document.until is None else condition_of(document.until),
            each=document.each,
            rows=rows,
            at_most=at_most,
        )

    def _included(self, name: str, place: Place) -> Script:
        path = self._path.parent / name
        resolved = path.resolve()
        if resolved in self._chain:
            circle = " -> ".join(each.name for each in (*self._chain[self._chain.index(resolved) :], resolved))
            raise self._file.error(place, f"include: {name} includes itself: {circle}")
        if not path.is_file():
            raise self._file.error(place, f"include: there is no file {path}")
        return _Reader((*self._chain, resolved)).read(read_text(path), str(path), path)

    def _plain(self, words: str, place: Place) -> tuple[ScriptStep, ...]:
        try:
            steps = parse_steps(words)
        except BadGoal as error:
            said = f"{error}; a goal in other words is a step of its own, `do:`"
            raise self._file.error(place, said) from error
        self._check_secrets(steps, place)
        return steps

    def _check_secrets(self, steps: Sequence[ScriptStep], place: Place) -> None:
        """Of plain words: only what is typed may name one."""
        for step in steps:
            if has_secret(getattr(step, "target", None) or getattr(step, "url", "")):
                raise self._file.error(place, ONLY_TYPED)

    def _uses(self, place: Place, value: object) -> Iterator[Use]:
        """The variables in the texts of a value, but in those of steps within it."""
        match value:
            case str():
                if has_secret(value) and not _types(place):
                    self._problems.append(self._file.error(place, ONLY_TYPED))
                for path in names_in(value):
                    yield Use(path, self._spot(place))
            case list():
                for index, each in enumerate(cast(list[object], value)):
                    yield from self._uses((*place, index), each)
            case dict():
                for key, each in cast(dict[str, object], value).items():
                    if key == "var" and isinstance(each, str):
                        yield Use(each, self._spot((*place, key)))
                    elif key not in INNER:
                        yield from self._uses((*place, key), each)
            case _:
                pass

    def _at(self, place: Place) -> object:
        value: Any = self._file.data
        for part in place:
            value = value[part]
        return value

    def _spot(self, place: Place) -> Spot:
        return Spot(self._file.name, *self._file.mark(place))


def _types(place: Place) -> bool:
    """Whether a text there is typed: by `type`, in plain words, or by an included script."""
    return place[-2:] == ("type", "text") or isinstance(place[-1], int) or place[-1] == "do" or "with" in place


def _told(file: YamlFile, data: Mapping[str, object], error: ValidationError) -> Iterator[BadScript]:
    for each in error.errors(include_url=False):
        place = tuple(part for part in each["loc"] if part != PLAIN)
        if place[:2] == ("check", 0) and not isinstance(data.get("check"), list):
            place = ("check", *place[2:])
        where = (*place, KEY) if each["type"] == "extra_forbidden" else place
        yield file.error(where, _in_words(place, each["type"], each["msg"]))


def _in_words(place: Place, kind: str, message: str) -> str:
    where = ".".join(str(part) for part in place)
    match kind:
        case "missing":
            return f"{where} is missing"
        case "extra_forbidden":
            return f"{where}: nothing here is called {str(place[-1])!r}"
        case "model_type":
            return f"{where}: should be a mapping"
        case "string_type":
            return f"{where}: should be text; put it in quotes"
        case _:
            return f"{where}: {message.removeprefix('Value error, ')}" if where else message
