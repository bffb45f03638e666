"""What a `run.json` says, in words for people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from ..approving import printable


def plain(words: str) -> str:
    """What a page or a model wrote, for a terminal that it must not steer; lines stay lines."""
    return printable(words)


def one_line(words: str) -> str:
    return " ".join(printable(words).split())


def when(seconds_s: float | None) -> str:
    """A moment in the time of this machine."""
    return "" if seconds_s is None else datetime.fromtimestamp(seconds_s).strftime("%Y-%m-%d %H:%M:%S")


def size_in_words(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:.1f} MB" if num_bytes >= 1e5 else f"{num_bytes / 1e3:.1f} kB"


def section(run: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """What `run.json` has under these names, one within the other; empty where it has nothing of the kind."""
    found: object = run
    for name in names:
        found = found.get(name) if isinstance(found, Mapping) else None
    return cast(Mapping[str, Any], found) if isinstance(found, Mapping) else {}


def model_of(run: Mapping[str, Any]) -> str:
    """The model and its prompt profile, as far as they are recorded."""
    model, prompt = section(run, "policy", "model"), section(run, "policy", "prompt")
    named = str(model.get("model", ""))
    if not named:
        return str(section(run, "policy").get("kind", ""))
    return named + (f", profile {prompt['name']}" if "name" in prompt else "")


def redactions_of(run: Mapping[str, Any]) -> str:
    """When something was taken out of the record."""
    done = run.get("redacted")
    entries = cast(list[Mapping[str, Any]], done) if isinstance(done, list) else []
    return ", ".join(f"{one['what']} on {when(float(one['at_s']))}" for one in entries)
