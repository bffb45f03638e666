"""Whether a text is the address of a page, and which was meant where it is none."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

# Schemes that need no "//"; without one, "localhost:8000" would have the scheme "localhost".
_URL = re.compile(r"[a-z][a-z0-9+.-]*://|(about|blob|data|file|javascript|view-source):", re.IGNORECASE)
_HERE = re.compile(r"(localhost|127\.[0-9.]+|0\.0\.0\.0|\[::1\])(:[0-9]+)?([/?#]|$)", re.IGNORECASE)


def why_no_url(text: str) -> str | None:
    """None for a URL, whether or not it answers; else what to give in place of a host's name or a file's path."""
    if _URL.match(text):
        return None
    path = Path(text).expanduser() if text.startswith("~/") else Path(text)
    with suppress(OSError, ValueError):  # too long for a path, or no path at all
        if path.is_file():
            return f"{text} is no URL: did you mean {path.resolve().as_uri()}?"
    if path.suffix.lower() in (".htm", ".html", ".xhtml") or text.startswith(("/", ".", "~")):
        return f"{text} is no URL, and there is no such file: give a URL, such as https://example.com"
    if not text or re.search(r"\s", text):
        return f"{text!r} is no URL: give one such as https://example.com"
    return f"{text} is no URL: did you mean {'http' if _HERE.match(text) else 'https'}://{text}?"
