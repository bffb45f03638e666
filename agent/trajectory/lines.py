"""A step as a line of `steps.jsonl`, and back. What an older line lacks is read as its default."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from ...envs import Effect, Element, Surroundings, action_from_json, action_to_json
from ..fingerprint import fingerprint_from_json
from .frames import stored_from_json, stored_to_json
from .record import Step


def step_to_json(step: Step) -> dict[str, Any]:
    """The step as plain JSON values."""
    return {
        "index": step.index,
        "turn": step.turn,
        "started_at_s": step.started_at_s,
        "started_mono_s": step.started_mono_s,
        "instruction": step.instruction,
        "reply": step.reply,
        "thought": step.thought,
        "action": None if step.action is None else action_to_json(step.action),
        "action_01": step.action_01,
        "confidence": step.confidence,
        "belief": None if step.belief is None else dict(step.belief),
        "error": step.error,
        "effect": None if step.effect is None else asdict(step.effect),
        "surroundings": None if step.surroundings is None else asdict(step.surroundings),
        "fingerprint": None if step.fingerprint is None else asdict(step.fingerprint),
        "risks": sorted(step.risks),
        "decision": step.decision,
        "asked_s": step.asked_s,
        "healed": None if step.healed is None else dict(step.healed),
        "model_s": step.model_s,
        "before": stored_to_json(step.before),
        "after": None if step.after is None else stored_to_json(step.after),
    }


def read_line(line: bytes, folder: Path) -> Step:
    """The step of a line. ValueError, with what is wrong, for anything else."""
    try:
        return step_from_json(json.loads(line), folder)
    except KeyError as error:
        raise ValueError(f"it lacks {error}") from error
    except (TypeError, AttributeError, RecursionError) as error:
        raise ValueError(str(error)) from error


def step_from_json(obj: dict[str, Any], folder: Path) -> Step:
    """The step that `step_to_json` wrote. KeyError, TypeError or ValueError for anything else."""
    effect, action, after = obj["effect"], obj["action"], obj["after"]
    surroundings, mark = obj.get("surroundings"), obj.get("fingerprint")
    return Step(
        index=int(obj["index"]),
        turn=int(obj["turn"]),
        started_at_s=float(obj["started_at_s"]),
        started_mono_s=float(obj.get("started_mono_s", 0)),
        instruction=obj["instruction"],
        reply=obj["reply"],
        thought=obj["thought"],
        action=None if action is None else action_from_json(action),
        confidence=obj["confidence"],
        belief=obj.get("belief"),
        error=obj["error"],
        effect=None if effect is None else Effect(**effect | {"waited_for": tuple(effect.get("waited_for", ()))}),
        surroundings=None if surroundings is None else _surroundings(surroundings),
        fingerprint=None if mark is None else fingerprint_from_json(mark),
        risks=frozenset(obj.get("risks", ())),
        decision=obj.get("decision"),
        asked_s=float(obj.get("asked_s", 0)),
        healed=obj.get("healed"),
        model_s=float(obj["model_s"]),
        before=stored_from_json(obj["before"], folder),
        after=None if after is None else stored_from_json(after, folder),
    )


def _surroundings(obj: dict[str, Any]) -> Surroundings:
    element, end = obj.get("element"), obj.get("end")
    return Surroundings(
        url=obj.get("url"),
        title=obj.get("title"),
        element=None if element is None else _element(element),
        dialog=obj.get("dialog"),
        end=None if end is None else _element(end),
        tab=obj.get("tab"),
    )


def _element(obj: dict[str, Any]) -> Element:
    """Keys that a later version may add are left out."""
    known: dict[str, Any] = {field.name: obj[field.name] for field in fields(Element) if field.name in obj}
    known["selectors"], known["frame"] = tuple(known.get("selectors", ())), tuple(known.get("frame", ()))
    return Element(**known)
