"""Ctrl-C while a command that has told all puts the rest away."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

PROGRAM = """
import atexit, sys, threading, time
import typer
from moonhand.tasks.__main__ import main
from moonhand.tasks.cli import app

@app.command()
def told(late: str, as_json: bool = typer.Option(False, "--json")) -> None:
    if late == "thread":
        threading.Thread(target=time.sleep, args=(60,)).start()
    else:
        atexit.register(time.sleep, 1.5)
    typer.echo("{}")

sys.argv = ["moonhand", "told", *sys.argv[1:], "--json"]
main()
"""


@pytest.mark.parametrize(("late", "code"), [("thread", 130), ("callback", 0)])
def test_ctrl_c_at_the_very_end_adds_no_word(late: str, code: int) -> None:
    command = [sys.executable, "-c", PROGRAM, late]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "{}\n"
        time.sleep(0.5)
        program.send_signal(signal.SIGINT)
        time.sleep(0.1)
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=30)
    assert (program.returncode, out, err) == (code, "", "")
