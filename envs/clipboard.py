"""The clipboard: read, written, or lent for as long as a paste takes."""

from __future__ import annotations

import select
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from .errors import NoDisplay, UnsupportedAction

FETCH_LIMIT_S = 2.0  # how long the program that pastes may take to ask for the text
WATCHED_S = 0.05  # programs that watch the clipboard have read a new text once they have been silent for so long
LENT_S = 5.0  # a text can be had for so long after it was last fetched: a busy program may paste late
LENT_AT_CLOSE_S = 0.2  # and for so long where we leave
ANSWER_LIMIT_S = 2.0  # how long the program that holds the clipboard may take to hand it over
SIZE_LIMIT = 200_000  # bytes of one X request; more would have to be sent in parts
OTHER_FORMS = ("image/png", "x-special/gnome-copied-files", "text/uri-list")  # of which one is kept, before a text
FETCH_POLL_S = 0.005
RICH_FORMS = ("image/", "application/", "x-special/", "text/uri-list", "text/html")  # how those start that say more

Pause = Callable[[float], object]  # a sleep, in seconds, that may raise


class Clipboard(Protocol):
    """What is on it. `paste` offers a text, presses the paste keys, and puts back what was there once that is taken."""

    def read(self) -> str: ...  # "" where there is no text
    def write(self, text: str) -> None: ...  # to stay there after this process has ended
    def can_be_kept(self) -> bool: ...  # whether all that is on it would be there again after a paste
    def paste(self, text: str, press_paste: Callable[[], None]) -> bool: ...  # False where nothing fetches it
    def close(self) -> None: ...  # put back now what was there


def open_clipboard(display: str | None, pause: Pause = time.sleep) -> Clipboard:
    """That of an X display, named or the one in DISPLAY; elsewhere that of the system."""
    return XClipboard(display, pause) if sys.platform == "linux" else SystemClipboard(pause)


def check_length(text: str) -> None:
    """UnsupportedAction where it is too long to be pasted."""
    if len(text.encode()) > SIZE_LIMIT:
        raise UnsupportedAction(f"a text of over {SIZE_LIMIT} bytes is too long to be pasted: type it in smaller parts")


class XClipboard:
    """Needs xclip to read, to write, and to put back what was there: its text, or else its picture or list of files.

    Whatever somebody else puts on it meanwhile stays.
    """

    def __init__(self, display: str | None, pause: Pause = time.sleep) -> None:
        self._display, self._pause = display, pause
        self._offer: _Offer | None = None

    def read(self) -> str:
        self.close()
        return (_xclip(self._display, "-o") or b"").decode(errors="replace")

    def write(self, text: str) -> None:
        self.close()
        _put(self._display, text.encode())

    def can_be_kept(self) -> bool:
        if self._offer is not None and self._offer.is_ours:
            return self._offer.is_whole
        forms = _forms(self._display)
        return forms is not None and _is_plain(forms)

    def paste(self, text: str, press_paste: Callable[[], None]) -> bool:
        check_length(text)
        former = self._end_offer(restores=False) or _Former(self._display)
        self._offer = offer = _Offer(self._display, text.encode(), former)
        try:
            offer.start()
            num_before = offer.wait_until_read(self._pause)
            press_paste()
            if offer.wait_for_fetch(num_before, self._pause):
                return True
            self._end_offer(restores=True)
            return False
        except BaseException:
            self._end_offer(restores=True)
            raise

    def close(self) -> None:
        if self._offer is not None:
            self._offer.wait_until_old(LENT_AT_CLOSE_S)
        self._end_offer(restores=True)

    def _end_offer(self, *, restores: bool) -> _Former | None:
        """What was there before the offer, unless that is over."""
        offer, self._offer = self._offer, None
        return offer.end(restores=restores) if offer is not None else None


class _Former:
    """What is on the clipboard now, in one form."""

    def __init__(self, display: str | None) -> None:
        forms = _forms(display) or []
        self._display = display
        self._form = next((form for form in OTHER_FORMS if form in forms), None)
        self._data = _xclip(display, "-o", form=self._form) if forms else None
        self.is_whole = _is_plain(forms)

    def restore(self) -> None:
        if self._data:
            _put(self._display, self._data, self._form)


