"""Words that name a thing to look for."""

from __future__ import annotations


def checked_name(text: str, argument: str = "") -> str:
    """The text. ValueError, which names the argument, for blank words: a model would point somewhere all the same."""
    if not text.strip():
        where = f"{argument}: " if argument else ""
        raise ValueError(f"{where}{text!r} names nothing: say what to look for on the screen")
    return text
