"""Steps that a replay healed, to be accepted into the recording or rejected."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast, get_args

from ...envs import Action, action_from_json, action_to_json, describe
from ..errors import TrajectoryError
from ..trajectory import FRAMES_FOLDER, STEPS_FILE, Recording, Step, read_trajectory, step_from_json, step_to_json
from ..trajectory.disk import DiskTrouble, write_atomically
from ..trajectory.frames import stored_path

HEALED_FILE = "healed.json"
State = Literal["open", "accepted", "rejected"]


@dataclass(frozen=True, kw_only=True)
class Patch:
    """A step that was done at another place, or at something that looks otherwise, than was recorded."""

    number: int  # from 1
    recorded: int  # index of the step in the recording
    step: int  # and in the replay, whose frame, fingerprint and surroundings are the new ones
    kind: str
    how: str
    said: str
    before: Action
    after: Action
    state: State = "open"

    def to_json(self) -> dict[str, Any]:
        told = asdict(self)
        return told | {"before": action_to_json(self.before), "after": action_to_json(self.after)}


def write_patches(folder: Path, patches: Sequence[Patch]) -> None:
    told = {"patches": [patch.to_json() for patch in patches]}
    with DiskTrouble(folder, len(patches)):
        write_atomically(folder / HEALED_FILE, json.dumps(told, indent=2).encode())


def read_patches(folder: Path | str) -> list[Patch]:
    """Of a replay's folder; empty where nothing was healed. TrajectoryError for a file that is none."""
    path = Path(folder) / HEALED_FILE
    if not path.exists():
        return []
    try:
        return [_patch(one) for one in json.loads(path.read_bytes())["patches"]]
    except OSError as error:
        raise TrajectoryError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise TrajectoryError(f"{path} is no list of healed steps: {error}") from error


def accept(replayed: Recording, original: Recording, numbers: Sequence[int] | None, copy_to: Path | None) -> list[int]:
    """Put patches (None: all that are open) into the recording, or into a copy of it; the numbers of those put in.

    Place, frames, effect, fingerprint and surroundings of the step become those of the replay; what was recorded of
    them, and what a model had replied, moves to `healed`. TrajectoryError for a number there
    is not, for one that was decided already, and for a recording whose step is another one by now.
    """
    patches = read_patches(replayed.path)
    chosen = _chosen(patches, numbers, replayed.path)
    new_steps = {step.index: step for step in replayed.steps}
    old_steps = {step.index: step for step in original.steps}
    for patch in chosen:
        if patch.step not in new_steps or patch.recorded not in old_steps:
            raise TrajectoryError(f"patch {patch.number} is of a step that {original.path} or {replayed.path} lacks")
        if old_steps[patch.recorded].action != patch.before and old_steps[patch.recorded].action != patch.after:
            raise TrajectoryError(
                f"step {patch.recorded + 1} of {original.path} is no longer what was replayed: replay it again"
            )
    folder = original.path
    if copy_to is not None:
        if copy_to.exists() and (not copy_to.is_dir() or any(copy_to.iterdir())):
            raise TrajectoryError(f"{copy_to} is there already: name a folder that is not")
        shutil.copytree(original.path, copy_to, dirs_exist_ok=True)
        folder = copy_to
    _put_in(folder, [(old_steps[patch.recorded], new_steps[patch.step], patch) for patch in chosen])
    if copy_to is None:
        _decide(replayed.path, patches, chosen, "accepted")
    return [patch.number for patch in chosen]


def reject(folder: Path, numbers: Sequence[int] | None) -> list[int]:
    """Say that patches (None: all that are open) are wrong; the recording stays as it is."""
    patches = read_patches(folder)
    chosen = _chosen(patches, numbers, folder)
    _decide(folder, patches, chosen, "rejected")
    return [patch.number for patch in chosen]


