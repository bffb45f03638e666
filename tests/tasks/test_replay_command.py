"""`moonhand replay` and `moonhand traj diff`, as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from moonhand.agent import ScriptedPolicy, Trajectory, read_trajectory, run_to_end
from moonhand.envs import BrowserConfig, BrowserEnv, Click, Size, TypeText
from moonhand.tasks.cli import app
from moonhand.tasks.errors import BadRequest
from moonhand.tasks.replay_command import moved_pages, screen_of
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
    left, out, said = moonhand("traj", "diff", tmp_path / "healed", "--picture", tmp_path / "diff.png")
    assert (left, (tmp_path / "diff.png").read_bytes()[:4]) == (0, b"\x89PNG")
    assert "click (50, 110)" in said
    left, out, _ = moonhand("traj", "diff", tmp_path / "healed", "--accept", "all", "--json")
    assert (left, json.loads(out)["decided"]) == (0, [1, 2])
    assert read_trajectory(recorded).steps[2].action == Click(x_px=50, y_px=110)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--set", "email"), "--set 'email' is not NAME=TEXT"),
        (("--set", "nobody=x"), "has no variable 'nobody'"),
        (("--name", "1=x"), "step 1 types no text; those that do: 2"),
        (("--name", "x=1"), "give the step by its number"),
        (("--url", "http://x", "--desktop"), "choose one screen"),
        (("--viewport", "wide"), "--viewport: "),
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


def test_the_screen_is_as_recorded_unless_flags_say_otherwise(tmp_path: Path) -> None:
    recorded = {"url": "http://a/x", "viewport": {"width_px": 300, "height_px": 200}, "scale": 2.0, "dialogs": "accept"}
    same = screen_of(recorded, {"url": None, "downloads": tmp_path})
    assert (same.url, same.viewport, same.scale, same.dialogs) == ("http://a/x", Size(300, 200), 2.0, "accept")
    other = screen_of(recorded, {"virtual": Size(640, 480)})
    assert (other.url, other.virtual) == (None, Size(640, 480))
    with pytest.raises(BadRequest, match="does not say which screen"):
        screen_of({}, {})
    with pytest.raises(BadRequest, match="password"):
        screen_of(recorded | {"http_auth": "me:***"}, {})


def test_a_page_opened_elsewhere_stands_for_the_recorded_one() -> None:
    assert moved_pages({"url": "https://a.example/x"}, "http://localhost:8000/x") == {
        "https://a.example/x": "http://localhost:8000/x",
        "https://a.example": "http://localhost:8000",
    }
    assert moved_pages({"url": "https://a.example/x"}, "https://a.example/x") == {}
