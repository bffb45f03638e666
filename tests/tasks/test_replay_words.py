"""A replay reads the screen where pixels and looks have changed, and goes by words only where they tell one thing."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from moonhand.agent import ScriptedPolicy, Trajectory, read_trajectory, run_to_end
from moonhand.envs import BrowserConfig, BrowserEnv, Click, Size
from moonhand.tasks.cli import app
from typer.testing import CliRunner

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,  # a second to load the reader and one for each frame, after all else was waited for
    pytest.mark.skipif(find_spec("rapidocr") is None, reason="needs moonhand[ocr]"),
]

SIZE = Size(420, 300)
KEEP = "<button onclick=\"document.title = 'kept'\">Keep the draft</button>"
LATER = """<button onclick="document.title = 'gone'">Throw it away</button>"""
DARK = (
    "button { font: 15px serif; background: #204; color: white; border: 0; padding: 14px 22px; margin: 60px 0 0 40px }"
)
BOLD = "button { font: bold 20px monospace; background: #eec; padding: 5px; margin: 80px 0 0 0 }"


def page(*parts: str, style: str = "") -> str:
    style = f"<style>body {{ font: 15px sans-serif; margin: 30px }} {style}</style>"
    return f"<!doctype html><title>Draft</title>{style}<p>A letter about the boat in berth nine.</p>{' '.join(parts)}"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "page.html").write_text(page(KEEP, LATER))
    url = (folder / "page.html").as_uri()
    told = {"url": url, "viewport": {"width_px": 420, "height_px": 300}, "surface": "headless", "scale": 1.0}
    with BrowserEnv(BrowserConfig(url=url, viewport=SIZE)) as env:
        left, top = env.evaluate("(({x, y}) => [x + 40, y + 10])(document.querySelector('button').getClientRects()[0])")
        with Trajectory(folder / "run", goal="keep it", env=told) as trajectory:
            run_to_end(env, ScriptedPolicy([Click(x_px=left, y_px=top)]), "keep it", trajectory)
        assert env.evaluate("document.title") == "kept"
    return folder / "run"


def replayed(recorded: Path, out: Path, changed: str) -> tuple[int, dict[str, object]]:
    (recorded.parent / "page.html").write_text(changed)
    left = CliRunner().invoke(app, ["replay", str(recorded), "--out", str(out), "--json"], catch_exceptions=False)
    return left.exit_code, json.loads(left.stdout)


@pytest.mark.parametrize("style", [DARK, BOLD])
def test_a_button_in_other_colours_and_another_place_is_known_by_its_words(
    recorded: Path, tmp_path: Path, style: str
) -> None:
    left, told = replayed(recorded, tmp_path / "out", page(KEEP, LATER, style=style))
    healed = told["healed"]
    assert isinstance(healed, list)
    assert (left, [(one["how"], one["said"]) for one in healed]) == (
        0,
        [("words", "looks otherwise, and says 'keep the draft'")],
    )
    after = read_trajectory(tmp_path / "out").steps[0].surroundings
    assert after is not None
    assert after.element is not None
    assert after.element.name == "Keep the draft"


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param((KEEP.replace("Keep", "Sell"), LATER), id="a button that says another thing"),
        pytest.param((LATER, "<p>Keep the draft</p>"), id="the words, and no button"),
        pytest.param((KEEP, KEEP.replace("kept", "twice"), LATER), id="two buttons of these words"),
    ],
)
def test_words_that_do_not_tell_one_button_stop_it(recorded: Path, tmp_path: Path, parts: tuple[str, ...]) -> None:
    left, told = replayed(recorded, tmp_path / "out", page(*parts, style=DARK))
    assert (left, told["healed"]) == (1, [])
    assert told["divergence"] is not None
