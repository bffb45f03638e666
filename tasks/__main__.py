"""The `moonhand` command, also as `python -m moonhand.tasks`.

While its parts are still being loaded, which takes a second or two, Ctrl-C ends it with one line too. A shell that asks
what Tab may bring is answered before any of them is.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress
from types import FrameType

from . import completion

STOPPED = 130


def main() -> None:
    """Load the command line and run it."""
    before = signal.signal(signal.SIGINT, _leave)
    if (shell := completion.asked_by(os.environ)) is not None:
        sys.exit(completion.answer(shell))
    from .cli import main as run

    try:
        signal.signal(signal.SIGINT, before)
        run()
    except KeyboardInterrupt:
        _say_stopped()
        sys.exit(STOPPED)
    except SystemExit as left:
        # Typer leaves without a word where a command had not yet begun to listen itself.
        if isinstance(getattr(left.__context__, "__cause__", None), KeyboardInterrupt):
            _say_stopped()
        told = getattr(left.__context__, "format_message", None)  # click's own: no such option, no such choice
        if _for_programs() and told is not None:
            print(json.dumps({"error": told()}))
        raise
    except Exception as error:  # nobody expected it: the traceback follows on stderr
        if _for_programs():
            with suppress(OSError):
                print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
        raise


def _for_programs() -> bool:
    return "--json" in sys.argv


def _say_stopped() -> None:
    print("stopped", file=sys.stderr)
    if _for_programs():
        print(json.dumps({"error": "stopped"}))


def _leave(signum: int, frame: FrameType | None) -> None:
    """At once: nothing is open yet, and an exception would come out of the middle of somebody's import."""
    if _for_programs():
        os.write(sys.stdout.fileno(), b'{"error": "stopped"}\n')
    os.write(sys.stderr.fileno(), b"stopped\n")
    os._exit(STOPPED)


if __name__ == "__main__":
    main()
