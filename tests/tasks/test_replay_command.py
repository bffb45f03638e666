"""`moonhand replay` and `moonhand traj diff`, as they are typed."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from moonhand.agent import ScriptedPolicy, Trajectory, browser, read_trajectory, run_to_end
from moonhand.envs import BrowserConfig, BrowserEnv, Click, Size, TypeText
from moonhand.tasks.cli import app
from moonhand.tasks.kept_screen import with_a_page
from typer.testing import CliRunner

PAGE = """<!doctype html><title>Join</title><body style="font: 15px sans-serif; margin: 30px">
<label>Email <input id=email></label><p><button onclick="said.textContent = 'Thanks'">Join</button> <b id=said></b>"""


def moonhand(*args: object) -> tuple[int, str, str]:
    left = CliRunner().invoke(app, [*map(str, args)], catch_exceptions=False)
    return left.exit_code, left.stdout, left.stderr


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "page.html").write_text(PAGE)
    url = (folder / "page.html").as_uri()
    told = {"url": url, "viewport": {"width_px": 300, "height_px": 200}, "surface": "headless", "scale": 1.0}
    actions = [Click(x_px=150, y_px=40), TypeText(text="ada@x.org"), Click(x_px=50, y_px=80)]
    with BrowserEnv(BrowserConfig(url=url, viewport=Size(300, 200))) as env:
        with Trajectory(folder / "run", goal="join", env=told) as trajectory:
            run_to_end(env, ScriptedPolicy(actions), "join", trajectory)
        assert env.evaluate("said.textContent") == "Thanks"
    return folder / "run"


@pytest.mark.browser
def test_a_recording_is_replayed_healed_and_mended(recorded: Path, tmp_path: Path) -> None:
    assert moonhand("replay", recorded, "--name", "2=email")[0] == 0
    page = recorded.parent / "page.html"
    page.write_text(PAGE.replace("margin: 30px", "margin: 60px 30px"))
    left, out, _ = moonhand(
        "replay", recorded, "--set", "email=grace.hopper@y.org", "--out", tmp_path / "healed", "--json"
    )
    told = json.loads(out)
    assert (left, told["status"], [one["kind"] for one in told["healed"]]) == (0, "finished", ["moved", "moved"])
    typed = read_trajectory(tmp_path / "healed").steps[1].action
    assert isinstance(typed, TypeText)
    assert typed.text == "grace.hopper@y.org"
    left, out, _ = moonhand("replay", recorded, "--mode", "exact", "--out", tmp_path / "exact", "--json")
    assert (left, json.loads(out)["divergence"]["kind"]) == (1, "moved")
    left, out, _ = moonhand("traj", "diff", tmp_path / "healed", "--picture", tmp_path / "diff.png")
    assert (left, (tmp_path / "diff.png").read_bytes()[:4]) == (0, b"\x89PNG")
    assert "click (50, 110)" in out
    left, out, _ = moonhand("traj", "diff", tmp_path / "healed", "--accept", "all", "--json")
    assert (left, json.loads(out)["decided"]) == (0, [1, 2])
    mended = read_trajectory(recorded).steps[2]
    assert mended.action == Click(x_px=50, y_px=110)
    assert mended.effect is not None
    assert mended.effect.detail == "click (50, 110); moved by (+0, +30) px"
    shown = " ".join(moonhand("traj", "show", recorded, "--step", "3")[1].split())
    assert "healed moved by (+0, +30) px (by pixels) recorded at first click (50, 80)" in shown


@pytest.mark.browser
def test_what_a_program_did_is_replayed_on_a_screen_of_the_same_size(recorded: Path, tmp_path: Path) -> None:
    (recorded.parent / "other.html").write_text(PAGE)
    url = (recorded.parent / "other.html").as_uri()
    with browser(url, viewport=(310, 220), record=tmp_path / "run") as screen:
        screen.perform(Click(x_px=50, y_px=80))
    left, out, _ = moonhand("replay", tmp_path / "run", "--out", tmp_path / "again", "--json")
    assert (left, json.loads(out)["status"], json.loads(out)["differs_after"]) == (0, "finished", [])
    assert read_trajectory(tmp_path / "again").steps[0].before.size == Size(310, 220)


def test_the_record_of_a_program_keeps_no_password(tmp_path: Path) -> None:
    screen = browser("https://ada:hunter2@shop.example/cart", record=tmp_path / "run")
    assert screen.told["url"] == "https://ada:***@shop.example/cart"


@pytest.mark.browser
def test_a_recording_starts_no_program_and_what_it_asked_about_is_asked_again(recorded: Path, tmp_path: Path) -> None:
    folder, program = tmp_path / "run", tmp_path / "program"
    shutil.copytree(recorded, folder)
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\nexit 1\n")
    program.chmod(0o755)
    told = json.loads((folder / "run.json").read_text())
    told["env"] |= {"chromium": str(program)}
    told["config"]["approve"] = "always"
    (folder / "run.json").write_text(json.dumps(told))
    left, out, said = moonhand("replay", folder, "--out", tmp_path / "out", "--json")
    assert (left, json.loads(out)["status"]) == (6, "needs_user")
    assert f"to repeat it, where you trust it: --chromium {program}" in said
    assert not (tmp_path / "started").exists()
    assert json.loads((tmp_path / "out" / "run.json").read_text())["config"]["approve"] == "always"


@pytest.mark.browser
def test_ctrl_c_while_the_browser_opens_is_told_in_json(recorded: Path, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\nkill -INT {os.getpid()}\nsleep 2\n")  # what the person at the terminal does
    program.chmod(0o755)
    left, out, _ = moonhand("replay", recorded, "--chromium", program, "--out", tmp_path / "out", "--json")
    told = json.loads(out)
    assert (left, told["status"], told["steps"], told["trajectory"]) == (130, "stopped", 0, None)
    assert not (tmp_path / "out" / "run.json").exists()


@pytest.mark.browser
def test_an_import_is_replayed_on_the_page_of_its_first_step(recorded: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(recorded, folder)
    told = json.loads((folder / "run.json").read_text())
    told |= {"imported_from": {"format": "zeta"}, "env": told["env"] | {"url": None}}
    (folder / "run.json").write_text(json.dumps(told))
    recording = read_trajectory(folder)
    assert with_a_page(recording, {})["url"] == (recorded.parent / "page.html").as_uri()
    assert with_a_page(recording, {"url": "http://x"}) == told["env"]
    lines = [json.loads(line) | {"surroundings": None} for line in (folder / "steps.jsonl").read_text().splitlines()]
    (folder / "steps.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    left, out, _ = moonhand("replay", folder, "--json")
    assert left == 2
    assert json.loads(out)["error"].startswith("the import from zeta does not say where it was done: give --url URL")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--set", "email"), "--set 'email' is not NAME=TEXT"),
        (("--set", "nobody=x"), "has no variable 'nobody'"),
        (("--name", "1=x"), "step 1 types no text; those that do: 2"),
        (("--name", "x=1"), "give the step by its number"),
        (("--url", "http://x", "--desktop"), "choose one screen"),
        (("--viewport", "wide"), "--viewport: "),
        (("--step", "--approve", "never"), "leave out --approve"),
    ],
)
@pytest.mark.browser
def test_a_wrong_flag_is_told_before_anything_opens(recorded: Path, args: tuple[str, ...], said: str) -> None:
    left, _, told = moonhand("replay", recorded, *args)
    assert left == 2
    assert said in told


def test_what_is_no_recording_or_no_replay_is_told(tmp_path: Path) -> None:
    left, _, told = moonhand("replay", tmp_path)
    assert (left, "holds no trajectory" in told) == (3, True)
    left, _, told = moonhand("traj", "diff", tmp_path)
    assert (left, "holds no trajectory" in told) == (3, True)


@pytest.mark.browser
def test_what_cannot_be_replayed_whole_is_refused_before_a_browser_starts(
    recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MOONHAND_SECRET_PIN", raising=False)
    folder = tmp_path / "run"
    shutil.copytree(recorded, folder)
    assert moonhand("replay", folder, "--name", "2=mail")[0] == 0
    lines = (folder / "steps.jsonl").read_text().splitlines(keepends=True)
    (folder / "steps.jsonl").write_text("".join(line.replace("ada@x.org", "{{secret:pin}}") for line in lines))
    left, _, said = moonhand("replay", folder, "--chromium", "/nowhere")
    assert (left, "MOONHAND_SECRET_PIN" in said) == (2, True)
    (folder / "steps.jsonl").write_text("".join([lines[0], "garbage\n", *lines[2:]]))
    left, _, said = moonhand("replay", folder, "--chromium", "/nowhere")
    assert (left, "the recording is damaged" in said) == (3, True)
    (folder / "steps.jsonl").write_text(lines[0])  # whole lines, and too few
    assert "can be read" in moonhand("replay", folder, "--chromium", "/nowhere")[2]


@pytest.mark.browser
def test_a_name_stays_with_the_step_that_it_was_given(recorded: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(recorded, folder)
    lines = (folder / "steps.jsonl").read_text().splitlines(keepends=True)
    (folder / "steps.jsonl").write_text("".join([*lines, lines[1].replace('"index": 1', '"index": 4')]))
    assert moonhand("replay", folder, "--name", "2=post")[0] == 0
    left, _, said = moonhand("replay", folder, "--name", "5=post")
    assert (left, "is the text of step 2 already" in said) == (2, True)
