"""What a program expects of a screen, looked for until it is so, and told with a picture where it is not."""

from __future__ import annotations

import re
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..envs import Env
from .errors import NotSeen
from .expect import By, Sighting, checked_by, wait_until_seen
from .lazy_engine import LazyEngine
from .overlay import FAILED, Mark, draw, to_png

if TYPE_CHECKING:
    from ..model import Answering

PICTURES = "not-seen"  # the folder of the pictures, beside the runs
LONGEST_NAME = 40  # characters of the text in a picture's name


class Looking(Protocol):
    """What an expectation needs of its screen."""

    @property
    def env(self) -> Env: ...
    @property
    def engine(self) -> Answering: ...
    @property
    def sure(self) -> float: ...


class Expectation:
    """Something that must be on the screen, or must not. Nothing is looked for before `visible` or `absent` is called.

    One that is never looked for warns as it goes: a test that forgets it would pass whatever the screen shows.
    """

    def __init__(self, screen: Looking, text: str, *, by: By, folder: Path) -> None:
        self._screen, self._text, self._folder = screen, text, folder
        self._by: By = checked_by(by)
        self._is_used = False

    def visible(self, *, timeout_s: float = 10) -> Sighting:
        """Look until it is there. NotSeen after `timeout_s`; 0 looks once."""
        return self._checked(timeout_s, absent=False)

    def absent(self, *, timeout_s: float = 10) -> Sighting:
        """Look until it is not there. NotSeen after `timeout_s`; 0 looks once."""
        return self._checked(timeout_s, absent=True)

    def __bool__(self) -> bool:
        self._is_used = True
        raise TypeError(f"expect({self._text!r}) is neither true nor false: add .visible() or .absent()")

    def __del__(self) -> None:
        if not getattr(self, "_is_used", True):
            said = f"expect({self._text!r}) was never looked for: add .visible() or .absent()"
            warnings.warn(said, RuntimeWarning, stacklevel=2, source=self)

    def _checked(self, timeout_s: float, *, absent: bool) -> Sighting:
        self._is_used = True
        env, engine = self._screen.env, LazyEngine(lambda: self._screen.engine)
        sure = 0.0 if absent else self._screen.sure  # that it may be there is reason enough not to call it absent
        sighting = wait_until_seen(env, engine, self._text, timeout_s=timeout_s, absent=absent, by=self._by, sure=sure)
        if sighting.found is not absent:
            return sighting
        picture, where = self._picture(sighting)
        wish = "not to see" if absent else "to see"
        message = (
            f"expected {wish} {self._text!r} within {timeout_s:g} s, by {sighting.how}: {sighting.said}\n"
            f"what the screen showed: {where}"
        )
        raise NotSeen(message, text=self._text, sighting=sighting, picture=picture)

    def _picture(self, sighting: Sighting) -> tuple[Path | None, str]:
        """The picture of the last look, and where it is, or why it is not."""
        name = re.sub(r"\W+", "-", self._text)[:LONGEST_NAME].strip("-") or "expected"
        path = (
            self._folder / PICTURES / f"{time.strftime('%Y%m%d-%H%M%S')}-{time.monotonic_ns() % 10**6:06d}-{name}.png"
        )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(to_png(draw(sighting.frame, [_mark(sighting)])))
        except OSError as error:
            return None, f"not kept: {error}"
        return path, str(path)


def _mark(sighting: Sighting) -> Mark:
    point = None if sighting.target is None else sighting.target.point
    if point is None:
        return Mark(label=f"not seen: {sighting.text}", colour=FAILED)
    return Mark(label=f"still there: {sighting.text}", x_px=point.x_px, y_px=point.y_px, colour=FAILED)
