"""Writing so that neither a kill nor a power cut leaves a part of a file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import TrajectoryError


def write_atomically(path: Path, content: bytes) -> None:
    """A reader sees the old file or the new one, never a part; after a power cut too."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        draft.unlink(missing_ok=True)


def lock(descriptor: int) -> bool:
    """Mark an open file as being written, until it is closed or its process ends; whether nobody else has.

    Where there are no such locks (Windows), nobody ever has.
    """
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        pass
    return True


def is_written(path: Path) -> bool:
    """Whether somebody is writing the file now."""
    try:
        with path.open("rb") as file:
            return not lock(file.fileno())
    except OSError:
        return False


@dataclass(frozen=True)
class DiskTrouble:
    """Turns an OSError while writing into one clear TrajectoryError."""

    path: Path
    num_steps: int

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise TrajectoryError(
                f"the trajectory in {self.path} cannot be written: {error.strerror or error}; "
                f"free some space or choose another folder; the {self.num_steps} steps written so far stay readable"
            ) from error
