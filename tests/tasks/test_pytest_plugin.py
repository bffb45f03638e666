"""The fixtures that moonhand brings to other people's tests."""

from __future__ import annotations

import moonhand.agent.screen
import moonhand.envs.browser
import moonhand.envs.display
import pytest
from PIL import Image

ALONE = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:anyio")  # other plugins take seconds to load
LOADED = (moonhand.agent.screen, moonhand.envs.browser, moonhand.envs.display)  # once, not in each run of pytester

pytest_plugins = ["pytester"]

HEAVY = ("torch", "playwright", "mss", "Xlib", "pyautogui", "numpy", "PIL", "moonhand.envs", "moonhand.agent")

OF_SOMEBODY = """
PAGE = "data:text/html,<title>shop</title><body style='background:teal;margin:0'>"


def test_programs_see_the_display(virtual_display):
    assert virtual_display.size.width_px == 320
    assert virtual_display.environ()["DISPLAY"] == virtual_display.display


def test_it_is_the_same_for_all(virtual_display):
    assert virtual_display.display.startswith(":")


def test_that_fails(moonhand_browser):
    screen = moonhand_browser(PAGE, viewport=(200, 100))
    assert screen.env.evaluate("document.title") == "shop"
    assert screen.env.url == "somewhere else"


def test_without_a_chromium(moonhand_browser):
    moonhand_browser(PAGE, executable="/nowhere/chromium")
"""


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.display
def test_pages_of_a_test_that_fails_are_kept_and_closed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_shop=OF_SOMEBODY)
    pytester.makeini("[pytest]\nmoonhand_display = 320x240\nmoonhand_screenshots = kept\n")
    told = pytester.runpytest_inprocess(*ALONE)
    told.assert_outcomes(passed=2, failed=2)
    kept = pytester.path / "kept" / "test_that_fails-1.png"
    told.stdout.fnmatch_lines(["*- moonhand: what the pages showed -*", str(kept)])
    told.stdout.fnmatch_lines(["*moonhand_browser: there is no browser at '/nowhere/chromium'*"])
    with Image.open(kept) as image:
        assert image.size == (200, 100)
        assert image.convert("RGB").getpixel((100, 50)) == (0, 128, 128)
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]


def test_what_is_missing_is_said_with_what_to_install(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile("def test_it(virtual_display): pass")
    monkeypatch.setenv("PATH", "/nowhere")
    told = pytester.runpytest_inprocess(*ALONE)
    told.stdout.fnmatch_lines(["virtual_display: Xvfb is not installed: apt-get install -y xvfb"])
    told.stdout.no_fnmatch_line("*Traceback*")
    pytester.makeini("[pytest]\nmoonhand_display = large\n")
    told = pytester.runpytest_inprocess(*ALONE)
    told.stdout.fnmatch_lines(["*moonhand_display = 'large' is no size: write it like 1280x720"])


def test_pytest_starts_without_anything_heavy(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(f"""
        import sys

        def test_it():
            assert "moonhand.tasks.pytest_plugin" in sys.modules
            assert [name for name in {HEAVY!r} if name in sys.modules] == []
    """)
    pytester.runpytest_subprocess(*ALONE).assert_outcomes(passed=1)
