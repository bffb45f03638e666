"""The JSON Schema of a script file, made from the models: `python -m moonhand.tasks.scripts.schema` prints it.

`docs/script.schema.json` is what it prints.
"""

from __future__ import annotations

import json
from typing import Any

from .document import PLAIN, VERBS, ScriptDocument

WORDS = {"type": "string", "minLength": 1}


def json_schema() -> dict[str, Any]:
    """In the dialect that editors read. What only a reader can know, such as unknown variables, is not in it."""
    schema = ScriptDocument.model_json_schema(by_alias=True)
    models: dict[str, dict[str, Any]] = schema["$defs"]
    step = models["StepDocument"]
    del step["properties"][PLAIN]
    step["oneOf"] = [{"required": [verb]} for verb in VERBS]
    step["dependentRequired"] = {
        "then": ["if"],
        "else": ["if"],
        "if": ["then"],
        "steps": ["repeat"],
        "repeat": ["steps"],
        "with": ["include"],
    }
    plain = WORDS | {"description": "A step in plain words, such as: click Sign up"}
    models["Step"] = {"anyOf": [plain, {"$ref": "#/$defs/StepDocument"}]}
    models["Condition"] = {
        "anyOf": [WORDS | {"description": "Words to be seen."}, {"$ref": "#/$defs/ConditionDocument"}]
    }
    check = schema["properties"]["check"]
    schema["properties"]["check"] = {
        "description": check["description"],
        "anyOf": [check["items"], {"type": "array", "items": check["items"]}],
    }
    told = _referring(_without_nulls(schema), {"StepDocument": "Step", "ConditionDocument": "Condition"})
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | told | {"title": "moonhand script"}


def schema_text() -> str:
    return json.dumps(json_schema(), indent=2) + "\n"


def _without_nulls(value: Any) -> Any:
    """What may be left out need not be null too."""
    if isinstance(value, list):
        return [_without_nulls(each) for each in value]
    if not isinstance(value, dict):
        return value
    told = {name: _without_nulls(each) for name, each in value.items()}
    kinds = told.get("anyOf")
    if isinstance(kinds, list) and {"type": "null"} in kinds:
        kinds = [kind for kind in kinds if kind != {"type": "null"}]
        told = {name: each for name, each in told.items() if name not in ("anyOf", "default")}
        told |= kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    if told.get("default", 0) is None:
        del told["default"]
    return told


def _referring(value: Any, instead: dict[str, str]) -> Any:
    """With other models in place of some, but where those themselves refer to them."""
    if isinstance(value, list):
        return [_referring(each, instead) for each in value]
    if not isinstance(value, dict):
        return value
    told: dict[str, Any] = {}
    for name, each in value.items():
        if name == "$ref" and (model := each.rpartition("/")[2]) in instead:
            told[name] = f"#/$defs/{instead[model]}"
        elif name in instead.values() and isinstance(each, dict) and "anyOf" in each:
            told[name] = each
        else:
            told[name] = _referring(each, instead)
    return told


if __name__ == "__main__":
    print(schema_text(), end="")
