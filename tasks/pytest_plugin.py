"""Fixtures for tests of programs with a screen; pytest finds them by itself where moonhand is installed.

- `screen`: a page in a headless Chromium of its own, as `moonhand.agent.browser` opens it, blank at first:
  `screen.goto(url)`. `@pytest.mark.screen(url=..., viewport=...)` gives it the arguments of `browser`.
- `virtual_desktop`: an X display of the test's own, as `moonhand.agent.virtual_display` opens it;
  `@pytest.mark.virtual_desktop(start="xterm", size=(800, 600))` gives it those arguments.
- `moonhand_browser`: opens any number of pages, `screen = moonhand_browser(url)`, with the arguments of `browser`.
- `virtual_display`: an X display with a window manager that the whole session shares. Programs get it by
  `virtual_display.environ()`.
- `nano`: the small model of the package, loaded when it is first asked and shared by the session.

All are closed after their test. Where a test fails, what its screens show is kept as PNGs that the report names, a
failed `expect` with a mark on it; pytest-html shows them, too. A test that needs what is not installed fails, and says
what to install; where there can be no X display it is skipped. ini options: `moonhand_model` finds things in place of
nano, `moonhand_display` is the size of displays (1280x720), `moonhand_screenshots` the folder of the pictures (else the
test's temporary one). Importing this loads nothing heavy: models, browsers and displays come with the tests that use
them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ..agent import LazyEngine, Screen
    from ..envs import Size, VirtualDisplay

DEFAULT_SIZE = "1280x720"
LONGEST_NAME = 120  # characters of a test's name in the names of its pictures
SECTION = "moonhand: what the screens showed"


class Screens:
    """What one test has opened; closed with it. `folder` keeps what they show where the test fails."""

    def __init__(self, stack: ExitStack, folder: Path, test: str) -> None:
        self._stack, self._folder, self._test = stack, folder, test
        self._screens: list[Screen] = []

    @property
    def runs(self) -> Path:
        """Where its screens keep trajectories."""
        return self._folder / "runs"

    def open(self, screen: Screen) -> Screen:
        opened = self._stack.enter_context(screen)
        self._screens.append(opened)
        return opened

    def keep_pictures(self) -> tuple[list[Path], list[str]]:
        """Write what each screen shows; the files, and lines that say where they are, or why there are none."""
        from ..envs import EnvError

        paths, lines = list[Path](), list[str]()
        for number, screen in enumerate(self._screens, 1):
            name = re.sub(r"[^A-Za-z0-9_.-]+", "-", self._test)[-LONGEST_NAME:]
            path = self._folder / f"{name}-{number}.png"
            try:
                png = screen.frame().to_png()
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(png)
                paths.append(path)
                lines.append(str(path))
            except (EnvError, ValueError, OSError) as error:  # ValueError: the test has closed it
                lines.append(f"screen {number} could not be kept: {error}")
        return paths, lines


class Browsers:
    """Opens pages for one test."""

    def __init__(self, screens: Screens, model: LazyEngine, viewport: tuple[int, int]) -> None:
        self._screens, self._model, self._viewport = screens, model, viewport

    def __call__(self, url: str = "", **options: Any) -> Screen:
        """A page in a headless Chromium of its own; the options are those of `moonhand.agent.browser`."""
        from ..agent import browser
        from ..envs import NoBrowser

        options.setdefault("out", self._screens.runs)
        if "model" not in options:
            options = {"model": self._model, "viewport": self._viewport} | options
        with _failing("moonhand", NoBrowser):
            return self._screens.open(browser(url, **options))


OPEN: pytest.StashKey[Screens] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("moonhand_display", "size of X displays, such as 1280x720", default=DEFAULT_SIZE)
    parser.addini("moonhand_model", "finds things: nano, a checkpoint's folder, or openai:URL#NAME", default="nano")
    parser.addini("moonhand_screenshots", "folder for pictures of tests that failed, from the root", default="")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "screen(url, ...): how `screen` is opened, as by moonhand.agent.browser")
    config.addinivalue_line(
        "markers", "virtual_desktop(start, size, ...): how it is opened, as by moonhand.agent.virtual_display"
    )


@pytest.fixture(scope="session")
def virtual_display(pytestconfig: pytest.Config) -> Generator[VirtualDisplay]:
    """An X display with a window manager, shared by the whole session; `.environ()` is for programs."""
    _need_linux("virtual_display")
    from ..envs import NoDisplay, VirtualDisplay

    size = _display_size(pytestconfig)
    with ExitStack() as stack:
        with _failing("virtual_display", NoDisplay):
            screen = stack.enter_context(VirtualDisplay(size, wm=True))
        yield screen


@pytest.fixture(scope="session")
def nano() -> LazyEngine:
    """The small model of the package, loaded when it is first asked, and once a session."""
    return _lazy("nano")


@pytest.fixture(scope="session")
def moonhand_model(request: pytest.FixtureRequest) -> LazyEngine:
    """What finds things on the screens of all tests, by the ini option of this name; loaded when first asked."""
    name = request.config.getini("moonhand_model")
    return request.getfixturevalue("nano") if name == "nano" else _lazy(name)


@pytest.fixture
def moonhand_screens(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Screens]:
    """What a test opens through the other fixtures."""
    wanted = request.config.getini("moonhand_screenshots")
    folder = request.config.rootpath / wanted if wanted else tmp_path
    with ExitStack() as stack:
        screens = Screens(stack, folder, request.node.nodeid.replace("::", "-"))
        request.node.stash[OPEN] = screens
        yield screens


@pytest.fixture
def moonhand_browser(moonhand_screens: Screens, moonhand_model: LazyEngine, pytestconfig: pytest.Config) -> Browsers:
    """Opens pages: `screen = moonhand_browser(url)`; each is closed after the test."""
    from ..agent import default_viewport

    size = default_viewport(pytestconfig.getini("moonhand_model"))
    return Browsers(moonhand_screens, moonhand_model, (size.width_px, size.height_px))


@pytest.fixture
def screen(request: pytest.FixtureRequest, moonhand_browser: Browsers) -> Screen:
    """A page in a Chromium of its own, closed after the test; `@pytest.mark.screen(...)` says how it is opened."""
    from ..agent import browser

    return moonhand_browser(**_marked(request, "screen", browser))


@pytest.fixture
def virtual_desktop(request: pytest.FixtureRequest, moonhand_screens: Screens, moonhand_model: LazyEngine) -> Screen:
    """An X display of the test's own; `@pytest.mark.virtual_desktop(...)` says how it is opened."""
    _need_linux("virtual_desktop")
    from ..agent import virtual_display
    from ..envs import CannotStart, NoDisplay

    size = _display_size(request.config)
    options: dict[str, Any] = {
        "size": (size.width_px, size.height_px),
        "model": moonhand_model,
        "out": moonhand_screens.runs,
    }
    options |= _marked(request, "virtual_desktop", virtual_display)
    with _failing("virtual_desktop", NoDisplay), _failing("virtual_desktop", CannotStart):
        return moonhand_screens.open(virtual_display(**options))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the pictures while the screens are open: fixtures are closed only after this."""
    report = yield
    screens = item.stash.get(OPEN, None)
    if screens is None or not report.failed or report.when == "teardown":
        return report
    paths, lines = screens.keep_pictures()
    marked = getattr(call.excinfo.value, "picture", None) if call.excinfo is not None else None
    if isinstance(marked, Path):  # of NotSeen
        paths.insert(0, marked)
        lines.insert(0, str(marked))
    if lines:
        report.sections.append((SECTION, "\n".join(lines)))
        _show_in_html(item.config, report, paths)
    return report


def _show_in_html(config: pytest.Config, report: pytest.TestReport, paths: list[Path]) -> None:
    """Put the pictures into the page of pytest-html, where one is made."""
    if not (config.pluginmanager.hasplugin("html") and config.getoption("htmlpath", None)):
        return
    from base64 import b64encode

    from pytest_html import extras  # pyright: ignore[reportMissingImports, reportMissingTypeStubs]

    pictures = [extras.png(b64encode(path.read_bytes()).decode(), name=path.name) for path in paths]
    report.extras = [*getattr(report, "extras", []), *pictures]  # pyright: ignore[reportAttributeAccessIssue]


def _marked(request: pytest.FixtureRequest, name: str, opener: Callable[..., object]) -> dict[str, Any]:
    """The arguments of the nearest mark of this name, all of which `opener` takes."""
    __tracebackhide__ = True
    mark = request.node.get_closest_marker(name)
    if mark is None:
        return {}
    if mark.args:
        raise pytest.UsageError(f"@pytest.mark.{name}: give its arguments by name, such as {name}(url=...)")
    known = signature(opener).parameters
    if unknown := [each for each in mark.kwargs if each not in known]:
        raise pytest.UsageError(f"@pytest.mark.{name}: no option {unknown[0]!r}; there are {', '.join(known)}")
    return dict(mark.kwargs)


def _lazy(name: str) -> LazyEngine:
    from ..agent import LazyEngine
    from ..agent.kimi import load_engine

    return LazyEngine(lambda: load_engine(name), name="nano" if name == "nano" else None)


def _need_linux(fixture: str) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip(f"{fixture}: X displays are for Linux, this is {sys.platform}")


@contextmanager
def _failing(fixture: str, missing: type[Exception]) -> Generator[None]:
    """Fail with its words alone where something is missing."""
    try:
        yield
    except missing as error:
        raise pytest.fail.Exception(f"{fixture}: {error}", pytrace=False) from None


def _display_size(config: pytest.Config) -> Size:
    from ..envs import Size

    text = config.getini("moonhand_display")
    sides = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)
    if sides is None:
        raise pytest.UsageError(f"moonhand_display = {text!r} is no size: write it like {DEFAULT_SIZE}")
    return Size(int(sides[1]), int(sides[2]))
