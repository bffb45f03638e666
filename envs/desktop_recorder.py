"""Hears and sees what a person does on the desktop of an X display."""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress
from typing import Any, Self

import Xlib.error
from Xlib import X
from Xlib.ext import record
from Xlib.protocol import rq

from .capture import ScreenCapture
from .desktop import DesktopConfig
from .env import Frame
from .errors import NoDisplay
from .hands import KEYSYMS
from .keys import MODIFIERS, Button, Modifier, key_name
from .raw_events import (
    Heard,
    KeyPressed,
    KeyReleased,
    Look,
    PointerDown,
    PointerMoved,
    PointerUp,
    RawEvent,
    ScreenChanged,
    WheelTurned,
)
from .surroundings import Surroundings
from .windows import connect, window_title
from .x_text import DeadKeys, character_of

EVERY_S = 0.04  # between two looks
LATE_S = 0.02  # the server tells of input so much later at most
BUTTONS: dict[int, Button] = {1: "left", 2: "middle", 3: "right"}
WHEEL: dict[int, tuple[int, int]] = {4: (0, -1), 5: (0, 1), 6: (-1, 0), 7: (1, 0)}  # notches right and down
SIDE_BUTTONS = {8: "left", 9: "right"}  # back and forward: alt and an arrow
MASKS: dict[Modifier, int] = {"ctrl": X.ControlMask, "shift": X.ShiftMask, "alt": X.Mod1Mask, "meta": X.Mod4Mask}
MODIFIER_KEYSYMS: dict[int, Modifier] = {
    0xFFE1: "shift", 0xFFE2: "shift", 0xFFE3: "ctrl", 0xFFE4: "ctrl", 0xFFE9: "alt", 0xFFEA: "alt", 0xFFE7: "alt",
    0xFFE8: "alt", 0xFFEB: "meta", 0xFFEC: "meta",
}  # fmt: skip
OTHER_KEYSYMS = {
    0xFF8D: "enter", 0xFE20: "tab", 0xFF95: "home", 0xFF96: "left", 0xFF97: "up", 0xFF98: "right", 0xFF99: "down",
    0xFF9A: "pageup", 0xFF9B: "pagedown", 0xFF9C: "end", 0xFF9E: "insert", 0xFF9F: "delete",
}  # fmt: skip
NUM_LOCK_MASK, LEVEL3_MASK = X.Mod2Mask, X.Mod5Mask
KEYPAD = range(0xFF80, 0xFFBE)  # the keysyms of its upper level