def _put_in(folder: Path, healed: Sequence[tuple[Step, Step, Patch]]) -> None:
    """Rewrite `steps.jsonl` in one go, after the pictures that it will name."""
    fresh = {old.index: _healed(old, new, patch) for old, new, patch in healed}
    path = folder / STEPS_FILE
    with DiskTrouble(folder, len(fresh)):
        for step in fresh.values():
            frames = folder / FRAMES_FOLDER
            for stored in filter(None, (step.before, step.after)):
                if not stored_path(frames, stored.sha256).exists():
                    write_atomically(frames / f"{stored.sha256}.png", stored.read().to_png())
        lines = path.read_bytes().split(b"\n")
        write_atomically(path, b"\n".join(_line(line, fresh, folder) for line in lines))


def _healed(old: Step, new: Step, patch: Patch) -> Step:
    """The step as the replay did it, with the recorded text; a model said nothing of this place."""
    recorded = {
        "action": None if old.action is None else action_to_json(old.action),
        "reply": old.reply,
        "thought": old.thought,
        "confidence": old.confidence,
        "effect": None if old.effect is None else asdict(old.effect),
        "model_s": old.model_s,
    }
    first = recorded if old.healed is None else old.healed.get("recorded", recorded)
    told = "; ".join(filter(None, (describe(patch.after), patch.said)))
    return replace(
        old,
        action=patch.after,
        before=new.before,
        after=new.after,
        effect=None if new.effect is None else replace(new.effect, detail=told),
        surroundings=new.surroundings,
        fingerprint=new.fingerprint,
        reply=None,
        thought=None,
        confidence=None,
        belief=None,
        model_s=0.0,
        healed={"kind": patch.kind, "how": patch.how, "said": patch.said, "recorded": first},
    )


def _line(line: bytes, fresh: dict[int, Step], folder: Path) -> bytes:
    try:
        step = step_from_json(json.loads(line), folder)
    except (ValueError, KeyError, TypeError, AttributeError):
        return line  # damaged, or the end
    if step.index not in fresh:
        return line
    return json.dumps(step_to_json(fresh[step.index]), ensure_ascii=True).encode("ascii")


def _chosen(patches: Sequence[Patch], numbers: Sequence[int] | None, folder: Path) -> list[Patch]:
    if numbers is None:
        return [patch for patch in patches if patch.state == "open"]
    by_number = {patch.number: patch for patch in patches}
    for number in numbers:
        if number not in by_number:
            known = ", ".join(map(str, by_number)) or "none"
            raise TrajectoryError(f"{folder} has no healed step {number}; there are: {known}")
        if by_number[number].state != "open":
            raise TrajectoryError(f"healed step {number} of {folder} is {by_number[number].state} already")
    return [by_number[number] for number in dict.fromkeys(numbers)]


def _decide(folder: Path, patches: Sequence[Patch], chosen: Sequence[Patch], state: State) -> None:
    decided = {patch.number for patch in chosen}
    write_patches(folder, [replace(patch, state=state) if patch.number in decided else patch for patch in patches])


def _patch(obj: dict[str, Any]) -> Patch:
    state = obj.get("state", "open")
    if state not in get_args(State):
        raise ValueError(f"state {state!r}")
    return Patch(
        number=int(obj["number"]),
        recorded=int(obj["recorded"]),
        step=int(obj["step"]),
        kind=str(obj["kind"]),
        how=str(obj["how"]),
        said=str(obj["said"]),
        before=action_from_json(obj["before"]),
        after=action_from_json(obj["after"]),
        state=cast(State, state),
    )


def original_of(replayed: Recording) -> Recording:
    """The recording that was replayed. TrajectoryError where it is not where it was."""
    said = replayed.run.get("replay_of")
    if not isinstance(said, str):
        raise TrajectoryError(f"{replayed.path} is no replay: `moonhand replay DIR` makes one")
    if not Path(said).is_dir():
        raise TrajectoryError(f"the recording {said} is no longer there: name it with --recording DIR")
    return read_trajectory(said)
