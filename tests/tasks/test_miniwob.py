"""MiniWoB++ in a real Chromium: what an episode promises, and an oracle that solves what nano is taught."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
import pytest
from moonhand.agent import ScriptedPolicy, read_trajectory
from moonhand.agent.profiles import NANO_TASK
from moonhand.agent.prompts import agent_turns
from moonhand.envs import BrowserEnv, Click, Size
from moonhand.tasks.errors import BadRequest, TaskError
from moonhand.tasks.miniwob import episodes as miniwob
from moonhand.tasks.miniwob.episodes import TRAIN_TASKS, UNSEEN_TASKS, Episode, open_browser, play, play_policy
from moonhand.tasks.miniwob.oracle import OraclePolicy, next_move
from moonhand.tasks.miniwob.page import read_page
from moonhand.tasks.miniwob.samples import collect, episode_samples, other_sentences
from moonhand.tasks.screens.samples import load_samples

SEED = 1_234  # of training
QUICK_TASKS = ("click-checkboxes-transfer", "click-collapsible", "click-dialog", "enter-text", "grid-coordinate")
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def env(chromium: str) -> Iterator[BrowserEnv]:
    with open_browser(executable=chromium) as opened:
        yield opened


def test_there_are_20_training_tasks_and_10_others_and_every_one_has_a_page() -> None:
    assert len(set(TRAIN_TASKS)) == 20
    assert len(set(UNSEEN_TASKS) - set(TRAIN_TASKS)) == 10
    pages = {path.stem for path in miniwob.pages_folder().glob("*.html")}
    assert pages >= {*TRAIN_TASKS, *UNSEEN_TASKS}


def test_no_seed_is_for_two_things() -> None:
    ranges = (miniwob.TRAINING_SEEDS, miniwob.DEVELOPMENT_SEEDS, miniwob.EVALUATION_SEEDS)
    assert all(earlier.stop == later.start for earlier, later in pairwise(ranges))


def test_a_seed_gives_the_same_picture_and_sentence_and_another_seed_another(env: BrowserEnv) -> None:
    first, again, other = (_look(env, "click-option", seed) for seed in (SEED, SEED, SEED + 1))
    assert first == again
    assert first != other
    assert first[0] == Size(320, 420)


def _look(env: BrowserEnv, task: str, seed: int) -> tuple[Size, str, str]:
    episode = Episode(env, task, seed)
    frame = episode.observe()
    return frame.size, frame.sha256, episode.utterance


@pytest.mark.parametrize("task", QUICK_TASKS)
def test_the_oracle_solves_a_training_task_through_the_step_loop(env: BrowserEnv, task: str) -> None:
    result = play_policy(OraclePolicy(env, task), task, SEED, env=env)
    assert (result.done, result.raw_reward) == (True, 1.0)
    assert result.solved
    assert result.rewarded
    assert 1 <= result.steps <= miniwob.MAX_STEPS


@pytest.mark.slow
@pytest.mark.parametrize("task", TRAIN_TASKS)
def test_the_oracle_solves_25_seeds_of_a_training_task(env: BrowserEnv, task: str) -> None:
    for seed in range(SEED, SEED + 25):
        assert play_policy(OraclePolicy(env, task), task, seed, env=env).solved, seed


@pytest.mark.parametrize("task", UNSEEN_TASKS[::4])
def test_a_task_that_nothing_is_taught_of_starts_and_has_no_oracle(env: BrowserEnv, task: str) -> None:
    episode = Episode(env, task, SEED)
    assert episode.utterance
    assert episode.outcome() == (False, 0.0)
    with pytest.raises(TaskError, match="no oracle"):
        next_move(task, read_page(env), 0)


def test_a_wrong_click_ends_an_episode_unrewarded_and_nothing_reaches_the_page_after_it(
    env: BrowserEnv, tmp_path: Path
) -> None:
    result = play_policy(
        ScriptedPolicy([_press(env, "click-test-2", "TWO"), Click(x_px=1, y_px=200)]),
        "click-test-2",
        SEED,
        env=env,
        folder=tmp_path / "run",
    )
    assert (result.done, result.raw_reward, result.steps) == (True, -1.0, 1)
    assert not result.rewarded
    assert len(read_trajectory(tmp_path / "run").steps) == 1
    episode = Episode(env, "click-test", SEED)
    episode.perform(_press(env, "click-test", "Click Me!"))
    assert episode.outcome() == (True, 1.0)
    after = episode.observe()
    assert not episode.perform(Click(x_px=160, y_px=200)).performed
    assert np.array_equal(after.pixels_HW3, episode.observe().pixels_HW3)


def _press(env: BrowserEnv, task: str, label: str) -> Click:
    Episode(env, task, SEED)
    (x_px, y_px) = next(element.point for element in read_page(env).elements if element.label == label)
    return Click(x_px=x_px, y_px=y_px)


def test_an_episode_that_nobody_ends_is_over_after_ten_actions_without_a_reward(env: BrowserEnv) -> None:
    result = play_policy(ScriptedPolicy([Click(x_px=1, y_px=1)] * 20), "focus-text", SEED, env=env)
    assert (result.done, result.raw_reward, result.steps) == (False, 0.0, 10)


def test_a_task_that_does_not_exist_is_refused(env: BrowserEnv) -> None:
    with pytest.raises(BadRequest, match="no task 'click-nothing'"):
        Episode(env, "click-nothing", 0)


def test_words_and_boxes_lie_on_the_picture_and_a_text_typed_is_a_word(env: BrowserEnv) -> None:
    episode = Episode(env, "enter-text", SEED)
    for num_done in range(2):
        episode.perform(next_move("enter-text", read_page(env), num_done).action)
    page = read_page(env)
    name = episode.utterance.split('"')[1]
    (written,) = (element for element in page.elements if element.tag == "text")
    assert written.value == name
    in_task, typed = (word for word in page.words if word.text == name)
    assert in_task.box[3] < written.box[1] < typed.box[1] < typed.box[3] < written.box[3]
    assert written.box[0] < typed.box[0] < typed.box[2] < written.box[2]
    pixels_HW3 = episode.observe().pixels_HW3.astype(int)
    for word in page.words:
        left, top, right, bottom = word.box
        assert 0 <= left < right <= 320
        assert 0 <= top < bottom <= 420
        assert len(word.edges_px) == len(word.text) + 1
        inked_HW3 = pixels_HW3[int(top) : int(bottom), int(left) : int(right)]
        assert np.ptp(inked_HW3, axis=(0, 1)).max() > 100, word.text


def test_a_sample_asks_for_the_next_step_as_the_model_will_be_asked(env: BrowserEnv) -> None:
    steps = list(episode_samples(env, "enter-password", SEED))
    first = [questions[0] for _, questions in steps]
    sentence = first[0].instruction
    assert sentence.startswith('task: Enter the password "')
    told = [question.instruction.removeprefix(sentence) for question in first]
    verbs = ["click", "write", "click", "write"]
    assert told == ["", *(f"\ndone: {', '.join(verbs[:count])}" for count in (1, 2, 3, 4))]
    password = sentence.split('"')[1]
    assert [question.reply for question in first] == [None, f"write('{password}')", None, f"write('{password}')", None]
    clicked = [question.control.label for question in first if question.control is not None]
    assert clicked == ["Password", "Verify password", "Submit"]


def test_the_loop_asks_in_the_words_of_the_samples(env: BrowserEnv, tmp_path: Path) -> None:
    play_policy(OraclePolicy(env, "enter-text"), "enter-text", SEED, env=env, folder=tmp_path / "run")
    steps = read_trajectory(tmp_path / "run").steps
    frame = steps[0].before.read()
    sampled = [questions[0].instruction for _, questions in episode_samples(env, "enter-text", SEED)]
    goal = sampled[0].removeprefix("task: ")
    for num_done, instruction in enumerate(sampled):
        (turn,) = agent_turns(NANO_TASK, frame, goal, steps[:num_done])
        assert (turn.role, turn.parts) == ("user", (frame, instruction))


def test_other_sentences_fit_what_was_done_already(env: BrowserEnv) -> None:
    rng = Random(0)
    episode = Episode(env, "click-checkboxes-transfer", SEED)
    ticked = next(element for element in read_page(env).elements if element.tag == "checkbox")
    episode.perform(Click(x_px=ticked.point[0], y_px=ticked.point[1]))
    others = other_sentences("click-checkboxes-transfer", read_page(env), 1, rng)
    assert others
    for sentence in others:
        assert ticked.label in sentence.removeprefix("Select ").removesuffix(" and click Submit.").split(", ")


@pytest.mark.slow
def test_collected_samples_come_back_from_disk_with_their_targets(chromium: str, tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as thread:  # a thread holds one browser at a time
        asked = ("click-link", "grid-coordinate")
        count = thread.submit(collect, asked, range(2), tmp_path, executable=chromium).result()
    samples = load_samples(tmp_path)
    assert len(samples) == count == 4
    for screen, questions in samples:
        assert screen.pixels_HW3.shape == (420, 320, 3)
        for question in questions:
            assert question.asked in ("task", "text", "nothing")
            assert (question.control is None) == (question.asked == "nothing")
            if question.control is not None:
                (x_px, y_px), (left, top, right, bottom) = question.control.point, question.control.box
                assert left <= x_px <= right
                assert top <= y_px <= bottom


@pytest.mark.parametrize(("task", "seed"), [("click-shape", 0), ("click-test", 100_000)])
def test_what_is_kept_for_measuring_is_never_collected(task: str, seed: int, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="training may use"):
        collect([task], [seed], tmp_path)


def test_a_model_plays_in_task_mode(env: BrowserEnv, middle_checkpoint: Path) -> None:
    from moonhand.model import load

    engine = load(middle_checkpoint, device="cpu", dtype="float32")
    result = play(engine, "focus-text", SEED, env=env)
    assert set(result.replies) == {"click(x=0.500, y=0.500)"}
    assert result.utterance == "Focus into the textbox."
    assert result.model_s > 0
