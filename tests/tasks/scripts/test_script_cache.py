"""The second run of a script needs no model until the screen drifts, and never clicks another thing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from moonhand.agent import read_trajectory
from moonhand.envs import BrowserEnv, Click
from moonhand.model import Answering, load
from moonhand.tasks.demo import DEMO_FOLDER, DEMO_PAGE, DEMO_SCRIPT, serve_folder
from moonhand.tasks.scripts.cache import Cache, cache_folder

NANO = Path(__file__).parents[3] / "model" / "nano" / "model.safetensors"

pytestmark = pytest.mark.browser

PAGE = """<!doctype html><title>Shop</title><style>* {{ margin: 0; padding: 0 }}
#thing {{ position: absolute; left: {left}px; top: 60px; width: 120px; height: 80px; font: 16px sans-serif }}
#other {{ position: absolute; left: 10px; top: 10px; }}</style>
<p id=other>{words}</p><{tag} id=thing aria-label="{name}">{name}</{tag}>
<script>window.hits = []; document.onclick = (event) => hits.push(event.target.id);</script>"""


def page(*, left: int = 90, name: str = "Buy", words: str = "Our shop", tag: str = "button") -> str:
    return PAGE.format(left=left, name=name, words=words, tag=tag)


@pytest.fixture
def pages(serve: Callable[[dict[str, str]], str]) -> tuple[str, dict[str, str]]:
    served = {"/": page()}
    return serve(served), served


def script(url: str) -> str:
    return f"url: {url}\nsteps: [{{click: Buy}}]"


def hows(outcome: Any) -> list[str | None]:
    return [step.how for step in outcome.steps]


def test_what_was_found_is_found_again_without_a_model(play: Any, pages: Any, env: BrowserEnv, no_model: Any) -> None:
    url, _ = pages
    first = play(script(url))
    assert hows(first) == ["model"]
    assert (first.cache.num_asked, first.cache.num_kept) == (1, 1)
    second = play(script(url), load=no_model)
    assert hows(second) == ["cache"]
    assert (second.cache.num_found, second.cache.num_calls, second.cache.num_kept) == (1, 0, 0)
    assert env.evaluate("window.hits") == ["thing"]
    step = read_trajectory(second.result.path).steps[0]
    assert (step.reply, step.confidence, step.instruction) == (None, None, "click Buy")


def test_what_has_moved_is_followed_and_kept_anew(play: Any, pages: Any, env: BrowserEnv, no_model: Any) -> None:
    url, served = pages
    play(script(url))
    served["/"] = page(left=150)
    outcome = play(script(url), load=no_model)
    assert hows(outcome) == ["cache"]
    assert outcome.cache.num_kept == 1
    assert env.evaluate("window.hits") == ["thing"]
    click = read_trajectory(outcome.result.path).steps[0].action
    assert isinstance(click, Click)
    assert click.x_px == 210


@pytest.mark.parametrize(
    "drifted",
    [
        page(name="Delete"),
        pytest.param(page(tag="a", name="Buy"), marks=pytest.mark.slow),
        pytest.param(page(name="Buy it all"), marks=pytest.mark.slow),
    ],
)
def test_another_thing_at_its_place_is_asked_about_anew(play: Any, pages: Any, drifted: str, no_model: Any) -> None:
    url, served = pages
    play(script(url))
    served["/"] = drifted
    outcome = play(script(url))
    assert hows(outcome) == ["model"]
    assert outcome.cache.num_kept == 1
    assert hows(play(script(url), load=no_model)) == ["cache"], "and that is kept"


def test_only_a_run_that_went_well_is_remembered(play: Any, pages: Any) -> None:
    url, _ = pages
    play(f"url: {url}\nsteps: [{{click: Buy}}, {{expect: {{see: Thank you, timeout_s: 0}}}}]")
    play(f"url: {url}\nsteps: [{{click: Buy}}]\ncheck: {{js: '1', equals: 2}}")
    assert not (play.folder / ".moonhand").exists()
    outcome = play(f"url: {url}\nsteps: [{{click: Buy, cache: false}}]")
    assert (outcome.is_passed, outcome.cache.num_kept) == (True, 0)


def test_another_text_in_a_field_needs_no_model(play: Any, pages: Any, env: BrowserEnv, no_model: Any) -> None:
    url, served = pages
    served["/"] = page(tag="input", name="Email")
    typing = f"url: {url}\nsteps:\n- type: {{into: Email, text: '{{{{mail}}}}'}}\n- click: Email\n"
    typing += "- extract: {as: typed, of: Email}"
    first = play(typing, {"mail": "ada@example.com"})
    assert first.is_passed, first.error
    outcome = play(typing, {"mail": "grace@example.org"}, load=no_model)
    assert outcome.is_passed, outcome.error
    assert hows(outcome) == ["cache", "cache", "cache"]
    assert outcome.variables == {"typed": "grace@example.org"}


def test_the_same_words_in_a_loop_are_each_remembered(play: Any, pages: Any, no_model: Any) -> None:
    url, _ = pages
    loop = f"url: {url}\nsteps: [{{repeat: {{times: 3}}, steps: [{{click: Buy}}]}}]"
    play(loop)
    kept = json.loads((cache_folder(play.folder / "script.yaml") / "anchors.json").read_text())
    assert sorted(kept["anchors"]) == ["click Buy", "click Buy #2", "click Buy #3"]
    longer = loop.replace("times: 3", "times: 4")
    assert hows(play(longer, load=no_model))[1:] == ["cache"] * 4


def test_a_damaged_cache_is_no_cache(play: Any, pages: Any) -> None:
    url, _ = pages
    play(script(url))
    folder = cache_folder(play.folder / "script.yaml")
    for picture in (folder / "frames").glob("*.png"):
        picture.write_bytes(b"no picture")
    assert hows(play(script(url))) == ["model"]
    (folder / "anchors.json").write_text('{"format": "moonhand-script-cache", "version": 1, "anchors": {"a": 3}}')
    assert len(Cache(folder)) == 0
    assert hows(play(script(url))) == ["model"]


def test_frames_that_nothing_needs_are_taken_away(play: Any, pages: Any) -> None:
    url, served = pages
    play(script(url))
    served["/"] = page(name="Order")
    play(script(url))
    assert len(list((cache_folder(play.folder / "script.yaml") / "frames").iterdir())) == 1


def test_a_cache_that_cannot_be_written_is_a_warning(play: Any, pages: Any) -> None:
    url, _ = pages
    (play.folder / ".moonhand").write_text("a file")
    assert play(script(url)).is_passed
    assert "not kept" in play.warnings[0]


@pytest.mark.slow  # nano looks five times
@pytest.mark.skipif(not NANO.exists(), reason="this checkout has no weights of moonhand-nano")
def test_the_demo_runs_a_second_time_without_a_model(
    play: Any, tmp_path: Path, no_model: Callable[[], Answering]
) -> None:
    path = tmp_path / "demo.yaml"
    with serve_folder(DEMO_FOLDER) as address:
        path.write_text(f"url: {address}{DEMO_PAGE}\n{DEMO_SCRIPT.read_text()}")
        from moonhand.envs import BrowserConfig
        from moonhand.envs import Size as Px

        with BrowserEnv(BrowserConfig(url="about:blank", viewport=Px(460, 420))) as env:
            play.env = env
            first = play(path, load=lambda: load("nano"))
            assert first.is_passed, first.error
            assert hows(first) == ["model"] * 5
            second = play(path, load=no_model)
    assert second.is_passed, second.error
    assert hows(second) == ["cache"] * 5
    assert (second.cache.num_calls, second.cache.num_asked) == (0, 0)
    shutil.rmtree(cache_folder(path))
