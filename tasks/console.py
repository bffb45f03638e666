"""What all commands share: exit codes, errors in one line, and where people and programs read.

What a program reads (`--json`) goes to stdout alone; everything for people goes to stderr.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from rich.console import Console

from .errors import BadRequest, TaskError

OK, TASK_FAILED, USAGE, ENVIRONMENT, MODEL, REFUSED, NEEDS_USER, STOPPED = 0, 1, 2, 3, 4, 5, 6, 130
TERMINATED = 143

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, for programs.")]
ModelFlag = Annotated[
    str, typer.Option("--model", envvar="MOONHAND_MODEL", help="'nano', or the folder of a checkpoint.")
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


def people() -> Console:
    return Console(file=sys.stderr)


def print_json(obj: Mapping[str, Any]) -> None:
    typer.echo(json.dumps(obj, ensure_ascii=False))


def write_file(path: Path, content: bytes) -> None:
    """BadRequest where it cannot be written."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise BadRequest(f"{path} cannot be written: {error.strerror}") from error


@dataclass(frozen=True)
class ModelChoice:
    """Which model the flags name, and how it is to be loaded."""

    name: str
    device: str = "auto"
    dtype: str = "auto"
    quantize: str | None = None

    def load(self) -> Any:
        """The engine, with a line for people while it loads. BadRequest for a number format there is not."""
        from ..model import load
        from ..model.engine import DTYPES
        from ..model.quantize import BITS

        if self.dtype not in ("auto", *DTYPES):
            raise BadRequest(f"--dtype {self.dtype!r} is not one of auto, {', '.join(DTYPES)}")
        if self.quantize is not None and self.quantize not in BITS:
            raise BadRequest(f"--quantize {self.quantize!r} is not one of {', '.join(BITS)}")
        with people().status(f"loading {self.name}"):
            return load(self.name, device=self.device, dtype=self.dtype, quantize=self.quantize)


@contextmanager
def plain_errors(as_json: bool = False) -> Generator[None]:
    """Turn every error that was expected into one line and its exit code, and on stdout into JSON where asked."""
    from ..agent import AgentError, TargetRefused, TrajectoryError
    from ..envs import EnvError
    from ..model import ModelError

    codes: Mapping[type[Exception], int] = {
        TaskError: USAGE,
        TargetRefused: REFUSED,
        TrajectoryError: ENVIRONMENT,
        AgentError: USAGE,
        EnvError: ENVIRONMENT,
        ModelError: MODEL,
    }
    try:
        yield
    except KeyboardInterrupt:
        people().print("stopped")
        raise typer.Exit(STOPPED) from None
    except tuple(codes) as error:
        people().print(f"error: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
        if as_json:
            typer.echo(json.dumps({"error": str(error)}))
        raise typer.Exit(next(code for kind, code in codes.items() if isinstance(error, kind))) from None


@contextmanager
def stopping_on_sigterm() -> Generator[None]:
    """Take SIGTERM for Ctrl-C, whatever runs, and leave with TERMINATED then."""
    heard: list[int] = []

    def stop(signum: int, frame: FrameType | None) -> None:
        heard.append(signum)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except (SystemExit, KeyboardInterrupt) as left:
        if heard and (isinstance(left, KeyboardInterrupt) or left.code == STOPPED):
            raise SystemExit(TERMINATED) from None
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def with_plain_errors(command: Callable[..., None]) -> Callable[..., None]:
    """A command with `plain_errors` around it."""

    @wraps(command)
    def run(*args: Any, **options: Any) -> None:
        with plain_errors(options.get("as_json") is True):
            command(*args, **options)

    return run
