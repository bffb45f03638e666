"""What is held down, so that it can be let go whatever happens."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress

from .errors import NoDisplay
from .hands import Hands, XTestHands


class Held:
    """Hands, and the keys and buttons they hold, in the order pressed. `gap_s` lies between two key events.

    What `press` puts down stays down until `let_go`, one of the releases or `close`.
    """

    def __init__(self, new_hands: Callable[[], Hands], *, gap_s: float) -> None:
        self._new_hands, self._gap_s = new_hands, gap_s
        self._down: list[tuple[str, bool]] = []  # name, is_button
        self.places_pt: tuple[tuple[float, float], ...] = ()  # where we have put the pointer, and may be about to
        self.hands = new_hands()

    def move(self, x_pt: float, y_pt: float) -> None:
        """Put the pointer there."""
        place_pt = (x_pt, y_pt)
        self.places_pt = (*self.places_pt[-1:], place_pt)
        self.hands.move(x_pt, y_pt)
        self.places_pt = (place_pt,)

    def holds_all(self, keys: tuple[str, ...]) -> bool:
        """Whether it is us who hold all of these keys."""
        return all((key, False) in self._down for key in keys)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that are down."""
        return tuple(name for name, is_button in self._down if not is_button)

    def press(self, name: str, *, is_button: bool = False) -> None:
        """Put it down, unless it is down already."""
        if (name, is_button) not in self._down:
            # Noted before it goes down: a signal in between then releases one too many, not one too few.
            self._down.append((name, is_button))
            self.hands.press(name, is_button=is_button)
            time.sleep(self._gap_s)

    def let_go(self, name: str, *, is_button: bool = False) -> None:
        """Let it up, also where somebody else holds it."""
        self.hands.release(name, is_button=is_button)
        if (name, is_button) in self._down:  # a signal may have released it
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
        broken, down = self.hands, self._down.copy()
        self._down.clear()
        if isinstance(broken, XTestHands):
            broken.close()
            self.hands = self._new_hands()
        _release(self.hands, down)

    def release_from_signal(self) -> None:
        """Release what is held in the middle of anything, and leave the usual connection as it is."""
        down = self._down.copy()
        self._down.clear()
        if down and isinstance(self.hands, XTestHands):
            with suppress(NoDisplay):  # nothing is held on a display that is gone
                hands = self._new_hands()
                _release(hands, down)
                if isinstance(hands, XTestHands):
                    hands.close()
        else:
            _release(self.hands, down)

    def close(self) -> None:
        if self._down:
            self.release_afresh()
        if isinstance(self.hands, XTestHands):
            self.hands.close()


def _release(hands: Hands, down: list[tuple[str, bool]]) -> None:
    for name, is_button in reversed(down):
        hands.release(name, is_button=is_button)
