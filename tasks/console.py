"""What all commands share: exit codes, errors in one line, and where people and programs read.

What a program reads (`--json`) goes to stdout alone, and what a person asked to see (the tables of `eval list`, `check`
and `score`, a recorded run); what a command tells people of its work goes to stderr.
"""

from __future__ import annotations

import errno
import json
import shlex
import signal
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from tempfile import TemporaryFile
from types import FrameType
from typing import Annotated, Any, TextIO

import typer
from rich.console import Console

from ..envs import EnvError
from .errors import BadRequest, TaskError
from .finite import finite

OK, TASK_FAILED, USAGE, ENVIRONMENT, MODEL, REFUSED, NEEDS_USER, STOPPED = 0, 1, 2, 3, 4, 5, 6, 130
SIGNAL_BASE = 128  # 143 is SIGTERM, 129 SIGHUP
FILE_WIDTH = 200  # of a line for people in a file
WRONG_PATHS = (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError)  # no disk would take them
SAME_S = 1.0  # signals closer together are one: a terminal that is closed sends SIGHUP, and its shell again

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, for programs.")]
ModelFlag = Annotated[
    str,
    typer.Option(
        "--model",
        envvar="MOONHAND_MODEL",
        help="'nano', the folder of a checkpoint, or a model behind an OpenAI-compatible server (vLLM, SGLang), such "
        "as openai:http://localhost:8000/v1#moonshotai/Kimi-VL-A3B-Instruct; its key comes from MOONHAND_API_KEY.",
    ),
]
DeviceFlag = Annotated[str, typer.Option("--device", envvar="MOONHAND_DEVICE", help="auto, cpu, cuda or cuda:N.")]
DtypeFlag = Annotated[str, typer.Option("--dtype", envvar="MOONHAND_DTYPE", help="auto, bfloat16, float16 or float32.")]
QuantizeFlag = Annotated[
    str | None,
    typer.Option("--quantize", envvar="MOONHAND_QUANTIZE", help="Load the decoder's weights as int8 or int4."),
]

ProfileFlag = Annotated[
    str | None,
    typer.Option(
        "--profile",
        envvar="MOONHAND_PROFILE",
        metavar="NAME|FILE",
        help="How the model is asked: a name of `moonhand profiles`, or a .toml or .json file. (default: by its name)",
    ),
]


class CannotWrite(EnvError):
    """The disk is full, can only be read, or is not this user's."""


def people() -> Console:
    return Console(file=sys.stderr)


def asked_to_see() -> Console:
    """Stdout; in a file or a pipe lines are FILE_WIDTH long."""
    console = Console()
    return console if console.is_terminal else Console(width=FILE_WIDTH)


def somebody_at_stdin() -> bool:
    """Whether standard input is a terminal, where a person can be asked. A closed one has nobody."""
    return _stdin_is_open() and sys.stdin.isatty()


def standard_input() -> TextIO:
    """BadRequest where it is closed."""
    if not _stdin_is_open():
        raise BadRequest("standard input is closed: there is nothing to read")
    return sys.stdin


def typed_line() -> str:
    """The next line of standard input, empty at its end; one that is closed is at its end."""
    return sys.stdin.readline() if _stdin_is_open() else ""


def _stdin_is_open() -> bool:
    return sys.stdin is not None and not sys.stdin.closed


def print_json(obj: Mapping[str, Any]) -> None:
    typer.echo(json.dumps(finite(dict(obj)), ensure_ascii=False, allow_nan=False))


def command_again() -> str:
    """The command that is running, for a shell; without --fresh, which would forget what it has done."""
    return shlex.join(("moonhand", *(word for word in sys.argv[1:] if word != "--fresh")))


def write_file(path: Path, content: bytes) -> None:
    """BadRequest or CannotWrite, as `not_written` has it."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise not_written(path, error) from error


def make_folder(path: Path) -> None:
    """With its parents, unless it is there. BadRequest or CannotWrite, as `not_written` has it."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_written(path, error) from error


def not_written(path: Path, error: OSError) -> BadRequest | CannotWrite:
    """What to raise where a file or a folder cannot be written.

    One rule: a path that is wrong whatever the disk's state (WRONG_PATHS) is usage, anything else the environment's.
    """
    why = error.strerror or error
    if isinstance(error, WRONG_PATHS):
        return BadRequest(f"{path} cannot be written ({why}): name another place")
    return CannotWrite(f"{path} cannot be written ({why}): mend that or make room, or name another place")


