"""A run's folder on disk: rows are appended as they come, and a kill at any moment costs none that was written."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar, cast

from ...envs import EnvError
from ..console import make_folder
from ..errors import BadRequest
from .manifest import differences
from .prediction import Failure, Prediction
from .prediction_files import line_of, prediction_of
from .verdict_files import VERDICTS

MANIFEST, PREDICTIONS, TIMINGS, RESULT = "manifest.json", "predictions.jsonl", "timings.jsonl", "result.json"
NEW = ".new"  # of a file that is to replace another
LOCK = ".lock"  # on Windows, which locks no folder
O_BINARY: int = getattr(os, "O_BINARY", 0)  # Windows: a line ends as it was written
SYNC_S = 0.2  # what a power cut can cost; a kill costs nothing
Row = TypeVar("Row")


class CannotWrite(EnvError):
    """The disk is full, or takes no more; what was written before can be read, and the run be resumed."""


class RunFolder:
    """The one writer of a run. BadRequest where the folder holds another run, or somebody writes to it."""

    def __init__(
        self, path: Path, manifest: Mapping[str, Any], *, fresh: bool = False, again: Collection[Failure] = ()
    ) -> None:
        """`fresh` forgets what another or an earlier run left there, `again` the rows that failed so, and the scores.

        The last line of an id counts.
        """
        self.path = path
        self.predictions: dict[str, Prediction] = {}
        with ExitStack() as stack:
            make_folder(path)
            with _told(path):
                stack.enter_context(_locked(path))
                if fresh:
                    for name in (MANIFEST, PREDICTIONS, TIMINGS, VERDICTS, RESULT):
                        (path / name).unlink(missing_ok=True)
                self._claim(manifest)
                for row in read_rows(path / PREDICTIONS, prediction_of, mend=True):
                    self.predictions[row.id] = row
                for _ in read_rows(path / TIMINGS, json.loads, mend=True):
                    pass
                self._forget({one for one, row in self.predictions.items() if row.failure in again})
                self._timings = stack.enter_context(_Appended(path / TIMINGS))
                self._rows = stack.enter_context(_Appended(path / PREDICTIONS))
            self._stack = stack.pop_all()

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def append(self, prediction: Prediction, timing: Mapping[str, Any]) -> None:
        """CannotWrite where the disk is full. The timing goes first: a row that is there has one."""
        with _told(self.path):
            self._timings.write(json.dumps({"id": prediction.id, **timing}) + "\n")
            self._rows.write(line_of(prediction))
        self.predictions[prediction.id] = prediction

    def finish(self, ids: Iterable[str]) -> None:
        """Put the rows in this order: the file's bytes say nothing of who answered first. No row comes after it."""
        with _told(self.path):
            self._timings.sync()
            self._rows.close()  # Windows replaces no open file
            replace_file(self.path / PREDICTIONS, "".join(line_of(self.predictions[one]) for one in ids).encode())

    def write_result(self, result: Mapping[str, Any]) -> None:
        with _told(self.path):
            replace_file(self.path / RESULT, (json.dumps(result, indent=2) + "\n").encode())

    def _forget(self, ids: Collection[str]) -> None:
        """At once and for good, so that the run goes on as any other, whenever it ends."""
        if not ids:
            return
        for name in (VERDICTS, RESULT):
            (self.path / name).unlink(missing_ok=True)
        self.predictions = {one: row for one, row in self.predictions.items() if one not in ids}
        replace_file(self.path / PREDICTIONS, "".join(map(line_of, self.predictions.values())).encode())

    def _claim(self, manifest: Mapping[str, Any]) -> None:
        file = self.path / MANIFEST
        plain = json.loads(json.dumps(manifest))  # what it will read back as
        if not file.exists():
            if (self.path / PREDICTIONS).exists():
                raise BadRequest(
                    f"{self.path} has a {PREDICTIONS} and no {MANIFEST}, so nobody knows what was asked: name another "
                    "--out, or give --fresh to forget it"
                )
            replace_file(file, (json.dumps(plain, indent=2) + "\n").encode())
            return
        try:
            found = _manifest_in(file.read_bytes())
        except ValueError as error:
            raise BadRequest(
                f"{file} is no manifest ({error}): name another --out, or give --fresh to forget the run"
            ) from error
        if differ := differences(found, plain):
            raise BadRequest(
                f"{self.path} holds another run: {'; '.join(differ)}. Give the same options to go on, another --out to "
                "keep both, or --fresh to forget it"
            )


