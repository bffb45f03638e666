"""MiniWoB++ as an evaluation: which tasks there are, what stands on the disk, both rules, and pages in a Chromium."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from moonhand.agent import ScriptedPolicy
from moonhand.envs import BrowserEnv, Click, EnvError, Frame
from moonhand.tasks.console import with_plain_errors
from moonhand.tasks.errors import BadRequest
from moonhand.tasks.evals.episode_log import EPISODES, MANIFEST, RESULT, TIMINGS, EpisodeLog, EpisodeRow, EpisodeTiming
from moonhand.tasks.evals.episode_score import score_episodes
from moonhand.tasks.evals.episodes import (
    EpisodePlan,
    Player,
    manifest_of,
    oracle_player,
    pages_sha256,
    play_episodes,
    random_player,
)
from moonhand.tasks.evals.episodes_command import episodes
from moonhand.tasks.miniwob.catalogue import GROUPS, UNREGISTERED, all_tasks, tasks_called
from moonhand.tasks.miniwob.episodes import (
    EVALUATION_SEEDS,
    FLIGHT,
    TRAIN_TASKS,
    UNSEEN_TASKS,
    Episode,
    open_browser,
    play_policy,
)
from moonhand.tasks.miniwob.random_clicker import QUERY_PX, RandomClicker
from moonhand.tasks.miniwob.serving import served_pages
from typer.testing import CliRunner

SEED = EVALUATION_SEEDS.start
ORACLE_TASKS = TRAIN_TASKS[:10]
MOVING = ("chase-circle",)  # pictures that differ under the same seed
app = typer.Typer()
app.command()(with_plain_errors(episodes))


@pytest.fixture(scope="module")
def env(chromium: str) -> Iterator[BrowserEnv]:
    with open_browser(executable=chromium) as opened:
        yield opened


def test_there_are_130_pages_and_4_of_flightwob_in_groups_as_others_count_them() -> None:
    tasks = all_tasks()
    assert len(tasks) == len(set(tasks)) == 134
    assert [task for task in tasks if task.startswith(FLIGHT)] == [
        *("flight.AA", "flight.Alaska", "flight.Alaska-auto", "flight.Alaska-auto-medium")
    ]
    assert set(tasks) >= UNREGISTERED
    sizes = {group: len(tasks_called(group)) for group in GROUPS}
    assert sizes == {"all": 134, "upstream": 128, "browsergym": 125, "trained": 20, "unseen": 10}
    assert tasks_called("unseen") == UNSEEN_TASKS


def test_tasks_are_named_with_commas_between_and_a_wrong_name_gets_a_hint() -> None:
    assert tasks_called("click-link, click-tab,click-link") == ("click-link", "click-tab")
    with pytest.raises(BadRequest, match="did you mean click-tab"):
        tasks_called("click-tabb")
    with pytest.raises(BadRequest, match="groups are all"):
        tasks_called("zzzzzz")
    with pytest.raises(BadRequest, match="name the tasks"):
        tasks_called(" , ")


def test_a_random_clicker_clicks_the_same_points_below_the_task_line_for_the_same_seed(frames: Sequence[Frame]) -> None:
    small, flight = frames
    clicks = [_click(seed, small) for seed in range(300)]
    assert clicks == [_click(seed, small) for seed in range(300)]
    assert len(set(clicks)) > 290
    assert min(click.y_px for click in clicks) >= QUERY_PX
    assert max(click.y_px for click in clicks) > 410
    assert max(click.x_px for click in clicks) > 310
    assert min(_click(seed, flight).y_px for seed in range(300)) < QUERY_PX


def _click(seed: int, frame: Frame) -> Click:
    (action,) = RandomClicker(str(seed)).reply("", frame, ()).actions or (None,)
    assert isinstance(action, Click)
    return action


@pytest.fixture
def frames() -> tuple[Frame, Frame]:
    import numpy as np

    return Frame(np.zeros((420, 320, 3), np.uint8)), Frame(np.zeros((1334, 750, 3), np.uint8))


def row(task: str, seed: int, raw_reward: float = 0.0, **more: Any) -> EpisodeRow:
    fields: dict[str, Any] = {"done": True, "steps": 2, "utterance": "go", **more}
    return EpisodeRow(
        task=task, seed=seed, solved=raw_reward == 1, rewarded=raw_reward > 0, raw_reward=raw_reward, **fields
    )


def timing(task: str, seed: int) -> EpisodeTiming:
    return EpisodeTiming(task=task, seed=seed, model_s=0.1, wall_s=0.2, attempts=1)


def test_both_rules_count_every_episode_and_the_mean_is_over_tasks() -> None:
    rows = [row("a", 0, 1.0), row("a", 1, 0.5), row("a", 2, -1.0), row("b", 0, 1.0)]
    rows.append(row("b", 1, done=False, failure="timed_out", error="120 s are over"))
    score = score_episodes(rows)
    told = score.to_json()
    assert told["solved"]["mean_over_tasks"] == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert told["rewarded"]["mean_over_tasks"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert (told["solved"]["count"], told["rewarded"]["count"], told["num_episodes"]) == (2, 3, 5)
    assert told["solved"]["ci95"] == pytest.approx([0.1176, 0.7693], abs=1e-4)  # Wilson of 2 of 5
    assert "raw reward = 1" in told["solved"]["rule"]
    assert "BrowserGym" in told["rewarded"]["rule"]
    assert told["tasks"]["a"]["mean_raw_reward"] == pytest.approx(0.5 / 3)
    assert told["failures"] == {"timed_out": 1}
    assert told["failed"] == [{"task": "b", "seed": 1, "failure": "timed_out", "error": "120 s are over"}]
    with pytest.raises(ValueError, match="no episode"):
        score_episodes([])


def test_a_log_goes_on_after_a_line_cut_short_and_ends_in_the_order_of_the_plan(tmp_path: Path) -> None:
    plan = [("a", 0), ("a", 1), ("b", 0)]
    with EpisodeLog(tmp_path, {"x": 1}, plan) as log:
        log.add(row("b", 0, 1.0), timing("b", 0))
        log.add(row("a", 0, 0.5, replies=("click",)), timing("a", 0))
    whole = (tmp_path / EPISODES).read_bytes()
    with (tmp_path / EPISODES).open("ab") as file:
        file.write(b'{"task": "a", "se')
    with EpisodeLog(tmp_path, {"x": 1}, plan) as log:
        assert (tmp_path / EPISODES).read_bytes() == whole
        assert [kept.key for kept in log.rows] == [("a", 0), ("b", 0)]
        assert ("a", 1) not in log
        assert log.rows[0] == row("a", 0, 0.5, replies=("click",))
        log.add(row("a", 1), timing("a", 1))
        log.finish({"n": 3})
    assert [json.loads(line)["task"] for line in (tmp_path / EPISODES).read_text().splitlines()] == ["a", "a", "b"]
    assert json.loads((tmp_path / RESULT).read_text()) == {"n": 3}
    assert len((tmp_path / TIMINGS).read_text().splitlines()) == 3


def test_a_folder_of_another_run_or_one_being_written_is_refused(tmp_path: Path) -> None:
    with EpisodeLog(tmp_path, {"x": 1, "seed": 2}, [("a", 0)]) as log:
        log.add(row("a", 0), timing("a", 0))
        with pytest.raises(BadRequest, match="another run is writing"), EpisodeLog(tmp_path, {"x": 1}, []):
            pass
    with pytest.raises(BadRequest, match="seed is 2 there and not given here"), EpisodeLog(tmp_path, {"x": 2}, []):
        pass
    with pytest.raises(BadRequest, match="no episode of this run"), EpisodeLog(tmp_path, {"x": 1, "seed": 2}, []):
        pass
    (tmp_path / EPISODES).write_text("{}\n")
    with pytest.raises(BadRequest, match=r"episodes.jsonl:1: no line"), EpisodeLog(tmp_path, {"x": 1, "seed": 2}, []):
        pass


def test_a_plan_says_what_its_seeds_are_kept_for() -> None:
    plan = EpisodePlan(tasks=("a", "b"), episodes=2)
    assert plan.keys == (("a", SEED), ("a", SEED + 1), ("b", SEED), ("b", SEED + 1))
    assert plan.seeds_kept_for == "evaluation"
    assert replace(plan, first_seed=99_999).seeds_kept_for == "training and development"
    assert replace(plan, first_seed=5_000_000).seeds_kept_for == "nothing"
    with pytest.raises(ValueError, match="at least one episode"):
        replace(plan, episodes=0)


def test_a_manifest_says_which_pages_and_holds_no_times() -> None:
    plan = EpisodePlan(tasks=("click-test",), episodes=2)
    manifest = manifest_of(plan, random_player())
    assert manifest["pages"]["sha256"] == pages_sha256()
    assert manifest == json.loads(json.dumps(manifest_of(plan, random_player())))


def test_what_cannot_be_played_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="the oracle knows only"):
        oracle_player(("click-shape",))
    for arguments, said in (
        (["screenspot"], "no episodes of"),
        (["miniwob", "--tasks", "nope", "--model", "random"], "no task 'nope'"),
        (["miniwob", "--tasks", "all", "--model", "oracle"], "knows only"),
    ):
        left = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "run")])
        assert left.exit_code == 2
        assert said in left.stderr.replace("\n", " ")
    assert not (tmp_path / "run").exists()


@pytest.mark.browser
def test_the_command_plays_scores_and_does_not_play_again(chromium: str, tmp_path: Path) -> None:
    asked = ["miniwob", "--tasks", "click-test,focus-text", "--episodes", "1", "--model", "oracle", "--json"]
    asked += ["--out", str(tmp_path / "run")]
    left = CliRunner().invoke(app, [*asked, "--chromium", chromium])
    assert left.exit_code == 0, left.stderr
    told = json.loads(left.stdout)
    assert (told["solved"]["mean_over_tasks"], told["rewarded"]["mean_over_tasks"]) == (1.0, 1.0)
    assert (told["num_tasks"], told["num_episodes"], told["seeds_kept_for"]) == (2, 2, "evaluation")
    assert "raw reward > 0 (BrowserGym)" in left.stderr
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == sorted((EPISODES, MANIFEST, RESULT, TIMINGS))
    before = [(tmp_path / "run" / name).read_bytes() for name in (EPISODES, TIMINGS)]
    again = CliRunner().invoke(app, [*asked, "--chromium", chromium])
    assert (again.exit_code, again.stdout) == (0, left.stdout)
    assert [(tmp_path / "run" / name).read_bytes() for name in (EPISODES, TIMINGS)] == before
    other = CliRunner().invoke(app, [*asked, "--chromium", chromium, "--seed", "7"])
    assert other.exit_code == 2
    assert "first_seed is 1000000 there and 7 here" in other.stderr.replace("\n", " ")


@pytest.mark.browser
def test_a_run_that_is_stopped_says_what_is_kept_and_how_to_go_on(chromium: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-m", "moonhand.tasks", "eval", "episodes", "miniwob", "--tasks", "trained"]
    command += ["--model", "random", "--chromium", chromium, "--json", "--out", str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        while running.poll() is None and not ((out / EPISODES).exists() and (out / EPISODES).stat().st_size):
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        stdout, stderr = running.communicate(timeout=60)
    assert running.returncode == 130
    done = len((out / EPISODES).read_text().splitlines())
    assert json.loads(stdout) == {"stopped": True, "done": done, "total": 100, "out": str(out)}
    assert f"stopped: {done} of 100 episodes are in {out}; to go on: moonhand eval episodes miniwob" in stderr


@pytest.mark.browser
def test_a_task_whose_sentence_comes_with_fields_starts_too_and_time_can_run_out(env: BrowserEnv) -> None:
    slow = ScriptedPolicy([Click(x_px=1, y_px=1)] * 9, delay_s=0.2)
    result = play_policy(slow, "email-inbox-nl-turk", SEED, env=env, limit_s=0.1)
    assert isinstance(result.utterance, str)
    assert (result.timed_out, result.done, result.steps, result.raw_reward) == (True, False, 1, 0)


@pytest.mark.browser
@pytest.mark.slow
def test_an_episode_whose_browser_fails_is_tried_in_another_and_then_counts_as_crashed(chromium: str) -> None:
    tries: list[int] = []

    def choose(env: BrowserEnv, task: str, seed: int) -> RandomClicker:
        tries.append(seed)
        if seed == SEED or len(tries) == 3:
            raise EnvError("the page is gone")
        return RandomClicker("")

    plan = EpisodePlan(tasks=("click-test",), episodes=2, max_steps=1)
    player = Player("frail", {}, choose)
    with closing(play_episodes(plan, player, executable=chromium)) as playing:
        (first, first_timing), (second, second_timing) = playing
    assert tries == [SEED, SEED, SEED + 1, SEED + 1]
    assert (first.failure, first.error, first_timing.attempts) == ("crashed", "EnvError: the page is gone", 2)
    assert not first.solved
    assert (second.failure, second.steps, second_timing.attempts) == (None, 1, 2)


@pytest.mark.browser
@pytest.mark.slow
def test_every_page_starts_and_scores_and_a_seed_gives_the_same_picture(chromium: str) -> None:
    moved: list[str] = []
    with served_pages() as site:
        for flight in (False, True):
            with open_browser(executable=chromium, flight=flight) as window:
                for task in (task for task in all_tasks() if task.startswith(FLIGHT) == flight):
                    looks = [_start(window, task, site) for _ in range(2)]
                    if looks[0] != looks[1]:
                        moved.append(task)
    assert set(moved) <= set(MOVING)


def _start(window: BrowserEnv, task: str, site: str) -> tuple[str, str]:
    episode = Episode(window, task, SEED, site=site)
    assert episode.outcome() == (False, 0.0), task
    assert isinstance(episode.utterance, str), task
    assert episode.utterance, task
    picture = episode.observe().sha256
    window.evaluate("(core.endEpisode(0.5), 0)")
    assert episode.outcome() == (True, 0.5), task
    return episode.utterance, picture


@pytest.mark.browser
@pytest.mark.slow
def test_the_oracle_solves_5_seeds_of_10_tasks(chromium: str) -> None:
    plan = EpisodePlan(tasks=ORACLE_TASKS, episodes=5)
    rows = [row for row, _ in play_episodes(plan, oracle_player(ORACLE_TASKS), executable=chromium)]
    score = score_episodes(rows)
    assert (score.of_all("solved").count, score.of_all("solved").n) == (50, 50)


@pytest.mark.browser
@pytest.mark.slow
def test_a_run_killed_at_any_time_goes_on_and_ends_as_one_that_was_not(chromium: str, tmp_path: Path) -> None:
    code = "import typer; from moonhand.tasks.evals.episodes_command import episodes; typer.run(episodes)"
    asked = ["miniwob", "--tasks", "click-test,click-color,focus-text", "--episodes", "3", "--model", "random"]
    asked += ["--max-steps", "3", "--chromium", chromium, "--out"]
    command = [sys.executable, "-c", code, *asked]
    subprocess.run([*command, str(tmp_path / "whole")], check=True, capture_output=True, timeout=300)
    for num_lines in (1, 4):
        running = subprocess.Popen(
            [*command, str(tmp_path / "killed")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        file = tmp_path / "killed" / EPISODES
        while not file.exists() or file.read_bytes().count(b"\n") < num_lines:
            assert running.poll() is None
            time.sleep(0.02)
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
    subprocess.run([*command, str(tmp_path / "killed")], check=True, capture_output=True, timeout=300)
    for name in (EPISODES, RESULT, MANIFEST):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
