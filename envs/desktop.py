"""The desktop of an X display as an environment: captured by mss, touched by real input events."""

from __future__ import annotations

import atexit
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, Literal, Self

from .actions import UNTOUCHING, Action
from .capture import ScreenCapture
from .change import where_changed
from .desktop_actions import DesktopActor
from .env import Effect, Frame, check_on_screen, nothing_to_do, require_kind
from .errors import EnvError, NoDisplay
from .hands import Hands, PyAutoGuiHands, XTestHands
from .held import Held
from .risk import Risk, risks_of
from .settle import wait_until_still
from .wording import action_points, describe

QUIET_S = 0.15
INPUT_KINDS = frozenset(
    ("click", "move", "drag", "mouse_down", "mouse_up", "scroll", "type", "key", "key_down", "key_up", "wait")
)
CLIPBOARD_KINDS = frozenset(("clipboard_get", "clipboard_set"))


@dataclass(frozen=True, kw_only=True)
class DesktopConfig:
    """What part of which screen is captured, and how calmly we act on it."""

    monitor: int = 1  # 0 is the union of all monitors
    display: str | None = None  # X display such as ":99"; None: the one in DISPLAY
    hands: Literal["auto", "xtest", "pyautogui"] = "auto"  # auto: xtest on X, pyautogui on other systems
    settle_s: float = 0.5  # the longest wait for the screen to become still after an action
    key_gap_s: float = 0.003  # between two key events
    paste_keys: tuple[str, ...] = ("ctrl", "v")  # what pastes text that the keyboard layout cannot type

    def __post_init__(self) -> None:
        if self.monitor < 0 or self.settle_s < 0 or self.key_gap_s < 0:
            raise ValueError(f"monitor, settle_s and key_gap_s must be >= 0, got {self}")
        if self.display and self.hands == "pyautogui":
            raise ValueError("pyautogui can only use the display in DISPLAY: leave out display, or use xtest")


class DesktopEnv:
    """One monitor of a desktop, for as long as the `with` body lasts.

    Keys and buttons that are down, those of KeyDown and MouseDown too, are released on every way out: exceptions,
    `close`, exit, SIGINT, and SIGTERM (which becomes SystemExit(143) unless the program handles it). Only a process
    killed outright leaves them down.
    """

    def __init__(self, config: DesktopConfig | None = None) -> None:
        self.config = config or DesktopConfig()
        self._stack = ExitStack()
        self._capture: ScreenCapture | None = None
        self._held: Held | None = None
        self._actor: DesktopActor | None = None
        self._last: Frame | None = None

    def __enter__(self) -> Self:
        config = self.config
        with ExitStack() as stack:
            stack.enter_context(_on_signals(self._release_from_signal))
            self._capture = ScreenCapture(display=config.display, monitor=config.monitor)
            stack.callback(self._capture.close)
            self._held = Held(self._new_hands, gap_s=config.key_gap_s)
            stack.callback(self._held.close)
            self._actor = DesktopActor(
                self._capture,
                self._held,
                display=config.display,
                gap_s=config.key_gap_s,
                paste_keys=config.paste_keys,
            )
            atexit.register(self.close)
            stack.callback(atexit.unregister, self.close)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def kinds(self) -> frozenset[str]:
        """Mouse, keyboard and waiting; on X also starting programs, and the clipboard where xclip is installed."""
        if sys.platform != "linux":
            return INPUT_KINDS
        return INPUT_KINDS | {"open_app"} | (CLIPBOARD_KINDS if shutil.which("xclip") else frozenset[str]())

    def observe(self) -> Frame:
        """The monitor in native pixels, without the pointer."""
        self._last = self._open()[0].observe()
        return self._last

    def perform(self, action: Action) -> Effect:
        """Do it with real input events, then wait until the screen is still."""
        capture, held, actor = self._open()
        require_kind(action, self.kinds)
        if action.type in UNTOUCHING:
            return nothing_to_do(action)
        before = self._last or capture.observe()
        check_on_screen(action, before.size)
        start_s = time.perf_counter()
        try:
            done = actor.act(action, before)
        except NoDisplay:
            held.forget()
            raise
        except BaseException:
            held.release_afresh()
            raise
        acted_s = time.perf_counter()
        after_HW3, is_still = wait_until_still(capture.grab, quiet_s=QUIET_S, limit_s=self.config.settle_s)
        change = None
        if self._last is not None:
            change = where_changed(before.pixels_HW3, after_HW3, action_points(action), is_still=is_still)
        return Effect(
            performed=done.performed,
            detail="; ".join((describe(action), *done.notes)),
            changed=None if change is None else change != "no_change",
            act_s=acted_s - start_s,
            settle_s=time.perf_counter() - acted_s,
            change=change,
            answer=done.answer,
        )

    def risks(self, action: Action) -> frozenset[Risk]:
        """What a person would want to be asked about before it is performed."""
        return risks_of(action)

    def close(self) -> None:
        """Release what is held and let go of the display; may be called twice."""
        self._stack.close()
        self._capture = self._held = self._actor = self._last = None

    def _new_hands(self) -> Hands:
        kind = self.config.hands
        if kind == "auto":
            kind = "xtest" if sys.platform == "linux" else "pyautogui"
        return XTestHands(self.config.display) if kind == "xtest" else PyAutoGuiHands()

    def _open(self) -> tuple[ScreenCapture, Held, DesktopActor]:
        if self._capture is None or self._held is None or self._actor is None:
            raise EnvError("this DesktopEnv is not open: use it as `with DesktopEnv(config) as env:`")
        return self._capture, self._held, self._actor

    def _release_from_signal(self) -> None:
        if self._held is not None:
            self._held.release_from_signal()


@contextmanager
def _on_signals(release: Callable[[], None]) -> Generator[None]:
    """Call `release` on SIGINT and SIGTERM before what the program does on them; only in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former: dict[int, Any] = {}

    def handle(signum: int, frame: FrameType | None) -> None:
        release()
        before = former[signum]
        if callable(before):
            before(signum, frame)
        elif before == signal.SIG_DFL:
            raise SystemExit(128 + signum)

    for signum in (signal.SIGINT, signal.SIGTERM):
        former[signum] = signal.signal(signum, handle)
    try:
        yield
    finally:
        for signum, before in former.items():
            if signal.getsignal(signum) is handle:
                signal.signal(signum, before)