class DesktopRecorder:
    """The input of a display and one of its monitors, for as long as the `with` body lasts.

    Heard is the RECORD extension: what every device and XTEST send, whoever gets it; nothing is grabbed, nothing is
    touched. What a key types is told by the layout, dead keys included; input methods are not seen. A click outside of
    what is captured is not told, `num_outside` counts them. NoDisplay where there is no such display, or no RECORD.
    """

    def __init__(self, config: DesktopConfig | None = None) -> None:
        self.config = config or DesktopConfig()
        self.num_outside = 0
        self._events: deque[RawEvent] = deque()
        self._dead = DeadKeys()
        self._ahead_s: float | None = None  # our clock, of the server's
        self._held: set[Modifier] = set()
        self._is_over = False
        self._last: Look | None = None
        self._outside: set[int] = set()  # buttons that went down there

    def __enter__(self) -> Self:
        config = self.config
        self._capture = ScreenCapture(
            display=config.display, monitor=config.monitor, region=config.region, window=config.window
        )
        self._asking, self._telling = connect(config.display), connect(config.display)
        if not self._asking.has_extension("RECORD"):
            self.close()
            raise NoDisplay("the X display has no RECORD extension: nothing of its input can be heard")
        self._keysyms = {keysym: name for name, keysym in _named_keysyms().items()} | OTHER_KEYSYMS
        events = {
            "core_requests": (0, 0), "core_replies": (0, 0), "ext_requests": (0, 0, 0, 0), "ext_replies": (0, 0, 0, 0),
            "delivered_events": (0, 0), "device_events": (X.KeyPress, X.MotionNotify), "errors": (0, 0),
            "client_started": False, "client_died": False,
        }  # fmt: skip
        self._context = self._asking.record_create_context(0, [record.AllClients], [events])
        self._asking.sync()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="moonhand recorder", daemon=True)
        self._thread.start()
        self._started.wait(2.0)
        self._last = self._look()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def hear(self) -> Heard:
        """What happened and was seen since the last call; takes about EVERY_S."""
        time.sleep(EVERY_S)
        before, look = self._last, self._look()
        self._last = look
        until_s, events = look.began_s - LATE_S, list[RawEvent]()
        while self._events and (self._events[0].at_s <= until_s or self._is_over):
            events.append(self._events.popleft())
        if before is not None and before.frame.pixels_HW3 is not look.frame.pixels_HW3:
            events.append(ScreenChanged(at_s=look.ended_s))
        return Heard(tuple(events), (look,), is_over=self._is_over)

    def close(self) -> None:
        """Listen no longer; may be called twice."""
        self._is_over = True
        with suppress(Xlib.error.ConnectionClosedError, OSError, AttributeError):
            self._asking.record_disable_context(self._context)
            self._asking.record_free_context(self._context)
            self._asking.flush()
        for connection in (self._asking, self._telling):
            with suppress(Xlib.error.ConnectionClosedError, OSError):
                connection.display.socket.close()
        self._capture.close()

    def _look(self) -> Look:
        began_s = time.monotonic()
        frame: Frame = self._capture.observe()
        return Look(frame, began_s, time.monotonic())

    def _listen(self) -> None:
        with suppress(Xlib.error.ConnectionClosedError, OSError, Xlib.error.XError, ValueError):
            self._telling.record_enable_context(self._context, self._hear_reply)
        self._is_over = True  # the display is gone, or we are closed

    def _hear_reply(self, reply: Any) -> None:
        self._started.set()
        if reply.category != record.FromServer or reply.client_swapped or not reply.data:
            return
        data = reply.data
        while data:
            event, data = rq.EventField("event").parse_binary_value(data, self._telling.display, None, None)
            self._hear_event(event)

    def _hear_event(self, event: Any) -> None:
        at_s = self._own_time(event.time)
        if event.type in (X.KeyPress, X.KeyRelease):
            self._key(event, at_s)
            return
        region, scale = self._capture.region, 1.0
        x_px, y_px = (event.root_x - region.left_px) * scale, (event.root_y - region.top_px) * scale
        place: dict[str, Any] = {"at_s": at_s, "x_px": x_px, "y_px": y_px, "modifiers": _modifiers(event.state)}
        is_outside = not (0 <= x_px < region.width_px and 0 <= y_px < region.height_px)
        if event.type == X.MotionNotify:
            if not is_outside:
                self._events.append(PointerMoved(**place))
            return
        if event.type == X.ButtonRelease and event.detail in self._outside:
            self._outside.discard(event.detail)
            return
        if event.type == X.ButtonPress and is_outside:
            self._outside.add(event.detail)
            self.num_outside += 1
            return
        self._button(event, place)

    def _button(self, event: Any, place: dict[str, Any]) -> None:
        is_press = event.type == X.ButtonPress
        if event.detail in BUTTONS:
            button = BUTTONS[event.detail]
            place |= {"surroundings": self._surroundings()} if is_press else {}
            made = PointerDown(**place, button=button) if is_press else PointerUp(**place, button=button)
            self._events.append(made)
        elif event.detail in WHEEL and is_press:
            dx, dy = WHEEL[event.detail]
            self._events.append(WheelTurned(**place, dx=dx, dy=dy))
        elif event.detail in SIDE_BUTTONS and is_press:
            key = SIDE_BUTTONS[event.detail]
            self._events.append(KeyPressed(at_s=place["at_s"], key=key, modifiers=("alt",)))

    def _key(self, event: Any, at_s: float) -> None:
        row = [int(keysym) for keysym in self._asking.get_keyboard_mapping(event.detail, 1)[0]]
        if not any(row):
            return
        modifier = MODIFIER_KEYSYMS.get(row[0])
        if event.type == X.KeyRelease:
            if modifier is not None:
                self._events.append(KeyReleased(at_s=at_s, key=modifier))
            return
        held = _modifiers(event.state)
        if modifier is not None:
            self._events.append(KeyPressed(at_s=at_s, key=modifier, modifiers=held))
            return
        keysym = _level(row, event.state)
        is_chord = not {"ctrl", "alt", "meta"}.isdisjoint(held)
        if not is_chord and self._dead.takes(keysym):
            return
        text = "" if is_chord else self._dead.text(keysym)
        name = self._keysyms.get(keysym) or text or character_of(keysym)
        if name in ("enter", "tab", "escape", "backspace", "delete"):
            text = ""
        with suppress(ValueError):  # of media keys and the like, for which there is no action
            seen = self._surroundings()
            self._events.append(KeyPressed(at_s=at_s, key=key_name(name), text=text, modifiers=held, surroundings=seen))

    def _surroundings(self) -> Surroundings | None:
        """The title of the window in front, as far as the window manager tells."""
        try:
            atom = self._asking.intern_atom("_NET_ACTIVE_WINDOW")
            found = self._asking.screen().root.get_full_property(atom, X.AnyPropertyType)
            title = "" if found is None else window_title(self._asking, int(found.value[0]))
        except (Xlib.error.XError, Xlib.error.ConnectionClosedError, OSError):
            return None
        return Surroundings(title=title[:200]) if title else None

    def _own_time(self, server_ms: int) -> float:
        """A moment by the server's clock on ours: what took the least time to come here was the least late."""
        ahead_s = time.monotonic() - server_ms / 1000
        if self._ahead_s is None or ahead_s < self._ahead_s or ahead_s > self._ahead_s + 3600:  # it begins anew at 2^32
            self._ahead_s = ahead_s
        return server_ms / 1000 + self._ahead_s


def _level(row: list[int], state: int) -> int:
    """The keysym of a key with these modifiers, in the group that is on: the map of the core protocol."""
    group = min(state >> 13 & 3, 1)
    is_shifted, is_third = bool(state & X.ShiftMask), bool(state & LEVEL3_MASK)
    first = 2 * group + (4 if is_third else 0)
    if len(row) <= first or not any(row[first : first + 2]):
        first = 4 if is_third and len(row) > 4 and any(row[4:6]) else 0
    pair = [*row[first : first + 2], 0, 0][:2]
    if pair[1] in KEYPAD:
        return pair[int(is_shifted != bool(state & NUM_LOCK_MASK))]
    small, large = character_of(pair[0]), character_of(pair[1])
    if state & X.LockMask and large and small != large and small.upper() == large:
        is_shifted = not is_shifted
    return pair[1] if is_shifted and pair[1] else pair[0]


def _modifiers(state: int) -> tuple[Modifier, ...]:
    return tuple(name for name in MODIFIERS if state & MASKS[name])


def _named_keysyms() -> dict[str, int]:
    from Xlib import XK

    return {name: XK.string_to_keysym(said) for name, said in KEYSYMS.items() if name not in MODIFIERS and said}
