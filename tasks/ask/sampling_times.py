"""Which frames of a film are shown, by their times alone."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from ..errors import BadRequest
from .inputs import MAX_PICTURES

DEFAULT_FPS, DEFAULT_FRAMES = Fraction(1), 32


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """`fps` frames a second, `frames` at most; of these two only the second: so many parts, the middle of each.

    Neither: one a second, 32 at most. `at_scenes`: the first frame of each scene, `frames` at most.
    """

    fps: Fraction | None = None
    frames: int | None = None
    at_scenes: bool = False

    def __post_init__(self) -> None:
        if self.fps is not None and self.fps <= 0:
            raise BadRequest(f"--fps {self.fps} must be more than 0")
        if self.frames is not None and not 1 <= self.frames <= MAX_PICTURES:
            raise BadRequest(f"--frames {self.frames} must be 1 to {MAX_PICTURES}")
        if self.at_scenes and self.fps is not None:
            raise BadRequest("--sample scenes goes by what changes, --fps by the clock: give one of them")

    def words(self) -> str:
        """How frames are chosen, for people."""
        if self.at_scenes:
            return f"where scenes change, {self.frames or DEFAULT_FRAMES} at most"
        if self.fps is None and self.frames is not None:
            return "evenly spread"
        fps, most = self._rate()
        limit = "" if most is None else f", {most} at most"
        return f"{float(fps):g} a second{limit}"

    def _rate(self) -> tuple[Fraction, int | None]:
        if self.fps is None:
            return DEFAULT_FPS, self.frames or DEFAULT_FRAMES
        return self.fps, self.frames

    def choose(self, times: Sequence[Fraction], length_s: Fraction) -> list[int]:
        """Frames, by number: each the one that is on the screen at its moment."""
        if self.fps is None and self.frames is not None:
            return _spread(times, length_s, self.frames)
        fps, most = self._rate()
        ends = [*times[1:], length_s]
        shown = [
            number
            for number, (start, end) in enumerate(zip(times, ends, strict=True))
            if ceil(start * fps) < end * fps  # a moment, of those 1 / fps apart, at which it is on the screen
        ]
        return shown if most is None or len(shown) <= most else _spread(times, length_s, most)


def sampled(times: Sequence[Fraction], length_s: Fraction, sampling: Sampling, name: str) -> list[int]:
    """BadRequest where it is more than may be shown."""
    chosen = sampling.choose(times, length_s)
    if len(chosen) > MAX_PICTURES:
        raise BadRequest(
            f"{name} has {len(chosen)} frames at {float(sampling.fps or DEFAULT_FPS):g} a second: at most "
            f"{MAX_PICTURES} pictures are shown, so lower --fps or give --frames"
        )
    return chosen


def thinned(count: int, keep: int) -> list[int]:
    """So many of `count` numbers, evenly spread."""
    return [int((Fraction(2 * number + 1, 2)) * count / keep) for number in range(keep)]


def _spread(times: Sequence[Fraction], length_s: Fraction, frames: int) -> list[int]:
    if frames >= len(times):
        return list(range(len(times)))
    return _shown(times, [times[0] + length_s * Fraction(2 * part + 1, 2 * frames) for part in range(frames)])


def _shown(times: Sequence[Fraction], moments: Sequence[Fraction]) -> list[int]:
    """The frames that are on the screen at these moments, each once."""
    return sorted({max(0, bisect_right(times, moment) - 1) for moment in moments})
