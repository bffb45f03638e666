"""How a command leaves where its streams are closed or full, or it is stopped as it starts: in real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

MOONHAND = (sys.executable, "-m", "moonhand.tasks")
PATIENCE_S = 300  # for a busy machine; seconds pass on a quiet one
FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="only Linux has a device that is always full")
CLOSED_STDIN = 'exec "$@" <&-'
NO_SPACE = "error: stdout cannot be written: No space left on device"


def left(*arguments: str, shell: str = 'exec "$@"', **environ: str) -> subprocess.CompletedProcess[str]:
    """A command that has ended, started by a shell that may close or redirect its streams."""
    return subprocess.run(
        ["sh", "-c", shell, "sh", *MOONHAND, *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        env={**os.environ, **environ},
    )


@pytest.mark.display
def test_a_run_without_standard_input_asks_nobody_and_prints_one_object(tmp_path: Path) -> None:
    done = left("run", "wait 0", "--virtual", "300x200", "--json", "--out", str(tmp_path / "run"), shell=CLOSED_STDIN)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "finished"


@pytest.mark.parametrize("arguments", [("ask", "What is it?", "-"), ("parse", "-", "--dialect", "kimi")])
def test_standard_input_that_is_closed_cannot_be_read_and_that_is_usage(arguments: tuple[str, ...]) -> None:
    done = left(*arguments, "--json", shell=CLOSED_STDIN)
    told = "standard input is closed: there is nothing to read"
    assert (done.returncode, json.loads(done.stdout), done.stderr) == (2, {"error": told}, f"error: {told}\n")


@needs_full
@pytest.mark.parametrize(("arguments", "unbuffered"), [(("profiles", "--json"), ""), (("--version",), "1")])
def test_a_full_disk_behind_standard_output_is_one_line(arguments: tuple[str, ...], unbuffered: str) -> None:
    done = left(*arguments, shell=f'exec "$@" >{FULL}', PYTHONUNBUFFERED=unbuffered)
    assert (done.returncode, done.stderr.strip()) == (3, NO_SPACE)


@needs_full
@pytest.mark.slow
def test_an_answer_that_cannot_be_written_is_one_line() -> None:
    done = left("ask", "What is it?", "--max-new-tokens", "2", "--device", "cpu", shell=f'exec "$@" >{FULL}')
    assert (done.returncode, done.stderr.splitlines()[-1]) == (3, NO_SPACE)
    assert "Traceback" not in done.stderr


def test_a_reader_that_leaves_is_told_nothing() -> None:
    done = left("--help", shell='{ "$@"; echo "left with $?" >&2; } | true')
    assert done.stderr == "left with 1\n"


def started(*arguments: str, shell: str = 'exec "$@"') -> subprocess.Popen[str]:
    """A command that is loading its parts just now."""
    command = ["sh", "-c", shell, "sh", *MOONHAND, *arguments]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    loaded, deadline_s = Path(f"/proc/{program.pid}/maps"), time.monotonic() + PATIENCE_S
    while "pydantic_core" not in loaded.read_text() and time.monotonic() < deadline_s:
        time.sleep(0.01)
    return program


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_what_is_stopped_while_it_starts_says_so_to_programs(signum: signal.Signals, code: int) -> None:
    with started("run", "press End", "--url", "about:blank", "--json") as program:
        program.send_signal(signum)
        out, err = program.communicate(timeout=PATIENCE_S)
    assert (program.returncode, json.loads(out), err) == (code, {"error": "stopped"}, "stopped\n")


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_what_is_stopped_before_its_command_listens_says_so(name: str, code: int) -> None:
    program = (
        "import signal; from moonhand.tasks import __main__, cli; "
        f"cli.welcome = lambda: signal.raise_signal(signal.{name}); __main__.main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE_S)
    assert (done.returncode, done.stdout, done.stderr.split()) == (code, "", ["stopped"])


def test_a_closed_terminal_that_is_ignored_is_ignored_from_the_start() -> None:
    with started("profiles", "--json", shell="trap '' HUP; exec \"$@\"") as program:
        program.send_signal(signal.SIGHUP)
        out, err = program.communicate(timeout=PATIENCE_S)
    told: dict[str, Any] = json.loads(out)
    assert (program.returncode, err) == (0, "")
    assert told
