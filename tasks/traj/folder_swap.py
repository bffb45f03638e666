"""One folder in place of another, at once: a reader, or a kill, finds the old one or the new one."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import shutil
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from ...agent import TrajectoryError

AT_FDCWD = {"linux": -100, "darwin": -2}
EXCHANGE = 2  # RENAME_EXCHANGE of renameat2 and RENAME_SWAP of renameatx_np alike
MARK = "redacting"


@contextmanager
def new_in_place_of(folder: Path) -> Generator[Path]:
    """A new, empty folder beside this one, for the body to fill; then it takes its place, and the old one is deleted.

    Where the body raises, or this process is killed in it, the old one stays as it was. What an earlier killed process
    left beside is deleted first. OSError where the disk does not take it; TrajectoryError where the new one is in
    place, and the old one, beside it, cannot be deleted.
    """
    folder = folder.resolve()
    _clear_left_over(folder)
    draft = folder.with_name(f".{folder.name}.{MARK}-{os.getpid()}")
    draft.mkdir(mode=folder.stat().st_mode & 0o777)
    is_old = False
    try:
        yield draft
        for path in draft.rglob("*"):
            _sync(path)
        _sync(draft)
        exchange(folder, draft)
        is_old = True
        _sync(folder.parent)
    finally:
        if not _is_deleted(draft) and is_old:
            raise TrajectoryError(
                f"{folder} is written anew, but the old one cannot be deleted: it stays as {draft}, with all that was "
                "in it; delete it yourself"
            )


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
    form = re.compile(rf"\.{re.escape(folder.name)}\.{MARK}-(\d+)(-aside)?")
    for path in folder.parent.iterdir():
        found = form.fullmatch(path.name)
        if found is None or not path.is_dir() or _is_running(int(found[1])):
            continue
        if not _is_deleted(path):
            raise OSError(errno.ENOTEMPTY, f"an older copy of it cannot be deleted: {path}", str(path))


def _is_deleted(folder: Path) -> bool:
    for path in (folder, *folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            with suppress(OSError):
                path.chmod(0o700)  # else nothing in it goes
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


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
