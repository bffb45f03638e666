"""What Playwright and Puppeteer call keys and buttons, and what an effect tells that a script has to know."""

from __future__ import annotations

from ...envs import Action, CloseTab, NewTab, OpenApp, SwitchTab
from .exported import Done

NOTCH_CSS_PX = 100  # how far one notch of the wheel scrolls a page
NEW_TAB, CLOSED_TAB = "a new tab opened", "a tab closed"  # what an effect tells

SETTLE_HELPER = '''
def settle(page: Page) -> None:
    """Let the page come to rest before something is done at a place of it."""
    page.wait_for_load_state()
    page.wait_for_timeout(250)
'''


def key_name(key: str, *, with_shift: bool = False) -> str:
    """What Playwright and Puppeteer call a key."""
    from ...envs.page_input import KEY_NAMES

    if with_shift and len(key) == 1 and key.isascii() and key.isalnum():
        return f"Digit{key}" if key.isdigit() else f"Key{key.upper()}"
    return KEY_NAMES.get(key, key)


def tells(one: Done, event: str) -> bool:
    """Whether the action had this on the side."""
    effect = one.step.effect
    return effect is not None and not isinstance(one.action, NewTab | SwitchTab | CloseTab) and event in effect.detail


def button(button: str) -> str:
    return "" if button == "left" else f"button={button!r}"


def why_not(action: Action) -> str:
    return "a browser starts no programs" if isinstance(action, OpenApp) else "it touches nothing"
