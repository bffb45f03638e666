"""Actions carried out on a desktop."""

from __future__ import annotations

import sys
import time
from typing import assert_never

from .actions import (
    Action,
    AnswerDialog,
    AskUser,
    Back,
    Click,
    CloseTab,
    Drag,
    Extract,
    Finish,
    Forward,
    GetClipboard,
    KeyDown,
    KeyUp,
    MouseDown,
    MouseUp,
    Move,
    Navigate,
    NewTab,
    OpenApp,
    PressKeys,
    Refuse,
    Reload,
    Scroll,
    SelectOption,
    SetClipboard,
    SwitchTab,
    TypeText,
    Upload,
    Wait,
    Zoom,
)
from .capture import ScreenCapture
from .clipboard import open_clipboard
from .drag_path import moves
from .env import Done, Frame
from .errors import UnsupportedAction
from .geometry import Point
from .hands import Hands
from .held import Held
from .settle import PATIENT_S, STILL_S, settle_pixels, wait_until_changed
from .typist import Typist

CLICK_GAP_S = 0.03  # between the clicks of a double click
NOTCH_PT = 100  # what one notch of the wheel is taken to scroll; most programs scroll 50 to 100


class DesktopActor:
    """Touches what `capture` sees. `gap_s` lies between two key events; `paste_keys` paste from the clipboard.

    A wheel has notches alone: a scroll by px is one notch for each NOTCH_PT of OS points, and by pages as many as the
    screen's side has, so that nothing is skipped; any scroll is at least one notch. Without a place it turns where the
    pointer is.
    """

    def __init__(
        self, capture: ScreenCapture, held: Held, *, display: str | None, gap_s: float, paste_keys: tuple[str, ...]
    ) -> None:
        self._capture, self._held = capture, held
        self._display, self._gap_s = display, gap_s
        self._clipboard = open_clipboard(display, held.pause)
        self._typist = Typist(held, self._clipboard, display=display, gap_s=gap_s, paste_keys=paste_keys)

    def close(self) -> None:
        """Put back what was on the clipboard."""
        self._clipboard.close()

    def act(self, action: Action, before: Frame) -> Done:
        """Do it. `before` is what whoever asks for it saw last. After an exception keys may be down, for a release."""
        held, hands, scale = self._held, self._held.hands, before.scale
        if isinstance(action, Click | Move | MouseDown | MouseUp | Scroll) and action.point is not None:
            self._move(action.point, before)
        match action:
            case Click():
                with held.holding(action.modifiers):
                    for number in range(action.count):
                        held.pause(CLICK_GAP_S if number else 0)
                        with held.holding((action.button,), is_button=True):
                            held.pause(self._gap_s)
            case Move():
                pass
            case MouseDown():
                held.press(action.button, is_button=True)
            case MouseUp():
                held.let_go(action.button, is_button=True)
            case Drag():
                with held.holding(action.modifiers):
                    self._drag(action, before)
            case Scroll():
                region = self._capture.region
                dx, dy = _notches(action, region.width_px, region.height_px, scale)
                held.wheel(dx, dy)
            case TypeText():
                self._typist.type(action)
            case PressKeys():
                keys = _unfolded(hands, action.keys)
                for _ in range(action.repeat):
                    self._typist.chord(keys, action.hold_s)
            case KeyDown():
                _unfolded(hands, (action.key,))
                held.press(action.key)
            case KeyUp():
                _unfolded(hands, (action.key,))
                held.let_go(action.key)
            case Wait():
                return self._wait(action, before)
            case GetClipboard():
                return Done(answer=self._clipboard.read())
            case SetClipboard():
                self._clipboard.write(action.text)
            case OpenApp():
                return Done(notes=(self._open_app(action),))
            case (
                SelectOption() | Upload() | Navigate() | Back() | Forward() | Reload()
                | NewTab() | SwitchTab() | CloseTab() | AnswerDialog()
                | Zoom() | Extract() | AskUser() | Finish() | Refuse()
            ):  # fmt: skip
                return Done(performed=False)
            case _:
                assert_never(action)
        return Done()

    def _move(self, point: Point, seen: Frame) -> None:
        left_pt, top_pt = seen.origin_pt
        self._held.move(left_pt + point.x_px / seen.scale, top_pt + point.y_px / seen.scale)

    def _drag(self, action: Drag, seen: Frame) -> None:
        self._move(action.path[0], seen)
        with self._held.holding((action.button,), is_button=True):
            start_s = time.monotonic()
            for at_s, point in moves(action):
                self._held.pause(max(0.001, start_s + at_s - time.monotonic()))
                self._move(point, seen)
            self._held.pause(0.02)

    def _open_app(self, action: OpenApp) -> str:
        if sys.platform != "linux":
            from .system_apps import open_system_app

            return open_system_app(action)
        from .apps import open_app

        return open_app(self._display, action, pause=self._held.pause)

    def _wait(self, action: Wait, before: Frame) -> Done:
        grab, limit_s, pause = self._capture.grab, action.seconds_s, self._held.pause
        if action.until is None:
            self._held.pause(limit_s)
        elif action.until == "still":
            settled, _ = settle_pixels(grab, quiet_s=STILL_S, limit_s=limit_s, endless_s=PATIENT_S, pause=pause)
            if not settled.is_still:
                return Done(notes=("it has not come to rest",))
        elif not wait_until_changed(grab, before.pixels_HW3, limit_s=limit_s, pause=pause):
            return Done(notes=("it has not changed",))
        return Done()


def _unfolded(hands: Hands, keys: tuple[str, ...]) -> tuple[str, ...]:
    """The keys of a chord with the shift that a character such as "+" needs; all of them known to the keyboard."""
    unfolded: list[str] = []
    for key in keys:
        stroke = hands.stroke(key)
        if stroke is None:
            raise UnsupportedAction(f"press {'+'.join(keys)}: the keyboard has no key {key!r}; type it as text")
        unfolded.extend(one for one in stroke if one not in unfolded)
    return tuple(unfolded)


def _notches(action: Scroll, width_pt: float, height_pt: float, scale: float) -> tuple[int, int]:
    """Whole notches to the right and down, and at least one where there are any."""
    per_x, per_y = {
        "notch": (1.0, 1.0),
        "px": (1 / scale / NOTCH_PT, 1 / scale / NOTCH_PT),
        "page": (width_pt / NOTCH_PT, height_pt / NOTCH_PT),
    }[action.unit]
    return _whole(action.dx * per_x), _whole(action.dy * per_y)


def _whole(turn: float) -> int:
    return 0 if turn == 0 else max(1, round(abs(turn))) * (1 if turn > 0 else -1)
