"""The desktop of an X display as an environment: captured by mss, touched by real input events."""

from __future__ import annotations

import atexit
import shutil
import sys
import threading
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Self

from .actions import UNTOUCHING, Action, PressKeys, SetClipboard, TypeText
from .blur import changed_box
from .capture import ScreenCapture
from .change import Tiles, where_changed
from .desktop_actions import DesktopActor
from .env import Done, Effect, Frame, Pixels, check_on_screen, nothing_to_do, require_kind
from .errors import EnvError, NoDisplay
from .geometry import Region
from .hands import Hands, PyAutoGuiHands, XTestHands
from .held import Held
from .keys import key_name
from .panic import PanicStop, interrupt_main_thread, open_senses
from .risk import Risk, risks_of
from .secrets import SecretLookup, Secrets, find_secret, is_paste, names_secrets
from .settle import Settled, find_moving, settle_pixels
from .signals import on_signals
from .surroundings import LONGEST, Surroundings
from .wording import action_points, describe

if TYPE_CHECKING:
    from .windows import FrontWindow

QUIET_S = 0.1  # programs show what they do with an action 8 to 55 ms later
INPUT_KINDS = frozenset(
    ("click", "move", "drag", "mouse_down", "mouse_up", "scroll", "type", "key", "key_down", "key_up", "wait")
)
CLIPBOARD_KINDS = frozenset(("clipboard_get", "clipboard_set"))


@dataclass(frozen=True, kw_only=True)
class DesktopConfig:
    """What part of which screen is captured, and how calmly we act on it."""

    monitor: int | str = 1  # from left to right and top to bottom, or by name; 0 is the union of all
    region: Region | None = None  # of all monitors, in OS points; in place of a monitor
    window: str | None = None  # a part of the title of a window, which is followed; in place of a monitor
    display: str | None = None  # X display such as ":99"; None: the one in DISPLAY
    hands: Literal["auto", "xtest", "pyautogui"] = "auto"  # auto: xtest on X, pyautogui on other systems
    secrets: SecretLookup = find_secret  # what {{secret:NAME}} stands for
    settle_s: float = 2.0  # the longest wait for the screen to become still after an action
    key_gap_s: float = 0.003  # between two key events
    paste_keys: tuple[str, ...] = ("meta" if sys.platform == "darwin" else "ctrl", "v")  # of what layouts cannot type
    panic_stop: bool | None = None  # ends the run by the person's hands; None: on their display, not on one named here
    panic_keys: tuple[str, ...] = ("ctrl", "alt", "escape")  # held together; () leaves the corner of the screen alone

    def __post_init__(self) -> None:
        number = self.monitor if isinstance(self.monitor, int) else 1
        if number < 0 or self.settle_s < 0 or self.key_gap_s < 0:
            got = f"monitor={self.monitor}, settle_s={self.settle_s}, key_gap_s={self.key_gap_s}"
            raise ValueError(f"monitor, settle_s and key_gap_s must be >= 0, got {got}")
        if (self.monitor != 1) + (self.region is not None) + (self.window is not None) > 1:
            raise ValueError("choose one of monitor, region and window: each says what is captured")
        if self.region is not None and (self.region.width_px < 1 or self.region.height_px < 1):
            raise ValueError(f"a region needs at least 1x1 OS points, got {self.region}")
        for key in (*self.panic_keys, *self.paste_keys):
            key_name(key)  # ValueError for one that there is not
        if self.display and self.hands == "pyautogui":
            raise ValueError("pyautogui can only use the display in DISPLAY: leave out display, or use xtest")


