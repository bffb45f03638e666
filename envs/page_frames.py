"""The frames of a page that can be asked something."""

from __future__ import annotations

from playwright.sync_api import Frame, Page


def frames_with_documents(page: Page) -> list[Frame]:
    """The main frame, then the others. One without an address holds no document, as where Chromium would not open a
    file in it: a question to it would never be answered."""
    main, *others = page.frames
    return [main, *(frame for frame in others if frame.url)]
