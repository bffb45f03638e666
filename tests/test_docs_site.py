"""The site of docs/ builds without a warning and without a network, and the commands in the pages are real."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from command_tree import Command, read_commands
from moonhand.tasks.cli import app

ROOT = Path(__file__).parent.parent
WRITTEN = ROOT / "docs" / "commands.md"  # from the commands themselves
PAGES = [ROOT / "README.md", *sorted(page for page in (ROOT / "docs").rglob("*.md") if page != WRITTEN)]
FENCED = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
SHELLS = ("", "sh", "bash", "console", "shell")
FETCHED = re.compile(r"""<(?:script|img|iframe)[^>]*\ssrc=["']?(https?:|//)|<link[^>]*\shref=["']?(https?:|//)""")


def test_the_site_builds_strictly_and_its_pages_fetch_nothing(tmp_path: Path) -> None:
    """Strictly: every link, anchor and picture is there, and every page is in the navigation."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    environ = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stdout + built.stderr
    pages = list(tmp_path.rglob("index.html"))
    assert len(pages) > 30
    for page in pages:
        if page.parent.name != "report":  # a page of its own, not the site's
            assert not FETCHED.search(page.read_text(encoding="utf-8")), page


@pytest.mark.parametrize("written", PAGES, ids=lambda written: written.relative_to(ROOT).as_posix())
def test_each_command_of_a_page_exists_with_its_flags(written: Path) -> None:
    wrong = [why for line in typed_lines(written) if (why := what_is_wrong(line))]
    assert wrong == []


def typed_lines(page: Path) -> Iterator[str]:
    """The lines of shell blocks that call moonhand, each with what `\\` continues."""
    for language, block in FENCED.findall(page.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines() if language in SHELLS else ():
            words = line.strip().removeprefix("$ ").removeprefix(".venv/bin/")
            if words == "moonhand" or words.startswith("moonhand "):
                yield words


def what_is_wrong(line: str) -> str | None:
    words = shlex.split(line, comments=True)[1:]
    command = commands()
    for word in words:
        found = next((child for child in command.children if child.words[-1] == word), None)
        if found is None:
            break
        command = found
    depth = len(command.words) - 1
    if command.children and len(words) > depth and not words[depth].startswith("-"):
        return f"{line}: no such command below {' '.join(command.words)}"
    known = {name for flag in command.flags for name in flag.names} | {"--help"}
    flags = [word.partition("=")[0].strip("[]") for word in words if word.strip("[").startswith("--")]
    unknown = [flag for flag in flags if flag not in known]
    return f"{line}: {' '.join(command.words)} has no {', '.join(unknown)}" if unknown else None


@cache
def commands() -> Command:
    return read_commands(app)
