"""The JSON Schema of a trajectory, made from the models: `python -m moonhand.agent.trajectory.schema` prints it.

`docs/trajectory.schema.json` is what it prints.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from ...envs import Action, Effect, Risk, Surroundings
from ..fingerprint import Fingerprint
from .record import Decided, Source, Variable
from .run_file import FORMAT, FORMAT_VERSION


class FrameLine(BaseModel):
    """A frame, whose picture is frames/SHA256.png or frames/SHA256.crop.png."""

    sha256: str = Field(pattern="^[0-9a-zA-Z]+$", description="of size and pixels")
    width_px: int = Field(ge=1)
    height_px: int = Field(ge=1)
    scale: float = Field(gt=0, description="screenshot px per CSS px or OS point")
    captured_at_s: float = Field(description="seconds since the epoch")
    capture_s: float = Field(description="how long the capture took")
    origin_pt: tuple[float, float] = Field((0.0, 0.0), description="left top corner among all monitors, OS points")


class Box(BaseModel):
    """A rectangle in px of the frame before the action."""

    left_px: float
    top_px: float
    width_px: float
    height_px: float


class Place(BaseModel):
    """A point in px of the frame before the action."""

    x_px: float
    y_px: float


class BeliefLine(BaseModel):
    """Where the model thought that the place might be."""

    box: Box = Field(description="the smallest that holds 90 %")
    expected: Place = Field(description="the mean place")
    entropy_bits: float
    region: Box | None = Field(None, description="what the model saw")


class RecordedLine(BaseModel):
    """What was recorded of a step before its place was healed."""

    action: Action
    reply: str | None = None
    thought: str | None = None
    confidence: float | None = None
    effect: Effect | None = None
    model_s: float = 0.0


class HealedLine(BaseModel):
    """How a replay found what was recorded elsewhere or otherwise, and what was recorded at first."""

    kind: str = Field(description="moved or changed")
    how: str = Field(description="what told that it is the same: pixels, hash, element, words, model or person")
    said: str
    recorded: RecordedLine


class StepLine(BaseModel):
    """A line of steps.jsonl."""

    index: int = Field(ge=0)
    turn: int = Field(ge=0, description="number of the reply that it belongs to")
    started_at_s: float = Field(description="seconds since the epoch")
    started_mono_s: float = Field(0.0, description="the same moment on a clock that is never set")
    instruction: str | None = Field(description="what the model was asked to find, or said it would do")
    reply: str | None = Field(description="the model's text, in the first step of its turn")
    thought: str | None
    action: Action | None = Field(description="what was performed, or was to be; px of `before`")
    action_01: dict[str, Any] | None = Field(None, description="the same with places and sizes in 0..1 of `before`")
    confidence: float | None = Field(ge=0, le=1)
    belief: BeliefLine | None = None
    error: str | None = Field(description="why a reply could not be read, or an action not be done")
    effect: Effect | None
    surroundings: Surroundings | None = None
    fingerprint: Fingerprint | None = None
    risks: list[Risk] = Field(default_factory=list[Risk])
    decision: Decided | None = None
    asked_s: float = Field(0.0, description="how long a person was waited for")
    healed: HealedLine | None = Field(None, description="all but the instruction and the times is of that replay then")
    model_s: float
    before: FrameLine
    after: FrameLine | None = Field(description="null where nothing was performed")


class ResultLine(BaseModel):
    """How a run ended."""

    status: str
    success: bool | None = Field(description="null until something checked it")
    steps: int = Field(ge=0)
    answer: str = ""
    error: str | None = None


class RunFile(BaseModel):
    """run.json."""

    format: Literal["moonhand-trajectory"]
    version: Literal[1]
    source: Source = Field("agent", description="who acted")
    goal: str
    status: str = Field(description="`running`, also of a run that was killed")
    started_at_s: float
    started_mono_s: float = 0.0
    ended_at_s: float | None = None
    seed: int | None = None
    prompt_sha256: str | None = None
    replay_of: str | None = Field(None, description="the folder that was replayed")
    imported_from: dict[str, Any] | None = None
    variables: dict[str, Variable] = Field(default_factory=dict[str, Variable])
    versions: dict[str, str]
    policy: dict[str, Any]
    config: dict[str, Any]
    env: dict[str, Any]
    result: ResultLine | None


def json_schema() -> dict[str, Any]:
    """Of run.json and of a line of steps.jsonl: `#/$defs/RunFile` and `#/$defs/StepLine`. Other keys may come along."""
    _, made = models_json_schema([(RunFile, "validation"), (StepLine, "validation")])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{FORMAT}, version {FORMAT_VERSION}",
        "description": "run.json is a RunFile, each line of steps.jsonl a StepLine.",
        "anyOf": [{"$ref": "#/$defs/RunFile"}, {"$ref": "#/$defs/StepLine"}],
        "$defs": made["$defs"],
    }


def schema_text() -> str:
    return json.dumps(json_schema(), indent=2) + "\n"


if __name__ == "__main__":
    print(schema_text(), end="")
