"""A recorded run written anew without what is to go."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from ...agent import Recording, Step, StoredFrame, TrajectoryError, read_trajectory
from ...agent.trajectory import (
    FRAMES_FOLDER,
    RUN_FILE,
    STEPS_FILE,
    FrameStore,
    step_from_json,
    step_to_json,
    versions,
)
from ...envs import Frame, Region
from .covering import Places, Style, frames_of, with_new_fingerprint, without
from .hiding import Hiding

_HASH = re.compile(r"[0-9a-f]{64}")
Told = Callable[[str, int, int], None]  # what is being done, how much of it is done, of how much


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to go: parts of pictures, of all or of those of the steps with these numbers, and words, everywhere."""

    regions: tuple[Region, ...] = ()
    steps: tuple[int, ...] = ()  # from 1; empty: all
    hiding: Hiding
    secret_names: tuple[str, ...] = ()
    num_patterns: int = 0
    style: Style = "box"

    @property
    def what(self) -> str:
        """In words that tell nothing of it."""
        said = [_count(len(self.regions), "region")] if self.regions else []
        said += [_count(self.num_patterns, "text pattern")] if self.num_patterns else []
        return ", ".join(said + [f"the secret {name}" for name in self.secret_names])


@dataclass(frozen=True, kw_only=True)
class Redacted:
    """What was taken out, or would be."""

    num_frames: int
    num_boxes: int
    num_strings: int
    num_lines_read: int | None  # lines in pictures that showed it; None where no pictures were read
    dropped: tuple[str, ...]  # files that were made of the run, or that nobody can look into
    notes: tuple[str, ...]

    @property
    def found(self) -> bool:
        return bool(self.num_frames or self.num_strings)

    def to_json(self) -> dict[str, Any]:
        return {
            "frames": self.num_frames,
            "boxes": self.num_boxes,
            "strings": self.num_strings,
            "lines_read": self.num_lines_read,
            "dropped": list(self.dropped),
            "notes": list(self.notes),
        }


def write_anew(
    draft: Path,
    recording: Recording,
    order: Order,
    places: Places,
    found: Redacted,
    kept: Mapping[str, Any],
    told: Told,
) -> None:
    """The whole folder anew. OSError."""
    store, frames = FrameStore(draft), frames_of(recording.steps)
    (draft / FRAMES_FOLDER).mkdir()
    fresh: dict[str, StoredFrame] = {}
    covered: dict[str, Frame] = {}
    for done, (sha256, stored) in enumerate(frames.items(), start=1):
        told("writing pictures", done, len(frames))
        boxes = places.boxes.get(sha256, [])
        try:
            frame = stored.read()
        except TrajectoryError:
            hidden = secrets.token_hex(32)  # its hash would tell what it showed to who can guess it
            fresh[sha256] = replace(stored, path=draft / FRAMES_FOLDER / f"{hidden}.png", sha256=hidden)
            continue
        if boxes:
            frame = covered[sha256] = without(frame, boxes, order.style)
        fresh[sha256] = store.store(frame)

    def moved(stored: StoredFrame) -> StoredFrame:
        return replace(
            fresh[stored.sha256],
            scale=stored.scale,
            captured_at_s=stored.captured_at_s,
            capture_s=stored.capture_s,
            origin_pt=stored.origin_pt,
        )

    lines: list[str] = []
    for step in cleaned_steps(recording, order.hiding):
        old = step.before.sha256
        if old in covered:
            step = with_new_fingerprint(step, covered[old], places.boxes[old])
        elif old in places.boxes:  # it cannot be read
            step = replace(step, fingerprint=None)
        step = replace(step, before=moved(step.before), after=None if step.after is None else moved(step.after))
        lines.append(json.dumps(step_to_json(step), ensure_ascii=True) + "\n")
    (draft / STEPS_FILE).write_text("".join(lines), encoding="ascii")
    names = {old: new.sha256 for old, new in fresh.items()}
    for name, obj in kept.items():
        (draft / name).write_text(json.dumps(_renamed(obj, names), indent=2), encoding="ascii")
    run = order.hiding.of_json(dict(recording.run))
    _forget_prompt_hash(run, recording.run)
    run["redacted"] = [*(recording.run.get("redacted") or []), _entry(order, found)]
    (draft / RUN_FILE).write_text(json.dumps(_renamed(run, names), indent=2), encoding="ascii")


def check_anew(draft: Path, recording: Recording, hiding: Hiding) -> None:
    """TrajectoryError unless the new folder opens, is whole as far as the old one was, and shows nothing of it."""
    new = read_trajectory(draft)
    count: Counter[str] = Counter()
    for step in new.steps:
        hiding.of_json(step_to_json(step), count=count)
    hiding.of_json({name: value for name, value in new.run.items() if name != "redacted"}, count=count)
    if len(new.steps) != len(recording.steps) or count["changed"]:
        raise TrajectoryError(f"{recording.path} could not be rewritten: the new folder is not right; it is as it was")


def cleaned_steps(recording: Recording, hiding: Hiding, count: Counter[str] | None = None) -> list[Step]:
    """TrajectoryError where a step without it is no step any more."""
    steps: list[Step] = []
    for step in recording.steps:
        cleaned = hiding.of_json(step_to_json(step), count=count)
        try:
            steps.append(step_from_json(cleaned, recording.path))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise TrajectoryError(
                f"step {step.index + 1} cannot be read without it: make the pattern find less ({error})"
            ) from error
    return steps


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """With the new hashes of frames for the old ones, wherever these stand."""
    if isinstance(value, str):
        return _HASH.sub(lambda found: names.get(found[0], found[0]), value)
    if isinstance(value, list):
        return [_renamed(each, names) for each in cast(list[Any], value)]
    if isinstance(value, dict):
        return {key: _renamed(each, names) for key, each in cast(dict[str, Any], value).items()}
    return value


def _forget_prompt_hash(run: dict[str, Any], old: Mapping[str, Any]) -> None:
    """A hash of a text that had it tells it to who can guess it."""
    policy, before = run.get("policy"), old.get("policy")
    if not isinstance(policy, dict) or not isinstance(before, Mapping) or policy.get("prompt") == before.get("prompt"):
        return
    run["prompt_sha256"] = None
    if isinstance(policy.get("prompt"), dict):
        policy["prompt"].pop("sha256", None)


def _entry(order: Order, found: Redacted) -> dict[str, Any]:
    regions = [[box.left_px, box.top_px, box.width_px, box.height_px] for box in order.regions]
    return {
        "at_s": time.time(),
        "what": order.what,
        "regions": regions,
        "steps": list(order.steps),
        "style": order.style,
        **found.to_json(),
        "moonhand": versions()["moonhand"],
    }


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
