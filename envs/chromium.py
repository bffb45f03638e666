"""Where this machine keeps a Chromium."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

INSTALL_CHROMIUM = "python -m playwright install chromium  (or, on Debian and Ubuntu: apt-get install -y chromium)"

_SHELLS = ("chromium-headless-shell", "chrome-headless-shell")  # start twice as fast, draw the same pixels
_BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome", "microsoft-edge")


def find_chromium(preferred: str | None = None, *, headless: bool = True) -> str | None:
    """The path of a Chromium: `preferred` (a path or a name on PATH; the caller may read it from MOONHAND_CHROMIUM),
    then the known names on PATH, then one that Playwright has downloaded; None where there is none.

    A `preferred` that does not exist gives None rather than another browser than the one asked for.
    """
    if preferred:
        return shutil.which(preferred)
    for name in (*_SHELLS, *_BROWSERS) if headless else _BROWSERS:
        if found := shutil.which(name):
            return found
    return _playwright_download(headless)


def is_headless_shell(executable: str) -> bool:
    """Whether that is a Chromium without windows, by its name."""
    return re.search(r"headless.shell", Path(executable).name) is not None


def _playwright_download(headless: bool) -> str | None:
    cache = "Library/Caches" if sys.platform == "darwin" else ".cache"
    folder = Path.home() / cache / "ms-playwright"
    shells = ("chromium_headless_shell-*/*/*headless?shell",) if headless else ()
    for pattern in (*shells, "chromium-*/chrome-linux*/chrome", "chromium-*/*/*.app/Contents/MacOS/Chromium"):
        if found := sorted(folder.glob(pattern)):
            return str(found[-1])
    return None
