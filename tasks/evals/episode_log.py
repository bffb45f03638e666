"""Episodes on the disk: a line each, so that a kill costs the one that was being played and no other."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Final, Self

from ...agent.trajectory.disk import lock, write_atomically
from ..console import not_written
from ..errors import BadRequest
from .manifest import differences

MANIFEST: Final = "manifest.json"
EPISODES: Final = "episodes.jsonl"
TIMINGS: Final = "timings.jsonl"
RESULT: Final = "result.json"
Key = tuple[str, int]  # task and seed: what an episode is told apart by


@dataclass(frozen=True, kw_only=True)
class EpisodeRow:
    """How one episode went, without the clock: the same run writes the same line.

    `solved` is the rule of MiniWoB++ (raw reward = 1), `rewarded` that of BrowserGym (raw reward > 0). `failure` is
    "timed_out" or "crashed", where it did not come to an end of its own, and `error` says why in words; such an episode
    counts as neither solved nor rewarded.
    """

    task: str
    seed: int
    solved: bool
    rewarded: bool
    raw_reward: float
    done: bool  # the page said so
    steps: int
    utterance: str | None
    failure: str | None = None
    error: str | None = None
    replies: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        return self.task, self.seed


@dataclass(frozen=True, kw_only=True)
class EpisodeTiming:
    """How long an episode took; beside its row, which does not depend on the clock."""

    task: str
    seed: int
    model_s: float
    wall_s: float  # from the load of the page to the end, of all attempts
    attempts: int


class EpisodeLog:
    """The folder of a run, open for writing by this process alone.

    What an earlier run of the same settings wrote there is kept. BadRequest for a folder of other settings, one that
    somebody else writes, and lines that are no episodes of `plan`.
    """

    def __init__(self, folder: Path, manifest: Mapping[str, Any], plan: Sequence[Key]) -> None:
        self.folder, self.plan = folder, tuple(plan)
        self._manifest = json.loads(json.dumps(manifest))
        self._rows: dict[Key, EpisodeRow] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            with _told(self.folder):
                self.folder.mkdir(parents=True, exist_ok=True)
                self._file = stack.enter_context((self.folder / EPISODES).open("a+b"))
                self._timings = stack.enter_context((self.folder / TIMINGS).open("ab"))
            if not lock(self._file.fileno()):
                raise BadRequest(f"another run is writing in {self.folder}: wait for its end, or choose another --out")
            self._check_manifest()
            self._read()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __contains__(self, key: Key) -> bool:
        return key in self._rows

    @property
    def rows(self) -> tuple[EpisodeRow, ...]:
        """Those that were played, in the order of the plan."""
        return tuple(self._rows[key] for key in self.plan if key in self._rows)

    @property
    def num_kept(self) -> int:
        """How many are on the disk. Ctrl-C may have come between a line and its row."""
        return (self.folder / EPISODES).read_bytes().count(b"\n")

    def add(self, row: EpisodeRow, timing: EpisodeTiming) -> None:
        """Both are on the disk when this returns. CannotWrite where it is full: what was there before stays."""
        with _told(self.folder):
            _append(self._timings, asdict(timing))
            _append(self._file, asdict(row))
        self._rows[row.key] = row

    def finish(self, result: Mapping[str, Any]) -> None:
        """Put the episodes in the order of the plan and write the result beside them."""
        with _told(self.folder):
            write_atomically(self.folder / EPISODES, b"".join(_line(asdict(row)) for row in self.rows))
            write_atomically(self.folder / RESULT, json.dumps(result, indent=2, allow_nan=False).encode() + b"\n")

    def _check_manifest(self) -> None:
        path = self.folder / MANIFEST
        if not path.exists():
            with _told(self.folder):
                write_atomically(path, json.dumps(self._manifest, indent=2).encode() + b"\n")
            return
        try:
            kept = json.loads(path.read_bytes())
            differing = differences(kept, self._manifest)
        except (ValueError, AttributeError, TypeError) as error:
            raise BadRequest(f"{path} is no manifest: {error}; choose another --out") from error
        if differing:
            raise BadRequest(
                f"{self.folder} holds another run: {'; '.join(differing)}. Choose another --out, or ask for the same "
                "to go on with it"
            )

    def _read(self) -> None:
        path = self.folder / EPISODES
        self._file.seek(0)
        content = self._file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):  # a line that a kill cut short
            self._file.truncate(whole)
        for number, line in enumerate(content[:whole].splitlines(), start=1):
            try:
                fields: dict[str, Any] = json.loads(line)
                fields["replies"] = tuple(fields["replies"])
                row = EpisodeRow(**fields)
            except (ValueError, KeyError, TypeError) as error:
                raise BadRequest(f"{path}:{number}: no line of an episode: {error!r}; remove it to go on") from error
            if row.key not in self.plan:
                raise BadRequest(f"{path}:{number}: {row.task} with seed {row.seed} is no episode of this run")
            self._rows[row.key] = row


@contextmanager
def _told(folder: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise not_written(folder, error) from error


def _line(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, allow_nan=False).encode() + b"\n"


def _append(file: IO[bytes], fields: Mapping[str, Any]) -> None:
    file.write(_line(fields))
    file.flush()
    os.fsync(file.fileno())
