"""Windows of an X display: which there are, what they are called, and where they lie."""

from __future__ import annotations

import time
from typing import Any

import Xlib.display
import Xlib.error
from Xlib import X
from Xlib.protocol import event

from .errors import EnvError, NoDisplay
from .geometry import Region

MANAGER_LIMIT_S = 1.0  # for a window manager to have done what it was told before


def connect(display: str | None) -> Any:
    """A connection to an X display, named or the one in DISPLAY. NoDisplay where it does not answer."""
    try:
        return Xlib.display.Display(display)  # its types know no extensions
    except (Xlib.error.DisplayError, Xlib.error.ConnectionClosedError, OSError) as error:
        raise NoDisplay(f"the X display does not answer ({error}): start one, or use VirtualDisplay") from error


def window_list(connection: Any) -> list[int]:
    """The window manager's list, oldest first; without one, every window that hangs on the root and has a title."""
    root = connection.screen().root
    found = root.get_full_property(connection.intern_atom("_NET_CLIENT_LIST"), X.AnyPropertyType)
    if found is not None:
        return list(found.value)
    return [window.id for window in root.query_tree().children if window_title(connection, window.id)]


def window_title(connection: Any, number: int) -> str:
    """Its title; "" where it has none or is gone."""
    window = connection.create_resource_object("window", number)
    try:
        found = window.get_full_property(connection.intern_atom("_NET_WM_NAME"), X.AnyPropertyType)
        name = window.get_wm_name() if found is None else found.value
    except Xlib.error.XError:
        return ""
    return name.decode(errors="replace") if isinstance(name, bytes) else name or ""


def focused_class(connection: Any) -> str:
    """The class of the window that has the keyboard, such as "XTerm"; "" where it tells none."""
    window = connection.get_input_focus().focus
    try:
        while not isinstance(window, int):  # PointerRoot and None are numbers
            if said := window.get_wm_class():
                return str(said[1])
            window = window.query_tree().parent or 0
    except Xlib.error.XError:  # it has just closed
        pass
    return ""


def wait_for_manager(connection: Any, limit_s: float = MANAGER_LIMIT_S) -> None:
    """Until the window manager has done what it was told before, where one answers in time."""
    ask, answer = (connection.intern_atom(name) for name in ("_NET_REQUEST_FRAME_EXTENTS", "_NET_FRAME_EXTENTS"))
    root = connection.screen().root
    supported = root.get_full_property(connection.intern_atom("_NET_SUPPORTED"), X.AnyPropertyType)
    if supported is None or ask not in supported.value:
        return
    window = root.create_window(0, 0, 1, 1, 0, X.CopyFromParent, event_mask=X.PropertyChangeMask)
    question = event.ClientMessage(window=window, client_type=ask, data=(32, [0] * 5))
    end_s, ask_at_s = time.monotonic() + limit_s, 0.0
    while window.get_full_property(answer, X.AnyPropertyType) is None and (now_s := time.monotonic()) < end_s:
        if now_s >= ask_at_s:  # again: one that is just starting hears nothing
            root.send_event(question, event_mask=X.SubstructureRedirectMask | X.SubstructureNotifyMask)
            ask_at_s = now_s + 0.1
        time.sleep(0.001)
    window.destroy()


class FrontWindow:
    """Tells the title of the window in front, or of the one that has the keyboard where nobody says which that is."""

    def __init__(self, display: str | None) -> None:
        self._display = display
        self._connection: Any = None

    def title(self) -> str | None:
        """None where the display does not tell."""
        try:
            if self._connection is None:
                self._connection = connect(self._display)
            root = self._connection.screen().root
            found = root.get_full_property(self._connection.intern_atom("_NET_ACTIVE_WINDOW"), X.AnyPropertyType)
            number = found.value[0] if found is not None and len(found.value) else 0
            return window_title(self._connection, number) if number else self._focused_title()
        except (Xlib.error.XError, Xlib.error.ConnectionClosedError, NoDisplay, OSError):
            return None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.display.socket.close()
            self._connection = None

    def _focused_title(self) -> str | None:
        window = self._connection.get_input_focus().focus
        while not isinstance(window, int):  # PointerRoot and None are numbers
            if title := window_title(self._connection, window.id):
                return title
            window = window.query_tree().parent or 0
        return None


class WindowFinder:
    """Follows the window that has `part` in its title, in any case; a window of exactly that title goes first.

    The window found first stays the one, whatever becomes of its title, until it closes.
    """

    def __init__(self, display: str | None, part: str) -> None:
        self._connection = connect(display)
        self._part = part
        self._number: int | None = None

    def rectangle(self) -> Region:
        """Where it lies now with its frame, also beyond the edges of the screen, in px of the X screen.

        EnvError, with the titles that there are, where none or more than one is meant, or it is not shown.
        """
        try:
            numbers = window_list(self._connection)
            if self._number not in numbers:
                self._number = self._find(numbers)
            found = _rectangle(self._connection, self._number)
        except (Xlib.error.ConnectionClosedError, OSError) as error:
            raise NoDisplay(f"the display stopped answering ({error}): open the environment again") from error
        if found is None:
            raise EnvError(
                f"the window {self._part!r} is not shown: it may be minimised; bring it to the front and try again"
            )
        return found

    def close(self) -> None:
        self._connection.display.socket.close()  # and nothing else: the display may be gone

    def _find(self, numbers: list[int]) -> int:
        titles = {number: window_title(self._connection, number) for number in numbers}
        wanted = self._part.casefold()
        meant = [number for number, title in titles.items() if title.casefold() == wanted]
        meant = meant or [number for number, title in titles.items() if wanted in title.casefold()]
        if len(meant) == 1:
            return meant[0]
        there = ", ".join(repr(titles[number]) for number in meant or numbers if titles[number])
        if meant:
            raise EnvError(f"{len(meant)} windows have {self._part!r} in their title: say more of one of {there}")
        raise EnvError(f"no window has {self._part!r} in its title: there are {there or 'no windows at all'}")


def _rectangle(connection: Any, number: int) -> Region | None:
    """Client area and frame, less the shadow that some programs draw as a part of themselves; None: not shown."""
    window = connection.create_resource_object("window", number)
    try:
        if window.get_attributes().map_state != X.IsViewable:
            return None
        inner = window.get_geometry()
        place = connection.screen().root.translate_coords(window, 0, 0)
        frame = _extents(connection, window, "_NET_FRAME_EXTENTS")
        shadow = _extents(connection, window, "_GTK_FRAME_EXTENTS")
    except Xlib.error.XError:  # it has just closed
        return None
    left, right, top, bottom = (one - other for one, other in zip(frame, shadow, strict=True))
    return Region(place.x - left, place.y - top, inner.width + left + right, inner.height + top + bottom)


def _extents(connection: Any, window: Any, name: str) -> tuple[int, ...]:
    """Left, right, top and bottom of one kind of edge."""
    found = window.get_full_property(connection.intern_atom(name), X.AnyPropertyType)
    return (0, 0, 0, 0) if found is None else tuple(found.value[:4])
