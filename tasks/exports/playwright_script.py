"""A run as a Playwright script for Python, and as a pytest test, both runnable as they are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from ...agent import Recording
from ...envs import UNTOUCHING
from ..errors import BadRequest
from .exported import (
    Done,
    Exported,
    Told,
    check_script_name,
    done_steps,
    one_line,
    only_one,
    python_text,
    start_url,
    was_on_desktop,
    write_text,
)
from .page_code import PageCode

_SCRIPT = '''\
"""A recorded run as a Playwright script: {name}

    python {file} [--headed] [--url URL] [--chromium PATH]

MOONHAND_CHROMIUM names a Chromium, else Playwright's own is used.
"""
{told}
from __future__ import annotations

import argparse
import os

from playwright.sync_api import Error, Page, sync_playwright

GOAL = {goal}
URL = {url}
{helpers}

def perform(page: Page) -> Page:
    """The steps, and the page that is in front after them."""
{body}
    return page


def main() -> None:
    flags = argparse.ArgumentParser(description=GOAL)
    flags.add_argument("--headed", action="store_true", help="show the window")
    flags.add_argument("--url", default=URL, help="begin at another address")
    flags.add_argument("--chromium", default=os.environ.get("MOONHAND_CHROMIUM"), help="the path of a Chromium")
    given = flags.parse_args()
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=given.chromium or None, headless=not given.headed)
        except Error as error:
            why = error.message.splitlines()[0]
            raise SystemExit(f"{{why}}: pass --chromium PATH, or run: python -m playwright install chromium") from None
        page = browser.new_context({context}).new_page(){dialogs}
        page.goto(given.url)
        page = perform(page)
        page.wait_for_load_state()
        print(page.url, page.title(), sep="\\n")
        browser.close()


if __name__ == "__main__":
    main()
'''

_TEST = '''\
"""A recorded run as a test: {name}

    pytest {file}

MOONHAND_CHROMIUM names a Chromium, else Playwright's own is used; MOONHAND_URL another address to begin at.
"""
{told}
from __future__ import annotations

import os
from collections.abc import Iterator
{urljoin}
import pytest
from playwright.sync_api import Error, Page, expect, sync_playwright

GOAL = {goal}
URL = os.environ.get("MOONHAND_URL") or {url}
{helpers}

@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=os.environ.get("MOONHAND_CHROMIUM") or None)
        except Error as error:
            why = error.message.splitlines()[0]
            pytest.fail(f"{{why}}: set MOONHAND_CHROMIUM, or run: python -m playwright install chromium", pytrace=False)
        page = browser.new_context({context}).new_page(){dialogs}
        yield page
        browser.close()


def test_the_recorded_run(page: Page) -> None:
    page.goto(URL)
{body}
'''


@dataclass(frozen=True)
class _End:
    """Where the run ended, as far as it was looked at after its last action."""

    url: str | None
    title: str | None


def write_playwright(recordings: Sequence[Recording], out: Path) -> Exported:
    """A script with the steps in order."""
    return _write(only_one(recordings, "a Playwright script"), out, _SCRIPT, is_test=False)


def write_pytest(recordings: Sequence[Recording], out: Path) -> Exported:
    """A test that does the steps and asserts where they led."""
    return _write(only_one(recordings, "a test"), out, _TEST, is_test=True)


def _write(recording: Recording, out: Path, template: str, *, is_test: bool) -> Exported:
    check_script_name(out, prefix="test_" if is_test else "recorded_")
    if was_on_desktop(recording):
        raise BadRequest(f"{recording.path} was recorded on a desktop: export it with --to pyautogui")
    told = Told()
    done = done_steps(recording, told)
    url = start_url(recording, done)
    if url is None or not re.match(r"\w+:", url):
        told.note("the run does not say at which page it began: set URL")
    size, scale = done[0].step.before.size, done[0].step.before.scale
    width_css, height_css = round(size.width_px / scale), round(size.height_px / scale)
    code = PageCode(told, width_css, height_css)
    code.write(done)
    asserts, joins = _asserts(_end(done), url, told) if is_test else ([], False)
    code.add(*asserts)
    env = recording.run.get("env")
    accepts = isinstance(env, dict) and env.get("dialogs") == "accept"
    comments = [f"# left out: {line}" for line in told.left_out] + [f"# note: {one_line(line)}" for line in told.notes]
    text = template.format(
        name=_in_docstring(recording.path.name),
        file=_in_docstring(out.name),
        told="\n".join(comments) + ("\n" if comments else ""),
        goal=python_text(recording.goal),
        url=python_text(url or "about:blank"),
        helpers="".join(f"\n{helper}" for helper in code.helpers),
        body="\n".join(f"    {line}" for line in code.lines),
        context=f'viewport={{"width": {width_css}, "height": {height_css}}}, device_scale_factor={scale:g}',
        dialogs='\n        page.on("dialog", lambda dialog: dialog.accept())' if accepts else "",
        urljoin="from urllib.parse import urljoin\n" if joins else "",
    )
    told.note(f"{code.num_located} actions find their element, {code.num_placed} act at a place")
    return Exported(
        files=(write_text(out, text),),
        num_steps=len(done) - len([one for one in done if one.action.type in UNTOUCHING]),
        left_out=tuple(told.left_out),
        notes=tuple(told.notes),
    )


def _end(done: Sequence[Done]) -> _End:
    """From the step after the last that touched the page: what a step tells is from before its action."""
    last = done[-1]
    return _End(last.url, last.title) if last.action.type in UNTOUCHING else _End(None, None)


def _asserts(end: _End, url: str | None, told: Told) -> tuple[list[str], bool]:
    """Statements, and whether they need urljoin."""
    lines: list[str] = []
    joins = False
    if end.title:
        lines.append(f"expect(page).to_have_title({python_text(end.title)})")
    if end.url and end.url.startswith("http"):
        at, began = urlsplit(end.url), urlsplit(url or "")
        if (at.scheme, at.netloc) == (began.scheme, began.netloc):
            rest = end.url[len(f"{at.scheme}://{at.netloc}") :] or "/"
            lines.append(f"expect(page).to_have_url(urljoin(URL, {python_text(rest)}))")
            joins = urljoin(url or "", rest) == end.url
            lines = lines if joins else lines[:-1]
        else:
            lines.append(f"expect(page).to_have_url({python_text(end.url)})")
    if not lines:
        told.note("nobody looked at the page after the last action: the test asserts only that every step can be done")
        lines.append('expect(page.locator("html")).to_be_attached()')
    return ["# where the run ended", *lines], joins


def _in_docstring(text: str) -> str:
    return one_line(text).replace("\\", "/").replace('"', "'")
