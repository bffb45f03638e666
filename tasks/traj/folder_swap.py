"""One folder in place of another, at once: a reader, or a kill, finds the old one or the new one."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

AT_FDCWD = {"linux": -100, "darwin": -2}
EXCHANGE = 2  # RENAME_EXCHANGE of renameat2 and RENAME_SWAP of renameatx_np alike
MARK = "redacting"


@contextmanager
def new_in_place_of(folder: Path) -> Generator[Path]:
    """A new, empty folder beside this one, for the body to fill; then it takes its place, and the old one is deleted.

    Where the body raises, or this process is killed in it, the old one stays as it was. What an earlier killed process
    left beside is deleted first. OSError where the disk does not take it.
    """
    folder = folder.resolve()
    _clear_left_over(folder)
    draft = folder.with_name(f".{folder.name}.{MARK}-{os.getpid()}")
    draft.mkdir(mode=folder.stat().st_mode & 0o777)
    try:
        yield draft
        for path in draft.rglob("*"):
            _sync(path)
        _sync(draft)
        exchange(folder, draft)
        _sync(folder.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def exchange(one: Path, other: Path) -> None:
    """Let two folders swap their names in one step; in two where the system cannot, and it is no step a kill may hit.

    OSError.
    """
    function = {"linux": "renameat2", "darwin": "renameatx_np"}.get(sys.platform)
    if function is not None and hasattr(library := ctypes.CDLL(None, use_errno=True), function):
        at = AT_FDCWD[sys.platform]
        if getattr(library, function)(at, os.fsencode(one), at, os.fsencode(other), EXCHANGE) == 0:
            return
    aside = other.with_name(f"{other.name}-aside")
    one.rename(aside)
    try:
        other.rename(one)
    except OSError:
        aside.rename(one)
        raise
    aside.rename(other)


def _clear_left_over(folder: Path) -> None:
    for path in folder.parent.glob(f".{folder.name}.{MARK}-*"):
        number = path.name.rpartition("-")[2]
        if path.is_dir() and number.isdigit() and not _is_running(int(number)):
            shutil.rmtree(path, ignore_errors=True)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return pid != os.getpid()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
