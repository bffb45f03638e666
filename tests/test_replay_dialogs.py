"""What a recording keeps beside the pixels: the words of a dialog, and what another tab shows."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from moonhand.agent import RunConfig, RunResult, ScriptedPolicy, Trajectory, read_trajectory, run_to_end
from moonhand.agent.replay import ReplayConfig, name_variable, read_report, replay_to_end
from moonhand.envs import (
    Action,
    AnswerDialog,
    BrowserConfig,
    BrowserEnv,
    Click,
    CloseTab,
    EnvError,
    Navigate,
    Size,
    SwitchTab,
    TypeText,
)

pytestmark = pytest.mark.browser
SLOW = pytest.mark.slow  # beside others that are tried always
AT_ONCE = ReplayConfig(wait_s=0.3, heal_after_s=0.1, reads=False)
HEAD = "<!doctype html><style>body{margin:0;font:16px sans-serif}button,input{width:200px;height:40px}</style>"


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Generator[BrowserEnv]:
    page = tmp_path_factory.mktemp("page") / "page.html"
    page.write_text(HEAD)
    config = BrowserConfig(url=page.as_uri(), viewport=Size(400, 240), dialogs="ask", settle_s=0.3)
    with BrowserEnv(config) as env:
        yield env


def opened(env: BrowserEnv, folder: Path, pages: dict[str, str]) -> None:
    """The pages as files, with page.html in the only tab."""
    for name, html in pages.items():
        (folder / f"{name}.html").write_text(HEAD + html)
    with suppress(EnvError):
        env.perform(AnswerDialog(accept=False))
    with suppress(EnvError):
        while True:
            env.perform(CloseTab(index=1))
    env.perform(Navigate(url=(folder / "page.html").as_uri()))


def recorded(env: BrowserEnv, folder: Path, pages: dict[str, str], actions: Sequence[Action]) -> None:
    opened(env, folder, pages)
    with Trajectory(folder / "recorded", goal="") as trajectory:
        result = run_to_end(env, ScriptedPolicy(actions), "", trajectory, RunConfig(stop_when_stuck=False))
    assert [step.error for step in read_trajectory(result.path).steps if step.error] == []


def again(env: BrowserEnv, folder: Path, pages: dict[str, str], config: ReplayConfig = AT_ONCE) -> RunResult:
    opened(env, folder, pages)
    with Trajectory(folder / "replay", goal="", source="replay") as trajectory:
        return replay_to_end(read_trajectory(folder / "recorded"), env, trajectory, config)


def divergence(result: RunResult) -> tuple[str, str]:
    told: dict[str, Any] = read_report(result.path)["divergence"]
    return told["kind"], told["said"]


ASKS = "<p><input id=who aria-label=Who></p><button onclick=\"answer = confirm('Remove ' + {})\">Remove</button>"
REMOVE: tuple[Action, ...] = (
    Click(x_px=100, y_px=40),
    TypeText(text="Ada"),
    Click(x_px=100, y_px=92),
    AnswerDialog(accept=True),
)


@pytest.mark.parametrize(
    ("now", "values", "answer"),
    [
        pytest.param("'Ada?'", {}, True, marks=SLOW),
        ("'all, Ada too?'", {}, None),  # the page asks for more
        ("who.value + '?'", {"who": "Grace"}, True),  # another text, typed by the replay
        pytest.param("'Ada?'", {"who": "Grace"}, None, marks=SLOW),  # and not in the dialog
    ],
    ids=["same", "other", "variable", "not the variable"],
)
def test_a_dialog_is_answered_only_where_it_says_what_it_said(
    env: BrowserEnv, tmp_path: Path, now: str, values: dict[str, str], answer: bool | None
) -> None:
    recorded(env, tmp_path, {"page": ASKS.format("who.value + '?'")}, REMOVE)
    name_variable(read_trajectory(tmp_path / "recorded"), "who", 1)
    result = again(env, tmp_path, {"page": ASKS.format(now)}, ReplayConfig(wait_s=0.3, heal_after_s=0.1, values=values))
    if answer is None:
        assert result.status == "diverged"
        kind, said = divergence(result)
        assert (kind, "Remove Ada?" in said) == ("changed", True)
        env.perform(AnswerDialog(accept=False))  # it is open yet
    else:
        assert result.status == "finished", result.error
    assert env.evaluate("answer") is bool(answer)


def test_a_dialog_that_was_not_there_is_not_pressed_away(env: BrowserEnv, tmp_path: Path) -> None:
    page = "<button onclick=\"answer = {}\">Go</button><button style='display:block' onclick='more = 1'>More</button>"
    clicks = (Click(x_px=100, y_px=20), Click(x_px=100, y_px=60))
    recorded(env, tmp_path, {"page": page.format("1")}, clicks)
    result = again(env, tmp_path, {"page": page.format("confirm('Pay?')")})
    assert (result.status, divergence(result)[0]) == ("diverged", "covered")
    env.perform(AnswerDialog(accept=False))
    assert env.evaluate("[answer, typeof more].join()") == "false,undefined"


OPENS = '<button onclick="other = window.open(\'second.html\')">Open</button><button id=turn onclick="{}">Turn</button>'
PRESSED = "<button onclick=\"document.title = 'pressed'\">Yes</button>"


@pytest.mark.parametrize(
    "last", [SwitchTab(index=1), pytest.param(CloseTab(index=1), marks=SLOW)], ids=["switch", "close"]
)
def test_a_tab_that_shows_another_page_is_neither_gone_to_nor_closed(
    env: BrowserEnv, tmp_path: Path, last: Action
) -> None:
    actions: list[Action] = [Click(x_px=100, y_px=20), SwitchTab(index=0), Click(x_px=300, y_px=20), last]
    if isinstance(last, SwitchTab):
        actions.append(Click(x_px=100, y_px=20))
    pages = {"page": OPENS.format("0"), "second": PRESSED, "third": PRESSED}
    recorded(env, tmp_path, pages, actions)
    result = again(env, tmp_path, pages | {"page": OPENS.format("other.location = 'third.html'")})
    assert (result.status, result.steps) == ("diverged", 4)
    kind, said = divergence(result)
    assert kind == "other page"
    assert said.startswith("the tab showed ")
    assert said.endswith("third.html")
    env.perform(SwitchTab(index=1))
    assert env.evaluate("document.title") == ""


@SLOW
def test_a_tab_that_shows_the_same_page_is_gone_to(env: BrowserEnv, tmp_path: Path) -> None:
    pages = {"page": OPENS.format("0"), "second": PRESSED}
    actions = (Click(x_px=100, y_px=20), SwitchTab(index=0), SwitchTab(index=1), Click(x_px=100, y_px=20))
    recorded(env, tmp_path, pages, actions)
    result = again(env, tmp_path, pages)
    assert result.status == "finished", result.error
    assert env.evaluate("document.title") == "pressed"
