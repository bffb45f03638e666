"""Fixtures for tests of programs with a screen; pytest finds them by itself where moonhand is installed.

- `virtual_display`: an X display with a window manager that the whole session shares. Its size is the ini option
  `moonhand_display` (default 1280x720); programs get it by `virtual_display.environ()`. For one of a test's own, open
  `moonhand.envs.VirtualDisplay` in it.
- `moonhand_browser`: opens pages, `screen = moonhand_browser(url)`, as `moonhand.agent.browser` does and with its
  arguments. Each is closed after its test. Where the test fails, what every open page shows is kept as a PNG that the
  report names, in the ini option `moonhand_screenshots` or else in the test's temporary folder.

A test that needs what is not installed fails, and says what to install; where there can be no X display it is skipped.
Importing this loads nothing heavy: models, browsers and displays are loaded by the tests that use them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ..agent import Screen
    from ..envs import Size, VirtualDisplay

DEFAULT_SIZE = "1280x720"
OPEN: pytest.StashKey[Browsers] = pytest.StashKey()


class Browsers:
    """Opens pages for one test; closed with it. `folder` keeps what they show where the test fails."""

    def __init__(self, stack: ExitStack, folder: Path, test: str) -> None:
        self._stack, self._folder, self._test = stack, folder, test
        self._screens: list[Screen] = []

    def __call__(self, url: str, **options: Any) -> Screen:
        """A page in a headless Chromium of its own; the options are those of `moonhand.agent.browser`."""
        from ..agent import browser
        from ..envs import NoBrowser

        options.setdefault("out", self._folder / "runs")
        with _failing("moonhand_browser", NoBrowser):
            screen = self._stack.enter_context(browser(url, **options))
        self._screens.append(screen)
        return screen

    def keep_pictures(self) -> list[str]:
        """Write what each page shows; lines that say where, or why not."""
        from ..envs import EnvError

        lines: list[str] = []
        for number, screen in enumerate(self._screens, 1):
            path = self._folder / f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', self._test)}-{number}.png"
            try:
                png = screen.frame().to_png()
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(png)
                lines.append(str(path))
            except (EnvError, ValueError, OSError) as error:  # ValueError: the test has closed it
                lines.append(f"page {number} could not be kept: {error}")
        return lines


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("moonhand_display", "size of the display of virtual_display, such as 1280x720", default=DEFAULT_SIZE)
    parser.addini("moonhand_screenshots", "folder for pictures of pages whose test failed, from the root", default="")


@pytest.fixture(scope="session")
def virtual_display(pytestconfig: pytest.Config) -> Generator[VirtualDisplay]:
    """An X display with a window manager, shared by the whole session; `.environ()` is for programs."""
    if not sys.platform.startswith("linux"):
        pytest.skip(f"virtual_display: X displays are for Linux, this is {sys.platform}")
    from ..envs import NoDisplay, VirtualDisplay

    size = _display_size(pytestconfig)
    with ExitStack() as stack:
        with _failing("virtual_display", NoDisplay):
            screen = stack.enter_context(VirtualDisplay(size, wm=True))
        yield screen


@pytest.fixture
def moonhand_browser(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Browsers]:
    """Opens pages: `screen = moonhand_browser(url)`; each is closed after the test."""
    wanted = request.config.getini("moonhand_screenshots")
    folder = request.config.rootpath / wanted if wanted else tmp_path
    with ExitStack() as stack:
        browsers = Browsers(stack, folder, request.node.name)
        request.node.stash[OPEN] = browsers
        yield browsers


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the pictures while the pages are open: fixtures are closed only after this."""
    report = yield
    browsers = item.stash.get(OPEN, None)
    if browsers is not None and report.failed and report.when != "teardown" and (lines := browsers.keep_pictures()):
        report.sections.append(("moonhand: what the pages showed", "\n".join(lines)))
    return report


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
