"""What `moonhand` alone shows: three commands to try, what is missing on this machine, where help is."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ..envs import find_chromium
from .demo import DEMO_FOLDER, DEMO_PAGE

DEMO_PICTURE = DEMO_FOLDER / "signup.png"  # the page as `moonhand shot --viewport 460x420` takes it
APT = "  # or: sudo apt-get install chromium"
WEIGHTS = Path(__file__).parent.parent / "model" / "nano" / "model.safetensors"


@dataclass(frozen=True)
class Try:
    """A command to copy, and what it does."""

    does: str
    words: tuple[str, ...]

    @property
    def command(self) -> str:
        return shlex.join(self.words)


@dataclass(frozen=True)
class Missing:
    """What a first run needs and this machine lacks, and the command that mends it."""

    what: str
    mend: str


def welcome(environ: Mapping[str, str] = os.environ) -> None:
    """On stdout. Nothing is started or loaded: a few paths are looked for."""
    console = Console(highlight=False)
    console.print(f"[bold]moonhand[/] {version('moonhand')}  GUI automation with the model inside\n")
    for one in to_try(Path.cwd(), called()):
        console.print(f"[dim]# {one.does}")
        # Never wrapped: a command is copied whole.
        console.print(Text(one.command, style="bold cyan"), soft_wrap=True)
    console.print()
    found = list(missing(environ))
    for one in found:
        console.print(f"[red]missing[/]  {one.what}; this mends it:")
        console.print(Text(one.mend, style="bold"), soft_wrap=True)
    if not found:
        console.print("[green]ready[/]    Chromium, PyTorch and nano are here; [bold]moonhand doctor[/] tries them all")
    console.print("[dim]help[/]     [bold]moonhand --help[/] lists the commands, [bold]moonhand COMMAND --help[/] one")


def called() -> str:
    """How a shell calls this program: `moonhand` where PATH has it, else its path, else by way of Python."""
    program = Path(sys.argv[0])
    if program.name != "moonhand":
        return f"{shlex.quote(sys.executable)} -m moonhand.tasks"
    on_path = shutil.which("moonhand")
    return "moonhand" if on_path and Path(on_path).resolve() == program.resolve() else shlex.quote(str(program))


def to_try(folder: Path, program: str = "moonhand") -> tuple[Try, ...]:
    """What a stranger can do first, with what the package carries; paths as short as they are from `folder`."""
    words = shlex.split(program)
    picture, page = _short(DEMO_PICTURE, folder), (DEMO_FOLDER / DEMO_PAGE).as_uri()
    return (
        Try("a sign-up form is filled in from its pixels", (*words, "demo")),
        Try("one thing is found on a picture", (*words, "ground", picture, "click Create account")),
        Try(
            "plain steps on any page",
            (*words, "run", 'type "Ada" into Full name; tick I agree to the terms', "--url", page),
        ),
    )


def missing(environ: Mapping[str, str]) -> Iterator[Missing]:
    """What even the first of them would miss. `environ` is the process's environment."""
    if importlib.util.find_spec("torch") is None:
        yield Missing("PyTorch", f"{sys.executable} -m pip install torch==2.13.0")
    if not WEIGHTS.is_file():
        yield Missing("nano's weights", f"{sys.executable} -m pip install --force-reinstall --no-deps moonhand")
    chosen = environ.get("MOONHAND_CHROMIUM")
    if find_chromium(chosen) is None:
        if chosen:
            yield Missing(f"the Chromium that MOONHAND_CHROMIUM names, {chosen}", "unset MOONHAND_CHROMIUM")
        else:
            yield Missing("a Chromium", f"{sys.executable} -m playwright install --with-deps chromium{APT}")


def _short(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
