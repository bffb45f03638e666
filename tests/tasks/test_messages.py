"""What a command says of arguments that are nearly right, and with which code it leaves."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from moonhand.agent import browser
from moonhand.tasks.cli import app
from PIL import Image
from typer.testing import CliRunner

QUICKSTART_URL = "data:text/html,<button>Go</button>"


def left_with(*words: str | Path) -> tuple[int, str]:
    """The exit code, and what was said to people, in one line."""
    left = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    return left.exit_code, " ".join(left.stderr.split())


@pytest.mark.parametrize("command", [("run", "click Go"), ("shot", "out.png"), ("record",)])
def test_a_hosts_name_for_a_url_is_refused_before_a_browser_starts(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "page.html").touch()
    how = ("--chromium", "/nowhere/chromium")  # whose absence would be another error
    code, said = left_with(*command, "--url", "example.com", *how)
    assert (code, said) == (2, "error: example.com is no URL: did you mean https://example.com?")
    code, said = left_with(*command, "--url", "page.html", *how)
    assert (code, said) == (2, f"error: page.html is no URL: did you mean {tmp_path.resolve().as_uri()}/page.html?")


def test_a_hosts_name_for_a_url_is_refused_in_python_too() -> None:
    with pytest.raises(ValueError, match=r"did you mean https://example\.com\?"), browser("example.com"):
        pytest.fail("the body must not start")


def test_a_model_that_is_none_is_told_what_models_there_are(tmp_path: Path) -> None:
    picture = tmp_path / "screen.png"
    Image.new("RGB", (56, 56)).save(picture)
    code, said = left_with("ground", picture, "click Go", "--model", "nanno")
    assert code == 4
    assert said == "error: nanno is no folder: give 'nano', the folder of a checkpoint, or openai:URL#NAME"


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_a_device_that_is_not_here_is_left_out_or_installed_for(tmp_path: Path) -> None:
    picture = tmp_path / "screen.png"
    Image.new("RGB", (56, 56)).save(picture)
    code, said = left_with("ground", picture, "click Go", "--device", "cuda")
    assert code == 4
    assert "device cuda is not there" in said
    assert "Leave the device out" in said


@pytest.mark.parametrize("command", [("run", "click Go"), ("record",)])
def test_a_folder_for_a_run_that_cannot_be_made_is_named_by_its_own_flag(command: tuple[str, ...]) -> None:
    code, said = left_with(*command, "--url", QUICKSTART_URL, "--out", "/dev/null/x")
    assert code == 2
    assert said.startswith("error: --out /dev/null/x: /dev/null is a file")


def test_a_folder_is_no_picture(tmp_path: Path) -> None:
    code, said = left_with("ground", tmp_path, "click Go")
    assert (code, said) == (2, f"error: {tmp_path} is a folder: name a picture in it")


def test_where_runs_are_listed_stands_beside_one_that_is_missing(tmp_path: Path) -> None:
    code, said = left_with("traj", "show", tmp_path / "none")
    assert code == 3
    assert said.endswith("none holds no trajectory: run.json: No such file or directory. `moonhand traj ls` lists "
                         "those under ./runs")  # fmt: skip


def test_a_missing_extra_is_the_environments_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = tmp_path / "screen.png"
    Image.new("RGB", (56, 56)).save(picture)
    monkeypatch.setitem(sys.modules, "httpx2", None)
    code, said = left_with("ground", picture, "click Go", "--model", "openai:http://127.0.0.1:9/v1")
    assert (code, "pip install 'moonhand[remote]'" in said) == (3, True)


@pytest.mark.parametrize(("command", "place"), [("train", "RUNS"), ("ask", "FILE")])
def test_the_dots_behind_what_may_be_several_stand_there_once(command: str, place: str) -> None:
    told = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).stdout
    (usage,) = (line for line in told.splitlines() if "Usage:" in line)
    assert place in usage
    assert usage.count("...") == 1
