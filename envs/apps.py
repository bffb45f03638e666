"""Programs of an X desktop, by the names their users know."""

from __future__ import annotations

import configparser
import difflib
import os
import shlex
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import Xlib.error
from Xlib import X
from Xlib.protocol import event

from .actions import OpenApp
from .errors import UnsupportedAction
from .secrets import without_secrets
from .windows import connect, window_list, window_title
from .wording import describe

WINDOW_WAIT_S = 10.0  # how long a program may take to show a window
TITLE_SEPARATORS = (" - ", " \u2013 ", " \u2014 ")  # programs put their name last in a title
TERMINALS = ("x-terminal-emulator", "xterm")


@dataclass(frozen=True)
class _Program:
    name: str
    command: tuple[str, ...]
    window_class: str = ""  # as its windows say it


def open_app(display: str | None, action: OpenApp, *, pause: Callable[[float], object]) -> str:
    """Bring a window of the program to the front, or start the program and wait for its window; what came of it.

    The name is that of a desktop entry or of a program on PATH, in any case. UnsupportedAction names the nearest ones
    where there is none. What was started goes on after this process.
    """
    program = _find(action.name)
    connection = connect(display)
    try:
        windows = window_list(connection)
        for window, title in _belonging(connection, windows, action.name, program):
            _activate(connection, window)
            return f"brought to the front: {title!r}"
        if program is None:
            raise UnsupportedAction(f"{describe(action)}: no program of that name; near: {_near(action.name)}")
        return _start(connection, set(windows), program, display, action, pause)
    finally:
        connection.display.socket.close()  # and nothing else: an exception may have cut a request short


def _start(
    connection: Any,
    before: set[int],
    program: _Program,
    display: str | None,
    action: OpenApp,
    pause: Callable[[float], object],
) -> str:
    environ = without_secrets(os.environ) | ({"DISPLAY": display} if display else {})
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(
        program.command, env=environ, cwd=Path.home(), stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
    )
    threading.Thread(target=process.wait, daemon=True).start()  # so that it leaves no zombie
    deadline_s = time.monotonic() + WINDOW_WAIT_S
    while time.monotonic() < deadline_s:
        if new := [window for window in window_list(connection) if window not in before]:
            return f"it opened a window: {window_title(connection, new[-1])!r}"
        if process.poll() == 0:  # it may have handed over to one that runs
            return "it has ended again"
        if process.returncode is not None:
            raise UnsupportedAction(f"{describe(action)}: it ended at once, with status {process.returncode}")
        pause(0.05)
    return f"it runs, but has opened no window in {WINDOW_WAIT_S:g} s"


def _find(name: str) -> _Program | None:
    wanted = name.casefold()
    for program in _desktop_entries():
        if program.name.casefold() == wanted:
            return program
    for spelling in (name, name.lower(), name.lower().replace(" ", "-")):
        if os.sep not in spelling and (path := shutil.which(spelling)):
            return _Program(name, (path,))
    return None


def _desktop_entries() -> Iterator[_Program]:
    shares = (Path.home() / ".local/share", Path("/usr/local/share"), Path("/usr/share"))
    for path in sorted(path for share in shares for path in (share / "applications").glob("**/*.desktop")):
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read_string(path.read_text(encoding="utf-8", errors="replace"))
            entry = dict(parser["Desktop Entry"])
            command = [word for word in shlex.split(entry["exec"]) if not (len(word) == 2 and word[0] == "%")]
        except (OSError, configparser.Error, KeyError, ValueError):  # not an entry that can be started
            continue
        if entry.get("terminal") == "true":
            terminal = next((found for found in map(shutil.which, TERMINALS) if found), None)
            command = [terminal, "-e", *command] if terminal else []
        is_shown = entry.get("type") == "Application" and entry.get("hidden") != "true" and entry.get("name")
        if is_shown and command and shutil.which(command[0]):
            yield _Program(entry["name"], tuple(command), entry.get("startupwmclass", ""))


def _near(name: str) -> str:
    known = {program.name for program in _desktop_entries()}
    for folder in os.get_exec_path():
        if Path(folder).is_dir():
            known.update(path.name for path in Path(folder).iterdir())
    small = {each.casefold(): each for each in sorted(known)}
    found = difflib.get_close_matches(name.casefold(), small, n=5)
    return ", ".join(repr(small[each]) for each in found) or "none"


def _belonging(connection: Any, windows: list[int], name: str, program: _Program | None) -> Iterator[tuple[Any, str]]:
    """The windows, newest first, whose class is the program's, whose title says its name, or whose process it is."""
    wanted, classes = name.casefold(), {_letters(name)}
    if program is not None:
        classes |= {_letters(Path(program.command[0]).name), _letters(program.window_class)} - {""}
    for number in reversed(windows):
        window = connection.create_resource_object("window", number)
        try:
            said = {_letters(each) for each in window.get_wm_class() or ()}
            owner = window.get_full_property(connection.intern_atom("_NET_WM_PID"), X.AnyPropertyType)
        except Xlib.error.XError:  # it has just closed
            continue
        title = window_title(connection, number)
        small = title.casefold()
        is_named = small == wanted or small.endswith(tuple(each + wanted for each in TITLE_SEPARATORS))
        if said & classes or is_named or (program and owner is not None and _runs(owner.value[0], program)):
            yield window, title


def _letters(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def _runs(pid: int, program: _Program) -> bool:
    """Whether the process is this command, itself or through an interpreter."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return False
    first, *others = program.command
    return any(
        Path(words[start]).name == Path(first).name and words[start + 1 : start + 1 + len(others)] == others
        for start in range(min(2, len(words)))
    )


def _activate(connection: Any, window: Any) -> None:
    root = connection.screen().root
    from_pager = 2  # one that acts for the person, not for a program
    ask = event.ClientMessage(
        window=window,
        client_type=connection.intern_atom("_NET_ACTIVE_WINDOW"),
        data=(32, [from_pager, X.CurrentTime, 0, 0, 0]),
    )
    root.send_event(ask, event_mask=X.SubstructureRedirectMask | X.SubstructureNotifyMask)
    connection.sync()
