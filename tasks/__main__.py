"""The `moonhand` command, also as `python -m moonhand.tasks`.

While its parts are still being loaded, which takes a second or two, Ctrl-C ends it with one line too. A shell that asks
what Tab may bring is answered before any of them is.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import sys
from contextlib import suppress
from types import FrameType
from typing import Any

from . import completion, stdout

STOPPED = 130


def main() -> None:
    """Load the command line and run it."""
    with stdout.told_where_it_cannot_be_written():
        _main()


def _main() -> None:
    before = _leaving_at_once()
    if (shell := completion.asked_by(os.environ)) is not None:
        sys.exit(completion.answer(shell))
    from .cli import main as run

    try:
        for signum, handler in before.items():
            signal.signal(signum, handler)
        run()
    except KeyboardInterrupt:
        _say_stopped()
        sys.exit(STOPPED)
    except SystemExit as left:
        if _is_stopped_unheard(left):
            _say_stopped()
        told = getattr(left.__context__, "format_message", None)  # click's own: no such option, no such choice
        if _for_programs() and told is not None:
            print(json.dumps({"error": told()}))
        raise
    except Exception as error:  # nobody expected it: the traceback follows on stderr
        if _for_programs() and not stdout.is_of_stdout(error):
            with suppress(OSError):
                print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
        raise
    finally:
        _end_at_once_from_here()


def _is_stopped_unheard(left: SystemExit) -> bool:
    """Whether Typer left without a word, as it does where a command had not yet begun to listen itself."""
    by_typer = left.__context__
    if isinstance(by_typer, SystemExit):  # after another signal than Ctrl-C, `left` bears its number
        by_typer = by_typer.__context__
    return by_typer is not None and isinstance(by_typer.__cause__, KeyboardInterrupt)


def _for_programs() -> bool:
    return "--json" in sys.argv


def _say_stopped() -> None:
    print("stopped", file=sys.stderr)
    if _for_programs():
        print(json.dumps({"error": "stopped"}))


def _leaving_at_once() -> dict[int, Any]:
    """Leave on every signal that stops a command, SIGHUP unless it is ignored (`nohup`); the handlers before."""
    signums = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    heeded = [one for one in signums if one == signal.SIGINT or signal.getsignal(one) != signal.SIG_IGN]
    return {signum: signal.signal(signum, _leave) for signum in heeded}


def _end_at_once_from_here() -> None:
    """All is said: one more Ctrl-C cuts short what Python still waits for, without a word, and is ignored at last."""
    signal.signal(signal.SIGINT, _end)
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)


def _end(signum: int, frame: FrameType | None) -> None:
    with suppress(Exception):  # it is just being flushed, or closed, or its reader has left
        sys.stdout.flush()
    os._exit(STOPPED)


def _leave(signum: int, frame: FrameType | None) -> None:
    """At once: nothing is open yet, and an exception would come out of the middle of somebody's import."""
    with suppress(OSError):
        if _for_programs() and sys.stdout is not None:
            os.write(sys.stdout.fileno(), b'{"error": "stopped"}\n')
    with suppress(OSError):
        os.write(sys.stderr.fileno(), b"stopped\n")
    os._exit(STOPPED if signum == signal.SIGINT else stdout.SIGNAL_BASE + signum)


if __name__ == "__main__":
    main()