class _Offer(threading.Thread):
    """Hands a text to every program that asks, until LENT_S after it was last fetched, and restores what was there."""

    def __init__(self, display: str | None, data: bytes, former: _Former) -> None:
        super().__init__(name="moonhand clipboard", daemon=True)
        from .windows import connect

        self._data, self._former = data, former
        self._num_fetched = 0
        self._asked_s = time.monotonic()
        self._restores: bool | None = None  # None: it goes on
        self.is_ours = True
        self._connection = connect(display)
        owner = self._connection.screen().root.create_window(0, 0, 1, 1, 0, 0)
        owner.set_selection_owner(self._connection.intern_atom("CLIPBOARD"), 0)
        self._connection.sync()

    @property
    def is_whole(self) -> bool:
        return self._former.is_whole

    def wait_until_read(self, pause: Pause) -> int:
        """Until nobody has asked for WATCHED_S; how often the text was fetched."""
        self.wait_until_old(WATCHED_S, pause)
        return self._num_fetched

    def wait_until_old(self, age_s: float, pause: Pause = time.sleep) -> None:
        """Until nobody has asked for so long; some never stop asking."""
        limit_s = time.monotonic() + 5 * age_s
        while (left_s := min(self._asked_s + age_s, limit_s) - time.monotonic()) > 0:
            pause(left_s)

    def wait_for_fetch(self, num_before: int, pause: Pause) -> bool:
        """Whether somebody fetches the text once more in time."""
        limit_s = time.monotonic() + FETCH_LIMIT_S
        while self._num_fetched <= num_before and time.monotonic() < limit_s:
            pause(FETCH_POLL_S)
        return self._num_fetched > num_before

    def end(self, *, restores: bool) -> _Former | None:
        """Stop; what was there before, unless somebody else has put something there meanwhile or it is back."""
        self._restores = restores
        if self.is_alive():
            self.join()
        return self._former if self.is_ours else None

    def run(self) -> None:
        from Xlib.error import ConnectionClosedError

        try:
            while self._restores is None and time.monotonic() < self._asked_s + LENT_S and self.is_ours:
                if self._connection.pending_events() or select.select([self._connection], [], [], 0.02)[0]:
                    while self._connection.pending_events():
                        self._take(self._connection.next_event())
            if self.is_ours and self._restores is not False:
                self.is_ours = False
                self._former.restore()
        except (ConnectionClosedError, NoDisplay, OSError):  # with the display went the clipboard
            self.is_ours = False
        finally:
            self._connection.display.socket.close()

    def _take(self, event: Any) -> None:
        from Xlib import X

        if event.type == X.SelectionClear:
            self.is_ours = False
        elif event.type == X.SelectionRequest:
            is_text = _answer(self._connection, event, self._data)
            self._asked_s = time.monotonic()
            self._num_fetched += is_text


def _answer(connection: Any, asked: Any, data: bytes) -> bool:
    """Hand over the text, or the list of its forms; whether it was the text."""
    from Xlib import X
    from Xlib.protocol import event

    targets, utf8, text, latin = (connection.intern_atom(name) for name in ("TARGETS", "UTF8_STRING", "TEXT", "STRING"))
    plain = connection.intern_atom("text/plain;charset=utf-8")
    into = asked.property or asked.target  # clients of the oldest kind name no property
    is_text = asked.target in (utf8, text, latin, plain)
    if asked.target == targets:
        asked.requestor.change_property(into, connection.intern_atom("ATOM"), 32, [targets, utf8, text, latin, plain])
    elif is_text:
        asked.requestor.change_property(into, utf8 if asked.target == text else asked.target, 8, data)
    else:
        into = X.NONE
    asked.requestor.send_event(
        event.SelectionNotify(
            time=asked.time, requestor=asked.requestor, selection=asked.selection, target=asked.target, property=into
        )
    )
    connection.flush()
    return is_text


def _is_plain(forms: list[str]) -> bool:
    return not any(form.startswith(RICH_FORMS) for form in forms)


def _forms(display: str | None) -> list[str] | None:
    """In which forms what is on it can be had; None where nobody says."""
    if shutil.which("xclip") is None:
        return None
    told = _xclip(display, "-o", form="TARGETS")
    return None if told is None else told.decode(errors="replace").split()


def _put(display: str | None, data: bytes, form: str | None = None) -> None:
    """Put it on the clipboard, and come back once it is there: xclip itself comes back a little earlier."""
    from .windows import connect

    if shutil.which("xclip") is None:
        return
    connection = connect(display)
    try:
        selection = connection.intern_atom("CLIPBOARD")
        before = connection.get_selection_owner(selection)
        _xclip(display, "-i", data, form=form)
        limit_s = time.monotonic() + ANSWER_LIMIT_S
        while connection.get_selection_owner(selection) == before and time.monotonic() < limit_s:
            time.sleep(0.002)
    finally:
        connection.display.socket.close()


def _xclip(display: str | None, way: str, data: bytes = b"", *, form: str | None = None) -> bytes | None:
    """What it answers, in that form or as text; None where it is missing, or whoever holds the clipboard is silent."""
    program = shutil.which("xclip")
    if program is None:
        return None
    where = ["-display", display] if display else []
    # Given a text, xclip stays behind to serve it and would keep a pipe open for as long.
    output = subprocess.PIPE if way == "-o" else subprocess.DEVNULL
    command = [program, *where, "-selection", "clipboard", *(["-t", form] if form else []), way]
    try:
        done = subprocess.run(
            command, input=data, stdout=output, stderr=subprocess.DEVNULL, timeout=ANSWER_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    return done.stdout or b""


class SystemClipboard:
    """Through pyperclip, which knows texts alone: a picture that is on it is lost with the first paste."""

    def __init__(self, pause: Pause = time.sleep) -> None:
        import pyperclip

        self._board: Any = pyperclip
        self._pause = pause

    def read(self) -> str:
        return str(self._board.paste())

    def write(self, text: str) -> None:
        self._board.copy(text)

    def can_be_kept(self) -> bool:
        return True

    def paste(self, text: str, press_paste: Callable[[], None]) -> bool:
        former = self.read()
        self.write(text)
        try:
            press_paste()
            self._pause(LENT_AT_CLOSE_S)  # no system but X tells who has fetched it
        finally:
            self.write(former)
        return True

    def close(self) -> None:
        pass