class DesktopEnv:
    """One monitor of a desktop, for as long as the `with` body lasts.

    Keys and buttons that are down, those of KeyDown and MouseDown too, are released on every way out, and what was on
    the clipboard is put back: exceptions, `close`, exit, SIGINT, SIGTERM and SIGHUP (which become SystemExit(143) and
    SystemExit(129) unless the program handles them), and the person who shoves the pointer into the top left corner or
    holds the panic keys, which is like Ctrl-C, in whatever thread the environment is used. Only a process killed
    outright leaves keys down.
    """

    def __init__(self, config: DesktopConfig | None = None) -> None:
        self.config = config or DesktopConfig()
        self._secrets = Secrets(self.config.secrets)
        self._stack = ExitStack()
        self._capture: ScreenCapture | None = None
        self._held: Held | None = None
        self._actor: DesktopActor | None = None
        self._front: FrontWindow | None = None
        self._last: Frame | None = None
        self._panic: str | None = None  # why the person has stopped it

    def __enter__(self) -> Self:
        config = self.config
        with ExitStack() as stack:
            stack.enter_context(on_signals(self._release_from_signal))
            self._capture = ScreenCapture(
                display=config.display, monitor=config.monitor, region=config.region, window=config.window
            )
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
            stack.callback(self._actor.close)
            if sys.platform == "linux":
                from .windows import FrontWindow  # needs Xlib

                self._front = FrontWindow(config.display)
                stack.callback(self._front.close)
            if config.panic_stop or (config.panic_stop is None and config.display is None):
                stack.enter_context(self._stopped_by_hand(self._capture, self._held))
            atexit.register(self.close)
            stack.callback(atexit.unregister, self.close)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def kinds(self) -> frozenset[str]:
        """Mouse, keyboard, waiting and starting programs; also the clipboard, on X where xclip is installed."""
        has_clipboard = sys.platform != "linux" or shutil.which("xclip") is not None
        return INPUT_KINDS | {"open_app"} | (CLIPBOARD_KINDS if has_clipboard else frozenset[str]())

    def observe(self) -> Frame:
        """The monitor in native pixels, without the pointer."""
        self._last = self._open()[0].observe()
        return self._last

    def perform(self, action: Action) -> Effect:
        """Do it with real input events, then wait until the screen is still."""
        with self._secrets.hidden():
            effect = self._do(action)
        answer = None if effect.answer is None else self._secrets.mask(effect.answer)
        return replace(effect, detail=self._secrets.mask(effect.detail), answer=answer)

    def _do(self, action: Action) -> Effect:
        capture, held, _ = self._open()
        require_kind(action, self.kinds)
        if action.type in UNTOUCHING:
            return nothing_to_do(action)
        before = self._last or capture.observe()
        check_on_screen(action, before.size)
        moving = find_moving(capture.grab, before.pixels_HW3, pause=held.pause)
        start_s = time.perf_counter()
        try:
            done = self._act(action, before)
        except NoDisplay:
            held.forget()
            raise
        except BaseException:
            held.release_afresh()
            raise
        acted_s = time.perf_counter()
        settled, after_HW3 = self._settle(capture, held, moving)
        change = None
        if self._last is not None:
            places = action_points(action)
            change = where_changed(
                before.pixels_HW3, after_HW3, places, is_still=settled.is_still, moving=settled.moving
            )
        return Effect(
            performed=done.performed,
            detail="; ".join((describe(action), *done.notes)),
            changed=None if change is None else change != "no_change",
            act_s=acted_s - start_s,
            settle_s=time.perf_counter() - acted_s,
            change=change,
            answer=done.answer,
            waited_for=settled.waited_for,
            num_moving=settled.num_moving,
        )

    def _act(self, action: Action, before: Frame) -> Done:
        """Do it, with its secrets filled in. What changes on the screen as one shows up is covered from then on."""
        capture, held, actor = self._open()
        is_named = isinstance(action, TypeText | SetClipboard) and names_secrets(action.text)
        is_pasted = self._secrets.values and is_paste(action, held.keys)
        if not is_named and not is_pasted:
            return actor.act(action, before)
        filled, submits = action, False
        if isinstance(action, TypeText | SetClipboard):
            filled = action.model_copy(update={"text": self._secrets.fill(action.text)})
        if isinstance(filled, TypeText):  # Enter comes once the place is known
            filled, submits = filled.model_copy(update={"submit": False}), filled.submit
        before_HW3 = capture.grab()
        try:
            done = actor.act(filled, before)
        finally:
            _, after_HW3 = self._settle(capture, held)
            if (box := changed_box(before_HW3, after_HW3)) is not None:
                capture.cover(box)
        if submits:
            actor.act(PressKeys(keys=("enter",)), before)
        return done

    def _settle(self, capture: ScreenCapture, held: Held, moving: Tiles | None = None) -> tuple[Settled, Pixels]:
        limit_s = self.config.settle_s
        return settle_pixels(capture.grab, moving, quiet_s=QUIET_S, limit_s=limit_s, pause=held.pause)

    def risks(self, action: Action) -> frozenset[Risk]:
        """What a person would want to be asked about before it is performed."""
        return risks_of(action, () if self._held is None else self._held.keys)

    def surroundings(self, action: Action) -> Surroundings:
        """The title of the window in front, on X; of what lies in it a desktop tells nothing."""
        title = None if self._front is None else self._front.title()
        return Surroundings(title=None if title is None else self._secrets.mask(title)[:LONGEST])

    def close(self) -> None:
        """Release what is held and let go of the display; may be called twice."""
        self._stack.close()
        self._capture = self._held = self._actor = self._front = self._last = None

    def _new_hands(self) -> Hands:
        kind = self.config.hands
        if kind == "auto":
            kind = "xtest" if sys.platform == "linux" else "pyautogui"
        return XTestHands(self.config.display) if kind == "xtest" else PyAutoGuiHands()

    @contextmanager
    def _stopped_by_hand(self, capture: ScreenCapture, held: Held) -> Generator[None]:
        opened_in = threading.current_thread()

        def stop(reason: str) -> None:
            self._panic = reason
            is_main = opened_in is threading.main_thread()
            held.stop(reason, spared=opened_in if is_main else None)
            if is_main:
                interrupt_main_thread()

        senses = open_senses(self.config.display)
        panic = PanicStop(senses, held, stop, corner_pt=capture.corner_pt, keys=self.config.panic_keys)
        panic.start()
        try:
            yield
        finally:
            panic.close()

    def _open(self) -> tuple[ScreenCapture, Held, DesktopActor]:
        if self._capture is None or self._held is None or self._actor is None:
            raise EnvError("this DesktopEnv is not open: use it as `with DesktopEnv(config) as env:`")
        if self._panic is not None:  # where the program or its thread took no notice
            raise KeyboardInterrupt(f"stopped by hand: {self._panic}")
        return self._capture, self._held, self._actor

    def _release_from_signal(self) -> None:
        if self._held is not None:
            self._held.release_from_signal()
