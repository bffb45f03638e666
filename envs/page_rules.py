"""Rules of origins and log-ins, enforced in a running Chromium on every document, before it is asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Frame, Page
from playwright.sync_api import Error as PlaywrightError

from .origins import OriginRules
from .tabs import send
from .web_address import parse_address

TRIES = 10  # to bring a page back

Note = Callable[[str], None]
Credentials = Callable[[str], tuple[str, str] | None]  # origin -> user and password, where it may have them

# Documents that never reach the network: data:, blob:, those of a service worker or loaded ahead. The script runs
# before anything of theirs; what it stops stays empty.
RULES_JS = """
((rules) => {
  const href = location.href;
  if (/^(about|chrome-error):/.test(href)) return;
  const at = new URL(href.replace(/^(blob|filesystem):(?=https?:|file:)/, ""));
  const scheme = at.protocol.slice(0, -1), host = at.hostname.replace(/[.]$/, "");
  const usual = { http: 80, https: 443 }[scheme], port = Number(at.port || usual);
  const holds = (origins) => {
    if (origins.schemes.length && !origins.schemes.includes(scheme)) return false;
    if (origins.port !== null && port !== (origins.port || usual)) return false;
    if (origins.path) {
      const path = decodeURIComponent(at.pathname);
      const isBeneath = origins.path.endsWith("/") && path.startsWith(origins.path);
      return (!host || origins.is_any_host) && (path === origins.path || isBeneath);
    }
    return !origins.host || host === origins.host
      || (origins.is_with_subdomains && host.endsWith("." + origins.host));
  };
  if (rules.denied.some(holds) || (rules.allowed.length && !rules.allowed.some(holds))) window.stop();
})(%s)
"""


def enforce(
    browser: Browser,
    context: BrowserContext,
    rules: OriginRules,
    note: Note,
    *,
    credentials: Credentials | None = None,
) -> None:
    """From now on let no document be asked for, or shown, that the rules stand against; `note` hears what was.

    It holds for every tab, pop-up and frame of the browser, for every hop of a redirect, and for log-ins: a server
    that asks for one gets what `credentials` has for it. Documents wait for our answer, which is given whenever
    Playwright runs: without one none is let through. Scripts, pictures and the like are not judged.
    """
    if rules:
        guard_pages(context, rules, note)
    if rules or credentials is not None:
        guard_requests(browser, rules, note, credentials)


def guard_requests(browser: Browser, rules: OriginRules, note: Note, credentials: Credentials | None) -> None:
    """Judge every document before it is asked for, and every log-in."""
    session = browser.new_browser_cdp_session()
    logged_in: set[str] = set()  # requests that got their log-in, once

    def answer(method: str, **parameters: object) -> None:
        with suppress(PlaywrightError):  # its tab has closed
            send(session, method, **parameters)

    def judge(event: dict[str, Any]) -> None:
        url, request_id = event["request"]["url"], event["requestId"]
        if why := rules.why_not(url):
            answer("Fetch.failRequest", requestId=request_id, errorReason="BlockedByClient")
            note(_blocked(url, why))
        else:
            answer("Fetch.continueRequest", requestId=request_id)

    def log_in(event: dict[str, Any]) -> None:
        challenge, request_id = event["authChallenge"], event["requestId"]
        found = None
        if credentials and challenge.get("source") == "Server" and request_id not in logged_in:
            found = credentials(challenge["origin"])
        response = {"response": "CancelAuth"}
        if found is not None:
            logged_in.add(request_id)
            response = {"response": "ProvideCredentials", "username": found[0], "password": found[1]}
        answer("Fetch.continueWithAuth", requestId=request_id, authChallengeResponse=response)

    session.on("Fetch.requestPaused", judge)
    session.on("Fetch.authRequired", log_in)
    patterns = [{"urlPattern": "*", "resourceType": "Document"}]
    send(session, "Fetch.enable", patterns=patterns, handleAuthRequests=credentials is not None)


def guard_pages(context: BrowserContext, rules: OriginRules, note: Note) -> None:
    """Empty every document that came past the network, and bring its frame back to where it was before."""

    def judge(frame: Frame) -> None:
        if why := rules.why_not(frame.url) if frame.url else None:
            note(_blocked(frame.url, why))
            _bring_back(frame)

    def watch(page: Page) -> None:
        page.on("framenavigated", judge)

    context.add_init_script(RULES_JS % json.dumps(rules.as_json()))
    context.on("page", watch)
    for page in context.pages:
        watch(page)


def log_in(user: str, password: str, start_url: str, rules: OriginRules) -> Credentials:
    """Credentials for the origin a run begins on and for what is on the allow-list, and for nobody else."""
    start = parse_address(start_url)

    def find(origin: str) -> tuple[str, str] | None:
        is_known = start is not None and parse_address(origin) == start
        return (user, password) if is_known or (rules.allow and rules.allows(origin)) else None

    return find


@contextmanager
def profile_without_preloading() -> Generator[Path]:
    """A profile for a run with rules: what Chromium loads ahead, on a page's advice, no DevTools session can stop."""
    with TemporaryDirectory(prefix="moonhand-", ignore_cleanup_errors=True) as folder:
        preferences = Path(folder, "Default", "Preferences")
        preferences.parent.mkdir()
        preferences.write_text('{"net": {"network_prediction_options": 2}}', encoding="utf-8")
        yield Path(folder)


def _bring_back(frame: Frame) -> None:
    page = frame.page
    for _ in range(TRIES):
        try:
            if frame is not page.main_frame:
                frame.evaluate("location.replace('about:blank')")
            elif page.go_back(wait_until="commit") is None:
                page.goto("about:blank")
            return
        except PlaywrightError:  # gone, or just changing its process
            with suppress(PlaywrightError):
                page.wait_for_timeout(20)


def _blocked(url: str, why: str) -> str:
    origin = re.match(r"(?:[a-z-]+:)?[a-z-]+://[^/?#]*|[a-z-]+:", url, re.IGNORECASE)
    return f"blocked: {origin[0] if origin else url[:80]} ({why})"
