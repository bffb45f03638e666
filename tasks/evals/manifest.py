"""What decides a run's predictions, as JSON: two runs with equal manifests write the same predictions.jsonl.

No times and no executor stand in it.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from typing import Any, cast

from .asker import AskerSource
from .sample import Suite

FORMAT = 1
SHOWN_CHARS = 60  # of a value in an error
ABSENT = object()


def manifest_of(suite: Suite, source: AskerSource, *, limit: int | None = None) -> dict[str, Any]:
    """Of a suite, cut to `limit` samples already, asked of this source."""
    return {
        "format": FORMAT,
        "suite": {
            "name": suite.name,
            "files": dict(suite.files),
            "convention": suite.convention,
            "samples": len(suite.samples),
            "skipped": list(suite.skipped),
            "limit": limit,
        },
        **source.manifest(),
    }


def differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """One entry a key that differs, in words: `model.dtype is "float32" there and "bfloat16" here`."""
    there, here = dict(_flat(found)), dict(_flat(wanted))
    return [
        f"{key} is {_shown(there, key)} there and {_shown(here, key)} here"
        for key in [*there, *(key for key in here if key not in there)]
        if there.get(key, ABSENT) != here.get(key, ABSENT)
    ]


def contradictions(manifest: Mapping[str, Any], facts: Mapping[str, Any]) -> list[str]:
    """What of a manifest a worker that has loaded the model finds otherwise."""
    planned = dict(_flat(manifest))
    return [
        f"{key} is {_shown(planned, key)} by the manifest and {json.dumps(value)} in the worker"
        for key, value in _flat(json.loads(json.dumps(facts)))
        if planned.get(key, ABSENT) != value
    ]


def _flat(told: Mapping[str, Any], prefix: str = "") -> Generator[tuple[str, Any]]:
    for key, value in told.items():
        if isinstance(value, dict) and value:
            yield from _flat(cast(dict[str, Any], value), f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _shown(values: Mapping[str, Any], key: str) -> str:
    if key not in values:
        return "not given"
    text = json.dumps(values[key])
    return text if len(text) <= SHOWN_CHARS else text[: SHOWN_CHARS - 3] + "..."