class _Appended:
    """A file that only grows. A line that could not be written whole is taken back."""

    def __init__(self, path: Path) -> None:
        self._file: int | None = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | O_BINARY, 0o644)
        self._size = os.fstat(self._file).st_size
        self._synced_s = time.monotonic()

    def __enter__(self) -> _Appended:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self.close()

    def close(self) -> None:
        """Twice is fine."""
        if self._file is not None:
            file, self._file = self._file, None
            try:
                os.fsync(file)
            finally:
                os.close(file)

    def write(self, line: str) -> None:
        assert self._file is not None, "nothing comes after the last row"
        content = line.encode("utf-8")
        try:
            written = os.write(self._file, content)
            while written < len(content):
                written += os.write(self._file, content[written:])
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._file, self._size)
            raise
        self._size += len(content)
        if time.monotonic() > self._synced_s + SYNC_S:
            self.sync()

    def sync(self) -> None:
        assert self._file is not None
        os.fsync(self._file)
        self._synced_s = time.monotonic()


def read_rows(path: Path, read: Callable[[str], Row], *, mend: bool = False) -> Generator[Row]:
    """The rows of a file that may have been cut off while its last line was written: that line is left out.

    With `mend` it is cut from the file. BadRequest for a line before the last that cannot be read.
    """
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    lines = content[:whole].split(b"\n")[:-1]
    end = 0
    for number, line in enumerate(lines, 1):
        try:
            row = read(line.decode("utf-8"))
        except ValueError as error:
            if number < len(lines):
                raise BadRequest(
                    f"{path}:{number} is damaged ({error}): delete that line and it will be asked again, or give "
                    "--fresh to forget the run"
                ) from error
            break
        end += len(line) + 1
        yield row
    if mend and end < len(content):
        os.truncate(path, end)


def read_manifest(folder: Path) -> dict[str, Any]:
    """BadRequest where the folder has none."""
    try:
        return _manifest_in((folder / MANIFEST).read_bytes())
    except (OSError, ValueError) as error:
        raise BadRequest(f"{folder} holds no run: {MANIFEST} cannot be read ({error})") from error


def _manifest_in(content: bytes) -> dict[str, Any]:
    """ValueError in words."""
    found = json.loads(content)
    if not isinstance(found, dict):
        raise ValueError(f"a manifest is a JSON object, not {type(found).__name__}")
    return cast(dict[str, Any], found)


def replace_file(path: Path, content: bytes) -> None:
    """The file has its old content or all of the new one, whenever the power goes; the same content is left alone."""
    if path.exists() and path.stat().st_size == len(content) and path.read_bytes() == content:
        return
    new = path.with_name(path.name + NEW)
    try:
        with new.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    if hasattr(os, "O_DIRECTORY"):
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def _told(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise CannotWrite(
            f"{path} cannot be written: {error.strerror or error}. The rows written so far are whole: make room, or "
            "mend it, and give the same command again to go on"
        ) from error


@contextmanager
def _locked(path: Path) -> Generator[None]:
    """While it lasts nobody else writes to the folder. The lock is gone with the process, however that ends."""
    windows = sys.platform == "win32"
    handle = os.open(path / LOCK, os.O_RDWR | os.O_CREAT) if windows else os.open(path, os.O_RDONLY)
    try:
        try:
            _lock(handle)
        except (BlockingIOError, PermissionError) as error:
            raise BadRequest(f"another run is writing to {path}: wait for it, or name another --out") from error
        yield
    finally:
        os.close(handle)


def _lock(handle: int) -> None:
    """BlockingIOError, on Windows PermissionError, where somebody else holds it."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
