"""Which page a tab came to, and how: typed, led to by the page, back or forward."""

from __future__ import annotations

from typing import NamedTuple

from playwright.sync_api import CDPSession, Page

from .raw_events import Navigated, RawEvent
from .tabs import send

TYPED = frozenset(("typed", "address_bar", "generated", "keyword", "keyword_generated", "auto_bookmark", "start_page"))


class _Seen(NamedTuple):
    at: int
    ids: tuple[int, ...]


class PageHistory:
    """The history of each tab, as the browser keeps it. PlaywrightError comes out of its methods."""

    def __init__(self) -> None:
        self._seen: dict[Page, _Seen] = {}

    def look(self, page: Page, session: CDPSession) -> None:
        """Take note of where it is."""
        self._read(page, session)

    def went(self, page: Page, session: CDPSession, view: int, at_s: float) -> list[RawEvent]:
        """What brought it where it is now, from where it was at the last look."""
        before = self._seen.get(page)
        entry, now = self._read(page, session)
        url, kind = str(entry["url"]), str(entry["transitionType"])
        typed_url = str(entry.get("userTypedURL") or "")
        if before is not None and now.ids[now.at] in before.ids:
            steps = now.at - before.at
            if steps:
                how = "forward" if steps > 0 else "back"
                return [Navigated(at_s=at_s, view=view, url=url, how=how, steps=abs(steps))]
            if kind == "reload":
                return [Navigated(at_s=at_s, view=view, url=url, how="reload")]
            return []
        if url.startswith(("chrome:", "about:blank")):  # of a tab that has just opened
            return []
        if kind in TYPED:
            address = typed_url if "://" in typed_url else url
            return [Navigated(at_s=at_s, view=view, url=address, how="typed")]
        return [Navigated(at_s=at_s, view=view, url=url, how="link")]

    def _read(self, page: Page, session: CDPSession) -> tuple[dict[str, object], _Seen]:
        told = send(session, "Page.getNavigationHistory")
        entries = told["entries"]
        seen = _Seen(int(told["currentIndex"]), tuple(int(entry["id"]) for entry in entries))
        self._seen[page] = seen
        return entries[seen.at], seen
