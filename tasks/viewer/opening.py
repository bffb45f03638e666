"""A page in the browser of the person at the terminal."""

from __future__ import annotations

import os
import sys
import webbrowser


def open_in_browser(address: str) -> bool:
    """Whether a window was opened; never a browser that lives in the terminal."""
    is_x = sys.platform.startswith("linux")
    if is_x and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    try:
        browser = webbrowser.get()
        if isinstance(browser, webbrowser.GenericBrowser) and not isinstance(browser, webbrowser.BackgroundBrowser):
            return False  # lynx, w3m and their like take the terminal
        return browser.open(address)
    except webbrowser.Error:
        return False
