"""What an action may do that a person would want to be asked about; pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import PurePosixPath
from typing import Literal
from urllib.parse import unquote, urlsplit

from .actions import (
    Action,
    AnswerDialog,
    Click,
    Drag,
    KeyDown,
    Navigate,
    NewTab,
    OpenApp,
    PressKeys,
    SetClipboard,
    TypeText,
    Upload,
)
from .secrets import names_secrets

Risk = Literal["secret", "submit", "download", "upload", "leave", "shell"]
"""Typing a secret; submitting a form; starting a download; giving away a file; leaving the site the run began on (or
its allow-list); keys and programs that reach beyond the page or window, such as ctrl+alt+t."""

RISK_WORDS: dict[Risk, str] = {
    "secret": "types a secret",
    "submit": "may submit a form",
    "download": "may start a download",
    "upload": "gives away a file",
    "leave": "leaves the site",
    "shell": "reaches beyond the page or window",
}

# Chords that close, open or switch windows and tabs, lead to an address bar, a launcher or a tool that runs commands.
SHELL_CHORDS: tuple[frozenset[str], ...] = tuple(
    frozenset(chord.split("+"))
    for chord in (
        *("alt+f4", "alt+f2", "alt+f1", "alt+tab", "alt+escape", "alt+space", "ctrl+escape"),  # the window manager's
        *("ctrl+w", "ctrl+q", "ctrl+n", "ctrl+t", "ctrl+tab", "ctrl+f4"),  # windows and tabs
        *("ctrl+pageup", "ctrl+pagedown", *(f"ctrl+{number}" for number in range(1, 10))),
        *("ctrl+l", "ctrl+k", "ctrl+e", "f6", "ctrl+o", "ctrl+j"),  # address bar, open a file, downloads
        *("f10", "menu", "shift+escape", "ctrl+shift+delete"),  # menus, task manager, clear all data
        *("f12", "ctrl+shift+i", "ctrl+shift+j", "ctrl+shift+c", "ctrl+shift+k"),  # developer tools
    )
)
REACHING = frozenset(("ctrl", "alt", "meta"))  # modifiers that make a command of a key
# What a browser shows, by the ends of names: pages and what makes them, text, pictures, sound and film.
SHOWN = frozenset(
    (
        *("html", "htm", "xhtml", "xht", "shtml", "stm", "php", "phtml", "asp", "aspx", "ashx", "axd", "jsp", "jspx"),
        *("jsf", "do", "action", "cgi", "fcgi", "pl", "py", "rb", "cfm", "mvc", "xml", "xsl", "txt", "md", "json"),
        *("js", "mjs", "css", "png", "apng", "jpg", "jpeg", "jfif", "gif", "webp", "avif", "svg", "bmp", "ico"),
        *("mp3", "m4a", "aac", "ogg", "oga", "opus", "wav", "flac", "mp4", "m4v", "webm", "ogv"),
    )
)
SHOWN_TYPES = ("text/html", "text/plain", "image/", "audio/", "video/")  # of documents in their own address
_ENDING = re.compile(r"\.([a-z0-9]{1,12})", re.IGNORECASE)


def risks_of(action: Action, held: Collection[str] = ()) -> frozenset[Risk]:
    """The risks that the action itself shows, wherever it is performed. `held` are keys that are down already.

    What lies at a place it cannot know: on a page, `PageRisks` looks. Enter counts as submitting wherever it goes, and
    so do a line break that is typed and a space after a typed tab, which may press the button that the tab led to.
    """
    risks: set[Risk] = set()
    match action:
        case TypeText():
            if names_secrets(action.text):
                risks.add("secret")
            after_tab = action.text.partition("\t")[2]
            if action.submit or "\n" in action.text or "\r" in action.text or " " in after_tab:
                risks.add("submit")
            if REACHING & set(held):
                risks.add("shell")  # each letter is a chord
        case SetClipboard() | AnswerDialog() if names_secrets(action.text):
            risks.add("secret")
        case PressKeys():
            risks |= _of_chord({*action.keys, *held})
        case KeyDown():
            risks |= _of_chord({action.key, *held})
            if action.key in REACHING:
                risks.add("shell")  # whatever is pressed next is a chord
        case Click() | Drag() if "meta" in action.modifiers or "alt" in action.modifiers:
            risks.add("shell")  # window managers move and resize by it; a browser saves what a link leads to
        case Upload():
            risks.add("upload")
        case OpenApp():
            risks.add("shell")
        case Navigate() | NewTab() if is_download(action.url):
            risks.add("download")
        case _:
            pass
    return frozenset(risks)


def is_download(url: str) -> bool:
    """Whether the end of the URL's path names a kind of file that is not known to be shown by browsers."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.scheme == "data":
        kind = re.split("[;,]", parts.path)[0].strip().lower()
        return bool(kind) and not kind.startswith(SHOWN_TYPES)
    if parts.scheme not in ("", "http", "https", "file", "ftp", "blob", "filesystem"):
        return False
    name = PurePosixPath(unquote(parts.path).partition(";")[0]).name.rstrip(". ")
    ending = _ENDING.fullmatch(PurePosixPath(name).suffix)
    return ending is not None and not ending[1].isdigit() and ending[1].lower() not in SHOWN


def in_words(risks: Collection[Risk]) -> str:
    """For a person, in a fixed order; empty for none."""
    return ", ".join(words for risk, words in RISK_WORDS.items() if risk in risks)


def _of_chord(keys: set[str]) -> set[Risk]:
    risks: set[Risk] = set()
    if "enter" in keys:
        risks.add("submit")
    keys = {key.lower() for key in keys}
    beyond = "meta" in keys or {"ctrl", "alt"} <= keys or "printscreen" in keys
    # A lone alt opens the menus, and with a letter it presses a page's access keys.
    beyond = beyond or keys == {"alt"} or ("alt" in keys and any(len(key) == 1 for key in keys))
    if beyond or any(chord <= keys for chord in SHELL_CHORDS):
        risks.add("shell")
    return risks
