"""Whether something holds of a screen or of a variable, at once or in time."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast, runtime_checkable

from pydantic import JsonValue

from ...agent.expect import wait_until_seen
from ...envs import Env, EnvError, Wait
from .failures import StepFailed
from .tree import Condition
from .values import NoValue, Value, as_text, fill, fill_value, look_up

if TYPE_CHECKING:
    from ...model import Answering

EVERY_S = 0.1  # between two questions to a page


@dataclass(frozen=True)
class Verdict:
    """Whether it holds, with what was found in words."""

    holds: bool
    said: str
    how: Literal["model", "page"] | None = None
    confidence: float | None = None  # 0..1, of a model's look


@runtime_checkable
class Evaluating(Protocol):
    """A screen that can be asked about its own state."""

    def evaluate(self, js: str) -> Any: ...


def page_answer(env: Evaluating, js: str) -> JsonValue:
    """What the page says. EnvError where it fails, and for what JSON has not: NaN, a date, a value within itself."""
    try:
        answer = env.evaluate(js)
        json.dumps(answer, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise EnvError(f"the page's answer is no JSON value: {error}") from error
    return answer


def filled(condition: Condition, values: Mapping[str, Value]) -> Condition:
    """With its variables filled in. NoValue for an unknown one."""
    texts = {name: getattr(condition, name) for name in ("see", "url", "title", "js")}
    told: dict[str, Any] = {name: fill(text, values) for name, text in texts.items() if text is not None}
    return replace(condition, **told, equals=fill_value(condition.equals, values))


def verdict(
    condition: Condition,
    env: Env,
    engine: Answering,
    values: Mapping[str, Value],
    timeout_s: float,
    *,
    sure: float = 0.0,
) -> Verdict:
    """Look until it holds, for so long at most; once at least. StepFailed where the screen cannot tell.

    What a model points at with less confidence than `sure` is not seen; of what must be absent no more is asked.
    """
    condition = filled(condition, values)
    if condition.var is not None:
        return _of_variable(condition, values)
    if condition.see is not None:
        try:
            sighting = wait_until_seen(
                env,
                engine,
                condition.see,
                timeout_s=timeout_s,
                absent=condition.absent,
                by=condition.by,
                sure=0.0 if condition.absent else sure,
            )
        except ValueError as error:
            raise StepFailed(str(error), is_final=True) from error
        how = "page" if sighting.how == "page words" else "model"
        said = sighting.said
        if condition.absent and not sighting.found and how == "page":  # what the page shows instead is of no interest
            said = "as it should be, the page does not show these words"
        return Verdict(sighting.found is not condition.absent, said, how, sighting.confidence)
    deadline_s = time.monotonic() + timeout_s
    ask = _question(condition, env)
    while True:
        found = ask()
        left_s = deadline_s - time.monotonic()
        if found.holds or left_s <= 0:
            return found
        time.sleep(min(EVERY_S, left_s))


def in_words(condition: Condition) -> str:
    """What is looked for, in a few words."""
    if condition.see is not None:
        said = repr(condition.see)
    elif condition.js is not None or condition.var is not None:
        said = condition.js or f"the variable {condition.var}"
        said += f" equals {as_text(condition.equals)}" if condition.has_equals else ""
    else:
        said = f"url {condition.url}" if condition.url is not None else f"title {condition.title}"
    return f"no {said}" if condition.absent else said


def matches(pattern: str, text: str) -> bool:
    """A part of the text, or a /regular expression/ that is found in it."""
    if len(pattern) > 2 and pattern.startswith("/") and pattern.endswith("/"):
        return re.search(pattern[1:-1], text) is not None
    return pattern in text


def same_json(one: object, other: object) -> bool:
    """Equality as JSON has it: 1 equals 1.0 but not true, and the order of keys does not count."""
    if isinstance(one, dict) and isinstance(other, dict):
        left, right = cast(dict[str, object], one), cast(dict[str, object], other)
        return left.keys() == right.keys() and all(same_json(left[key], right[key]) for key in left)
    if isinstance(one, list) and isinstance(other, list):
        lefts, rights = cast(list[object], one), cast(list[object], other)
        return len(lefts) == len(rights) and all(map(same_json, lefts, rights))
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _question(condition: Condition, env: Env) -> Callable[[], Verdict]:
    js, absent = condition.js, condition.absent
    if js is None:
        name = "url" if condition.url is not None else "title"
        pattern = condition.url or condition.title or ""

        def ask_where() -> Verdict:
            told = env.surroundings(Wait(seconds_s=0))
            text = told.url if name == "url" else told.title
            if text is None:
                return Verdict(False, f"the screen does not tell its {name}")
            return Verdict(matches(pattern, text) is not absent, f"its {name} is {text!r}", "page")

        return ask_where
    if not isinstance(env, Evaluating):
        raise StepFailed(f"only a page answers JavaScript, and this is none: {js}", is_final=True)

    def ask_page() -> Verdict:
        try:
            found = page_answer(env, js)
        except EnvError as error:
            return Verdict(False, str(error), "page")
        holds = same_json(found, condition.equals) if condition.has_equals else bool(found)
        return Verdict(holds is not absent, f"it is {as_text(found) if found is not None else 'null'}", "page")

    return ask_page


def _of_variable(condition: Condition, values: Mapping[str, Value]) -> Verdict:
    """One that no step has set is empty. As text: "3" that was read off a page equals 3."""
    try:
        value = look_up(condition.var or "", values)
    except NoValue:
        value = None
    holds = bool(value)
    if condition.has_equals:
        holds = same_json(value, condition.equals) or as_text(value) == as_text(condition.equals)
    return Verdict(holds is not condition.absent, f"{condition.var} is {as_text(value)!r}")
