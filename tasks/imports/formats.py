"""The formats that are read, and how each is told from the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadRequest
from .agentnet import read_agentnet
from .browser_use import read_browser_use
from .imported import Draft
from .osworld import read_osworld
from .playwright_trace import read_playwright_trace
from .reading import json_object, read_lines

Read = Callable[[Path, Path | None, list[str]], Iterator[Draft]]


@dataclass(frozen=True)
class Source:
    """One way in. `read` gives a draft for each run in the file, and tells the problems of what is no run."""

    about: str
    read: Read


SOURCES: dict[str, Source] = {
    "agentnet": Source("AgentNet / OpenCUA rows (.jsonl), images beside", read_agentnet),
    "browser-use": Source("a history of browser-use (.json), screenshots beside or inside", read_browser_use),
    "playwright": Source("a Playwright trace (.zip), versions 9 and 10", read_playwright_trace),
    "osworld": Source("OSWorld's traj.jsonl, screenshots beside", read_osworld),
}


def recognised(path: Path) -> str:
    """The format's name, from how the file begins. BadRequest where nothing fits."""
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        raise BadRequest(f"{path} cannot be read: {error.strerror}") from error
    if head.startswith(b"PK"):
        return "playwright"
    for _, line in read_lines(path):
        try:
            first = json_object(line)
        except ValueError:
            if line.strip() in (b"{", b"[") or b'"history"' in head:
                break
            continue  # a damaged line
        if "traj" in first:
            return "agentnet"
        if "history" in first:
            return "browser-use"
        if {"action", "step_num", "screenshot_file", "Error"} & first.keys():
            return "osworld"
        break
    if b'"history"' in head:
        return "browser-use"
    raise BadRequest(f"{path} is none of {', '.join(SOURCES)}: say which with --from FORMAT")
