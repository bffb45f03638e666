"""The ways in which a browser comes to be, and that nothing of it stays behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from moonhand.envs import (
    BrowserConfig,
    BrowserEnv,
    Click,
    EnvError,
    Navigate,
    NewTab,
    NoBrowser,
    PageGone,
    Size,
    SwitchTab,
    find_chromium,
)

pytestmark = pytest.mark.browser

Serve = Callable[[Mapping[str, str]], str]
VIEWPORT = Size(400, 300)
REMEMBER = "document.cookie = 'who=me; max-age=1000'; localStorage.place = 'here'"
REMEMBERED = "[document.cookie, localStorage.place]"
PAGES = {
    "/": "<title>theirs</title><body style='margin: 0'><button style='width: 200px; height: 100px' "
    "onclick='document.title = \"clicked\"'>b</button>",
    "/other": "<title>other</title>",
}


@pytest.fixture
def running(whole_chromium: str, serve: Serve, tmp_path: Path) -> Generator[tuple[str, str]]:
    """The address of a Chromium that somebody else started, and that of the page it shows.

    For one test: a tab that it leaves hanging would keep a core busy for as long as the browser lives. Debian's
    headless shell is started by a script: to end that leaves the browser behind.
    """
    folder, url = tmp_path / "theirs", serve(PAGES)
    flags = ["--no-sandbox", "--headless", "--remote-debugging-port=0", f"--user-data-dir={folder}"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen([whole_chromium, *flags, url], stdout=quiet, stderr=quiet) as process:
        try:
            port = folder / "DevToolsActivePort"
            wait_for(lambda: port.exists() and port.read_text().count("\n") >= 1)
            address = f"http://127.0.0.1:{port.read_text().split()[0]}"
            wait_for(lambda: titles(address) == ["theirs"])
            yield address, url
        finally:
            process.terminate()


def titles(address: str) -> list[str]:
    with urlopen(f"{address}/json/list") as answer:
        return [tab["title"] for tab in json.load(answer) if tab["type"] == "page"]


def test_a_browser_that_runs_is_worked_in_and_left_as_it_was(running: tuple[str, str]) -> None:
    address, url = running
    with BrowserEnv(BrowserConfig(attach=address)) as env:
        assert env.url == f"{url}/"
        env.observe()
        with urlopen(Request(f"{address}/json/new?{url}/other", method="PUT")) as answer:  # its owner opens a tab
            theirs = json.load(answer)["id"]
        assert env.perform(Click(x_px=50, y_px=50)).changed is not None
        urlopen(f"{address}/json/close/{theirs}").close()
        assert env.evaluate("document.title") == "clicked"
        env.perform(NewTab(url=f"{url}/other"))
        assert titles(address) == ["other", "clicked"]
    assert titles(address) == ["clicked"]
    with BrowserEnv(BrowserConfig(attach=address, url=f"{url}/other")) as env:
        assert env.evaluate("document.title") == "other"
        env.perform(SwitchTab(index=0))
        env.perform(Navigate(url=url))
    assert titles(address) == ["theirs"]
    hurried = BrowserConfig(attach=address, url=url, timeout_s=1, settle_s=0.5)
    with BrowserEnv(hurried) as env, pytest.raises(PageGone, match="did not answer for 1 s"):
        env.evaluate("(() => { for (;;) {} })()")
    assert "theirs" in titles(address)  # it goes on, with the tab that hangs


def test_where_nothing_listens_the_command_is_named() -> None:
    command = re.escape("chromium --remote-debugging-port=4 --user-data-dir=DIR")
    config = BrowserConfig(attach="http://127.0.0.1:4")
    with pytest.raises(NoBrowser, match=f"{command}.* Chrome 136"), BrowserEnv(config):
        pytest.fail("the body must not start")


def test_a_profile_and_a_storage_state_keep_what_a_page_wrote(
    whole_chromium: str, serve: Serve, tmp_path: Path
) -> None:
    url, state = serve(PAGES), tmp_path / "state.json"
    kept = BrowserConfig(url=url, viewport=VIEWPORT, executable=whole_chromium, user_data=tmp_path / "profile")
    with BrowserEnv(kept) as env:
        env.evaluate(REMEMBER)
        env.save_storage_state(state)
        with pytest.raises(NoBrowser, match=r"profile.* which another browser uses"), BrowserEnv(kept):
            pytest.fail("the body must not start")
    assert state.stat().st_mode & 0o777 == 0o600
    with BrowserEnv(kept) as env:
        assert env.observe().size == VIEWPORT
        assert env.evaluate(REMEMBERED) == ["who=me", "here"]
    fresh = BrowserConfig(url=url, viewport=VIEWPORT, executable=whole_chromium, storage_state=state)
    with BrowserEnv(fresh) as env:
        assert env.evaluate(REMEMBERED) == ["who=me", "here"]
    state.write_text("nothing")
    with pytest.raises(EnvError, match=r"state\.json cannot be used .* save_storage_state"), BrowserEnv(fresh):
        pytest.fail("the body must not start")


@pytest.mark.slow
@pytest.mark.display
def test_killed_outright_we_leave_no_browser_and_no_display(chromium: str) -> None:
    executable = find_chromium(headless=False) or chromium
    program = (
        "from moonhand.envs import *\n"
        f"config = BrowserConfig(surface='kiosk', viewport=Size(300, 200), executable={executable!r})\n"
        "with BrowserEnv(config) as env:\n"
        "    print('open', flush=True)\n"
        "    env.perform(Wait(seconds_s=60))\n"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        started = descendants(process.pid)
        names = {Path(f"/proc/{pid}/comm").read_text().strip() for pid in started}
        os.kill(process.pid, signal.SIGKILL)
    assert {"Xvfb", "openbox", Path(executable).name} <= names
    wait_for(lambda: not any(is_alive(pid) for pid in started))


def descendants(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(FileNotFoundError):  # one that has just ended
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                found += [child, *descendants(child)]
    return found


def is_alive(pid: int) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def wait_for(is_so: Callable[[], bool], limit_s: float = 20.0) -> None:
    deadline_s = time.monotonic() + limit_s
    while not is_so():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
