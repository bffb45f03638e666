"""What is held down, so that it can be let go whatever happens."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress

from .errors import NoDisplay
from .hands import Hands, XTestHands

SLICE_S = 0.05  # of a pause: nobody who stops us waits longer
RELEASE_LIMIT_S = 2.0  # for a display that does not answer
STROKE_S = 0.1  # moves closer together than that are one movement


class Held:
    """Hands, and the keys and buttons they hold, in the order pressed. `gap_s` lies between two key events.

    What `press` puts down stays down until `let_go`, one of the releases or `close`.
    """

    def __init__(self, new_hands: Callable[[], Hands], *, gap_s: float) -> None:
        self._new_hands, self._gap_s = new_hands, gap_s
        self._down: list[tuple[str, bool]] = []  # name, is_button
        self.places_pt: tuple[tuple[float, float], ...] = ()  # where we have put the pointer, and may be about to
        self.watches_pushes = False
        self.pushed_pt = (0.0, 0.0)  # how far others have pushed the pointer away, in all, during this movement of ours
        self._put_at_s = -math.inf
        self._put_pt = (0.0, 0.0)  # where it came to lie
        self._stopped: str | None = None
        self._spared: threading.Thread | None = None
        self._hands: Hands | None = new_hands()

    @property
    def hands(self) -> Hands:
        """On a connection of their own. NoDisplay where it has to be a new one, and the display is gone."""
        if self._hands is None:
            self._hands = self._new_hands()
        return self._hands

    def move(self, x_pt: float, y_pt: float) -> None:
        """Put the pointer there."""
        self.check()
        place_pt = (x_pt, y_pt)
        felt = self.hands if self.watches_pushes and isinstance(self.hands, XTestHands) else None
        if felt:
            self._feel(felt)
        self.places_pt = (*self.places_pt[-1:], place_pt)
        self.hands.move(x_pt, y_pt)
        self.places_pt = (place_pt,)
        if felt:
            self._put_at_s, self._put_pt = time.monotonic(), felt.pointer()

    def wheel(self, dx: int, dy: int) -> None:
        """Turn it by whole notches, to the right and down."""
        self.check()
        self.hands.wheel(dx, dy)

    def stop(self, reason: str, *, spared: threading.Thread | None) -> None:
        """Let go of everything; whatever a thread does with this from now on, or is waiting for, ends in a
        KeyboardInterrupt. `spared` is stopped in another way: two of them could cut a release short."""
        self._stopped, self._spared = reason, spared
        self.release_from_signal()

    def check(self) -> None:
        """KeyboardInterrupt where this was stopped."""
        if self._stopped is not None and threading.current_thread() is not self._spared:
            raise KeyboardInterrupt(f"stopped by hand: {self._stopped}")

    def pause(self, seconds_s: float) -> None:
        """Sleep, unless this is stopped."""
        end_s = time.monotonic() + seconds_s
        self.check()
        while (left_s := end_s - time.monotonic()) > 0:
            time.sleep(min(left_s, SLICE_S))
            self.check()

    def holds_all(self, keys: tuple[str, ...]) -> bool:
        """Whether it is us who hold all of these keys."""
        return all((key, False) in self._down for key in keys)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that are down."""
        return tuple(name for name, is_button in self._down if not is_button)

    def press(self, name: str, *, is_button: bool = False) -> None:
        """Put it down, unless it is down already."""
        self.check()
        if (name, is_button) not in self._down:
            # Noted before it goes down: a signal in between then releases one too many, not one too few.
            self._down.append((name, is_button))
            self.hands.press(name, is_button=is_button)
            if (name, is_button) not in self._down:  # another thread has released it before it went down
                self._down.append((name, is_button))
            self.pause(self._gap_s)

    def let_go(self, name: str, *, is_button: bool = False) -> None:
        """Let it up, also where somebody else holds it."""
        self.hands.release(name, is_button=is_button)
        with suppress(ValueError):  # a signal may have released it
            self._down.remove((name, is_button))

    @contextmanager
    def holding(self, names: tuple[str, ...], *, is_button: bool = False) -> Generator[None]:
        """Hold them down, in order. After an exception they stay down, for a release.

        A key that was down before stays so. A button does not: it cannot be clicked without being let go.
        """
        ours = [name for name in names if is_button or (name, is_button) not in self._down]
        for name in ours:
            self.press(name, is_button=is_button)
        yield
        for name in reversed(ours):
            if (name, is_button) in self._down:
                self.let_go(name, is_button=is_button)

    def forget(self) -> None:
        """Nothing is held on a display that is gone."""
        self._down.clear()

    def release_afresh(self) -> None:
        """Release what is held over a new connection: an exception may have cut a request short on the usual one, which
        then waits forever."""
        if isinstance(self._hands, XTestHands):
            self._hands.close()
            self._hands = None
        self.release_from_signal()

    def release_from_signal(self) -> None:
        """Release what is held in the middle of anything, and leave the usual connection as it is.

        A display that does not answer is given up after RELEASE_LIMIT_S.
        """
        if self._hands is not None and not isinstance(self._hands, XTestHands):
            self._release(self._hands)
        elif self._down:
            releasing = threading.Thread(target=self._release_elsewhere, name="moonhand releasing", daemon=True)
            try:
                releasing.start()
            except RuntimeError:  # the interpreter is shutting down and starts no threads any more
                self._release_elsewhere()
            else:
                releasing.join(RELEASE_LIMIT_S)
                if releasing.is_alive():
                    self.forget()

    def close(self) -> None:
        if self._down:
            self.release_afresh()
        if isinstance(self._hands, XTestHands):
            self._hands.close()

    def _release_elsewhere(self) -> None:
        try:
            hands = self._new_hands()
            self._release(hands)
            if isinstance(hands, XTestHands):
                hands.close()
        except NoDisplay:
            self.forget()

    def _release(self, hands: Hands) -> None:
        for name, is_button in reversed(self._down.copy()):
            hands.release(name, is_button=is_button)
            # Noted until it is up: a signal in between, the second one perhaps, releases what is left.
            with suppress(ValueError):
                self._down.remove((name, is_button))

    def _feel(self, hands: XTestHands) -> None:
        """How far the pointer lies from where it was put a moment ago."""
        if time.monotonic() > self._put_at_s + STROKE_S:
            self.pushed_pt = (0.0, 0.0)
            return
        (x_pt, y_pt), (put_x_pt, put_y_pt) = hands.pointer(), self._put_pt
        self.pushed_pt = (self.pushed_pt[0] + x_pt - put_x_pt, self.pushed_pt[1] + y_pt - put_y_pt)
