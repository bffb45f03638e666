"""Where each thing of a script was found, kept beside it: the next run looks for its pixels and asks no model.

    .moonhand/NAME/anchors.json     what was done to each thing, what lay there, and on which frame
    .moonhand/NAME/frames/*.png     those frames, by their content

It holds nothing but what trajectories hold, and may be committed: then no run needs a model until the screen drifts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from ...agent import Step, StoredFrame
from ...agent.trajectory import FRAMES_FOLDER, step_from_json, step_to_json
from ...agent.trajectory.disk import write_atomically

FORMAT, VERSION = "moonhand-script-cache", 1
FOLDER, FILE = ".moonhand", "anchors.json"
MOST_TIMES = 32  # the same words in one run, as in a loop, that are kept each on its own


@dataclass(frozen=True)
class Anchored:
    """What was done to one thing: its steps as they were recorded. `run` is the run that recorded them."""

    run: str
    steps: tuple[Step, ...]


class Cache:
    """The things of one script, by the words that name them and how often those came before in a run."""

    def __init__(self, folder: Path, *, reads: bool = True) -> None:
        """`reads` is False where what was kept is to be written anew. What cannot be read is not there."""
        self.folder = folder
        self.url: str | None = None  # the page that the kept run began with
        self._kept: dict[str, Anchored] = {}
        if reads:
            with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
                self._read(json.loads((folder / FILE).read_bytes()))

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, words: str, time: int) -> Anchored | None:
        """What these words named when they came for the `time`-th time, from 1, or else the time before that."""
        for number in range(min(time, MOST_TIMES), 0, -1):
            found = self._kept.get(_key(words, number))
            if found is not None:
                return found
        return None

    def knows(self, words: str) -> bool:
        return _key(words, 1) in self._kept

    def write(self, found: Mapping[tuple[str, int], Sequence[Step]], *, run: str, url: str | None) -> None:
        """Keep these too, in place of what their words named before. OSError or TrajectoryError: it is as it was."""
        folder = self.folder / FRAMES_FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        kept = dict(self._kept)
        for (words, time), steps in found.items():
            if time <= MOST_TIMES:
                kept[_key(words, time)] = Anchored(run, tuple(_stored(step, folder) for step in steps))
        told = {
            "format": FORMAT,
            "version": VERSION,
            "url": url,
            "anchors": {
                key: {"run": each.run, "steps": [_told(step) for step in each.steps]}
                for key, each in sorted(kept.items())
            },
        }
        write_atomically(self.folder / FILE, json.dumps(told, indent=1).encode() + b"\n")
        self._kept, self.url = kept, url
        self._sweep(folder)

    def _read(self, told: dict[str, Any]) -> None:
        if (told["format"], told["version"]) != (FORMAT, VERSION):
            return
        for key, each in cast(dict[str, dict[str, Any]], told["anchors"]).items():
            steps = tuple(step_from_json(line, self.folder) for line in each["steps"])
            if steps and not any(frame.missing for step in steps for frame in _frames_of(step)):
                self._kept[key] = Anchored(str(each["run"]), steps)
        self.url = told["url"]

    def _sweep(self, folder: Path) -> None:
        """Take away the frames that nothing refers to any more."""
        wanted = {frame.path.name for each in self._kept.values() for step in each.steps for frame in _frames_of(step)}
        for path in folder.glob("*.png"):
            if path.name not in wanted:
                with suppress(OSError):
                    path.unlink()


def cache_folder(script: Path) -> Path:
    """Beside the script."""
    return script.parent / FOLDER / script.stem


def _key(words: str, time: int) -> str:
    return words if time == 1 else f"{words} #{time}"


def _frames_of(step: Step) -> list[StoredFrame]:
    return [frame for frame in (step.before, step.after) if frame is not None]


def _stored(step: Step, folder: Path) -> Step:
    """The step with its frames in that folder, each a picture of its own."""

    def store(frame: StoredFrame) -> StoredFrame:
        path = folder / f"{frame.sha256}.png"
        if not path.exists():
            write_atomically(path, frame.read().to_png())
        return replace(frame, path=path)

    types = step.action is not None and step.action.type == "type"  # where its text shows is told by what changed
    after = store(step.after) if step.after is not None and types else None
    return replace(step, before=store(step.before), after=after)


def _told(step: Step) -> dict[str, Any]:
    """Without what a model wrote and what came of it: only what finds it again."""
    bare = replace(
        step, reply=None, thought=None, belief=None, effect=None, healed=None, decision=None, asked_s=0.0, model_s=0.0
    )
    return step_to_json(bare)
