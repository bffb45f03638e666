"""The fields of a chat completion request. What is not named here is ignored, and told in a header of the answer."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeAlias, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .refusals import Refusal

Whole = Annotated[int, Field(strict=True, ge=-(2**63), lt=2**63)]
Count = Annotated[int, Field(strict=True, ge=1, lt=2**31)]
Flag = Annotated[bool, Field(strict=True)]
Text = Annotated[str, Field(strict=True)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Schema: TypeAlias = dict[str, Any]


class Part(BaseModel):
    """Text, or a picture: `image_url` is {"url": ...}, or the address alone."""

    type: Text
    text: Text | None = None
    refusal: Text | None = None
    image_url: dict[str, Any] | Text | None = None


class Turn(BaseModel):
    role: Literal["system", "developer", "user", "assistant"]
    content: Text | list[Part] | None = None
    tool_calls: list[Any] | None = None


class StreamOptions(BaseModel):
    include_usage: Flag | None = None


class JsonSchema(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    name: Text | None = None
    of: Schema | Flag = Field(alias="schema")


class ResponseFormat(BaseModel):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class StructuredOutputs(BaseModel):
    """vLLM's field, and two of our own: `dialect` with the `kinds` of actions that the reply may hold."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    of_json: Schema | Text | None = Field(None, alias="json")
    regex: Text | None = None
    choice: list[Text] | None = None
    grammar: Text | None = None
    json_object: Flag | None = None
    dialect: Text | None = None
    kinds: list[Text] | None = None


class ChatRequest(BaseModel):
    """Absent and null are the same everywhere."""

    model_config = ConfigDict(extra="allow")

    messages: list[Turn] = Field(min_length=1)
    model: Text | None = None
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    temperature: Annotated[Number, Field(ge=0, le=2)] | None = None
    top_p: Annotated[Number, Field(gt=0, le=1)] | None = None
    n: Whole | None = None
    seed: Whole | None = None
    stop: Text | Annotated[list[Text], Field(max_length=16)] | None = None
    stream: Flag | None = None
    stream_options: StreamOptions | None = None
    logprobs: Flag | None = None
    top_logprobs: Annotated[Whole, Field(ge=0)] | None = None
    response_format: ResponseFormat | None = None
    structured_outputs: StructuredOutputs | None = None
    guided_json: Schema | Text | None = None
    guided_regex: Text | None = None
    guided_choice: list[Text] | None = None
    guided_grammar: Text | None = None
    tools: list[Any] | None = None
    tool_choice: Any = None
    functions: list[Any] | None = None
    add_generation_prompt: Flag | None = None
    continue_final_message: Flag | None = None
    thinking_token_budget: Annotated[Whole, Field(ge=0)] | None = None

    @property
    def ignored(self) -> tuple[str, ...]:
        """Fields that were given and change nothing, as far as a header can tell them."""
        given = {name for name, value in (self.__pydantic_extra__ or {}).items() if value is not None}
        return tuple(sorted(name for name in given - _WITHOUT_EFFECT if _FIELD_NAME.fullmatch(name)))

    @property
    def has_grammar(self) -> bool:
        """Whether the reply is held to something."""
        guided = (self.guided_json, self.guided_regex, self.guided_choice, self.guided_grammar)
        return any(each is not None for each in (self.response_format, self.structured_outputs, *guided))

    @property
    def stops(self) -> tuple[str, ...]:
        """Refusal for one that is empty or very long."""
        texts = () if self.stop is None else (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)
        if any(not text or len(text) > LONGEST_STOP for text in texts):
            raise Refusal(400, f"a stop text has 1 to {LONGEST_STOP} characters", param="stop")
        return texts


LONGEST_STOP = 256
_FIELD_NAME = re.compile(r"[A-Za-z0-9_.-]{1,60}")
_WITHOUT_EFFECT = frozenset(("user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key"))


def read_request(fields: dict[str, Any], *, max_messages: int) -> ChatRequest:
    """Refusal 400, naming the field, for what is of another type or out of range, or asks for what is not done here."""
    told = fields.get("messages")
    if isinstance(told, list) and len(cast("list[object]", told)) > max_messages:
        raise Refusal(400, f"there are more than {max_messages} messages", param="messages")
    try:
        request = ChatRequest.model_validate(fields)
    except ValidationError as error:
        troubles = error.errors(include_url=False, include_context=False, include_input=False)
        trouble = max(troubles, key=lambda each: len(each["loc"]))  # a list with a bad item is a list, and no bad text
        place = ".".join(str(each)[:60] for each in trouble["loc"] if not _is_kind(each))
        param = str(trouble["loc"][0])[:60] if trouble["loc"] else None
        raise Refusal(400, f"{place}: {trouble['msg']}", param=param, code="invalid_value") from error
    if request.n not in (None, 1):
        raise Refusal(400, f"n must be 1, got {request.n}: ask several times, with different seeds", param="n")
    if (request.tools and request.tool_choice != "none") or request.functions:
        raise Refusal(
            400,
            "this model calls no tools: hold the reply to a schema with response_format, or to a dialect of actions "
            "with structured_outputs",
            param="tools" if request.tools else "functions",
        )
    for name in ("logit_bias", "audio"):
        if (request.__pydantic_extra__ or {}).get(name):
            raise Refusal(400, f"{name} is not done here, and the reply would be another one with it", param=name)
    return request


def _is_kind(each: int | str) -> bool:
    """Whether a step of pydantic's way to a value says which of a field's types was tried, and no place."""
    return isinstance(each, str) and (each in ("str", "bool") or "[" in each)
