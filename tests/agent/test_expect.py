"""What is on a screen, and what it says: a real Chromium, and a model that was taught four answers."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from moonhand.agent import (
    CannotAnswer,
    LazyEngine,
    NotSeen,
    Screen,
    TargetRefused,
    extract,
    seen,
    wait_until_seen,
)
from moonhand.envs import (
    Action,
    BrowserConfig,
    BrowserEnv,
    Drag,
    EnvError,
    Frame,
    Move,
    Point,
    ReplayEnv,
    Scroll,
    Size,
    Wait,
)
from PIL import Image

if TYPE_CHECKING:
    from moonhand.model import Answering, Engine, Generation, Message, SamplingConfig

FRAME = Frame(np.full((48, 64, 3), 128, dtype=np.uint8))
NOPE: Any = "nope"
PAGE = """<body style='margin:0;font:14px/20px sans-serif'><p style='margin:0'>Order 17</p>
<input id=name value=Ada style='position:absolute;left:20px;top:120px;width:60px;height:60px'>
<p id=late style='margin:0'></p>"""  # the middle of the field lies where the model points: at 25 %, 75 %


class Counted(LazyEngine):
    """Counts how often it is asked."""

    num_asked = 0

    def generate_batch(
        self, requests: Sequence[Sequence[Message]], sampling: SamplingConfig | None = None
    ) -> list[Generation]:
        self.num_asked += 1
        return super().generate_batch(requests, sampling)


class Terse(LazyEngine):
    """Answers in a few tokens: the context of the taught model is short."""

    def generate_batch(
        self, requests: Sequence[Sequence[Message]], sampling: SamplingConfig | None = None
    ) -> list[Generation]:
        assert sampling is not None
        return super().generate_batch(requests, replace(sampling, max_new_tokens=8))


def never() -> Answering:
    pytest.fail("the model is not to be asked")


@pytest.fixture(scope="module")
def env(chromium: str) -> Generator[BrowserEnv]:
    with BrowserEnv(BrowserConfig(viewport=Size(200, 200))) as opened:
        yield opened


@pytest.fixture
def shop(env: BrowserEnv) -> BrowserEnv:
    env.evaluate(f"void (document.open(), document.write({PAGE!r}), document.close())")
    return env


def of_pictures(engine: Engine, actions: list[Action], out: Path) -> Screen:
    return Screen(lambda: ReplayEnv([FRAME] * (len(actions) + 1), actions), model=engine, out=out)


@pytest.mark.browser
def test_words_that_the_page_shows_are_seen_without_a_model(shop: BrowserEnv) -> None:
    sighting = seen(shop, LazyEngine(never), "order 17")
    assert (sighting.found, sighting.how, sighting.confidence) == (True, "page words", None)
    assert sighting.target is not None
    assert sighting.target.point is not None
    assert 0 <= sighting.target.point.y_px <= 20
    assert "frame" not in repr(sighting)  # no page of numbers where it is printed
    assert not seen(shop, LazyEngine(never), "Order 1").found


@pytest.mark.browser
def test_what_the_page_does_not_say_is_not_seen_whatever_the_model_would_say(
    shop: BrowserEnv, taught_engine: Engine
) -> None:
    words = seen(shop, LazyEngine(never), "click Sign up")
    assert (words.found, words.how) == (False, "page words")
    assert "it shows 'Order 17 Ada'" in words.said
    model = seen(shop, taught_engine, "click Sign up", by="model")
    assert (model.found, model.how) == (True, "model")
    assert model.confidence is not None


@pytest.mark.browser
def test_a_description_is_asked_of_the_model_unless_the_page_has_those_words(
    shop: BrowserEnv, taught_engine: Engine
) -> None:
    assert seen(shop, taught_engine, "the Name field").how == "model"
    assert not seen(shop, LazyEngine(never), "the Name field", by="words").found
    shop.evaluate("void (late.innerText = 'The name field')")
    assert seen(shop, LazyEngine(never), "the Name field").how == "page words"
    shop.evaluate("void (late.style.display = 'none')")
    hidden = seen(shop, LazyEngine(never), "the Name field")
    assert (hidden.found, hidden.said) == (False, "the page has these words, but does not show them")


@pytest.mark.browser
def test_of_a_page_that_tells_nothing_nothing_is_known(shop: BrowserEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.observe()
    monkeypatch.setattr("moonhand.envs.browser.SHOWN_LIMIT_S", 0)  # it never answers in time
    unknown = wait_until_seen(shop, LazyEngine(never), "Order 17", timeout_s=0)
    assert (unknown.found, unknown.is_told) == (False, False)
    with pytest.raises(EnvError, match="'Order 17': the page does not tell its words just now"):
        wait_until_seen(shop, LazyEngine(never), "Order 17", timeout_s=0, absent=True)


@pytest.mark.browser
def test_what_comes_and_what_goes_is_waited_for(shop: BrowserEnv) -> None:
    shop.evaluate("void setTimeout(() => { late.innerText = 'Thank you' }, 300)")
    come = wait_until_seen(shop, LazyEngine(never), "Thank you", timeout_s=5)
    assert come.found
    assert 0.2 < come.waited_s < 3
    shop.evaluate("void setTimeout(() => late.remove(), 200)")
    gone = wait_until_seen(shop, LazyEngine(never), "Thank you", timeout_s=5, absent=True)
    assert not gone.found
    assert wait_until_seen(shop, LazyEngine(never), "Thank you", timeout_s=0).waited_s < 1


@pytest.mark.browser
def test_a_screen_that_looks_as_before_is_not_asked_about_again(shop: BrowserEnv, taught_engine: Engine) -> None:
    engine = Counted(lambda: taught_engine)
    last = wait_until_seen(shop, engine, "click Nothing", timeout_s=0.5, by="model")
    assert (last.found, last.how) == (False, "model")
    assert last.waited_s >= 0.5
    assert engine.num_asked == 1


def test_a_screen_of_pictures_asks_the_model_and_keeps_a_picture_of_what_it_saw(
    taught_engine: Engine, tmp_path: Path
) -> None:
    with of_pictures(taught_engine, [], tmp_path) as screen:
        assert screen.expect("click Sign up").visible().found
        screen.expect("click Nothing").absent()
        with pytest.raises(NotSeen, match=r"expected to see 'click Nothing' within 0 s, by model") as missing:
            screen.expect("click Nothing").visible(timeout_s=0)
        with pytest.raises(AssertionError, match=r"expected not to see 'click Sign up'") as still:
            screen.expect("click Sign up").absent(timeout_s=0)
        with pytest.raises(ValueError, match="does not tell its words"):
            screen.expect("Sign up", by="words").visible()
        with pytest.raises(ValueError, match="nothing to look for"):
            screen.expect(" ").visible()
        for never_s in (-1, float("nan")):
            with pytest.raises(ValueError, match=f"timeout_s must be >= 0, got {never_s}"):
                screen.expect("click Sign up").visible(timeout_s=never_s)
        with pytest.raises(ValueError, match="by must be 'words', 'model' or 'any', got 'nope'"):
            screen.expect("click Sign up", by=NOPE)
        with pytest.raises(ValueError, match="got 'nope'"):
            seen(screen.env, taught_engine, "click Sign up", by=NOPE)
    for caught in (missing, still):
        picture = getattr(caught.value, "picture", None)
        assert picture is not None
        assert picture.parent == tmp_path / "not-seen"
        assert str(picture) in str(caught.value)
        with Image.open(picture) as image:
            assert image.size == (64, 48)


def test_a_picture_that_cannot_be_kept_is_told(taught_engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "not-seen").write_text("a file")
    with of_pictures(taught_engine, [], tmp_path) as screen, pytest.raises(NotSeen, match="not kept: ") as caught:
        screen.expect("click Nothing").visible(timeout_s=0)
    assert caught.value.picture is None


def test_an_expectation_that_is_never_looked_for_warns(taught_engine: Engine, tmp_path: Path) -> None:
    with of_pictures(taught_engine, [], tmp_path) as screen:
        forgotten = screen.expect("Thank you")
        with pytest.warns(RuntimeWarning, match=r"expect\('Thank you'\) was never looked for"):
            del forgotten
        with pytest.raises(TypeError, match=r"add \.visible\(\) or \.absent\(\)"):
            assert screen.expect("Thank you")


def test_a_target_is_touched_in_every_way(taught_engine: Engine, tmp_path: Path) -> None:
    ways: list[Action] = [
        Move(x_px=32, y_px=12),
        Drag(path=(Point(32, 12), Point(16, 36)), duration_s=0.5),
        Scroll(dy=-2, x_px=32, y_px=12),
        Scroll(dx=1, dy=3),
        Wait(seconds_s=0.2, until="still"),
    ]
    with of_pictures(taught_engine, ways, tmp_path) as screen:
        target = screen.locate("click Sign up")
        effects = [target.hover(), target.drag_to(screen.locate("the Name field"), duration_s=0.5)]
        effects += [screen.scroll(-2, over="click Sign up"), screen.scroll(dx=1), screen.wait(0.2, until="still")]
    assert all(effect.performed for effect in effects)


@pytest.mark.browser
def test_a_value_is_read_from_the_page_where_the_model_finds_it(shop: BrowserEnv, taught_engine: Engine) -> None:
    found = extract(shop, taught_engine, "What is the name?", of="the Name field")
    assert (found.value, found.how) == ("Ada", "page")
    assert "frame" not in repr(found)
    assert found.target is not None
    with pytest.raises(TargetRefused, match="'click Nothing'"):
        extract(shop, taught_engine, "", of="click Nothing")
    with pytest.raises(CannotAnswer, match="nano answers no questions"):
        extract(shop, taught_engine, "How many?")
    with pytest.raises(ValueError, match="nothing to read"):
        extract(shop, taught_engine, " ")


def test_a_model_that_answers_is_asked_the_question(taught_engine: Engine) -> None:
    found = extract(ReplayEnv([FRAME], []), Terse(lambda: taught_engine, name="tiny-instruct"), "How many?")
    assert found.how == "model"
    assert found.value