def why_not_writable(path: Path) -> str | None:
    """Why the file that is there, or a new one in the folder, cannot be written; None where it can."""
    try:
        with TemporaryFile(dir=path) if path.is_dir() else path.open("ab"):
            return None
    except OSError as error:
        return error.strerror or str(error)


@dataclass(frozen=True)
class ModelChoice:
    """Which model the flags name, and how it is to be loaded."""

    name: str
    device: str = "auto"
    dtype: str = "auto"
    quantize: str | None = None

    def load(self) -> Any:
        """The engine, with a line for people while it loads, and one for each thing that is odd about a server.

        BadRequest for a number format there is not, and for flags that say how to load what a server has loaded.
        """
        from ..model import load, open_remote
        from ..model.engine import DTYPES
        from ..model.quantize import BITS
        from ..model.remote_address import is_remote

        if is_remote(self.name):
            flags = {"--device": self.device, "--dtype": self.dtype, "--quantize": self.quantize}
            if given := [f"{flag} {value}" for flag, value in flags.items() if value not in ("auto", None)]:
                raise BadRequest(
                    f"{' and '.join(given)}: {self.name.partition('#')[0]} has its model loaded already; leave that "
                    "out, and the MOONHAND_ variable of the same name, or start the server so"
                )
            with people().status(f"asking {self.name}"):
                return open_remote(self.name, say=warn)
        if self.dtype not in ("auto", *DTYPES):
            raise BadRequest(f"--dtype {self.dtype!r} is not one of auto, {', '.join(DTYPES)}")
        if self.quantize is not None and self.quantize not in BITS:
            raise BadRequest(f"--quantize {self.quantize!r} is not one of {', '.join(BITS)}")
        with people().status(f"loading {self.name}"):
            return load(self.name, device=self.device, dtype=self.dtype, quantize=self.quantize)


def warn(remark: str) -> None:
    """For people, in one line."""
    people().print(f"warning: {remark}", style="yellow", highlight=False, markup=False, soft_wrap=True)


@contextmanager
def plain_errors(as_json: bool = False) -> Generator[None]:
    """Turn every error that was expected into one line and its exit code, and on stdout into JSON where asked."""
    from ..agent import AgentError, TargetRefused, TrajectoryError
    from ..model import MissingExtra, ModelError

    codes: Mapping[type[Exception], int] = {
        TaskError: USAGE,
        TargetRefused: REFUSED,
        TrajectoryError: ENVIRONMENT,
        AgentError: USAGE,
        EnvError: ENVIRONMENT,
        MissingExtra: ENVIRONMENT,
        ModelError: MODEL,
    }
    try:
        yield
    except KeyboardInterrupt:
        people().print("stopped")
        if as_json:
            typer.echo(json.dumps({"error": "stopped"}))
        raise typer.Exit(STOPPED) from None
    except tuple(codes) as error:
        raise _failed(
            str(error), next(code for kind, code in codes.items() if isinstance(error, kind)), as_json
        ) from None
    except OSError as error:  # of an argument that is no name: the system says so wherever it is looked for
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise _failed(f"no file has so long a name: {str(error.filename)[:60]}...", USAGE, as_json) from None


def _failed(told: str, code: int, as_json: bool) -> typer.Exit:
    people().print(f"error: {told}", style="red", highlight=False, markup=False, soft_wrap=True)
    if as_json:
        typer.echo(json.dumps({"error": told}))
    return typer.Exit(code)


@contextmanager
def stopping_on_signals() -> Generator[None]:
    """Take SIGTERM, and SIGHUP unless it is ignored (`nohup`), for Ctrl-C, and leave with SIGNAL_BASE + its number.

    A terminal that is gone takes no last words: what cannot be written then is no error.
    """
    heard: list[tuple[int, float]] = []

    def stop(signum: int, frame: FrameType | None) -> None:
        now_s = time.monotonic()
        if not heard or now_s > heard[-1][1] + SAME_S:
            heard.append((signum, now_s))
            raise KeyboardInterrupt

    signums = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {signum: signal.signal(signum, stop) for signum in signums if signal.getsignal(signum) != signal.SIG_IGN}
    try:
        yield
    except (SystemExit, KeyboardInterrupt, OSError) as left:
        if heard and (not isinstance(left, SystemExit) or left.code == STOPPED):
            raise SystemExit(SIGNAL_BASE + heard[0][0]) from None
        raise
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def with_plain_errors(command: Callable[..., None]) -> Callable[..., None]:
    """A command with `plain_errors` around it."""

    @wraps(command)
    def run(*args: Any, **options: Any) -> None:
        with plain_errors(options.get("as_json") is True):
            command(*args, **options)

    return run
