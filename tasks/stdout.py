"""Standard output that cannot be written, as on a full disk: one line on stderr, and the environment's exit code."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

ENVIRONMENT = 3
SIGNAL_BASE = 128  # 143 is SIGTERM, 129 SIGHUP
NAME = "<stdout>"  # in the errors of standard output, which otherwise name no file


@contextmanager
def told_where_it_cannot_be_written() -> Generator[None]:
    """It is flushed at the end. The exit code of a signal stays, and a closed pipe is left to the command line."""
    _name_its_errors()
    code = ENVIRONMENT
    try:
        try:
            yield
        except SystemExit as left:
            if isinstance(left.code, int) and left.code > SIGNAL_BASE:
                code = left.code
            _flush()
            raise
        _flush()
    except OSError as error:
        if not is_of_stdout(error):
            raise
        _give_up(error)
        raise SystemExit(code) from None


def is_of_stdout(error: BaseException) -> bool:
    """Whether it says that standard output cannot be written, and not that its reader has left."""
    return isinstance(error, OSError) and error.filename == NAME and error.errno != errno.EPIPE


class _Named(io.FileIO):
    """A file whose errors have NAME, through whatever is put around it."""

    def write(self, b: Buffer, /) -> int:
        try:
            return super().write(b)
        except OSError as error:
            error.filename = NAME
            raise


def _name_its_errors() -> None:
    before = sys.stdout
    if not isinstance(before, io.TextIOWrapper):  # closed, or somebody else's
        return
    file = _Named(before.fileno(), "w", closefd=False)
    sys.stdout = io.TextIOWrapper(
        file if before.write_through else io.BufferedWriter(file),  # pyright: ignore[reportArgumentType]
        encoding=before.encoding,
        errors=before.errors,
        line_buffering=before.line_buffering,
        write_through=before.write_through,
    )


def _flush() -> None:
    if sys.stdout is not None and not sys.stdout.closed:
        sys.stdout.flush()


def _give_up(error: OSError) -> None:
    """Say so, and drop what is still held back: Python would try again at exit, and complain."""
    with suppress(OSError):
        print(f"error: stdout cannot be written: {error.strerror}", file=sys.stderr, flush=True)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
