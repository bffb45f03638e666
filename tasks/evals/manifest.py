"""What decides a run's predictions, as JSON: two runs with equal manifests write the same predictions.jsonl.

No times and no executor stand in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

from .asker import AskerSource
from .sample import Suite

FORMAT = 1
SHOWN_CHARS = 60  # of a value in an error
READERS = 8  # files under way at once
ABSENT = object()


def manifest_of(suite: Suite, source: AskerSource, *, limit: int | None = None) -> dict[str, Any]:
    """Of a suite, cut to `limit` samples already, asked of this source. Every picture is read once, for its hash."""
    return {
        "format": FORMAT,
        "suite": {
            "name": suite.name,
            "files": dict(suite.files),
            "convention": suite.convention,
            "boxes": suite.boxes,
            "samples": len(suite.samples),
            "skipped": list(suite.skipped),
            "limit": limit,
            "pictures_sha256": digest_of(sample.image for sample in suite.samples),
        },
        **source.manifest(),
    }


def digest_of(pictures: Iterable[Path | None]) -> str:
    """One digest over the bytes of these files in their order, each once. Names do not count; a missing file does."""
    files = dict.fromkeys(file for file in pictures if file is not None)
    whole = hashlib.sha256()
    with ThreadPoolExecutor(READERS) as readers:
        for digest in readers.map(_sha256, files):
            whole.update(digest)
    return whole.hexdigest()


def _sha256(file: Path) -> bytes:
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").digest()
    except OSError:
        return b"missing"  # whoever is asked says so


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
    planned = dict(_flat(json.loads(json.dumps(manifest))))
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
