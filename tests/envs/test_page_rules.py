from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Generator, Mapping
from pathlib import Path

import pytest
from moonhand.envs import (
    Back,
    BrowserConfig,
    BrowserEnv,
    Click,
    Navigate,
    NewTab,
    OriginRules,
    Size,
    UnsupportedAction,
    VirtualDisplay,
)
from moonhand.envs.page_rules import guard_pages, log_in
from playwright.sync_api import sync_playwright

pytestmark = pytest.mark.browser

Serve = Callable[[Mapping[str, str]], str]
VIEWPORT = Size(320, 240)
CLICK = Click(x_px=100, y_px=100)
BUTTON = "<style>#go {{ position: fixed; inset: 0 }}</style><title>home</title><a id=go href='{}'>go</a>"


@pytest.fixture(scope="module")
def evil(serve: Serve) -> str:
    return serve({"/": "<title>evil</title><script>window.ran = 1</script>Got you"}).replace(
        "127.0.0.1", "evil.localhost"
    )


@pytest.fixture(scope="module")
def home(serve: Serve, evil: str) -> str:
    return serve({"/": BUTTON.format(evil), "/other": "<title>other</title>"})


@pytest.fixture(scope="module")
def env(chromium: str, home: str) -> Generator[BrowserEnv]:
    rules = OriginRules(allow=(home,))
    with BrowserEnv(BrowserConfig(url=home, viewport=VIEWPORT, executable=chromium, rules=rules)) as opened:
        yield opened


def test_what_is_not_allowed_is_not_even_begun(env: BrowserEnv, home: str, evil: str) -> None:
    env.perform(Navigate(url=home))
    for action in (
        Navigate(url=evil),
        NewTab(url=evil),
        Navigate(url="data:text/html,x"),
        Navigate(url="chrome://gpu"),
    ):
        with pytest.raises(UnsupportedAction, match="is not on the allow-list; go on with pages that are allowed"):
            env.perform(action)
    with pytest.raises(UnsupportedAction, match="not a full URL"):
        env.perform(Navigate(url="nowhere"))
    assert env.url == f"{home}/"
    assert "new tab" not in env.perform(Navigate(url=f"{home}/other")).detail


def test_a_blocked_page_is_told_of_and_back_leads_where_it_was(env: BrowserEnv, home: str, evil: str) -> None:
    env.perform(Navigate(url=home))
    effect = env.perform(CLICK)
    assert f"blocked: {evil} (not on the allow-list)" in effect.detail
    assert env.url == "chrome-error://chromewebdata/"
    env.perform(Back())
    assert env.url == f"{home}/"


def test_a_run_does_not_begin_where_the_rules_stand_against_it() -> None:
    with pytest.raises(ValueError, match=r"the page to begin with .* is on the deny-list: evil\.example"):
        BrowserConfig(url="https://evil.example/", rules=OriginRules(deny=("evil.example",)))
    BrowserConfig(rules=OriginRules(allow=("shop.example",)))


def test_a_document_that_nobody_intercepted_stays_empty_and_is_left(chromium: str, home: str, evil: str) -> None:
    """As when the session that answers requests dies, or a service worker answers them itself."""
    noted: list[str] = []
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=chromium) as browser:
        context = browser.new_context()
        guard_pages(context, OriginRules(allow=("*",), deny=("evil.localhost",)), noted.append)
        page = context.new_page()
        page.goto(home)
        page.on("domcontentloaded", lambda shown: texts.append(shown.evaluate("document.body?.innerText ?? ''")))
        texts: list[str] = []
        page.click("#go")
        page.wait_for_url(f"{home}/")
        assert noted == [f"blocked: {evil} (on the deny-list: evil.localhost)"]
        assert not any("Got you" in text for text in texts)

        page.set_content(f"<iframe src='{evil}'></iframe><iframe src='data:text/html,kept'></iframe>")
        page.wait_for_function("frames.length === 2")
        page.frames[1].wait_for_url("about:blank")
        assert noted[1:] == noted[:1]
        assert [frame.evaluate("document.body?.innerText") for frame in page.frames[1:]] == ["", "kept"]


@pytest.mark.slow  # always: the same rules without a window
def test_a_window_and_a_deny_list(virtual_display: VirtualDisplay, whole_chromium: str, home: str, evil: str) -> None:
    config = BrowserConfig(
        url=home,
        viewport=VIEWPORT,
        executable=whole_chromium,
        surface="window",
        display=virtual_display.display,
        rules=OriginRules(deny=("evil.localhost",)),
    )
    with BrowserEnv(config) as env:
        assert f"blocked: {evil} (on the deny-list: evil.localhost)" in env.perform(CLICK).detail
        env.perform(Back())
        assert env.evaluate("document.title") == "home"


@pytest.mark.slow  # always: the same rules in a browser of our own
def test_a_browser_that_was_running_already(whole_chromium: str, home: str, evil: str, tmp_path: Path) -> None:
    arguments = [
        "--headless",
        "--no-sandbox",
        "--remote-debugging-port=0",
        f"--user-data-dir={tmp_path}",
        "about:blank",
    ]
    with subprocess.Popen(
        [whole_chromium, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as running:
        try:
            said = tmp_path / "DevToolsActivePort"
            deadline_s = time.monotonic() + 20
            while not (said.exists() and said.read_text()) and time.monotonic() < deadline_s:
                time.sleep(0.02)
            address = f"http://127.0.0.1:{said.read_text().splitlines()[0]}"
            with BrowserEnv(BrowserConfig(url=home, attach=address, rules=OriginRules(allow=(home,)))) as env:
                assert f"blocked: {evil}" in env.perform(CLICK).detail
        finally:
            running.terminate()


def test_a_log_in_goes_to_where_the_run_began_and_to_the_allow_list_alone() -> None:
    find = log_in("me", "word", "https://shop.example/cart", OriginRules())
    assert find("https://shop.example") == ("me", "word")
    assert find("https://evil.example") is None
    assert find("https://shop.example:8443") is None
    assert find("http://shop.example") is None
    find = log_in("me", "word", "https://shop.example/", OriginRules(allow=("shop.example", "*.pay.example")))
    assert find("https://www.pay.example") == ("me", "word")
    assert find("https://evil.example") is None
