"""The fixtures that moonhand brings to other people's tests."""

from __future__ import annotations

import moonhand.agent.screen
import moonhand.envs.browser
import moonhand.envs.display
import pytest
from PIL import Image

ALONE = (
    "-p",
    "no:cacheprovider",
    "-p",
    "no:hypothesispytest",
    "-p",
    "no:anyio",
    "-p",
    "no:playwright",
)  # others take seconds to load
LOADED = (moonhand.agent.screen, moonhand.envs.browser, moonhand.envs.display)  # once, not in each run of pytester

pytest_plugins = ["pytester"]

HEAVY = ("torch", "playwright", "mss", "Xlib", "pyautogui", "numpy", "PIL", "moonhand.envs", "moonhand.agent")

OF_SOMEBODY = """
import pytest

PAGE = "data:text/html,<title>shop</title><body style='background:teal;margin:0'>Order 17"


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


@pytest.mark.virtual_desktop(start="xterm -e cat", size=(300, 200))
def test_a_desktop(virtual_desktop):
    assert virtual_desktop.frame().size.width_px == 300
    assert virtual_desktop.frame().pixels_HW3.std() > 1


@pytest.mark.virtual_desktop(start="/nowhere/program")
def test_a_program_that_is_not_there(virtual_desktop):
    pass
"""
WITH_SCREENS = """
import pytest

PAGE = "data:text/html,<title>shop</title><body style='background:teal;margin:0'>Order 17"


@pytest.mark.screen(viewport=(200, 100))
def test_that_expects(screen):
    screen.goto(PAGE)
    screen.expect("order 17").visible()
    screen.expect("Order 18").visible(timeout_s=0.2)
"""
BESIDE_PLAYWRIGHT = """
import sys


def test_both(page, screen):
    for open_url in (page.goto, screen.goto):
        open_url("data:text/html,<p>Order 17")
    assert page.inner_text("p") == "Order 17"
    screen.expect("Order 17").visible()
    page.set_content("<p>Order 18")
    assert page.inner_text("p") == "Order 18"
    screen.expect("Order 18").absent()
    assert "torch" not in sys.modules
"""


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.display
def test_pages_of_a_test_that_fails_are_kept_and_closed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_shop=OF_SOMEBODY)
    pytester.makeini("[pytest]\nmoonhand_display = 320x240\nmoonhand_screenshots = kept\n")
    told = pytester.runpytest_inprocess(*ALONE)
    told.assert_outcomes(passed=3, failed=2, errors=1)
    kept = pytester.path / "kept" / "test_shop.py-test_that_fails-1.png"
    told.stdout.fnmatch_lines(["*- moonhand: what the screens showed -*", str(kept)])
    told.stdout.fnmatch_lines(["*moonhand: there is no browser at '/nowhere/chromium'*"])
    told.stdout.fnmatch_lines(["*virtual_desktop: '/nowhere/program' does not start: *"])
    with Image.open(kept) as image:
        assert image.size == (200, 100)
        assert image.convert("RGB").getpixel((100, 50)) == (0, 128, 128)
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]


@pytest.mark.browser
def test_what_is_not_seen_fails_with_a_marked_picture(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_shop=WITH_SCREENS)
    pytester.makeini("[pytest]\nmoonhand_screenshots = kept\naddopts = --strict-markers\n")
    told = pytester.runpytest_inprocess(*ALONE)
    told.assert_outcomes(failed=1)
    told.stdout.fnmatch_lines(["*NotSeen: expected to see 'Order 18' within 0.2 s, by page words: *'Order 17'*"])
    (marked,) = (pytester.path / "kept" / "runs" / "not-seen").iterdir()
    plain = pytester.path / "kept" / "test_shop.py-test_that_expects-1.png"
    told.stdout.fnmatch_lines(["*- moonhand: what the screens showed -*", str(marked), str(plain)])
    with Image.open(marked) as image, Image.open(plain) as of_page:
        assert image.size == of_page.size == (200, 100)
        assert image.convert("RGB").tobytes() != of_page.convert("RGB").tobytes()


@pytest.mark.slow
@pytest.mark.browser
def test_the_fixtures_live_beside_those_of_playwright(pytester: pytest.Pytester, chromium: str) -> None:
    pytest.importorskip("pytest_playwright")
    pytester.makepyfile(test_shop=BESIDE_PLAYWRIGHT)
    pytester.makeconftest(f"""
        import pytest

        @pytest.fixture(scope="session")
        def browser_type_launch_args(browser_type_launch_args):
            return {{**browser_type_launch_args, "executable_path": {chromium!r}, "args": ["--no-sandbox"]}}
    """)
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


@pytest.mark.slow
@pytest.mark.browser
def test_workers_keep_pictures_of_their_own_and_a_page_shows_them(pytester: pytest.Pytester) -> None:
    pytest.importorskip("pytest_html")
    pytester.makepyfile(test_one=WITH_SCREENS, test_two=WITH_SCREENS)
    pytester.makeini("[pytest]\nmoonhand_screenshots = kept\n")
    told = pytester.runpytest_subprocess("-n", "2", "--html=report.html", "--self-contained-html")
    told.assert_outcomes(failed=2)
    names = {path.name for path in (pytester.path / "kept").glob("*.png")}
    assert names == {f"test_{name}.py-test_that_expects-1.png" for name in ("one", "two")}
    assert (pytester.path / "report.html").read_text(encoding="utf-8").count("data:image/png;base64,") >= 4


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


@pytest.mark.parametrize("mark", ["screen(urll='about:blank')", "virtual_desktop(strat='xterm')"])
def test_a_mark_with_an_option_that_is_none_names_it(pytester: pytest.Pytester, mark: str) -> None:
    fixture, option = mark.partition("(")[0], mark.partition("(")[2].partition("=")[0]
    pytester.makepyfile(f"import pytest\n\n@pytest.mark.{mark}\ndef test_it({fixture}): pass")
    result = pytester.runpytest_inprocess(*ALONE)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*UsageError: @pytest.mark.{fixture}: no option '{option}'; there are *"])
    result.stdout.no_fnmatch_line("*TypeError*")


def test_pytest_starts_without_anything_heavy(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(f"""
        import sys

        def test_it():
            assert "moonhand.tasks.pytest_plugin" in sys.modules
            assert [name for name in {HEAVY!r} if name in sys.modules] == []
    """)
    pytester.runpytest_subprocess(*ALONE).assert_outcomes(passed=1)
