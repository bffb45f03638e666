"""A program that is started on an X display for as long as somebody works with it there."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager

from .env import Env
from .errors import CannotStart

FIRST_WINDOW_S = 15.0  # the longest wait for it to show something
LOOK_EVERY_S = 0.05
END_LIMIT_S = 5.0  # before it is ended outright


@contextmanager
def started(command: str | Sequence[str], env: Env, environ: Mapping[str, str]) -> Generator[subprocess.Popen[bytes]]:
    """Start a program with these variables, and wait until `env` shows something else than before; it ends with the
    block. The command is one line, as a shell would part it, or a list. CannotStart says what went wrong."""
    said = command if isinstance(command, str) else shlex.join(command)
    empty, quiet = env.observe(), subprocess.DEVNULL
    try:
        words = shlex.split(command) if isinstance(command, str) else list(command)
        program = subprocess.Popen(words, env=dict(environ), stdin=quiet, stdout=quiet, stderr=quiet)
    except (OSError, ValueError, IndexError) as error:  # ValueError: quotes that do not close
        raise CannotStart(f"{said!r} does not start: {error}") from error
    try:
        deadline_s = time.monotonic() + FIRST_WINDOW_S
        while not env.observe().differs_from(empty):
            if program.poll() is not None:
                raise CannotStart(f"{said!r} ended with status {program.returncode} before it showed a window")
            if time.monotonic() > deadline_s:
                raise CannotStart(f"{said!r} showed no window within {FIRST_WINDOW_S:g} s")
            time.sleep(LOOK_EVERY_S)
        yield program
    finally:
        _end(program)


def _end(program: subprocess.Popen[bytes]) -> None:
    program.terminate()
    try:
        program.wait(timeout=END_LIMIT_S)
    except subprocess.TimeoutExpired:
        program.kill()
        program.wait()
