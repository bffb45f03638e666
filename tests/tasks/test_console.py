"""What all commands share: who is to blame for a file that cannot be written, and errors that nobody expected."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from moonhand.tasks.cli import app
from moonhand.tasks.console import CannotWrite, make_folder, print_json, write_file
from moonhand.tasks.errors import BadRequest
from typer.testing import CliRunner

BROKEN = """
import sys
import typer
from moonhand.tasks.__main__ import main
from moonhand.tasks.cli import app

@app.command()
def broken(as_json: bool = typer.Option(False, "--json")) -> None:
    raise LookupError("nobody thought of this")

sys.argv = ["moonhand", "broken", *sys.argv[1:]]
main()
"""


def test_a_path_that_is_wrong_is_usage_and_a_disk_that_is_full_is_the_environment(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for wrong in (tmp_path, tmp_path / "none" / "a.txt", tmp_path / "file" / "a.txt"):
        with pytest.raises(BadRequest, match="name another place"):
            write_file(wrong, b"words")
    for taken in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(BadRequest, match="name another place"):
            make_folder(taken)
    if not Path("/dev/full").exists():
        pytest.skip("only Linux has a disk that is always full")
    with pytest.raises(CannotWrite, match="make room"):
        write_file(Path("/dev/full"), b"words")


LONG = "click Next; " * 30  # longer than a file's name may be


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("run", LONG), "choose one screen"),  # a goal like any other
        (("ask", LONG, "no.png"), "there is no file no.png"),
        (("ask", "What is this?", LONG), "there is no file click Next"),
        (("traj", "check", LONG), "no file has so long a name: click Next"),
        (("ask", "What is this?", "--model", LONG), "no file has so long a name: click Next"),
    ],
)
def test_words_too_long_for_a_file_are_words_or_one_clear_error(command: tuple[str, ...], told: str) -> None:
    left = CliRunner().invoke(app, [*command, "--json"], catch_exceptions=False)
    assert left.exit_code == 2
    assert told in json.loads(left.stdout)["error"]


def test_numbers_that_json_has_not_are_printed_as_null(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [float("nan"), (float("-inf"), 1.5)], "b": {"c": float("inf")}})
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail) == {
        "a": [None, [None, 1.5]],
        "b": {"c": None},
    }


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        (("model", "list", "nosuch"), 2, "nosuch is no folder"),
        (("ask", "What is this?", "--model", ""), 4, "no model is named"),
    ],
)
def test_a_name_of_nothing_is_told(command: tuple[str, ...], code: int, told: str) -> None:
    left = CliRunner().invoke(app, [*command, "--json"], catch_exceptions=False)
    assert left.exit_code == code
    assert told in json.loads(left.stdout)["error"]


def test_an_error_that_nobody_expected_is_json_too_where_asked() -> None:
    told = subprocess.run([sys.executable, "-c", BROKEN, "--json"], capture_output=True, text=True, timeout=60)
    assert told.returncode == 1
    assert json.loads(told.stdout) == {"error": "LookupError: nobody thought of this"}
    assert "Traceback" in told.stderr
