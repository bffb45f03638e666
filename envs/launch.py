"""The ways in which a Chromium that we can drive comes to be: started by us, or running already."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, Playwright, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from .browser_config import BrowserConfig
from .chromium import INSTALL_CHROMIUM, find_chromium, is_headless_shell
from .errors import EnvError, NoBrowser, NoDisplay
from .page_rules import profile_without_preloading
from .secrets import without_secrets
from .tabs import first_line, quietly, send

START_LIMIT_S = 90.0
ATTACH_LIMIT_S = 15.0
REMOVE_LIMIT_S = 2.0
THROWN_AWAY = re.compile(r"--user-data-dir=\"?(.+?playwright_\w+_profile-\w+)")  # as Playwright names a profile


class Launched(NamedTuple):
    """A browser, the context to work in, and the tab that is in front.

    Where a page answers nothing, ending the process `process_id` frees whoever waits for it.
    """

    browser: Browser
    context: BrowserContext
    page: Page
    is_ours: bool  # False where it ran before us, and goes on running
    process_id: int | None


def check_launch(config: BrowserConfig) -> None:
    """Raise NoBrowser, NoDisplay or EnvError where the machine lacks what the configuration names."""
    if (state := config.storage_state) is not None:
        try:
            json.loads(state.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise _unusable(state, str(error)) from error
    if config.executable and not find_chromium(config.executable):
        raise NoBrowser(f"there is no browser at {config.executable!r}: correct the path, or {INSTALL_CHROMIUM}")
    if config.executable and config.surface != "headless" and is_headless_shell(config.executable):
        raise NoBrowser(f"{config.executable} opens no window: choose the headless surface, or a whole Chromium")
    if config.surface == "window" and config.attach is None and sys.platform == "linux":
        display = config.display or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
        if not display:
            raise NoDisplay(
                "a browser with a window needs a display: choose the headless surface, or the kiosk, which brings one"
            )


def launch(stack: ExitStack, config: BrowserConfig, display: str | None) -> Launched:
    """As the configuration says; `stack` undoes it. `display` is the X display for its window. NoBrowser, EnvError."""
    leftovers: list[Path] = []  # folders that only the browser itself removes, which may be killed before
    stack.callback(_remove, leftovers)
    manager = sync_playwright()
    playwright = manager.__enter__()
    stack.callback(quietly, lambda: manager.__exit__(None, None, None))
    if config.attach is not None:
        return _attach(stack, playwright, config, config.attach)._replace(process_id=_driver_id(manager))
    launched, profile = _start(stack, playwright, config, display)
    leftovers += _folders(launched.browser, profile, is_ours=(config.user_data is None))
    return launched


def _start(
    stack: ExitStack, playwright: Playwright, config: BrowserConfig, display: str | None
) -> tuple[Launched, Path | None]:
    """Also the folder of its profile, where we chose it."""
    executable = find_chromium(config.executable, headless=(config.surface == "headless"))
    environ = without_secrets(os.environ) | ({"DISPLAY": display} if display else {})
    how: dict[str, Any] = {
        "executable_path": executable,
        "headless": config.surface == "headless",
        "env": environ,
        "timeout": START_LIMIT_S * 1000,
        # Of Ctrl-C and the like we hear ourselves. However we end, the driver sees it and ends the browser.
        "handle_sigint": False,
        "handle_sigterm": False,
        "handle_sighup": False,
    }
    view: dict[str, Any] = {
        "viewport": {"width": config.viewport.width_px, "height": config.viewport.height_px},
        "device_scale_factor": config.device_scale,
    }
    if config.surface == "kiosk":
        # An emulated size or scale would come on top of that of the real window.
        view = {"no_viewport": True}
        how["args"] = [
            "--kiosk",
            f"--force-device-scale-factor={config.device_scale:g}",
            "--disable-smooth-scrolling",
        ]
        how["ignore_default_args"] = ["--enable-automation"]  # whose bar would cover the page's top
    user_data = config.user_data
    if user_data is None and config.rules:
        user_data = stack.enter_context(profile_without_preloading())
    try:
        if user_data is None:
            browser = playwright.chromium.launch(**how)
            stack.callback(quietly, browser.close)
            context = browser.new_context(**view)
        else:
            context = playwright.chromium.launch_persistent_context(user_data.expanduser(), **how, **view)
            stack.callback(quietly, context.close)
            browser = context.browser
            assert browser is not None
    except PlaywrightError as error:
        raise NoBrowser(f"Chromium does not start {_why(error, config, executable)}") from error
    process_id = _process_id(browser)
    if config.storage_state is not None:
        _fill(context, config.storage_state)
    page = context.pages[0] if context.pages else context.new_page()
    return Launched(browser, context, page, True, process_id), user_data


def _why(error: PlaywrightError, config: BrowserConfig, executable: str | None) -> str:
    if config.user_data is not None and "ProcessSingleton" in error.message:
        return f"on the profile in {config.user_data}, which another browser uses: close that, or take another folder"
    mend = f"run {executable} by hand to see why" if executable else f"install one: {INSTALL_CHROMIUM}"
    return f"({first_line(error)}): {mend}"


def _fill(context: BrowserContext, path: Path) -> None:
    try:
        context.set_storage_state(path)
    except PlaywrightError as error:
        raise _unusable(path, first_line(error)) from error


def _unusable(state: Path, reason: str) -> EnvError:
    return EnvError(f"the storage state {state} cannot be used ({reason}): write one with save_storage_state")


def _attach(stack: ExitStack, playwright: Playwright, config: BrowserConfig, address: str) -> Launched:
    try:
        # Without Playwright's defaults: they would change downloads, focus and fonts of somebody's own browser.
        browser = playwright.chromium.connect_over_cdp(address, timeout=ATTACH_LIMIT_S * 1000, no_defaults=True)
    except PlaywrightError as error:
        port = _port(address)
        raise NoBrowser(
            f"no Chromium answers at {address} ({first_line(error)}): start one with "
            f"`chromium --remote-debugging-port={port} --user-data-dir=DIR`, where DIR is not the folder of your "
            "usual profile: Chrome 136 and later ignore the port there"
        ) from error
    stack.callback(quietly, browser.close)  # which only takes leave of one that was running
    context = browser.contexts[0]
    page = None if config.url else _tab_in_front(context, address)
    if page is None:
        page = context.new_page()
        stack.callback(quietly, page.close)
    return Launched(browser, context, page, False, None)


def _tab_in_front(context: BrowserContext, address: str) -> Page | None:
    """The tab that was activated last, which is the order of the list that the browser gives of its tabs."""
    ids: list[str] = []
    with suppress(OSError, ValueError):
        direct = build_opener(ProxyHandler({}))
        with direct.open(f"http://{urlsplit(address).netloc}/json/list", timeout=ATTACH_LIMIT_S) as answer:
            ids = [target["id"] for target in json.load(answer) if target["type"] == "page"]
    tabs = {_target_id(context, page): page for page in context.pages}
    return next((tabs[one] for one in ids if one in tabs), None) or next(reversed(context.pages), None)


def _target_id(context: BrowserContext, page: Page) -> str:
    session = context.new_cdp_session(page)
    target_id = send(session, "Target.getTargetInfo")["targetInfo"]["targetId"]
    session.detach()
    return target_id


def _port(address: str) -> int:
    with suppress(ValueError):
        return urlsplit(address).port or 9222
    return 9222


def _driver_id(manager: object) -> int | None:
    """Of Playwright's own process: ending a browser that is not ours, where a page hangs, is not for us to do."""
    transport = getattr(getattr(manager, "_client", None), "_transport", None)
    return getattr(getattr(transport, "_proc", None), "pid", None)


def _folders(browser: Browser, profile: Path | None, *, is_ours: bool) -> list[Path]:
    """Those that the browser keeps for as long as it runs: the profile, where it is thrown away, and its socket's."""
    if profile is None:
        session: CDPSession = browser.new_browser_cdp_session()
        found = THROWN_AWAY.search(send(session, "SystemInfo.getInfo")["commandLine"])
        session.detach()
        if found is None:
            return []
        profile = Path(found[1])
    folders = [profile] if is_ours else []
    with suppress(OSError):  # not every Chromium has one
        socket = (profile.expanduser() / "SingletonSocket").readlink()
        if "chrom" in socket.parent.name.lower():
            folders.append(socket.parent)
    return folders


def _remove(folders: list[Path]) -> None:
    """A process that is just ending may still write there."""
    for folder in folders:
        deadline_s = time.monotonic() + REMOVE_LIMIT_S
        while folder.exists() and time.monotonic() < deadline_s:
            shutil.rmtree(folder, ignore_errors=True)
            time.sleep(0.02)


def _process_id(browser: Browser) -> int | None:
    session: CDPSession = browser.new_browser_cdp_session()
    processes = send(session, "SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    return next((process["id"] for process in processes if process["type"] == "browser"), None)
