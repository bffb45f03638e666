"""The form of a script file: what YAML may say, as models that editors are told of too."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    field_validator,
    model_validator,
)

from ...agent.named import checked_name
from ...envs import PressKeys
from ..sizes import parse_size
from .tree import LONGEST_LOOP, OnFailure
from .values import NAME

PLAIN = "\0plain"  # a step in plain words, which YAML has as a text and not as a key
VERBS = (
    "click",
    "double_click",
    "right_click",
    "tick",
    "hover",
    "type",
    "key",
    "scroll",
    "wait",
    "navigate",
    "back",
    "do",
    "expect",
    "extract",
    "if",
    "repeat",
    "include",
)
COMPANIONS = {"then": "if", "else": "if", "steps": "repeat", "with": "include"}
UNCACHED = ("key", "wait", "navigate", "back", "expect")
UNFOUND = ("key", "wait", "navigate", "back")
Words = Annotated[str, Field(min_length=1)]
Thing = Annotated[str, Field(min_length=1, json_schema_extra={"pattern": r"\S"}), AfterValidator(checked_name)]


class Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=False)


class TypingDocument(Document):
    """Type a text."""

    text: str = Field(description="What is typed; {{secret:NAME}} types a secret.")
    into: Thing | None = Field(None, description="The field, in words; without it, what has the focus.")
    clear: bool = Field(False, description="Empty the field first.")
    submit: bool = Field(False, description="Press Enter afterwards.")


class ScrollingDocument(Document):
    """Turn the wheel, in notches."""

    dx: float = Field(0.0, description="To the right.")
    dy: float = Field(0.0, description="Down.")
    over: Thing | None = Field(None, description="Over what; without it, the middle of the screen.")


class ConditionDocument(Document):
    """Something that holds or does not: one of see, url, title, js and var."""

    see: Thing | None = Field(None, description="Words that the page shows, or a thing that the model sees.")
    by: Literal["words", "model", "any"] = Field("any", description="What tells whether it is seen.")
    url: Words | None = Field(None, description="A part of the address, or /a regular expression/.")
    title: Words | None = Field(None, description="A part of the title, or /a regular expression/.")
    js: Words | None = Field(None, description="A JavaScript expression, asked of the page.")
    var: Words | None = Field(None, description="The name of a variable.")
    equals: JsonValue = Field(None, description="What js or var must be; without it, true or not empty.")
    absent: bool = Field(False, description="It must not hold.")
    timeout_s: float | None = Field(None, ge=0, le=86400, description="How long it is waited for, in seconds.")

    @model_validator(mode="before")
    @classmethod
    def _words_are_seen(cls, said: object) -> object:
        return {"see": said} if isinstance(said, str) else said

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        said = [name for name in ("see", "url", "title", "js", "var") if getattr(self, name) is not None]
        if len(said) != 1:
            raise ValueError(f"a condition has one of: see, url, title, js, var; this one has {_and(said)}")
        if "equals" in self.model_fields_set and said[0] not in ("js", "var"):
            raise ValueError("`equals` goes with js or var")
        if "by" in self.model_fields_set and said[0] != "see":
            raise ValueError("`by` goes with see")
        for text in (self.url, self.title):
            if text is not None and len(text) > 2 and text.startswith("/") and text.endswith("/"):
                try:
                    re.compile(text[1:-1])
                except re.error as error:
                    raise ValueError(f"{text} is not a regular expression: {error}") from error
        return self


class ExtractDocument(Document):
    """Read something off the screen into a variable: of, js or a question for the model."""

    name: str = Field(alias="as", pattern=rf"^{NAME.pattern}$", description="The variable.")
    question: Words | None = Field(None, description="A question about the screen, for a model that answers.")
    of: Thing | None = Field(None, description="A thing, in words, whose value or text is read.")
    js: Words | None = Field(None, description="A JavaScript expression, asked of the page.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.js is not None) == (self.question is not None or self.of is not None):
            raise ValueError("`extract` has one of: question, of, js (question and of may go together)")
        return self


class RepeatDocument(Document):
    """Carry out `steps` again and again: times, until, or each."""

    times: int | str | None = Field(None, description="How often; a text such as '{{n}}' names a variable.")
    until: ConditionDocument | None = Field(None, description="Looked at before each round.")
    each: str | None = Field(None, pattern=rf"^{NAME.pattern}$", description="The variable that holds the row.")
    rows: list[JsonValue] | str | None = Field(None, alias="in", description="The rows, or '{{name}}' of a variable.")
    csv: Words | None = Field(None, description="A CSV file with a header, beside the script.")
    at_most: int | None = Field(None, ge=1, le=LONGEST_LOOP, description="Rounds; more are an error.")

    @field_validator("times")
    @classmethod
    def _is_a_number(cls, times: int | str | None) -> int | str | None:
        if isinstance(times, int) and not 0 <= times <= LONGEST_LOOP:
            raise ValueError(f"times is from 0 to {LONGEST_LOOP}, got {times}")
        if isinstance(times, str) and "{{" not in times:
            raise ValueError(f"times is a number or a variable such as '{{{{n}}}}', got {times!r}")
        return times

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        said = [name for name in ("times", "until", "each") if getattr(self, name) is not None]
        if len(said) != 1:
            raise ValueError(f"`repeat` has one of: times, until, each; this one has {_and(said)}")
        num_sources = (self.rows is not None) + (self.csv is not None)
        if num_sources != (1 if self.each is not None else 0):
            raise ValueError("`each` needs one of: in, csv, and nothing else has them")
        return self


class StepDocument(Document):
    """One step: a verb, and how it is carried out. Or a text: plain words, such as click Sign up."""

    click: Thing | None = Field(None, description="Find it and click it.")
    double_click: Thing | None = Field(None, description="Find it and click it twice.")
    right_click: Thing | None = Field(None, description="Find it and click it with the right button.")
    tick: Thing | None = Field(None, description="Find the check box and click it.")
    hover: Thing | None = Field(None, description="Find it and rest the pointer on it.")
    type: TypingDocument | None = None
    key: Words | None = Field(None, description="A key or chord, such as enter or ctrl+a.")
    scroll: ScrollingDocument | None = None
    wait: float | None = Field(None, ge=0, le=600, description="Seconds.")
    navigate: Words | None = Field(None, description="An address to go to.")
    back: Literal[True] | None = Field(None, description="Go back to the earlier page.")
    do: Words | None = Field(None, description="A goal, for a model that plans; or plain steps.")
    expect: ConditionDocument | None = Field(None, description="What must hold; it is waited for.")
    extract: ExtractDocument | None = None
    condition: ConditionDocument | None = Field(None, alias="if", description="Carry out `then`, or `else`.")
    then: list[StepDocument] | None = Field(None, description="Steps where `if` holds.")
    otherwise: list[StepDocument] | None = Field(None, alias="else", description="Steps where `if` does not hold.")
    repeat: RepeatDocument | None = None
    steps: list[StepDocument] | None = Field(None, description="The steps of `repeat`.")
    include: Words | None = Field(None, description="Another script, beside this one.")
    values: dict[str, JsonValue] | None = Field(None, alias="with", description="Variables of the included script.")
    plain: Words | None = Field(None, alias=PLAIN)

    name: Words | None = Field(None, description="What reports call it.")
    retries: int = Field(0, ge=0, le=100, description="Further tries where it fails.")
    timeout_s: float | None = Field(None, gt=0, le=86400, description="For all tries together, in seconds.")
    optional: bool = Field(False, description="A failure is told, and does not count.")
    continue_on_error: bool = Field(False, description="Go on after a failure; the script has failed all the same.")
    cache: bool = Field(True, description="Remember where it was found.")
    sure: float | None = Field(None, ge=0, le=1, description="Fail where the model finds it with less confidence.")

    @model_validator(mode="before")
    @classmethod
    def _texts_are_plain_words(cls, said: object) -> object:
        return {PLAIN: said} if isinstance(said, str) else said

    @model_validator(mode="after")
    def _one_verb(self) -> Self:
        said = self.said
        if not said and (empty := [name for name in VERBS if _field_of(name) in self.model_fields_set]):
            raise ValueError(f"{_and(empty)}: nothing is said behind it")
        if len(said) != 1:
            raise ValueError(f"a step has one of: {', '.join(VERBS)}; this one has {_and(said)}")
        for companion, verb in COMPANIONS.items():
            has_it = getattr(self, _field_of(companion)) is not None
            if has_it and said[0] != verb:
                raise ValueError(f"`{companion}` goes with `{verb}`, and this is `{said[0]}`")
            if not has_it and companion in ("then", "steps") and said[0] == verb:
                raise ValueError(f"`{verb}` needs `{companion}`: a list of steps")
        if said[0] in UNCACHED and "cache" in self.model_fields_set:
            raise ValueError(f"`cache` goes with what is found in the pixels, and `{said[0]}` is not")
        if said[0] in UNFOUND and self.sure is not None:
            raise ValueError(f"`sure` goes with what a model finds, and `{said[0]}` finds nothing")
        return self

    @property
    def said(self) -> list[str]:
        """Its verbs, which should be one."""
        return [verb for verb in (*VERBS, PLAIN) if getattr(self, _field_of(verb)) is not None]

    @field_validator("key")
    @classmethod
    def _known_keys(cls, key: str | None) -> str | None:
        if key is not None and "{{" not in key:
            chord(key)
        return key


class CheckDocument(Document):
    """What the page itself must say in the end."""

    js: Words = Field(description="A JavaScript expression.")
    equals: JsonValue = Field(description="Its value, as JSON.")


class ScriptDocument(Document):
    """A script: what to do on a screen, step by step, and what must be true of the page afterwards."""

    url: str | None = Field(None, description="The page; --url wins over it.")
    viewport: str | None = Field(None, description="WIDTHxHEIGHT in CSS px; --viewport wins over it.")
    name: Words | None = Field(None, description="What reports call it; without it, the file's name.")
    tags: list[Words] = Field(default_factory=list[str], description="For --tag.")
    values: dict[str, JsonValue] = Field(
        default_factory=dict[str, JsonValue], alias="vars", description="Variables; null: one must be given."
    )
    env: list[Words] = Field(default_factory=list[str], description="Variables taken from the environment.")
    steps: list[StepDocument] = Field(min_length=1)
    check: list[CheckDocument] = Field(default_factory=list[CheckDocument], description="Asked of the page in the end.")
    retries: int = Field(0, ge=0, le=20, description="Further tries of the whole script, each on a fresh page.")
    timeout_s: float | None = Field(None, gt=0, le=86400, description="For one try of the whole script, in seconds.")
    on_failure: OnFailure = Field("screenshot", description="What is kept of a step that failed.")
    sure: float | None = Field(
        None, ge=0, le=1, description="Fail where the model finds a thing with less confidence; --sure wins over it."
    )

    @field_validator("check", mode="before")
    @classmethod
    def _one_or_many(cls, check: object) -> object:
        return cast(list[object], check) if isinstance(check, list) else [check]

    @field_validator("values", "env")
    @classmethod
    def _are_names(cls, names: Any) -> Any:
        for name in names:
            if NAME.fullmatch(name) is None:
                raise ValueError(f"{name!r} cannot name a variable: letters, digits and _, not beginning with a digit")
        return names

    @field_validator("viewport")
    @classmethod
    def _is_a_size(cls, viewport: str | None) -> str | None:
        if viewport is not None:
            parse_size(viewport)
        return viewport


def chord(said: str) -> tuple[str, ...]:
    """'ctrl+a' as the keys of a chord; '+' alone is the plus key. ValueError for a key there is not."""
    keys = (said,) if len(said) == 1 else tuple(key.strip() for key in said.split("+"))
    try:
        return PressKeys(keys=keys).keys
    except ValidationError as error:
        raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from error


def _field_of(key: str) -> str:
    return {"if": "condition", "else": "otherwise", "with": "values", PLAIN: "plain"}.get(key, key)


def _and(said: list[str]) -> str:
    return " and ".join(said) or "none"
